"""y, sample weights and groups."""

import numpy as np
from hypothesis import strategies as st

from hostile import labels
from hostile.models import (
    FITTED,
    TARGETS,
    N,
    X,
    check_predictions,
    clf,
    fitted,
    put_back,
    rows_of,
    targets,
)
from hostile.registry import kind
from hostile.rules import ending

ABOUT_Y = ("y ", "y_val", "label", "class", "target", "array", "sample")


@kind(
    names=labels.label_sets(),
    container=st.sampled_from(sorted(labels.CONTAINERS)),
    seed=st.integers(0, 9),
)
def labels_of_every_kind(names, container, seed):
    codes = np.random.default_rng(seed).integers(0, len(names), N)
    codes[: len(names)] = np.arange(len(names))
    given = [names[code] for code in codes]
    y = labels.CONTAINERS[container](given)
    model = clf()

    def act():
        model.fit(X, y)
        check_predictions(model, X, N)
        assert sorted(names) == model.classes_.tolist(), model.classes_
        again = clf(pos_label=1 if len(names) == 2 else None)
        again.fit(X, np.searchsorted(sorted(names), given))
        np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
        assert 0 <= model.score(X, y) <= 1
        model.tune_threshold(X, y)

    return ending(act, about=ABOUT_Y, inputs=[y])


@kind(
    what=st.sampled_from(sorted(labels.STRANGE.items())),
    name=st.sampled_from(FITTED),
    call=st.sampled_from(
        ["fit", "partial_fit", "initialize", "validation", "score", "tune_threshold"]
    ),
    n=st.integers(2, 36),
)
def strange_labels(what, name, call, n):
    y = what[1](n)
    model = fitted(name) if call in ("score", "tune_threshold") else clf(early_stopping=True)
    before = dict(vars(model))

    def act():
        if call == "validation":
            model.fit(X, targets()["two classes"], X_val=X[:n], y_val=y)
        elif call in ("fit", "partial_fit", "initialize"):
            getattr(model, call)(X[:n], y)
            check_predictions(model, X[:n], n)
        else:
            found = getattr(model, call)(rows_of(name)[:n], y)
            assert call != "score" or 0 <= found <= 1
            put_back(model, before)

    return ending(act, about=ABOUT_Y, estimator=model, inputs=[y])


@kind(
    what=st.sampled_from(sorted(labels.WEIGHTS.items())),
    target=st.sampled_from(TARGETS),
    call=st.sampled_from(["fit", "partial_fit", "validation", "score", "tune_threshold"]),
    parameters=st.sampled_from(
        [
            {},
            {"class_weight": "balanced"},
            {"class_weight": "effective"},
            {"loss": "ldam"},
            {"threshold": "auto"},
            {"early_stopping": True, "validation_split": 0.5},
        ]
    ),
)
def sample_weights(what, target, call, parameters):
    weight, y = what[1](N), targets()[target]
    model = fitted(target) if call in ("score", "tune_threshold") else clf(**parameters)
    before = dict(vars(model))

    def act():
        if call == "validation":
            model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
        else:
            found = getattr(model, call)(X, y, sample_weight=weight)
            assert call != "score" or 0 <= found <= 1
        check_predictions(model, X, N)
        for name in ("pos_weight_", "threshold_", "prior_", "threshold_score_"):
            assert np.isfinite(getattr(model, name, 0.0)).all(), name
        if before.get("model_"):
            put_back(model, before)

    about = (
        "weight",
        "inconsistent numbers",
        "class",
        "label",
        "partial_fit",
        "positive",
        "negative",
    )
    return ending(act, about=about, estimator=model, inputs=[weight, y])


@kind(
    what=st.sampled_from(sorted(labels.GROUPS.items())),
    target=st.sampled_from(TARGETS),
    parameters=st.sampled_from(
        [
            {},
            {"early_stopping": True, "validation_split": 0.4},
            {"threshold": "auto"},
            {"threshold": "auto", "threshold_cv": 2},
            {"validation_split": 0.0},
            {"model": "ensemble"},
        ]
    ),
)
def groups(what, target, parameters):
    groups, model = what[1](N), clf(**parameters)

    def act():
        model.fit(X, targets()[target], groups=groups)
        check_predictions(model, X, N)

    about = ("roup", "inconsistent", "class", "label")
    return ending(act, about=about, estimator=model, inputs=[groups])
