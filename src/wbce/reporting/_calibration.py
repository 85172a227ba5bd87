"""Are probabilities true: bins of rows, and the slope and intercept that would mend them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbce._reliability import reliability_curve
from wbce._scored_rows import ScoredRows
from wbce.decisions._choice import recalibration
from wbce.reporting._samples import (
    POSITIVE,
    Bins,
    binned,
    middle,
    n_effective,
    share_interval,
)

Float64 = NDArray[np.float64]

_FARTHEST = 30.0
"""Log-odds beyond which a probability of zero or one tells a slope nothing more."""
_N_BINS = 10


@dataclass(frozen=True)
class Bin:
    """Rows with similar probabilities.

    Attributes
    ----------
    predicted : float
        Their mean probability.
    observed, low, high : float
        The share of them that is positive, and its 90 % interval.
    weight : float
        Of the rows.
    """

    predicted: float
    observed: float
    low: float
    high: float
    weight: float


@dataclass(frozen=True)
class Calibration:
    """How true probabilities are on some rows.

    Attributes
    ----------
    slope, intercept : float or None
        Of a logistic regression of the label on the log-odds (Cox 1958). A slope below one:
        probabilities are too far from the base rate. Drawn a little towards one and zero, so that
        few rows say little. None where every positive row scores above every negative one: then
        any steeper slope would do better still.
    slope_interval, intercept_interval : tuple of float or None
    expected, observed : float
        Positives: the sum of the probabilities, and those that are there.
    observed_interval : tuple of float
    bins : list of Bin
        Of the probabilities that decide.
    raw_bins : list of Bin
        Of the network's own output; none where there is no such thing, or it is the same.
    """

    slope: float | None
    intercept: float | None
    slope_interval: tuple[float | None, float | None]
    intercept_interval: tuple[float | None, float | None]
    expected: float
    observed: float
    observed_interval: tuple[float, float]
    bins: list[Bin]
    raw_bins: list[Bin]


def calibration_of(rows: ScoredRows, redrawn: Float64, bins: Bins) -> Calibration:
    """Compare probabilities with labels.

    Parameters
    ----------
    rows : ScoredRows
    redrawn : ndarray of shape (n_samples, 2, n_bins)
        Of `bins`.
    bins : Bins

    Returns
    -------
    Calibration
    """
    weight = rows.sample_weight
    per_row = n_effective(weight) / weight.sum()
    exact = binned(rows, exact=True)
    here = _recalibration(exact, exact.mass[None] * per_row)[0]
    again = _recalibration(bins, redrawn * per_row)
    separated = rows.log_odds[rows.positive].min() > rows.log_odds[~rows.positive].max()
    observed, total = float(weight[rows.positive].sum()), float(weight.sum())
    low, high = share_interval(observed, total, n_effective(weight))
    raw, raw_proba = rows.raw_log_odds, rows.raw_proba
    distorted = raw is not None and not np.allclose(raw, rows.log_odds, atol=1e-3)
    return Calibration(
        slope=None if separated else float(here[1]),
        intercept=None if separated else float(here[0]),
        slope_interval=(None, None) if separated else middle(again[:, 1]),
        intercept_interval=(None, None) if separated else middle(again[:, 0]),
        expected=float(weight @ rows.proba),
        observed=observed,
        observed_interval=(low * total, high * total),
        bins=_bins(rows.proba, rows),
        raw_bins=_bins(raw_proba, rows) if distorted and raw_proba is not None else [],
    )


def _recalibration(bins: Bins, mass: Float64) -> Float64:
    scores = np.clip(bins.scores, -_FARTHEST, _FARTHEST)
    return recalibration(scores, mass[:, POSITIVE], mass.sum(axis=1))


def _bins(proba: Float64, rows: ScoredRows) -> list[Bin]:
    curve = reliability_curve(proba, rows.positive, rows.sample_weight, n_bins=_N_BINS)
    columns = (curve.predicted, curve.observed, curve.low, curve.high, curve.weight)
    return [Bin(*of_bin) for of_bin in np.transpose(columns).tolist()]
