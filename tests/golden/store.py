"""Store estimators as this version does, for later versions to load.

Run once a release, with the oldest versions that pyproject names; commit the folder that it makes:

    python tests/golden/store.py
"""

import json
import pickle
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_iris

import wbce
from wbce import WeightedKerasClassifier

HERE = Path(__file__).parent


def convolution(meta):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            layers.Reshape((-1, 1)),
            layers.Conv1D(2, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(1, "sigmoid"),
        ]
    )


def frame(X):
    kind = pd.Categorical(np.where(X[:, 1] > 20, "a", "b"))
    return pd.DataFrame({"x": np.where(X[:, 0] > 25, np.nan, X[:, 0]), "kind": kind})


def estimators():
    """Yield a name, a fitted estimator, and some rows."""
    X, y = load_breast_cancer(return_X_y=True)
    X = X[:, :4]
    small = {"model__hidden_layer_sizes": (3,), "epochs": 3, "random_state": 0}
    two = {"model__n_members": 2, "model__n_knots": 3, "model__n_frequencies": 1, **small}
    labels = np.where(y == 0, "malignant", "benign")
    ensemble = WeightedKerasClassifier(class_weight="balanced", threshold=0.3, **two)
    yield "ensemble", ensemble.fit(frame(X), labels), frame(X)
    focal = WeightedKerasClassifier("mlp", loss="focal", calibrate="isotonic", **small)
    yield "classes", focal.fit(*load_iris(return_X_y=True)), load_iris().data
    several = np.stack([y, X[:, 0] > 14], axis=1).astype(int)
    yield (
        "labels",
        WeightedKerasClassifier("mlp", pos_weight=[2.0, 3.0], **small).fit(X, several),
        X,
    )
    tuned = WeightedKerasClassifier("linear", threshold="auto", epochs=3, random_state=0)
    yield "tuned", tuned.fit(X[:150], y[:150]), X
    yield "parts", WeightedKerasClassifier("mlp", **small).partial_fit(X, y), X
    yield "convolution", WeightedKerasClassifier(convolution, epochs=3, random_state=0).fit(X, y), X


if __name__ == "__main__":
    folder = HERE / wbce.__version__
    folder.mkdir()
    for name, estimator, X in estimators():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(estimator))
        estimator.save(folder / f"{name}.wbce")
        expected = {
            "rows": json.loads(pd.DataFrame(X)[::15].to_json(orient="split", double_precision=15)),
            "predict": estimator.predict(X[::15]).tolist(),
            "predict_proba": estimator.predict_proba(X[::15]).tolist(),
        }
        (folder / f"{name}.json").write_text(json.dumps(expected) + "\n")
