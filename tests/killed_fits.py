"""The fits of `test_checkpoint.py`; run as a script, in a process that is killed amid all of them.

Each fit stops where it has written its file so many times, and when all have, the process dies.
"""

import os
import signal
import sys
import threading

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


def ensemble(n_members):
    return {"model__n_members": n_members, "model__hidden_layer_sizes": (8,)}


FITS = {
    "ensemble in two parts": {
        **ensemble(4),
        "threshold": "auto",
        "optimizer__learning_rate": 0.1,  # the best epochs come before the kill
    },
    "ensemble to the end": {**ensemble(3), "early_stopping": False},
    "mlp": {
        "model": "mlp",
        "threshold": "auto",
        "n_iter_no_change": 4,
        "optimizer__learning_rate": 0.3,
    },
    "moving average": {"model": "mlp", "early_stopping": False, "optimizer__use_ema": True},
    "dropout": {"model": dropout, "optimizer__learning_rate": 0.01},
    "schedule": {
        "model": dropout,
        "early_stopping": False,
        "optimizer": "sgd",
        "optimizer__momentum": 0.9,
        "optimizer__learning_rate": schedules.CosineDecay(0.1, 60),
    },
    "deferral": {"model": "mlp", "loss": "ldam", "loss__deferral": 0.5},
    "out of fold": {"model": "mlp", "threshold": "auto", "threshold_cv": 3},
    "a layer of the user's": {"model": users, "early_stopping": False, "optimizer": "rmsprop"},
}


def in_haste(set_attribute=setattr):
    """Write after every call, of at most three epochs; divide members of small networks too."""
    set_attribute(_checkpoint, "SECONDS_BETWEEN", 0)
    set_attribute(_epochs, "_STEPS_AT_ONCE", 9)
    set_attribute(_parts, "_WORTH_DIVIDING", 0)


def fitted(name, folder):
    parameters = {"epochs": 12, "class_weight": "balanced", "random_state": 0, **FITS[name]}
    model = WeightedKerasClassifier(checkpoint=folder, **parameters)
    if model.model is None or model.threshold_cv is not None:
        return model.fit(X, Y)
    return model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)


def main(folder, n_files):
    in_haste()
    write, here, arrived = _checkpoint.Checkpoint.write, threading.local(), threading.Semaphore(0)

    def counted(self, progress):
        write(self, progress)
        here.n_files = getattr(here, "n_files", 0) + 1
        if here.n_files == n_files:
            arrived.release()
            threading.Event().wait()

    _checkpoint.Checkpoint.write = counted
    names = list(FITS)
    for some in (names[:-1], names[-1:]):  # one that runs code of the user's keeps others waiting
        for name in some:
            threading.Thread(target=fitted, args=(name, folder), daemon=True).start()
        for _ in some:
            arrived.acquire()
    print("amid all of them", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
