"""What watches a training: the rows that judge, and the line that shows how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras
from wbce.progress import FitProgress


class ValidationScore(keras.callbacks.Callback):
    """Score the validation rows after every epoch; keep the best weights and stop in time.

    Parameters
    ----------
    score : callable
        Returns what the logs say of the validation rows under the network as it stands, among it
        ``val_log_loss``, which counts, lower is better; None to take ``val_loss``, the training
        loss of the validation rows.
    patience : int or None
        Epochs without a better score after which to stop. None scores every epoch and neither
        stops nor goes back.
    """

    def __init__(self, score: Callable[[], dict[str, float]] | None, patience: int | None) -> None:
        super().__init__()
        self.score = score
        self.patience = patience
        self.best_score = np.inf
        self.best_epoch = 0
        self.first_epoch = 0  # epochs before it are not scored, and do not count for patience
        self._best_weights: list[Any] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        if epoch < self.first_epoch:
            return
        if self.score is None:
            if "val_loss" not in logs:  # by validation_freq not every epoch has one
                return
            score = float(logs["val_loss"])
        else:
            logs.update(self.score())
            score = logs["val_log_loss"]
        if score < self.best_score:
            weights = None if self.patience is None else self.model.get_weights()
            self.best_score, self.best_epoch, self._best_weights = score, epoch + 1, weights
        elif self.is_spent(epoch + 1):
            self.model.stop_training = True

    def is_spent(self, n_epochs: int) -> bool:
        """Whether so many epochs are enough, as the last of them were no better."""
        return (
            self.patience is not None
            and self.best_epoch > 0
            and n_epochs - self.best_epoch >= self.patience
        )

    def state(self) -> list[NDArray[Any]]:
        """What the epochs so far have left, as arrays."""
        if not self.best_epoch:
            return []
        return [np.array(self.best_score), np.array(self.best_epoch), *(self._best_weights or [])]

    def go_to(self, state: list[NDArray[Any]]) -> None:
        """Go on from a `state`."""
        if state:
            self.best_score, self.best_epoch = float(state[0]), int(state[1])
            self._best_weights = state[2:] or None

    def said_of_best(self, n_epochs: int, history: dict[str, list[float]]) -> dict[str, float]:
        """What was said of the rows that judge in the best epoch, of so many."""
        if self.score is None:
            return {"val_loss": self.best_score}
        said = {"val_log_loss": self.best_score}
        precisions = history.get("val_average_precision", [])
        since = n_epochs - self.best_epoch
        if since < len(precisions):  # the first epochs may have none
            said["val_average_precision"] = precisions[-1 - since]
        return said

    @property
    def keeps_weights(self) -> bool:
        """Whether there is a best epoch to go back to."""
        return self._best_weights is not None

    def restore_best_weights(self) -> None:
        """Go back to the best epoch, if training may stop early."""
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)
            self._best_weights = None


class MemberScores(keras.callbacks.Callback):
    """Score every member of a network after every epoch; keep each one's best weights.

    Parameters
    ----------
    score : callable
        Returns what the logs say of the rows that members hold out, and the loss of each member
        on its own, lower is better.
    patience : int or None
        Epochs without a better score after which a member stops, as if it were alone; the
        training when all have. None scores every epoch and neither stops nor goes back.
    """

    def __init__(
        self,
        score: Callable[[], tuple[dict[str, float], NDArray[np.float64]]],
        patience: int | None,
    ) -> None:
        super().__init__()
        self.score = score
        self.patience = patience
        self.first_epoch = 0  # epochs before it are not scored, and do not count for patience
        self._best_losses: Any = np.inf
        self._best_epochs: Any = None
        self._best_weights: list[NDArray[Any]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch < self.first_epoch:
            return
        logs = {} if logs is None else logs
        said, losses = self.score()
        logs.update(said)
        better = losses < self._best_losses
        if self.patience is not None and self._best_epochs is not None:
            better &= epoch - self._best_epochs < self.patience  # the others have stopped
        values = [np.asarray(variable) for variable in self.model.trainable_variables]
        if self._best_epochs is None:
            self._best_epochs, self._best_weights = np.zeros(len(losses), int), values
        else:
            for best, now in zip(self._best_weights, values, strict=True):
                best[better] = now[better]
        self._best_losses = np.where(better, losses, self._best_losses)
        self._best_epochs[better] = epoch + 1
        if self.is_spent(epoch + 1):
            self.model.stop_training = True

    def is_spent(self, n_epochs: int) -> bool:
        """Whether so many epochs are enough, as the last of them were no better for any member."""
        return (
            self.patience is not None
            and self._best_epochs is not None
            and bool(n_epochs - self._best_epochs.max() >= self.patience)
        )

    def state(self) -> list[NDArray[Any]]:
        """What the epochs so far have left, as arrays."""
        if self._best_epochs is None:
            return []
        return [self._best_losses, self._best_epochs, *self._best_weights]

    def go_to(self, state: list[NDArray[Any]]) -> None:
        """Go on from a `state`."""
        if state:
            self._best_losses, self._best_epochs, *self._best_weights = state

    @property
    def keeps_weights(self) -> bool:
        """Whether there are best epochs to go back to."""
        return self.patience is not None and self._best_epochs is not None

    @property
    def best_epoch(self) -> int:
        """The middle of the members' best epochs."""
        return 0 if self._best_epochs is None else round(float(np.median(self._best_epochs)))

    def restore_best_weights(self) -> None:
        """Take each member back to its best epoch, if training may stop early."""
        if self.patience is not None and self._best_epochs is not None:
            for variable, best in zip(
                self.model.trainable_variables, self._best_weights, strict=True
            ):
                variable.assign(best)
        self._best_weights = []


class ShownEpochs(keras.callbacks.Callback):
    """Tell the line of a fit what Keras' own ``fit`` does; after the callbacks that score.

    Parameters
    ----------
    progress : FitProgress
    n_rows : int
        Of an epoch.
    arguments : dict
        Of ``keras.Model.fit``.
    scorers : list of ValidationScore
    """

    def __init__(
        self,
        progress: FitProgress,
        n_rows: int,
        arguments: dict[str, Any],
        scorers: list[ValidationScore],
    ) -> None:
        super().__init__()
        self._progress, self._arguments, self._scorers = progress, arguments, scorers
        self._batch_size, steps = arguments["batch_size"], arguments.get("steps_per_epoch")
        self._n_rows = n_rows if steps is None else steps * self._batch_size

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._progress.begin(
            self._arguments.get("initial_epoch", 0),
            self._arguments["epochs"],
            n_rows=self._n_rows,
            may_stop=bool(self._arguments.get("callbacks")),
            best_epoch=lambda: next((scorer.best_epoch for scorer in self._scorers), 0),
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.saw_rows((batch + 1) * self._batch_size)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._progress.ended_epoch(epoch + 1, logs or {})


class ShownPredictions(keras.callbacks.Callback):
    """Tell how many rows Keras' own ``predict`` has done.

    Parameters
    ----------
    saw : callable
        Called with a number of rows whenever so many more are done.
    n_rows : int
    batch_size : int
    """

    def __init__(self, saw: Callable[[int], None], n_rows: int, batch_size: int) -> None:
        super().__init__()
        self._saw, self._n_rows, self._batch_size = saw, n_rows, batch_size
        self._n_done = 0

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        n_done = min(self._n_rows, (batch + 1) * self._batch_size)
        self._saw(n_done - self._n_done)
        self._n_done = n_done
