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
        What is wrong with it.

    Attributes
    ----------
    block, reason
        As passed.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce import BlockError, WeightedKerasClassifier
    >>> def batches():
    ...     yield np.zeros((60, 3)), np.arange(60) % 2
    ...     yield np.zeros((60, 2)), np.arange(60) % 2  # a column is missing
    >>> try:
    ...     WeightedKerasClassifier("linear", random_state=0).fit(batches)
    ... except BlockError as error:
    ...     print(error.block)
    batch 1 of the callable
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

    Examples
    --------
    >>> import numpy as np
    >>> from wbce import DivergenceError, WeightedKerasClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
    >>> clf = WeightedKerasClassifier(
    ...     "mlp", optimizer="sgd", optimizer__learning_rate=1e30, random_state=0
    ... )
    >>> try:
    ...     clf.fit(X, y)
    ... except DivergenceError as error:
    ...     print(error.epoch, error.kept_epoch)
    1 None
    >>> DivergenceError(3, float("nan")).keeping(2).kept_epoch
    2
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
        """Say the same with another epoch whose weights are kept.

        Parameters
        ----------
        kept_epoch : int or None

        Returns
        -------
        DivergenceError
        """
        return type(self)(self.epoch, self.loss, self.learning_rate, kept_epoch)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.epoch, self.loss, self.learning_rate, self.kept_epoch)
