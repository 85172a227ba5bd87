"""How many rows a step takes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def batch_size_for(n_samples: int, batch_size: Any, name: str = "batch_size") -> int:
    """Resolve ``batch_size``.

    ``"auto"`` is the power of two nearest ``n_samples / 64`` within 32 and 1024; -1 takes all
    rows in one step; a number is itself; None is Keras' 32. Never more than ``n_samples``.

    Examples
    --------
    >>> batch_size_for(1000, "auto"), batch_size_for(10_000, "auto"), batch_size_for(10, "auto")
    (32, 128, 10)
    """
    if batch_size is None:
        return 32
    if isinstance(batch_size, str) and batch_size == "auto":
        nearest = 2 ** round(math.log2(max(1.0, n_samples / 64)))
        return min(n_samples, max(32, min(1024, nearest)))
    if (
        isinstance(batch_size, bool)
        or not isinstance(batch_size, int | np.integer)
        or (batch_size < 1 and batch_size != -1)
    ):
        raise ValueError(
            f"{name}={batch_size!r} is not allowed: pass 'auto', a positive whole number, or -1 "
            "for all rows in one step."
        )
    return n_samples if batch_size == -1 else min(n_samples, int(batch_size))
