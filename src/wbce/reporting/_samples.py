"""Rows drawn again: what the figures would have been on other rows of the same kind.

A Poisson bootstrap over all rows, not stratified: the next sample has another number of positives
too, and precision, average precision and alarms depend on it. Rows with nearly the same score are
drawn together, so that a million rows take no longer than two thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wbce._scored_rows import ScoredRows
from wbce.decisions import thinned

Float64 = NDArray[np.float64]

LEVEL = 0.9
N_RESAMPLES = 200
NEGATIVE, POSITIVE = range(2)
_Z = 1.6448536269514722  # between -_Z and _Z lies 90 % of a normal distribution
_N_COUNTS = 4000
_MOST_LOST = -np.log(np.finfo(np.float64).eps)
"""Log loss of a row that was called impossible, as in scikit-learn."""


@dataclass(frozen=True)
class Bins:
    """Rows with nearly the same score, the highest first, by class.

    Attributes
    ----------
    scores : ndarray of shape (n_bins,)
        Log-odds, the lowest of each bin.
    mass : ndarray of shape (2, n_bins)
        Weight of the negatives and of the positives.
    row : ndarray of shape (2, n_bins)
        Weight of one row there.
    log_loss, brier : ndarray of shape (2, n_bins)
        Mean loss of the rows there.
    """

    scores: Float64
    mass: Float64
    row: Float64
    log_loss: Float64
    brier: Float64


def binned(rows: ScoredRows, *, exact: bool = False) -> Bins:
    """Put rows with nearly the same score together.

    Parameters
    ----------
    rows : ScoredRows
    exact : bool, default=False
        Whether only equal scores are put together; else there are about two thousand bins.

    Returns
    -------
    Bins
    """
    scores = rows.curve.scores if exact else thinned(rows.curve).scores
    place = np.searchsorted(-scores, -rows.log_odds)
    cell, n = rows.positive * len(scores) + place, 2 * len(scores)
    away = np.minimum(np.where(rows.positive, -rows.log_odds, rows.log_odds), _MOST_LOST)
    weight = rows.sample_weight

    def summed(values: Float64) -> Float64:
        return np.asarray(np.bincount(cell, values, n), dtype=np.float64).reshape(2, -1)

    mass = summed(weight)

    def mean(values: Float64) -> Float64:
        return np.divide(summed(weight * values), mass, out=np.zeros_like(mass), where=mass > 0)

    return Bins(
        scores,
        mass,
        mean(weight),
        mean(np.logaddexp(0, away)),
        mean((rows.positive - rows.proba) ** 2),
    )


def redrawn(bins: Bins, n: int = N_RESAMPLES, seed: int = 0) -> Float64:
    """Draw rows again; samples without a positive or a negative are left out.

    Returns
    -------
    ndarray of shape (at most n, 2, n_bins)
    """
    times = np.divide(bins.mass, bins.row, out=np.zeros_like(bins.mass), where=bins.row > 0)
    drawn = np.random.default_rng(seed).poisson(times, size=(n, *times.shape))
    mass = bins.row * drawn.astype(np.float64)
    return mass[(mass.sum(axis=2) > 0).all(axis=1)]


def redrawn_counts(
    counts: tuple[float, float, float, float], n_effective: float
) -> tuple[Float64, ...]:
    """Draw the four counts that the same classifier would have on other rows.

    From their Dirichlet posterior under Jeffreys' prior: unlike a bootstrap it does not take a
    count of zero for certain.

    Parameters
    ----------
    counts : tuple of float
        ``(tp, fp, fn, tn)``, as weights.
    n_effective : float
        How many equally weighted rows would say as much.

    Returns
    -------
    tuple of ndarray
        ``(tp, fp, fn, tn)``, with the same sum as `counts`.
    """
    total = sum(counts)
    shares = np.random.default_rng(0).dirichlet(
        np.array(counts) * n_effective / total + 0.5, _N_COUNTS
    )
    return tuple(total * shares.T)


def middle(values: Float64) -> tuple[float | None, float | None]:
    """The ends of the interval that holds 90 % of values.

    None where there are none, and where all are the same: then the rows were too few, or too
    easy, for a bootstrap to say anything.
    """
    known = values[np.isfinite(values)]
    if len(known) < len(values) / 2 or not len(known):
        return None, None
    low, high = np.percentile(known, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return (None, None) if low == high else (float(low), float(high))


def share_interval(part: float, whole: float, n_effective: float) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson 1927), which has a width at zero and one too.

    Parameters
    ----------
    part, whole : float
        Weights; `whole` above zero.
    n_effective : float
        How many equally weighted rows would say as much.

    Examples
    --------
    >>> low, high = share_interval(8, 8, 8)
    >>> round(low, 3), high
    (0.747, 1.0)
    """
    p, n = min(part / whole, 1.0), n_effective
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * np.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return (
        float(max(0.0, centre - half)) if p > 0 else 0.0,
        float(min(1.0, centre + half)) if p < 1 else 1.0,
    )


def n_effective(weights: Float64) -> float:
    """Kish's effective number of rows."""
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 0.0
