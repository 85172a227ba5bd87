"""The curve over all cuts of some scores: what every threshold would find, miss and alarm on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wbce._storable import storable
from wbce.decisions._cut import FAR

Float64 = NDArray[np.float64]


@storable("threshold curve")
@dataclass(frozen=True)
class ThresholdCurve:
    """What every cut of the scores would give, the highest threshold first.

    The first cut calls no row positive and the last one all; each other lies halfway, in
    log-odds, between two neighbouring scores. Counts are those of the sample-weighted rows.

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
        The distinct scores, as log-odds of the positive class, the highest first.
    positives, negatives : ndarray of shape (n_scores,)
        How many rows have each score.
    n_effective : tuple of float
        How many equally weighted positives, and negatives, would say as much.
    objective : ndarray of shape (n_scores + 1,), optional
        What is maximised, at every cut; NaN where it is not defined or a constraint is not met.

    Attributes
    ----------
    threshold : ndarray of shape (n_scores + 1,)
        Posterior of the positive class above which a row is called positive.
    log_odds : ndarray of shape (n_scores + 1,)
        The same as log-odds.
    tp, fp, fn, tn : ndarray of shape (n_scores + 1,)
        True positives, false positives, false negatives and true negatives.
    precision, recall, false_positive_rate, f1, alarms : ndarray of shape (n_scores + 1,)

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier
    >>> X, y = make_classification(1000, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", threshold="auto", epochs=5, random_state=0)
    >>> clf = clf.fit(X, y)
    >>> curve = clf.threshold_curve_
    >>> bool((curve.tp + curve.fn == curve.tp[-1]).all())
    True
    >>> sorted(curve.columns())[:3]  # pandas.DataFrame(curve.columns()) is a table
    ['alarms', 'f1', 'false_positive_rate']
    >>> chosen = int(abs(curve.threshold - clf.threshold_).argmin())
    >>> bool(curve.objective_at(chosen) > 0)  # F1 on the rows that judged
    True
    """

    scores: Float64
    positives: Float64
    negatives: Float64
    n_effective: tuple[float, float]
    objective: Float64 | None = None

    @cached_property
    def log_odds(self) -> Float64:
        upper, lower = self.scores[:-1], self.scores[1:]
        halfway = (upper + lower) / 2
        # Between neighbours in floating point there is no room: cut at the lower, not above it.
        return np.concatenate([[FAR], np.where(halfway < upper, halfway, lower), [-FAR]])

    @property
    def threshold(self) -> Float64:
        return expit(self.log_odds)

    @cached_property
    def tp(self) -> Float64:
        return np.append(0.0, np.cumsum(self.positives))

    @cached_property
    def fp(self) -> Float64:
        return np.append(0.0, np.cumsum(self.negatives))

    @property
    def fn(self) -> Float64:
        return self.tp[-1] - self.tp

    @property
    def tn(self) -> Float64:
        return self.fp[-1] - self.fp

    @property
    def counts(self) -> tuple[Float64, Float64, Float64, Float64]:
        """``(tp, fp, fn, tn)``."""
        return self.tp, self.fp, self.fn, self.tn

    @property
    def alarms(self) -> Float64:
        """Rows called positive."""
        return self.tp + self.fp

    @property
    def precision(self) -> Float64:
        """Share of the alarms that are positive; 1 without an alarm, as in scikit-learn."""
        return np.divide(self.tp, self.alarms, out=np.ones_like(self.tp), where=self.alarms > 0)

    @property
    def recall(self) -> Float64:
        """Share of the positives that are found."""
        return self.tp / self.tp[-1]

    @property
    def false_positive_rate(self) -> Float64:
        """Share of the negatives that are called positive."""
        return self.fp / self.fp[-1]

    @property
    def f1(self) -> Float64:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / (self.alarms + self.tp[-1])

    def objective_at(self, place: int) -> float:
        """Give the objective at one cut.

        Parameters
        ----------
        place : int
            Of the cut, counted from the highest threshold.

        Returns
        -------
        float
            NaN where it is not defined.
        """
        return math.nan if self.objective is None else float(self.objective[place])

    def columns(self) -> dict[str, Float64]:
        """Give the table, column by column; ``pandas.DataFrame`` takes it as it is.

        Returns
        -------
        dict of ndarray of shape (n_scores + 1,)
        """
        named = ("threshold", "precision", "recall", "false_positive_rate", "f1", "alarms")
        columns = {name: getattr(self, name) for name in (*named, "tp", "fp", "fn", "tn")}
        if self.objective is not None:
            columns["objective"] = self.objective
        return columns

    def __len__(self) -> int:
        return len(self.scores) + 1

    def __repr__(self) -> str:
        best = ""
        if self.objective is not None:
            top = int(np.nanargmax(self.objective))
            best = (
                f"; the best objective, {self.objective[top]:.4g}, at {self.threshold[top]:.4g}: "
                f"precision {self.precision[top]:.3f}, recall {self.recall[top]:.3f}, "
                f"{self.alarms[top]:g} alarms"
            )
        return f"<{type(self).__name__} of {len(self)} cuts{best}>"


def threshold_curve(
    log_odds: Float64, positive: NDArray[np.bool_], sample_weight: Float64
) -> ThresholdCurve:
    """Count over all distinct scores, in O(n log n).

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples,)
        Scores, as log-odds of the positive class.
    positive : ndarray of bool, shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,)

    Returns
    -------
    ThresholdCurve
        Without an objective.

    Raises
    ------
    ValueError
        If a score is NaN or infinite, or the positives or the negatives weigh nothing.

    Examples
    --------
    >>> import numpy as np
    >>> scores, positive = np.array([1.0, 3.0, 2.0]), np.array([False, True, True])
    >>> curve = threshold_curve(scores, positive, np.ones(3))
    >>> curve.log_odds[1:-1], curve.recall.tolist()
    (array([2.5, 1.5]), [0.0, 0.5, 1.0, 1.0])
    """
    bad = int((~np.isfinite(log_odds)).sum())
    if bad:
        raise ValueError(
            f"A threshold cannot be chosen on scores that are NaN or infinite: {bad} of "
            f"{len(log_odds)} are."
        )
    check_both_classes(positive, sample_weight)
    scores, tp, fp = _cumulated(log_odds, positive, sample_weight)
    return ThresholdCurve(
        scores,
        np.diff(tp, prepend=0.0),
        np.diff(fp, prepend=0.0),
        (_effective(sample_weight[positive]), _effective(sample_weight[~positive])),
    )


def average_precision(
    log_odds: Float64, positive: NDArray[np.bool_], sample_weight: Float64
) -> float:
    """Average precision: precision at every distinct score, weighted by the recall gained there.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples,)
        Finite; with positives.
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
    _, tp, fp = _cumulated(log_odds, positive, sample_weight)
    return float(np.sum(np.diff(tp, prepend=0.0) * tp / (tp + fp)) / tp[-1])


def check_both_classes(
    positive: NDArray[np.bool_], sample_weight: Float64, where: str = ""
) -> None:
    """Raise if a threshold cannot be chosen because positives or negatives are missing.

    Raises
    ------
    ValueError
    """
    for rows, name in ((positive, "positive"), (~positive, "negative")):
        if not sample_weight[rows].sum() > 0:
            raise ValueError(
                f"A threshold cannot be chosen on validation rows without a {name} row{where} (or "
                "with only weightless ones). Pass more validation rows, or choose it out of fold, "
                "with threshold_cv=5."
            )


def _cumulated(
    log_odds: Float64, positive: NDArray[np.bool_], sample_weight: Float64
) -> tuple[Float64, Float64, Float64]:
    """Distinct scores, the highest first, and the positives and negatives down to each."""
    order = np.argsort(-log_odds)
    scores, hits, weights = log_odds[order], positive[order], sample_weight[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    tp = np.cumsum(np.where(hits, weights, 0.0))[last_of_tie]
    fp = np.cumsum(np.where(hits, 0.0, weights))[last_of_tie]
    return scores[last_of_tie], tp, fp


def _effective(weights: Float64) -> float:
    """Kish's effective number of rows."""
    relative = weights / weights.max()
    return float(relative.sum() ** 2 / (relative**2).sum())
