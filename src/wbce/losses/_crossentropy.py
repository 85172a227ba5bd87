"""Cross-entropy."""

from __future__ import annotations

from typing import Any

from wbce._backend import keras
from wbce.losses._base import Float64, PointwiseLoss


@keras.saving.register_keras_serializable("wbce")
class WeightedCrossentropy(PointwiseLoss):
    """Cross-entropy on logits, sigmoid or softmax by the number of outputs.

    The loss of a row of class k with the probability p_k is ``-class_weight[k] * log(p_k)``.
    With ``class_weight=(1, w)`` and one logit it is
    ``tf.nn.weighted_cross_entropy_with_logits(pos_weight=w)``.

    Parameters
    ----------
    label_smoothing : float, default=0.0
        Share of a row's label spread evenly over all classes, in [0, 1).
    class_weight : sequence of float, optional
        A factor for every class, in the order of the class codes.
    from_logits : bool, optional
        Whether the network's output is logits. By default recognised from the output, inside a
        compiled step.
    reduction, name, dtype
        As for any ``keras.losses.Loss``.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import WeightedCrossentropy
    >>> loss = WeightedCrossentropy(class_weight=(1, 9), from_logits=True, reduction=None)
    >>> print(np.asarray(loss(np.array([0, 1]), np.array([[0.0], [0.0]]))).round(3))
    [0.693 6.238]
    """

    def own_class_loss(self, log_p: Any, log_rest: Any) -> Any:
        return -log_p

    def log_odds(self, z: Float64) -> Float64:
        return z

    def class_log_odds(self, z: Float64) -> Float64:
        return z
