"""The errors of this package that say more than their message."""

from __future__ import annotations

import math
from typing import Any


class BlockError(ValueError):
    """A block of a stream cannot be used.

    Parameters
    ----------
    block : str
        Where it is: a file and row group, rows, a batch, a partition.
    reason : str

    Attributes
    ----------
    block, reason
        As passed.
    """

    def __init__(self, block: str, reason: str) -> None:
        self.block, self.reason = block, reason
        super().__init__(f"In {block}: {reason.rstrip('.')}.")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.block, self.reason)


class DivergenceError(ValueError):
    """The training loss is no longer a number, or the weights are of no use.

    Parameters
    ----------
    epoch : int
        In which it happened, counted from 1.
    loss : float
        The training loss of that epoch; finite where its last steps broke the weights.
    learning_rate : float, optional
        At that time.
    kept_epoch : int, optional
        Whose weights the estimator keeps. None says that it is as it was before.

    Attributes
    ----------
    epoch, loss, learning_rate, kept_epoch
        As passed.
    """

    def __init__(
        self,
        epoch: int,
        loss: float,
        learning_rate: float | None = None,
        kept_epoch: int | None = None,
    ) -> None:
        self.epoch, self.loss = epoch, loss
        self.learning_rate, self.kept_epoch = learning_rate, kept_epoch
        now = "" if learning_rate is None else f" (now {learning_rate:g})"
        what = (
            f"The weights became nan, infinite or too large to compute with in epoch {epoch} (its "
            f"training loss was {loss:g})"
            if math.isfinite(loss)
            else f"The training loss became {loss} in epoch {epoch}"
        )
        kept = (
            "The estimator is as it was before the call."
            if kept_epoch is None
            else f"The weights of epoch {kept_epoch} are kept (best_epoch_), and predict."
        )
        super().__init__(
            f"{what}. {kept} Try a smaller learning rate, optimizer__learning_rate{now}; scale the "
            "columns of X, if the network does not; clip gradients, optimizer__clipnorm=1."
        )

    def keeping(self, kept_epoch: int | None) -> DivergenceError:
        """Say the same with another epoch whose weights are kept."""
        return type(self)(self.epoch, self.loss, self.learning_rate, kept_epoch)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.epoch, self.loss, self.learning_rate, self.kept_epoch)
