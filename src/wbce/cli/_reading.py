"""A CSV or Parquet file as a table: texts as they are in the file, or the types of Parquet."""

from __future__ import annotations

import gzip
import importlib
import sys
import zlib
from pathlib import Path

from wbce.cli._errors import CommandError, did_you_mean
from wbce.cli._table import Table

_PARQUET, _ZIP, _GZIP = b"PAR1", b"PK\x03\x04", b"\x1f\x8b"


def check_installed(*libraries: str) -> None:
    """Check that what the command line needs beyond the package is there.

    Raises
    ------
    CommandError
        That says what to install.
    """
    for library in libraries:
        try:
            importlib.import_module(library)
        except ImportError as error:
            raise CommandError(
                f"This needs {library}, which is not installed ({error}). Install it with: "
                'pip install "wbce[cli]"'
            ) from error


def check_path(path: str, what: str) -> None:
    """Check that there is a file, before anything is loaded.

    Raises
    ------
    CommandError
        If there is none; names that are near are said.
    """
    if path == "-" or Path(path).exists():
        return
    folder = Path(path).parent
    there = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
    raise CommandError(
        f"There is no file {path!r}.{did_you_mean(Path(path).name, there)} Pass the path of {what}."
    )


def read_table(data: str, sep: str | None = None, encoding: str = "utf-8") -> Table:
    """Read a table.

    Parameters
    ----------
    data : str
        Path of a CSV file (also gzipped), a Parquet file or a folder of Parquet files; ``-`` is
        standard input.
    sep : str, optional
        What is between the columns of a CSV file; found out by default.
    encoding : str, default="utf-8"
        Of a CSV file.

    Returns
    -------
    Table

    Raises
    ------
    CommandError
        If it is no table that can be read; the message says what it is.
    """
    check_installed("pandas", "pyarrow")
    from wbce.cli._csv import read_csv
    from wbce.cli._parquet import read_parquet

    check_path(data, "a CSV or Parquet file, or - for standard input")
    source = "standard input" if data == "-" else data
    if data != "-" and Path(data).is_dir():
        table = read_parquet(data, source)
    else:
        content = _unpacked(_content(data, source), source)
        if content[:4] == _PARQUET:
            table = read_parquet(content, source)
        else:
            if sep is None and ".tsv" in Path(data).suffixes:
                sep = "\t"
            table = read_csv(content, source, sep, encoding)
    if not len(table):
        raise CommandError(f"{source!r} has a header and no rows.")
    return table


def _content(data: str, source: str) -> bytes:
    try:
        content = sys.stdin.buffer.read() if data == "-" else Path(data).read_bytes()
    except OSError as error:
        raise CommandError(f"{source!r} cannot be read: {error.strerror or error}.") from error
    if not content.strip():
        raise CommandError(f"{source!r} is empty. A table has a line of column names, and rows.")
    return content


def _unpacked(content: bytes, source: str) -> bytes:
    if content[:4] == _ZIP:
        raise CommandError(
            f"{source!r} is a zip archive, an Excel file or a model, and no table. Save a sheet as "
            "CSV; unpack an archive."
        )
    if content[:2] != _GZIP:
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise CommandError(
            f"{source!r} is a damaged gzip file: {error}. Take another copy."
        ) from error
