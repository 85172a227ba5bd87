"""Every parameter of the constructor: likely values, anything, several at once, routed ones."""

import contextlib
import io
import os

import keras
import numpy as np
from hypothesis import strategies as st

from hostile.models import TARGETS, N, X, check_predictions, clf, network, targets
from hostile.of_labels import ABOUT_Y
from hostile.of_tables import ABOUT_X
from hostile.registry import kind
from hostile.rules import ending
from hostile.values import ANYTHING, NUMBERS, mostly
from wbce.losses import LOSSES

POSITIVE = st.floats(1e-300, 1e300) | st.integers(1, 1000)
STRATEGIES = st.one_of(
    st.sampled_from(["balanced", "sqrt", "log", "effective"]),
    st.floats(0, 1, exclude_max=True).map(lambda beta: ("effective", beta)),
)
OBJECTIVES = st.one_of(
    st.sampled_from(
        [
            "f1", "f2", "f0.001", "f1000000", "mcc", "youden", "g_mean", "cost", "roc_auc",
            "accuracy", "balanced_accuracy", "f0", "f1e3", "f" + "9" * 400,
        ]
    ),
    st.dictionaries(
        st.sampled_from(["min_precision", "min_recall", "max_fpr", "max_alarms", "per"]),
        st.floats(0, 1) | NUMBERS, min_size=1, max_size=3,
    ),
    st.sampled_from(
        [
            lambda tp, fp, fn, tn: tp - fp,
            lambda tp, fp, fn, tn: tp / fp,
            lambda tp, fp, fn, tn: tp * np.nan,
            lambda tp, fp, fn, tn: tp + np.inf,
            lambda tp, fp, fn, tn: -tp.astype(object),
            lambda tp, fp, fn, tn: tp.astype(str),
            lambda tp, fp, fn, tn: tp * 1j,
            lambda tp, fp, fn, tn: tp[:-1],
            lambda tp, fp, fn, tn: 1.0,
            lambda tp, fp, fn, tn: None,
            lambda tp: tp,
        ]
    ),
)  # fmt: skip
MATRICES = st.one_of(
    st.sampled_from(
        [
            [[0, 1], [9, 0]], [[0, 1e300], [1e-300, 0]], [[0, 0], [1, 0]], np.ones((2, 2)),
            [[0, 1, 2], [1, 0, 1], [5, 1, 0]], 1 - np.eye(3), [[1, 0], [0, 1]], [[0, -1], [1, 0]],
            np.eye(1), [[0, np.inf], [1, 0]], [[0, 5e-324], [1, 0]], [["0", "1"], ["2", "0"]],
        ]
    ),
    st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=2, max_size=2),
)  # fmt: skip
SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=3)

LIKELY = {
    "model": st.sampled_from(["linear", "mlp", "Linear", network, lambda: None, int]),
    "loss": st.sampled_from(
        [*LOSSES, *LOSSES.values(), "bce", "mse", "hinge", keras.losses.Hinge, None]
    ),
    "class_weight": STRATEGIES
    | st.dictionaries(st.integers(0, 2), POSITIVE, min_size=2, max_size=3),
    "pos_weight": STRATEGIES | POSITIVE | st.lists(POSITIVE, min_size=2, max_size=2),
    "pos_label": st.sampled_from([0, 1, 2, True, 1.0, np.int64(0), "1"]),
    "gamma": st.floats(0, 1e4) | st.lists(st.floats(0, 10), min_size=2, max_size=3),
    "alpha": st.floats(0, 1) | SHARES,
    "label_smoothing": st.floats(0, 1),
    "cost_matrix": MATRICES,
    "calibrate": st.sampled_from([True, False, "sigmoid", "isotonic", np.True_]),
    "prior": st.floats(0, 1)
    | SHARES
    | st.sampled_from([[0.2, 0.3, 0.5], {0: 0.5, 1: 0.5}, {0: 5e-324, 1: 1.0}]),
    "threshold": st.floats(0, 1) | st.sampled_from(["auto", "exact"]) | SHARES,
    "threshold_objective": OBJECTIVES,
    "threshold_cv": st.sampled_from(
        [None, False, True, 2, 3, 36, 100, [], [(range(18), range(18, 36))]]
    ),
    "empty_labels": st.sampled_from(["error", "skip"]),
    "validation_split": st.floats(0, 1)
    | st.sampled_from(["last", ("last", 0.5), ["last", 0.5], ("last", 1e-9)]),
    "early_stopping": st.sampled_from([True, False, "auto", np.False_, 1, 0]),
    "n_iter_no_change": st.sampled_from([1, 2, 10**30, np.int8(3), True, 1.0]),
    "optimizer": st.sampled_from(
        ["adam", "sgd", "rmsprop", "Adam", "adamW", keras.optimizers.SGD, None]
    ),
    "batch_size": st.sampled_from([1, -1, 7, "auto", 10**30, np.int64(8), 36, 32.0, None, True]),
    "epochs": st.sampled_from([1, 2, np.int32(2), 1.0, True]),
    "from_logits": st.sampled_from([True, False, None, np.True_]),
    "metrics": st.sampled_from([["accuracy"], "accuracy", ["nonsense"], []]),
    "callbacks": st.sampled_from([[keras.callbacks.Callback], keras.callbacks.Callback(), []]),
    "shuffle": st.sampled_from([True, False, 0, "batch"]),
    "random_state": st.sampled_from([0, 2**32 - 1, 2**32, -1, np.int64(3)]),
    "verbose": st.sampled_from([0, False, "auto", np.int64(0)]),
    "warm_start": st.booleans(),
    "distribute": st.sampled_from([None, "mirror", "", 2, True, ["mirrored"]]),
    "checkpoint": st.sampled_from([None, 3, ["folder"], b"", "", "\0", os.devnull]),
}

# Parameters without which another one means nothing.
COMPANIONS = {
    "gamma": {"loss": "focal"},
    "threshold_objective": {"threshold": "auto", "validation_split": 0.5, "threshold_cv": False},
    "threshold_cv": {"threshold": "auto"},
    "cost_matrix": {"loss": "cost_sensitive"},
    "n_iter_no_change": {"early_stopping": True, "validation_split": 0.5},
    "validation_split": {"early_stopping": True},
    "from_logits": {"model": network},
    "calibrate": {"validation_split": 0.5},
}

ROUTED = [
    "optimizer__learning_rate", "optimizer__momentum", "optimizer__clipnorm",
    "optimizer__nonsense", "optimizer__weight_decay", "optimizer__beta_1",
    "loss__gamma", "loss__tau", "loss__label_smoothing", "loss__nonsense", "loss__from_logits",
    "loss__reduction", "loss__name", "loss__class_weight", "loss__dtype",
    "model__hidden_layer_sizes", "model__nonsense", "model__n_members", "model__spread",
    "fit__batch_size", "fit__epochs", "fit__verbose", "fit__shuffle", "fit__nonsense",
    "fit__validation_split", "fit__sample_weight", "fit__class_weight", "fit__validation_data",
    "fit__initial_epoch", "fit__steps_per_epoch", "fit__callbacks", "predict__batch_size",
    "predict__verbose", "predict__nonsense", "score__normalize", "metrics__name",
    "callbacks__patience", "compile__jit_compile", "run_eagerly", "validation_batch_size",
]  # fmt: skip


def is_quick(name, value):
    """Whether a value trains for a few epochs only, prints nothing and writes no file."""
    if name == "checkpoint":
        return not isinstance(value, str | bytes) or value in (b"", "", "\0", os.devnull)
    name = name.rpartition("__")[2]
    small = not isinstance(value, int | np.integer) or value < 4
    return small if name in ("epochs", "initial_epoch", "verbose") else True


PARAMETERS = st.sampled_from(sorted(LIKELY)).flatmap(
    lambda name: st.tuples(
        st.just(name), mostly(LIKELY[name]).filter(lambda value: is_quick(name, value))
    )
)


@contextlib.contextmanager
def unheard():
    """Nothing of what Keras prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


CALLS = st.sampled_from(["fit", "fit", "fit", "partial_fit", "initialize"])


@kind(given=PARAMETERS, target=st.sampled_from(TARGETS), call=CALLS, accompanied=st.booleans())
def each_parameter(given, target, call, accompanied):
    name, value = given
    if name == "random_state" and value is None:
        value = 0  # None draws from NumPy's generator
    companions = COMPANIONS.get(name, {}) if accompanied else {}
    model, y = clf(**{**companions, name: value}), targets()[target]

    def act():
        getattr(model, call)(X, y)
        check_predictions(model, X, N)

    with unheard():
        about = (name, *companions, "metric", "positional argument")
        return ending(act, about=about, estimator=model, inputs=[X, y])


@kind(
    given=st.fixed_dictionaries(
        {},
        optional={
            name: values
            for name, values in LIKELY.items()
            if name not in ("model", "metrics", "callbacks", "verbose", "from_logits")
        },
    ),
    target=st.sampled_from(TARGETS),
    call=CALLS,
)
def parameters_together(given, target, call):
    model, y = clf(**given), targets()[target]

    def act():
        getattr(model, call)(X, y)
        check_predictions(model, X, N)

    return ending(act, about=(*given, *ABOUT_Y), estimator=model, inputs=[X, y])


@kind(
    given=st.sampled_from(ROUTED).flatmap(
        lambda name: st.tuples(
            st.just(name), mostly(NUMBERS).filter(lambda value: is_quick(name, value))
        )
    ),
    target=st.sampled_from(TARGETS),
    model=st.sampled_from(["linear", "mlp"]),
)
def routed_parameters(given, target, model):
    name, value = given
    model, y = clf(model=model, **{name: value}), targets()[target]
    about = (*name.split("__"), "X_val")

    def predict():
        check_predictions(model, X, N)
        model.score(X, y)

    with unheard():
        how = ending(lambda: model.fit(X, y), about=about, estimator=model, inputs=[X, y])
        if how != "correct":
            return how
        return ending(predict, about=about, estimator=model, inputs=[X, y])


@kind(
    name=st.text(max_size=12) | st.sampled_from(["treshold", "posweight", "_x", "x_"]),
    value=ANYTHING,
    by=st.sampled_from(["constructor", "set_params"]),
)
def unknown_parameters(name, value, by):
    if name in LIKELY or name == "self":
        return "TypeError"
    model = clf()
    act = clf if by == "constructor" else model.set_params
    about = (name, repr(name)[1:-1])
    how = ending(lambda: act(**{name: value}), about=about, estimator=model, inputs=[value])
    assert how != "correct"
    return how


@kind(
    first=st.sampled_from(TARGETS),
    second=st.sampled_from(TARGETS),
    n=st.integers(1, 36),
    columns=st.sampled_from([1, 2, 3, 3, 3, 3]),
    call=st.sampled_from(["fit", "partial_fit"]),
    given=PARAMETERS,
)
def going_on_with_other_rows(first, second, n, columns, call, given):
    name, value = given
    if name in ("model", "metrics", "callbacks", "random_state"):
        name, value = "gamma", 1.0
    model = clf(warm_start=True).fit(X, targets()[first])
    model.set_params(**{name: value})
    rows, y = X[:n, :columns], targets()[second][:n]

    def act():
        getattr(model, call)(rows, y)
        check_predictions(model, rows, n)

    with unheard():
        return ending(act, about=(name, *ABOUT_X, *ABOUT_Y), estimator=model)
