"""From logits to probabilities and codes, written once for NumPy, ONNX and TensorFlow.

What differs between the three is behind `Operations`; arithmetic is that of the arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit

from wbce.export._tables import Table

Float64 = NDArray[np.float64]
Step = dict[str, Any]

# In place of the logarithm of zero: sums and differences of it stay numbers.
_NOTHING = -1e30

# Of more knots than these a row is compared with every block's last, and then with one block.
_FEW_KNOTS = 64


class Operations(Protocol):
    """What the formulas ask of a library; reductions keep their axis."""

    def constant(self, values: NDArray[Any]) -> Any:
        """An array as the library's own, of its float type."""

    def exp(self, x: Any) -> Any:
        """The exponential."""

    def log(self, x: Any) -> Any:
        """The logarithm."""

    def sigmoid(self, x: Any) -> Any:
        """1 / (1 + exp(-x))."""

    def log_sigmoid(self, x: Any) -> Any:
        """Its logarithm, exact for any x."""

    def maximum(self, x: Any, y: Any) -> Any:
        """The larger of two."""

    def max(self, x: Any, axis: int) -> Any:
        """The largest along an axis."""

    def sum(self, x: Any, axis: int) -> Any:
        """The sum along an axis."""

    def matmul(self, x: Any, y: Any) -> Any:
        """The product of matrices."""

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        """Arrays one after the other."""

    def part(self, x: Any, axis: int, start: int, stop: int) -> Any:
        """Some places along an axis."""

    def expand(self, x: Any, axis: int) -> Any:
        """One more axis, of length one."""

    def squeeze(self, x: Any, axis: int) -> Any:
        """Without an axis of length one."""

    def above(self, x: Any, y: Any) -> Any:
        """One where x is greater, else zero, as whole numbers."""

    def n_reached(self, x: Any, places: Any) -> Any:
        """How many of the places on the last axis are not beyond x, which has none there."""

    def take(self, values: Any, places: Any) -> Any:
        """Elements, or rows, by their number."""

    def argmax(self, x: Any) -> Any:
        """The first column with the largest value."""


def scores(steps: list[Step], z: Any, xp: Operations) -> Any:
    """What steps make of logits.

    Parameters
    ----------
    steps : list of dict
        As in `AfterLogits`.
    z : array of shape (n, 1), (n, n_labels) or (n, n_classes)
    xp : Operations

    Returns
    -------
    array of the same shape
        Log-odds, or log-probabilities of the classes.
    """
    for step in steps:
        z = _STEPS[step["op"]](step, z, xp)
    return z


def probabilities(kind: str, shown: Any, xp: Operations) -> Any:
    """A column for every class, or label, from the scores that are shown."""
    if kind == "classes":
        return xp.exp(shown)
    if kind == "labels":
        return xp.sigmoid(shown)
    return xp.concat([xp.sigmoid(-shown), xp.sigmoid(shown)], axis=1)


def codes(kind: str, decision: Step, posterior: Any, xp: Operations) -> Any:
    """The number of every row's class, or a zero or one for every label."""
    if decision["op"] == "multipliers":
        return xp.argmax(posterior + xp.constant(decision["log_multipliers"]))
    if decision["op"] == "costs":
        return xp.argmax(-xp.matmul(xp.exp(posterior), xp.constant(decision["costs"])))
    sign = decision["sign"]
    log_odds = posterior if sign > 0 else -posterior
    if decision["strict"]:
        positive = xp.above(xp.sigmoid(log_odds), xp.constant(decision["probability"]))
    else:
        positive = xp.above(log_odds, xp.constant(decision["log_odds"]))
    if kind == "labels":
        return positive
    positive = xp.squeeze(positive, axis=1)
    return positive if sign > 0 else 1 - positive


def logsumexp(x: Any, axis: int, xp: Operations) -> Any:
    """The logarithm of a sum of exponentials, keeping its axis."""
    top = xp.max(x, axis)
    return xp.log(xp.sum(xp.exp(x - top), axis)) + top


def log_softmax(x: Any, xp: Operations) -> Any:
    """The logarithm of shares along the last axis."""
    return x - logsumexp(x, -1, xp)


def _table(step: Step, x: Any, xp: Operations) -> Any:
    table: Table = step["table"]
    if not len(table.knots):
        slopes, values = table.slopes[0], table.values[0]
        steep = x if (slopes == 1).all() else x * xp.constant(slopes)
        return steep if not values.any() else steep + xp.constant(values)
    line = _line(table.knots, x, xp)
    place = line
    if table.n_columns > 1:
        place = line * table.n_columns + np.arange(table.n_columns, dtype=np.int32)
    beyond = x - xp.take(xp.constant(table.anchors), line)
    slope = xp.take(xp.constant(table.slopes.ravel()), place)
    return xp.take(xp.constant(table.values.ravel()), place) + slope * beyond


def _line(knots: Float64, x: Any, xp: Operations) -> Any:
    """How many knots each x has reached."""
    if len(knots) <= _FEW_KNOTS:
        return xp.n_reached(xp.expand(x, -1), xp.constant(knots))
    width = int(np.ceil(np.sqrt(len(knots))))
    n_blocks = len(knots) // width + 1
    blocks = np.full((n_blocks, width), np.nan)  # nothing reaches NaN
    blocks.flat[: len(knots)] = knots
    block = xp.n_reached(xp.expand(x, -1), xp.constant(blocks[:-1, -1]))
    within = xp.n_reached(xp.expand(x, -1), xp.take(xp.constant(blocks), block))
    return block * width + within


def _against_rest(step: Step, z: Any, xp: Operations) -> Any:
    n = step["n_classes"]
    others = xp.expand(z, 1) + xp.constant(np.where(np.eye(n, dtype=bool), _NOTHING, 0.0))
    return z - xp.squeeze(logsumexp(others, -1, xp), -1)


def _stationary(step: Step, z: Any, xp: Operations) -> Any:
    """The posterior under `CostSensitive`, by the state reduction of `losses/_cost.py`."""
    n = len(step["relative"])
    with np.errstate(divide="ignore"):
        log_relative = np.maximum(np.log(step["relative"]), _NOTHING)
    flow = log_softmax(xp.expand(z, 1) + xp.constant(log_relative), xp)
    into = {}
    for last in range(n - 1, 0, -1):
        from_last = xp.part(xp.part(flow, 1, last, last + 1), 2, 0, last)
        to_last = xp.part(xp.part(flow, 1, 0, last), 2, last, last + 1)
        into[last] = to_last - logsumexp(from_last, 2, xp)
        rest = xp.part(xp.part(flow, 1, 0, last), 2, 0, last)
        flow = _logaddexp(rest, into[last] + from_last, xp)
    found = xp.squeeze(flow, 1)
    found = found - found  # the first state's share is the unit
    for state in range(1, n):
        share = found + xp.squeeze(into[state], 2)
        found = xp.concat([found, logsumexp(share, 1, xp)], axis=1)
    return found - xp.constant(np.log(step["weights"]))


def _logaddexp(x: Any, y: Any, xp: Operations) -> Any:
    top = xp.maximum(x, y)
    return top + xp.log(xp.exp(x - top) + xp.exp(y - top))


_STEPS: dict[str, Callable[[Step, Any, Operations], Any]] = {
    "table": _table,
    "scale": lambda step, z, xp: z * xp.constant(np.asarray(step["by"])),
    "against_rest": _against_rest,
    "log_sigmoid": lambda step, z, xp: xp.log_sigmoid(z),
    "log_softmax": lambda step, z, xp: log_softmax(z, xp),
    "stationary": _stationary,
}


class NumpyOperations:
    """The formulas in NumPy, in float64."""

    exp, sigmoid, log_sigmoid = staticmethod(np.exp), staticmethod(expit), staticmethod(log_expit)
    log, maximum, matmul = staticmethod(np.log), staticmethod(np.maximum), staticmethod(np.matmul)

    def constant(self, values: NDArray[Any]) -> Any:
        return values

    def max(self, x: Any, axis: int) -> Any:
        return np.max(x, axis=axis, keepdims=True)

    def sum(self, x: Any, axis: int) -> Any:
        return np.sum(x, axis=axis, keepdims=True)

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        return np.concatenate(parts, axis=axis)

    def part(self, x: Any, axis: int, start: int, stop: int) -> Any:
        return np.take(x, np.arange(start, stop), axis=axis)

    def expand(self, x: Any, axis: int) -> Any:
        return np.expand_dims(x, axis)

    def squeeze(self, x: Any, axis: int) -> Any:
        return np.squeeze(x, axis)

    def above(self, x: Any, y: Any) -> Any:
        return (x > y).astype(np.int32)

    def n_reached(self, x: Any, places: Any) -> Any:
        return (x >= places).sum(axis=-1)

    def take(self, values: Any, places: Any) -> Any:
        return values[places]

    def argmax(self, x: Any) -> Any:
        return np.argmax(x, axis=1)
