"""Metrics of probabilities and decisions, with intervals, beside answers that need no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from wbce._scored_rows import ScoredRows
from wbce.decisions._objectives import balanced_accuracy, f_beta, mcc, negative_cost
from wbce.reporting._samples import (
    NEGATIVE,
    POSITIVE,
    Bins,
    binned,
    middle,
    n_effective,
    redrawn_counts,
    share_interval,
)

Float64 = NDArray[np.float64]

OF_PROBABILITIES = ("average_precision", "roc_auc", "log_loss", "brier", "brier_skill")
OF_DECISIONS = (
    "precision",
    "recall",
    "f1",
    "mcc",
    "balanced_accuracy",
    "alarms",
    "cost",
    "accuracy",
)


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes
    ----------
    name : str
    value : float or None
        None where it is not defined.
    low, high : float or None
        Ends of its 90 % interval.
    baselines : dict of float or None
        The same figure of ``"base_rate"``, the positives' share as the probability of every row,
        or of ``"never"`` and ``"always"``, an alarm for no row and for every one.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    baselines: dict[str, float | None]


def metrics_of(
    rows: ScoredRows, redrawn: Float64, bins: Bins, *, per_rows: float, costs: Any = None
) -> list[Metric]:
    """Compute all metrics.

    Parameters
    ----------
    rows : ScoredRows
    redrawn : ndarray of shape (n_samples, 2, n_bins)
        Of `bins`.
    bins : Bins
    per_rows : float
        Alarms and costs are those of so many rows.
    costs : array-like of shape (2, 2), optional
        ``[[TN, FP], [FN, TP]]``; without it there is no cost.

    Returns
    -------
    list of Metric
    """
    exact = binned(rows, exact=True)
    counts = [np.array([count]) for count in rows.counts]
    here = _of_ranking(exact, exact.mass[None]) | _of_counts(counts, per_rows, costs)
    drawn = redrawn_counts(rows.counts, n_effective(rows.sample_weight))
    again = _of_ranking(bins, redrawn) | _of_counts(drawn, per_rows, costs)
    intervals = {name: middle(values) for name, values in again.items()}
    intervals |= _shares(rows, per_rows)
    baselines = _baselines(rows, per_rows, costs)
    found = []
    for name in (*OF_PROBABILITIES, *OF_DECISIONS):
        if name in here:
            value = float(here[name][0])
            known = np.isfinite(value)
            low, high = intervals[name] if known else (None, None)
            if low is not None and high is not None:  # a prior draws away from the very ends
                low, high = min(low, value), max(high, value)
            found.append(Metric(name, value if known else None, low, high, baselines[name]))
    return found


def _of_ranking(bins: Bins, mass: Float64) -> dict[str, Float64]:
    """Figures of the probabilities in samples, one a row of `mass`."""
    positives, negatives = mass[:, POSITIVE], mass[:, NEGATIVE]
    tp, fp = np.cumsum(positives, axis=1), np.cumsum(negatives, axis=1)
    n_positive, n_negative = tp[:, -1], fp[:, -1]
    precision_down_to = np.divide(tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0)
    base_rate = n_positive / (n_positive + n_negative)
    brier = (mass * bins.brier).sum(axis=(1, 2)) / (n_positive + n_negative)
    return {
        "average_precision": (positives * precision_down_to).sum(axis=1) / n_positive,
        "roc_auc": (negatives * (tp - positives / 2)).sum(axis=1) / (n_positive * n_negative),
        "log_loss": (mass * bins.log_loss).sum(axis=(1, 2)) / (n_positive + n_negative),
        "brier": brier,
        "brier_skill": 1 - brier / (base_rate * (1 - base_rate)),
    }


def _of_counts(counts: Sequence[Float64], per_rows: float, costs: Any) -> dict[str, Float64]:
    tp, fp, fn, tn = counts
    n = tp + fp + fn + tn
    figures = {
        "precision": np.divide(tp, tp + fp, out=np.full_like(tp, np.nan), where=tp + fp > 0),
        "recall": tp / (tp + fn),
        "f1": f_beta(1)(tp, fp, fn, tn),
        "mcc": mcc(tp, fp, fn, tn),
        "balanced_accuracy": balanced_accuracy(tp, fp, fn, tn),
        "alarms": per_rows * (tp + fp) / n,
        "accuracy": (tp + tn) / n,
    }
    if costs is not None:
        figures["cost"] = -per_rows * negative_cost(costs)(tp, fp, fn, tn)
    return figures


def _shares(rows: ScoredRows, per_rows: float) -> dict[str, tuple[float, float]]:
    """Intervals of shares of rows."""
    tp, fp, fn, tn = rows.counts
    weight = rows.sample_weight
    n = n_effective(weight)
    low, high = share_interval(tp + fp, weight.sum(), n)
    found = {
        "recall": share_interval(tp, tp + fn, n_effective(weight[rows.positive])),
        "accuracy": share_interval(tp + tn, weight.sum(), n),
        "alarms": (per_rows * low, per_rows * high),
    }
    if tp + fp > 0:
        found["precision"] = share_interval(tp, tp + fp, n_effective(weight[rows.called]))
    return found


def _baselines(rows: ScoredRows, per_rows: float, costs: Any) -> dict[str, dict[str, float | None]]:
    rate, n = rows.base_rate, float(rows.sample_weight.sum())
    entropy = -float(xlogy(rate, rate) + xlogy(1 - rate, 1 - rate))
    known = (rate, 0.5, entropy, rate * (1 - rate), 0.0)
    found: dict[str, dict[str, float | None]] = {
        name: {"base_rate": value} for name, value in zip(OF_PROBABILITIES, known, strict=True)
    }
    zero, positives, negatives = (np.array([x]) for x in (0.0, n * rate, n * (1 - rate)))
    never = _of_counts((zero, zero, positives, negatives), per_rows, costs)
    always = _of_counts((positives, negatives, zero, zero), per_rows, costs)
    for name in never:
        pair = {"never": float(never[name][0]), "always": float(always[name][0])}
        found[name] = {said: None if np.isnan(value) else value for said, value in pair.items()}
    return found
