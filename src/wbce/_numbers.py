"""What is a number, and what only looks like one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NOT_NUMBERS = (bool, np.timedelta64)  # which Python and NumPy count among the whole numbers


def is_number(value: Any) -> bool:
    """Whether a value is one finite real number, and no truth value."""
    if isinstance(value, _NOT_NUMBERS) or not isinstance(
        value, int | float | np.integer | np.floating
    ):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def is_whole(value: Any) -> bool:
    """Whether a value is one whole number, and no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, _NOT_NUMBERS)


def as_numbers(values: Any) -> NDArray[np.float64] | None:
    """Real numbers and truth values as an array; None for text, dates, masked or ragged values.

    Examples
    --------
    >>> as_numbers([1, 2.5])
    array([1. , 2.5])
    >>> as_numbers(["1", "2.5"]) is None
    True
    """
    if np.ma.is_masked(values):
        return None
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":
            return None
        with np.errstate(over="ignore"):  # a long double may be beyond all floats
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
