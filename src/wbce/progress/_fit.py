"""The line of a fit: a pass over a stream, folds, epochs, and how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wbce._numbers import is_number
from wbce.progress import _line
from wbce.progress._line import Line, line_here
from wbce.progress._pace import Pace
from wbce.progress._text import duration, number, remaining

_NAMES = {"val_average_precision": "val AP", "val_log_loss": "val log loss"}  # where room is short
# What of the line gives way to a narrow terminal, in this order.
_LAYOUTS = (
    ("fold", "epoch", "rows", "loss", "others", "log loss", "score", "best", "left"),
    ("fold", "epoch", "rows", "loss", "log loss", "score", "best", "left"),
    ("fold", "epoch", "rows", "loss", "score", "best", "left"),
    ("fold", "epoch", "rows", "loss", "score", "best in short", "left in short"),
    ("fold", "epoch", "rows", "loss", "score in short", "best in short", "left in short"),
    ("fold", "epoch", "rows", "score in short", "left in short"),
    ("fold", "epoch", "score in short", "left in short"),
    ("fold", "epoch", "left in short"),
    ("fold", "epoch"),
)
_SECONDS_OF_A_LONG_EPOCH = 1.0  # after which its rows are counted
_SECONDS_UNSEEN = 0.2  # of epochs that run in one call


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes
    ----------
    n_epochs : int
        That were run to their end.
    best_epoch : int or None
        None where none was better than others, as nobody judged.
    scores : dict of float
        Of the network that is kept.
    why : str
        Why it ended before its last epoch; empty if it did not.
    """

    n_epochs: int
    best_epoch: int | None
    scores: Mapping[str, float]
    why: str = ""


class FitProgress:
    """What a fit tells the line.

    Parameters
    ----------
    line : Line
    fold : tuple of (int, Folds), optional
        Which fold it is of the folds of another fit, from 1 on.
    """

    def __init__(self, line: Line, fold: tuple[int, Folds] | None = None) -> None:
        self._line, self._fold = line, fold
        self._folds: Folds | None = None
        self._started = _line.clock()
        self._outcome: Outcome | None = None
        self._pace = Pace()
        self._first = self._last = self._resumed = self._epoch = self._n_rows = 0
        self._may_stop = False
        self._best_epoch: Callable[[], int] = lambda: 0
        self._logs: Mapping[str, float] = {}
        self._epoch_began = self._started

    @classmethod
    def here(cls) -> FitProgress:
        """For whoever looks at where the caller writes."""
        return cls(line_here())

    @classmethod
    def unseen(cls) -> FitProgress:
        """For nobody."""
        return cls(Line())

    def silence(self) -> None:
        """Leave the line to others: nothing more is shown."""
        self._line.close()
        self._line = Line()

    # ------------------------------------------------------------------ before training

    def surveyed(self, n_rows: int, n_all: int | None = None) -> None:
        """So many rows of a stream have been seen, in the pass before training.

        Parameters
        ----------
        n_rows : int
        n_all : int, optional
            How many there are, where that is known.
        """
        if not self._shows():
            return
        now = _line.clock()
        self._pace.mark(now, n_rows)
        left = self._pace.seconds_for(n_all - n_rows) if n_all else None
        of_all = f"/{n_all:,}" if n_all else ""
        parts = {
            "rows": f"looking at all rows once: {n_rows:,}{of_all} rows",
            "short": f"{n_rows:,}{of_all} rows",
            "left": f"{remaining(left)} left" if left else "",
        }
        self._line.show(parts, (("rows", "left"), ("short", "left"), ("short",)))

    def of_fold(self, number_of_fold: int, n_folds: int) -> FitProgress:
        """For the fit of a fold, which shares the line."""
        self._folds = self._folds or Folds(n_folds)
        return FitProgress(self._line, (number_of_fold, self._folds))

    # ------------------------------------------------------------------ training

    def begin(
        self,
        epoch: int,
        last: int,
        *,
        n_rows: int,
        resumed: int = 0,
        may_stop: bool = False,
        best_epoch: Callable[[], int] = lambda: 0,
    ) -> None:
        """Training begins.

        Parameters
        ----------
        epoch : int
            How many epochs lie behind.
        last : int
            At most so many there will be.
        n_rows : int
            Of an epoch.
        resumed : int
            Epochs behind that a checkpoint gave.
        may_stop : bool
            Whether it may end before the last.
        best_epoch : callable
            Gives the best one so far, from 1 on, or 0.
        """
        self._pace = Pace()
        self._first, self._last, self._epoch = epoch - resumed, last, epoch
        self._n_rows, self._resumed = n_rows, resumed
        self._may_stop, self._best_epoch = may_stop, best_epoch
        self._epoch_began = _line.clock()
        if self._shows():
            self._show_epoch(min(epoch + 1, last))

    def ended_epoch(self, epoch: int, logs: Mapping[str, float]) -> None:
        """An epoch, from 1 on, has ended, and so have those before it."""
        if not self._line.is_live:
            return
        self._epoch, self._logs, self._epoch_began = epoch, logs, _line.clock()
        self._pace.mark(self._epoch_began, epoch)
        if self._shows():
            self._show_epoch(epoch)

    def saw_rows(self, n_rows: int) -> None:
        """So many rows of the epoch have been trained on."""
        if not self._line.is_live:
            return
        now, n_rows = _line.clock(), min(n_rows, self._n_rows)
        self._pace.mark(now, self._epoch + n_rows / max(1, self._n_rows))
        if now - self._epoch_began >= _SECONDS_OF_A_LONG_EPOCH and self._shows():
            self._show_epoch(self._epoch + 1, n_rows)

    def epochs_unseen(self) -> int | None:
        """How many epochs may run in one call and the line still move; None is any number."""
        if not self._line.is_live:
            return None
        seconds = self._pace.seconds_for(1)
        return max(1, int(_SECONDS_UNSEEN / max(seconds, 1e-9))) if seconds is not None else 1

    def _shows(self) -> bool:
        return self._line.is_due() and (self._fold is None or self._fold[1].shows(self._fold[0]))

    def _show_epoch(self, epoch: int, n_rows: int | None = None) -> None:
        logs = {name: value for name, value in self._logs.items() if is_number(value)}
        parts = {"epoch": f"epoch {epoch}/{self._last}"}
        if n_rows is not None:
            parts["rows"] = f"{n_rows:,}/{self._n_rows:,} rows"
        if self._fold is not None:
            parts["fold"] = f"fold {self._fold[0]}/{self._fold[1].n_folds}"
        if "loss" in logs:
            parts["loss"] = f"loss {number(logs.pop('loss'))}"
        score = next(
            (n for n in ("val_average_precision", "val_log_loss", "val_loss") if n in logs), None
        )
        if score is not None:
            value = number(logs.pop(score))
            parts["score"] = f"{score} {value}"
            parts["score in short"] = f"{_NAMES.get(score, score)} {value}"
        if "val_log_loss" in logs:
            parts["log loss"] = f"val_log_loss {number(logs.pop('val_log_loss'))}"
        parts["others"] = "  ".join(f"{name} {number(value)}" for name, value in logs.items())
        best = self._best_epoch()
        if best:
            parts["best"], parts["best in short"] = f"best epoch {best}", f"best {best}"
        done = self._epoch + (n_rows or 0) / max(1, self._n_rows)
        parts["left"], parts["left in short"] = self._left(self._last - done)
        self._line.show(parts, _LAYOUTS)

    def _left(self, n_epochs: float) -> tuple[str, str]:
        """How long the rest will take, in words and in short."""
        if self._fold is not None:
            seconds = self._fold[1].seconds_left()
            about, sign = "about ", "~"
        else:
            seconds = self._pace.seconds_for(n_epochs)
            about, sign = ("at most ", "<") if self._may_stop else ("", "")
        if seconds is None or n_epochs <= 0:
            return "", ""
        return f"{about}{remaining(seconds)} left", f"{sign}{remaining(seconds)} left"

    # ------------------------------------------------------------------ the end

    def trained(self, outcome: Outcome) -> None:
        """Training has ended; what it led to is said when all is."""
        self._outcome = outcome

    def close(self, succeeded: bool) -> None:
        """The fit has ended: say how, or leave nothing behind if it failed."""
        if self._fold is not None:
            self._fold[1].end(self._fold[0])
        else:
            outcome = self._outcome if succeeded else None
            self._line.close("" if outcome is None else self._last_words(outcome))

    def _last_words(self, outcome: Outcome) -> str:
        said = f"{outcome.n_epochs} of {self._last - self._first} epochs"
        if self._resumed:
            said += f" ({self._resumed} of them from the checkpoint)"
        if self._folds is not None:
            said += f", after {self._folds.n_folds} folds,"
        said += f" in {duration(_line.clock() - self._started)}"
        if outcome.why:
            said += f", {outcome.why}"
        scores = ", ".join(f"{name} {value:.4f}" for name, value in outcome.scores.items())
        found = [f"best epoch {outcome.best_epoch}"] if outcome.best_epoch else []
        return "; ".join([said, ": ".join([*found, *([scores] if scores else [])])]).rstrip("; ")


class Folds:
    """The folds of a fit, one after the other or side by side.

    Parameters
    ----------
    n_folds : int
    """

    def __init__(self, n_folds: int) -> None:
        self.n_folds = n_folds
        self._started = self._ended_at = _line.clock()
        self._ended: set[int] = set()
        self._running: set[int] = set()
        self._changing = threading.Lock()

    def shows(self, number_of_fold: int) -> bool:
        """Whether it is this one's turn to be shown: the first of those that run."""
        with self._changing:
            self._running.add(number_of_fold)
            return number_of_fold == min(self._running)

    def end(self, number_of_fold: int) -> None:
        """One has ended."""
        with self._changing:
            self._running.discard(number_of_fold)
            self._ended.add(number_of_fold)
            self._ended_at = _line.clock()

    def seconds_left(self) -> float | None:
        """What the others, and the network that is kept, will take about; None in the first."""
        if not self._ended:
            return None
        of_one = (self._ended_at - self._started) / len(self._ended)
        left = of_one * (self.n_folds + 1 - len(self._ended))
        return max(1.0, left - (_line.clock() - self._ended_at))
