"""A name for all that a training depends on: the same in every process, another for any other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import issparse

from wbce._backend import op_def_registry, tf

# Operations that TensorFlow counts among those with a state, which is that of variables alone.
_OF_VARIABLES = re.compile(
    "(Assign.*|Read|VarIsInitialized)Variables?Op|Resource(Apply|Gather|Scatter).*|VarIsInitializedOp"
    "|(Stateful)?(PartitionedCall|If|Case|While)|Assert|Print.*|DatasetToSingleElement|RangeDataset"
)


def digest(*things: Any) -> str:
    """Name numbers, strings, arrays, and lists and dicts of them.

    Of functions and classes only the name counts, of other objects that of their type: what they
    do must be said by other things.

    Examples
    --------
    >>> digest([1, 2.0], {"a": None}) == digest([1, 2.0], {"a": None}) != digest([1, 2], {})
    True
    """
    hashed = hashlib.blake2b(digest_size=16)
    _feed(hashed.update, list(things))
    return hashed.hexdigest()


def _feed(update: Callable[[Any], None], thing: Any) -> None:
    if isinstance(thing, np.generic):
        thing = thing.item()
    update(f"{type(thing).__name__}:".encode())
    if isinstance(thing, dict):
        _feed(update, sorted(thing.items(), key=lambda item: repr(item[0])))
    elif isinstance(thing, list | tuple):
        update(f"{len(thing)};".encode())
        for item in thing:
            _feed(update, item)
    elif isinstance(thing, np.ndarray) and thing.dtype.kind == "O":
        _feed(update, [thing.shape, *thing.ravel().tolist()])
    elif isinstance(thing, np.ndarray):
        update(f"{thing.dtype.str}{thing.shape};".encode())
        update(np.ascontiguousarray(thing).reshape(-1).view(np.uint8))
    elif issparse(thing):
        _feed(update, [thing.shape, thing.data, thing.indices, thing.indptr])
    elif thing is None or isinstance(thing, bool | int | float | complex | str | bytes):
        text = repr(thing).encode()
        update(f"{len(text)};".encode() + text)
    else:
        named = thing if hasattr(thing, "__qualname__") else type(thing)
        update(f"{named.__qualname__};".encode())


def computation(function: Any) -> list[Any]:
    """All that a traced function computes, whatever things are called in it, for a `digest`.

    Parameters
    ----------
    function : ConcreteFunction

    Raises
    ------
    ValueError
        If it has a state beside the variables that are its arguments: what such a function
        returns does not depend on its arguments alone.
    """
    if any(tensor.dtype == tf.resource for tensor in function.captured_inputs):
        raise ValueError("it uses a variable that is none of the network's, loss's or optimizer's")
    graph = function.graph.as_graph_def()
    described = _Described({part.signature.name: part for part in graph.library.function})
    constants = [np.asarray(tensor) for tensor in function.captured_inputs]
    return [described.nodes(graph.node, [], []), constants]


class _Described:
    """Parts of a graph, with places for names: these count what the process traced before.

    Parameters
    ----------
    functions : dict
        Those that nodes may refer to, by name.
    """

    def __init__(self, functions: dict[str, Any]) -> None:
        self._functions = functions
        self._digests: dict[str, str] = {}

    def nodes(self, nodes: Any, arguments: list[str], results: list[str]) -> list[Any]:
        """Nodes in their order, and where results come from."""
        names = [*arguments, *(node.name for node in nodes)]
        places = {name: i for i, name in enumerate(names)}

        def place(reference: str) -> str:
            name, colon, output = reference.removeprefix("^").partition(":")
            return f"{reference[0] == '^'}{places[name]}{colon}{output}"

        return [
            [[self._operation(node), [place(own) for own in node.input]] for node in nodes],
            [place(result) for result in results],
        ]

    def _operation(self, node: Any) -> list[Any]:
        if node.op in self._functions:
            return [self._function(node.op)]
        known = op_def_registry.get(node.op)
        if (known is None or known.is_stateful) and not _OF_VARIABLES.fullmatch(node.op):
            raise ValueError(
                f"it draws random numbers, or has another state of its own ({node.op})"
            )
        own = sorted((key, value) for key, value in node.attr.items() if key[0] != "_")
        return [node.op, [[key, self._value(value)] for key, value in own]]

    def _value(self, value: Any) -> Any:
        if value.HasField("func"):
            return self._function(value.func.name)
        if value.list.func:
            return [self._function(of.name) for of in value.list.func]
        return value.SerializeToString(deterministic=True)

    def _function(self, name: str) -> str:
        if name not in self._digests:
            part = self._functions[name]
            arguments = [argument.name for argument in part.signature.input_arg]
            results = [part.ret[result.name] for result in part.signature.output_arg]
            self._digests[name] = digest(self.nodes(part.node_def, arguments, results))
        return self._digests[name]
