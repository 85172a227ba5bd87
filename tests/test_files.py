"""save and load: the same predictions, no code, and an error for whatever does not fit."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile

import keras
import numpy as np
import pandas as pd
import pytest

from wbce import ArchiveError, WeightedKerasClassifier, load
from wbce._archive import read_archive, write_archive
from wbce.inference import checked_chain
from wbce.persistence import MissingFunction, check_outputs


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Dense):
    def call(self, inputs):
        return 2 * super().call(inputs)


@keras.saving.register_keras_serializable("tests")
class RegisteredLoss(keras.losses.BinaryCrossentropy):
    pass


@keras.saving.register_keras_serializable("tests")
def registered_network(meta):
    inputs = keras.Input((meta["n_features_in_"],))
    return keras.Model(inputs, keras.layers.Dense(1)(Doubled(3)(inputs)))


def convolution(meta):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            layers.Reshape((-1, 1)),
            layers.Conv1D(2, 3, activation="relu"),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(1, "sigmoid"),
        ]
    )


def clf(**parameters):
    return WeightedKerasClassifier(
        **{"model": "mlp", "epochs": 2, "random_state": 0, "validation_split": 0.2, **parameters}
    )


def frame(X):
    columns = {"x": X[:, 0], "kind": pd.Categorical(np.where(X[:, 1] > 0.3, "a", "b"))}
    return pd.DataFrame({**columns, "known": X[:, 2] > 0.1, "offset": X[:, 3] + 1e9})


KINDS = {
    "ensemble": {"model": None, "model__n_members": 2, "threshold": "auto"},
    "weights and a constraint": {
        "class_weight": "balanced",
        "threshold": "auto",
        "threshold_objective": {"min_recall": 0.5},
    },
    "focal, calibrated": {"loss": "focal", "gamma": 1.5, "calibrate": "isotonic"},
    "ranks": {"loss": "smooth_ap"},
    "a loss of Keras": {"loss": "mse"},
    "instances": {
        "loss": keras.losses.BinaryCrossentropy(label_smoothing=0.01),
        "optimizer": keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 100)),
        "random_state": np.random.RandomState(3),
    },
    "costs": {"cost_matrix": np.array([[0.0, 1.0], [9.0, 0.0]])},
    "a prior": {"prior": 0.01, "threshold": 0.02},
    "a network of the user's": {"model": convolution},
    "registered": {"model": registered_network, "loss": RegisteredLoss()},
    "warm": {"warm_start": True},
    "linear": {"model": "linear", "early_stopping": False, "alpha": 0.9},
}


@pytest.fixture(scope="module")
def fitted(abalone, iris):
    X, y = abalone
    models = {name: (clf(**parameters).fit(X, y), X) for name, parameters in KINDS.items()}
    labels = np.where(y == 1, "fraud", "legit")
    models["text labels, frame"] = clf().fit(frame(X), labels), frame(X)
    models["more classes"] = clf(threshold="auto", loss="focal").fit(*iris), iris[0]
    several = np.stack([y, X[:, 0] > np.median(X[:, 0])], axis=1).astype(int)
    models["labels"] = clf(threshold="auto").fit(X, several), X
    models["parts"] = WeightedKerasClassifier("mlp", random_state=0).partial_fit(X, y), X
    return models


ALL = [*KINDS, "text labels, frame", "more classes", "labels", "parts"]


@pytest.mark.parametrize("kind", ALL)
def test_what_is_loaded_predicts_the_same(fitted, tmp_path, kind):
    model, X = fitted[kind]
    model.save(tmp_path / "model.wbce")
    twin = load(tmp_path / "model.wbce")
    twin.save(tmp_path / "again.wbce")  # before Keras has built anything
    assert (tmp_path / "again.wbce").read_bytes() == (tmp_path / "model.wbce").read_bytes()
    for method in ("predict", "predict_proba", "decision_function", "predict_log_proba"):
        np.testing.assert_array_equal(getattr(twin, method)(X), getattr(model, method)(X))
    assert twin.predict(X).dtype == model.predict(X).dtype
    assert twin.history_ == model.history_
    if hasattr(model, "threshold_curve_"):
        np.testing.assert_equal(twin.threshold_score_, model.threshold_score_)
        np.testing.assert_equal(twin.threshold_interval_, model.threshold_interval_)
    np.testing.assert_array_equal(
        np.concatenate([w.ravel() for w in twin.model_.get_weights()]),
        np.concatenate([w.ravel() for w in model.model_.get_weights()]),
    )
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("kind", ["weights and a constraint", "focal, calibrated", "instances"])
def test_what_is_loaded_fits_the_same(fitted, abalone, tmp_path, kind):
    model, _ = fitted[kind]
    model.save(tmp_path / "model.wbce")
    twin = load(tmp_path / "model.wbce").fit(*abalone)
    np.testing.assert_array_equal(twin.predict_proba(abalone[0]), model.predict_proba(abalone[0]))


def test_training_goes_on_where_it_was(abalone, tmp_path):
    X, y = abalone
    model = WeightedKerasClassifier("mlp", random_state=0).partial_fit(X, y)
    model.save(tmp_path / "model.wbce")
    twin = load(tmp_path / "model.wbce").partial_fit(X, y)
    np.testing.assert_array_equal(twin.predict_proba(X), model.partial_fit(X, y).predict_proba(X))


def test_one_that_was_not_fitted(tmp_path):
    model = WeightedKerasClassifier(gamma=3, class_weight={0: 1, 1: 5}, model__n_members=4)
    model.save(tmp_path / "model.wbce")
    assert load(tmp_path / "model.wbce").get_params() == model.get_params()


def test_a_function_that_is_not_in_the_file_is_said_when_it_is_needed(fitted, abalone, tmp_path):
    model, X = fitted["a network of the user's"]
    model.save(tmp_path / "model.wbce")
    twin = load(tmp_path / "model.wbce")
    assert isinstance(twin.model, MissingFunction)
    with pytest.raises(
        RuntimeError, match=r"'convolution' of module .* pass the function with set"
    ):
        twin.fit(*abalone)
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    twin.save(tmp_path / "again.wbce")
    again = pickle.loads(pickle.dumps(load(tmp_path / "again.wbce")))
    assert "convolution" in repr(again.model)


# ---------------------------------------------------------------------- what is not saved


class NotRegistered(keras.layers.Dense):
    pass


class OwnLoss(keras.losses.BinaryCrossentropy):
    pass


def network_with(layer):
    return keras.Sequential([keras.Input((9,)), layer, keras.layers.Dense(1)])


REFUSED = {
    "a Lambda layer": (
        lambda: {"model": lambda meta: network_with(keras.layers.Lambda(lambda x: 2 * x))},
        r"The network model_.*'keras.layers.Lambda', code.*register_keras_serializable",
    ),
    "a class that is not registered": (
        lambda: {"model": lambda meta: network_with(NotRegistered(3))},
        r"NotRegistered'.*register_keras_serializable\(\)",
    ),
    "a loss that is not registered": (
        lambda: {"loss": OwnLoss()},
        r"OwnLoss.*register_keras_serializable\(\)",
    ),
    "callbacks": (
        lambda: {"callbacks": [keras.callbacks.TerminateOnNaN()]},
        r"callbacks has .*TerminateOnNaN.*Set it to None for the file",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_code_is_refused(abalone, tmp_path, case):
    parameters, message = REFUSED[case]
    model = clf(**{"epochs": 1, **parameters()}).fit(*abalone)
    (tmp_path / "model.wbce").write_text("the old one")
    with pytest.raises(TypeError, match=message):
        model.save(tmp_path / "model.wbce")
    assert (tmp_path / "model.wbce").read_text() == "the old one"
    assert os.listdir(tmp_path) == ["model.wbce"]


# ---------------------------------------------------------------------- what is not loaded


@pytest.fixture
def path(fitted, tmp_path):
    fitted["weights and a constraint"][0].save(tmp_path / "model.wbce")
    return tmp_path / "model.wbce"


@pytest.fixture
def convolution_path(fitted, tmp_path):
    fitted["a network of the user's"][0].save(tmp_path / "convolution.wbce")
    return tmp_path / "convolution.wbce"


def set_at(document, value, *way):
    for step in way[:-1]:
        document = document[step]
    document[way[-1]] = value


def changed(*way, to):
    return lambda document, arrays: set_at(document["attributes"], to, *way)


def lambda_layer():
    config = keras.saving.serialize_keras_object(keras.layers.Lambda(lambda x: x))
    return json.loads(json.dumps(config))


def keras_object(module, name, **config):
    parts = {"module": f"keras.{module}", "class_name": name, "registered_name": None}
    return {"$": "keras", "config": {**parts, "config": config}}


def nested(depth):
    return [nested(depth - 1)] if depth else []


def no_columns():
    return {"names": ["a"], "categorical": [], "n_categories": [10**9], "_codes": {}}


def set_generator(document, arrays, place):
    arrays.append(np.arange(624, dtype=np.uint32))
    key = {"$": "array", "at": len(arrays) - 1}
    state = {"$": "random state", "state": ["MT19937", key, place, 0, 0.0]}
    document["attributes"]["random_state"] = state


CHANGES = {
    "a later form": (lambda d, _: d.update(wbce_form=2), r"in form 2.*pip install --upgrade"),
    "no form": (lambda d, _: d.pop("wbce_form"), "not the state of a WeightedKerasClassifier"),
    "a list": (lambda d, _: d.update(attributes=[]), "not the state"),
    "NaN among the weights": (lambda _, arrays: set_nan(arrays), "no numbers"),
    "other shapes": (lambda _, arrays: drop_columns(arrays), "does not fit"),
    "an array that is not there": (
        changed("model_", "variables", 0, to={"$": "array", "at": 99}),
        "names the array 99",
    ),
    "a negative array": (
        changed("model_", "variables", 0, to={"$": "array", "at": -1}),
        "names the array -1",
    ),
    "an unknown kind": (changed("_posterior", "$", to="subprocess"), "'subprocess'"),
    "an unknown class": (
        changed("_posterior", "state", "loss", "config", "registered_name", to="os>system"),
        "register_keras_serializable",
    ),
    "an unknown step": (changed("model_", "chain", "steps", 0, "op", to="eval"), "eval"),
    "more outputs": (changed("model_", "chain", "n_outputs", to=5), "ends with 1 columns, not 5"),
    "other classes": (changed("classes_", to=[0, 1, 2]), "classes or columns"),
    "other columns": (
        changed("X_shape_", to={"$": "tuple", "items": [9, 3]}),
        "classes or columns",
    ),
    "a huge row": (
        changed("_output", "items", 0, to={"$": "zeros", "shape": [1, 10**12], "dtype": "<f8"}),
        "too large",
    ),
    "huge text": (
        changed("classes_", to={"$": "items", "shape": [1], "items": ["a"], "dtype": "<U99999999"}),
        "too large",
    ),
    "no cut": (changed("_cut", to=None), "cannot be loaded"),
    "NaN as cut": (
        changed("_cut", "state", "log_odds", to={"$": "number", "text": "nan"}),
        "do not fit together",
    ),
    "a wrong parameter": (changed("gamma", to=-1), "gamma=-1"),
    "a parameter of another type": (changed("threshold", to={}), "threshold"),
    "a random state that reads beyond its end": (
        lambda d, arrays: set_generator(d, arrays, 10**7),
        "624 numbers at 10000000",
    ),
    "texts of any width": (
        changed("y_dtype_", to={"$": "dtype", "name": "<U99999999"}),
        "too large",
    ),
    "records": (changed("y_dtype_", to={"$": "dtype", "name": "i4,i4"}), "not read from a file"),
    "nothing, of any size": (
        changed("metrics", to={"$": "scalar", "dtype": "|V0", "value": 2**30}),
        "not read from a file",
    ),
    "zeros upon zeros": (
        changed("metrics", to=[{"$": "zeros", "dtype": "|u1", "shape": [2**22]}] * 90),
        "too large",
    ),
    "an array named twice": (
        changed("metrics", to=[{"$": "array", "at": 0}]),
        "names the array 0 twice",
    ),
    "lists in lists": (changed("metrics", to=nested(200)), "nested more than 100 deep"),
    "a layer that is no network's": (
        changed("metrics", to=keras_object("layers", "Dense", units=1, build_config=[None, 9])),
        "'keras.layers.Dense'",
    ),
    "what is neither loss nor metric": (
        changed("metrics", to=keras_object("random", "SeedGenerator", seed=1)),
        "SeedGenerator is no loss, metric, optimizer or function",
    ),
    "a metric that holds a matrix": (
        changed("metrics", to=keras_object("metrics", "MeanIoU", num_classes=10**5)),
        "'keras.metrics.MeanIoU'",
    ),
    "a metric of a trillion thresholds": (
        changed("metrics", to=keras_object("metrics", "AUC", num_thresholds=10**12)),
        "num_thresholds=1000000000000, which is too large",
    ),
    "another network, in a list": (changed("metrics", to=[{"$": "network"}]), "has the parts"),
    "callbacks": (changed("callbacks", to=[None]), r"callbacks=\[None\] is not allowed"),
    "a method of a part covered up": (
        changed("_posterior", "state", "log_odds", to=1),
        r"in place of the methods \['log_odds'\]",
    ),
    "columns of no frame": (
        changed("_frame_columns", to={"$": "frame columns", "state": no_columns()}),
        "columns of a frame do not fit together",
    ),
    "names for other columns": (
        changed("feature_names_in_", to={"$": "items", "dtype": "|O", "shape": [0], "items": []}),
        "more or fewer names",
    ),
    "labels of no type": (changed("y_dtype_", to=None), "no types"),
    "a method covered up": (changed("predict", to=None), r"in place of the methods \['predict'\]"),
}


def set_nan(arrays):
    largest = max(arrays, key=lambda array: array.size)
    largest.flat[3] = np.nan


def drop_columns(arrays):
    i = int(np.argmax([array.size for array in arrays]))
    arrays[i] = arrays[i][:, :-1]


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_file(path, case):
    change, message = CHANGES[case]
    document, arrays = read_archive(path)
    change(document, arrays)
    write_archive(path, document, arrays)
    with pytest.raises(ArchiveError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value) or "form 2" in message or "state of" in message


def layers_of(document):
    return document["attributes"]["model_"]["configs"]["network"]["config"]["layers"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda layers: layers.insert(1, lambda_layer()), "Lambda"),
        (lambda layers: layers[2].update(module="os", class_name="system"), "os.system"),
        (lambda layers: layers[2].update(module="keras.utils", class_name="get_file"), "get_file"),
        (lambda layers: layers[2].update(registered_name="tests>None"), "tests>None"),
        (lambda layers: layers[2].update(class_name="TFSMLayer"), "TFSMLayer"),
        (lambda layers: layers[2]["config"].update(filters=10**9), "filters=1000000000"),
        (lambda layers: layers[2]["config"].update(filters=10**5), "cannot be loaded"),
        (lambda layers: layers[2]["config"].update(filters=-1), "cannot be loaded"),
        (lambda layers: layers.pop(), "cannot be loaded"),
        (lambda layers: layers.insert(1, without_module("TFSMLayer")), "wbce>InputColumns"),
        (lambda layers: layers.insert(1, without_module("Lambda")), "wbce>InputColumns"),
        (lambda layers: layers.insert(1, without_module("InputColumns")), "wbce>InputColumns"),
        (lambda layers: layers[2].update(hidden_code()), "wbce>InputColumns"),
        (lambda layers: layers[2]["config"].update(name=array("U999999999")), "U999999999"),
        (lambda layers: layers[2].update(inbound_nodes=[array("float32")]), "where none is"),
        (lambda layers: layers[2]["config"].update(activation="wbce>Focal"), "names a class"),
        (lambda layers: layers.__setitem__(slice(2, 2), layers_of_a_bomb()), "numbers of one row"),
    ],
)
def test_a_changed_network(convolution_path, change, message):
    document, arrays = read_archive(convolution_path)
    change(layers_of(document))
    write_archive(convolution_path, document, arrays)
    with pytest.raises(ArchiveError, match=message):
        load(convolution_path)


def without_module(name):
    """By the name alone, as Keras wrote it before version 3: then it asks for no registered one."""
    return {"class_name": name, "registered_name": "wbce>InputColumns", "config": {}}


def hidden_code():
    """Keras reads this as code before it looks for the registered name."""
    code = {"class_name": "__lambda__", "config": {"value": ""}, "module": "wbce.networks._inputs"}
    return {"noise": {**code, "registered_name": "wbce>InputColumns"}}


def array(dtype):
    return {"class_name": "__numpy__", "config": {"value": [0], "dtype": dtype}}


def layers_of_a_bomb():
    """A row made a million times as long, and as short again."""
    parts = {"module": "keras.layers", "registered_name": None}
    return [
        {**parts, "class_name": "UpSampling1D", "config": {"size": 2**20}},
        {**parts, "class_name": "MaxPooling1D", "config": {"pool_size": 2**20}},
    ]


def test_code_is_refused_where_keras_would_run_it(convolution_path):
    """By whoever has said, for files of their own, that Keras may."""
    document, arrays = read_archive(convolution_path)
    layers_of(document)[2].update(hidden_code())
    write_archive(convolution_path, document, arrays)
    with keras.src.saving.serialization_lib.SafeModeScope(False), pytest.raises(ArchiveError):
        load(convolution_path)


def test_a_traced_network_may_not_be_much_larger_than_its_weights(convolution_path, monkeypatch):
    monkeypatch.setattr("wbce.files.numbers_allowed", lambda n_weights: 10)
    with pytest.raises(ArchiveError, match=r"makes \d+ numbers of a row"):
        load(convolution_path)


def test_a_long_sequence_is_not_unrolled():
    layers = keras.layers
    for steps in (1000, 2000):
        inputs = keras.Input((steps, 1))
        network = keras.Model(inputs, layers.SimpleRNN(1, unroll=True)(inputs))
        if steps == 1000:
            check_outputs(network, 0)
        else:
            with pytest.raises(ValueError, match="unrolls more than 1024 steps"):
                check_outputs(network, 0)


def test_columns_are_not_made_of_empty_weights():
    """A kernel of no units takes no room in a file, and as many columns as it says."""
    variables = [np.zeros((10**12, 0), np.float32), np.zeros((0, 1), np.float32)]
    steps = [
        {"op": "dense", "activation": "linear", "variables": [0]},
        {"op": "dense", "activation": "linear", "variables": [1]},
    ]
    chain = {"steps": steps, "ends_in": "sigmoid", "n_inputs": 10**12, "n_outputs": 1}
    with pytest.raises(ValueError, match="step 1"):
        checked_chain(chain, variables)


def test_a_network_that_is_not_the_one_described_is_not_built(path):
    """It would be called in place of the described one from then on."""
    document, arrays = read_archive(path)
    layers_of(document)[-1]["config"]["activation"] = "hard_sigmoid"
    write_archive(path, document, arrays)
    with pytest.raises(ValueError, match="another one than its description says"):
        _ = load(path).model_


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_a_probability_that_is_no_number_is_an_error(abalone, path, method):
    model = load(path)
    model._posterior._shift = np.nan
    with pytest.raises(ValueError, match=r"for 5 of 5 rows is no number \(NaN\)"):
        getattr(model, method)(abalone[0][:5])


def test_a_state_of_skops_takes_no_more_memory_than_it_may(path):
    state = load(path).__getstate__()
    zeros = {"$": "zeros", "dtype": "|u1", "shape": [2**22]}
    state["attributes"]["metrics"] = [zeros] * 90
    with pytest.raises(ValueError, match="too large"):
        object.__new__(WeightedKerasClassifier).__setstate__(state)


def test_a_described_network_of_skops_is_checked(path, abalone):
    state = load(path).__getstate__()
    state["attributes"]["model_"]["chain"]["steps"][1]["variables"] = [99]
    model = object.__new__(WeightedKerasClassifier)
    model.__setstate__(state)
    with pytest.raises(ValueError, match="step 2 of the network does not fit"):
        model.predict(abalone[0])


def test_a_pickle_is_not_loaded(tmp_path):
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(WeightedKerasClassifier()))
    with pytest.raises(ArchiveError, match="no file of this package"):
        load(tmp_path / "model.pkl")


def test_a_file_of_another_archive_is_not_loaded(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("document.json", "{}")
    with pytest.raises(ArchiveError, match="not the state"):
        load(path)


_SAVES_FOREVER = """
import sys
from wbce import load
model = load(sys.argv[1])
print("begun", flush=True)
while True:
    model.save(sys.argv[1])
"""


def test_a_kill_while_saving_leaves_a_whole_file(path):
    expected = load(path).predict_proba(np.ones((3, 9)))
    for delay in (0.02, 0.1):
        process = subprocess.Popen(
            [sys.executable, "-c", _SAVES_FOREVER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "begun\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        np.testing.assert_array_equal(load(path).predict_proba(np.ones((3, 9))), expected)
