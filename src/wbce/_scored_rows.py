"""Labelled rows with the scores and decisions of a fitted estimator: for displays and reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from scipy.special import expit, logit
from sklearn.utils.validation import check_is_fitted, column_or_1d

from wbce._numbers import as_numbers, is_number
from wbce._rows import as_labels, check_sample_weight, shortened
from wbce.classifier import WeightedKerasClassifier
from wbce.decisions import FAR, Objective, ThresholdCurve, ThresholdInterval, threshold_curve
from wbce.losses._base import class_against_rest

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
        classifier, X = _last_step(estimator, X)
        y = as_labels(y)
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if n_rows != len(y):
            raise ValueError(f"X has {n_rows} rows and y has {len(y)}: pass a label for every row.")
        weight = check_sample_weight(sample_weight, y)
        kept = np.flatnonzero(weight > 0)
        if len(kept) < len(y):
            X, y, weight = _taken(X, kept), y[kept], weight[kept]
        ours = isinstance(classifier, WeightedKerasClassifier) and classifier._posterior is not None
        said = _of_ours(classifier, X, label) if ours else _of_any(classifier, X, label)
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
        proba = _checked_proba("y_proba", y_proba, len(y))
        raw = None if raw_proba is None else _checked_proba("raw_proba", raw_proba, len(y))
        check_threshold(threshold)
        weight = check_sample_weight(sample_weight, y)
        kept = np.flatnonzero(weight > 0)
        classes = np.unique(y[kept])
        pos_label = _positive_of(classes, y[kept], weight[kept], pos_label)
        known = classes.tolist()
        positive = y[kept] == pos_label
        _check_both(positive, pos_label)
        return cls(
            proba=proba[kept],
            log_odds=_finite_logit(proba[kept]),
            positive=positive,
            called=proba[kept] > (0.5 if threshold is None else threshold),
            sample_weight=weight[kept],
            kept=kept,
            pos_label=pos_label,
            neg_label=known[1] if known[0] == pos_label else known[0],
            threshold=threshold,
            raw_log_odds=None if raw is None else _finite_logit(raw[kept]),
            name=name,
        )


def fitted_classifier(estimator: Any) -> Any:
    """The classifier in a search or at the end of a Pipeline.

    Raises
    ------
    TypeError
        If there is none.
    """
    return _last_step(estimator, None)[0]


def _last_step(estimator: Any, X: Any) -> tuple[Any, Any]:
    """The classifier at the end, and the rows as they get there."""
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise TypeError(
            f"{shortened(estimator)} is no estimator: pass a fitted WeightedKerasClassifier, a "
            "Pipeline that ends in one, or a search over either."
        )
    if _is_search(estimator):
        if not (getattr(estimator, "refit", True) and hasattr(estimator, "best_estimator_")):
            raise ValueError(
                f"This {type(estimator).__name__} was run with refit=False and has no fitted "
                "estimator. Set refit=True, or pass an estimator that you fitted."
            )
        return _last_step(estimator.best_estimator_, X)
    if hasattr(estimator, "steps"):
        check_is_fitted(estimator)
        for _, step in estimator.steps[:-1]:
            if X is not None and hasattr(
                step, "transform"
            ):  # imbalanced-learn's samplers have none
                X = step.transform(X)
        return _last_step(estimator.steps[-1][1], X)
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"{type(estimator).__name__} has no predict_proba, and all of this is about "
            "probabilities. Pass a classifier that has."
        )
    check_is_fitted(estimator)
    return estimator, X


def _is_search(estimator: Any) -> bool:
    """Whether it keeps the best of many; others with ``cv_results_`` keep one ``estimator_``."""
    results = hasattr(estimator, "best_estimator_") or hasattr(estimator, "cv_results_")
    return hasattr(estimator, "estimator") and results and not hasattr(estimator, "estimator_")


def _of_ours(classifier: WeightedKerasClassifier, X: Any, label: Any) -> dict[str, Any]:
    z = classifier._logits(X, {})
    scores, decision = classifier._log_scores(z), classifier._decision(z)
    found: dict[str, Any] = {"classifier": classifier}
    classes = classifier.classes_
    if classifier._has_several_labels():
        k = _label_number(label, len(classes))
        cut = float(np.atleast_1d(classifier.threshold_)[k])
        tuned = classifier.threshold_interval_[k] if hasattr(classifier, "_chosen_for") else None
        return found | {
            **_scores(scores[:, k]),
            "raw_log_odds": _finite(z[:, k]),
            "called": decision[:, k] > 0,
            "threshold": cut,
            "interval": tuned,
            "pos_label": k,
            "is_positive": _is_label(k, len(classes)),
        }
    if z.ndim == 1:
        pos_label, sign = classes.tolist()[classifier._positive], classifier._sign()
        if label is not None and label != pos_label:
            raise ValueError(
                f"label={label!r}: this classifier's threshold and curves are of its positive "
                f"class, {pos_label!r}. Leave label out, or fit with pos_label={label!r}."
            )
        by_threshold = classifier._costs is None and classifier.threshold_ is not None
        return found | {
            **_scores(sign * scores),
            "raw_log_odds": _finite(sign * z),
            "called": sign * decision > 0,
            "threshold": float(classifier.threshold_) if by_threshold else None,
            "interval": (
                classifier.threshold_interval_ if hasattr(classifier, "_chosen_for") else None
            ),
            "pos_label": pos_label,
            "neg_label": next(other for other in classes.tolist() if other != pos_label),
            "is_positive": _is_class(pos_label, classes),
        }
    k = _class_number(label, classes)
    return found | {
        **_scores(class_against_rest(scores)[:, k]),
        "raw_log_odds": _finite(class_against_rest(z)[:, k]),
        "called": np.argmax(decision, axis=1) == k,
        "pos_label": classes.tolist()[k],
        "is_positive": _is_class(classes.tolist()[k], classes),
    }


def _of_any(classifier: Any, X: Any, label: Any) -> dict[str, Any]:
    proba, said, classes = classifier.predict_proba(X), classifier.predict(X), classifier.classes_
    a_class_a_column = np.ndim(proba) == 2 and np.shape(proba)[1] == len(classes)
    if not a_class_a_column or getattr(said, "ndim", 1) > 1:
        raise ValueError(
            f"{type(classifier).__name__} predicts several labels a row in a form of its own: pass "
            "its probabilities of one label to from_predictions."
        )
    k = len(classes) - 1 if label is None and len(classes) == 2 else _class_number(label, classes)
    called = np.asarray(said) == classes[k]
    return {
        "proba": proba[:, k],
        "log_odds": _finite_logit(proba[:, k]),
        "called": called,
        "threshold": _cut_of_any(classifier, proba[:, k], called) if len(classes) == 2 else None,
        "pos_label": classes.tolist()[k],
        "neg_label": classes.tolist()[1 - k] if len(classes) == 2 else None,
        "is_positive": _is_class(classes.tolist()[k], classes),
    }


def _cut_of_any(classifier: Any, proba: Float64, called: NDArray[np.bool_]) -> float | None:
    """The probability at which another's decisions are made, if they are.

    scikit-learn's thresholds may be of the other class, or of ``decision_function``.
    """
    if getattr(classifier, "response_method", None) == "decision_function":
        return None
    cut = getattr(classifier, "best_threshold_", getattr(classifier, "threshold", None))
    known: list[float] = [] if cut is None or not is_number(cut) else [float(cut), 1 - float(cut)]
    for threshold in (*known, 0.5):
        if any(
            np.array_equal(called, over(proba, threshold))
            for over in (np.greater, np.greater_equal)
        ):
            return threshold
    return None


def _class_number(label: Any, classes: NDArray[Any]) -> int:
    known = classes.tolist()
    if label is None or label not in known:
        said = "There are three classes or more" if label is None else f"label={label!r} is unknown"
        raise ValueError(
            f"{said}: pass label=, the class that is compared with the rest, one of {known}."
        )
    return known.index(label)


def _label_number(label: Any, n_labels: int) -> int:
    if not isinstance(label, int | np.integer) or not 0 <= label < n_labels:
        raise ValueError(
            f"label={label!r}: every row has {n_labels} labels, and one is looked at; pass its "
            f"number, 0 to {n_labels - 1}."
        )
    return int(label)


def _is_class(pos_label: Any, classes: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[np.bool_]]:
    def is_positive(y: NDArray[Any]) -> NDArray[np.bool_]:
        labels = column_or_1d(y)
        unknown = np.setdiff1d(labels, classes).tolist()
        if unknown:
            raise ValueError(
                f"y has the labels {shortened(unknown)}, which were not there at the fit. The "
                f"classes are {classes.tolist()}."
            )
        return labels == pos_label

    return is_positive


def _is_label(k: int, n_labels: int) -> Callable[[NDArray[Any]], NDArray[np.bool_]]:
    def is_positive(y: NDArray[Any]) -> NDArray[np.bool_]:
        if y.ndim != 2 or y.shape[1] != n_labels:
            raise ValueError(
                f"y has shape {y.shape}: pass zeros and ones, a column for each of the {n_labels} "
                "labels."
            )
        return y[:, k] == 1

    return is_positive


def _positive_of(classes: NDArray[Any], y: NDArray[Any], weight: Float64, pos_label: Any) -> Any:
    known = classes.tolist()
    if len(known) != 2:
        raise ValueError(
            f"y_true has the labels {shortened(known)}: two classes are expected. Of more, compare "
            "one with the rest: y_true == label."
        )
    if pos_label is not None and pos_label not in known:
        raise ValueError(f"pos_label={pos_label!r} is not one of the labels {known}.")
    if pos_label is not None:
        return pos_label
    if known in ([0, 1], [-1, 1]):  # booleans too
        return known[1]
    first = weight[y == classes[0]].sum()
    return known[0] if first < weight.sum() - first else known[1]


def _check_both(positive: NDArray[np.bool_], pos_label: Any) -> None:
    if positive.all() or not positive.any():
        what = "only" if positive.all() else "no"
        raise ValueError(
            f"There are {what} rows of {pos_label!r} among the {len(positive)} that were passed: "
            "both positives and negatives are needed to say anything. Pass more rows."
        )


def check_threshold(threshold: Any) -> None:
    """Raise if it is neither a probability nor None."""
    if threshold is not None and not (is_number(threshold) and 0 <= threshold <= 1):
        raise ValueError(f"threshold={threshold!r} is not allowed: pass a probability, 0 to 1.")


def _checked_proba(name: str, proba: Any, n: int) -> Float64:
    numbers = as_numbers(proba)
    if numbers is None or numbers.ndim != 1 or len(numbers) != n:
        shape = "no numbers" if numbers is None else f"the shape {numbers.shape}"
        raise ValueError(
            f"{name} has {shape}: pass the positive class's probability of each of the {n} rows, "
            "such as predict_proba(X)[:, 1]."
        )
    if not ((numbers >= 0) & (numbers <= 1)).all():
        raise ValueError(
            f"{name} has values from {numbers.min():.4g} to {numbers.max():.4g}: probabilities lie "
            "between 0 and 1, and none is missing."
        )
    return numbers


def _scores(log_odds: Float64) -> dict[str, Float64]:
    return {"proba": expit(log_odds), "log_odds": _finite(log_odds)}


def _finite_logit(proba: ArrayLike) -> Float64:
    with np.errstate(divide="ignore"):
        return _finite(logit(np.asarray(proba, dtype=np.float64)))


def _finite(scores: Float64) -> Float64:
    """Within what curves take: a probability of exactly zero or one is one beyond all others."""
    return np.clip(scores, -FAR / 2, FAR / 2)


def _taken(X: Any, kept: NDArray[np.intp]) -> Any:
    """Some rows of a frame, a matrix or a list."""
    if hasattr(X, "iloc"):
        return X.iloc[kept]
    if issparse(X):
        return X.tocsr()[kept]  # not every sparse form can be indexed
    return X[kept] if hasattr(X, "shape") else [X[i] for i in kept]
