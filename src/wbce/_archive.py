"""A file of JSON and arrays: written whole or not at all, read without running any code.

A zip archive with one ``document.json`` and an ``.npy`` file for every array, none of them
compressed: what a file takes in memory is what it takes on disk.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import stat
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_DOCUMENT = "document.json"
_MOST_ARRAYS = 10_000
_LONGEST_DOCUMENT = 2**26  # bytes: a parsed document takes some ten times as much
_NUMBERS = "biuf"


class ArchiveError(ValueError):
    """A file that is none of this package's, was cut off, or has been tampered with.

    Examples
    --------
    >>> import os, tempfile
    >>> from wbce import ArchiveError, load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "letter.txt")
    ...     with open(path, "w") as file:
    ...         _ = file.write("Dear model,")
    ...     try:
    ...         load(path)
    ...     except ArchiveError:
    ...         print("Not a file of this package.")
    Not a file of this package.
    """


@contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file so that it is there as a whole or as it was before.

    Parameters
    ----------
    path : str or path-like

    Yields
    ------
    file object
        Of a new file in the same folder, which takes the place of the old one at the end. After
        an error, such as a full disk, it is removed.

    Raises
    ------
    FileNotFoundError
        If its folder is not there.
    """
    path = Path(os.path.realpath(path))  # where a link points to, and not the link
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(path.parent)!r} for the file {path.name!r}. Make it first, "
            "or pass another path."
        )
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        with open(new, "xb") as file:
            if path.exists():
                os.chmod(new, path.stat().st_mode & 0o777)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _note_in_folder(path.parent)


def write_archive(
    path: str | os.PathLike[str], document: Any, arrays: Sequence[NDArray[Any]]
) -> None:
    """Write a document and arrays; the old file stays if that fails.

    Parameters
    ----------
    path : str or path-like
    document : dict, list, str, number, bool or None
        As JSON has them; no NaN or infinity.
    arrays : sequence of ndarray
        Of booleans or numbers.
    """
    with written_whole(path) as file:
        write_archive_to(file, document, arrays)


def write_archive_to(file: BinaryIO, document: Any, arrays: Sequence[NDArray[Any]]) -> None:
    """Write a document and arrays to an open file; see `write_archive`."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
    if len(text) > _LONGEST_DOCUMENT or len(arrays) > _MOST_ARRAYS:
        raise ValueError(
            f"The file would have a document of {len(text)} bytes and {len(arrays)} "
            f"arrays; at most {_LONGEST_DOCUMENT} and {_MOST_ARRAYS} can be read again."
        )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member(_DOCUMENT), text)
        for i, array in enumerate(arrays):
            with archive.open(_member(_array_name(i)), "w", force_zip64=array.nbytes > 2**30) as to:
                np.lib.format.write_array(to, np.asanyarray(array), allow_pickle=False)


def read_archive(path: str | os.PathLike[str]) -> tuple[Any, list[NDArray[Any]]]:
    """Read a document and arrays.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    document, arrays

    Raises
    ------
    ArchiveError
        If the file is not one that `write_archive` made, complete and unchanged. What is read
        of it never takes more than some times its size in memory.
    OSError
        If it cannot be read at all.
    """
    with open(path, "rb", opener=_opened_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ArchiveError(f"{os.fspath(path)!r} is a pipe or a device, and no file.")
        return read_archive_from(file, path)


def read_archive_from(
    file: BinaryIO, path: str | os.PathLike[str]
) -> tuple[Any, list[NDArray[Any]]]:
    """Read a document and arrays from an open file; errors name ``path``."""
    try:
        return _read(file)
    except ArchiveError as error:
        raise ArchiveError(f"{os.fspath(path)!r} {error}") from error
    except Exception as error:  # of bytes of any form
        raise ArchiveError(
            f"{os.fspath(path)!r} cannot be read: it is no file of this package, was cut off, "
            f"or has been damaged ({type(error).__name__}: {error}). Take another copy of it."
        ) from error


def _opened_at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever writes into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(file: BinaryIO) -> tuple[Any, list[NDArray[Any]]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        _check_members(members, file.seek(0, os.SEEK_END))
        document = json.loads(archive.read(members[0]), parse_constant=_refuse_constant)
        arrays = [_array(archive.read(member), member.filename) for member in members[1:]]
    return document, arrays


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    """Check, before any is read, that members are those that are written, and no larger."""
    if len(members) - 1 > _MOST_ARRAYS:
        raise ArchiveError(f"has {len(members)} parts, and at most {_MOST_ARRAYS + 1} are allowed.")
    if not members:
        raise ArchiveError("is empty.")
    expected = [_DOCUMENT, *(_array_name(i) for i in range(len(members) - 1))]
    names = [member.filename for member in members]
    if names != expected:
        strange = next((n for n, e in zip(names, expected, strict=False) if n != e), "nothing")
        raise ArchiveError(
            f"has {strange[:100]!r} in it where a file of this package has something else: it is "
            "another program's, or has been changed."
        )
    if any(
        m.compress_type != zipfile.ZIP_STORED or m.file_size != m.compress_size for m in members
    ):
        raise ArchiveError(
            "has compressed parts, which may grow to any size. This package writes none: the file "
            "has been packed anew, or made to do harm."
        )
    if sum(member.file_size for member in members) > size:
        raise ArchiveError("says that its parts are larger than it is: it has been damaged.")
    if members[0].file_size > _LONGEST_DOCUMENT:
        raise ArchiveError(
            f"has a document of {members[0].file_size} bytes, and at most {_LONGEST_DOCUMENT} are "
            "allowed."
        )


def _array(data: bytes, name: str) -> NDArray[Any]:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ArchiveError(f"has an array {name} of the format {version}, which is not read here.")
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in _NUMBERS or dtype.hasobject:
        raise ArchiveError(f"has an array {name} of type {dtype}, and only numbers are allowed.")
    n_numbers = 1
    for length in shape:
        n_numbers *= length
    if min(shape, default=0) < 0 or n_numbers * dtype.itemsize != len(data) - stream.tell():
        raise ArchiveError(f"has an array {name} that is not of the shape {shape} that it says.")
    values = np.frombuffer(data, dtype, n_numbers, offset=stream.tell())
    return values.reshape(shape, order="F" if in_columns else "C").copy()


def _refuse_constant(name: str) -> None:
    raise ArchiveError(f"has {name} in its document, where JSON has only finite numbers.")


def _array_name(i: int) -> str:
    return f"arrays/{i}.npy"


def _member(name: str) -> zipfile.ZipInfo:
    """Of one date, so that the same content is the same file."""
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def _note_in_folder(folder: Path) -> None:
    """Have the folder's entry on the disk, where the system can say so."""
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
