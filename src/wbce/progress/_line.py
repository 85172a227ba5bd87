"""One line: rewritten in place on a terminal or in a notebook, written once in a log."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from wbce.progress._text import Layout, fitted
from wbce.progress._where import is_one_of_many, is_terminal, notebook_publisher

_SECONDS_BETWEEN = 0.1
_NOTEBOOK_WIDTH = 110

# The line that is live in this process, by the process, as a fork has its memory: two would write
# over each other. A dict sets and removes in one step, so that no lock is held when it forks.
_live: dict[int, Line] = {}


def clock() -> float:
    """Seconds, to measure with."""
    return time.monotonic()


class Line:
    """A line that nobody sees.

    Attributes
    ----------
    is_live : bool
        Whether it is written anew as work goes on.
    """

    is_live = False

    def is_due(self) -> bool:
        """Whether it is worth while to compute what to show."""
        return False

    def show(self, parts: Mapping[str, str], layouts: Sequence[Layout]) -> None:
        """Write it anew, with what fits."""

    def close(self, last: str = "") -> None:
        """Write what stays; nothing is left of what was there if that is nothing."""


class LogLine(Line):
    """A line in a file or a pipe, which is written once, when all is done.

    Parameters
    ----------
    stream : text stream
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def close(self, last: str = "") -> None:
        live = _live.get(os.getpid())  # another's, which this is written over
        if last:
            self._write(f"{last:<{getattr(live, 'n_shown', 0)}}\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            if hasattr(self._stream, "flush"):  # many a stand-in for standard error only writes
                self._stream.flush()
        except (OSError, ValueError):  # a closed pipe or file is no reason for a fit to fail
            self._stream = _Nowhere()


class LiveLine(LogLine):
    """A line that is rewritten, ten times a second at most.

    Parameters
    ----------
    stream : text stream
    """

    is_live = True

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._writing = threading.Lock()
        self._shown_at = -_SECONDS_BETWEEN
        self._is_open = True

    def is_due(self) -> bool:
        return self._is_open and clock() - self._shown_at >= _SECONDS_BETWEEN

    def show(self, parts: Mapping[str, str], layouts: Sequence[Layout]) -> None:
        with self._writing:
            if self.is_due():
                self._rewrite(fitted(parts, layouts, self._width()))
                self._shown_at = clock()

    def close(self, last: str = "") -> None:
        with self._writing:
            if not self._is_open:
                return
            self._is_open = False
            try:
                self._finish(last)
            finally:  # a Ctrl-C here must not leave all later lines dark
                if _live.get(os.getpid()) is self:
                    _live.pop(os.getpid(), None)

    def _width(self) -> int:
        raise NotImplementedError

    def _rewrite(self, text: str) -> None:
        raise NotImplementedError

    def _finish(self, last: str) -> None:
        raise NotImplementedError


class TerminalLine(LiveLine):
    """A line of a terminal.

    The cursor waits at its beginning: so what others write, such as a warning, or the prompt
    after the process was killed, is written over it and not behind it.

    Attributes
    ----------
    n_shown : int
        How many characters are there.
    """

    n_shown = 0

    def _width(self) -> int:
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns
        except (AttributeError, OSError, ValueError):  # no terminal of the system's
            width = 0
        return (width or shutil.get_terminal_size().columns) - 1

    def _rewrite(self, text: str) -> None:
        self._write(f"\r{text:<{min(self.n_shown, self._width())}}\r")
        self.n_shown = len(text)

    def _finish(self, last: str) -> None:
        if last or self.n_shown:
            end = "\n" if last else "\r"
            covered = min(self.n_shown + 2, self._width())  # 2, as Ctrl-C shows as ^C
            self._write(f"\r{last:<{covered}}{end}")


class NotebookLine(LiveLine):
    """A display of a Jupyter kernel, updated by its number.

    Parameters
    ----------
    publisher : IPython.core.displaypub.DisplayPublisher
    """

    def __init__(self, publisher: Any) -> None:
        super().__init__(None)
        self._publisher, self._id, self._is_there = publisher, uuid.uuid4().hex, False

    def _width(self) -> int:
        return _NOTEBOOK_WIDTH

    def _rewrite(self, text: str) -> None:
        self._publisher.publish(
            {"text/plain": text}, transient={"display_id": self._id}, update=self._is_there
        )
        self._is_there = True

    def _finish(self, last: str) -> None:
        if last or self._is_there:
            self._rewrite(last)


class _Nowhere:
    """A stream that is gone."""

    def write(self, text: str) -> None:
        pass

    def flush(self) -> None:
        pass


def line_here() -> Line:
    """The line of whoever calls.

    One that is live, if a terminal or a notebook is there and no other line is live in this
    process; else one in the log; none at all where many such pieces of work are run by another.
    """
    if is_one_of_many():
        return Line()
    publisher = notebook_publisher()
    line: LiveLine
    if publisher is not None:
        line = NotebookLine(publisher)
    elif is_terminal(sys.stderr):
        line = TerminalLine(sys.stderr)
    else:
        return _log()
    return line if _live.setdefault(os.getpid(), line) is line else _log()


def _log() -> Line:
    return Line() if sys.stderr is None else LogLine(sys.stderr)
