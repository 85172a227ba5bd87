"""Keras' own losses that have a pointwise equivalent here, and with it a posterior."""

from __future__ import annotations

from typing import Any

from wbce._backend import keras
from wbce.losses._base import PointwiseLoss
from wbce.losses._crossentropy import WeightedCrossentropy
from wbce.losses._focal import Focal

losses = keras.losses

_CROSSENTROPIES = (
    losses.BinaryCrossentropy,
    losses.CategoricalCrossentropy,
    losses.SparseCategoricalCrossentropy,
)
_CROSSENTROPY_FUNCTIONS = (
    losses.binary_crossentropy,
    losses.categorical_crossentropy,
    losses.sparse_categorical_crossentropy,
)


def keras_equivalent(loss: Any) -> PointwiseLoss | None:
    """Find the loss of this package that has the same minimiser as a Keras loss.

    Parameters
    ----------
    loss : keras.losses.Loss, function or str
        What a compiled model holds as its ``loss``.

    Returns
    -------
    PointwiseLoss or None
        None for losses without a known posterior.
    """
    if isinstance(loss, PointwiseLoss):
        return loss
    if isinstance(loss, list | tuple) and len(loss) == 1:
        return keras_equivalent(loss[0])
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return None
    if loss in _CROSSENTROPY_FUNCTIONS:
        return WeightedCrossentropy()
    if not isinstance(loss, losses.Loss):
        return None
    config = loss.get_config()
    smoothing = config.get("label_smoothing", 0.0)
    if type(loss) in _CROSSENTROPIES:
        return WeightedCrossentropy(label_smoothing=smoothing)
    if type(loss) is losses.BinaryFocalCrossentropy and smoothing == 0:
        alpha = config["alpha"]
        weights = (1 - alpha, alpha) if config["apply_class_balancing"] else None
        return Focal(config["gamma"], class_weight=weights)
    return None
