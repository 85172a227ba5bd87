"""How fast work goes, and what that says of the rest."""

from __future__ import annotations


class Pace:
    """Speed from the first mark on: before it come things that happen once, such as tracing.

    Examples
    --------
    >>> pace = Pace()
    >>> for seconds, done in ((2.0, 1), (2.5, 2), (3.0, 3)):
    ...     pace.mark(seconds, done)
    >>> pace.seconds_for(4)
    2.0
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] = (0.0, 0.0)

    def mark(self, time: float, done: float) -> None:
        """Note how much is done at a time."""
        self._first = self._first or (time, done)
        self._last = (time, done)

    def seconds_for(self, amount: float) -> float | None:
        """How long so much more will take; None as long as that is not known."""
        if self._first is None or self._last[1] <= self._first[1]:
            return None
        seconds, done = (last - first for last, first in zip(self._last, self._first, strict=True))
        return amount * seconds / done
