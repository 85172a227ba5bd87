"""Losses for imbalanced classes: computed on logits, each with the posterior that it implies."""

from __future__ import annotations

from wbce.losses._base import PointwiseLoss
from wbce.losses._crossentropy import WeightedCrossentropy
from wbce.losses._focal import Focal
from wbce.losses._keras import keras_equivalent, loss_on_logits
from wbce.losses._posterior import Posterior
from wbce.losses._registry import LOSSES, resolve_loss

__all__ = [
    "LOSSES",
    "Focal",
    "PointwiseLoss",
    "Posterior",
    "WeightedCrossentropy",
    "keras_equivalent",
    "loss_on_logits",
    "resolve_loss",
]
