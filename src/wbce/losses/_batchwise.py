"""Losses of a whole batch, for those who train for the metric itself."""

from __future__ import annotations

from typing import Any

from wbce._backend import keras
from wbce.losses._arguments import check_keras_names, checked_flags, checked_number
from wbce.losses._base import own_and_rest
from wbce.losses._labels import check_as_many_rows, class_rows, label_columns
from wbce.losses._logits import logits_from

ops = keras.ops


class BatchLoss(keras.losses.Loss):
    """A loss of all rows of a batch together.

    It is no sum over rows, so no posterior follows from it: the estimator calibrates its output on
    validation rows. Batches should be large enough to hold several positives. One logit a row and
    each of several labels are scored for their positives; of several classes each is scored
    against all others, and those that a batch does not have are left out.

    Parameters
    ----------
    multi_label : bool, default=False
        Whether several columns are labels that do not exclude each other. If not, they are
        classes.
    from_logits : bool, optional
        Whether the network's output is logits. By default recognised from the output, inside a
        compiled step.
    reduction : str, default="sum_over_batch_size"
    name : str, optional
    dtype : str, optional
        As for any ``keras.losses.Loss``; the batch has one value, whatever the reduction.

    Examples
    --------
    A loss of your own: one less the difference between the mean probabilities of positives and of
    negatives.

    >>> import keras
    >>> import numpy as np
    >>> from wbce.losses import BatchLoss
    >>> class MeanDifference(BatchLoss):
    ...     def column_losses(self, y, z, weights):
    ...         p = keras.ops.sigmoid(z)
    ...         mean = lambda w: keras.ops.sum(w * p, axis=0) / keras.ops.sum(w, axis=0)
    ...         return 1 - mean(weights * y) + mean(weights * (1 - y))
    >>> loss = MeanDifference(from_logits=True)
    >>> print(np.asarray(loss(np.array([0, 1]), np.array([[0.0], [0.0]]))))
    1.0
    """

    _own_numbers: tuple[str, ...] = ()

    # Whether a constant added to all logits leaves the loss alike.
    ranks_only = False

    def __init__(
        self,
        *,
        multi_label: bool = False,
        from_logits: bool | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        check_keras_names(reduction, name, dtype)
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits, self.multi_label = checked_flags(from_logits, multi_label)
        self.labels_are_checked = False

    @property
    def numbers(self) -> list[str]:
        """Attributes that enter ``call`` as numbers only, and may be tensors while it is traced."""
        return list(self._own_numbers)

    def column_losses(self, y: Any, z: Any, weights: Any) -> Any:
        """Loss of every column.

        Parameters
        ----------
        y, z : tensor of shape (n, n_columns)
            Zeros and ones, and log-odds; those of a class are against all others.
        weights : tensor of shape (n, 1)

        Returns
        -------
        tensor of shape (n_columns,)
        """
        raise NotImplementedError

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of the batch, all rows alike."""
        return self(y_true, y_pred)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Compute the loss of the batch.

        Parameters
        ----------
        y_true : tensor of shape (n,), (n, 1), (n, n_classes) or (n, n_labels)
        y_pred : tensor of shape (n, 1), (n, n_classes) or (n, n_labels)
        sample_weight : tensor of shape (n,), optional

        Returns
        -------
        tensor of shape ()
        """
        y_true = ops.convert_to_tensor(y_true)
        z = logits_from(ops.convert_to_tensor(y_pred), self.from_logits, self.multi_label)
        z = ops.cast(z, self.dtype)
        if len(z.shape) == 1:
            z = ops.expand_dims(z, -1)
        columns, checked = z.shape[-1], self.labels_are_checked
        if self.multi_label:
            y = label_columns(y_true, z, checked=checked)
        elif columns == 1:
            y = class_rows(y_true, 2, z, one_column=True, checked=checked)[:, None]
        else:
            y = class_rows(y_true, columns, z, checked=checked)
            log_p, log_rest = own_and_rest(z)
            z = log_p - log_rest
        if sample_weight is None:
            weights = ops.ones_like(z[:, :1])
        else:
            weights = ops.reshape(ops.cast(sample_weight, z.dtype), (-1, 1))
            check_as_many_rows(weights, z, "weights")
        losses = self.column_losses(y, z, weights)
        present = ops.cast(ops.sum(weights * y, axis=0) > 0, z.dtype)
        if columns == 1 or self.multi_label:
            present = ops.ones_like(present)
        return ops.sum(losses * present) / ops.maximum(ops.sum(present), 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {
            **super().get_config(),
            "multi_label": self.multi_label,
            "from_logits": self.from_logits,
            "dtype": self.dtype,
        }


@keras.saving.register_keras_serializable("wbce")
class Tversky(BatchLoss):
    """One less the Tversky index, of probabilities instead of decisions.

    With the soft counts TP, FP and FN of a batch, the loss is
    ``1 - (TP + smooth) / (TP + alpha * FP + beta * FN + smooth)``. ``alpha = beta = 0.5`` is the
    Dice loss, one less the soft F1; see :class:`SoftFBeta`.

    Parameters
    ----------
    alpha, beta : float, default=0.5
        Weights of false positives and of false negatives.
    smooth : float, default=1.0
        Added rows that are right, so that a batch without positives has a loss.
    **shared
        ``multi_label``, ``from_logits``, ``reduction``, ``name`` and ``dtype``: see
        :class:`wbce.losses.BatchLoss`.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    S. S. M. Salehi, D. Erdogmus, A. Gholipour, "Tversky loss function for image segmentation using
    3D fully convolutional deep networks", MLMI 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import Tversky
    >>> loss = Tversky(smooth=0, from_logits=False)
    >>> round(float(loss(np.array([1, 0]), np.array([[0.75], [0.25]]))), 4)
    0.25
    """

    _own_numbers: tuple[str, ...] = ("alpha", "beta", "smooth")

    def __init__(
        self, alpha: float = 0.5, beta: float = 0.5, *, smooth: float = 1.0, **shared: Any
    ) -> None:
        super().__init__(**shared)
        allowed = "a finite number of at least 0"
        self.alpha = checked_number("alpha", alpha, allowed, lambda a: a >= 0)
        self.beta = checked_number("beta", beta, allowed, lambda b: b >= 0)
        if self.alpha == self.beta == 0:
            raise ValueError(
                "alpha=0 and beta=0 count no mistake at all: pass a positive weight for false "
                "positives (alpha), false negatives (beta), or both."
            )
        self.smooth = checked_number("smooth", smooth, allowed, lambda s: s >= 0)

    def column_losses(self, y: Any, z: Any, weights: Any) -> Any:
        # One less the index, without the difference of two numbers near one.
        p = ops.sigmoid(z)
        false_positives = ops.sum(weights * (1.0 - y) * p, axis=0)
        missed = ops.sum(weights * y * ops.sigmoid(-z), axis=0)
        found = ops.sum(weights * y * p, axis=0)
        wrong = self.alpha * false_positives + self.beta * missed
        return wrong / ops.maximum(found + wrong + self.smooth, keras.config.epsilon())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "beta": self.beta,
            "smooth": self.smooth,
        }


@keras.saving.register_keras_serializable("wbce")
class SoftFBeta(Tversky):
    """One less the F-beta score, of probabilities instead of decisions.

    The Tversky loss with ``1 / (1 + beta**2)`` for false positives and the rest for false
    negatives.

    Parameters
    ----------
    beta : float, default=1.0
        How many times recall counts as much as precision.
    smooth : float, default=1.0
        Added rows that are right, so that a batch without positives has a loss.
    **shared
        ``multi_label``, ``from_logits``, ``reduction``, ``name`` and ``dtype``: see
        :class:`wbce.losses.BatchLoss`.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import SoftFBeta
    >>> loss = SoftFBeta(beta=2, smooth=0, from_logits=False)
    >>> round(float(loss(np.array([1, 0]), np.array([[0.5], [0.5]]))), 4)
    0.5
    """

    def __init__(self, beta: float = 1.0, *, smooth: float = 1.0, **shared: Any) -> None:
        checked_number("beta", beta, "a positive, finite number", lambda b: b > 0)
        super().__init__(1 / (1 + beta**2), beta**2 / (1 + beta**2), smooth=smooth, **shared)
        self.f_beta = float(beta)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        config = super().get_config()
        del config["alpha"]
        return {**config, "beta": self.f_beta}


@keras.saving.register_keras_serializable("wbce")
class SmoothAveragePrecision(BatchLoss):
    """One less the average precision of the batch, with sigmoids for the comparisons of pairs.

    A positive's rank among all rows, and among the positives, is one plus the sum of
    ``sigmoid((z_j - z_i) / temperature)`` over the others; the average precision is the mean,
    over the positives, of the one rank through the other. A batch without positives has the loss
    zero.

    Parameters
    ----------
    temperature : float, default=1.0
        How far apart, in logits, two rows must be to count as ranked; towards 0 the loss becomes
        the average precision itself, and flat.
    **shared
        ``multi_label``, ``from_logits``, ``reduction``, ``name`` and ``dtype``: see
        :class:`wbce.losses.BatchLoss`.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    A. Brown, W. Xie, V. Kalogeiton, A. Zisserman, "Smooth-AP: smoothing the path towards
    large-scale image retrieval", ECCV 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import SmoothAveragePrecision
    >>> loss = SmoothAveragePrecision(temperature=0.01, from_logits=True)
    >>> y, z = np.array([1, 0, 1, 0]), np.array([[3.0], [2.0], [1.0], [0.0]])
    >>> round(float(loss(y, z)), 4)  # average precision (1 + 2/3) / 2
    0.1667
    """

    _own_numbers = ("temperature",)
    ranks_only = True

    def __init__(self, temperature: float = 1.0, **shared: Any) -> None:
        super().__init__(**shared)
        self.temperature = checked_number(
            "temperature", temperature, "a positive, finite number", lambda t: t > 0
        )

    def column_losses(self, y: Any, z: Any, weights: Any) -> Any:
        columns = []
        for k in range(z.shape[-1]):
            score, positive, weight = z[:, k], y[:, k], weights[:, 0]
            above = ops.sigmoid((score[None, :] - score[:, None]) / self.temperature)
            above = above * weight[None, :] * (1.0 - ops.eye(ops.shape(score)[0], dtype=z.dtype))
            positives_above = weight + ops.sum(above * positive[None, :], axis=1)
            all_above = positives_above + ops.sum(above * (1.0 - positive[None, :]), axis=1)
            precision = positives_above / ops.maximum(all_above, keras.config.epsilon())
            share = weight * positive
            total = ops.sum(share)
            loss = ops.sum(share * (1.0 - precision)) / ops.maximum(total, keras.config.epsilon())
            columns.append(loss)
        return ops.stack(columns)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {**super().get_config(), "temperature": self.temperature}
