"""What data of unknown origin may ask for: no more memory than some times what they take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from wbce._backend import keras
from wbce.persistence._versions import KIND

DEEPEST = 100
"""Lists in lists, and dicts, of a stored estimator."""

_ALWAYS = 2**24  # bytes that are granted to the smallest of files
_TIMES = 16
_LARGEST_SETTING = 2**20
_WITHOUT_SIZE = {
    "bin_boundaries",
    "mask_value",
    "max_value",
    "mean",
    "offset",
    "salt",
    "scale",
    "seed",
    "threshold",
    "value",
    "variance",
}
_MOST_NUMBERS = 2**24  # of a row, in all layers together
_LONGEST_UNROLLED = 1024


def checked_dtype(name: Any) -> np.dtype[Any]:
    """The NumPy type of a name, if it is of numbers, texts or objects and of a plausible size.

    Raises
    ------
    ValueError
        For every other one: some are records, or make arrays of whatever size they say.
    """
    dtype = np.dtype(name) if isinstance(name, str) else np.dtype("V")
    if dtype.kind not in "biufOUSmM" or dtype.subdtype is not None:
        raise ValueError(f"the type {str(name)[:100]!r} is not read from a file")
    if dtype.itemsize > _ALWAYS:
        raise ValueError(f"the type {name!r} is too large")
    return dtype


def check_sizes(data: Any) -> None:
    """Check how much memory encoded data would take when they are decoded.

    A few words can stand for much: an array of zeros is its shape, one array can be named a
    thousand times, and texts of an array are all as wide as its type says.

    Raises
    ------
    ValueError
        If that is more than 16 MiB and sixteen times what the data themselves take, or if they
        are nested too deeply.
    """
    given = wanted = 0
    seen: set[int] = set()
    for item in _everything(data):
        if isinstance(item, np.ndarray):
            wanted += item.nbytes
            given += 0 if id(item) in seen else item.nbytes
            seen.add(id(item))
        elif isinstance(item, str):
            given += len(item)
        elif type(item) is dict and item.get(KIND) == "zeros":
            wanted += _bytes_of(item["shape"], item["dtype"])
        elif type(item) is dict and item.get(KIND) == "items":
            wanted += _bytes_of((len(item["items"]),), item["dtype"])
        given += 1
    if wanted > _ALWAYS + _TIMES * given:
        raise ValueError(
            f"it is made of {given} bytes, and asks for arrays of {wanted}, which is too large"
        )


def _everything(data: Any) -> Iterator[Any]:
    """Data, and all that is in them."""
    level = [data]
    for _ in range(DEEPEST):
        yield from level
        level = [item for held in level for item in _held(held)]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} deep")


def _held(data: Any) -> Iterable[Any]:
    if isinstance(data, dict):
        return data.values()
    return data if isinstance(data, list | tuple) else ()


def _bytes_of(shape: Sequence[Any], dtype: Any) -> int:
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"an array has the shape {str(shape)[:100]}")
    return math.prod(shape) * checked_dtype(dtype).itemsize


def check_settings(config: Any, most: int = 0, name: str = "") -> None:
    """Refuse whole numbers that no part of a network with ``most`` weights can need.

    Layers and metrics take memory by them: units, steps, thresholds.
    """
    if isinstance(config, list | tuple):
        for item in config:
            check_settings(item, most, name)
    elif isinstance(config, dict):
        for key, item in config.items():
            check_settings(item, most, key)
    elif (
        isinstance(config, int)
        and abs(config) > max(_LARGEST_SETTING, most)
        and name not in _WITHOUT_SIZE
    ):
        raise ValueError(f"the network's configuration has {name}={config}, which is too large")


def check_outputs(network: keras.Model, n_weights: int) -> None:
    """Refuse a network whose layers make far more numbers of a row than it has weights.

    Layers without weights can: they repeat, pad, and multiply rows by rows.
    """
    shapes = list(_shapes_of_outputs(network))
    numbers = sum(math.prod(length or 1 for length in shape) for shape in shapes)
    if numbers > numbers_allowed(n_weights):
        raise ValueError(f"its layers make {numbers} numbers of one row, which is too many")
    steps = [shape[1] or math.inf for shape in shapes if len(shape) > 2]
    if max(steps, default=0) > _LONGEST_UNROLLED and any(
        getattr(layer, "unroll", False) for layer in network._flatten_layers()
    ):
        raise ValueError(f"it unrolls more than {_LONGEST_UNROLLED} steps")


def numbers_allowed(n_weights: int) -> int:
    """How many numbers a network with so many weights may make of a row."""
    return _MOST_NUMBERS + _TIMES * n_weights


def _shapes_of_outputs(network: keras.Model) -> Iterator[tuple[int | None, ...]]:
    for part in [network, *network._flatten_layers()]:
        for node in getattr(part, "_inbound_nodes", ()):
            for tensor in node.output_tensors:
                yield tuple(tensor.shape)
