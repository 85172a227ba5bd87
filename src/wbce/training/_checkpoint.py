"""A training on disk: written while it goes on, and found by the next attempt at the same fit."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._archive import ArchiveError, read_archive, write_archive

SECONDS_BETWEEN = 5.0  # at least, from the end of one file's writing to the start of the next's

_SUFFIX = ".wbce-checkpoint"
_FORMAT = 1


@dataclass(frozen=True)
class Progress:
    """Where a training stands after some whole epochs.

    Attributes
    ----------
    n_epochs : int
    history : dict of list of float
        Of these epochs.
    stops : bool
        Whether that is enough.
    generator : dict or None
        State of the generator that shuffles rows.
    arrays : dict of lists of ndarray
        By whose they are.
    """

    n_epochs: int
    history: dict[str, list[float]]
    stops: bool
    generator: dict[str, Any] | None
    arrays: dict[str, list[NDArray[Any]]]


@dataclass(frozen=True)
class CheckpointWish:
    """That a training be written while it goes on.

    Attributes
    ----------
    folder : str or path-like
    stays : bool
        Whether the file is to stay when the training is complete, until a larger one is that it
        is part of.
    """

    folder: str | os.PathLike[str]
    stays: bool = False


class Checkpoint:
    """The file of one fit.

    Parameters
    ----------
    folder : str or path-like
    name : str
        See `digest`.
    stays : bool
        As `CheckpointWish` has it.
    """

    def __init__(self, folder: str | os.PathLike[str], name: str, stays: bool) -> None:
        self.stays = stays
        self.path = Path(folder) / f"{name}{_SUFFIX}"
        self._due = time.monotonic() + SECONDS_BETWEEN
        self._complains = True

    def read(self) -> Progress | None:
        """Where the training stood when it was last written; None if it never was.

        Raises
        ------
        ArchiveError
            If the file is damaged.
        """
        with self.damage():
            try:
                return as_progress(*read_archive(self.path))
            except FileNotFoundError:
                return None

    @contextmanager
    def damage(self) -> Iterator[None]:
        """Say of errors with what was read that the file is damaged."""
        try:
            yield
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArchiveError(
                f"{os.fspath(self.path)!r} is no complete checkpoint of a fit, from which it could "
                f"go on ({type(error).__name__}: {error}). Delete the file, and the fit starts "
                "from its first epoch."
            ) from error

    def is_due(self) -> bool:
        """Whether it is time to write it again."""
        return time.monotonic() >= self._due

    def write(self, progress: Progress) -> None:
        """Write where the training stands, in place of where it stood before.

        A disk that is full by now is no reason to give up what was trained: it is warned of.
        """
        groups = {name: len(arrays) for name, arrays in progress.arrays.items()}
        document = {
            "checkpoint": _FORMAT,
            "n_epochs": progress.n_epochs,
            "history": {k: [float(v).hex() for v in own] for k, own in progress.history.items()},
            "stops": progress.stops,
            "generator": progress.generator,
            "groups": groups,
        }
        try:
            write_archive(self.path, document, [a for own in progress.arrays.values() for a in own])
        except OSError as error:
            if self._complains:
                warnings.warn(
                    f"The training cannot be written to {os.fspath(self.path)!r} ({error}), and "
                    "goes on without; make room, and it will be written later.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._complains = False
        self._due = time.monotonic() + SECONDS_BETWEEN

    def remove(self) -> None:
        """Remove the file, and what a killed process left of it half written."""
        for path in [self.path, *self.path.parent.glob(f".{self.path.name}.*.new")]:
            path.unlink(missing_ok=True)


def as_progress(document: Any, arrays: Sequence[NDArray[Any]]) -> Progress:
    """What a file says."""
    if document["checkpoint"] != _FORMAT:
        raise ValueError(f"format {document['checkpoint']}")
    if sum(document["groups"].values()) != len(arrays):
        raise ValueError(f"{len(arrays)} arrays")
    rest = iter(arrays)
    groups = {name: [next(rest) for _ in range(n)] for name, n in document["groups"].items()}
    history = {k: [float.fromhex(v) for v in own] for k, own in document["history"].items()}
    return Progress(document["n_epochs"], history, document["stops"], document["generator"], groups)


def check_folder(folder: str | os.PathLike[str]) -> None:
    """See that files can be written to a folder, which is made if it is not there.

    Raises
    ------
    ValueError
        If they cannot.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except OSError as error:
        raise ValueError(
            f"checkpoint={os.fspath(folder)!r} is no folder that can be written to ({error}). Pass "
            "another one, or None to train without."
        ) from error


def as_arrays(tensors: Sequence[Any]) -> list[NDArray[Any]]:
    """Values of variables, as a file takes them.

    Raises
    ------
    ValueError
        If some are no plain numbers.
    """
    arrays = [np.asarray(tensor) for tensor in tensors]
    strange = next((a.dtype for a in arrays if a.dtype.kind not in "biuf"), None)
    if strange is not None:
        raise ValueError(f"it has variables of type {strange}")
    return arrays
