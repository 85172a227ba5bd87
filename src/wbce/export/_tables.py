"""Increasing functions of one variable as straight lines between knots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

TOLERANCE = 1e-6
"""How far a table may be from its function, in log-odds: in probability a quarter of that."""

_FAR = 1e3
_NEAR = 50.0
_MOST_KNOTS = 2**17
_INSIDE = np.arange(1, 8) / 8  # where an interval is looked at


@dataclass(frozen=True)
class Table:
    """A function of one variable for every column, by straight lines; all share the knots.

    Attributes
    ----------
    knots : ndarray of shape (n_lines - 1,)
        A line ends, and the next one begins, at each; the first and the last line have no end.
    anchors : ndarray of shape (n_lines,)
        A place on every line.
    values, slopes : ndarray of shape (n_lines, n_columns)
        What the function is there, and by how much it rises.
    """

    knots: Float64
    anchors: Float64
    values: Float64
    slopes: Float64

    @property
    def n_columns(self) -> int:
        """How many functions."""
        return int(self.values.shape[1])

    @classmethod
    def shift(cls, by: Float64) -> Table:
        """The identity, moved."""
        return cls(np.zeros(0), np.zeros(1), by[np.newaxis], np.ones((1, len(by))))

    def columns(self, which: NDArray[np.intp]) -> Table:
        """A table of some of the functions, in the order given, as often as given."""
        return Table(self.knots, self.anchors, self.values[:, which], self.slopes[:, which])

    def __call__(self, x: Float64) -> Float64:
        """Evaluate the functions, each of its own column.

        Parameters
        ----------
        x : ndarray of shape (n, n_columns)
        """
        line, column = np.searchsorted(self.knots, x, side="right"), np.arange(self.n_columns)
        with np.errstate(invalid="ignore"):
            return self.values[line, column] + self.slopes[line, column] * (x - self.anchors[line])


def table_by_corners(function: Callable[[Float64], Float64], corners: Float64) -> Table:
    """The table of a function that is straight lines between known corners, and beyond."""
    if len(corners) == 1:
        slopes = function(np.ones(1)) - function(np.zeros(1))
        return Table(np.zeros(0), np.zeros(1), function(np.zeros(1)), slopes)
    x = np.concatenate([corners[:1] - 1, corners, corners[-1:] + 1])
    return _through(x, function(x))


def table_of(
    function: Callable[[Float64], Float64], *, low: float = -_FAR, high: float = _FAR
) -> Table:
    """Knots between which straight lines are within `TOLERANCE` of a function.

    Beyond ``low`` and ``high`` the outermost lines go on.

    Parameters
    ----------
    function : callable
        From (n,) to (n, n_columns).
    low, high : float

    Raises
    ------
    ValueError
        If no such table of reasonable size is found.
    """
    far = np.linspace(low, high, 501)
    near = np.linspace(max(low, -_NEAR), min(high, _NEAR), 801)
    x = _refined(function, np.unique(np.concatenate([far, near])))
    y = function(x)
    kept = _needed(x, y)
    table = _through(x[kept], y[kept])
    if len(kept) > 2:
        return table
    # A straight line, told from zero on, where numbers have most digits.
    return Table(np.zeros(0), np.zeros(1), function(np.zeros(1)), table.slopes)


def _through(x: Float64, y: Float64) -> Table:
    """Straight lines through places that increase."""
    slopes = np.diff(y, axis=0) / np.diff(x)[:, np.newaxis]
    anchors, values = x[:-1].copy(), y[:-1].copy()
    anchors[0], values[0] = x[1], y[1]  # the first line's other end is far out
    return Table(x[1:-1], anchors, values, slopes)


def _refined(function: Callable[[Float64], Float64], x: Float64) -> Float64:
    """Places between which the function is as good as straight."""
    left, right, found = x[:-1], x[1:], [x]
    while len(left):
        between = left + (right - left) * _INSIDE[:, np.newaxis]
        y_left, y_right = function(left), function(right)
        inside = function(between.ravel()).reshape(*between.shape, -1)
        chord = y_left + (y_right - y_left) * _INSIDE[:, np.newaxis, np.newaxis]
        wrong = np.abs(inside - chord).max(axis=(0, 2)) > TOLERANCE / 2
        wrong &= right - left > 1e-12 * np.maximum(1.0, np.abs(left))
        left, right = left[wrong], right[wrong]
        middle = (left + right) / 2
        found.append(middle)
        if sum(map(len, found)) > _MOST_KNOTS:
            raise ValueError(
                "The way from the network's logits to probabilities is too steep or too rugged "
                f"for a table of {_MOST_KNOTS} knots, and cannot be exported. Fit with "
                "calibrate='sigmoid', or with a loss of this package."
            )
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return np.unique(np.concatenate(found))


def _needed(x: Float64, y: Float64) -> list[int]:
    """Places without which straight lines would pass the others at too great a distance."""
    kept, start = [0], 0
    while start < len(x) - 1:
        end, step = start + 1, 64
        while end < len(x) - 1:
            # Chords from the start to each of the next places, as long as all before are near.
            stop = min(len(x), start + 1 + step)
            run = (x[start + 1 : stop] - x[start])[:, np.newaxis]
            rise = y[start + 1 : stop] - y[start]
            lowest = np.maximum.accumulate((rise - TOLERANCE / 2) / run, axis=0)
            highest = np.minimum.accumulate((rise + TOLERANCE / 2) / run, axis=0)
            slope = rise / run
            near = ((slope >= lowest) & (slope <= highest)).all(axis=1)
            n_near = len(near) if near.all() else int(np.argmin(near))
            end = start + max(1, n_near)
            if n_near < len(near) or stop == len(x):
                break
            step *= 4
        kept.append(end)
        start = end
    return kept
