"""X: the same values in every dress, odd values, and what is no table."""

import numpy as np
from hypothesis import strategies as st

from hostile import tables
from hostile.models import FITTED, TARGETS, N, check_predictions, clf, fitted, network, targets
from hostile.registry import kind
from hostile.rules import ending
from hostile.values import ANYTHING

ABOUT_X = ("X", "array", "sample", "column", "eature", "input shape")
STRANGE = st.sampled_from([*tables.STRANGE.items(), *tables.FRAMES.items()])
ODD_NUMBERS = st.one_of(tables.odd_numbers(), tables.scaled())


@kind(seed=st.integers(0, 9), n=st.integers(12, 40), dress=tables.DRESSES)
def same_values_in_fit(seed, n, dress):
    X, y = tables.plain(seed, n), tables.two_classes(n)
    dressed = dress[1](X)

    def act():
        proba = clf().fit(dressed, y).predict_proba(dressed)
        np.testing.assert_array_equal(proba, clf().fit(X, y).predict_proba(X))

    return ending(act, about=ABOUT_X, inputs=[dressed])


@kind(
    name=st.sampled_from(FITTED),
    seed=st.integers(0, 9),
    n=st.integers(1, 40),
    dress=tables.DRESSES,
)
def same_values_in_predict(name, seed, n, dress):
    model, X = fitted(name), tables.plain(seed, n)
    dressed = dress[1](X)

    def act():
        proba = check_predictions(model, dressed, n)
        np.testing.assert_array_equal(proba, model.predict_proba(X))

    return ending(act, about=ABOUT_X, estimator=model, inputs=[dressed])


@kind(
    X=ODD_NUMBERS,
    target=st.sampled_from(TARGETS),
    model=st.sampled_from(["linear", "linear", "linear", network]),
)
def odd_numbers_in_fit(X, target, model):
    model = clf(model=model)

    def act():
        model.fit(X, targets(len(X))[target] if len(X) > 1 else [0])
        check_predictions(model, X, len(X))

    return ending(act, about=(*ABOUT_X, "class", "label", "learning_rate"), inputs=[X])


@kind(X=ODD_NUMBERS, name=st.sampled_from(FITTED))
def odd_numbers_in_predict(X, name):
    model = fitted(name)
    return ending(
        lambda: check_predictions(model, X, len(X)), about=ABOUT_X, estimator=model, inputs=[X]
    )


@kind(what=STRANGE, model=st.sampled_from(["linear", "linear", network]))
def strange_tables_in_fit(what, model):
    X, model = what[1](N), clf(model=model)
    y = targets()["two classes"]
    how = ending(lambda: model.fit(X, y), about=ABOUT_X, estimator=model, inputs=[X])
    if how != "correct":
        return how
    return ending(lambda: check_predictions(model, X, N), estimator=model, inputs=[X])


@kind(what=STRANGE, name=st.sampled_from(FITTED), n=st.integers(1, 20))
def strange_tables_in_predict(what, name, n):
    X, model = what[1](n), fitted(name)
    n = 1 if what[0] == "one row" else n
    return ending(
        lambda: check_predictions(model, X, n), about=ABOUT_X, estimator=model, inputs=[X]
    )


@kind(fit=st.sampled_from(sorted(tables.FRAMES)), predict=st.sampled_from(sorted(tables.FRAMES)))
def frames_that_change_after_the_fit(fit, predict):
    model, X = clf(), tables.FRAMES[fit](N)
    how = ending(lambda: model.fit(X, targets()["two classes"]), about=ABOUT_X, estimator=model)
    if how != "correct":
        return how
    X = tables.FRAMES[predict](N)
    return ending(
        lambda: check_predictions(model, X, N), about=ABOUT_X, estimator=model, inputs=[X]
    )


@kind(
    X=ANYTHING,
    name=st.sampled_from(FITTED),
    call=st.sampled_from(["fit", "predict", "predict_proba", "estimate_prior"]),
)
def anything_as_X(X, name, call):
    model, about = fitted(name), (*ABOUT_X, "class", "base rate")
    if call != "fit":
        return ending(lambda: getattr(model, call)(X), about=about, estimator=model, inputs=[X])
    new = clf()
    return ending(lambda: new.fit(X, [0, 1]), about=about, estimator=new, inputs=[X])
