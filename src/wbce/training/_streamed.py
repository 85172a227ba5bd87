"""Training on rows that come in pools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras
from wbce.networks import members_of
from wbce.streams import Pools
from wbce.training._compiled import CompiledTraining
from wbce.training._order import RowOrder


class PoolOrder:
    """A seed for the order of every epoch, in place of its row numbers; see `RowOrder`.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.default_rng(seed)

    def state(self) -> tuple[dict[str, Any], list[NDArray[np.int32]]]:
        """Where it stands."""
        return dict(self._generator.bit_generator.state), []

    def go_to(self, generator: dict[str, Any] | None, rows: Any) -> None:
        """Go on from a `state`."""
        self._generator.bit_generator.state = generator or {}

    def of_epochs(self, n_epochs: int) -> NDArray[np.int64]:
        """Seeds, of shape (n_epochs,)."""
        return self._generator.integers(2**63 - 1, size=n_epochs)


class StreamedTraining(CompiledTraining):
    """The compiled training on one pool of rows after the other.

    Parameters
    ----------
    network, batch_size, keep_state
        As of `CompiledTraining`.
    pools : Pools
    like : tuple of ndarray
        Inputs, targets and weights of some rows.
    shuffle : bool

    Attributes
    ----------
    before_pool : callable
        Called before each pool is trained on; may raise, to stop.
    after_pool : callable
        Called after each pool with the number of the epoch's rows so far.
    """

    def __init__(
        self,
        network: keras.Model,
        pools: Pools,
        like: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None],
        batch_size: int,
        keep_state: bool,
        shuffle: bool,
    ) -> None:
        super().__init__(network, *like, batch_size, keep_state, n_rows=pools.n_rows)
        self._pools, self._shuffle = pools, shuffle
        self._n_members, self._of_member = members_of(network), batch_size
        self.before_pool: Callable[[], None] = lambda: None
        self.after_pool: Callable[[int], None] = lambda n_rows: None

    def run(self, order: NDArray[np.integer]) -> NDArray[np.float32]:
        """Train for some epochs, each of which has a seed.

        Returns
        -------
        ndarray of shape (n_epochs,)
            Mean training loss of every epoch; of one that is broken off as it is no number, that.
        """
        return np.array([self._epoch(int(seed)) for seed in order], dtype=np.float32)

    def _epoch(self, seed: int) -> float:
        generator = np.random.default_rng(seed) if self._shuffle else None
        total, n_rows = 0.0, 0
        for number, (X, y, sample_weight) in enumerate(self._pools.of_epoch(generator)):
            self.before_pool()
            self.take(X, y, sample_weight)
            every = np.arange(len(X))
            rows = RowOrder(
                [every] * self._n_members, self._of_member, self._shuffle, seed + number
            )
            loss = float(super().run(rows.of_epochs(1))[0])
            if not np.isfinite(loss):
                return loss
            total, n_rows = total + loss * len(X), n_rows + len(X)
            self.after_pool(n_rows)
        return total / max(1, n_rows)
