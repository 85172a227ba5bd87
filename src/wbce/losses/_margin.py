"""Losses that move logits by how frequent a class is: logit adjustment and LDAM."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_expit

from wbce._backend import keras
from wbce.losses._arguments import checked_number, checked_numbers
from wbce.losses._base import Float64, PointwiseLoss, class_against_rest, own_and_rest

ops = keras.ops


# Beyond, float64 does not resolve the posterior between the margins.
_LARGEST_MARGIN = 30.0


class _KnowsClassShares(PointwiseLoss):
    """A loss that needs to know how frequent the classes are."""

    def _check_class_shares(self, name: str, values: Any, allowed: str) -> Any:
        if values is None:
            return None
        shares = checked_numbers(name, values, allowed, lambda v: v > 0, (1, 2))
        if np.shape(shares)[-1] < 2 or (np.ndim(shares) == 2 and not self.multi_label):
            raise ValueError(
                f"{name}={values!r} has the shape {np.shape(shares)}. Pass {allowed}; for several "
                "labels (with multi_label=True) a pair for every label, of zeros and of ones."
            )
        return shares

    def _class_shares(self) -> Any:
        name = self.class_shares_parameter or ""
        values = getattr(self, name)
        if values is None:
            raise ValueError(
                f"{type(self).__name__} needs {name}: the training rows' classes, such as "
                f"{name}=[990, 10]. WeightedKerasClassifier fills it in by itself."
            )
        return values


@keras.saving.register_keras_serializable("wbce")
class LogitAdjusted(_KnowsClassShares):
    """Cross-entropy on logits that are raised by how frequent their class is.

    The loss of a row of class k is cross-entropy on ``z_j + tau * log(class_prior[j])`` for all
    classes j. The network's own logits are then those of balanced classes (tau = 1), and its
    largest one minimises the balanced error.

    Parameters
    ----------
    class_prior : array-like of shape (n_classes,) or (n_labels, 2), optional
        Share, or count, of every class in the training rows, in the order of the class codes; for
        several labels of zeros and of ones. The estimator takes it from the rows.
    tau : float, default=1.0
        Strength of the adjustment; 0 is cross-entropy.
    **shared
        ``class_weight``, ``pos_weight``, ``label_smoothing``, ``multi_label``, ``from_logits``,
        ``reduction``, ``name`` and ``dtype``: see :class:`wbce.losses.PointwiseLoss`.

    Raises
    ------
    ValueError
        If a parameter is out of its range; by a call, if ``class_prior`` is missing.

    References
    ----------
    A. K. Menon, S. Jayasumana, A. S. Rawat, H. Jain, A. Veit, S. Kumar, "Long-tail learning via
    logit adjustment", ICLR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import LogitAdjusted
    >>> loss = LogitAdjusted([0.9, 0.1], from_logits=True, reduction=None)
    >>> print(np.asarray(loss(np.array([0, 1]), np.array([[0.0], [0.0]]))).round(4))
    [0.1054 2.3026]
    """

    _own_numbers = ("tau", "class_prior")
    class_shares_parameter = "class_prior"

    def __init__(
        self, class_prior: ArrayLike | None = None, *, tau: float = 1.0, **shared: Any
    ) -> None:
        super().__init__(**shared)
        self.class_prior = self._check_class_shares(
            "class_prior", class_prior, "a positive share or count for every class"
        )
        self.tau = checked_number("tau", tau, "a finite number of at least 0", lambda t: t >= 0)

    def partial_losses(self, z: Any) -> tuple[Any, Any]:
        self._class_shares()
        negatives, positives = self._pair("class_prior", z)
        z = z + self.tau * (ops.log(positives) - ops.log(negatives))
        return -ops.log_sigmoid(-z), -ops.log_sigmoid(z)

    def class_losses(self, z: Any) -> Any:
        self._class_shares()
        shares = self._per_class("class_prior", z)
        return -ops.log_softmax(z + self.tau * ops.log(shares), axis=-1)

    def log_odds(self, z: Float64) -> Float64:
        log_shares = np.log(self._class_shares())
        return z + self.tau * (log_shares[..., 1] - log_shares[..., 0])

    def class_log_odds(self, z: Float64) -> Float64:
        return z + self.tau * np.log(self._class_shares())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {**super().get_config(), "class_prior": self.class_prior, "tau": self.tau}


@keras.saving.register_keras_serializable("wbce")
class LDAM(_KnowsClassShares):
    """Label-distribution-aware margins: rarer classes must win by more.

    The loss of a row of class k is cross-entropy on ``scale * z`` with ``z_k`` lowered by the
    margin ``max_margin * (min(class_counts) / class_counts[k])**(1/4)``. The paper scales cosines
    by 30; for a layer without bounds on its logits the scale only sets how large the margin is.

    Parameters
    ----------
    class_counts : array-like of shape (n_classes,) or (n_labels, 2), optional
        Count, or share, of every class in the training rows, in the order of the class codes; for
        several labels of zeros and of ones. The estimator takes it from the rows.
    max_margin : float, default=0.5
        The rarest class's margin.
    scale : float, default=1.0
        Factor of the logits.
    deferral : float in [0, 1), default=0.0
        Deferred re-weighting in the estimator: share of the epochs before class weights take
        effect, 0.8 in the paper. With plain Keras, use :class:`DeferredReweighting`.
    **shared
        ``class_weight``, ``pos_weight``, ``label_smoothing``, ``multi_label``, ``from_logits``,
        ``reduction``, ``name`` and ``dtype``: see :class:`wbce.losses.PointwiseLoss`.

    Raises
    ------
    ValueError
        If a parameter is out of its range; by a call, if ``class_counts`` is missing.

    References
    ----------
    K. Cao, C. Wei, A. Gaidon, N. Arechiga, T. Ma, "Learning imbalanced datasets with
    label-distribution-aware margin loss", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import LDAM
    >>> loss = LDAM([160, 10], from_logits=True, reduction=None)
    >>> print(np.asarray(loss(np.array([0, 1]), np.array([[0.0], [0.0]]))).round(4))
    [0.8259 0.9741]
    """

    _own_numbers = ("class_counts", "max_margin", "scale")
    class_shares_parameter = "class_counts"

    def __init__(
        self,
        class_counts: ArrayLike | None = None,
        *,
        max_margin: float = 0.5,
        scale: float = 1.0,
        deferral: float = 0.0,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        self.class_counts = self._check_class_shares(
            "class_counts", class_counts, "a positive count or share for every class"
        )
        self.max_margin = checked_number(
            "max_margin", max_margin, "a finite number of at least 0", lambda m: m >= 0
        )
        self.scale = checked_number("scale", scale, "a positive, finite number", lambda s: s > 0)
        if self.scale * self.max_margin > _LARGEST_MARGIN:
            raise ValueError(
                f"scale={scale!r} times max_margin={max_margin!r} is more than "
                f"{_LARGEST_MARGIN:g}: the loss is flat between such margins. The paper has "
                "30 times 0.5."
            )
        self.deferral = checked_number(
            "deferral", deferral, "a share of the epochs, 0 <= deferral < 1", lambda d: 0 <= d < 1
        )

    def partial_losses(self, z: Any) -> tuple[Any, Any]:
        self._class_shares()
        counts = self._pair("class_counts", z)
        rarest = ops.minimum(*counts)
        zeros, ones = (self.scale * self._margin(rarest / count) for count in counts)
        z = self.scale * z
        return -ops.log_sigmoid(-z - zeros), -ops.log_sigmoid(z - ones)

    def class_losses(self, z: Any) -> Any:
        self._class_shares()
        counts = self._per_class("class_counts", z)
        margins = self.scale * self._margin(ops.min(counts) / counts)
        log_p, log_rest = own_and_rest(self.scale * z)
        return -ops.log_sigmoid(log_p - log_rest - margins)

    def _margin(self, relative: Any) -> Any:
        return self.max_margin * relative**0.25

    def log_odds(self, z: Float64) -> Float64:
        zeros, ones = np.moveaxis(self._scaled_margins(), -1, 0)
        z = self.scale * z
        return log_expit(z + zeros) - log_expit(ones - z)

    def class_log_odds(self, z: Float64) -> Float64:
        d = class_against_rest(self.scale * z)
        # -1 / l'(p) = p (1 - p + p exp(-margin))
        return log_expit(d) + np.logaddexp(log_expit(-d), log_expit(d) - self._scaled_margins())

    def _scaled_margins(self) -> NDArray[np.float64]:
        counts = np.asarray(self._class_shares(), dtype=np.float64)
        relative = counts.min(axis=-1, keepdims=True) / counts
        return self.scale * np.asarray(self._margin(relative))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {
            **super().get_config(),
            "class_counts": self.class_counts,
            "max_margin": self.max_margin,
            "scale": self.scale,
            "deferral": self.deferral,
        }


class DeferredReweighting(keras.callbacks.Callback):
    """Let a loss's class weights take effect only from some epoch on.

    Parameters
    ----------
    loss : PointwiseLoss
        With ``class_weight``; the one that the network is compiled with.
    epoch : int
        Number of epochs without the weights.

    Examples
    --------
    >>> import keras
    >>> from wbce.losses import LDAM, DeferredReweighting
    >>> loss = LDAM([160, 10], class_weight=(0.53, 8.5))
    >>> network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> network.compile(loss=loss, optimizer="adam")
    >>> callback = DeferredReweighting(loss, epoch=80)  # for network.fit(..., epochs=100)
    """

    def __init__(self, loss: PointwiseLoss, epoch: int) -> None:
        super().__init__()
        if not isinstance(loss, PointwiseLoss) or loss.class_weight is None:
            raise ValueError(f"loss={loss!r} has no class_weight to defer.")
        self.loss = loss
        self.epoch = int(
            checked_number("epoch", epoch, "a number of epochs, 0 or more", lambda e: e >= 0)
        )

    def on_train_begin(self, logs: Any = None) -> None:
        """Take the weights back, in a way that a compiled step sees."""
        self.loss.weighting = keras.Variable(0.0, trainable=False, name="weighting")
        if self.model.train_function is not None:
            self.model.make_train_function(force=True)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Give the weights when their time has come."""
        self.loss.weighting.assign(float(epoch >= self.epoch))

    def on_train_end(self, logs: Any = None) -> None:
        """Leave the loss as it was, with its weights."""
        self.loss.weighting = 1.0
