"""A name for all that a training depends on: the same in every process, another for any other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from wbce._backend import op_def_registry, tf

# Operations that TensorFlow counts among those with a state, which is that of variables alone.
_OF_VARIABLES = re.compile(
    "(Assign.*|Read|VarIsInitialized)Variables?Op|Resource(Apply|Gather|Scatter).*|VarIsInitializedOp"
    "|(Stateful)?(PartitionedCall|If|Case|While)|Assert|Print.*|DatasetToSingleElement|RangeDataset"
)


def digest(*things: Any) -> str:
    """Name numbers, strings, arrays, and lists and dicts of them.

    Of other objects only the type counts: what they do must be said by other things.

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
    elif thing is None or isinstance(thing, bool | int | float | complex | str | bytes):
        text = repr(thing).encode()
        update(f"{len(text)};".encode() + text)
    else:
        named = thing if hasattr(thing, "__qualname__") else type(thing)
        update(f"{named.__module__}.{named.__qualname__};".encode())


def _has_state(operation: str) -> bool:
    known = op_def_registry.get(operation)
    return known is None or bool(known.is_stateful)


def computation(function: Any) -> list[Any]:
    """All that a traced function computes, as text and arrays.

    Parameters
    ----------
    function : ConcreteFunction

    Raises
    ------
    ValueError
        If it has a state beside the variables that are its arguments: what such a function
        returns does not depend on its arguments alone.
    """
    graph = function.graph.as_graph_def()
    parts = [graph.node, *(part.node_def for part in graph.library.function)]
    for node in (node for part in parts for node in part):
        if _has_state(node.op) and not _OF_VARIABLES.fullmatch(node.op):
            raise ValueError(f"it has a state of its own or draws random numbers ({node.op})")
    if any(tensor.dtype == tf.resource for tensor in function.captured_inputs):
        raise ValueError("it uses a variable that is none of the network's, loss's or optimizer's")
    names = sorted((part.signature.name for part in graph.library.function), key=len, reverse=True)
    name = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")  # of a function, with a count
    texts = []
    for part in parts:
        for node in part:
            own = sorted((k, str(v)) for k, v in node.attr.items() if not k.startswith("_"))
            text = repr((node.name, node.op, list(node.input), own))
            texts.append(name.sub(lambda found: re.sub(r"_\d+$", "", found[0]), text))
    return [sorted(texts), [np.asarray(tensor) for tensor in function.captured_inputs]]
