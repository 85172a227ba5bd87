"""CSV files, every value as the text that it is; damaged ones are errors that say where."""

from __future__ import annotations

import codecs
import csv
import io
import re
from itertools import islice

from wbce.cli._errors import CommandError
from wbce.cli._table import Table, check_header

MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "?"]
"""What stands for a missing value."""

_SEPARATORS = ",;\t|"
_LOOKED_AT = 2**16
_OTHER_UNICODE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def read_csv(content: bytes, source: str, sep: str | None, encoding: str) -> Table:
    """Read a CSV file.

    Parameters
    ----------
    content : bytes
    source : str
        Its name, for messages.
    sep : str, optional
        What is between columns; found out by default.
    encoding : str

    Returns
    -------
    Table
        Of texts.

    Raises
    ------
    CommandError
        If it is no text, of another encoding, or a row has more or fewer values than columns.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    content = _as_utf8(content, source, encoding)
    try:
        sep = sep or _separator(content)
        names = _rows_of(content, sep, 1)[0]
    except csv.Error as error:
        raise CommandError(
            f"The first lines of {source!r} cannot be read as CSV: {error}. Values with the "
            "separator or a new line in them must be in quotation marks."
        ) from error
    check_header(names, source)
    try:
        table = arrow.read_csv(
            io.BytesIO(content),
            arrow.ReadOptions(use_threads=False),  # else it does not count the rows
            arrow.ParseOptions(delimiter=sep, newlines_in_values=True),
            arrow.ConvertOptions(
                column_types={name: pa.string() for name in names},
                strings_can_be_null=True,
                null_values=MISSING,
            ),
        )
    except pa.ArrowInvalid as error:
        raise CommandError(_what_is_wrong(str(error), source, sep)) from error
    return Table(table.to_pandas().astype(object), source)


def _as_utf8(content: bytes, source: str, encoding: str) -> bytes:
    if content.startswith(_OTHER_UNICODE) and encoding == "utf-8":
        raise CommandError(f"{source!r} is written in UTF-16. Pass --encoding utf-16.")
    try:
        text = content.decode(encoding)
    except LookupError as error:
        raise CommandError(
            f"--encoding {encoding} is not known. Pass utf-8, latin-1, cp1252, utf-16 or another "
            "name that Python knows."
        ) from error
    except UnicodeError as error:
        place = getattr(error, "start", 0)
        if b"\0" in content[:_LOOKED_AT]:
            raise CommandError(_no_text(content, source)) from error
        line = content.count(b"\n", 0, place) + 1
        raise CommandError(
            f"{source!r} is not written in {encoding}: byte 0x{content[place]:02x} in line {line} "
            "cannot be read. Pass --encoding: latin-1 or cp1252 for files of older Windows "
            "programs, utf-16 for some of Excel's."
        ) from error
    if "\0" in text[:_LOOKED_AT]:
        raise CommandError(_no_text(content, source))
    return text.removeprefix("\ufeff").encode()


def _no_text(content: bytes, source: str) -> str:
    return (
        f"{source!r} is no text: it begins with {content[:8]!r}. Pass a CSV or Parquet file, or a "
        "folder of Parquet files."
    )


def _rows_of(content: bytes, sep: str, n: int) -> list[list[str]]:
    """The first rows that are not empty; lines end as they do on any system."""
    text = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    return list(islice(filter(None, csv.reader(text, delimiter=sep)), n))


def _separator(content: bytes) -> str:
    """The separator that divides the header into most columns, and the next row as the header."""
    counts = {}
    for sep in _SEPARATORS:
        try:
            rows = [len(row) for row in _rows_of(content, sep, 2)]
        except csv.Error:  # a header of many columns is one long value where sep is another's
            rows = [0]
        counts[sep] = (rows[0] == rows[-1] and rows[0] > 1, rows[0])
    return max(counts, key=counts.__getitem__)


def _what_is_wrong(said: str, source: str, sep: str) -> str:
    ragged = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+): ?(.*)", said, re.S)
    if ragged is None:
        return f"{source!r} cannot be read as CSV: {said.splitlines()[0]}."
    row, expected, got, text = ragged.groups()
    return (
        f"Line {row} of {source!r} has {got} values, and the header {expected} columns: "
        f"{text.strip()[:60]!r}. Values with {sep!r} in them must be in quotation marks; if "
        "another character is between the columns, pass --sep."
    )
