"""Fits that share a compiled training: in one process, in another, and side by side."""

import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from joblib import parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from wbce import WeightedKerasClassifier, set_trace_cache_size
from wbce.tracing import traces


def builder(meta, units=8):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(units, "relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


def clf(**parameters):
    defaults = {"model": builder, "loss": "focal", "epochs": 4, "random_state": 0}
    return WeightedKerasClassifier(**{**defaults, **parameters})


def test_a_search_traces_once(cancer):
    X, y = cancer
    set_trace_cache_size(0)
    set_trace_cache_size(64)
    grid = {
        "pos_weight": [1.0, 5.0],
        "gamma": [0.0, 2.0],
        "optimizer__learning_rate": [0.01, 0.1],
        "batch_size": [32, 64],
    }
    GridSearchCV(clf(early_stopping=False), grid, cv=2, scoring="average_precision").fit(X, y)
    assert len(traces) == 1


def test_a_fit_on_a_reused_trace_is_the_same_in_a_new_process(cancer, tmp_path):
    X, y = cancer
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    clf(gamma=1.0, pos_weight=3.0, random_state=5, batch_size=16).fit(X[::2], y[::2])
    here = clf(random_state=1).fit(X, y).predict_proba(X)
    script = (
        "import sys, numpy as np\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from test_reuse import clf\n"
        "rows = np.load(sys.argv[2])\n"
        "X, y = rows['X'], rows['y']\n"
        "np.save(sys.argv[3], clf(random_state=1).fit(X, y).predict_proba(X))\n"
    )
    here_tests = str(__file__).rpartition("/")[0]
    files = [str(tmp_path / name) for name in ("rows.npz", "there.npy")]
    subprocess.run([sys.executable, "-c", script, here_tests, *files], check=True)
    np.testing.assert_array_equal(np.load(files[1]), here)


def in_threads(functions):
    results, errors = [None] * len(functions), []

    def run(i):
        try:
            results[i] = functions[i]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    return results


@pytest.mark.parametrize("plain", [True, False])
def test_two_threads_fit_while_eight_predict(cancer, plain):
    X, y = cancer
    options = {} if plain else {"model": lambda meta: keras.Sequential(
        [keras.Input((meta["n_features_in_"],)), keras.layers.LayerNormalization(),
         keras.layers.Dense(1)]
    )}  # fmt: skip
    fitted = clf(**options).fit(X, y)
    expected = fitted.predict_proba(X)
    models = [clf(random_state=seed, **options) for seed in (1, 2)]
    alone = [clone(model).fit(X, y).predict_proba(X) for model in models]

    def predict():
        return all((fitted.predict_proba(X) == expected).all() for _ in range(30))

    fits = [lambda model=model: model.fit(X, y).predict_proba(X) for model in models]
    first, second, *all_right = in_threads([*fits, *[predict] * 8])
    np.testing.assert_array_equal(first, alone[0])
    np.testing.assert_array_equal(second, alone[1])
    assert all(all_right)


def test_threads_trace_side_by_side(cancer):
    X, y = cancer
    models = [clf(model__units=units) for units in (5, 6, 7, 5, 6, 7)]
    alone = [clone(model).fit(X, y).predict_proba(X) for model in models]
    set_trace_cache_size(0)
    set_trace_cache_size(64)
    fits = [lambda model=model: model.fit(X, y).predict_proba(X) for model in models]
    for one, other in zip(in_threads(fits), alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_search_in_threads_is_the_same(cancer):
    X, y = cancer
    search = GridSearchCV(clf(), {"pos_weight": [1.0, 5.0, 25.0]}, cv=2, scoring="neg_log_loss")
    serial = clone(search).fit(X, y).cv_results_["mean_test_score"]
    with parallel_config("threading", n_jobs=2):
        np.testing.assert_array_equal(
            clone(search).fit(X, y).cv_results_["mean_test_score"], serial
        )


@pytest.mark.parametrize("validation", [{}, {"early_stopping": False}])
def test_keras_fit_and_ours_agree_from_end_to_end(cancer, validation):
    """Metrics, which only Keras' fit knows, change nothing but the way."""
    X, y = cancer
    options = {
        "shuffle": False, "class_weight": "balanced", "optimizer": "sgd", "epochs": 12,
        "n_iter_no_change": 3, "threshold": None if validation else "auto", **validation,
    }  # fmt: skip
    ours, keras_way = clf(**options).fit(X, y), clf(metrics=["accuracy"], **options).fit(X, y)
    assert "accuracy" in keras_way.history_
    assert "accuracy" not in ours.history_
    assert ours.best_epoch_ == keras_way.best_epoch_
    assert ours.threshold_ == pytest.approx(keras_way.threshold_, rel=1e-3)
    np.testing.assert_allclose(ours.history_["loss"], keras_way.history_["loss"], rtol=1e-3)
    np.testing.assert_allclose(
        ours.predict_proba(X), keras_way.predict_proba(X), rtol=5e-3, atol=1e-5
    )


def test_networks_of_later_fits_have_the_same_names(cancer):
    X, y = cancer
    first, second = (clf(random_state=seed).fit(X, y).model_ for seed in (0, 1))
    assert [v.path for v in first.variables] == [v.path for v in second.variables]
    head = keras.layers.Dense(1)(first.outputs[0])
    assert keras.Model(first.inputs, head).count_params() > first.count_params()


def test_layers_made_before_may_be_part_of_a_network(cancer):
    X, y = cancer
    clf().fit(X, y)
    kept = keras.layers.Dense(8, "relu")

    def on_top(meta):
        inputs = keras.Input((meta["n_features_in_"],))
        x = kept(inputs)
        for _ in range(20):  # sooner or later one has the name of the layer kept
            x = keras.layers.Dense(8, "relu")(x)
        return keras.Model(inputs, keras.layers.Dense(1)(x))

    assert clf(model=on_top, epochs=1).fit(X, y).predict(X).shape == y.shape


def test_fitted_networks_may_be_joined_under_names_of_their_own(cancer):
    X, y = cancer
    first, second = (clf(random_state=seed).fit(X, y).model_ for seed in (0, 1))
    first.name, second.name = "first", "second"
    inputs = keras.Input(first.inputs[0].shape[1:])
    joined = keras.Model(inputs, keras.layers.Average()([first(inputs), second(inputs)]))
    each = [model.predict(X[:9], verbose=0) for model in (first, second)]
    np.testing.assert_allclose(
        joined.predict(X[:9], verbose=0), np.mean(each, axis=0), rtol=1e-5, atol=1e-7
    )


def test_the_users_thread_settings_are_left_alone(cancer):
    before = tf.config.threading.get_intra_op_parallelism_threads()
    clf().fit(*cancer)
    assert tf.config.threading.get_intra_op_parallelism_threads() == before
