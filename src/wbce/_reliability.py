"""How often rows of a probability are positive: a reliability curve with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class ReliabilityCurve:
    """Bins of rows with about the same probability, the lowest first.

    Attributes
    ----------
    predicted : ndarray of shape (n_bins,)
        Mean probability of each bin.
    observed : ndarray of shape (n_bins,)
        Share of its rows that are positive.
    low, high : ndarray of shape (n_bins,)
        Ends of that share's interval.
    weight : ndarray of shape (n_bins,)
        Sum of the sample weights of its rows.
    """

    predicted: Float64
    observed: Float64
    low: Float64
    high: Float64
    weight: Float64


def reliability_curve(
    proba: Float64,
    positive: NDArray[np.bool_],
    sample_weight: Float64,
    *,
    n_bins: int = 10,
    level: float = 0.9,
) -> ReliabilityCurve:
    """Compare probabilities with what came true, in bins that have a part of both classes.

    Of rare positives, bins of equally many rows would have all of them in the last bin, and bins
    of equal width nearly all rows in the first. Here every bin has about the same sum of two
    shares, of the expected positives and of the expected negatives; labels have no say in it, as
    they would bias what is observed.

    Parameters
    ----------
    proba : ndarray of shape (n_samples,)
    positive : ndarray of bool, shape (n_samples,)
        With both kinds.
    sample_weight : ndarray of shape (n_samples,)
        Above zero.
    n_bins : int, default=10
        At most; rows of the same probability stay together.
    level : float, default=0.9
        Of the intervals: Jeffreys' (Brown, Cai and DasGupta 2001), with Kish's number of equally
        weighted rows.

    Returns
    -------
    ReliabilityCurve

    Examples
    --------
    >>> import numpy as np
    >>> proba = np.array([0.1] * 10 + [0.6] * 5)
    >>> positive = np.array([True] + [False] * 9 + [True] * 3 + [False] * 2)
    >>> curve = reliability_curve(proba, positive, np.ones(15), n_bins=2)
    >>> curve.predicted.round(3).tolist(), curve.observed.round(3).tolist()
    ([0.1, 0.6], [0.1, 0.6])
    """
    values, code = np.unique(proba, return_inverse=True)
    mass = np.bincount(code, sample_weight)
    share = sum(part / max(part.sum(), 1e-300) for part in (mass * values, mass * (1 - values))) / 2
    middle = np.cumsum(share) - share / 2
    bin_of = np.minimum((middle * n_bins).astype(np.intp), n_bins - 1)[code]
    _, bin_of = np.unique(bin_of, return_inverse=True)  # without empty ones
    weight = np.bincount(bin_of, sample_weight).astype(np.float64)
    observed = np.bincount(bin_of, sample_weight * positive) / weight
    n_effective = weight**2 / np.bincount(bin_of, sample_weight**2)
    tail = (1 - level) / 2
    hits, misses = n_effective * observed, n_effective * (1 - observed)
    low = np.where(hits > 0, beta.ppf(tail, hits + 0.5, misses + 0.5), 0.0)
    high = np.where(misses > 0, beta.ppf(1 - tail, hits + 0.5, misses + 0.5), 1.0)
    predicted = np.bincount(bin_of, sample_weight * proba) / weight
    return ReliabilityCurve(predicted, observed, low, high, weight)
