"""Frames with columns of categories, as the matrix of numbers that the built-in networks take."""

from __future__ import annotations

import datetime
import numbers
import sys
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._storable import storable
from wbce._warnings import CategoryWarning, warn_once

MAX_CATEGORIES = 256
"""The last of so many categories of a column is all rarer ones together."""

_MOST_VALUES = 2**20
_ROWS_A_CATEGORY = 3  # on average; with fewer, a column of very many names rows
_ENOUGH_TO_TELL = 10  # values, none of them a category of the fit, to say that something is wrong

_CATEGORICAL = (
    "category", "categorical", "dictionary", "enum", "str", "large_string", "utf8", "bool",
)  # fmt: skip
_TEMPORAL = ("date", "time", "duration", "period")


def is_frame(X: Any) -> bool:
    """Whether X is a pandas or polars frame."""
    frames = (
        getattr(sys.modules.get(library), "DataFrame", None) for library in ("pandas", "polars")
    )
    return any(frame is not None and isinstance(X, frame) for frame in frames)


def has_objects(X: Any) -> bool:
    """Whether a column of a frame holds objects, which may be numbers and missing values."""
    return is_frame(X) and any(str(dtype).lower() == "object" for dtype in X.dtypes)


class CategoryCounts:
    """How often each category comes, in frames that come one after the other.

    Attributes
    ----------
    names : list
        Of all columns.
    of : dict
        By name of a column with categories, counts by category.
    """

    def __init__(self) -> None:
        self.names: list[Any] = []
        self.of: dict[Any, dict[Any, int]] = {}
        self._numeric: set[Any] = set()

    def add(self, X: Any) -> CategoryCounts:
        """Count the categories of a frame.

        Raises
        ------
        ValueError
            If the columns are not those of the frames before, or have other kinds of values.
        """
        names = list(X.columns)
        if self.names and names != self.names:
            raise ValueError(f"X has the columns {names}, and the rows before {self.names}")
        self.names = names
        for i, name in enumerate(names):
            values = _categories(_column(X, i), name)
            if values is None:
                if name in self.of and not _is_all_missing(_column(X, i)):
                    raise ValueError(
                        f"column {name!r} of X has numbers, and categories in the rows before"
                    )
                if name not in self.of and not _is_all_missing(_column(X, i)):
                    self._numeric.add(name)
                continue
            if len(set(names)) < len(names):
                twice = sorted({n for n in names if names.count(n) > 1}, key=str)
                raise ValueError(
                    f"X has several columns of the names {twice}, and categories are found by "
                    "name: give every column its own."
                )
            if name in self._numeric:
                raise ValueError(
                    f"column {name!r} of X has categories, and numbers in the rows before"
                )
            counts = self.of.setdefault(name, {})
            try:
                for value, n in Counter(v for v in values if not _is_nan(v)).items():
                    counts[value] = counts.get(value, 0) + n
            except TypeError as error:  # lists and the like
                kinds = sorted({type(v).__name__ for v in values if not _is_nan(v)})
                raise ValueError(
                    f"Column {name!r} of X has values of the types {kinds}, which cannot be told "
                    "apart and sorted as categories. Make them all strings, or all numbers."
                ) from error
            if len(counts) > _MOST_VALUES:
                raise ValueError(
                    f"Column {name!r} of X has more than {_MOST_VALUES} different values: such as "
                    "names or numbers of single rows, of which nothing can be learned. Drop it."
                )
        return self


@storable("frame columns")
class FrameColumns:
    """Which columns of a frame are categories, and their numbers.

    Of one frame, or of the counts of several. A column of which nearly every row has a value of
    its own is a ``CategoryWarning``.

    Columns of type category, string or boolean, and of objects that are not all numbers, are
    categories. A missing value, and a category that was not there at the fit, become NaN;
    the network tells missing values that it has seen from others.

    Attributes
    ----------
    names : list
        Of all columns.
    categorical : list
        Names of those with categories.
    n_categories : list of int
        For every column how many categories it has; 0 for numbers.

    Raises
    ------
    ValueError
        If a column has dates, or values that cannot be sorted, or names are not unique.
    """

    def __init__(self, X: Any) -> None:
        counts = X if isinstance(X, CategoryCounts) else CategoryCounts().add(X)
        self.names = counts.names
        self._codes: dict[Any, dict[Any, int]] = {  # by column, of every category
            name: _codes_of(counts.of[name], name) for name in self.names if name in counts.of
        }
        self.categorical = list(self._codes)
        self.n_categories = [_n_of(self._codes.get(name, {})) for name in self.names]
        _warn_of_names_of_rows(counts)

    @classmethod
    def from_stored_state(cls, state: dict[str, Any]) -> FrameColumns:
        """Make it anew.

        Raises
        ------
        ValueError
            If the parts do not fit together.
        """
        names, codes, n_categories = state["names"], state["_codes"], state["n_categories"]
        fits = (
            type(names) is type(n_categories) is list
            and type(codes) is dict
            and list(codes) == state["categorical"]
            and set(codes) <= set(names)
            and all(type(known) is dict for known in codes.values())
            and n_categories == [_n_of(codes.get(name, {})) for name in names]
        )
        if not fits:
            raise ValueError("the columns of a frame do not fit together")
        columns = object.__new__(cls)
        vars(columns).update(state)
        return columns

    def numbers(self, X: Any) -> Any:
        """A frame of the same kind, with numbers in place of categories.

        Raises
        ------
        ValueError
            If the columns are not those of the fit in their order, or one that had numbers has
            others.
        """
        names = list(X.columns)
        if names != self.names:
            raise ValueError(_other_names(names, self.names))
        columns, strange = [], {}
        for i, name in enumerate(names):
            column, known = _column(X, i), self._codes.get(name)
            if known is None:
                columns.append(_as_numbers(column, name))
            else:
                values = _values(column)
                codes = np.array([_code(known, value) for value in values], dtype=np.float64)
                strange[name] = _strangers(values, codes, known)
                columns.append(codes)
        found = [f"column {name!r} has {what}" for name, what in strange.items() if what]
        if found:
            warn_once(
                f"Of X {'; '.join(found)}. None of these values is a category of the fit, and all "
                "count as unknown. If their type or spelling has changed, bring it back to what "
                "it was.",
                CategoryWarning,
            )
        matrix = np.column_stack(columns)
        if _is_polars(X):
            return type(X)(matrix, schema=names)
        return type(X)(matrix, columns=names, index=X.index)


def _n_of(codes: dict[Any, int]) -> int:
    return 1 + max(codes.values(), default=-1)


def _codes_of(counts: dict[Any, int], name: Any) -> dict[Any, int]:
    """The code of every category of a column, in their order; rare ones share the last."""
    try:
        categories = sorted(counts)
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in counts})
        raise ValueError(
            f"Column {name!r} of X has values of the types {kinds}, which cannot be told apart "
            "and sorted as categories. Make them all strings, or all numbers."
        ) from error
    rare: set[Any] = set()
    if len(categories) > MAX_CATEGORIES:
        by_count = sorted(categories, key=counts.__getitem__)
        rare = set(by_count[: len(by_count) - MAX_CATEGORIES + 1])
    codes = {category: i for i, category in enumerate(c for c in categories if c not in rare)}
    last = len(codes)
    return {category: codes.get(category, last) for category in categories}


def _code(known: dict[Any, int], value: Any) -> float:
    try:
        return known.get(value, np.nan)
    except TypeError:  # nothing that can be looked up
        return np.nan


def _strangers(
    values: NDArray[Any], codes: NDArray[np.float64], known: dict[Any, int]
) -> str | None:
    """Say of what kind a column's values are, if there are enough and none is a category."""
    if len(codes) < _ENOUGH_TO_TELL or not np.isnan(codes).all():
        return None
    given = [value for value in values.tolist() if not _is_nan(value)]
    if len(given) < _ENOUGH_TO_TELL or not known:
        return None
    now, then = (f"{some!r} ({type(some).__name__})" for some in (given[0], next(iter(known))))
    return f"{now} and others where the fit had {then} and others"


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and np.isnan(value)


def _is_polars(X: Any) -> bool:
    return type(X).__module__.startswith("polars")


def _warn_of_names_of_rows(counts: CategoryCounts) -> None:
    """Say which columns tell rows apart and not kinds of rows: IDs, dates in words, free text."""
    found = [
        f"{name!r} ({len(of)} different values in {sum(of.values())} rows)"
        for name, of in counts.of.items()
        if len(of) > MAX_CATEGORIES and sum(of.values()) < _ROWS_A_CATEGORY * len(of)
    ]
    if found:
        warn_once(
            f"Of X these columns look like IDs, dates or free text: {', '.join(found)}. Taken as "
            f"categories, all but the {MAX_CATEGORIES - 1} most frequent values count as one. Drop "
            "such a column, or make numbers or fewer categories of it; dates can be days since a "
            "day.",
            CategoryWarning,
            about="the fit",
        )


def _column(X: Any, i: int) -> Any:
    return X[:, i] if _is_polars(X) else X.iloc[:, i]


def _categories(column: Any, name: Any) -> NDArray[Any] | None:
    """The values of a column of categories, NaN for missing ones; None for one of numbers."""
    kind = str(column.dtype).lower()
    if kind.startswith(_CATEGORICAL):
        return _values(column)
    if kind != "object":
        _refuse_dates(kind, name)
        return None
    values = _values(column)
    if any(isinstance(v, datetime.date | datetime.timedelta) for v in values):
        _refuse_dates("date", name)
    return None if all(isinstance(v, numbers.Number) for v in values) else values


def _is_all_missing(column: Any) -> bool:
    """Whether a column of objects has no value yet that would say what they are."""
    return str(column.dtype).lower() == "object" and all(_is_nan(v) for v in _values(column))


def _values(column: Any) -> NDArray[Any]:
    """A column's values, NaN for missing ones."""
    if _is_polars(column):
        values, missing = np.array(column.to_list(), dtype=object), column.is_null().to_numpy()
    else:
        values, missing = column.astype(object).to_numpy(copy=True), column.isna().to_numpy()
    values[missing] = np.nan
    return values


def _as_numbers(column: Any, name: Any) -> NDArray[np.float64]:
    _refuse_dates(str(column.dtype).lower(), name)
    try:
        if _is_polars(column):
            column = column.to_list()
            return np.array([np.nan if v is None else v for v in column], dtype=np.float64)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except OverflowError as error:
        raise ValueError(f"Column {name!r} of X has a number that is too large.") from error
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} of X has numbers in the fit, and other values now ({error})."
        ) from error


def _refuse_dates(kind: str, name: Any) -> None:
    if kind.startswith(_TEMPORAL):
        raise ValueError(
            f"Column {name!r} of X has the type {kind}, which is not a number. Turn dates and "
            "durations into numbers first, such as days since a day, or drop the column. With "
            f'pandas, days are (pandas.to_datetime(X[{name!r}]) - pandas.Timestamp("2020-01-01"))'
            f".dt.days, and those of durations X[{name!r}].dt.days."
        )


def _other_names(names: list[Any], of_fit: list[Any]) -> str:
    """What to say of columns that are not those of the fit."""
    said = "The feature names should match those that were passed during fit"
    missing = [name for name in of_fit if name not in names]
    unknown = [name for name in names if name not in of_fit]
    if missing:
        also = f"; not known from the fit: {unknown}" if unknown else ""
        return f"{said}. Missing: {missing}{also}. Pass all columns of the fit."
    if unknown:
        return f"{said}. Not known from the fit: {unknown}. Pass X[list(clf.feature_names_in_)]."
    return f"{said}, in the same order: {of_fit}. Got {names}. Pass X[list(clf.feature_names_in_)]."
