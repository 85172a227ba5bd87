"""What of a loss and of an optimizer a trace holds, and what it takes as numbers."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import numpy as np

from wbce._backend import keras
from wbce.losses import OwnLoss
from wbce.tracing import no_users_code

# Optimizers that treat all variables alike, whatever their names.
_OPTIMIZERS = {
    getattr(keras.optimizers, name, None)
    for name in (
        "SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Adafactor", "Nadam",
        "Ftrl", "Lion", "Lamb",
    )
}  # fmt: skip
Schedule = keras.optimizers.schedules.LearningRateSchedule

_KERAS_FUNCTIONS = {
    id(function): name
    for name, function in vars(keras.losses).items()
    if callable(function) and not isinstance(function, type)
}


def numbers_of(holder: Any) -> list[tuple[Any, str]]:
    """Numbers, and arrays of them, of a loss or an optimizer that are arguments of a trace."""
    if isinstance(holder, OwnLoss):
        return [(holder, name) for name in holder.numbers]
    if isinstance(holder, keras.optimizers.Optimizer):
        decays = isinstance(holder.weight_decay, float)
        schedule = holder._learning_rate
        own = [(holder, "weight_decay")] if decays else []
        return [*own, *((schedule, name) for name in _schedule_numbers(schedule))]
    return []


def _schedule_numbers(schedule: Any) -> list[str]:
    if not type(schedule).__module__.startswith("keras.") or not isinstance(schedule, Schedule):
        return []
    return [
        name
        for name, value in sorted(schedule.get_config().items())
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and getattr(schedule, name, None) == value
    ]


def loss_key(loss: Any) -> Hashable | None:
    """What a loss computes, but for its numbers; None for code of the user's."""
    if isinstance(loss, str):
        return loss
    kind = type(loss)
    if isinstance(loss, keras.losses.Loss) and not no_users_code(loss):
        return None
    if isinstance(loss, OwnLoss) and kind.__module__.startswith("wbce."):
        config = {k: v for k, v in loss.get_config().items() if k not in loss.numbers}
        config["shapes"] = {name: np.shape(getattr(loss, name)) for name in loss.numbers}
    elif isinstance(loss, keras.losses.Loss) and kind.__module__.startswith("keras."):
        config = loss.get_config()
        if "fn" in config:
            return None
    else:
        return _KERAS_FUNCTIONS.get(id(loss))
    config.pop("name", None)
    return _as_key(kind, {**config, "dtype": str(loss.dtype)})


def optimizer_key(optimizer: Any) -> Hashable | None:
    """What an optimizer computes, but for its numbers; None for code of the user's."""
    kind = type(optimizer)
    rate = optimizer._learning_rate
    if kind not in _OPTIMIZERS or not no_users_code(optimizer):
        return None
    if isinstance(rate, Schedule) and not no_users_code(rate):
        return None
    config = optimizer.get_config()
    for name in ("name", "learning_rate", *(n for h, n in numbers_of(optimizer) if h is optimizer)):
        config.pop(name, None)
    if isinstance(rate, Schedule) and type(rate).__module__.startswith("keras."):
        numbers = _schedule_numbers(rate)
        fixed = {k: v for k, v in rate.get_config().items() if k not in (*numbers, "name")}
        config["learning_rate"] = [type(rate).__name__, fixed]
    elif not hasattr(rate, "assign"):  # a function of the user's
        return None
    return _as_key(kind, config)


def _as_key(kind: type, config: dict[str, Any]) -> Hashable | None:
    try:
        return kind.__name__, json.dumps(config, sort_keys=True)
    except (TypeError, ValueError):
        return None
