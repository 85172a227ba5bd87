"""A random number for every row of a stream, the same in every pass over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GOLDEN = 0x9E3779B97F4A7C15


def uniforms(seed: int, part: int, start: int, n_rows: int) -> NDArray[np.float64]:
    """Numbers in [0, 1) that depend on a row's place only.

    SplitMix64 (Steele, Lea, Flood 2014) of the row's number, from a start of the part's own.

    Parameters
    ----------
    seed : int
    part, start : int
        Of the first row, see `Block`.
    n_rows : int

    Examples
    --------
    >>> whole, rest = uniforms(0, 3, 0, 5), uniforms(0, 3, 2, 3)
    >>> bool((whole[2:] == rest).all())
    True
    """
    origin = int(_mixed(np.array([(seed << 32) + part], np.uint64))[0])
    steps = np.arange(start + 1, start + n_rows + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    bits = _mixed(steps + np.uint64(origin)) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
