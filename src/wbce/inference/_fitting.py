"""Whether a described chain and the arrays of a file fit together, before any is computed with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.inference._chain import ACTIVATIONS, Chain, Step

Shapes = list[tuple[int, ...]]

_MOST_CATEGORIES = 2**16


def checked_chain(data: Any, variables: Sequence[NDArray[Any]]) -> Chain:
    """A chain from data of unknown origin.

    Parameters
    ----------
    data : dict
        A `Chain`'s attributes.
    variables : sequence of ndarray
        The values of all variables of the network.

    Raises
    ------
    ValueError
        If a step is unknown, or arrays are not of the shapes that its step and the step before
        make necessary.
    """
    if not isinstance(data, dict) or set(data) != {"steps", "ends_in", "n_inputs", "n_outputs"}:
        raise ValueError("the network's description is incomplete")
    chain = Chain(**data)
    if chain.ends_in not in ("linear", "sigmoid", "softmax"):
        raise ValueError(f"the network ends in {chain.ends_in!r}")
    if not isinstance(chain.steps, list) or type(chain.n_inputs) is not int:
        raise ValueError("the network's description has no steps")
    members, width = 0, chain.n_inputs  # no dimension of members, so far
    for number, step in enumerate(chain.steps):
        try:
            shapes = _shapes(step, variables)
            members, width = _CHECKS[step["op"]](step, shapes, members, width)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"step {number + 1} of the network does not fit: {error}") from error
    if members or width != chain.n_outputs:
        raise ValueError(f"the network ends with {width} columns, not {chain.n_outputs}")
    return chain


def _shapes(step: Step, variables: Sequence[NDArray[Any]]) -> Shapes:
    places = step["variables"]
    if not all(type(i) is int and 0 <= i < len(variables) for i in places):
        raise ValueError(f"it takes the variables {places} of {len(variables)}")
    some = [variables[i] for i in places]
    if any(array.dtype != np.float32 for array in some):
        raise ValueError("its variables are not of type float32")
    return [array.shape for array in some]


def _same(shapes: Shapes, *expected: tuple[int, ...]) -> None:
    if shapes != list(expected):
        raise ValueError(f"its variables have the shapes {shapes}, and {list(expected)} are needed")


def _known(step: Step) -> None:
    if step["activation"] not in ACTIVATIONS.values():
        raise ValueError(f"its activation is {step['activation']!r}")


def _dense(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    _known(step)
    units = shapes[0][-1] if shapes and len(shapes[0]) == 2 else -1
    if members or len(shapes) not in (1, 2) or not units:
        raise ValueError("it needs rows, and a kernel with or without a bias")
    _same(shapes, *[(width, units), (units,)][: len(shapes)])
    return members, units


def _activation(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    _known(step)
    _same(shapes)
    return members, width


def _normalise(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    epsilon = step["epsilon"]
    if not (type(epsilon) is float and 0 <= epsilon < math.inf) or members:
        raise ValueError("it needs rows, and an epsilon of zero or more")
    _same(shapes, *[(width,)] * (2 + bool(step["scale"]) + bool(step["center"])))
    return members, width


def _columns(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    n_categories, may_miss = step["n_categories"], step["may_miss"]
    fits = (
        len(n_categories) == len(may_miss) == width
        and all(type(n) is int and 0 <= n <= _MOST_CATEGORIES for n in n_categories)
        and all(type(m) is bool for m in may_miss)
        and not members
    )
    if not fits:
        raise ValueError(f"it must say of each of {width} columns what it is")
    n_numbers = n_categories.count(0)
    n_knots = shapes[-1][-1] if len(shapes) == 4 and len(shapes[-1]) == 2 else 0
    of_ranks = [(n_numbers, n_knots)] * 2 if len(shapes) == 4 else []
    _same(shapes, (n_numbers,), (n_numbers,), *of_ranks)
    if of_ranks and not n_knots:
        raise ValueError("ranks need knots")
    return members, n_numbers * (2 if of_ranks else 1) + sum(may_miss) + sum(n_categories)


def _sparse_columns(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    _same(shapes, (width,), ())
    if members:
        raise ValueError("it needs rows")
    return members, width


def _to_members(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    _same(shapes)
    if members:
        raise ValueError("it needs rows")
    return 1, width


def _periodic(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    n_numbers, n_frequencies = step["n_numbers"], step["n_frequencies"]
    if not (type(n_numbers) is type(n_frequencies) is int and 0 < n_numbers <= width):
        raise ValueError("it has more numbers than there are columns, or none")
    if n_frequencies < 1:
        raise ValueError(f"it has {n_frequencies} frequencies")
    n_waves, own = n_numbers * n_frequencies, shapes[0][0] if shapes and shapes[0] else 0
    _same(shapes, (own, 1, 1), (own, 1, n_waves), (own, 1, n_waves))
    return _members_after(members, own), width + n_waves


def _of_members(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    _known(step)
    own, _, units = shapes[0] if shapes and len(shapes[0]) == 3 else (0, 0, 0)
    if not units:
        raise ValueError("it makes no columns")
    _same(shapes, (own, width, units), (own, 1, units))
    return _members_after(members, own), units


def _members_after(members: int, own: int) -> int:
    if not members or members not in (1, own) or not own:
        raise ValueError(f"it is of {own} members, and the rows before of {members}")
    return own


def _mixture(step: Step, shapes: Shapes, members: int, width: int) -> tuple[int, int]:
    if type(step["exclusive"]) is not bool or not members:
        raise ValueError("it needs rows of members")
    _same(shapes, (width,))
    return 0, width


_CHECKS: dict[str, Callable[[Step, Shapes, int, int], tuple[int, int]]] = {
    "dense": _dense,
    "activation": _activation,
    "normalise": _normalise,
    "columns": _columns,
    "sparse_columns": _sparse_columns,
    "to_members": _to_members,
    "periodic": _periodic,
    "member_dense": _of_members,
    "mixture": _mixture,
}
