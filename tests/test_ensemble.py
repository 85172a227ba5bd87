"""The built-in ensemble: members that learn alone, judge what they have not seen, and agree."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logit, softmax
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit

from wbce import WeightedKerasClassifier, _fit_steps, set_trace_cache_size
from wbce.inference import HeldOutLogits, LogitFunction
from wbce.losses import SmoothAveragePrecision, WeightedCrossentropy
from wbce.networks import (
    MemberDense,
    Mixture,
    PeriodicFeatures,
    _inputs,
    build_ensemble,
    divided_rows,
    start_bias,
)
from wbce.training import MemberScores, NetworkTraining, _parts
from wbce.training._order import RowOrder

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4)).astype("float32")
Y = (X[:, 0] + 0.5 * RNG.normal(size=240) > 1).astype(int)
Y3 = np.digitize(X[:, 0], [-0.5, 0.8])
LABELS = np.column_stack([Y, X[:, 1] > 0.5, X[:, 2] > 1]).astype(int)


def clf(**parameters):
    return WeightedKerasClassifier(
        **{"epochs": 4, "random_state": 0, "model__n_members": 4, **parameters}
    )


def ensemble(n_outputs=1, n_members=3, **parameters):
    return build_ensemble(
        (4,), n_outputs, n_members=n_members, hidden_layer_sizes=(5,), n_knots=0, **parameters
    )


def alone(network, number):
    """One member as a network of its own."""
    members = [x for x in network.layers if isinstance(x, MemberDense)]
    single = keras.Sequential([keras.Input((4,))])
    for layer in members:
        dense = keras.layers.Dense(layer.units, layer.activation)
        single.add(dense)
        dense.set_weights([np.asarray(layer.kernel)[number], np.asarray(layer.bias)[number, 0]])
    return single


def trained(network, rows_of_members, y=Y, sample_weight=None, loss=None, epochs=2, optimizer=None):
    network.compile(optimizer or keras.optimizers.SGD(0.5), loss or WeightedCrossentropy())
    arguments = {"batch_size": 16, "epochs": epochs, "shuffle": False}
    if sample_weight is not None:
        arguments["sample_weight"] = sample_weight
    y = y.astype("float32")[:, None]
    NetworkTraining(network, X, y, arguments, False, rows_of_members).run(0)
    return network


# ------------------------------------------------------------------ the network


@pytest.mark.parametrize("end", ["sigmoid", "softmax", "labels"])
def test_the_output_is_the_members_mean_probability(end):
    network = ensemble(1 if end == "sigmoid" else 3, n_frequencies=0, multi_label=end == "labels")
    for variable in network.trainable_variables:
        variable.assign(RNG.normal(size=variable.shape))
    z = np.stack([np.asarray(alone(network, m)(network.layers[1](X))) for m in range(3)])
    members = softmax(z, axis=-1) if end == "softmax" else expit(z)
    np.testing.assert_allclose(np.asarray(network(X)), members.mean(axis=0), atol=1e-6)


def test_probabilities_are_averaged_without_the_weights():
    network = ensemble(n_frequencies=0)
    for variable in network.trainable_variables:
        variable.assign(RNG.normal(size=variable.shape))
    shift = np.log(50)
    z = np.stack([np.asarray(alone(network, m)(network.layers[1](X))) for m in range(3)])
    next(x for x in network.layers if isinstance(x, Mixture)).shift.assign([shift])
    expected = expit(logit(expit(z - shift).mean(axis=0)) + shift)
    np.testing.assert_allclose(np.asarray(network(X)), expected, atol=1e-6)


def test_the_start_says_how_far_weights_shift():
    network = ensemble()
    start_bias(network, np.array([1.5]), np.array([-2.0]))
    np.testing.assert_allclose(np.asarray(network(X)), expit(1.5), atol=0.1)
    assert np.asarray(network.layers[-2].shift) == pytest.approx(3.5)
    fitted = clf(pos_weight=20, epochs=1).fit(X, Y)
    mixture = next(x for x in fitted.model_.layers if isinstance(x, Mixture))
    assert np.asarray(mixture.shift)[0] == pytest.approx(np.log(20), rel=1e-5)


@pytest.mark.parametrize("end", ["sigmoid", "softmax", "labels"])
def test_numpy_and_keras_agree_with_categories_and_missing_values(end):
    network = build_ensemble(
        (4,),
        1 if end == "sigmoid" else 3,
        columns=([0, 3, 0, 0], [True, True, False, False]),
        multi_label=end == "labels",
    )
    for variable in network.variables:
        variable.assign(RNG.uniform(0.1, 1, variable.shape))
    rows = X.copy()
    rows[:, 1], rows[::5, 0], rows[::7, 1] = RNG.integers(0, 4, len(X)), np.nan, np.nan
    network.layers[1].fit(rows, np.ones(len(rows)))
    rows[:4, 2] = [1e38, -1e38, 50, 0]
    function = LogitFunction(
        network, rows[:1], 2 if end == "sigmoid" else 3, multi_label=end == "labels"
    )
    assert type(function._evaluate).__name__ == "PlainNetwork"
    z = function(rows)
    p = softmax(z, axis=1) if end == "softmax" else expit(z)
    np.testing.assert_allclose(p.reshape(len(X), -1), np.asarray(network(rows)), atol=2e-5)


def test_it_is_plain_keras():
    network = ensemble(3)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    twin.set_weights(network.get_weights())
    np.testing.assert_array_equal(np.asarray(twin(X)), np.asarray(network(X)))


# ------------------------------------------------------------------ training


def test_members_learn_as_if_they_were_alone():
    network = ensemble(n_frequencies=0)
    rows = [np.arange(0, 200), np.arange(20, 220), np.arange(40, 240)]
    singles = [alone(network, m) for m in range(3)]
    scaled = np.asarray(network.layers[1](X))
    weight = RNG.uniform(0.5, 2, 240).astype("float32")
    trained(network, rows, sample_weight=weight)
    for m, single in enumerate(singles):
        single.compile(keras.optimizers.SGD(0.5), keras.losses.BinaryCrossentropy(True))
        single.fit(
            scaled[rows[m]], Y[rows[m], None].astype("float32"), sample_weight=weight[rows[m]],
            batch_size=16, epochs=2, shuffle=False, verbose=0,
        )  # fmt: skip
        np.testing.assert_allclose(
            np.asarray(alone(network, m)(scaled)), np.asarray(single(scaled)), atol=1e-5
        )


def test_a_member_does_not_see_what_it_holds_out():
    start = ensemble()
    held = np.arange(0, 240, 3)
    rest = np.setdiff1d(np.arange(240), held)
    other = Y.copy()
    other[held] = 1 - other[held]
    kernels = []
    for y in (Y, other):
        network = ensemble()
        network.set_weights(start.get_weights())
        trained(network, [rest, np.arange(240), rest], y=y)
        kernels.append(np.asarray(network.layers[4].kernel))
    np.testing.assert_array_equal(kernels[0][[0, 2]], kernels[1][[0, 2]])
    assert (kernels[0][1] != kernels[1][1]).any()


def test_a_loss_that_compares_rows_compares_those_of_one_member():
    network = ensemble(n_frequencies=0)
    scaled = np.asarray(network.layers[1](X))
    z = [np.asarray(alone(network, m)(scaled[:16])) for m in range(3)]
    loss = SmoothAveragePrecision()
    y = Y[:16, None].astype("float32")
    y[:4] = 1
    expected = np.mean(
        [float(SmoothAveragePrecision(from_logits=True)(y, of_member)) for of_member in z]
    )
    network.compile(keras.optimizers.SGD(0.0), loss)
    arguments = {"batch_size": 16, "epochs": 1, "shuffle": False}
    history = NetworkTraining(network, X[:16], y, arguments, False, None).run(0).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_held_out_logits_are_of_those_who_have_not_seen_the_row():
    network = ensemble(n_members=4, n_frequencies=0)
    for variable in network.trainable_variables:
        variable.assign(RNG.normal(size=variable.shape))
    held_out = [np.arange(0, 100), np.arange(100, 240), np.arange(0, 130), np.arange(130, 240)]
    scaled = np.asarray(network.layers[1](X))
    p = np.stack([expit(np.asarray(alone(network, m)(scaled)))[:, 0] for m in range(4)])
    logits = HeldOutLogits(network, X, held_out)
    expected = np.empty(240)
    for row in range(240):
        expected[row] = np.mean([p[m, row] for m in range(4) if row in held_out[m]])
    np.testing.assert_allclose(expit(logits()), expected, atol=1e-6)
    for m, z in enumerate(logits.by_member(logits.of_members())):
        np.testing.assert_allclose(expit(z), p[m, held_out[m]], atol=1e-6)


class Network:
    """What a callback sees of a network: one variable with a number for each of two members."""

    def __init__(self):
        self.variable = keras.Variable(np.zeros((2, 1)))
        self.trainable_variables = [self.variable]
        self.stop_training = False


def test_each_member_goes_back_to_its_own_best_epoch():
    losses = [[3.0, 3.0], [2.0, 4.0], [2.5, 2.0], [2.5, 2.5], [1.0, 2.5], [2.0, 2.5], [2.0, 1.0]]
    told = iter(losses)
    callback = MemberScores(lambda: ({"val_log_loss": 0.0}, np.array(next(told))), patience=3)
    callback.set_model(network := Network())
    for epoch in range(len(losses)):
        network.variable.assign([[epoch], [epoch]])
        callback.on_epoch_end(epoch, {})
        if network.stop_training:
            break
    assert epoch == 7 - 1  # the first member was best in the fifth and waited for two
    callback.restore_best_weights()
    assert np.asarray(network.variable).ravel().tolist() == [4, 2]  # the second had stopped
    assert callback.best_epoch == 4  # the middle of 5 and 3


def test_members_train_longer_than_each_would_alone(monkeypatch):
    parameters = {"epochs": 60, "optimizer__learning_rate": 0.005}
    part_of_a_mean = clf(**parameters).fit(X, Y)
    monkeypatch.setattr(_fit_steps, "_OVERCONFIDENCE", 0.0)
    alone = clf(**parameters).fit(X, Y)
    assert part_of_a_mean.best_epoch_ > alone.best_epoch_
    np.testing.assert_allclose(
        part_of_a_mean.history_["val_log_loss"][:5], alone.history_["val_log_loss"][:5]
    )


# ------------------------------------------------------------------ the estimator


@pytest.mark.parametrize("target", [Y, Y3, LABELS], ids=["two classes", "three", "labels"])
@pytest.mark.parametrize("loss", ["weighted_bce", "focal"])
def test_all_rows_train_and_all_rows_judge(target, loss):
    fitted = clf(loss=loss, threshold="auto", class_weight="balanced").fit(X, target)
    assert np.isfinite(fitted.validation_score_)
    assert len(fitted.history_["val_log_loss"]) == fitted.n_iter_
    if target is Y:
        curve = fitted.threshold_curve_.columns()
        assert curve["tp"][0] + curve["fn"][0] == Y.sum()
        assert curve["fp"][0] + curve["tn"][0] == 240 - Y.sum()
    assert fitted.predict(X).shape == target.shape


def test_folds_and_members(monkeypatch):
    seen = []
    original = HeldOutLogits.__init__

    def note(self, network, rows, held_out):
        seen.append(held_out)
        original(self, network, rows, held_out)

    monkeypatch.setattr(HeldOutLogits, "__init__", note)
    clf(validation_split=0.25, epochs=1, model__n_members=6).fit(X, Y)
    held_out = seen[0]
    assert [len(h) for h in held_out] == [60] * 6
    np.testing.assert_array_equal(np.sort(np.concatenate(held_out[:4])), np.arange(240))
    assert all(Y[h].sum() in (Y.sum() // 4, Y.sum() // 4 + 1) for h in held_out)
    groups = np.repeat(np.arange(24), 10)
    clf(validation_split=0.25, epochs=1).fit(X, Y, groups=groups)
    for held in seen[-1]:
        assert set(groups[held]).isdisjoint(np.delete(groups, held))


def test_rows_that_others_hold_back(monkeypatch):
    """Time order, splitters and rows passed are held back from all members."""
    monkeypatch.setattr(HeldOutLogits, "__init__", None)
    clf(validation_split="last").fit(X, Y)
    clf(validation_split=TimeSeriesSplit(3)).fit(X, Y)
    clf().fit(X[:200], Y[:200], X_val=X[200:], y_val=Y[200:])
    clf(metrics=["accuracy"]).fit(X, Y)
    clf(callbacks=keras.callbacks.LambdaCallback()).fit(X, Y)
    assert clf(early_stopping=False).fit(X, Y).n_iter_ == 4
    assert clf(model__n_members=1).fit(X, Y).n_iter_ == 4
    clf(threshold="auto", threshold_cv=2).fit(X, Y)
    few = np.r_[np.flatnonzero(Y)[:4], np.flatnonzero(Y == 0)]
    assert not hasattr(clf().fit(X[few], Y[few]), "validation_score_")


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ({}, {"steps_per_epoch": 2}),
        ({}, {"class_weight": {0: 1, 1: 5}}),
        ({"run_eagerly": True}, {}),
        ({"compile__jit_compile": False}, {}),
        ({"loss": "smooth_ap"}, {}),
        ({"calibrate": "sigmoid"}, {}),
    ],
)
def test_rows_are_held_back_from_all_where_members_cannot_judge(monkeypatch, parameters, arguments):
    monkeypatch.setattr(HeldOutLogits, "__init__", None)
    fitted = clf(epochs=1, validation_split=0.3, **parameters).fit(X, Y, **arguments)
    assert hasattr(fitted, "validation_score_")


def test_all_positives_in_one_group():
    groups = np.where(Y == 1, 0, 1 + np.arange(240) // 30)
    assert clf().fit(X, Y, groups=groups).predict(X).shape == Y.shape


def test_going_on_with_other_parameters_goes_on_with_the_old_network():
    fitted = clf(warm_start=True, epochs=1).fit(X, Y)
    fitted.set_params(model__n_members=8).fit(X, Y)
    assert fitted.model_.layers[2].n_members == 4
    single = clf(model="mlp", warm_start=True, epochs=1)
    del single.model__n_members
    single.fit(X, Y).set_params(model=None).fit(X, Y)
    assert single.model_.name == "mlp"


@pytest.mark.parametrize("n_members", [0, -1, 2.5, None, True])
def test_a_number_of_members_that_is_none(n_members):
    with pytest.raises(ValueError, match="model__n_members"):
        clf(model__n_members=n_members).fit(X, Y)


def test_many_rows_are_judged_in_pieces(monkeypatch):
    fitted = clf().fit(X, Y)
    held_out = [np.arange(0, 130), np.arange(130, 240), np.arange(0, 240), np.arange(5)]
    whole = HeldOutLogits(fitted.model_, X, held_out)()
    monkeypatch.setattr("wbce.inference._members._ROWS_AT_ONCE", 64)
    np.testing.assert_allclose(HeldOutLogits(fitted.model_, X, held_out)(), whole, atol=1e-5)


def test_validation_score_is_the_log_loss_of_the_rows_that_judge():
    fitted = clf(threshold="auto", epochs=20).fit(X, Y)
    scores = fitted.threshold_curve_
    assert 0 < fitted.validation_score_ < log_loss(Y, np.full(240, Y.mean()))
    assert fitted.validation_score_ == pytest.approx(min(fitted.history_["val_log_loss"]), rel=0.15)
    assert scores is not None


def test_the_same_seed_gives_the_same_fit_and_another_another():
    p = [clf(random_state=s).fit(X, Y).predict_proba(X) for s in (0, 0, 1)]
    np.testing.assert_array_equal(p[0], p[1])
    assert (p[0] != p[2]).any()


def test_going_on():
    fitted = clf(warm_start=True, epochs=2).fit(X, Y)
    before = fitted.predict_proba(X)
    assert (fitted.fit(X, Y).predict_proba(X) != before).any()
    parts = clf().partial_fit(X[:120], Y[:120], classes=[0, 1])
    parts.partial_fit(X[120:], Y[120:])
    assert parts.predict_proba(X).shape == (240, 2)


@pytest.mark.parametrize("weights", [{}, {"class_weight": "balanced"}, {"pos_weight": 20}])
def test_probabilities_are_true_whatever_the_weights(abalone, weights):
    X, y = abalone
    train, test = next(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    fitted = WeightedKerasClassifier(random_state=0, **weights).fit(X[train], y[train])
    p = fitted.predict_proba(X[test])[:, 1]
    assert p.mean() == pytest.approx(y.mean(), rel=0.4)
    assert log_loss(y[test], p) < 0.19


def test_it_is_better_than_one_network(abalone):
    X, y = abalone
    losses = {"ensemble": [], "mlp": []}
    for train, test in StratifiedKFold(3, shuffle=True, random_state=0).split(X, y):
        for name, found in losses.items():
            fitted = WeightedKerasClassifier(name, random_state=0).fit(X[train], y[train])
            found.append(log_loss(y[test], fitted.predict_proba(X[test])))
    assert np.mean(losses["ensemble"]) < np.mean(losses["mlp"])


# ------------------------------------------------------------------ by name


@pytest.mark.parametrize("name", ["ensemble", "mlp", "linear"])
def test_networks_by_name(name):
    fitted = WeightedKerasClassifier(name, epochs=2, random_state=0).fit(X, Y)
    assert fitted.model_.name == name
    assert fitted.get_params()["model"] == name


def test_the_default_is_the_ensemble():
    assert WeightedKerasClassifier(epochs=1, random_state=0).fit(X, Y).model_.name == "ensemble"


def test_the_linear_network_is_logistic_regression():
    fitted = WeightedKerasClassifier(
        "linear", early_stopping=False, epochs=800, batch_size=-1, optimizer__learning_rate=0.05
    ).fit(X, Y)
    from sklearn.linear_model import LogisticRegression

    scaled = np.asarray(fitted.model_.layers[1](X))
    reference = LogisticRegression(C=np.inf).fit(scaled, Y).predict_proba(scaled)[:, 1]
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], reference, atol=0.02)


def test_arguments_of_built_in_networks():
    fitted = clf(model__hidden_layer_sizes=(7,), model__activation="relu").fit(X, Y)
    dense = [x for x in fitted.model_.layers if isinstance(x, MemberDense)]
    assert [layer.units for layer in dense] == [7, 1]
    with pytest.raises(TypeError, match="sizes"):
        clf(model__sizes=(7,)).fit(X, Y)
    with pytest.raises(ValueError, match=r"'mpl' is not a built-in.*Did you mean 'mlp'"):
        WeightedKerasClassifier("mpl").fit(X, Y)


def test_members_take_their_share_in_this_thread_only():
    from threading import Thread

    network, shapes = ensemble(), []
    with divided_rows(3):
        shapes.append(network(X).shape)
        other = Thread(target=lambda: shapes.append(network(X).shape))
        other.start()
        other.join()
        share = np.asarray(network(X))
    np.testing.assert_array_equal(share.shape, (240, 1))
    whole = np.asarray(network(X))
    assert shapes == [(240, 1), (240, 1)]
    assert (share != whole).any()


# ------------------------------------------------------------------ parts of the members


def afresh(**parameters):
    """A fit that shares no trace with another."""
    set_trace_cache_size(0)
    set_trace_cache_size(64)
    return clf(**parameters).fit(X, Y)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"optimizer": "adamw"},
        {"optimizer": "rmsprop"},
        {"optimizer": "nadam"},
        {"optimizer": "lion"},
        {"optimizer": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 40))},
        {"class_weight": "balanced", "loss": "focal"},
    ],
)
def test_parts_of_the_members_train_as_all_of_them(monkeypatch, parameters):
    monkeypatch.setattr(_parts, "_WORTH_DIVIDING", 0)
    in_parts = afresh(**parameters)
    assert _parts.n_parts_of(in_parts.model_, len(X)) == 2
    monkeypatch.setattr(_parts, "_N_PARTS", 1)
    whole = afresh(**parameters)
    assert _parts.n_parts_of(whole.model_, len(X)) == 1
    np.testing.assert_allclose(in_parts.history_["loss"], whole.history_["loss"], rtol=1e-4)
    np.testing.assert_allclose(in_parts.predict_proba(X), whole.predict_proba(X), atol=1e-4)


class WithVector(keras.optimizers.SGD):
    def build(self, variables):
        super().build(variables)
        self.vector = keras.Variable(np.zeros(3), trainable=False)
        self._track_variable(self.vector)


@pytest.mark.parametrize(
    "parameters",
    [
        {"optimizer__use_ema": True},
        {"optimizer__gradient_accumulation_steps": 2},
        {"optimizer__clipnorm": 0.1},
        {"optimizer__global_clipnorm": 0.1},
        {"optimizer": keras.optimizers.Lamb()},
        {"optimizer": "adafactor"},
        {"optimizer": WithVector(0.1)},
        {"loss": lambda y, p: keras.losses.binary_crossentropy(y, p), "from_logits": False},
    ],
)
def test_what_is_not_number_by_number_trains_all_members_together(monkeypatch, parameters):
    monkeypatch.setattr(_parts, "_WORTH_DIVIDING", 0)
    seen = []
    parts = _parts.Parts.__init__

    def noted(self, network, n_parts, others_look=False):
        seen.append(n_parts)
        parts(self, network, n_parts, others_look)

    monkeypatch.setattr(_parts.Parts, "__init__", noted)
    assert np.isfinite(afresh(**parameters).predict_proba(X)).all()
    assert set(seen) == {1}


def test_small_tables_train_all_members_together():
    network = clf().fit(X, Y).model_
    assert _parts.n_parts_of(network, 240) == 1
    assert _parts.n_parts_of(network, 24_000) == 2


def test_one_processor_gives_the_same_as_two(monkeypatch):
    monkeypatch.setattr(_parts, "_WORTH_DIVIDING", 0)
    monkeypatch.setattr(_parts, "n_threads", lambda: 2)
    two = clf().fit(X, Y)
    monkeypatch.setattr(_parts, "n_threads", lambda: 1)
    np.testing.assert_array_equal(clf().fit(X, Y).predict_proba(X), two.predict_proba(X))


@pytest.mark.parametrize(("n_columns", "expected"), [(4, 4), (32, 4), (33, 3), (64, 2), (300, 1)])
def test_many_columns_have_fewer_frequencies_each(n_columns, expected):
    def frequencies(**parameters):
        network = build_ensemble((n_columns,), 1, n_members=2, **parameters)
        return next(x.n_frequencies for x in network.layers if isinstance(x, PeriodicFeatures))

    assert frequencies() == expected
    assert frequencies(n_frequencies=5) == 5


def test_members_learn_frequencies_at_different_speeds():
    network = build_ensemble((4,), 1, n_members=4)
    waves = next(layer for layer in network.layers if isinstance(layer, PeriodicFeatures))

    def frequencies():
        return np.asarray(waves.speed * waves.frequency).reshape(4, -1)

    before = frequencies()
    assert before.std(axis=1) == pytest.approx(0.1, rel=0.4)
    trained(network, [np.arange(240)] * 4, optimizer=keras.optimizers.Adam(1e-3), epochs=1)
    moved = np.abs(frequencies() - before).max(axis=1)
    np.testing.assert_allclose(moved / moved[-1], np.geomspace(0.1, 1, 4), rtol=0.2)


def test_an_odd_number_of_members_trains_in_one_part():
    fitted = clf(model__n_members=3).fit(X, Y)
    assert _parts.n_parts_of(fitted.model_, 10**6) == 1
    assert average_precision_score(Y, fitted.predict_proba(X)[:, 1]) > 0.5


def test_each_part_takes_its_members_share_of_each_step():
    rows = [np.arange(10) + 100 * member for member in range(4)]
    order = RowOrder(rows, batch_size=4, shuffle=False, seed=0).of_epochs(2)
    first, second = _parts.orders_of_parts(order, 16, 2)
    of_two = RowOrder(rows[:2], batch_size=4, shuffle=False, seed=0).of_epochs(2)
    np.testing.assert_array_equal(first, of_two)
    np.testing.assert_array_equal(second, of_two + 200)
    (whole,) = _parts.orders_of_parts(order, 16, 1)
    np.testing.assert_array_equal(whole, order)


@pytest.mark.parametrize("last", [0, 3])
def test_what_a_callback_assigns_counts_in_every_part(monkeypatch, last):
    class Zeros(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == last:
                self.model.optimizer.learning_rate.assign(0.0)
                for variable in self.model.trainable_variables:
                    variable.assign(np.zeros(variable.shape))
                self.steps = int(self.model.optimizer.iterations)

    monkeypatch.setattr(_parts, "_WORTH_DIVIDING", 0)
    callback = Zeros()
    fitted = clf(early_stopping=False, callbacks=[callback], batch_size=40).fit(X, Y)
    assert callback.steps == 6 * (last + 1)
    assert int(fitted.model_.optimizer.iterations) == 24
    assert float(np.asarray(fitted.model_.optimizer.learning_rate)) == 0
    assert all((np.asarray(v) == 0).all() for v in fitted.model_.trainable_variables)


def test_the_same_random_state_gives_the_same_with_code_that_draws(monkeypatch):
    def noisy(y_true, y_pred):
        noise = tf.random.normal(tf.shape(y_pred), stddev=0.1)
        return keras.ops.mean(keras.ops.square(y_true - y_pred + noise), axis=-1)

    monkeypatch.setattr(_parts, "_WORTH_DIVIDING", 0)
    some = np.tile(X, (5, 1)), np.tile(Y, 5)
    first, second = (clf(loss=noisy, epochs=2).fit(*some).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_network_is_not_changed_by_making_columns_once():
    def loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    fitted = clf(loss=loss)
    for _ in range(2):
        fitted.partial_fit(X, Y, classes=[0, 1])
    assert {len(layer._inbound_nodes) for layer in fitted.model_.layers} == {1}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("slowest", 0),
        ("slowest", -0.1),
        ("slowest", 2),
        ("slowest", np.nan),
        ("n_frequencies", -1),
        ("n_frequencies", 2.5),
        ("n_knots", 1),
        ("n_knots", -3),
        ("spread", -1.0),
        ("spread", np.inf),
        ("spread", "wide"),
    ],
)
def test_numbers_that_make_no_network_are_refused(name, bad):
    with pytest.raises(ValueError, match=f"model__{name}={bad!r}: pass"):
        clf(**{f"model__{name}": bad}).fit(X, Y)


@pytest.mark.parametrize("early_stopping", ["auto", False])
def test_columns_made_once_are_those_made_in_every_step(monkeypatch, early_stopping):
    once = afresh(early_stopping=early_stopping)
    monkeypatch.setattr(_inputs, "_AT_MOST", 0)
    anew = afresh(early_stopping=early_stopping)
    np.testing.assert_allclose(once.predict_proba(X), anew.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(once.history_["loss"], anew.history_["loss"], rtol=1e-5)


def test_columns_are_made_once_only_where_they_have_room():
    network = build_ensemble((4,), 1, n_members=2)
    rows, layer = _inputs.columns_made_once(network, X)
    assert rows.shape == (240, 8)
    np.testing.assert_allclose(rows, np.asarray(layer(X)), atol=1e-6)
    many = np.broadcast_to(X[:1], (2**40, 4))  # has no room even to be looked at
    assert _inputs.columns_made_once(network, many)[1] is None
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    assert _inputs.columns_made_once(plain, X) == (X, None)
