"""Losses by name."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from wbce._backend import keras
from wbce.losses._base import PointwiseLoss
from wbce.losses._batchwise import BatchLoss, SmoothAveragePrecision, SoftFBeta, Tversky
from wbce.losses._cost import CostSensitive
from wbce.losses._crossentropy import Poly1, WeightedCrossentropy
from wbce.losses._focal import Asymmetric, Focal
from wbce.losses._margin import LDAM, LogitAdjusted

OwnLoss = PointwiseLoss | BatchLoss

LOSSES: dict[str, type[OwnLoss]] = {
    "weighted_bce": WeightedCrossentropy,
    "focal": Focal,
    "asymmetric": Asymmetric,
    "logit_adjusted": LogitAdjusted,
    "ldam": LDAM,
    "poly1": Poly1,
    "cost_sensitive": CostSensitive,
    "tversky": Tversky,
    "soft_fbeta": SoftFBeta,
    "smooth_ap": SmoothAveragePrecision,
}


def resolve_loss(loss: Any, defaults: dict[str, Any], routed: dict[str, Any]) -> OwnLoss | None:
    """Build the loss that a name or a class stands for.

    Parameters
    ----------
    loss : str, class or instance of a loss of this package, or anything that Keras takes as a loss
    defaults : dict
        Arguments for the loss; those that its class does not have are left out.
    routed : dict
        Arguments meant for this loss alone; they come before ``defaults``.

    Returns
    -------
    PointwiseLoss, BatchLoss or None
        None where the loss is Keras' own or the user's.

    Raises
    ------
    ValueError
        If a name is known neither here nor to Keras.
    TypeError
        If ``routed`` has an argument that the loss does not have, or lacks one that it needs.
    """
    if isinstance(loss, OwnLoss):
        if routed:
            raise TypeError(
                f"loss={loss!r} is an instance and takes no more arguments: {sorted(routed)}. Pass "
                "its name or class instead, or set them on the instance."
            )
        return loss
    if isinstance(loss, str):
        if loss not in LOSSES:
            _check_keras_name(loss)
            return None
        loss = LOSSES[loss]
    if not (inspect.isclass(loss) and issubclass(loss, OwnLoss)):
        return None
    accepted = arguments_of(loss)
    unknown = sorted(set(routed) - set(accepted))
    if unknown:
        raise TypeError(f"{loss.__name__} has no arguments {unknown}; it has {accepted}.")
    given = {k: v for k, v in {**defaults, **routed}.items() if k in accepted}
    if issubclass(loss, CostSensitive) and given.get("cost_matrix") is None:
        raise ValueError(
            "loss='cost_sensitive' needs cost_matrix, the cost of calling a row of class i a j: "
            "[[TN, FP], [FN, TP]] for two classes."
        )
    return loss(**given)


def arguments_of(loss: type[OwnLoss]) -> list[str]:
    """Names of all arguments of a loss, those that it hands on to its base included."""
    names: list[str] = []
    for cls in inspect.getmro(loss):
        if "__init__" not in vars(cls):
            continue
        parameters = list(inspect.signature(vars(cls)["__init__"]).parameters.values())[1:]
        names += [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return list(dict.fromkeys(names))


def _check_keras_name(name: str) -> None:
    try:
        keras.losses.get(name)
    except ValueError:
        near = get_close_matches(name, [*LOSSES, "binary_crossentropy"], 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"Could not interpret loss={name!r}.{hint} Known here: {sorted(LOSSES)}. A wbce.losses "
            "class or instance and every Keras loss are allowed too."
        ) from None
