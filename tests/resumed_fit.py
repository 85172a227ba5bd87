"""One fit of `test_checkpoint.py`, in a process of its own that can be killed."""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np

from wbce import WeightedKerasClassifier
from wbce.training import _checkpoint, _epochs, _parts

generator = np.random.default_rng(0)
X = generator.normal(size=(90, 3)).astype("float32")
Y = (X[:, 0] + generator.normal(size=90) > 0.9).astype(int)
X_VAL = generator.normal(size=(80, 3)).astype("float32")
Y_VAL = (X_VAL[:, 0] + generator.normal(size=80) > 0.9).astype(int)
layers, schedules = keras.layers, keras.optimizers.schedules


def dropout(meta):
    return keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(8, "relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            layers.Dense(1),
        ]
    )


class Squares(layers.Layer):
    def call(self, inputs):
        return inputs * inputs


def users(meta):
    return keras.Sequential([keras.Input((3,)), Squares(), layers.Dropout(0.3), layers.Dense(1)])


ENSEMBLE = {"model": "ensemble", "model__n_members": 4, "model__hidden_layer_sizes": (8,)}
FITS = {
    "ensemble": ENSEMBLE,
    "ensemble in two parts": {**ENSEMBLE, "parts": True},
    "ensemble to the end": {**ENSEMBLE, "early_stopping": False, "parts": True},
    "mlp": {"model": "mlp", "threshold": "auto"},
    "mlp to the end": {"model": "mlp", "early_stopping": False},
    "dropout": {"model": dropout, "n_iter_no_change": 4},
    "a layer of the user's": {"model": users, "early_stopping": False, "optimizer": "rmsprop"},
    "schedule": {
        "model": dropout,
        "early_stopping": False,
        "optimizer": "sgd",
        "optimizer__momentum": 0.9,
        "optimizer__learning_rate": schedules.CosineDecay(0.1, 60),
    },
    "moving average": {"model": dropout, "early_stopping": False, "optimizer__use_ema": True},
    "deferral": {"model": "mlp", "loss": "ldam", "loss__deferral": 0.5},
    "out of fold": {"model": "mlp", "threshold": "auto", "threshold_cv": 3},
}


def estimator(name, folder):
    parameters = {"epochs": 12, "class_weight": "balanced", "random_state": 0, **FITS[name]}
    if parameters.pop("parts", False):
        _parts._WORTH_DIVIDING = 0
    return WeightedKerasClassifier(checkpoint=folder, **parameters)


def fitted(name, folder):
    """What a fit ends with, as bytes that are equal for equal fits."""
    _checkpoint.SECONDS_BETWEEN = 0
    _epochs._STEPS_AT_ONCE = 9  # three epochs
    model = estimator(name, folder)
    passed = {} if "ensemble" in name or "fold" in name else {"X_val": X_VAL, "y_val": Y_VAL}
    model.fit(X, Y, **passed)
    arrays = [*model.model_.get_weights(), model.predict_proba(X), np.array(model.threshold_)]
    said = [dict(model.history_), model.n_iter_, model.best_epoch_, model.stopped_by_]
    return b"".join([repr(said).encode(), *(array.tobytes() for array in arrays)])


def kill_after(n_files):
    """Kill this process when it has written so many files."""
    write = _checkpoint.Checkpoint.write
    written = []

    def counted(self, progress):
        write(self, progress)
        written.append(self.path)
        if len(written) == n_files:
            os.kill(os.getpid(), signal.SIGKILL)

    _checkpoint.Checkpoint.write = counted


if __name__ == "__main__":
    name, folder, n_files = sys.argv[1:]
    kill_after(int(n_files))
    Path(folder, "result").write_bytes(fitted(name, folder))
