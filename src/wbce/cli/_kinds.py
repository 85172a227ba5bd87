"""What a column holds (numbers, booleans, categories, dates, texts), and its values as that."""

from __future__ import annotations

import re
from typing import Any

from wbce.cli._dates import example_of, find_format, parse_dates
from wbce.cli._errors import CommandError, listed

KINDS = ("number", "boolean", "category", "date", "text")

MOST_CATEGORIES = 256
"""Of a column with more, the network tells only the most frequent apart."""

_BOOLEANS = {"true": "true", "false": "false", "1": "true", "0": "false"}
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_AMOUNT = re.compile(r"[€$£¥]\s*-?\d[\d.,]*|-?\d[\d.,]*\s*[%€$£¥]")
_WHOLE = re.compile(r"^(-?\d+)\.0+$")


def is_text(values: Any) -> bool:
    """Whether a column holds texts, and no numbers, booleans or dates by type."""
    return str(values.dtype).lower() in ("object", "str", "string")


def kind_of(values: Any, decimal: str) -> str:
    """Find out what a column holds.

    Parameters
    ----------
    values : pandas.Series
    decimal : str
        What is before the decimals of numbers that are texts.

    Returns
    -------
    str
        One of `KINDS`; ``"empty"`` where all are missing.
    """
    known = values.dropna()
    if not len(known):
        return "empty"
    if not is_text(values):
        name = str(values.dtype).lower()
        if name.startswith("bool"):
            return "boolean"
        return "date" if name.startswith("datetime") else "number"
    different = known.astype(str).str.strip().unique().tolist()
    if {text.lower() for text in different} <= {"true", "false"}:
        return "boolean"
    if not any(map(_LEADING_ZERO.match, different)) and _all_numbers(different, decimal):
        return "number"
    if find_format(different) is not None:
        return "date"
    unlike = len(different) > 20 and len(different) > len(known) / 2
    return "text" if len(different) > MOST_CATEGORIES or unlike else "category"


def as_kind(values: Any, kind: str, decimal: str, source: str, date_format: str = "") -> Any:
    """Give a column's values as what they were at the fit.

    Parameters
    ----------
    values : pandas.Series
    kind : str
        One of `KINDS`.
    decimal, source, date_format : str

    Returns
    -------
    pandas.Series
        Of floats, of objects (texts and None), or of dates.

    Raises
    ------
    CommandError
        If a value is none of this kind: it names the column, the row and the value.
    """
    if kind == "number":
        return _numbers(values, decimal, source)
    if kind == "date":
        return _dates(values, date_format, source)
    texts = _texts(values)
    if kind != "boolean":
        return texts
    known = texts.map(lambda text: _BOOLEANS.get(text.lower(), ""), na_action="ignore")
    _refuse(values, known == "", "true or false", source)
    return known.astype(object).where(known.notna(), None)


def number_or_nan(texts: Any, decimal: str) -> Any:
    """Numbers of texts; NaN for what is none."""
    import pandas as pd

    if decimal != ".":  # a point is then no decimal, but may group thousands
        texts = texts.astype(object).str.replace(".", "?", regex=False)
        texts = texts.str.replace(decimal, ".", regex=False)
    return pd.to_numeric(texts, errors="coerce").astype("float64")


def looks_like_decimals(values: Any, decimal: str) -> bool:
    """Whether most texts of a column are numbers with this character before the decimals."""
    if not is_text(values):
        return False
    known = values.dropna().astype(str).str.strip()
    number = rf"-?\d+{re.escape(decimal)}\d+"
    return len(known) > 0 and bool(known.str.fullmatch(number).mean() > 0.5)


def looks_like_amounts(texts: Any) -> bool:
    """Whether most texts are numbers with a sign of per cent or of a currency."""
    return bool(texts.str.fullmatch(_AMOUNT).mean() > 0.9)


def _all_numbers(texts: list[str], decimal: str) -> bool:
    import pandas as pd

    numbers = number_or_nan(pd.Series(texts, dtype=object), decimal)
    return bool(numbers.notna().all())


def _numbers(values: Any, decimal: str, source: str) -> Any:
    import pandas as pd

    nan = float("nan")
    if is_text(values):
        numbers = number_or_nan(values.astype(object), decimal)
    elif str(values.dtype).startswith("datetime"):
        numbers = pd.Series(nan, index=values.index)
    else:
        numbers = pd.Series(values.to_numpy("float64", na_value=nan), index=values.index)
    _refuse(values, numbers.isna() & values.notna(), "numbers", source)
    _refuse(values, numbers.abs() == float("inf"), "finite numbers", source)
    return numbers


def _dates(values: Any, date_format: str, source: str) -> Any:
    import pandas as pd

    if is_text(values):
        dates = parse_dates(values.astype(object).str.strip(), date_format)
    elif str(values.dtype).startswith("datetime"):
        dates = values if values.dt.tz is None else values.dt.tz_convert("UTC").dt.tz_localize(None)
    else:
        dates = pd.Series(pd.NaT, index=values.index)
    like = f" written as {example_of(date_format)}" if date_format else ""
    _refuse(values, dates.isna() & values.notna(), f"dates{like}", source)
    return dates


def _texts(values: Any) -> Any:
    """Texts, one for each value: 7, 7.0 and "7.0" are "7"; missing ones are None."""
    texts = values.astype(object).where(values.notna(), None)
    if str(values.dtype).startswith("datetime"):
        texts = values.dt.strftime("%Y-%m-%dT%H:%M:%S").astype(object)
    return texts.map(lambda value: _WHOLE.sub(r"\1", str(value).strip()), na_action="ignore").where(
        values.notna(), None
    )


def _refuse(values: Any, wrong: Any, kind: str, source: str) -> None:
    wrong = wrong.to_numpy(bool, na_value=False)
    if not wrong.any():
        return
    rows = wrong.nonzero()[0]
    examples = listed((repr(str(value)) for value in values.iloc[rows[:3]].unique()), 3)
    more = f", and {len(rows) - 1} rows more" if len(rows) > 1 else ""
    raise CommandError(
        f"Column {values.name!r} of {source} must have {kind}, as it had at the fit, and has "
        f"{examples} (row {rows[0] + 1}{more}). Correct these values, or leave them empty: then "
        "they are missing."
    )
