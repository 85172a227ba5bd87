"""What a fitted estimator says of rows: its scores of one class or label, and its decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted, column_or_1d

from wbce._numbers import is_number
from wbce._rows import shortened
from wbce._scored_rows._probabilities import finite, finite_logit
from wbce.classifier import WeightedKerasClassifier
from wbce.losses._base import class_against_rest

Float64 = NDArray[np.float64]


def fitted_classifier(estimator: Any) -> Any:
    """The classifier in a search or at the end of a Pipeline.

    Raises
    ------
    TypeError
        If there is none.
    """
    return last_step(estimator, None)[0]


def last_step(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Find the classifier at the end, and the rows as they get there.

    Raises
    ------
    TypeError, ValueError
        If there is no fitted classifier with probabilities.
    """
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
        return last_step(estimator.best_estimator_, X)
    if hasattr(estimator, "steps"):
        check_is_fitted(estimator)
        for _, step in estimator.steps[:-1]:
            if X is not None and hasattr(step, "transform"):  # samplers have none
                X = step.transform(X)
        return last_step(estimator.steps[-1][1], X)
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


def asked(classifier: Any, X: Any, label: Any) -> dict[str, Any]:
    """What a classifier says of rows.

    Returns
    -------
    dict
        Of what `ScoredRows` has, all but the labels; and ``is_positive``, a function from labels
        to whether they are the positive one.
    """
    ours = isinstance(classifier, WeightedKerasClassifier) and classifier._posterior is not None
    return _of_ours(classifier, X, label) if ours else _of_any(classifier, X, label)


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
            "raw_log_odds": finite(z[:, k]),
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
            "raw_log_odds": finite(sign * z),
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
        "raw_log_odds": finite(class_against_rest(z)[:, k]),
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
        "log_odds": finite_logit(proba[:, k]),
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


def _scores(log_odds: Float64) -> dict[str, Float64]:
    return {"proba": expit(log_odds), "log_odds": finite(log_odds)}
