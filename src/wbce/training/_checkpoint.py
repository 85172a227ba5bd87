"""A training on disk: written while it goes on, and found by the next attempt at the same fit."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Sequence
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
    logs : list of dict of float
        What the history has of each epoch.
    stops : bool
        Whether that is enough.
    generator : dict or None
        State of the generator that shuffles rows.
    arrays : dict of lists of ndarray
        By whose they are.
    """

    logs: list[dict[str, float]]
    stops: bool
    generator: dict[str, Any] | None
    arrays: dict[str, list[NDArray[Any]]]


class Checkpoint:
    """The file of one fit.

    Parameters
    ----------
    folder : str or path-like
    name : str
        See `digest`.
    """

    def __init__(self, folder: str | os.PathLike[str], name: str) -> None:
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
        try:
            document, arrays = read_archive(self.path)
        except FileNotFoundError:
            return None
        except ArchiveError as error:
            raise ArchiveError(f"{error} {self._instead()}") from error
        try:
            return _progress(document, arrays)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ArchiveError(
                f"{os.fspath(self.path)!r} is no checkpoint of a fit ({type(error).__name__}: "
                f"{error}). {self._instead()}"
            ) from error

    def _instead(self) -> str:
        return "Delete the file, and the fit starts from its first epoch."

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
            "logs": [{k: float(v).hex() for k, v in log.items()} for log in progress.logs],
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
        """Remove the file: its fit is complete."""
        self.path.unlink(missing_ok=True)


def _progress(document: Any, arrays: Sequence[NDArray[Any]]) -> Progress:
    if document["checkpoint"] != _FORMAT:
        raise ValueError(f"format {document['checkpoint']}")
    if sum(document["groups"].values()) != len(arrays):
        raise ValueError(f"{len(arrays)} arrays")
    rest = iter(arrays)
    groups = {name: [next(rest) for _ in range(n)] for name, n in document["groups"].items()}
    logs = [{k: float.fromhex(v) for k, v in log.items()} for log in document["logs"]]
    return Progress(logs, document["stops"], document["generator"], groups)


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
