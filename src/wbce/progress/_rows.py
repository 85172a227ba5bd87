"""The line of predictions: rows done and left, where they take longer than a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wbce.progress import _line
from wbce.progress._line import Line, line_here
from wbce.progress._pace import Pace
from wbce.progress._text import remaining
from wbce.progress._where import is_live

_SECONDS_OF_A_MOMENT = 1.0
_LAYOUTS = (("what", "rows", "left"), ("rows", "left"), ("rows",))


class RowProgress:
    """Rows as they are predicted.

    Parameters
    ----------
    n_rows : int or None
        How many there are; None where that is not known.
    """

    def __init__(self, n_rows: int | None) -> None:
        self._n_rows, self._n_done = n_rows, 0
        self._started = _line.clock()
        self._pace = Pace()
        self._line: Line | None = None

    def saw(self, n_rows: int) -> None:
        """So many more rows are done."""
        self._n_done += n_rows
        now = _line.clock()
        self._pace.mark(now, self._n_done)
        if now - self._started < _SECONDS_OF_A_MOMENT:
            return
        if self._line is None:
            self._line = line_here()
        if not self._line.is_due():
            return
        left = None
        if self._n_rows is not None:
            left = self._pace.seconds_for(self._n_rows - self._n_done)
        of_all = "" if self._n_rows is None else f"/{self._n_rows:,}"
        parts = {
            "what": "predicting",
            "rows": f"{self._n_done:,}{of_all} rows",
            "left": f"{remaining(left)} left" if left else "",
        }
        self._line.show(parts, _LAYOUTS)

    def close(self) -> None:
        """Leave nothing behind."""
        if self._line is not None:
            self._line.close()


@contextmanager
def rows_shown(verbose: Any, n_rows: int | None) -> Iterator[Callable[[int], None]]:
    """Show the rows of a prediction while it goes on, if they are wanted.

    Within one that is shown already, or a fit, nothing more is.

    Returns
    -------
    context manager
        Of a function that is called with a number of rows whenever so many more are done.
    """
    if not is_live(verbose):
        yield lambda n_rows: None
        return
    progress = RowProgress(n_rows)
    try:
        yield progress.saw
    finally:
        progress.close()
