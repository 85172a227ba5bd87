"""Losses for imbalanced classes: computed on logits, each with the posterior that it implies."""

from __future__ import annotations

from wbce.losses._autodiff import derived_posterior
from wbce.losses._base import PointwiseLoss
from wbce.losses._batchwise import BatchLoss, SmoothAveragePrecision, SoftFBeta, Tversky
from wbce.losses._calibration import CalibratedPosterior
from wbce.losses._cost import CostSensitive, check_cost_matrix, check_costs, excess_costs
from wbce.losses._crossentropy import Poly1, WeightedCrossentropy
from wbce.losses._focal import Asymmetric, Focal
from wbce.losses._keras import keras_equivalent, loss_on_logits
from wbce.losses._margin import LDAM, DeferredReweighting, LogitAdjusted
from wbce.losses._posterior import LogitPosterior, Posterior
from wbce.losses._registry import LOSSES, OwnLoss, resolve_loss

__all__ = [
    "LDAM",
    "LOSSES",
    "Asymmetric",
    "BatchLoss",
    "CalibratedPosterior",
    "CostSensitive",
    "DeferredReweighting",
    "Focal",
    "LogitAdjusted",
    "LogitPosterior",
    "OwnLoss",
    "PointwiseLoss",
    "Poly1",
    "Posterior",
    "SmoothAveragePrecision",
    "SoftFBeta",
    "Tversky",
    "WeightedCrossentropy",
    "check_cost_matrix",
    "check_costs",
    "derived_posterior",
    "excess_costs",
    "keras_equivalent",
    "loss_on_logits",
    "resolve_loss",
]
