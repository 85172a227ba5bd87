"""In which order epochs take the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.tracing import aligned_empty


class RowOrder:
    """Row numbers for one epoch after the other; a network's members each have their own.

    Parameters
    ----------
    rows_of_members : sequence of ndarray of int
        The rows that each member trains on. Where some have fewer than others they see some of
        theirs twice.
    batch_size : int
        Rows of a member in a step.
    shuffle : bool
    seed : int
    """

    def __init__(
        self,
        rows_of_members: Sequence[NDArray[np.integer]],
        batch_size: int,
        shuffle: bool,
        seed: int,
    ) -> None:
        self._rows = [np.array(rows, dtype=np.int32) for rows in rows_of_members]
        self._batch_size = batch_size
        self._generator = np.random.default_rng(seed) if shuffle else None
        self.n_rows = max(len(rows) for rows in self._rows) * len(self._rows)

    def state(self) -> tuple[dict[str, Any] | None, list[NDArray[np.int32]]]:
        """Where the shuffling stands: its generator, and the rows as it left them."""
        generator = self._generator
        return None if generator is None else dict(generator.bit_generator.state), self._rows

    def go_to(self, generator: dict[str, Any] | None, rows: Sequence[NDArray[np.int32]]) -> None:
        """Go on from a `state`."""
        for own, saved in zip(self._rows, rows, strict=True):
            own[:] = saved
        if self._generator is not None:
            self._generator.bit_generator.state = generator or {}

    def of_epochs(self, n_epochs: int) -> NDArray[np.int32]:
        """Row numbers, of shape (n_epochs, n_rows).

        Each step takes the next ``batch_size`` rows of the first member, then those of the
        second, and so on.
        """
        orders = aligned_empty((n_epochs, self.n_rows), np.int32)
        for order in orders:
            of_members = np.empty((len(self._rows), self.n_rows // len(self._rows)), np.int32)
            for member, rows in zip(of_members, self._rows, strict=True):
                if self._generator is not None:
                    self._generator.shuffle(rows)
                member[:] = np.resize(rows, len(member))
            steps = range(0, of_members.shape[1], self._batch_size)
            batches = [of_members[:, i : i + self._batch_size].ravel() for i in steps]
            order[:] = np.concatenate(batches)
        return orders
