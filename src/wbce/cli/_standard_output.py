"""Standard output that takes every sign: column names and values are of any alphabet."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def taking_any_sign() -> Iterator[None]:
    r"""Write what the terminal's encoding does not have as ``\u5217``, instead of failing."""
    stream = sys.stdout
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    encoding, errors = stream.encoding, stream.errors
    stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        stream.reconfigure(encoding=encoding, errors=errors)


def write_as_utf_8() -> None:
    """Write a table as the files are that the commands read, whatever the terminal's encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")
