"""What every pointwise loss shares: rows and labels in, one loss a row out, and its posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logsumexp

from wbce._backend import keras
from wbce.losses._arguments import check_keras_names, checked_flags, checked_number, checked_weights
from wbce.losses._labels import class_rows, label_columns
from wbce.losses._logits import logits_from
from wbce.losses._posterior import Posterior

ops = keras.ops

Float64 = NDArray[np.float64]


class PointwiseLoss(keras.losses.Loss):
    """A loss that is a sum over rows, each a function of that row's logits.

    One logit a row, and each of several labels, takes the loss's sigmoid form; one logit a class
    takes its softmax form. A subclass states the forms that it has (:meth:`partial_losses`,
    :meth:`class_losses`) and, for each, the way back from a fitted logit to the posterior
    (:meth:`log_odds`, :meth:`class_log_odds`).

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Share of a row's label spread evenly over all classes, in [0, 1).
    class_weight : array-like, optional
        A factor for every class, in the order of the class codes: ``(1, 9)`` counts a positive
        nine times. For several labels, shape (2,) is for all of them and (n_labels, 2) for each.
        The default leaves weights to ``sample_weight``.
    pos_weight : float or sequence of float, optional
        Short for ``class_weight=(1, pos_weight)``; for several labels, one each.
    multi_label : bool, default=False
        Whether several columns are labels that do not exclude each other. If not, they are
        classes.
    from_logits : bool, optional
        Whether the network's output is logits. By default recognised from the output, inside a
        compiled step.
    reduction : str, default="sum_over_batch_size"
    name : str, optional
    dtype : str, optional
        As for any ``keras.losses.Loss``.

    Raises
    ------
    ValueError
        If a parameter is out of its range. By a call: if the labels are not codes, one-hot rows or
        zeros and ones; if the output is not what ``from_logits`` says; if the shapes do not fit.

    Examples
    --------
    A loss of your own: the Brier score. Where the expected loss is least, ``sigmoid(z)`` is the
    probability, so that ``log_odds`` is ``z``; the estimator undoes its weights from there.

    >>> import keras
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier
    >>> from wbce.losses import PointwiseLoss
    >>> class Brier(PointwiseLoss):
    ...     def partial_losses(self, z):
    ...         p = keras.ops.sigmoid(z)
    ...         return p**2, (1 - p) ** 2
    ...     def log_odds(self, z):
    ...         return z
    >>> X, y = make_classification(400, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier(
    ...     "linear", loss=Brier(), class_weight="balanced", epochs=30, random_state=0
    ... )
    >>> bool(abs(clf.fit(X, y).predict_proba(X)[:, 1].mean() - y.mean()) < 0.1)
    True
    """

    # Parameters that enter `call` as numbers only: one compiled step serves all their values.
    _own_numbers: tuple[str, ...] = ()

    # What the estimator tells a loss about the training rows, unless it was said already.
    class_shares_parameter: str | None = None

    # Slopes of the posterior's log-odds below and above `exact_logits`.
    slopes_beyond = (1.0, 1.0)

    # The logit at which the network's own output is undecided.
    tie = 0.0

    # Share of the epochs before class weights take effect, in the estimator.
    deferral: float = 0.0

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_weight: ArrayLike | None = None,
        pos_weight: ArrayLike | None = None,
        multi_label: bool = False,
        from_logits: bool | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        checked_number(
            "label_smoothing",
            label_smoothing,
            "the share of a label that is spread over all classes, 0 <= label_smoothing < 1",
            lambda s: 0 <= s < 1,
        )
        from_logits, multi_label = checked_flags(from_logits, multi_label)
        check_keras_names(reduction, name, dtype)
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.label_smoothing = float(label_smoothing)
        self.class_weight = checked_weights(class_weight, pos_weight, multi_label)
        self.multi_label = multi_label
        self.from_logits = from_logits
        self.weighting: Any = 1.0  # from 0, without class weights, to 1; see DeferredReweighting
        self.labels_are_checked = False

    @property
    def numbers(self) -> list[str]:
        """Attributes that enter ``call`` as numbers only, and may be tensors while it is traced."""
        weights = ("class_weight", "weighting") if self.class_weight is not None else ()
        own = [name for name in self._own_numbers if getattr(self, name) is not None]
        return [*weights, *own]

    # ------------------------------------------------------------------ what a loss states

    def partial_losses(self, z: Any) -> tuple[Any, Any]:
        """Losses of a negative and of a positive with the logits ``z``.

        Parameters
        ----------
        z : tensor of shape (n,) or (n, n_labels)

        Returns
        -------
        negative, positive : tensor of the same shape
        """
        raise ValueError(self._no_form("one logit a row or several labels"))

    def class_losses(self, z: Any) -> Any:
        """Losses of rows of each class with the logits ``z``.

        Parameters
        ----------
        z : tensor of shape (n, n_classes)

        Returns
        -------
        tensor of shape (n, n_classes)

        Examples
        --------
        >>> import numpy as np
        >>> from wbce.losses import WeightedCrossentropy
        >>> print(np.asarray(WeightedCrossentropy().class_losses(np.zeros((1, 2)))).round(3))
        [[0.693 0.693]]
        """
        raise ValueError(self._no_form("one logit a class"))

    @property
    def is_symmetric(self) -> bool:
        """Whether swapping the classes and the logit's sign leaves the partial losses alike."""
        return False

    def log_odds(self, z: Float64) -> Float64:
        """Log-odds of the posterior where the population's minimiser has the logit ``z``.

        For partial losses l1 and l0 that is ``log(l0'(z) / -l1'(z))``, without class weights and
        label smoothing: :class:`wbce.losses.Posterior` adds them. Strictly increasing within
        :meth:`exact_logits`.

        Parameters
        ----------
        z : ndarray of shape (n,) or (n, n_labels)
        """
        raise ValueError(self._no_form("one logit a row or several labels"))

    def exact_logits(self, lowest: float) -> tuple[float, float]:
        """Logits within which `log_odds` is the posterior; beyond, the loss says nothing of it.

        Parameters
        ----------
        lowest : float
            Log-odds, without class weights, below which exactness is not asked for.

        Returns
        -------
        low, high : float
            The map goes on beyond them in straight lines, with ``slopes_beyond``.

        Examples
        --------
        >>> from wbce.losses import WeightedCrossentropy
        >>> WeightedCrossentropy().exact_logits(-9.0)
        (-inf, inf)
        """
        return -np.inf, np.inf

    def class_log_odds(self, z: Float64) -> Float64:
        """Unnormalised log posterior of every class, where the minimiser has the logits ``z``.

        Parameters
        ----------
        z : ndarray of shape (n, n_classes)

        Examples
        --------
        >>> import numpy as np
        >>> from wbce.losses import WeightedCrossentropy
        >>> WeightedCrossentropy().class_log_odds(np.array([[0.0, 1.0]])).tolist()
        [[0.0, 1.0]]
        """
        raise ValueError(self._no_form("one logit a class"))

    @property
    def implied_threshold(self) -> Any:
        """Posterior where the network's own output is one half, by the loss and its own weights.

        Above it the loss calls a row positive. A number; for ``multi_label`` with parameters of
        each label, an array. The estimator adds its class weights: see ``threshold=None`` there.
        """
        weights = np.ones(np.shape(self.class_weight)[-1:] or 2)
        if weights.shape != (2,):
            raise ValueError(
                f"class_weight is for {len(weights)} classes, and a threshold is for two or for "
                "labels."
            )
        posterior = Posterior(self, weights)
        if not self.multi_label:
            return posterior.implied_threshold
        thresholds = expit(posterior.implied_log_odds(1))
        return float(thresholds[0]) if len(thresholds) == 1 else thresholds

    # ------------------------------------------------------------------ from rows to losses

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Compute the loss of every row.

        Parameters
        ----------
        y_true : tensor of shape (n,), (n, 1), (n, n_classes) or (n, n_labels)
            Class codes; or one-hot rows; or, with ``multi_label``, a zero or one for every label.
        y_pred : tensor of shape (n, 1), (n, n_classes) or (n, n_labels)
            The network's output.

        Returns
        -------
        tensor of shape (n,)
            With ``multi_label``, means over the labels.
        """
        z = ops.cast(logits_from(y_pred, self.from_logits, self.multi_label), self.dtype)
        if len(z.shape) == 1:
            z = ops.expand_dims(z, -1)
        if self.multi_label:
            y = label_columns(y_true, z, checked=self.labels_are_checked)
            return ops.mean(self._sigmoid_form(y, z), axis=-1)
        if z.shape[-1] == 1:
            y = class_rows(y_true, 2, z, one_column=True, checked=self.labels_are_checked)
            return self._sigmoid_form(y, ops.reshape(z, (-1,)))
        y = class_rows(y_true, z.shape[-1], z, checked=self.labels_are_checked)
        return self._softmax_form(y, z)

    def _sigmoid_form(self, y: Any, z: Any) -> Any:
        if self.is_symmetric and self.label_smoothing == 0:
            # In few operations: a step of a small network is as long as they are many.
            _, loss = self.partial_losses(z * (2.0 * y - 1.0))
        else:
            negative, positive = self.partial_losses(z)
            target = (1.0 - self.label_smoothing) * y + self.label_smoothing / 2
            loss = target * positive + (1.0 - target) * negative
        if self.class_weight is None:
            return loss
        w0, w1 = self._pair("class_weight", z)
        return loss * (1.0 + self.weighting * (w0 + (w1 - w0) * y - 1.0))

    def _softmax_form(self, y: Any, z: Any) -> Any:
        target = (1.0 - self.label_smoothing) * y + self.label_smoothing / z.shape[-1]
        loss = ops.sum(target * self.class_losses(z), axis=-1)
        if self.class_weight is None:
            return loss
        weights = ops.sum(y * self._per_class("class_weight", z), axis=-1)
        return loss * (1.0 + self.weighting * (weights - 1.0))

    def _pair(self, name: str, z: Any) -> tuple[Any, Any]:
        """A parameter of a negative and of a positive, one for all labels or one each."""
        values = ops.convert_to_tensor(getattr(self, name), z.dtype)
        shape = tuple(values.shape)
        allowed = [(2,), (z.shape[-1], 2)] if self.multi_label else [(2,)]
        if shape not in allowed:
            kind = f"{z.shape[-1]} labels" if self.multi_label else "two classes"
            raise ValueError(
                f"{name} has the shape {shape}, but the network has an output for {kind}: pass "
                f"values of shape {' or '.join(str(s) for s in allowed)}."
            )
        return values[..., 0], values[..., 1]

    def _per_class(self, name: str, z: Any) -> Any:
        """A parameter of every class."""
        values = ops.convert_to_tensor(getattr(self, name), z.dtype)
        if tuple(values.shape) != (z.shape[-1],):
            raise ValueError(
                f"{name} has the shape {tuple(values.shape)}, but the network has {z.shape[-1]} "
                f"outputs, one a class: pass {z.shape[-1]} values."
            )
        return values

    def _no_form(self, what: str) -> str:
        return (
            f"{type(self).__name__} has no form for {what}. WeightedCrossentropy, Focal, Poly1, "
            "LogitAdjusted and LDAM have one for classes and for labels alike."
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "class_weight": self.class_weight,
            "multi_label": self.multi_label,
            "from_logits": self.from_logits,
            "dtype": self.dtype,
        }


def own_and_rest(z: Any) -> tuple[Any, Any]:
    """Logarithms of p and 1 - p of every class under softmax, both exact at any logits."""
    total = ops.logsumexp(z, axis=-1, keepdims=True)
    log_p = z - total
    # 1 - p is lost to rounding as p nears 1: the top class's is the sum of all others.
    top = ops.one_hot(ops.argmax(z, axis=-1), z.shape[-1], dtype="bool")
    without_top = ops.logsumexp(ops.where(top, -np.inf, z), axis=-1, keepdims=True)
    rest = ops.log1p(-ops.exp(ops.minimum(log_p, -0.5)))
    return log_p, ops.where(top, without_top - total, rest)


def class_against_rest(z: Float64) -> Float64:
    """Log-odds of every class against all others: z_k - logsumexp of the other logits."""
    top = np.arange(z.shape[-1]) == np.argmax(z, axis=-1)[:, None]
    total = logsumexp(z, axis=-1, keepdims=True)
    without_top = logsumexp(np.where(top, -np.inf, z), axis=-1, keepdims=True)
    rest = np.log1p(-np.exp(np.minimum(z - total, -0.5)))
    return np.where(top, z - without_top, z - total - rest)
