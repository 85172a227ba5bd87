"""Losses by name."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from wbce._backend import keras
from wbce.losses._base import PointwiseLoss
from wbce.losses._crossentropy import WeightedCrossentropy
from wbce.losses._focal import Focal

LOSSES: dict[str, type[PointwiseLoss]] = {"weighted_bce": WeightedCrossentropy, "focal": Focal}


def resolve_loss(
    loss: Any, defaults: dict[str, Any], routed: dict[str, Any]
) -> PointwiseLoss | None:
    """Build the loss that a name or a class stands for.

    Parameters
    ----------
    loss : str, PointwiseLoss class or instance, or anything that Keras takes as a loss
    defaults : dict
        Arguments for the loss; those that its class does not have are left out.
    routed : dict
        Arguments meant for this loss alone; they come before ``defaults``.

    Returns
    -------
    PointwiseLoss or None
        None where the loss is Keras' own or the user's.

    Raises
    ------
    ValueError
        If a name is known neither here nor to Keras.
    TypeError
        If ``routed`` has an argument that the loss does not have.
    """
    if isinstance(loss, PointwiseLoss):
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
    if not (inspect.isclass(loss) and issubclass(loss, PointwiseLoss)):
        return None
    accepted = [name for name in inspect.signature(loss).parameters]
    unknown = sorted(set(routed) - set(accepted))
    if unknown:
        raise TypeError(f"{loss.__name__} has no arguments {unknown}; it has {accepted}.")
    return loss(**{k: v for k, v in {**defaults, **routed}.items() if k in accepted})


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
