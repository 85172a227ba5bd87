"""Checks of the losses' arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wbce._numbers import as_numbers, is_number

_LARGEST = 1e30


def checked_number(
    name: str, value: Any, allowed: str, holds: Callable[[float], bool] | None = None
) -> float:
    """Check one number.

    Raises
    ------
    ValueError
        If it is no finite number, or ``holds`` says no.
    """
    if not (is_number(value) and (holds is None or holds(value))):
        raise ValueError(f"{name}={value!r} is not allowed: pass {allowed}.")
    _check_size(name, value, float(value))
    return float(value)


def checked_numbers(
    name: str, values: Any, allowed: str, holds: Callable[[Any], Any], shapes: tuple[int, ...]
) -> Any:
    """Check numbers in an array with as many dimensions as ``shapes`` names.

    Returns
    -------
    float or nested list of float
        As a config holds them.

    Raises
    ------
    ValueError
    """
    array = None if isinstance(values, bool | np.bool_) else as_numbers(values)
    if (
        array is None
        or array.ndim not in shapes
        or array.size == 0
        or not (np.isfinite(array).all() and np.all(holds(array)))
    ):
        raise ValueError(f"{name}={values!r} is not allowed: pass {allowed}.")
    _check_size(name, values, array)
    return array.tolist()


def _check_size(name: str, said: Any, numbers: Any) -> None:
    if np.abs(numbers).max() > _LARGEST:
        raise ValueError(
            f"{name}={said!r} is not allowed: a loss is computed in float32, and with numbers "
            f"beyond {_LARGEST:g} it is none."
        )


def checked_flags(from_logits: Any, multi_label: Any) -> tuple[bool | None, bool]:
    """Check what a loss is told about the network's output.

    Raises
    ------
    ValueError
    """
    if from_logits is not None and not isinstance(from_logits, bool | np.bool_):
        raise ValueError(
            f"from_logits={from_logits!r} is not allowed: pass True, False, or None to have it "
            "recognised."
        )
    if not isinstance(multi_label, bool | np.bool_):
        raise ValueError(
            f"multi_label={multi_label!r} is not allowed: pass True if several columns are "
            "labels that do not exclude each other, False if they are classes."
        )
    return None if from_logits is None else bool(from_logits), bool(multi_label)


def check_keras_names(reduction: Any, name: Any, dtype: Any) -> None:
    """Check that these are of a kind that Keras can check itself.

    Raises
    ------
    ValueError
    """
    if reduction is not None and not isinstance(reduction, str):
        raise ValueError(
            f"reduction={reduction!r} is not allowed: pass 'sum_over_batch_size', 'sum', or None "
            "for a loss a row."
        )
    if name is not None and not isinstance(name, str):
        raise ValueError(f"name={name!r} is not allowed: pass a string, or None.")
    if isinstance(dtype, dict) and "class_name" not in dtype:
        raise ValueError(f"dtype={dtype!r} is not allowed: pass the name of a type, or None.")


def checked_weights(
    class_weight: ArrayLike | None, pos_weight: ArrayLike | None, multi_label: bool
) -> Any:
    """Check class weights, given for every class or as positives' in units of negatives'.

    Returns
    -------
    list of float, list of pairs of float, or None

    Raises
    ------
    ValueError
        If both are given, or a weight is not positive and finite.
    """
    if class_weight is not None and pos_weight is not None:
        raise ValueError(
            f"class_weight={class_weight!r} and pos_weight={pos_weight!r} are two ways to say one "
            "thing: keep one."
        )
    if pos_weight is not None:
        checked_numbers(
            "pos_weight",
            pos_weight,
            "a positive, finite number: the weight of a positive in units of a negative's"
            + ("; or one for every label" if multi_label else ""),
            lambda w: w > 0,
            (0, 1) if multi_label else (0,),
        )
        positive = np.asarray(pos_weight, dtype=np.float64)
        return np.stack([np.ones_like(positive), positive], axis=-1).tolist()
    if class_weight is None:
        return None
    weights = checked_numbers(
        "class_weight",
        class_weight,
        "one positive, finite number for every class, in the order of the class codes, such as "
        "(1, 9)" + ("; or such a pair for every label" if multi_label else ""),
        lambda w: (w > 0) & (w.shape[-1:] != (1,)),
        (1, 2) if multi_label else (1,),
    )
    if multi_label and np.shape(weights)[-1] != 2:
        raise ValueError(
            f"class_weight={class_weight!r} has the shape {np.shape(weights)}: for several labels "
            "pass a weight of zeros and one of ones, shape (2,), or such a pair for every label."
        )
    return weights
