"""Values that nobody would pass, and somebody will."""

import datetime
import decimal
import fractions

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st
from scipy import sparse


class Stubborn:
    """It can be neither compared nor told true from false, as an array cannot."""

    __hash__ = None

    def __eq__(self, other):
        raise ValueError("not to be compared")

    def __bool__(self):
        raise ValueError("neither true nor false")


NUMBERS = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([2**31, 2**63, 2**64, 10**400, -(10**400)]),
    st.floats(),
    st.floats(0, 1),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 5e-324, 1e-320, 1e-308, 1e38, 1e39, 1e308, 1 - 2**-53]),
    st.sampled_from(
        [np.float16(0.5), np.float32(2), np.longdouble(0.25), np.int8(3), np.uint64(2**64 - 1)]
    ),
)

_MADE = [
    object,
    lambda: int,
    lambda: len,
    lambda: lambda *arguments, **keywords: None,
    lambda: iter([1, 2]),
    lambda: (number for number in (1, 2)),
    lambda: {1, 2},
    lambda: range(2),
    lambda: Ellipsis,
    lambda: NotImplemented,
    lambda: 1j,
    lambda: decimal.Decimal("0.5"),
    lambda: decimal.Decimal("NaN"),
    lambda: fractions.Fraction(1, 3),
    lambda: datetime.date(2024, 2, 29),
    lambda: np.datetime64("2024-02-29"),
    lambda: np.datetime64("NaT"),
    lambda: np.timedelta64(3, "D"),
    lambda: pd.NA,
    lambda: pd.NaT,
    lambda: np.ma.masked,
    lambda: np.array(0.5),
    lambda: np.array("auto"),
    lambda: np.array([]),
    lambda: np.array([1.0, np.nan]),
    lambda: np.array([[1, 2], [3, 4]]),
    lambda: np.zeros((2, 2, 2)),
    lambda: np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    lambda: np.array([None, "a"], dtype=object),
    lambda: np.str_("auto"),
    lambda: np.bool_(True),
    lambda: np.bytes_(b"auto"),
    lambda: np.void(b"12"),
    lambda: bytearray(b"auto"),
    lambda: memoryview(b"auto"),
    lambda: sparse.csr_array(np.eye(2)),
    lambda: pd.Series([1.0, 2.0]),
    lambda: pd.Series([0.3, 0.7], index=[0, 1]),
    lambda: pd.DataFrame({"a": [1, 2]}),
    lambda: pl.Series([1.0, 2.0]),
    lambda: pl.DataFrame({"a": [1, 2]}),
    Stubborn,
]

ODD_OBJECTS = st.sampled_from(_MADE).map(lambda make: make())

_LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=3), st.binary(max_size=3))

ANYTHING = st.one_of(
    _LEAVES,
    ODD_OBJECTS,
    st.sampled_from(["", "auto", "balanced", "nan", "None", "\ud800", "x" * 5000, b"auto"]),
    st.recursive(
        _LEAVES,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(st.one_of(st.integers(-1, 2), st.text(max_size=2)), inner, max_size=3),
        ),
        max_leaves=5,
    ),
)


def mostly(likely):
    """What is likely, and now and then anything."""
    return st.integers(0, 2).flatmap(lambda number: ANYTHING if number == 0 else likely)
