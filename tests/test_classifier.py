"""What the estimator promises about data, weights, probabilities and thresholds."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, f1_score, log_loss
from sklearn.model_selection import train_test_split
from tensorflow.python.framework.config import is_op_determinism_enabled

from wbce import ClassWeightWarning, ImbalanceWarning, WeightedKerasClassifier
from wbce.losses import Focal, WeightedCrossentropy


def clf(**parameters):
    return WeightedKerasClassifier(**{"model": "mlp", "epochs": 3, "random_state": 0, **parameters})


def halves(X, y):
    return train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)


def small(units=1, activation=None):
    """A function that builds a network."""

    def build(meta):
        return keras.Sequential(
            [
                keras.Input((meta["n_features_in_"],)),
                keras.layers.BatchNormalization(momentum=0.5),
                keras.layers.Dense(8, "relu"),
                keras.layers.Dense(units, activation),
            ]
        )

    return build


# ---------------------------------------------------------------- the main job


def test_weighted_probabilities_stay_true(cancer):
    """Weights ruin the raw output, and not the mapped one."""
    X, X_test, y, y_test = halves(*cancer)
    loss_of = {}
    for name, parameters in {
        "unweighted": {},
        "mapped": {"class_weight": "balanced"},
        "raw": {"class_weight": "balanced", "calibrate": False},
        "focal": {"class_weight": "balanced", "loss": "focal"},
        "focal raw": {"class_weight": "balanced", "loss": "focal", "calibrate": False},
    }.items():
        model = clf(epochs=15, early_stopping=False, **parameters).fit(X, y)
        loss_of[name] = log_loss(y_test, model.predict_proba(X_test))
    assert loss_of["mapped"] < loss_of["raw"]
    assert loss_of["focal"] < 0.5 * loss_of["focal raw"]
    assert loss_of["mapped"] < loss_of["unweighted"] + 0.05
    assert loss_of["focal"] < loss_of["unweighted"] + 0.05


@pytest.mark.parametrize("loss", ["weighted_bce", "focal"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_the_map_keeps_every_rank(abalone, loss, label_smoothing):
    X, y = abalone
    model = clf(loss=loss, pos_weight=100, label_smoothing=label_smoothing, epochs=10).fit(X, y)
    raw = clf(
        loss=loss, pos_weight=100, label_smoothing=label_smoothing, epochs=10, calibrate=False
    ).fit(X, y)
    mapped, unmapped = model.predict_log_proba(X), raw.predict_log_proba(X)
    order = np.argsort(unmapped[:, 1], kind="stable")
    z, eta = np.diff(unmapped[order]).ravel(), np.diff(mapped[order]).ravel()
    assert np.isfinite(mapped).all()
    assert (np.diff(eta) >= 0).all()
    assert ((np.diff(eta) > 0) == (np.diff(z) > 0)).all()
    assert average_precision_score(y, eta[np.argsort(order)]) == average_precision_score(
        y, z[np.argsort(order)]
    )


def test_an_exact_threshold_is_the_best_f1_of_the_validation_rows(abalone):
    X, y = abalone
    X, X_val, y, y_val = halves(X, y)
    model = clf(threshold="exact", class_weight="balanced", epochs=10).fit(
        X, y, X_val=X_val, y_val=y_val
    )
    p = model.predict_proba(X_val)[:, 1]
    best = max(f1_score(y_val, p > cut, zero_division=0.0) for cut in [0, *p])
    assert f1_score(y_val, model.predict(X_val)) == pytest.approx(best)
    assert model.threshold_curve_.f1.max() == pytest.approx(best)
    np.testing.assert_array_equal(model.predict(X_val) == 1, p > model.threshold_)
    assert model.threshold_ not in p


def test_sample_weight_enters_the_threshold(abalone):
    X, X_val, y, y_val = halves(*abalone)
    w = np.random.default_rng(0).integers(1, 6, len(y_val))
    model = clf(threshold="exact").fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=w)
    p = model.predict_proba(X_val)[:, 1]
    best = max(f1_score(y_val, p > c, sample_weight=w, zero_division=0.0) for c in [0, *p])
    assert f1_score(y_val, model.predict(X_val), sample_weight=w) == pytest.approx(best)


@pytest.mark.parametrize("threshold", [0.0, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("calibrate", [True, False])
def test_a_number_cuts_probabilities(abalone, threshold, calibrate):
    X, y = abalone
    model = clf(threshold=threshold, pos_weight=10, calibrate=calibrate).fit(X, y)
    truth = model.set_params(calibrate=True).predict_proba(X)[:, 1]
    np.testing.assert_array_equal(model.predict(X) == 1, truth > threshold)
    decision = model.decision_function(X)
    np.testing.assert_array_equal(decision > 0, truth > threshold)
    assert np.isfinite(decision).all()
    assert model.threshold_ == threshold


@pytest.mark.parametrize("threshold", [None, 0.3, "auto"])
def test_predict_does_not_depend_on_calibrate(abalone, threshold):
    X, y = abalone
    parameters = {"threshold": threshold, "loss": "focal", "pos_weight": 5}
    a = clf(**parameters, validation_split=0.2).fit(X, y)
    b = clf(**parameters, validation_split=0.2, calibrate=False).fit(X, y)
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    assert not np.allclose(a.predict_proba(X), b.predict_proba(X))


def test_without_a_threshold_the_weights_decide(abalone):
    X, y = abalone
    model = clf(pos_weight=19).fit(X, y)
    assert model.threshold_ == pytest.approx(0.05)
    np.testing.assert_array_equal(model.predict(X) == 1, model.predict_proba(X)[:, 1] > 0.05)
    raw = clf(pos_weight=19, calibrate=False).fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_array_equal(model.predict(X) == 1, raw > 0.5)
    assert clf().fit(X, y).threshold_ == 0.5


def test_decision_function_is_the_distance_in_log_odds(abalone):
    X, y = abalone
    model = clf(threshold=0.1).fit(X, y)
    p = model.predict_proba(X)[:, 1]
    np.testing.assert_allclose(model.decision_function(X), logit(p) - logit(0.1), rtol=1e-9)


# ---------------------------------------------------------------- the positive class


@pytest.mark.parametrize(
    ("rare", "frequent"),
    [("fraud", "legit"), ("default", "paid"), ("cancer", "healthy"), ("defect", "ok")],
)
def test_the_rare_class_is_tuned_whatever_the_alphabet(abalone, rare, frequent):
    X, X_val, y, y_val = halves(*abalone)
    parameters = {"threshold": "exact", "pos_weight": "balanced"}
    number = clf(**parameters).fit(X, y, X_val=X_val, y_val=y_val)
    for one, other in ((rare, frequent), (frequent, rare)):
        names = np.array([other, one])
        model = clf(**parameters).fit(X, names[y], X_val=X_val, y_val=names[y_val])
        assert model.pos_label_ == one
        assert model.pos_weight_ == pytest.approx((y == 0).sum() / (y == 1).sum())
        column = list(model.classes_).index(one)
        p = model.predict_proba(X_val)[:, column]
        np.testing.assert_array_equal(model.predict(X_val) == one, p > model.threshold_)
        best = max(f1_score(y_val, p > cut, zero_division=0.0) for cut in [0, *p])
        reached = f1_score(names[y_val], model.predict(X_val), pos_label=one)
        assert reached == pytest.approx(best)
        np.testing.assert_array_equal(
            model.decision_function(X_val) > 0, model.predict(X_val) == model.classes_[1]
        )
    assert number.pos_label_ == 1


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([1, 0], 1), ([1, -1], 1), ([True, False], True), ([7, 3], 3), (["b", "a"], "a")],
)
def test_which_label_is_positive(abalone, labels, expected):
    """{0, 1}, {-1, 1} and booleans have a convention, even where 1 is the frequent class."""
    X, y = abalone
    model = clf(epochs=1).fit(X, np.array(labels)[y])
    assert model.pos_label_ == expected
    assert set(model.predict(X)) <= set(labels)


def test_pos_label_says_which(abalone):
    X, y = abalone
    with pytest.warns(ClassWeightWarning):
        model = clf(epochs=1, pos_label=0, pos_weight=4.0).fit(X, y)
    assert model.pos_label_ == 0
    assert model.class_weight_[0] / model.class_weight_[1] == pytest.approx(4)


# ---------------------------------------------------------------- weights and population


def test_three_ways_of_weighting_train_the_same_network(abalone):
    X, y = abalone
    ratio = (y == 0).sum() / (y == 1).sum()
    a = clf(class_weight="balanced").fit(X, y)
    b = clf(pos_weight=ratio).fit(X, y)
    c = clf(alpha=ratio / (1 + ratio)).fit(X, y)
    for other in (b, c):
        np.testing.assert_allclose(other.predict_proba(X), a.predict_proba(X), rtol=1e-4)


def test_sample_weight_is_the_population_and_class_weight_is_not(cancer):
    """Both train the same network; only one moves the probabilities."""
    X, y = cancer
    X = (X - X.mean(0)) / X.std(0)  # the built-in network's scaling is of the population
    weight = np.where(y == 1, 10.0, 1.0)
    network = keras.Sequential(
        [keras.Input((30,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)]
    )
    parameters = {"early_stopping": False, "epochs": 5, "model": network}
    population = clf(**parameters).fit(X, y, sample_weight=weight)
    training = clf(pos_weight=10, **parameters).fit(X, y)
    raw = clf(pos_weight=10, calibrate=False, **parameters).fit(X, y)
    # the output bias starts at another base rate in log-odds, but at the same logit
    np.testing.assert_allclose(
        population.predict_proba(X), raw.predict_proba(X), rtol=1e-3, atol=1e-5
    )
    shift = logit(population.predict_proba(X)[:, 1]) - logit(training.predict_proba(X)[:, 1])
    np.testing.assert_allclose(shift, np.log(10), rtol=1e-3)


def test_a_weight_of_two_is_a_row_repeated():
    """Full batch; to what float32 sums in another order can hold."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = np.arange(60) % 3 == 0
    w = rng.integers(0, 4, 60)
    parameters = {"early_stopping": False, "batch_size": -1, "class_weight": "balanced"}
    weighted = clf(**parameters, epochs=5).fit(X, y, sample_weight=w)
    repeated = clf(**parameters, epochs=5).fit(np.repeat(X, w, axis=0), np.repeat(y, w))
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-5, atol=1e-6
    )


def test_rows_without_weight_do_not_exist(abalone):
    X, y = abalone
    extra, w = np.vstack([X, X[:50] + 100]), np.append(np.ones(len(X)), np.zeros(50))
    a = clf().fit(X, y)
    b = clf().fit(extra, np.append(y, np.ones(50, int)), sample_weight=w)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


def test_the_scale_of_weights_does_not_matter(abalone):
    X, y = abalone
    w = np.random.default_rng(0).random(len(y)) + 0.5
    a = clf(class_weight={0: 1, 1: 8}).fit(X, y, sample_weight=w)
    b = clf(class_weight={0: 2, 1: 16}).fit(X, y, sample_weight=w * 4)
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), rtol=1e-4)
    assert a.class_weight_[1] / a.class_weight_[0] == pytest.approx(8)


def test_kerass_own_class_weight_is_undone_too(abalone):
    X, y = abalone
    parameters = {"early_stopping": False, "epochs": 4}
    routed = clf(fit__class_weight={0: 1.0, 1: 9.0}, **parameters).fit(X, y)
    passed = clf(**parameters).fit(X, y, class_weight={0: 1.0, 1: 9.0})
    np.testing.assert_array_equal(routed.predict_proba(X), passed.predict_proba(X))
    z = logit(routed.set_params(calibrate=False).predict_proba(X)[:, 1])
    eta = logit(routed.set_params(calibrate=True).predict_proba(X)[:, 1])
    np.testing.assert_allclose(z - eta, np.log(9), rtol=1e-6)


def test_weights_that_favour_the_majority_are_warned_of_once(abalone):
    X, y = abalone
    with pytest.warns(ClassWeightWarning, match="favour the more frequent class 0"):
        clf(epochs=1, loss="focal", alpha=0.25).fit(X, y)
    clf(epochs=1, pos_weight=0.5).fit(X, y)  # the second time in a process: silence


def test_score_is_accuracy_and_says_what_that_is_worth(abalone):
    X, y = abalone
    model = clf(epochs=1).fit(X, y)
    with pytest.warns(ImbalanceWarning, match=r"94\.3% .* always scores 0\.943"):
        accuracy = model.score(X, y)
    assert accuracy == np.mean(model.predict(X) == y)
    model.score(X, y)
    half = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:60]]
    import wbce._warnings

    wbce._warnings._shown.clear()
    model.score(X[half], y[half])


# ---------------------------------------------------------------- validation rows


def test_early_stopping_keeps_the_best_epoch_by_mapped_log_loss(cancer):
    X, X_val, y, y_val = halves(*cancer)
    model = clf(epochs=60, n_iter_no_change=4, pos_weight=5, loss="focal").fit(
        X, y, X_val=X_val, y_val=y_val
    )
    scores = model.history_["val_log_loss"]
    assert model.best_epoch_ == int(np.argmin(scores)) + 1
    assert model.n_iter_ == len(scores) == model.best_epoch_ + 4
    assert model.validation_score_ == pytest.approx(min(scores))
    assert model.validation_score_ == pytest.approx(log_loss(y_val, model.predict_proba(X_val)))


def test_auto_stops_early_only_with_five_rows_of_every_class(abalone):
    X, y = abalone  # 42 positive
    assert "val_log_loss" not in clf(epochs=1).fit(X, y).history_
    history = clf(epochs=1, validation_split=0.2).fit(X, y).history_
    assert {"val_log_loss", "val_average_precision"} <= set(history)
    model = clf(epochs=1, validation_split=0.2, early_stopping=False).fit(X, y)
    assert "val_log_loss" not in model.history_
    assert not hasattr(model, "validation_score_")


def test_validation_rows_are_not_trained_on(abalone):
    """The rows held back leave no trace: with them changed, the same network comes out."""
    from wbce.validation import stratified_split

    X, y = abalone
    parameters = {"validation_split": 0.25, "early_stopping": False, "threshold_cv": False}
    model = clf(threshold="auto", **parameters).fit(X, y)
    seed = model._draw_seed()
    _, held = stratified_split(y, 2, 0.25, seed)
    changed = X.copy()
    changed[held] += 1e3
    other = clf(threshold="auto", **parameters).fit(changed, y)
    for a, b in zip(model.model_.get_weights(), other.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_validation_data_of_kerass_kind(abalone):
    X, X_val, y, y_val = halves(*abalone)
    a = clf().fit(X, y, X_val=X_val, y_val=y_val)
    b = clf().fit(X, y, validation_data=(X_val, y_val))
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    assert a.validation_score_ == b.validation_score_


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize(
    ("units", "activation"), [(1, None), (1, "sigmoid"), (2, None), (2, "softmax")]
)
@pytest.mark.parametrize("loss", ["weighted_bce", "focal"])
def test_any_way_a_binary_network_may_end(cancer, units, activation, loss):
    X, y = cancer
    model = clf(model=small(units, activation), loss=loss, class_weight="balanced", epochs=8)
    model.fit(X, y)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(1), 1)
    assert average_precision_score(y, p[:, 1]) > 0.8
    assert abs(p[:, 1].mean() - y.mean()) < 0.1


@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize("loss", ["weighted_bce", "focal"])
def test_more_than_two_classes(iris, activation, loss):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])
    model = clf(model=small(3, activation), loss=loss, class_weight="balanced", epochs=30)
    model.set_params(optimizer__learning_rate=0.02).fit(X, names[y])
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(1), 1)
    assert np.mean(model.predict(X) == names[y]) > 0.8
    w = np.array([model.class_weight_[name] for name in names])
    np.testing.assert_array_equal(model.predict(X), names[np.argmax(p * w, axis=1)])
    np.testing.assert_array_equal(
        names[np.argmax(model.decision_function(X), axis=1)], model.predict(X)
    )
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p)
    expected = 1 / w / np.sum(1 / w)
    np.testing.assert_allclose(model.threshold_, expected, rtol=1e-6)
    np.testing.assert_array_equal(model.predict(X), names[np.argmax(p / expected, axis=1)])


def test_saturated_sigmoids_are_still_ranked():
    X = np.linspace(50, 60, 64)[:, None]
    y = np.arange(64) % 2

    def build():
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
        network.layers[0].set_weights([np.ones((1, 1)), np.zeros(1)])
        return network

    model = clf(model=build).initialize(X, y)
    np.testing.assert_allclose(model.decision_function(X), X[:, 0], rtol=1e-6)
    assert (np.diff(model.decision_function(X)) > 0).all()


def test_raw_columns_of_any_scale_work(cancer):
    X, y = cancer
    scaled = X * 10.0 ** np.linspace(-12, 12, X.shape[1]) + 10.0 ** np.linspace(-12, 9, X.shape[1])
    with_constant = np.column_stack([scaled, np.full(len(X), 7e8), np.zeros(len(X))])
    for data in (scaled, with_constant):
        p = clf(epochs=10).fit(data, y).predict_proba(data)[:, 1]
        assert average_precision_score(y, p) > 0.8
    far = with_constant.copy()
    far[0] = 3e38
    assert np.isfinite(clf(epochs=1).fit(with_constant, y).predict_proba(far)).all()


def test_the_output_bias_starts_at_the_base_rate(abalone):
    X, y = abalone
    for parameters in ({}, {"loss": "focal", "pos_weight": 10}, {"model": small(1, "sigmoid")}):
        model = clf(epochs=1, optimizer__learning_rate=1e-9, early_stopping=False, **parameters)
        bias = model.fit(X, y).model_.layers[-1].get_weights()[1]
        assert expit(model._posterior.log_odds(bias))[0] == pytest.approx(y.mean(), rel=1e-3)


def test_a_keras_model_is_copied_and_not_changed(abalone):
    X, y = abalone
    network = small()({"n_features_in_": X.shape[1]})
    before = [w.copy() for w in network.get_weights()]
    model = clf(model=network)
    a = model.fit(X, y).predict_proba(X)
    b = model.fit(X, y).predict_proba(X)
    for w, v in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(w, v)
    assert not network.compiled
    np.testing.assert_array_equal(a, b)


def test_a_trained_bias_is_left_alone(abalone):
    X, y = abalone
    network = small()({"n_features_in_": X.shape[1]})
    kernel, _ = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel, np.array([3.0])])
    model = clf(model=network, epochs=1, optimizer__learning_rate=1e-9).fit(X, y)
    assert model.model_.layers[-1].get_weights()[1] == pytest.approx(3.0, rel=1e-4)


def test_loss_instances_and_classes(abalone):
    X, y = abalone
    by_name = clf(loss="focal", gamma=3.0).fit(X, y).predict_proba(X)
    for loss in (Focal(3.0), Focal):
        result = clf(loss=loss, gamma=3.0).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(result, by_name)
    routed = clf(loss="focal", loss__gamma=3.0).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(routed, by_name)
    own = clf(loss=WeightedCrossentropy(class_weight=(1, 9)), early_stopping=False).fit(X, y)
    assert own.threshold_ == pytest.approx(0.1)


# ---------------------------------------------------------------- reproducibility


def test_the_same_random_state_gives_the_same_fit_whatever_ran_before(cancer):
    X, y = cancer
    parameters = {"class_weight": "balanced", "threshold": "auto", "validation_split": 0.2}

    def dropout():
        return keras.Sequential(
            [
                keras.Input((30,)),
                keras.layers.Dense(8, "relu"),
                keras.layers.Dropout(0.3),
                keras.layers.Dense(1),
            ]
        )

    for model in (None, dropout):
        a = clf(model=model, **parameters).fit(X, y)
        random.seed(5)
        np.random.seed(6)
        tf.random.set_seed(7)
        keras.layers.Dense(3)(np.ones((2, 2)))
        clf(random_state=9).fit(X[:100], np.arange(100) % 2)
        b = clf(model=model, **parameters).fit(X, y)
        np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
        assert a.threshold_ == b.threshold_
        assert a.history_ == b.history_
        c = clf(model=model, **{**parameters, "random_state": 1}).fit(X, y)
        assert not np.allclose(a.predict_proba(X), c.predict_proba(X))


def test_global_generators_are_left_where_they_were(abalone):
    X, y = abalone

    def draw():
        return random.random(), np.random.rand(), float(tf.random.uniform(()))

    random.seed(1)
    np.random.seed(1)
    tf.random.set_seed(1)
    expected = [draw(), draw()]
    random.seed(1)
    np.random.seed(1)
    tf.random.set_seed(1)
    got = [draw()]
    clf(epochs=1).fit(X, y)
    got.append(draw())
    assert got == expected
    assert not is_op_determinism_enabled()


def test_an_unseeded_fit_follows_numpys_generator(abalone):
    X, y = abalone
    results = []
    for _ in range(2):
        np.random.seed(3)
        results.append(clf(random_state=None, epochs=1).fit(X, y).predict_proba(X))
    results.append(clf(random_state=None, epochs=1).fit(X, y).predict_proba(X))
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.allclose(results[0], results[2])


def test_a_random_state_instance_gives_the_same_fit_twice(abalone):
    X, y = abalone
    model = clf(random_state=np.random.RandomState(4), epochs=1)
    np.testing.assert_array_equal(
        model.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("n", [1, 2, 7, 16, 33, 500])
def test_a_row_is_predicted_alike_whatever_stands_beside_it(abalone, n):
    X, y = abalone
    model = clf(epochs=1).fit(X, y)
    np.testing.assert_array_equal(model.decision_function(X[:n]), model.decision_function(X)[:n])


# ---------------------------------------------------------------- going on


def test_partial_fit_goes_on_from_where_it_is(abalone):
    X, y = abalone
    model = clf(class_weight={0: 1, 1: 10}, threshold=0.1)
    for k in range(3):
        model.partial_fit(X[k::3], y[k::3], classes=[0, 1])
        assert model.current_epoch == k + 1
    assert model.pos_weight_ == pytest.approx(10)
    assert model.threshold_ == 0.1
    assert model.predict_proba(X).shape == (len(X), 2)


def test_a_part_may_lack_a_class(abalone):
    X, y = abalone
    model = clf(pos_weight=5.0)
    model.partial_fit(X[y == 0], y[y == 0], classes=[0, 1])
    model.partial_fit(X[y == 1], y[y == 1])
    np.testing.assert_array_equal(model.classes_, [0, 1])


@pytest.mark.parametrize(
    "parameters", [{"class_weight": "balanced"}, {"pos_weight": "balanced"}, {"threshold": "auto"}]
)
def test_a_part_is_not_enough_for_what_needs_all_rows(abalone, parameters):
    with pytest.raises(ValueError, match=r"partial_fit .*Pass"):
        clf(**parameters).partial_fit(*abalone)


def test_classes_that_change_are_refused(abalone):
    X, y = abalone
    model = clf().partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="differs from the first call's"):
        model.partial_fit(X, y, classes=[0, 1, 2])


def test_warm_start_keeps_the_network(abalone):
    X, y = abalone
    model = clf(warm_start=True, epochs=2).fit(X, y)
    network, weights = model.model_, model.model_.get_weights()
    model.set_params(optimizer__learning_rate=0.0).fit(X, y)
    assert model.model_ is network
    assert not np.allclose(weights[3], network.get_weights()[3])
    assert model.set_params(warm_start=False).fit(X, y).model_ is not network


def test_initialize_predicts_without_training(abalone):
    X, y = abalone
    network = small(1, "sigmoid")({"n_features_in_": X.shape[1]})
    model = clf(model=network, class_weight="balanced").initialize(X, y)
    expected = network.predict(X, verbose=0).ravel()
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, rtol=1e-5)
    assert model.threshold_ == 0.5


# ---------------------------------------------------------------- Keras' losses and metrics


@pytest.mark.parametrize("loss", ["binary_crossentropy", keras.losses.BinaryCrossentropy, "bce"])
@pytest.mark.parametrize("model", [None, small(), small(1, "sigmoid")])
def test_a_keras_loss_trains_what_ours_trains(cancer, loss, model):
    """On logits, too, which Keras' losses take for probabilities unless they are told."""
    X, y = cancer
    parameters = {"model": model, "epochs": 8, "early_stopping": False}
    ours = clf(**parameters).fit(X, y).predict_proba(X)
    theirs = clf(**parameters, loss=loss).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(theirs, ours, rtol=0.05, atol=2e-3)


def test_a_network_compiled_for_probabilities_must_not_end_in_logits(abalone):
    network = small()({"n_features_in_": 9})
    network.compile("adam", "binary_crossentropy")
    X = np.column_stack([abalone[0], abalone[0][:, 0]])[:, :9]
    with pytest.raises(ValueError, match="ends in logits, but it was compiled with"):
        clf(model=network).fit(X, abalone[1])


def test_keras_focal_losses_are_recognised_by_name(cancer):
    X, y = cancer
    parameters = {"model": small(1, "sigmoid"), "epochs": 4, "pos_weight": 3}
    by_name = clf(loss="binary_focal_crossentropy", **parameters).fit(X, y)
    ours = clf(loss="focal", **parameters).fit(X, y)
    np.testing.assert_allclose(
        by_name.predict_proba(X), ours.predict_proba(X), rtol=0.05, atol=2e-3
    )


def test_metrics_see_probabilities(cancer):
    from sklearn.metrics import roc_auc_score

    X, y = cancer
    model = clf(metrics=["AUC", "accuracy"], epochs=5).fit(X, y)
    _, auc, accuracy = model.model_.evaluate(X, y, verbose=0)
    assert auc == pytest.approx(roc_auc_score(y, model.predict_proba(X)[:, 1]), abs=0.01)
    assert accuracy == pytest.approx(model.score(X, y) if y.mean() > 0.2 else accuracy)
    assert accuracy == pytest.approx(np.mean(model.predict(X) == y))


def test_a_compiled_network_keeps_functions_of_its_own(abalone):
    def own_loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    def own_metric(y_true, y_pred):
        return keras.ops.mean(y_pred)

    X, y = abalone
    network = small(1, "sigmoid")({"n_features_in_": X.shape[1]})
    network.compile(keras.optimizers.SGD(0.05), own_loss, metrics=[own_metric])
    model = clf(model=network, epochs=1).fit(X, y)
    assert model.model_.loss.__name__ == "own_loss"
    assert isinstance(model.model_.optimizer, keras.optimizers.SGD)
    assert "own_metric" in model.history_


def test_smoothing_that_would_be_ignored_is_refused(abalone):
    for loss in ("binary_crossentropy", Focal(2.0), "hinge"):
        with pytest.raises(ValueError, match="would be ignored"):
            clf(loss=loss, label_smoothing=0.1).fit(*abalone)
    with pytest.raises(ValueError, match=r"label_smoothing=1\.5"):
        clf(loss=Focal(), label_smoothing=1.5).fit(*abalone)


# ---------------------------------------------------------------- columns and types


def test_offsets_that_float32_cannot_hold():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = (X[:, 0] > 1).astype(int)
    X[:, 0] = 1.7e9 + 100 * X[:, 0]
    model = clf(epochs=15).fit(X, y)
    assert average_precision_score(y, model.predict_proba(X)[:, 1]) > 0.9


@pytest.mark.parametrize("dtype", [int, bool, np.uint8, np.float16, np.longdouble])
def test_rows_of_another_type_at_prediction(dtype):
    rng = np.random.default_rng(0)
    X = (rng.random((120, 3)) * 3).astype(dtype)
    y = np.arange(120) % 4 == 0
    for network in (None, small()):
        model = clf(model=network, epochs=1).fit(X, y)
        np.testing.assert_array_equal(
            model.predict_proba(X.astype(np.float64)), model.predict_proba(X)
        )
        assert np.isfinite(model.predict_proba(rng.random((5, 3)))).all()


def test_columns_of_text_categories_and_dates_say_what_to_do(abalone):
    import pandas as pd

    X, y = abalone
    table = pd.DataFrame(X).assign(kind=pd.Categorical(np.array(["a", "b"])[y]))
    table.columns = table.columns.astype(str)
    with pytest.raises(ValueError, match="OneHotEncoder"):
        clf(model=lambda meta: keras.Sequential([keras.layers.Dense(1)])).fit(table, y)
    numbers = table.assign(kind=pd.Categorical(y))
    assert clf(epochs=1).fit(numbers, y).predict(numbers).shape == y.shape
    dates = np.full((len(y), 2), np.datetime64("2026-01-01"))
    with pytest.raises((ValueError, TypeError), match=r"not a number|datetime|DType"):
        clf().fit(dates, y)


def test_column_labels_are_the_same_labels(abalone):
    from sklearn.exceptions import DataConversionWarning

    X, y = abalone
    with pytest.warns(DataConversionWarning):
        model = clf(epochs=1).fit(X, y[:, None], X_val=X, y_val=y)
    assert model.predict(X).shape == y.shape
    half = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:42]]
    assert model.score(X[half], y[half]) == model.score(X[half], y[half][:, None])


def test_an_output_without_columns(abalone):
    def flat():
        return keras.Sequential(
            [
                keras.Input((9,)),
                keras.layers.Dense(1),
                keras.layers.Reshape(()),
            ]
        )

    assert clf(model=flat, epochs=1).fit(*abalone).predict(abalone[0]).shape == (731,)


# ---------------------------------------------------------------- what a fit leaves behind


def test_nothing_of_an_earlier_training_remains(abalone):
    X, y = abalone
    model = clf(threshold="auto", validation_split=0.2).fit(X, y)
    model.set_params(threshold=0.3, warm_start=True, early_stopping=False).fit(X, y)
    assert not hasattr(model, "threshold_curve_")
    assert not hasattr(model, "validation_score_")
    assert not hasattr(clf(validation_split=0.2).fit(X, y).partial_fit(X, y), "validation_score_")


def test_instances_given_as_parameters_are_not_used_up(abalone):
    X, y = abalone
    optimizer, loss = keras.optimizers.Adam(0.01), Focal(2.0)
    model = clf(optimizer=optimizer, loss=loss, epochs=1)
    a, b = (model.fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert int(optimizer.iterations) == 0
    assert loss.from_logits is None


def test_callbacks_do_not_keep_the_network(abalone):
    import pickle

    from sklearn.base import clone

    X, y = abalone
    stop = keras.callbacks.EarlyStopping(monitor="loss")
    model = clf(callbacks=[stop], epochs=1).fit(X, y)
    assert stop.model is None
    assert len(pickle.dumps(clone(model))) < 3000


def test_callbacks_passed_to_fit_are_heard(abalone):
    heard = []
    listener = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append(epoch))
    clf(epochs=2).fit(*abalone, callbacks=[listener])
    assert heard == [0, 1]


def test_our_best_weights_outlast_a_callback_that_restores_its_own(cancer):
    X, X_val, y, y_val = halves(*cancer)
    worst = keras.callbacks.EarlyStopping(
        monitor="val_log_loss", mode="max", patience=50, restore_best_weights=True
    )
    model = clf(callbacks=worst, epochs=6).fit(X, y, X_val=X_val, y_val=y_val)
    assert model.validation_score_ == pytest.approx(log_loss(y_val, model.predict_proba(X_val)))


def test_an_interrupted_partial_fit_leaves_weights_and_optimizer(abalone):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    X, y = abalone
    model = clf().partial_fit(X, y)
    twin = clf().partial_fit(X, y)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y, callbacks=[Interrupt()])
    assert int(model.model_.optimizer.iterations) == int(twin.model_.optimizer.iterations)
    np.testing.assert_array_equal(
        model.partial_fit(X, y).predict_proba(X), twin.partial_fit(X, y).predict_proba(X)
    )


def test_a_class_that_is_gone_under_warm_start(abalone):
    X, y = abalone
    model = clf(warm_start=True, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="no rows of class 1"):
        model.fit(X[y == 0], y[y == 0])


def test_threads_predict_alike(abalone):
    from concurrent.futures import ThreadPoolExecutor

    X, y = abalone
    for parameters in ({}, {"predict__batch_size": 64}):
        model = clf(epochs=1, **parameters).fit(X, y)
        expected = model.predict_proba(X)
        with ThreadPoolExecutor(4) as pool:
            for result in pool.map(lambda _, m=model: m.predict_proba(X), range(8)):
                np.testing.assert_array_equal(result, expected)


def test_a_batch_size_does_not_change_saturated_scores(cancer):
    X, y = cancer
    model = clf(model=small(1, "sigmoid"), epochs=3).fit(X, y)
    far = X * 1e4
    np.testing.assert_array_equal(
        model.decision_function(far, batch_size=64), model.decision_function(far)
    )


@pytest.mark.parametrize("threshold_row", range(0, 40, 8))
def test_a_threshold_on_the_first_class_agrees_with_its_column(abalone, threshold_row):
    X, y = abalone
    names = np.array(["legit", "fraud"])[y]
    p = clf(epochs=1).fit(X, names).predict_proba(X)[:, 0]
    model = clf(epochs=1, threshold=float(p[threshold_row])).fit(X, names)
    np.testing.assert_array_equal(model.predict(X) == "fraud", p > p[threshold_row])


def test_kerass_own_random_draws_are_seeded(abalone):
    def build(meta):
        network = small()(meta)
        network.layers[-1].kernel.assign(keras.random.normal((8, 1)))
        return network

    a, b = (clf(model=build, epochs=1).fit(*abalone).predict_proba(abalone[0]) for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("wish", [np.False_, np.True_])
def test_numpy_booleans_are_booleans(abalone, wish):
    model = clf(early_stopping=wish, validation_split=0.2, epochs=1).fit(*abalone)
    assert hasattr(model, "validation_score_") is bool(wish)


def test_the_rarer_label_is_counted_over_all_rows():
    X = np.random.default_rng(0).normal(size=(209, 2))
    y = np.array(["a"] * 104 + ["b"] * 105)
    assert clf(epochs=1).fit(X, y).pos_label_ == "a"


@pytest.mark.parametrize("epochs", [0, -1, 2.5, "x"])
def test_epochs_passed_to_fit_are_checked(abalone, epochs):
    with pytest.raises(ValueError, match="epochs="):
        clf().fit(*abalone, epochs=epochs)
