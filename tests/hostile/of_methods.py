"""Arguments of fit, partial_fit, predict and tune_threshold, beside X and y."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from hostile.models import (
    FITTED,
    N,
    X,
    check_predictions,
    check_probabilities,
    clf,
    fitted,
    put_back,
    rows_of,
    target_of,
    targets,
)
from hostile.of_parameters import MATRICES, OBJECTIVES, is_quick, unheard
from hostile.registry import kind
from hostile.rules import ending
from hostile.values import ANYTHING, mostly

LARGEST = np.finfo(float).max
PRIORS = mostly(
    st.one_of(
        st.floats(0, 1),
        st.floats(0, 1).map(lambda p: [p, 1 - p]),
        st.lists(st.floats(0, 1), min_size=1, max_size=3),
        st.sampled_from(
            [
                [0.2, 0.3, 0.5], [0.5, 0.5], {0: 0.5, 1: 0.5}, {0: 0.1, 1: 0.1, 2: 0.8},
                {"0": 0.5, 1: 0.5}, [1 - 1e-300, 1e-300], [5e-324, 0.0, 1.0], [5e-324, 1.0],
                pd.Series([0.5, 0.5]), pd.Series([0.5, 0.5], index=[1, 0]),
                pd.Series([0.5, 0.5], index=[1, 1]), np.array([0.3, 0.7], dtype=np.float32),
            ]
        ),
    )
)  # fmt: skip
ROW_COSTS = mostly(
    st.one_of(
        MATRICES,
        st.sampled_from(
            [
                np.ones((N, 2, 2)), np.ones((N, 3, 3)), np.full((N, 2, 2), 1e308),
                np.ones((N - 1, 2, 2)), np.full((N, 2, 2), np.nan), np.zeros((2, 2)),
                np.zeros((3, 3)), np.full((3, 3), 5e-324), np.ones((0, 2, 2)),
                np.ones((N, 2, 2), dtype=object), np.ones((N, 2, 2), dtype=complex),
                np.full((3, 3), LARGEST), np.full((2, 2), LARGEST), np.full((N, 3, 3), LARGEST),
            ]
        ),
    )
)  # fmt: skip


@kind(name=st.sampled_from(FITTED), prior=PRIORS)
def priors_in_predict(name, prior):
    model, rows = fitted(name), rows_of(name)

    def act():
        proba = model.predict_proba(rows, prior=prior)
        check_probabilities(proba, N, len(model.classes_), name != "labels")
        assert set(model.predict(rows, prior=prior).ravel().tolist()) <= {0, 1, 2}
        assert np.isfinite(model.decision_function(rows, prior=prior)).all()
        assert not np.isnan(model.predict_log_proba(rows, prior=prior)).any()

    return ending(act, about=("prior",), estimator=model, inputs=[prior])


@kind(name=st.sampled_from(FITTED), costs=ROW_COSTS)
def costs_in_predict(name, costs):
    model, rows = fitted(name), rows_of(name)

    def act():
        assert set(model.predict(rows, cost_matrix=costs).ravel().tolist()) <= {0, 1, 2}
        assert np.isfinite(model.decision_function(rows, cost_matrix=costs)).all()

    return ending(act, about=("cost_matrix",), estimator=model, inputs=[costs])


@kind(
    name=st.sampled_from(FITTED),
    arguments=st.dictionaries(
        st.sampled_from(["batch_size", "verbose", "steps", "callbacks", "nonsense"]),
        mostly(st.integers(1, 50)), min_size=1, max_size=2,
    ).filter(lambda given: all(is_quick(*item) for item in given.items())),
)  # fmt: skip
def keras_arguments_in_predict(name, arguments):
    model = fitted(name)

    def act():
        proba = model.predict_proba(rows_of(name), **arguments)
        n = len(proba) if "steps" in arguments else N
        check_probabilities(proba, n, len(model.classes_), name != "labels")

    with unheard():
        return ending(act, about=tuple(arguments), estimator=model, inputs=[arguments])


FIT_ARGUMENTS = [
    "epochs", "batch_size", "validation_split", "validation_data", "callbacks", "shuffle",
    "verbose", "initial_epoch", "steps_per_epoch", "class_weight", "validation_freq", "nonsense",
    "X_val", "y_val", "sample_weight_val", "sample_weight", "groups",
]  # fmt: skip


@kind(
    given=st.sampled_from(FIT_ARGUMENTS).flatmap(
        lambda name: st.tuples(st.just(name), ANYTHING.filter(lambda v: is_quick(name, v)))
    ),
    call=st.sampled_from(["fit", "fit", "partial_fit"]),
)
def arguments_of_fit(given, call):
    name, value = given
    model, y = clf(), targets()["two classes"]

    def act():
        getattr(model, call)(X, y, **{name: value})
        check_predictions(model, X, N)

    with unheard():
        about = (name, "ample weights", "inconsistent", "X_val", "y_val")
        return ending(act, about=about, estimator=model, inputs=[value])


@kind(
    name=st.sampled_from(FITTED),
    objective=mostly(st.none() | OBJECTIVES),
    prior=st.none() | PRIORS,
    seed=st.integers(0, 9),
    n=st.integers(1, 36),
)
def objectives_in_tune_threshold(name, objective, prior, seed, n):
    model = fitted(name)
    which = np.random.default_rng(seed).permutation(N)[:n]
    rows = rows_of(name)
    rows, y = rows.iloc[which] if name == "frame" else rows[which], target_of(name)[which]
    before = dict(vars(model))

    def act():
        model.tune_threshold(rows, y, objective=objective, prior=prior)
        check_predictions(model, rows, n)
        assert not np.isnan(model.threshold_score_).any()
        assert model.threshold_interval_ is not None
        put_back(model, before)

    about = ("objective", "prior", "row", "abel", "class", "ositive", "must", "alarm", "argument")
    return ending(act, about=about, estimator=model, inputs=[objective, prior])


@kind(
    classes=mostly(
        st.sampled_from(
            [
                [0, 1], (1, 0), np.array([0, 1]), [0, 1, 2], [0], ["a", "b"], [0, 0, 1],
                [0.0, 1.0], [0, None], [0, np.nan], [False, True], [[0, 1]], pd.Series([0, 1]),
            ]
        )
    ),
    n=st.integers(0, 5),
)  # fmt: skip
def classes_in_partial_fit(classes, n):
    model, y = clf(), targets()["two classes"]

    def act():
        model.partial_fit(X[:n], y[:n], classes=classes)
        model.partial_fit(X, y, classes=classes)
        check_predictions(model, X, N)

    return ending(act, about=("class", "sample", "label"), inputs=[classes])
