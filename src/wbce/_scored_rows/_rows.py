"""Labelled rows as one fitted estimator sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.utils.validation import column_or_1d

from wbce._rows import as_labels, check_sample_weight
from wbce._scored_rows._asked import asked, last_step
from wbce._scored_rows._probabilities import (
    check_threshold,
    checked_proba,
    finite_logit,
    positive_of,
)
from wbce.classifier import WeightedKerasClassifier
from wbce.decisions import Objective, ThresholdCurve, ThresholdInterval, threshold_curve

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class ScoredRows:
    """Labelled rows as one fitted estimator sees them: one class, or label, against the rest.

    Attributes
    ----------
    proba : ndarray of shape (n_samples,)
        Probability of the positive class; of our estimator the mapped one, also where it shows
        another (``calibrate=False``).
    log_odds : ndarray of shape (n_samples,)
        The same as log-odds, finite.
    positive : ndarray of bool, shape (n_samples,)
        What the rows are.
    called : ndarray of bool, shape (n_samples,)
        What the estimator decides.
    sample_weight : ndarray of shape (n_samples,)
        Above zero.
    kept : ndarray of int, shape (n_samples,)
        Which of the rows that were passed these are: those that have weight.
    pos_label : object
        The positive class, or the number of the label.
    neg_label : object
        The other one of two classes; None where the rest is no class.
    threshold : float or None
        The probability above which a row is called positive; None where there is none such.
    interval : ThresholdInterval or None
        Of a threshold that was tuned.
    raw_log_odds : ndarray of shape (n_samples,), or None
        Of the network's own output, before weights and the loss's distortion are undone.
    classifier : WeightedKerasClassifier or None
        The last step of the estimator, if it is one.
    name : str
        What to call the estimator.
    """

    proba: Float64
    log_odds: Float64
    positive: NDArray[np.bool_]
    called: NDArray[np.bool_]
    sample_weight: Float64
    kept: NDArray[np.intp]
    pos_label: Any
    neg_label: Any = None
    threshold: float | None = None
    interval: ThresholdInterval | None = None
    raw_log_odds: Float64 | None = None
    classifier: WeightedKerasClassifier | None = None
    name: str = "classifier"

    @property
    def objective(self) -> Any:
        """What the threshold was tuned for; None where it was not."""
        return getattr(self.classifier, "_chosen_for", [None])[0]

    @property
    def tuned_for(self) -> Objective | None:
        """The same as a figure of the counts; None where no cut of the probability was tuned."""
        if self.classifier is None or self.interval is None:
            return None
        said, costs, _ = self.classifier._chosen_for
        objective: Objective = self.classifier._understood(said, costs)
        return objective

    @property
    def cost_matrix(self) -> Float64 | None:
        """``[[TN, FP], [FN, TP]]`` of the estimator, positives in the second place."""
        classifier = self.classifier
        if classifier is None or classifier.cost_matrix is None or len(classifier.classes_) > 2:
            return None
        costs = np.asarray(classifier.cost_matrix, dtype=np.float64)
        return costs if classifier._positive == 1 else costs[::-1, ::-1]

    @property
    def raw_proba(self) -> Float64 | None:
        """The network's own output."""
        return None if self.raw_log_odds is None else expit(self.raw_log_odds)

    @property
    def base_rate(self) -> float:
        """The positives' share."""
        return float(self.sample_weight[self.positive].sum() / self.sample_weight.sum())

    @cached_property
    def curve(self) -> ThresholdCurve:
        """What every threshold would give on these rows."""
        return threshold_curve(self.log_odds, self.positive, self.sample_weight)

    @property
    def counts(self) -> tuple[float, float, float, float]:
        """``(tp, fp, fn, tn)`` of the estimator's decisions, as weights."""
        cells = (
            (self.positive, self.called),
            (~self.positive, self.called),
            (self.positive, ~self.called),
            (~self.positive, ~self.called),
        )
        tp, fp, fn, tn = (float(self.sample_weight[is_ & said].sum()) for is_, said in cells)
        return tp, fp, fn, tn

    @classmethod
    def of_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        label: Any = None,
        name: str | None = None,
    ) -> ScoredRows:
        """Score rows by a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A ``WeightedKerasClassifier``, a Pipeline that ends in one, or a search over either;
            or any fitted classifier of scikit-learn's kind with ``predict_proba``.
        X, y, sample_weight : array-like
            As for ``estimator.score``.
        label : object, optional
            For three classes or more the one that is compared with the rest; for several labels
            a row its number. For two classes the positive one, where the estimator is not ours.
        name : str, optional
            By default the class's name.

        Raises
        ------
        TypeError, ValueError
            If the estimator is no classifier with probabilities, or is not fitted, or labels are
            unknown, or only one class is there.
        """
        classifier, X = last_step(estimator, X)
        y = as_labels(y)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if n_rows != len(y):
            raise ValueError(f"X has {n_rows} rows and y has {len(y)}: pass a label for every row.")
        weight = check_sample_weight(sample_weight, y)
        kept = np.flatnonzero(weight > 0)
        if len(kept) < len(y):
            X, y, weight = _taken(X, kept), y[kept], weight[kept]
        said = asked(classifier, X, label)
        positive = said.pop("is_positive")(y)
        _check_both(positive, said["pos_label"])
        return cls(
            positive=positive,
            sample_weight=weight,
            kept=kept,
            name=name or type(classifier).__name__,
            **said,
        )

    @classmethod
    def of_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        threshold: float | None = None,
        pos_label: Any = None,
        sample_weight: ArrayLike | None = None,
        raw_proba: ArrayLike | None = None,
        name: str = "classifier",
    ) -> ScoredRows:
        """Take probabilities that are there already.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of two classes.
        y_proba : array-like of shape (n_samples,)
            Probability of the positive class.
        threshold : float, optional
            Probability above which a row is called positive.
        pos_label : object, optional
            The positive class; by default the larger of {0, 1}, {-1, 1} and booleans, and the
            rarer of any other two labels.
        sample_weight : array-like of shape (n_samples,), optional
        raw_proba : array-like of shape (n_samples,), optional
            Probabilities before they were calibrated.
        name : str, optional

        Raises
        ------
        ValueError
            If arrays do not fit together, or hold no probabilities or not two classes.
        """
        y = as_labels(column_or_1d(as_labels(y_true, "y_true")), "y_true")
        proba = checked_proba("y_proba", y_proba, len(y))
        raw = None if raw_proba is None else checked_proba("raw_proba", raw_proba, len(y))
        check_threshold(threshold)
        weight = check_sample_weight(sample_weight, y)
        kept = np.flatnonzero(weight > 0)
        classes = np.unique(y[kept])
        pos_label = positive_of(classes, y[kept], weight[kept], pos_label)
        known = classes.tolist()
        positive = y[kept] == pos_label
        _check_both(positive, pos_label)
        return cls(
            proba=proba[kept],
            log_odds=finite_logit(proba[kept]),
            positive=positive,
            called=proba[kept] > (0.5 if threshold is None else threshold),
            sample_weight=weight[kept],
            kept=kept,
            pos_label=pos_label,
            neg_label=known[1] if known[0] == pos_label else known[0],
            threshold=threshold,
            raw_log_odds=None if raw is None else finite_logit(raw[kept]),
            name=name,
        )


def _check_both(positive: NDArray[np.bool_], pos_label: Any) -> None:
    if positive.all() or not positive.any():
        what = "only" if positive.all() else "no"
        raise ValueError(
            f"There are {what} rows of {pos_label!r} among the {len(positive)} that were passed: "
            "both positives and negatives are needed to say anything. Pass more rows."
        )


def _taken(X: Any, kept: NDArray[np.intp]) -> Any:
    """Some rows of a frame, a matrix or a list."""
    if hasattr(X, "iloc"):
        return X.iloc[kept]
    if issparse(X):
        return X.tocsr()[kept]  # not every sparse form can be indexed
    return X[kept] if hasattr(X, "shape") else [X[i] for i in kept]
