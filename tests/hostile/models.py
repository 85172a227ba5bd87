"""Small estimators, fitted in milliseconds, and what must hold of all that they say."""

import functools

import keras
import numpy as np
import pandas as pd

from hostile import tables
from wbce import WeightedKerasClassifier

N = 36
X = tables.plain(0, N)
FRAME = pd.DataFrame(
    {"a": np.arange(float(N)), "b": np.arange(N) % 2, "c": ["x", "y", None] * (N // 3)}
)


@functools.cache
def targets(n=N):
    two = tables.two_classes(n)
    return {
        "two classes": two,
        "three classes": np.arange(n) % 3,
        "labels": np.stack([two, np.arange(n) % 2], axis=1),
    }


TARGETS = sorted(targets())
FITTED = [*TARGETS, "frame", "ensemble", "network", "calibrated"]


def clf(**parameters):
    return WeightedKerasClassifier(
        **{"model": "linear", "epochs": 1, "random_state": 0, **parameters}
    )


def network(meta):
    """A network of the user's own, which takes numbers only."""
    labels = meta["target_type_"] == "multilabel-indicator"
    outputs = 1 if meta["n_classes_"] == 2 and not labels else meta["n_classes_"]
    return keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(outputs)])


@functools.cache
def fitted(name):
    """One estimator of each kind of targets, columns and networks."""
    two = targets()["two classes"]
    if name == "frame":
        return clf().fit(FRAME, two)
    if name == "ensemble":
        return clf(model="ensemble").fit(X, two)
    if name == "network":
        return clf(model=network).fit(X, targets()["three classes"])
    if name == "calibrated":
        judging = {"threshold": "auto", "validation_split": 0.5, "threshold_cv": False}
        return clf(loss="tversky", **judging).fit(X, two)
    return clf().fit(X, targets()[name])


def rows_of(name):
    """Rows that a fitted estimator takes."""
    return FRAME if name == "frame" else X


def target_of(name):
    """Labels that a fitted estimator knows."""
    known = {"network": "three classes", **dict(zip(TARGETS, TARGETS, strict=True))}
    return targets()[known.get(name, "two classes")]


def put_back(model, attributes):
    """Undo what a method has changed."""
    vars(model).clear()
    vars(model).update(attributes)


def check_probabilities(proba, n_samples, n_classes, sum_to_one=True):
    assert proba.shape == (n_samples, n_classes), proba.shape
    assert proba.dtype == np.float64, proba.dtype
    assert np.isfinite(proba).all(), "not finite"
    assert ((proba >= 0) & (proba <= 1)).all(), "not between 0 and 1"
    if sum_to_one:
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-9)


def check_predictions(model, X, n):
    """Check all that a fitted estimator says of some rows; give the probabilities."""
    if model._posterior is None:  # of a loss, or targets, that have none
        assert len(model.predict(X)) == n
        return None
    several = model._has_several_labels()
    proba = model.predict_proba(X)
    check_probabilities(proba, n, len(model.classes_), sum_to_one=not several)
    predicted = model.predict(X)
    assert len(predicted) == n
    allowed = {0, 1} if several else set(model.classes_.tolist())
    assert set(np.unique(predicted).tolist()) <= allowed
    assert not np.isnan(model.predict_log_proba(X)).any()
    assert not np.isnan(model.decision_function(X)).any()
    return proba
