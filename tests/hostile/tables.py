"""Tables in every dress: the same values in other types, layouts and containers; and odd values."""

import tempfile

import numpy as np
import pandas as pd
import polars as pl
import tensorflow as tf
from hypothesis import strategies as st
from scipy import sparse

N_COLUMNS = 3


def plain(seed, n, largest=100):
    """A table of whole numbers, which every type can hold."""
    return np.random.default_rng(seed).integers(0, largest + 1, (n, N_COLUMNS)).astype(np.float64)


def two_classes(n):
    return (np.arange(n) % 3 == 0).astype(int)


# ---------------------------------------------------------------------- the same values

_TYPES = [
    "f2", "f4", "f8", "g", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8",
    ">f2", ">f4", ">f8", ">i2", ">i4", ">i8", ">u4", "O",
]  # fmt: skip


def _every_other(X):
    wide = np.full((2 * len(X), 2 * X.shape[1]), 77, dtype=X.dtype)
    wide[::2, ::2] = X
    return wide[::2, ::2]


def _unaligned(X):
    raw = np.zeros(X.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(X.dtype).reshape(X.shape)
    view[:] = X
    return view


def _read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def _mapped(X):
    file = tempfile.TemporaryFile()  # noqa: SIM115  # it lives as long as the map
    mapped = np.memmap(file, dtype=X.dtype, mode="w+", shape=X.shape)
    mapped[:] = X
    return mapped


LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "every other": _every_other,
    "backwards": lambda X: np.ascontiguousarray(X[::-1])[::-1],
    "columns backwards": lambda X: np.ascontiguousarray(X[:, ::-1])[:, ::-1],
    "transposed": lambda X: np.ascontiguousarray(X.T).T,
    "read-only": _read_only,
    "unaligned": _unaligned,
    "memory-mapped": _mapped,
    "of a larger one": lambda X: np.pad(X, 1)[1:-1, 1:-1],
}

_NO_MAP = {"unaligned", "memory-mapped"}  # objects cannot be


class _Convertible:
    """Anything that NumPy can turn into an array."""

    def __init__(self, X):
        self.X = X

    def __array__(self, dtype=None, copy=None):
        return np.array(self.X, dtype=dtype)


CONTAINERS = {
    "list": lambda X: X.tolist(),
    "tuple of tuples": lambda X: tuple(map(tuple, X.tolist())),
    "list of arrays": list,
    "masked, none of it": np.ma.masked_array,
    "convertible": _Convertible,
    "tensor": tf.constant,
    "pandas": lambda X: pd.DataFrame(X, columns=list("abc")),
    "pandas, float32": lambda X: pd.DataFrame(X, columns=list("abc"), dtype="float32"),
    "pandas, numbered": pd.DataFrame,
    "pandas, names twice": lambda X: pd.DataFrame(X, columns=list("aab")),
    "pandas, MultiIndex": lambda X: pd.DataFrame(
        X, columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    ),
    "pandas, dates as names": lambda X: pd.DataFrame(X, columns=pd.date_range("2024", periods=3)),
    "pandas, odd index": lambda X: pd.DataFrame(X, columns=list("abc"), index=[7] * len(X)),
    "pandas, nullable": lambda X: pd.DataFrame(X, columns=list("abc"), dtype="Float64"),
    "pandas, nullable integers": lambda X: pd.DataFrame(X, columns=list("abc")).astype("Int64"),
    "pandas, objects": lambda X: pd.DataFrame(X, columns=list("abc"), dtype=object),
    "pandas, sparse": lambda X: pd.DataFrame(X, columns=list("abc")).astype("Sparse[float]"),
    "pandas, mixed types": lambda X: pd.DataFrame(X, columns=list("abc")).astype(
        {"a": "int8", "b": "float32", "c": "Int64"}
    ),
    "polars": lambda X: pl.DataFrame(X, schema=list("abc")),
    "polars, small": lambda X: pl.DataFrame(X.astype(np.int16), schema=list("abc")),
}


def _typed(X, kind, layout):
    X = X.astype(kind)
    if kind == "O" and layout in _NO_MAP:
        layout = "rows"
    return LAYOUTS[layout](X)


# How the values of a table are dressed up: a name and a function.
DRESSES = st.one_of(
    st.tuples(st.sampled_from(_TYPES), st.sampled_from(sorted(LAYOUTS))).map(
        lambda how: (f"{how[0]}, {how[1]}", lambda X: _typed(X, *how))
    ),
    st.sampled_from(sorted(CONTAINERS.items())),
)


# ---------------------------------------------------------------------- other values

ODD_NUMBERS = [
    0.0, -0.0, 1.0, 5e-324, -1e-310, 1e-45, 1e-38, 3e38, -3.4e38, 3.5e38, 1e39, 1e300, -1e308,
    np.inf, -np.inf, np.nan, 2.0**24 + 1, 2.0**53, 1.7e9,
]  # fmt: skip


@st.composite
def odd_numbers(draw):
    """A table with some odd numbers: in cells, or in whole columns."""
    X = plain(draw(st.integers(0, 9)), draw(st.integers(1, 60)))
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.sampled_from(ODD_NUMBERS))
        row = draw(st.one_of(st.integers(0, len(X) - 1), st.just(slice(None))))
        X[row, draw(st.integers(0, N_COLUMNS - 1))] = number
    if draw(st.booleans()):
        X[:, 2] = X[:, 1]
    kind = draw(st.sampled_from(["f8", "f8", "f4", "g", ">f8", "f2"]))
    with np.errstate(all="ignore"):
        return X.astype(kind)


@st.composite
def scaled(draw):
    """A table whose columns have any size and any offset."""
    X = np.random.default_rng(draw(st.integers(0, 9))).normal(size=(30, N_COLUMNS))
    size = 10.0 ** draw(st.integers(-320, 38))
    offset = draw(st.sampled_from([0.0, 1.0, 1e6, 1.7e9, -1e15, 1e38]))
    X[:, draw(st.integers(0, 2))] *= size
    X[:, draw(st.integers(0, 2))] += offset
    return X


def _cells(n, values):
    column = np.array([values[i % len(values)] for i in range(n)] + [None], dtype=object)[:-1]
    X = plain(0, n).astype(object)
    X[:, 1] = column
    return X


# What is not a table of numbers, or an odd one, of n rows.
STRANGE = {
    "no rows": lambda n: np.zeros((0, N_COLUMNS)),
    "no columns": lambda n: np.zeros((n, 0)),
    "one column": lambda n: np.arange(float(n))[:, None],
    "one row": lambda n: np.ones((1, N_COLUMNS)),
    "constant": lambda n: np.ones((n, N_COLUMNS)),
    "truths": lambda n: plain(0, n) > 50,
    "0-d": lambda n: np.array(1.0),
    "1-d": lambda n: np.arange(float(n)),
    "3-d": lambda n: np.zeros((n, N_COLUMNS, 2)),
    "4-d, empty": lambda n: np.zeros((n, 0, 2, 2)),
    "ragged": lambda n: [[1.0, 2.0, 3.0]] * (n - 1) + [[1.0]],
    "list of scalars": lambda n: [1.0] * n,
    "list of nothing": lambda n: [],
    "list of lists of nothing": lambda n: [[]] * n,
    "rows as dicts": lambda n: [{"a": 1, "b": 2, "c": 3}] * n,
    "rows as sets": lambda n: [{1, 2, 3}] * n,
    "generator": lambda n: ([1.0, 2.0, 3.0] for _ in range(n)),
    "dict of columns": lambda n: {"a": [1.0] * n, "b": [2.0] * n, "c": [3.0] * n},
    "complex": lambda n: plain(0, n) + 1j,
    "complex without imaginary part": lambda n: plain(0, n).astype(complex),
    "dates": lambda n: plain(0, n).astype("M8[D]"),
    "durations": lambda n: plain(0, n).astype("m8[s]"),
    "structured": lambda n: np.zeros(n, dtype=[("a", "f8"), ("b", "i4")]),
    "structured, 2-d": lambda n: np.zeros((n, 2), dtype=[("a", "f8")]),
    "void": lambda n: np.zeros((n, 3), dtype="V4"),
    "strings": lambda n: np.full((n, N_COLUMNS), "a"),
    "numerals": lambda n: plain(0, n).astype("U8"),
    "bytes": lambda n: plain(0, n).astype("S8"),
    "variable strings": lambda n: np.full((n, N_COLUMNS), "a", dtype=object).astype("T")
    if hasattr(np.dtypes, "StringDType") else np.full((n, N_COLUMNS), "a"),
    "masked": lambda n: np.ma.masked_greater(plain(0, n), 50),
    "matrix": lambda n: np.asmatrix(plain(0, n)),
    "objects": lambda n: _cells(n, [object()]),
    "None": lambda n: _cells(n, [None, 1.0]),
    "strings among numbers": lambda n: _cells(n, ["a", 1.0]),
    "numerals among numbers": lambda n: _cells(n, ["1", 1.0]),
    "bytes among numbers": lambda n: _cells(n, [b"a", 1.0]),
    "lists in cells": lambda n: _cells(n, [[1, 2], 1.0]),
    "complex among numbers": lambda n: _cells(n, [1j, 1.0]),
    "whole numbers without end": lambda n: _cells(n, [10**400, 1]),
    "large whole numbers": lambda n: np.full((n, N_COLUMNS), 2**63 - 1),
    "largest whole numbers": lambda n: np.full((n, N_COLUMNS), 2**64 - 1, dtype=np.uint64),
    "NA": lambda n: _cells(n, [pd.NA, 1.0]),
    "NaT": lambda n: _cells(n, [pd.NaT, 1.0]),
    "sparse": lambda n: sparse.csr_matrix(plain(0, n)),
    "sparse array": lambda n: sparse.coo_array(plain(0, n)),
    "sparse, DIA": lambda n: sparse.dia_array(plain(0, n)),
    "text": lambda n: "a" * n,
    "series": lambda n: pd.Series(np.arange(float(n))),
    "polars series": lambda n: pl.Series(np.arange(float(n))),
    "index": lambda n: pd.RangeIndex(n),
    "lazy frame": lambda n: pl.DataFrame({"a": [1.0] * n, "b": [2.0] * n}).lazy(),
}  # fmt: skip


def _frame(n, **columns):
    X = pd.DataFrame({"a": np.arange(float(n)), "b": np.arange(n) % 2})
    for name, column in columns.items():
        X[name] = column
    return X


def _some(n, *values):
    return [values[i % len(values)] for i in range(n)]


FRAMES = {
    "no rows": lambda n: pd.DataFrame({"a": [], "b": [], "c": []}),
    "no columns": lambda n: pd.DataFrame(index=range(n)),
    "categories": lambda n: _frame(n, c=pd.Categorical(_some(n, "x", "y", None))),
    "categories, none used": lambda n: _frame(n, c=pd.Categorical([None] * n, ["x"])),
    "ordered categories": lambda n: _frame(n, c=pd.Categorical(_some(n, 1, 2), ordered=True)),
    "categories of mixed types": lambda n: _frame(n, c=pd.Categorical(_some(n, 1, "a"))),
    "categories of dates": lambda n: _frame(
        n, c=pd.Categorical(_some(n, *pd.date_range("2024", periods=2)))
    ),
    "categories of numbers": lambda n: _frame(n, c=pd.Categorical(_some(n, 0.5, 2.5, np.nan))),
    "categories of tuples": lambda n: _frame(n, c=pd.Categorical(_some(n, (1, 2), (3, 4)))),
    "categories of infinities": lambda n: _frame(n, c=pd.Categorical(_some(n, np.inf, -np.inf))),
    "text": lambda n: _frame(n, c=_some(n, "x", "y", "")),
    "text, all different": lambda n: _frame(n, c=[f"row {i}" for i in range(n)]),
    "text with NUL": lambda n: _frame(n, c=_some(n, "x\0", "x", "\0")),
    "text that is no Unicode": lambda n: _frame(
        n, c=pd.Series(_some(n, "\ud800", "x"), dtype=object)
    ),
    "long text": lambda n: _frame(n, c=_some(n, "x" * 10_000, "y")),
    "bytes": lambda n: _frame(n, c=_some(n, b"x", b"y")),
    "text and numbers": lambda n: _frame(n, c=_some(n, "x", 1)),
    "truths": lambda n: _frame(n, c=_some(n, True, False)),
    "truths or nothing": lambda n: _frame(n, c=pd.array(_some(n, True, False, None), "boolean")),
    "truths among objects": lambda n: _frame(
        n, c=pd.Series(_some(n, True, None, False), dtype=object)
    ),
    "nothing": lambda n: _frame(n, c=[None] * n),
    "NaN throughout": lambda n: _frame(n, c=np.full(n, np.nan)),
    "NA throughout": lambda n: _frame(n, c=pd.array([pd.NA] * n, "Int64")),
    "NA among strings": lambda n: _frame(n, c=pd.array(_some(n, "x", pd.NA), "string")),
    "NA among objects": lambda n: _frame(n, c=pd.Series(_some(n, pd.NA, 1.0), dtype=object)),
    "dates": lambda n: _frame(n, c=pd.date_range("2024", periods=n)),
    "dates with time zone": lambda n: _frame(n, c=pd.date_range("2024", periods=n, tz="UTC")),
    "durations": lambda n: _frame(n, c=pd.to_timedelta(np.arange(n), "D")),
    "periods": lambda n: _frame(n, c=pd.period_range("2024", periods=n, freq="D")),
    "intervals": lambda n: _frame(n, c=pd.cut(np.arange(n), 3)),
    "intervals, not categories": lambda n: _frame(n, c=pd.interval_range(0, n, periods=n)),
    "complex": lambda n: _frame(n, c=np.full(n, 1j)),
    "lists in cells": lambda n: _frame(n, c=pd.Series([[1, 2]] * n)),
    "dicts in cells": lambda n: _frame(n, c=pd.Series([{"a": 1}] * n)),
    "objects in cells": lambda n: _frame(n, c=pd.Series([object()] * n)),
    "arrays in cells": lambda n: _frame(n, c=pd.Series([np.ones(2)] * n)),
    "infinity": lambda n: _frame(n, c=_some(n, 1.0, np.inf)),
    "large numbers": lambda n: _frame(n, c=_some(n, 1.0, 1e200)),
    "whole numbers without end": lambda n: _frame(n, c=pd.Series([10**400] * n, dtype=object)),
    "names of several types": lambda n: pd.DataFrame({"a": np.ones(n), 1: np.ones(n)}),
    "names that are None": lambda n: pd.DataFrame(np.ones((n, 2)), columns=[None, "a"]),
    "names that are NaN": lambda n: pd.DataFrame(np.ones((n, 2)), columns=[np.nan, np.nan]),
    "names twice, with text": lambda n: pd.DataFrame(
        [["x", 1.0, "y"]] * n, columns=["a", "a", "b"]
    ),
    "tuples as names, with text": lambda n: pd.DataFrame(
        [["x", 1.0]] * n, columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    ),
    "dates as names, with text": lambda n: pd.DataFrame(
        [["x", 1.0]] * n, columns=pd.date_range("2024", periods=2)
    ),
    "polars, no columns": lambda n: pl.DataFrame(),
    "polars, text": lambda n: pl.DataFrame({"a": _some(n, "x", None), "b": _some(n, 1.0, None)}),
    "polars, categories": lambda n: pl.DataFrame({"a": _some(n, "x", "y")}).with_columns(
        pl.col("a").cast(pl.Categorical)
    ),
    "polars, truths": lambda n: pl.DataFrame({"a": _some(n, True, False), "b": [1.0] * n}),
    "polars, dates": lambda n: pl.DataFrame({"a": pd.date_range("2024", periods=n).to_list()}),
    "polars, nulls": lambda n: pl.DataFrame({"a": [None] * n, "b": _some(n, 1.0, 2.0)}),
    "polars, lists": lambda n: pl.DataFrame({"a": [[1, 2]] * n}),
    "polars, structs": lambda n: pl.DataFrame({"a": [{"x": 1}] * n}),
    "polars, objects": lambda n: pl.DataFrame({"a": pl.Series([object()] * n, dtype=pl.Object)}),
    "polars, bytes": lambda n: pl.DataFrame({"a": [b"x"] * n}),
    "polars, decimals": lambda n: pl.DataFrame({"a": _some(n, 1, 2)}).with_columns(
        pl.col("a").cast(pl.Decimal(10, 2))
    ),
    "polars, infinity": lambda n: pl.DataFrame({"a": _some(n, 1.0, float("inf"))}),
    "polars, NaN and text": lambda n: pl.DataFrame(
        {"a": _some(n, 1.0, float("nan")), "b": ["x"] * n}
    ),
}  # fmt: skip
