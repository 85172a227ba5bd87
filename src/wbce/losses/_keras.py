"""Keras' own losses that have a pointwise equivalent here, and with it a posterior."""

from __future__ import annotations

from types import FunctionType
from typing import Any

import numpy as np

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


_CLASSES = {
    name.lower(): cls
    for name, cls in vars(losses).items()
    if isinstance(cls, type) and issubclass(cls, losses.Loss)
}


def keras_loss_class(loss: Any) -> type[keras.losses.Loss] | None:
    """Find the class of a Keras loss that is given by name or function, "bce" and all.

    Only classes take arguments; Keras answers most names with a function.
    """
    if isinstance(loss, str):
        try:
            loss = losses.get(loss)
        except ValueError:
            return None
    if isinstance(loss, losses.Loss):
        return type(loss)
    if isinstance(loss, type) and issubclass(loss, losses.Loss):
        return loss
    name = getattr(loss, "__name__", "")
    known = getattr(losses, name, None) is loss
    return _CLASSES.get(name.replace("_", "")) if known else None


def loss_on_logits(loss: Any) -> keras.losses.Loss | None:
    """Rebuild a Keras loss so that it takes logits; None where it has no such form."""
    cls = type(loss) if isinstance(loss, losses.Loss) else keras_loss_class(loss)
    if cls is None:
        return None
    config = (loss if isinstance(loss, losses.Loss) else cls()).get_config()
    if "from_logits" not in config:
        return None
    return cls.from_config({**config, "from_logits": True})


def takes_one_hot(loss: Any) -> bool:
    """Whether a Keras loss compares every class's column, and not a class code."""
    cls = keras_loss_class(loss)
    if cls is None or not cls.__module__.startswith("keras."):
        return False
    return not cls.__name__.startswith(("Sparse", "Binary"))


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
    if isinstance(loss, str | FunctionType):
        cls = keras_loss_class(loss)
        if cls is None:
            return None
        loss = cls()
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
    if type(loss) is losses.CategoricalFocalCrossentropy:
        alpha = config["alpha"]  # one number for all classes changes nothing
        weights = alpha if np.size(alpha) > 1 else None
        return Focal(config["gamma"], class_weight=weights, label_smoothing=smoothing)
    return None
