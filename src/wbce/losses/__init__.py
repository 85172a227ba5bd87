"""Losses for imbalanced classes: computed on logits, each with the posterior that it implies."""

from __future__ import annotations

# `as` under the same name: for the other rooms, and not public.
from wbce.losses._autodiff import derived_posterior as derived_posterior
from wbce.losses._base import PointwiseLoss
from wbce.losses._batchwise import BatchLoss, SmoothAveragePrecision, SoftFBeta, Tversky
from wbce.losses._calibration import CalibratedPosterior as CalibratedPosterior
from wbce.losses._cost import CostSensitive
from wbce.losses._cost import check_cost_matrix as check_cost_matrix
from wbce.losses._cost import check_costs as check_costs
from wbce.losses._cost import excess_costs as excess_costs
from wbce.losses._crossentropy import Poly1, WeightedCrossentropy
from wbce.losses._focal import Asymmetric, Focal
from wbce.losses._keras import keras_equivalent as keras_equivalent
from wbce.losses._keras import loss_on_logits as loss_on_logits
from wbce.losses._margin import LDAM, DeferredReweighting, LogitAdjusted
from wbce.losses._posterior import LogitPosterior as LogitPosterior
from wbce.losses._posterior import Posterior
from wbce.losses._registry import LOSSES as LOSSES
from wbce.losses._registry import OwnLoss as OwnLoss
from wbce.losses._registry import resolve_loss as resolve_loss

__all__ = [
    "LDAM",
    "Asymmetric",
    "BatchLoss",
    "CostSensitive",
    "DeferredReweighting",
    "Focal",
    "LogitAdjusted",
    "PointwiseLoss",
    "Poly1",
    "Posterior",
    "SmoothAveragePrecision",
    "SoftFBeta",
    "Tversky",
    "WeightedCrossentropy",
]
