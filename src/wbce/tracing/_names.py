"""Automatic names that repeat from network to network."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from wbce._backend import global_state

_COUNTERS = "object_name_uids"
_lock = threading.Lock()
_base: dict[str, int] | None = None


@contextmanager
def repeated_names() -> Iterator[None]:
    """Count the layers of every network from the same numbers.

    TensorFlow keeps a kernel for every name that a variable ever had, so that each new name leaks
    memory. Layers made outside go on being counted, so that none shares its name with a
    layer of a network built here.
    """
    global _base
    before = dict(global_state.get_global_attribute(_COUNTERS) or {})
    with _lock:
        if _base is None:
            _base = before
    global_state.set_global_attribute(_COUNTERS, defaultdict(int, _base))
    try:
        yield
    finally:
        inside = global_state.get_global_attribute(_COUNTERS)
        after = {name: max(before.get(name, 0), inside[name]) for name in {*before, *inside}}
        global_state.set_global_attribute(_COUNTERS, defaultdict(int, after))
