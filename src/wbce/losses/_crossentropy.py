"""Cross-entropy, and cross-entropy with a polynomial term."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_expit

from wbce._backend import keras
from wbce.losses._arguments import checked_number
from wbce.losses._base import Float64, PointwiseLoss, class_against_rest

ops = keras.ops


@keras.saving.register_keras_serializable("wbce")
class WeightedCrossentropy(PointwiseLoss):
    """Cross-entropy on logits.

    The loss of a row of class k with the probability p_k is ``-class_weight[k] * log(p_k)``.
    With ``pos_weight=w`` and one logit, or several labels, it is
    ``tf.nn.weighted_cross_entropy_with_logits(pos_weight=w)``.

    Parameters
    ----------
    **shared
        ``class_weight``, ``pos_weight``, ``label_smoothing``, ``multi_label``, ``from_logits``,
        ``reduction``, ``name`` and ``dtype``: see :class:`wbce.losses.PointwiseLoss`.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import WeightedCrossentropy
    >>> loss = WeightedCrossentropy(pos_weight=9, from_logits=True, reduction=None)
    >>> print(np.asarray(loss(np.array([0, 1]), np.array([[0.0], [0.0]]))).round(3))
    [0.693 6.238]
    """

    is_symmetric = True

    def partial_losses(self, z: Any) -> tuple[Any, Any]:
        return -ops.log_sigmoid(-z), -ops.log_sigmoid(z)

    def class_losses(self, z: Any) -> Any:
        return -ops.log_softmax(z, axis=-1)

    def log_odds(self, z: Float64) -> Float64:
        return z

    def class_log_odds(self, z: Float64) -> Float64:
        return z


@keras.saving.register_keras_serializable("wbce")
class Poly1(PointwiseLoss):
    """Poly-1: cross-entropy plus ``epsilon`` times the probability that the own class lacks.

    The loss of a row of class k is ``class_weight[k] * (-log(p_k) + epsilon * (1 - p_k))``. A
    positive epsilon keeps well-classified rows in play longer, a negative one less long.

    Parameters
    ----------
    epsilon : float, default=1.0
        At least -1; 0 is cross-entropy.
    **shared
        ``class_weight``, ``pos_weight``, ``label_smoothing``, ``multi_label``, ``from_logits``,
        ``reduction``, ``name`` and ``dtype``: see :class:`wbce.losses.PointwiseLoss`.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    Z. Leng, M. Tan, C. Liu, E. D. Cubuk, X. Shi, S. Cheng, D. Anguelov, "PolyLoss: a polynomial
    expansion perspective of classification loss functions", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import Poly1
    >>> loss = Poly1(epsilon=2, from_logits=True, reduction=None)
    >>> print(np.asarray(loss(np.array([0, 1]), np.array([[0.0], [0.0]]))).round(4))
    [1.6931 1.6931]
    """

    _own_numbers = ("epsilon",)
    is_symmetric = True

    def __init__(self, epsilon: float = 1.0, **shared: Any) -> None:
        super().__init__(**shared)
        self.epsilon = checked_number(
            "epsilon",
            epsilon,
            "a finite number, epsilon >= -1 (0 is cross-entropy; below -1 the loss would rise with "
            "the probability of the own class)",
            lambda e: e >= -1,
        )

    def partial_losses(self, z: Any) -> tuple[Any, Any]:
        return (
            self.epsilon * ops.sigmoid(z) - ops.log_sigmoid(-z),
            self.epsilon * ops.sigmoid(-z) - ops.log_sigmoid(z),
        )

    def class_losses(self, z: Any) -> Any:
        log_p = ops.log_softmax(z, axis=-1)
        return self.epsilon * (1.0 - ops.exp(log_p)) - log_p

    def log_odds(self, z: Float64) -> Float64:
        return z + self._log_excess(-z) - self._log_excess(z)

    def class_log_odds(self, z: Float64) -> Float64:
        d = class_against_rest(z)
        return log_expit(d) - self._log_excess(d)

    def _log_excess(self, d: Float64) -> Float64:
        """How much steeper than cross-entropy's the slope is at p = sigmoid(d), as a logarithm.

        log(1 + epsilon p), as log((1 - p) + (1 + epsilon) p): exact to epsilon = -1.
        """
        with np.errstate(divide="ignore"):
            return np.logaddexp(log_expit(-d), np.log1p(self.epsilon) + log_expit(d))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {**super().get_config(), "epsilon": self.epsilon}
