"""Dates of a table: how they are written, and what a network is told of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

ISO = "ISO8601"
_DAYS = ("%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d")
_TIMES = ("", " %H:%M", " %H:%M:%S")
_FORMATS = (ISO, *(day + time for day in _DAYS[:-1] for time in _TIMES))
_TWO_YEARS = 730


def find_format(texts: list[str]) -> str | None:
    """Find out how dates are written.

    Parameters
    ----------
    texts : list of str
        Different ones, none missing.

    Returns
    -------
    str or None
        ``"ISO8601"`` or a format of ``strptime``, the first that holds for all, days before
        months; None where they are no dates.

    Examples
    --------
    >>> find_format(["2026-03-01", "2026-03-02 10:30:00"])
    'ISO8601'
    >>> find_format(["01/02/2026", "02/25/2026"])
    '%m/%d/%Y'
    >>> find_format(["2026", "1"]) is None
    True
    """
    import pandas as pd

    if not all(len(text) >= 8 and not text.isalnum() and text[0].isdigit() for text in texts):
        return None
    few, values = pd.Series(texts[:10], dtype=object), pd.Series(texts, dtype=object)
    for form in _FORMATS:
        if parse_dates(few, form).notna().all() and parse_dates(values, form).notna().all():
            return form
    return None


def example_of(date_format: str) -> str:
    """A date as it is written, for who does not know the codes of a format.

    Examples
    --------
    >>> example_of("%d/%m/%Y %H:%M"), example_of("ISO8601")
    ('31/12/2026 23:59', '2026-12-31')
    """
    last = datetime(2026, 12, 31, 23, 59, 59)
    return last.strftime("%Y-%m-%d" if date_format == ISO else date_format)


def is_ambiguous(texts: list[str], date_format: str) -> bool:
    """Whether days and months could be the other way round."""
    import pandas as pd

    if not date_format.startswith("%d") or date_format.startswith("%d."):
        return False
    other = date_format.replace("%d", "%-").replace("%m", "%d").replace("%-", "%m")
    return bool(parse_dates(pd.Series(texts, dtype=object), other).notna().all())


def parse_dates(texts: Any, date_format: str) -> Any:
    """Dates without a time zone, those with one in UTC; NaT for what is none."""
    import pandas as pd

    dates = pd.to_datetime(texts, format=date_format, errors="coerce", utc=True)
    return dates.dt.tz_localize(None)


def parts_of(dates: Any, is_time_column: bool) -> list[str]:
    """Which numbers a network is told of a column's dates.

    Days since 1970, but not of the column that orders the rows, of which no later row has a value
    that was there at the fit; the month where all came twice; the weekday; the hour, where there
    are times.
    """
    known = dates.dropna()
    parts = [] if is_time_column else ["days"]
    if (known.max() - known.min()).days >= _TWO_YEARS:
        parts.append("month")
    parts.append("weekday")
    if (known != known.dt.normalize()).any():
        parts.append("hour")
    return parts


def part(dates: Any, name: str) -> Any:
    """One part of dates: days and hours as floats, months and weekdays as texts.

    Examples
    --------
    >>> import pandas as pd
    >>> dates = pd.Series(pd.to_datetime(["1970-01-02 06:00", None]))
    >>> part(dates, "days").tolist(), part(dates, "weekday").tolist()
    ([1.25, nan], ['Friday', None])
    """
    import pandas as pd

    seconds = dates.to_numpy("datetime64[s]")
    missing = np.isnat(seconds)
    if name in ("days", "hour"):
        of_day = (seconds - seconds.astype("datetime64[D]")).astype(np.float64)
        day = seconds.astype("datetime64[D]").astype(np.float64)
        numbers = day + of_day / 86_400 if name == "days" else of_day / 3_600
        return pd.Series(np.where(missing, np.nan, numbers))
    texts = dates.dt.day_name() if name == "weekday" else dates.dt.strftime("%m")
    return texts.astype(object).where(~missing, None).reset_index(drop=True)
