"""Labels that do not exclude each other: one loss, weight and posterior for each."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import log_loss

from wbce import WeightedKerasClassifier
from wbce.losses import LOSSES, Focal

X, Y = make_multilabel_classification(600, 10, n_classes=3, n_labels=1, random_state=0)
X = (X - X.mean(0)) / X.std(0)
NAMES = [name for name in LOSSES if name != "cost_sensitive"]


def clf(**parameters):
    return WeightedKerasClassifier(
        **{"model": "mlp", "random_state": 0, "epochs": 15, "validation_split": 0.2, **parameters}
    )


def mean_log_loss(y, p):
    return np.mean([log_loss(y[:, k], p[:, k]) for k in range(y.shape[1])])


@pytest.mark.parametrize("loss", NAMES)
def test_every_loss_by_name(loss):
    model = clf(loss=loss).fit(X[:400], Y[:400])
    p = model.predict_proba(X[400:])
    assert p.shape == (200, 3)
    shares = np.tile(Y[:400].mean(axis=0), (200, 1))
    assert mean_log_loss(Y[400:], p) < mean_log_loss(Y[400:], shares)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])
    decided = model.predict(X)
    assert decided.shape == Y.shape
    assert decided.dtype == Y.dtype
    np.testing.assert_array_equal(decided, model.decision_function(X) > 0)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(model.set_params(calibrate=False).predict(X), decided)


def test_a_label_is_trained_as_it_would_be_alone():
    """One layer has a column for every label that knows nothing of the others."""

    def layer(n):
        def build(meta):
            ones = keras.initializers.Constant(0.01)
            return keras.Sequential(
                [
                    keras.Input((meta["n_features_in_"],)),
                    keras.layers.Dense(n, "sigmoid", kernel_initializer=ones),
                ]
            )

        return build

    shared = {
        "optimizer": "sgd", "shuffle": False, "early_stopping": False, "batch_size": 40,
        "epochs": 20, "validation_split": 0, "loss": "focal",
    }  # fmt: skip
    rate = 0.1
    pos_weight = [1.0, 5.0, 20.0]
    # The loss is the mean over labels, a third of each label's own.
    together = clf(
        model=layer(3), pos_weight=pos_weight, optimizer__learning_rate=3 * rate, **shared
    ).fit(X, Y)
    for k in range(3):
        alone = clf(
            model=layer(1), pos_weight=pos_weight[k], optimizer__learning_rate=rate, **shared
        ).fit(X, Y[:, k])
        p = together.predict_proba(X)[:, k]
        np.testing.assert_allclose(p, alone.predict_proba(X)[:, 1], rtol=1e-4)
        assert together.threshold_[k] == pytest.approx(alone.threshold_)
        assert together.pos_weight_[k] == pytest.approx(pos_weight[k])
        assert together.class_weight_[k] == pytest.approx(alone.class_weight_)
        np.testing.assert_array_equal(together.predict(X)[:, k], alone.predict(X))


@pytest.mark.parametrize("loss", ["weighted_bce", "focal", "asymmetric"])
@pytest.mark.parametrize("given", [{"pos_weight": "balanced"}, {"pos_weight": [2, 30, 9]}])
def test_weights_are_undone(loss, given):
    weighted = clf(loss=loss, **given).fit(X[:400], Y[:400])
    p = weighted.predict_proba(X[400:])
    plain = clf(loss=loss).fit(X[:400], Y[:400]).predict_proba(X[400:])
    raw = weighted.set_params(calibrate=False).predict_proba(X[400:])
    assert mean_log_loss(Y[400:], p) < mean_log_loss(Y[400:], raw)
    # asymmetric cannot tell the highest posteriors apart, see docs/losses.md
    at_most = 1.15 if loss == "asymmetric" else 1.1
    assert mean_log_loss(Y[400:], p) < at_most * mean_log_loss(Y[400:], plain)


def test_a_network_of_the_users_compiled_or_not():
    def build(compiled):
        model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(3)])
        if compiled:
            model.compile(loss=Focal(1.0, multi_label=True), optimizer="adam")
        return model

    for compiled in (True, False):
        model = clf(model=lambda compiled=compiled: build(compiled), epochs=3).fit(X, Y)
        assert type(model._posterior.loss).__name__ == (
            "Focal" if compiled else "WeightedCrossentropy"
        )
        np.testing.assert_array_equal(model.predict(X), model.decision_function(X) > 0)


@pytest.mark.parametrize("dtype", ["bool", "float64", "int8"])
def test_labels_of_any_type(dtype):
    model = clf(epochs=2).fit(X, Y.astype(dtype))
    assert model.predict(X).dtype == dtype


def test_warm_start_takes_new_weights():
    model = clf(epochs=2, pos_weight=2.0, warm_start=True).fit(X, Y)
    model.set_params(pos_weight=[9.0, 9, 9]).fit(X, Y)
    np.testing.assert_allclose(model.threshold_, 0.1)
    model.set_params(pos_weight=None).fit(X, Y)
    np.testing.assert_allclose(model.threshold_, 0.5)


def test_parts_of_a_stream():
    model = clf(pos_weight=[1.0, 2, 9])
    for part in (slice(0, 300), slice(300, 600)):
        model.partial_fit(X[part], Y[part])
    np.testing.assert_allclose(model.threshold_, [1 / 2, 1 / 3, 1 / 10])
    with pytest.raises(ValueError, match="computed from all rows"):
        clf(pos_weight="sqrt").partial_fit(X, Y)


def test_a_number_is_the_threshold_of_all():
    model = clf(threshold=0.2, epochs=3).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.2)
    np.testing.assert_array_equal(model.threshold_, [0.2] * 3)


WRONG = {
    "threshold": ({"threshold": [0.1, 0.2]}, Y, "wrong length.*3 labels"),
    "prior": ({"prior": 0.1}, Y, "prior=0.1 is for classes that exclude"),
    "pos_label": ({"pos_label": 1}, Y, "pos_label=1 is for classes that exclude"),
    "costs": ({"cost_matrix": [[0, 1], [2, 0]]}, Y, "cost_matrix=.* is for classes that exclude"),
    "weights": ({"pos_weight": [1, 2]}, Y, "2 values, but y has 3 labels"),
    "a label that is never there": (
        {"pos_weight": "balanced"},
        Y * [1, 0, 1],
        r"No row has the labels \[1\].*empty_labels='skip'",
    ),
    "a label that is there in one row, held back": (
        {"validation_split": 0.6},
        np.column_stack([Y[:, :2], np.arange(len(Y)) == 3]).astype(int),
        "Label 2 has no row left to train on",
    ),
    "other values": ({}, 2 * Y - 1, "must be 0 or 1"),
    "a Keras loss": (
        {"loss": "binary_crossentropy", "pos_weight": 2.0},
        Y,
        "pos_weight=2.0 needs one label a row.*a loss of this package",
    ),
    "classes": (
        {"model": lambda: keras.Sequential([keras.Input((10,)), keras.layers.Dense(3, "softmax")])},
        Y,
        r"\(None, 3\) and ends in softmax. For 3 labels it must be",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_labels_do_not_have(case):
    parameters, y, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        clf(**parameters).fit(X, y)


def test_clones_and_searches():
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(
        clf(epochs=2),
        {"pos_weight": ["balanced", [1.0, 2.0, 3.0]], "loss": ["focal", "weighted_bce"]},
        scoring="average_precision",
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()
