"""Ctrl-C, heard between epochs."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupts:
    """Takes Ctrl-C down in place of raising it wherever the training happens to be.

    In between epochs weights, scores and history belong together; within one they do not: who
    trains looks at ``heard``. Ctrl-C once more raises it at once. A handler of the user's is left
    alone, and so are fits outside the main thread, which hear no signals.

    Attributes
    ----------
    heard : bool
    insisted : bool
        Whether it came again.
    """

    heard = insisted = False

    def __enter__(self) -> Interrupts:
        self._listens = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._listens:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._listens and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.heard:
            self.insisted = True
            raise KeyboardInterrupt
        self.heard = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed: within an epoch that takes long."""
        if self.heard:
            raise KeyboardInterrupt
