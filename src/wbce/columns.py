"""Frames with columns of categories, as the matrix of numbers that the built-in networks take."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import OrdinalEncoder

# Categories of one column beyond this many, the rarest, count as one.
MAX_CATEGORIES = 256


def is_frame(X: Any) -> bool:
    """Whether X is a pandas or polars frame."""
    frames = (
        getattr(sys.modules.get(library), "DataFrame", None) for library in ("pandas", "polars")
    )
    return any(frame is not None and isinstance(X, frame) for frame in frames)


class FrameColumns:
    """Which columns of a frame are categories, and their numbers.

    Columns of type category, string or boolean, and of objects that are not all numbers, are
    categories. A missing value, and a category that was not there at the fit, become NaN;
    the network tells missing values that it has seen from others.

    Attributes
    ----------
    names : list of str
        Of all columns.
    categories : dict of str to list
        Of the columns that have them: the categories, in the order of their numbers.
    """

    def __init__(self, X: Any) -> None:
        self.names = list(X.columns)
        self._encoders: dict[Any, OrdinalEncoder] = {}
        for i, name in enumerate(self.names):
            values = _objects(_column(X, i))
            if values is None:
                continue
            encoder = OrdinalEncoder(
                handle_unknown="use_encoded_value",
                unknown_value=np.nan,
                max_categories=MAX_CATEGORIES,
            )
            try:
                self._encoders[name] = encoder.fit(values[:, np.newaxis])
            except TypeError as error:
                kinds = sorted({type(v).__name__ for v in values if v == v})
                raise ValueError(
                    f"Column {name!r} of X has values of several types, {kinds}, that cannot be "
                    "sorted as categories. Make them all strings, or all numbers."
                ) from error

    @property
    def categories(self) -> dict[Any, list[Any]]:
        """Categories by column, in the order of their numbers, the rare ones together last."""
        return {name: list(e.categories_[0]) for name, e in self._encoders.items()}

    @property
    def n_categories(self) -> list[int]:
        """For every column how many categories it has; 0 for numbers."""
        return [
            _n_numbers(self._encoders[name]) if name in self._encoders else 0 for name in self.names
        ]

    def numbers(self, X: Any) -> Any:
        """A frame of the same kind, with numbers in place of categories.

        Columns that the fit did not have, or in another order, are left as they are.
        """
        if list(X.columns) != self.names or not self._encoders:
            return X
        columns = {}
        for i, name in enumerate(self.names):
            column = _column(X, i)
            encoder = self._encoders.get(name)
            if encoder is None:
                columns[name] = _as_numbers(column, name)
                continue
            values = _values(column)
            columns[name] = encoder.transform(values[:, np.newaxis])[:, 0]
        matrix = np.column_stack(list(columns.values()))
        if _is_polars(X):
            return type(X)(matrix, schema=self.names)
        return type(X)(matrix, columns=self.names, index=X.index)


def _n_numbers(encoder: OrdinalEncoder) -> int:
    rare = encoder.infrequent_categories_[0]
    known = [c for c in encoder.categories_[0] if c == c]  # not the missing one
    return len(known) - (0 if rare is None else len(rare) - 1)


def _is_polars(X: Any) -> bool:
    return type(X).__module__.startswith("polars")


def _column(X: Any, i: int) -> Any:
    return X[:, i] if _is_polars(X) else X.iloc[:, i]


def _objects(column: Any) -> NDArray[Any] | None:
    """A column's values, NaN for missing ones; None for a column of numbers."""
    kind = str(column.dtype).lower()
    if kind.startswith(("category", "categorical", "enum", "str", "utf8", "bool")):
        return _values(column)
    if kind != "object":
        return None
    values = _values(column)
    return None if all(isinstance(v, int | float | np.number) for v in values) else values


def _values(column: Any) -> NDArray[Any]:
    """A column's values, NaN for missing ones."""
    if _is_polars(column):
        values, missing = np.array(column.to_list(), dtype=object), column.is_null().to_numpy()
    else:
        values, missing = column.astype(object).to_numpy(copy=True), column.isna().to_numpy()
    values[missing] = np.nan
    return values


def _as_numbers(column: Any, name: Any) -> NDArray[np.float64]:
    try:
        if _is_polars(column):
            return column.cast(float).to_numpy().astype(np.float64)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Column {name!r} of X has the type {column.dtype} and values that are not numbers "
            f"({error}). At the fit they were numbers, or could be. Turn dates into numbers first, "
            "such as days since a day."
        ) from error
    except Exception as error:  # polars raises its own
        raise ValueError(f"Column {name!r} of X cannot be read as numbers: {error}.") from error
