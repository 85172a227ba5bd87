"""200,000 sparse rows of 50,000 columns: memory, seconds an epoch, and average precision.

    python benchmarks/scale.py sparse [--rows 200000] [--columns 50000]

One entry in a thousand is there, as of short texts; one row in fifty is positive, by a signal in
a fiftieth of the columns. Every estimator fits in a process of its own, which also makes the rows,
and says how much memory it took at its peak. Average precision is of fresh rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np
from scipy import sparse

DENSITY, POSITIVE, TEST_ROWS = 0.001, 0.02, 50_000
ESTIMATORS = ("rows alone", "mlp", "linear", "LogisticRegression", "SGDClassifier")


def planted(n_rows: int, n_columns: int, seed: int = 2026) -> tuple[sparse.csr_array, Any]:
    """Rows whose columns are as frequent as words are, and what is rare among them."""
    rng = np.random.default_rng(seed)
    frequency = 1 / (np.arange(n_columns) + 100.0)  # Zipf's law, without the stop words
    counts = rng.poisson(DENSITY * n_columns, n_rows)
    cumulative = np.cumsum(frequency) / frequency.sum()
    columns = np.searchsorted(cumulative, rng.random(counts.sum())).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)  # as liblinear wants them
    values = rng.exponential(size=len(columns)).astype(np.float32)
    X = sparse.csr_array((values, columns, starts), (n_rows, n_columns))
    X.sum_duplicates()
    weights = rng.normal(size=n_columns) * (rng.random(n_columns) < 1 / 50)
    score = X @ weights
    score += 0.5 * score.std() * rng.normal(size=n_rows)
    return X, (score > np.quantile(score, 1 - POSITIVE)).astype(int)


def fit(name: str, n_rows: int, n_columns: int) -> dict[str, Any]:
    """Fit one estimator here and now."""
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.metrics import average_precision_score

    X, y = planted(n_rows + TEST_ROWS, n_columns)
    X, X_test, y, y_test = X[:n_rows], X[n_rows:], y[:n_rows], y[n_rows:]
    found: dict[str, Any] = {"estimator": name}
    if name != "rows alone":
        if name in ("mlp", "linear"):
            from wbce import WeightedKerasClassifier

            model = WeightedKerasClassifier(name, class_weight="balanced", random_state=0)
        elif name == "LogisticRegression":
            model = LogisticRegression(class_weight="balanced", solver="liblinear")
        else:
            model = SGDClassifier(loss="log_loss", class_weight="balanced", random_state=0)
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        start = time.perf_counter()
        scores = model.decision_function(X_test)
        found["fit_seconds"] = round(seconds, 1)
        if name in ("mlp", "linear"):
            found["epochs"] = model.n_iter_
            found["seconds_an_epoch"] = round(seconds / model.n_iter_, 2)
        found["predict_seconds"] = round(time.perf_counter() - start, 2)
        found["average_precision"] = round(float(average_precision_score(y_test, scores)), 4)
    found["peak_MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return found


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=50_000)


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Fit every estimator in a process of its own."""
    results = []
    for name in ESTIMATORS:
        command = [sys.executable, __file__, name, str(options.rows), str(options.columns)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        results.append(json.loads(done.stdout.splitlines()[-1]))
        print(results[-1], flush=True)
    lines = [
        f"{options.rows:,} x {options.columns:,} at density {DENSITY}",
        "",
        "| | fit s | epochs | s an epoch | predict s | test AP | peak MiB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    names = ("fit_seconds", "epochs", "seconds_an_epoch", "predict_seconds", "average_precision")
    for row in results:
        cells = [str(row.get(name, "")) for name in (*names, "peak_MiB")]
        lines.append(f"| {row['estimator']} | {' | '.join(cells)} |")
    figures = {"rows": options.rows, "columns": options.columns, "density": DENSITY}
    return {**figures, "results": results}, "\n".join(lines)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps(fit(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
