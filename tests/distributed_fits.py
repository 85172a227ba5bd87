"""The fits of `test_distribute.py`; run as a script, one worker of those in TF_CONFIG.

Arguments are a folder, and what becomes of this worker: "all", "killed" or "resumed"; "mirrored"
is a process by itself, with two devices.
"""

import json
import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from wbce import WeightedKerasClassifier
from wbce.training import _checkpoint, _compiled, _distributed, _epochs

generator = np.random.default_rng(0)
X = generator.normal(size=(97, 3)).astype("float32")
Y = (X[:, 0] + generator.normal(size=97) > 0.9).astype(int)
WEIGHT = generator.uniform(0.5, 2, size=97)
X_VAL = generator.normal(size=(80, 3)).astype("float32")
Y_VAL = (X_VAL[:, 0] + generator.normal(size=80) > 0.9).astype(int)
MEMBERS = {"model__n_members": 4, "model__hidden_layer_sizes": (8,)}


def normalised(meta):
    batch_norm = keras.layers.BatchNormalization(momentum=0.5)
    return keras.Sequential([keras.Input((3,)), batch_norm, keras.layers.Dense(1)])


FITS = {
    # Of 15 rows a replica has 7, another 8.
    "mlp": {"model": "mlp", "threshold": "auto", "optimizer__clipnorm": 0.1, "batch_size": 15},
    # Of 16 rows each has 8, but the last step has a single row, and one replica none.
    "momentum": {"model": "linear", "optimizer": "sgd", "optimizer__momentum": 0.9},
    "ensemble": {**MEMBERS, "threshold": "auto", "threshold_cv": False},
    "to be killed": {"model": "mlp", "early_stopping": False, "epochs": 9},
}


def fitted(name, distribute, checkpoint=None):
    parameters = {"epochs": 4, "batch_size": 16, "class_weight": "balanced", "random_state": 0}
    parameters |= FITS[name]
    model = WeightedKerasClassifier(distribute=distribute, checkpoint=checkpoint, **parameters)
    judging = {} if name == "ensemble" else {"X_val": X_VAL, "y_val": Y_VAL}
    return model.fit(X, Y, sample_weight=WEIGHT, **judging)


def result(model):
    """All that workers must agree on."""
    history = {f"history {k}": np.array(v) for k, v in model.history_.items()}
    weights = {f"weights {i}": w for i, w in enumerate(model.model_.get_weights())}
    numbers = [model.threshold_, model.n_iter_, model.best_epoch_]
    return {"proba": model.predict_proba(X), "numbers": np.array(numbers), **history, **weights}


def message(fit):
    try:
        fit()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def refusals(own):
    """What two workers, or one, are told of fits that cannot be divided."""

    def clf(**parameters):
        return WeightedKerasClassifier(
            "linear", distribute="multi_worker", epochs=1, **{"random_state": 0, **parameters}
        )

    other = X.copy()
    other[5, 1] += own
    return {
        "other rows": message(lambda: clf().fit(other, Y)),
        "other seeds": message(lambda: clf(random_state=own).fit(X, Y)),
        "no seed": message(lambda: clf(random_state=None).fit(X, Y)),
        "a loss of batches": message(
            lambda: clf(loss="tversky").fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
        ),
        "metrics": message(lambda: clf(metrics=["accuracy"]).fit(X, Y)),
        "a sum": message(lambda: clf(loss__reduction="sum").fit(X, Y)),
        "parts": message(lambda: clf().partial_fit(X, Y)),
    }


def mirrored():
    """On two devices of this process, and what each found in its rows."""
    model = WeightedKerasClassifier(
        normalised,
        distribute="mirrored",
        early_stopping=False,
        epochs=2,
        batch_size=32,
        shuffle=False,
        random_state=0,
    ).fit(X[:64], Y[:64])
    means, variances = model.model_.layers[0].get_weights()[2:]
    found = result(fitted("ensemble", "mirrored"))
    n_replicas = np.array(_distributed.replicas_of("mirrored").n_replicas)
    return {**found, "means": means, "variances": variances, "n_replicas": n_replicas}


def on_two_devices():
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def dying(n_calls):
    """Have this process killed at a call, while the others wait amid its first step."""
    run, calls = _compiled.CompiledTraining.run, []

    def counted(self, order):
        calls.append(order)
        if len(calls) == n_calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return run(self, order)

    _compiled.CompiledTraining.run = counted


def main(folder, becomes):
    folder = Path(folder)
    if becomes == "mirrored":
        on_two_devices()
        np.savez(folder / "mirrored", **mirrored())
        return
    own = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    found, told = {}, {}
    if becomes == "all":
        for name in FITS:
            found |= {f"{name}/{k}": v for k, v in result(fitted(name, "multi_worker")).items()}
        told = refusals(own)
    else:
        _checkpoint.SECONDS_BETWEEN, _epochs._STEPS_AT_ONCE = 0, 21  # three epochs a call
        if becomes == "killed" and own == 0:
            dying(2)
        files = folder / f"files of {own}"
        told = message(lambda: found.update(result(fitted("to be killed", "multi_worker", files))))
    np.savez(folder / f"{becomes} {own}", **found)
    (folder / f"{becomes} {own}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
