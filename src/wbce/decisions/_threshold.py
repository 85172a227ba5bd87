"""Where to cut: the precision-recall curve of the validation rows and the best cut on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Float64 = NDArray[np.float64]

_FAR = 1e6
"""Stands in for infinite log-odds: beyond every score, and finite."""


@dataclass(frozen=True)
class ThresholdCurve:
    """Precision, recall and F1 at every cut, the highest threshold first.

    Attributes
    ----------
    threshold : ndarray of shape (n_cuts,)
        Posterior of the positive class above which a row is called positive. A cut lies
        halfway, in log-odds, between two neighbouring scores; the last one is 0.
    precision, recall, f1 : ndarray of shape (n_cuts,)
        Of the rows above the cut, in the sample-weighted population.
    """

    threshold: Float64
    precision: Float64
    recall: Float64
    f1: Float64


@dataclass(frozen=True)
class Cut:
    """A threshold on the posterior of the positive class.

    Attributes
    ----------
    probability : float
    log_odds : float
        The same on the scale of scores, where no two rows are the same merely because both
        probabilities round to one.
    strict : bool
        Whether the comparison is that of probabilities: for a threshold that the user gave, a
        row whose probability equals it is negative, to the last bit.
    """

    probability: float
    log_odds: float
    strict: bool = False

    @classmethod
    def at(cls, probability: float) -> Cut:
        """Cut where the user says."""
        with np.errstate(divide="ignore"):
            log_odds = float(np.log(probability) - np.log1p(-probability))
        return cls(float(probability), float(np.clip(log_odds, -_FAR, _FAR)), strict=True)

    def margin(self, log_odds: Float64) -> Float64:
        """Signed distance of scores from the cut: above zero is positive, never zero itself.

        Parameters
        ----------
        log_odds : ndarray of shape (n_samples,)
            Log-odds of the positive class.
        """
        margin = log_odds - self.log_odds
        above = expit(log_odds) > self.probability if self.strict else margin > 0
        smallest = np.finfo(np.float64).tiny
        return np.where(above, np.maximum(margin, smallest), np.minimum(margin, -smallest))


def threshold_curve(
    log_odds: Float64, positive: NDArray[np.bool_], sample_weight: Float64
) -> tuple[ThresholdCurve, Float64]:
    """Trace the precision-recall curve over all distinct scores.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples,)
        Scores, as log-odds of the positive class.
    positive : ndarray of bool, shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)

    Returns
    -------
    curve : ThresholdCurve
    cuts : ndarray of shape (n_cuts,)
        The curve's thresholds as log-odds.

    Raises
    ------
    ValueError
        If a score is NaN, or the positives or the negatives weigh nothing.
    """
    if not np.isfinite(log_odds).all():
        raise ValueError("A threshold cannot be chosen on scores that are NaN or infinite.")
    check_both_classes(positive, sample_weight)
    positives = sample_weight[positive].sum()
    order = np.argsort(-log_odds, kind="stable")
    scores, hits = log_odds[order], positive[order]
    weights = sample_weight[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    tp = np.cumsum(np.where(hits, weights, 0.0))[last_of_tie]
    fp = np.cumsum(np.where(hits, 0.0, weights))[last_of_tie]
    alarms = tp + fp
    distinct = scores[last_of_tie]
    upper, lower = distinct[:-1], distinct[1:]
    halfway = (upper + lower) / 2
    # Between neighbours in floating point there is no room: cut at the lower, which is excluded.
    cuts = np.append(np.where(halfway < upper, halfway, lower), -_FAR)
    thresholds = expit(cuts)
    curve = ThresholdCurve(
        threshold=thresholds,
        precision=np.divide(tp, alarms, out=np.ones_like(tp), where=alarms > 0),
        recall=tp / positives,
        f1=2 * tp / (alarms + positives),
    )
    return curve, cuts


def average_precision(
    log_odds: Float64, positive: NDArray[np.bool_], sample_weight: Float64
) -> float:
    """Average precision: precision at every distinct score, weighted by the recall gained there.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples,)
    positive : ndarray of bool, shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([2.0, 1.0, 0.0])
    >>> round(average_precision(scores, np.array([True, False, True]), np.ones(3)), 4)
    0.8333
    """
    curve, _ = threshold_curve(log_odds, positive, sample_weight)
    return float(np.sum(np.diff(curve.recall, prepend=0.0) * curve.precision))


def check_both_classes(positive: NDArray[np.bool_], sample_weight: Float64) -> None:
    """Raise if a threshold cannot be chosen because positives or negatives are missing.

    Raises
    ------
    ValueError
    """
    for rows, name in ((positive, "positive"), (~positive, "negative")):
        if not sample_weight[rows].sum() > 0:
            raise ValueError(
                f"A threshold cannot be chosen on validation rows without a {name} row (or with "
                "only weightless ones). Pass more validation rows."
            )


def best_f1_cut(
    log_odds: Float64, positive: NDArray[np.bool_], sample_weight: Float64
) -> tuple[Cut, ThresholdCurve]:
    """Find the cut with the best F1; of equals, the highest: fewest alarms for the same F1.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples,)
        Scores, as log-odds of the positive class.
    positive : ndarray of bool, shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)

    Returns
    -------
    cut : Cut
    curve : ThresholdCurve

    Examples
    --------
    >>> import numpy as np
    >>> scores = np.array([-3.0, -2.0, -1.0, 1.0])
    >>> cut, curve = best_f1_cut(scores, np.array([False, False, True, True]), np.ones(4))
    >>> cut.log_odds, round(cut.probability, 4), float(curve.f1.max())
    (-1.5, 0.1824, 1.0)
    """
    curve, cuts = threshold_curve(log_odds, positive, sample_weight)
    best = int(np.argmax(curve.f1 >= curve.f1.max() * (1 - 1e-12)))
    return Cut(float(curve.threshold[best]), float(cuts[best])), curve
