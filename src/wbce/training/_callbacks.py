"""What watches a training: the validation rows, and the loss itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from wbce._backend import keras


class DivergenceCheck(keras.callbacks.Callback):
    """Stop with an error that says what to try when the loss is no longer a number."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            rate = getattr(self.model.optimizer, "learning_rate", None)
            now = "" if rate is None else f" (now {float(np.asarray(rate)):g})"
            raise ValueError(
                f"The training loss became {float(loss)} in epoch {epoch + 1}. Try a smaller "
                f"learning rate, optimizer__learning_rate{now}; scale the columns of X, if the "
                "network does not; clip gradients, optimizer__clipnorm=1."
            )


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
            self.best_score, self.best_epoch = score, epoch + 1
            if self.patience is not None:
                self._best_weights = self.model.get_weights()
        elif (
            self.patience is not None
            and self.best_epoch
            and epoch + 1 - self.best_epoch >= self.patience
        ):
            self.model.stop_training = True

    def restore_best_weights(self) -> None:
        """Go back to the best epoch, if training may stop early."""
        if self._best_weights is not None:
            self.model.set_weights(self._best_weights)
            self._best_weights = None
