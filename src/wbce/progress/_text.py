"""What the line says: numbers, times, and which parts of it fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_MINUTE, _HOUR = 60, 3600

Layout = Sequence[str]


def fitted(parts: Mapping[str, str], layouts: Sequence[Layout], width: int) -> str:
    """The first layout that fits, or as much of the last as does.

    Parameters
    ----------
    parts : dict of str
        By name; those that are missing or empty are left out.
    layouts : sequence of sequence of str
        Names of parts, in their order.
    width : int

    Examples
    --------
    >>> parts = {"epoch": "epoch 2/9", "loss": "loss 0.300"}
    >>> [fitted(parts, [("epoch", "loss"), ("epoch",)], width) for width in (30, 10, 5)]
    ['epoch 2/9  loss 0.300', 'epoch 2/9', 'epoch']
    """
    line = ""
    for layout in layouts:
        line = "  ".join(parts[name] for name in layout if parts.get(name))
        if len(line) <= width:
            return line
    return line[:width]


def number(value: float) -> str:
    """A score in few characters, that are as many from epoch to epoch.

    Examples
    --------
    >>> number(0.21349), number(1234567.0), number(0.00012345)
    ('0.213', '1.23e+06', '0.000123')
    """
    return f"{value:.3f}" if 0.01 <= abs(value) < 1000 or value == 0 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """A time that has passed.

    Examples
    --------
    >>> duration(0.84), duration(12.3), duration(125), duration(4000)
    ('0.8 s', '12 s', '2 min 5 s', '1 h 6 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def remaining(seconds: float) -> str:
    """A time to come, of which nobody knows tenths.

    Examples
    --------
    >>> remaining(0.2), remaining(12.3), remaining(700)
    ('1 s', '13 s', '11 min 40 s')
    """
    whole = max(1, math.ceil(seconds))
    return f"{whole} s" if whole < 10 else duration(whole)
