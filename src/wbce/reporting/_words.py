"""Numbers and labels as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scipy.special import expit

NONE = "-"
_LONGEST_LABEL = 40


def count(value: float) -> str:
    """A number of rows: whole where it is, and in groups of three.

    Examples
    --------
    >>> count(12345), count(12.25)
    ('12,345', '12.2')
    """
    nearest = round(value)
    return f"{nearest:,}" if abs(value - nearest) < 1e-6 * max(1, abs(value)) else f"{value:,.1f}"


def rows(value: float) -> str:
    """A number of rows, with the word.

    Examples
    --------
    >>> rows(1), rows(2000)
    ('1 row', '2,000 rows')
    """
    return f"{count(value)} {'row' if count(value) == '1' else 'rows'}"


def alarms(value: float) -> str:
    """A number of alarms, with the word.

    Examples
    --------
    >>> alarms(1), alarms(0)
    ('1 alarm', '0 alarms')
    """
    return f"{count(value)} {'alarm' if count(value) == '1' else 'alarms'}"


def positives(value: float) -> str:
    """A number of positive rows, with the words."""
    return f"{count(value)} positive {'row' if count(value) == '1' else 'rows'}"


def are(value: float) -> str:
    """The verb after a number."""
    return "is" if count(value) == "1" else "are"


def share(value: float | None) -> str:
    """A share of one, in per cent; more digits where it is small.

    Examples
    --------
    >>> share(0.7143), share(0.0574), share(0.00042), share(None)
    ('71 %', '5.7 %', '0.042 %', '-')
    """
    if value is None or not math.isfinite(value):
        return NONE
    per_cent = 100 * value
    if 0.5 <= per_cent < 10:
        return f"{per_cent:.1f} %"
    if 99 < per_cent < 100:
        return f"{math.floor(per_cent * 10) / 10:.1f} %"
    return f"{per_cent:.0f} %" if per_cent >= 10 or per_cent == 0 else f"{per_cent:.2g} %"


def probability(log_odds: float) -> str:
    """A probability, near one by what is missing.

    Examples
    --------
    >>> probability(-2.0), probability(9.0), probability(-20.0), probability(math.inf)
    ('0.119', '0.99988', '2.1e-09', '1')
    """
    if math.isinf(log_odds):
        return "1" if log_odds > 0 else "0"
    p = float(expit(log_odds))
    if p > 0.99:
        digits = 2 - math.floor(math.log10(max(float(expit(-log_odds)), 1e-9))) - 1
        return f"{p:.{digits}f}"
    return f"{p:.3g}" if p >= 1e-4 else f"{p:.2g}"


def number(value: float | None) -> str:
    """A figure, such as a log loss.

    Examples
    --------
    >>> number(0.13732), number(1234.5), number(None)
    ('0.137', '1,234', '-')
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        return f"{value:.2g}"
    return (
        f"{value:,.3f}"
        if abs(value) < 10
        else f"{value:,.4g}"
        if abs(value) < 1e3
        else (f"{value:,.0f}")
    )


_OBJECTIVES = {
    "mcc": "MCC",
    "balanced_accuracy": "balanced accuracy",
    "youden": "Youden's index",
    "g_mean": "the G-mean",
    "cost": "minus the mean cost of a row",
}


def objective(said: Any) -> str:
    """The figure that a threshold was tuned for; of bounds the one that they leave open.

    Examples
    --------
    >>> objective("f2"), objective("mcc"), objective({"min_recall": 0.9})
    ('F2', 'MCC', 'precision')
    """
    if isinstance(said, Mapping):
        return "precision" if "min_recall" in said else "recall"
    if isinstance(said, str):
        return _OBJECTIVES.get(said, said.upper())
    return "what it was tuned for"


def label(value: Any) -> str:
    """A label as code has it, shortened where it is long.

    Examples
    --------
    >>> label("fraud"), label(1), len(label("x" * 200))
    ("'fraud'", '1', 41)
    """
    said = repr(value)
    return said if len(said) <= _LONGEST_LABEL else f"{said[:_LONGEST_LABEL]}…"


def value(cell: Any) -> str:
    """A value of a table."""
    if cell is None:
        return "missing"
    if isinstance(cell, bool):
        return str(cell)
    try:
        as_float = float(cell)
    except (TypeError, ValueError):
        said = str(cell)
        return said if len(said) <= _LONGEST_LABEL else f"{said[:_LONGEST_LABEL]}…"
    return "missing" if math.isnan(as_float) else f"{as_float:.4g}"
