"""What every pointwise loss shares: rows and labels in, one loss a row out, and its posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wbce._backend import keras
from wbce.losses._logits import logits_from

ops = keras.ops

Float64 = NDArray[np.float64]


class PointwiseLoss(keras.losses.Loss):
    """A loss that is a sum over rows, each a function of that row's logits.

    A subclass states :meth:`own_class_loss`, the loss of a row as a function of the logarithm of
    the probability given to its own class, and the two posterior maps.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Share of a row's label spread evenly over all classes, in [0, 1).
    class_weight : sequence of float, optional
        A factor for every class, in the order of the class codes: ``(1, 9)`` counts a positive
        nine times. The default leaves weights to ``sample_weight``.
    from_logits : bool, optional
        Whether the network's output is logits. By default recognised from the output, inside a
        compiled step.
    reduction, name, dtype
        As for any ``keras.losses.Loss``.
    """

    # Parameters that enter `call` as numbers only: one compiled step serves all their values.
    scalars: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_weight: ArrayLike | None = None,
        from_logits: bool | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if not isinstance(label_smoothing, int | float | np.number) or not 0 <= label_smoothing < 1:
            raise ValueError(
                f"label_smoothing={label_smoothing!r} is not allowed: pass the share of a label "
                "that is spread over all classes, 0 <= label_smoothing < 1."
            )
        if from_logits not in (None, True, False):
            raise ValueError(
                f"from_logits={from_logits!r} is not allowed: pass True, False, or None to have it "
                "recognised."
            )
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.label_smoothing = float(label_smoothing)
        self.class_weight = _checked_class_weight(class_weight)
        self.from_logits = from_logits

    def own_class_loss(self, log_p: Any, log_rest: Any) -> Any:
        """Loss of rows whose class was given the probability p.

        Parameters
        ----------
        log_p, log_rest : tensor
            log p and log(1 - p), both computed from logits.
        """
        raise NotImplementedError

    def log_odds(self, z: Float64) -> Float64:
        """Log-odds of the posterior where the population's minimiser has the logit ``z``.

        For a loss with partial losses l1 and l0 that is ``log(l0'(z) / -l1'(z))``, without class
        weights and label smoothing: :class:`wbce.losses.Posterior` adds them.
        """
        raise NotImplementedError

    def class_log_odds(self, z: Float64) -> Float64:
        """Unnormalised log posterior of every class, where the minimiser has the logits ``z``."""
        raise NotImplementedError

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of every row.

        Parameters
        ----------
        y_true : tensor of shape (n,), (n, 1) or (n, n_classes)
            Class codes; or rows that sum to one.
        y_pred : tensor of shape (n, 1) or (n, n_classes)
            The network's output.

        Returns
        -------
        tensor of shape (n,)
        """
        z = ops.cast(logits_from(y_pred, self.from_logits), self.dtype)
        if len(z.shape) == 1:
            z = ops.expand_dims(z, -1)
        if z.shape[-1] == 1 and self.label_smoothing == 0 and _are_codes(y_true, 2):
            return self._binary_loss(*(ops.reshape(a, (-1,)) for a in (y_true, z)))
        targets = _targets(y_true, z)
        if z.shape[-1] == 1:
            log_p = ops.concatenate([ops.log_sigmoid(-z), ops.log_sigmoid(z)], axis=-1)
            log_rest = ops.flip(log_p, axis=-1)
        else:
            log_p = ops.log_softmax(z, axis=-1)
            # 1 - p is lost to rounding as p nears 1; there the loss and its slope vanish anyway.
            log_rest = ops.log1p(-ops.exp(ops.minimum(log_p, -1e-7)))
        n_classes = log_p.shape[-1]
        smoothed = (1.0 - self.label_smoothing) * targets + self.label_smoothing / n_classes
        loss = ops.sum(smoothed * self.own_class_loss(log_p, log_rest), axis=-1)
        if self.class_weight is not None:
            loss = loss * ops.sum(targets * ops.convert_to_tensor(self.class_weight, z.dtype), -1)
        return loss

    def _binary_loss(self, y: Any, z: Any) -> Any:
        """Loss of rows of two classes, in few operations: a step of a small network is as long.

        The logit of a row's own class is z for a positive and -z for a negative.
        """
        y = ops.cast(y, z.dtype)
        own = z * (2.0 * y - 1.0)
        loss = self.own_class_loss(ops.log_sigmoid(own), ops.log_sigmoid(-own))
        if self.class_weight is not None:
            w0, w1 = self.class_weight
            loss = loss * (w0 + (w1 - w0) * y)
        return loss

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "class_weight": self.class_weight,
            "from_logits": self.from_logits,
            "dtype": self.dtype,
        }


def _targets(y_true: Any, z: Any) -> Any:
    """One column a class; class codes become one-hot rows."""
    n_classes = max(2, z.shape[-1])
    if not _are_codes(y_true, n_classes):
        return ops.cast(y_true, z.dtype)
    codes = ops.cast(ops.reshape(y_true, (-1,)), "int32")
    return ops.one_hot(codes, n_classes, dtype=z.dtype)


def _are_codes(y_true: Any, n_classes: int) -> bool:
    return len(y_true.shape) < 2 or y_true.shape[-1] != n_classes


def _checked_class_weight(class_weight: ArrayLike | None) -> list[float] | None:
    if class_weight is None:
        return None
    weights = np.asarray(class_weight, dtype=np.float64)
    if weights.ndim != 1 or len(weights) < 2 or not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(
            f"class_weight={class_weight!r} is not allowed: pass one positive, finite number for "
            "every class, in the order of the class codes, such as (1, 9)."
        )
    return weights.tolist()
