"""Warnings for people: one line each, and none that are meant for developers."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wbce.cli._in_options import in_options

_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)


@contextmanager
def one_line_each(command: str) -> Iterator[None]:
    """Print warnings to standard error as ``wbce COMMAND: warning: ...``, the same one once."""
    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        text = in_options(" ".join(str(message).split()))
        if text not in said:
            said.add(text)
            print(f"wbce {command}: warning: {text}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for category in _FOR_DEVELOPERS:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show
        yield
