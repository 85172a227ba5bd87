"""The traces of this process, the most recently used ones."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from wbce._numbers import is_whole

Trace = TypeVar("Trace")

_DEFAULT_SIZE = 64


class TraceCache:
    """At most ``size`` traces by key, the least recently used one given up first.

    Parameters
    ----------
    size : int
        0 keeps none.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._traces: OrderedDict[Hashable, Any] = OrderedDict()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._traces)

    def get(self, key: Hashable | None, make: Callable[[], Trace]) -> Trace:
        """Return the trace of ``key``, made first if it is not there; made anew for None.

        Threads that ask for one key at the same time wait for one trace.
        """
        if key is None:
            return make()
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            with self._lock:
                if key in self._traces:
                    self._traces.move_to_end(key)
                    return self._traces[key]
            trace = make()
            with self._lock:
                self._traces[key] = trace
                self._shrink()
            return trace

    def resize(self, size: int) -> None:
        """Keep at most ``size`` traces from now on."""
        with self._lock:
            self._size = size
            self._shrink()

    def _shrink(self) -> None:
        while len(self._traces) > self._size:
            key, _ = self._traces.popitem(last=False)
            self._locks.pop(key, None)


traces = TraceCache(_DEFAULT_SIZE)


def set_trace_cache_size(size: int) -> None:
    """Set how many compiled functions the process keeps for later fits.

    A fit of a network whose architecture, loss and optimizer came before reuses their compiled
    functions, which saves the time of tracing and optimising them; each takes memory.

    Parameters
    ----------
    size : int
        64 at the start. 0 gives up all of them and switches the reuse off: every fit compiles
        anew.

    Raises
    ------
    ValueError
        If ``size`` is no whole number, or negative.

    Examples
    --------
    >>> import wbce
    >>> wbce.set_trace_cache_size(0)
    >>> wbce.set_trace_cache_size(64)
    """
    if not is_whole(size) or size < 0:
        raise ValueError(f"size={size!r} is not allowed: pass a whole number, 0 for no reuse.")
    traces.resize(size)
