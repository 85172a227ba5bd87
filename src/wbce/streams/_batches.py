"""Batches that are only to be had one after the other."""

from __future__ import annotations

import itertools
import pickle
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wbce._errors import BlockError
from wbce.streams._stream import Block, PartedStream, Stream, reading

_END = object()


class BatchStream(Stream):
    """What an iterator gives, made anew for every pass.

    Parameters
    ----------
    start : callable
        Returns an iterator of (X, y) or (X, y, sample_weight).
    what : str
        Of what the batches are, for errors.
    """

    def __init__(self, start: Callable[[], Iterator[Any]], what: str) -> None:
        self._start, self._what = start, what
        self._seen: list[int] | None = None  # of the first pass

    def blocks(self, generator: np.random.Generator | None = None) -> Iterator[Block]:
        """All batches, in their own order.

        Raises
        ------
        BlockError
            If they are not those of the first pass: rows that judge are told by their place.
        """
        seen: list[int] = []
        with reading(self._what):
            batches = iter(self._start())
        for number in itertools.count():
            name = f"batch {number} of {self._what}"
            with reading(name):
                batch = next(batches, _END)
                if batch is _END:
                    break
                X, y, weight = _parts_of(batch)
            seen.append(_fingerprint(X, y))
            if self._seen is not None and seen[-1:] != self._seen[number : number + 1]:
                self._refuse_change(name)
            yield Block(name, number, 0, X, y, weight)
        if self._seen is not None and len(seen) < len(self._seen):
            self._refuse_change(f"the end of {self._what}, after batch {len(seen) - 1}")
        self._seen = seen

    def _refuse_change(self, name: str) -> None:
        raise BlockError(
            name,
            "the stream gives other rows than the first time. It is read once before "
            "training and once an epoch, and must give the same rows in the same order: leave out "
            "shuffling that differs from pass to pass (for tf.data reshuffle_each_iteration=False; "
            "rows are shuffled in training anyway), or pass an iterator, which is read once",
        )


class SpooledStream(PartedStream):
    """Batches of an iterator that can be read once, kept in a temporary folder.

    Parameters
    ----------
    batches : iterator of (X, y) or (X, y, sample_weight)
    """

    def __init__(self, batches: Iterator[Any]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="wbce-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._n_parts = 0
        for number in itertools.count():
            with reading(self.where(number)):
                batch = next(batches, _END)
                if batch is _END:
                    break
                parts = pickle.dumps(_parts_of(batch), protocol=5)
                self._file(number).write_bytes(parts)
            self._n_parts += 1

    @property
    def n_parts(self) -> int:
        """How many batches there were."""
        return self._n_parts

    def where(self, part: int) -> str:
        """Number of the batch."""
        return f"batch {part} of the iterator"

    def read(self, part: int) -> Iterator[tuple[Any, Any, Any]]:
        """One batch."""
        yield pickle.loads(self._file(part).read_bytes())

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.pkl"


class IndexedStream(PartedStream):
    """Batches that are had by number, such as those of a ``keras.utils.PyDataset``."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches

    @property
    def n_parts(self) -> int:
        """How many batches there are."""
        return len(self._batches)

    def where(self, part: int) -> str:
        """Number of the batch."""
        return f"batch {part} of {type(self._batches).__name__}"

    def read(self, part: int) -> Iterator[tuple[Any, Any, Any]]:
        """One batch."""
        yield _parts_of(self._batches[part])


def _parts_of(batch: Any) -> tuple[Any, Any, Any]:
    """Inputs, labels and weights."""
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        what = f"{len(batch)} parts" if isinstance(batch, tuple | list) else type(batch).__name__
        raise ValueError(f"it has {what}; (X, y) or (X, y, sample_weight) is expected")
    X, y, weight = (*batch, None)[:3]
    for part, dimensions, name in ((X, 2, "X"), (y, 1, "y"), (weight, 1, "sample_weight")):
        if part is not None and len(getattr(part, "shape", np.shape(part))) < dimensions:
            raise ValueError(
                f"its {name} is {type(part).__name__} of shape {np.shape(part)}, and a batch has "
                "several rows. Make batches of rows, for a tf.data.Dataset with .batch(1024)"
            )
    X, y, weight = (a.numpy() if hasattr(a, "numpy") else a for a in (X, y, weight))
    return X, y, weight


def _fingerprint(X: Any, y: Any) -> int:
    """A number that rows of another kind or order would not have: of labels, and of two rows."""
    ends = X.iloc[[0, -1]] if hasattr(X, "iloc") else X[:: max(1, len(X) - 1)]
    labels = np.asarray(y)
    as_bytes = repr(labels.tolist()).encode() if labels.dtype == object else labels.tobytes()
    return zlib.crc32(repr((np.shape(X), np.asarray(ends).tolist())).encode(), zlib.crc32(as_bytes))
