"""Round trips: every way to copy or store, and processes that know nothing of the builder."""

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import joblib
import keras
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from wbce import WeightedKerasClassifier
from wbce.persistence import MissingFunction, copy_network


def by_joblib(model, tmp_path):
    joblib.dump(model, tmp_path / "model.joblib")
    return joblib.load(tmp_path / "model.joblib")


class Halved(WeightedKerasClassifier):
    @property
    def feature_encoder(self):
        return FunctionTransformer(lambda X: X / 2)


WAYS = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model, _: pickle.loads(cloudpickle.dumps(model)),
    "joblib": by_joblib,
    "deepcopy": lambda model, _: copy.deepcopy(model),
}


def local_network():
    return lambda meta: keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(6, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("network", ["ensemble", "mlp", "function"])
def test_round_trips_are_bit_identical(abalone, tmp_path, way, network):
    X, y = abalone
    model = WeightedKerasClassifier(
        model=local_network() if network == "function" else network,
        class_weight="balanced",
        threshold="auto",
        validation_split=0.2,
        epochs=3,
        random_state=0,
    )
    unfitted = WAYS[way](model, tmp_path)
    model.fit(X, y)
    for original in (model, make_pipeline(StandardScaler(), model).fit(X, y)):
        twin = WAYS[way](original, tmp_path)
        np.testing.assert_array_equal(twin.predict_proba(X), original.predict_proba(X))
        np.testing.assert_array_equal(twin.predict(X), original.predict(X))
        np.testing.assert_array_equal(twin.decision_function(X), original.decision_function(X))
    np.testing.assert_array_equal(
        unfitted.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X)
    )


def test_training_goes_on_where_it_was(abalone):
    X, y = abalone
    model = WeightedKerasClassifier(local_network(), random_state=0)
    model.partial_fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    model.partial_fit(X, y)
    twin.partial_fit(X, y)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert len(twin.history_["loss"]) == 2


def test_warm_started_training_goes_on_where_it_was(abalone):
    X, y = abalone
    model = WeightedKerasClassifier("mlp", epochs=2, warm_start=True, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X))


def test_deep_copies_and_who_is_told_to_go_on_later_keep_the_optimizer(abalone):
    X, y = abalone
    model = WeightedKerasClassifier("mlp", epochs=2, random_state=0).fit(X, y)
    copied = copy.deepcopy(model)
    later = pickle.loads(pickle.dumps(copy.deepcopy(model).set_params(warm_start=True)))
    expected = model.partial_fit(X, y).predict_proba(X)
    for twin in (copied, later):
        np.testing.assert_array_equal(twin.partial_fit(X, y).predict_proba(X), expected)


@pytest.mark.parametrize("network", ["ensemble", "mlp", "function"])
def test_a_pickle_is_little_more_than_the_weights(abalone, network):
    X, y = abalone
    model = WeightedKerasClassifier(
        local_network() if network == "function" else network, epochs=1, random_state=0
    ).fit(X, y)
    size = len(pickle.dumps(model))
    weights = sum(np.asarray(v).nbytes for v in model.model_.variables)
    assert size < 1.2 * weights + 7_000
    twin = pickle.loads(pickle.dumps(model))
    assert len(pickle.dumps(twin)) == pytest.approx(size, abs=1000)
    assert int(twin.model_.optimizer.iterations) == 0
    assert len(twin.partial_fit(X, y).history_["loss"]) == 2
    model.partial_fit(X, y)
    assert len(pickle.dumps(model)) > size + 1.5 * weights  # parts of a stream go on


_NEW_PROCESS = """
import pickle, sys, numpy as np
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
X = np.load(sys.argv[2])
np.save(sys.argv[3], np.column_stack([model.predict_proba(X), model.decision_function(X)]))
"""

_BUILDER = """
import keras

def build(meta):
    return keras.Sequential(
        [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(4), keras.layers.Dense(1)]
    )
"""


@pytest.mark.parametrize("where", ["a function of this test", "a module that is missing"])
def test_a_process_that_never_saw_the_builder(abalone, tmp_path, monkeypatch, where):
    X, y = abalone
    function = local_network()
    if where == "a module that is missing":
        (tmp_path / "builder_module.py").write_text(_BUILDER)
        monkeypatch.syspath_prepend(str(tmp_path))
        from builder_module import build as function
    model = WeightedKerasClassifier(function, epochs=2, random_state=0, pos_weight=4).fit(X, y)
    expected = np.column_stack([model.predict_proba(X), model.decision_function(X)])
    files = [tmp_path / name for name in ("model.pkl", "X.npy", "out.npy")]
    files[0].write_bytes(pickle.dumps(model))
    np.save(files[1], X)
    run = subprocess.run(
        [sys.executable, "-I", "-c", _NEW_PROCESS, *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"},
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""  # none of TensorFlow's messages either
    np.testing.assert_array_equal(np.load(files[2]), expected)


def test_a_missing_function_says_so_when_it_is_needed(abalone, tmp_path, monkeypatch):
    X, y = abalone
    (tmp_path / "gone_module.py").write_text(_BUILDER)
    monkeypatch.syspath_prepend(str(tmp_path))
    import gone_module

    state = pickle.dumps(WeightedKerasClassifier(gone_module.build, epochs=1).fit(X, y))
    monkeypatch.undo()
    monkeypatch.delitem(sys.modules, "gone_module")
    model = pickle.loads(state)
    assert isinstance(model.model, MissingFunction)
    assert "gone_module.build" in repr(model.model)
    assert model.predict(X).shape == y.shape
    with pytest.raises(RuntimeError, match="'build' of module 'gone_module' was not found"):
        model.fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert "gone_module.build" in repr(again.model)


@pytest.mark.parametrize("network", ["ensemble", "mlp", "function"])
def test_a_loaded_network_is_built_when_it_is_asked_for(abalone, network):
    X, y = abalone
    model = WeightedKerasClassifier(
        local_network() if network == "function" else network, epochs=1, random_state=0
    ).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    assert "model_" in dir(model)
    assert "model_" not in vars(twin)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert "model_" not in vars(twin)  # neither for predictions,
    again = pickle.loads(pickle.dumps(twin))  # nor to be stored again
    assert "model_" not in vars(twin)
    assert isinstance(again.model_, keras.Model)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    again.model_.set_weights([0 * w for w in again.model_.get_weights()])
    assert np.ptp(again.predict_proba(X)) < np.ptp(model.predict_proba(X))


def test_threads_that_need_a_loaded_network_at_once_get_the_same(abalone):
    X, y = abalone
    model = WeightedKerasClassifier("mlp", epochs=1, random_state=0).fit(X, y)
    for _ in range(3):
        twin = pickle.loads(pickle.dumps(model))
        with ThreadPoolExecutor(8) as pool:
            results = [
                pool.submit(lambda twin=twin: (twin.predict_proba(X), twin.model_))
                for _ in range(16)
            ]
        assert len({id(result.result()[1]) for result in results}) == 1
        for result in results:
            np.testing.assert_array_equal(result.result()[0], model.predict_proba(X))


def test_an_error_leaves_a_loaded_estimator_as_it_was(abalone):
    X, y = abalone
    model = WeightedKerasClassifier("mlp", epochs=1, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    with pytest.raises(ValueError, match="one class"):
        twin.fit(X, np.zeros(len(y)))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_a_keras_model_as_parameter_comes_back(abalone):
    X, y = abalone
    network = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(1)])
    model = WeightedKerasClassifier(network, epochs=1, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    assert "model" not in vars(twin)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    assert "model" not in vars(twin)
    given = twin.get_params()["model"]
    np.testing.assert_array_equal(given.get_weights()[0], network.get_weights()[0])
    assert set(twin.get_params()) == set(model.get_params())
    np.testing.assert_array_equal(twin.fit(X, y).predict_proba(X), model.predict_proba(X))


def test_what_is_assigned_to_a_loaded_estimator_counts(abalone):
    X, y = abalone
    network = keras.Sequential([keras.Input((X.shape[1],)), keras.layers.Dense(1)])
    first, second = (
        WeightedKerasClassifier(network, epochs=n, random_state=0).fit(X, y) for n in (1, 2)
    )
    twin = pickle.loads(pickle.dumps(first))
    twin.model, twin.model_ = "mlp", second.model_
    again = pickle.loads(pickle.dumps(twin))
    assert again.model == "mlp"
    np.testing.assert_array_equal(again.model_.get_weights()[0], second.model_.get_weights()[0])


def test_a_state_of_a_later_version_is_an_error_that_says_so():
    state = WeightedKerasClassifier().__getstate__()
    later = {**state, "wbce_form": 99, "made_with": {"wbce": "7.5"}}
    with pytest.raises(ValueError, match=r"wbce 7.5 in form 99.*pip install --upgrade wbce"):
        WeightedKerasClassifier().__setstate__(later)
    with pytest.raises(ValueError, match="development version"):
        WeightedKerasClassifier().__setstate__({"model": None})


def test_parameters_that_came_later_have_their_defaults():
    state = WeightedKerasClassifier(gamma=3.0).__getstate__()
    del state["attributes"]["empty_labels"]
    twin = object.__new__(WeightedKerasClassifier)
    twin.__setstate__(state)
    assert twin.get_params() == WeightedKerasClassifier(gamma=3.0).get_params()


def test_skops_needs_one_type_to_be_trusted(abalone):
    sio = pytest.importorskip("skops.io")
    X, y = abalone
    pipeline = make_pipeline(
        StandardScaler(),
        WeightedKerasClassifier("mlp", threshold="auto", validation_split=0.2, random_state=0),
    ).fit(X, y)
    data = sio.dumps(pipeline)
    trusted = ["wbce.classifier.WeightedKerasClassifier"]
    assert sio.get_untrusted_types(data=data) == trusted
    twin = sio.loads(data, trusted=trusted)
    np.testing.assert_array_equal(twin.predict_proba(X), pipeline.predict_proba(X))
    np.testing.assert_array_equal(twin.predict(X), pipeline.predict(X))
    assert twin[-1].model_.count_params() == pipeline[-1].model_.count_params()


def test_skops_shows_code_of_the_users(abalone):
    sio = pytest.importorskip("skops.io")
    X, y = abalone
    model = WeightedKerasClassifier(local_network(), epochs=1, random_state=0).fit(X, y)
    assert "wbce.persistence._code.PackedFunction" in sio.get_untrusted_types(data=sio.dumps(model))


def test_a_state_without_code_objects_runs_no_code(abalone):
    X, y = abalone
    state = WeightedKerasClassifier("linear", epochs=1).fit(X, y).__getstate__()
    lambda_layer = keras.saving.serialize_keras_object(keras.layers.Lambda(lambda x: x))
    state["attributes"]["model_"]["configs"]["network"]["config"]["layers"].append(lambda_layer)
    twin = object.__new__(WeightedKerasClassifier)
    twin.__setstate__(state)
    with pytest.raises(ValueError, match=r"keras.layers.Lambda.*register_keras_serializable"):
        _ = twin.model_


def test_code_of_another_python_is_not_run(abalone):
    X, y = abalone
    model = WeightedKerasClassifier(local_network(), epochs=1, random_state=0).fit(X, y)
    state = model.__getstate__()
    state["attributes"]["model"].python = (3, 1)
    twin = pickle.loads(pickle.dumps(model))
    twin.__setstate__(state)
    assert isinstance(twin.model, MissingFunction)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    with pytest.raises(RuntimeError, match="another version of Python"):
        twin.fit(X, y)


def test_no_training_row_is_stored(abalone):
    X, y = abalone
    X = X.copy()
    X[:, 0] = 123456.789
    model = WeightedKerasClassifier(local_network(), epochs=1, random_state=0).fit(X, y)
    state = pickle.dumps(model)
    assert np.float64(123456.789).tobytes() not in state
    assert np.float32(123456.789).tobytes() not in state


def test_custom_layers_and_losses_travel_along(abalone):
    X, y = abalone

    class Doubled(keras.layers.Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    class OwnLoss(keras.losses.BinaryCrossentropy):
        pass

    def build(meta):
        inputs = keras.Input((meta["n_features_in_"],))
        hidden = Doubled(3)(inputs)
        return keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(hidden))

    model = WeightedKerasClassifier(build, loss=OwnLoss(), epochs=1, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert twin.partial_fit(X, y)


def test_networks_are_copied_with_their_optimizer():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    network.compile("adam", "mse")
    network.fit(np.ones((8, 2)), np.ones(8), verbose=0)
    twin = copy_network(network)
    assert int(twin.optimizer.iterations) == int(network.optimizer.iterations) == 1
    for one in (network, twin):
        one.fit(np.ones((8, 2)), np.ones(8), verbose=0, shuffle=False)
    for a, b in zip(network.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_network_without_a_configuration_is_refused():
    class Opaque(keras.Model):
        def __init__(self, thing):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.thing = thing

        def call(self, inputs):
            return self.dense(inputs)

    network = Opaque(object())
    network(np.ones((1, 2)))
    with pytest.raises(TypeError, match="get_config"):
        copy_network(network)


def test_a_network_that_cannot_be_copied_is_trained_as_it_is(abalone):
    class Opaque(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.thing = units

        def call(self, inputs):
            return self.dense(inputs)

        def get_config(self):
            raise NotImplementedError

    X, y = abalone
    network = Opaque(3)
    model = WeightedKerasClassifier(network, epochs=1, random_state=0).fit(X, y)
    assert model.model_ is network
    assert model.predict_proba(X).shape == (len(y), 2)


def test_encoders_that_hold_functions_travel(abalone):
    X, y = abalone
    model = Halved(epochs=1, random_state=0).fit(X, y)
    assert isinstance(model.feature_encoder_, FunctionTransformer)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_a_loss_function_of_the_users_travels_and_trains_on(abalone):
    def own_loss(y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    X, y = abalone
    model = WeightedKerasClassifier(
        local_network(), loss=own_loss, epochs=1, warm_start=True, random_state=0
    )
    twin = pickle.loads(pickle.dumps(model.fit(X, y)))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(
        twin.partial_fit(X, y).predict_proba(X), model.partial_fit(X, y).predict_proba(X)
    )
