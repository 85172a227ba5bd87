"""Rows that come in blocks, as often as they are asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from wbce._errors import BlockError


@dataclass(frozen=True)
class Block:
    """Some rows.

    Attributes
    ----------
    name : str
        Where they come from, for whoever must find them.
    part : int
        The same rows are in the same part every time,
    start : int
        and the first of these is that part's row of this number.
    X, y : array or frame
        Inputs and labels, as they come.
    sample_weight : array or None
    """

    name: str
    part: int
    start: int
    X: Any
    y: Any
    sample_weight: Any = None


class Stream(ABC):
    """Rows in blocks, in bounded memory.

    Attributes
    ----------
    n_rows : int or None
        How many there are, where that is known before they are read.
    """

    n_rows: int | None = None

    @abstractmethod
    def blocks(self, generator: np.random.Generator | None = None) -> Iterator[Block]:
        """All rows once; in an order that the generator draws, as far as it can be chosen.

        Raises
        ------
        BlockError
            If some cannot be read.
        """


class PartedStream(Stream):
    """Parts of which each can be read by itself.

    Attributes
    ----------
    read_at_once : int
        From how many parts blocks come in turn where the order is drawn.
    """

    read_at_once = 1

    @property
    @abstractmethod
    def n_parts(self) -> int:
        """How many there are."""

    @abstractmethod
    def where(self, part: int) -> str:
        """Where a part is, in words."""

    @abstractmethod
    def read(self, part: int) -> Iterator[tuple[Any, Any, Any]]:
        """Inputs, labels and weights of a part, in one block or several."""

    def blocks(self, generator: np.random.Generator | None = None) -> Iterator[Block]:
        """All parts; see `Stream`."""
        order = range(self.n_parts) if generator is None else generator.permutation(self.n_parts)
        waiting = map(self._of_part, map(int, order))
        at_once = 1 if generator is None else self.read_at_once
        being_read = list(islice(waiting, at_once))
        while being_read:
            for part in list(being_read):
                block = next(part, None)
                if block is not None:
                    yield block
                    continue
                being_read.remove(part)
                being_read += islice(waiting, 1)

    def _of_part(self, part: int) -> Iterator[Block]:
        name, start = self.where(part), 0
        rows = self.read(part)
        while True:
            with reading(name):
                found = next(rows, None)
            if found is None:
                return
            X, y, sample_weight = found
            yield Block(name, part, start, X, y, sample_weight)
            start += len(y)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Name what was being read in any error."""
    try:
        yield
    except BlockError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:500] or type(error).__name__
        raise BlockError(name, said) from error
