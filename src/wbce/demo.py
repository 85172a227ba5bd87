"""The demonstration: one imbalanced problem from rows to a saved, tuned Pipeline."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from wbce.classifier import WeightedKerasClassifier

_PREDICT_ANEW = """
import sys, joblib, numpy as np
pipeline = joblib.load(sys.argv[1])
np.save(sys.argv[3], pipeline.predict_proba(np.load(sys.argv[2])))
"""


def imbalanced_digits(
    ratio: int = 20, random_state: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Handwritten digits: is it an eight? Eights are left out until they are 1 in ``ratio``.

    Returns
    -------
    X : ndarray of shape (n_samples, 64)
        Pixels.
    y : ndarray of shape (n_samples,)
        1 for an eight.
    """
    digits = load_digits()
    y = (digits.target == 8).astype(np.intp)
    negatives, positives = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    n_positives = round(len(negatives) / (ratio - 1))
    kept = np.random.RandomState(random_state).permutation(positives)[:n_positives]
    rows = np.sort(np.concatenate([negatives, kept]))
    return digits.data[rows], y[rows]


def run(save: str | None = None) -> int:
    """Run the demonstration and print what it finds.

    Parameters
    ----------
    save : str, optional
        Where to keep the fitted Pipeline.

    Returns
    -------
    int
        0, or 1 if the loaded Pipeline does not predict what the saved one did.
    """
    X, y = imbalanced_digits()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.4, stratify=y, random_state=0
    )
    print("Real data: scikit-learn's handwritten digits. Which are an 8? (The 8s were thinned out")
    print(f"to make them 1 in 20.) {len(y)} rows, {y.sum()} positive, 1 in {len(y) / y.sum():.0f}.")
    print(f"Always answering 'no' would be {1 - y_test.mean():.1%} accurate, and find none.\n")

    pipeline = make_pipeline(
        StandardScaler(),
        WeightedKerasClassifier(class_weight="balanced", threshold="auto", random_state=0),
    )
    print("Fitting a Pipeline: StandardScaler, WeightedKerasClassifier(class_weight='balanced',")
    print("threshold='auto') ...")
    pipeline.fit(X_train, y_train)
    classifier = pipeline[-1]
    low, high = classifier.threshold_interval_.threshold
    print(f"  sixteen networks in one, best after {classifier.best_epoch_} epochs in the middle;")
    print(
        f"  a positive weighs {classifier.pos_weight_:.1f} times a negative; the threshold for F1, "
        f"on\n  rows that the network that judges had not seen, is {classifier.threshold_:.3f} "
        f"(bootstrap: {low:.3f} to {high:.3f})\n"
    )
    _print_metrics(pipeline, X_test, y_test)
    return _save_and_load(pipeline, X_test, save)


def _print_metrics(pipeline: Pipeline, X: NDArray[np.float64], y: NDArray[np.intp]) -> None:
    proba = pipeline.predict_proba(X)[:, 1]
    tuned = pipeline.predict(X)
    print(f"On {len(y)} test rows, {y.sum()} of them positive:")
    print(f"{'':19}{'precision':>11}{'recall':>9}{'F1':>8}")
    for name, predicted in (
        ("at 0.5", (proba > 0.5).astype(int)),
        (f"at the tuned {pipeline[-1].threshold_:.3f}", tuned),
    ):
        scores = (
            precision_score(y, predicted, zero_division=0.0),
            recall_score(y, predicted),
            f1_score(y, predicted),
        )
        print(f"{name:<19}{scores[0]:>11.3f}{scores[1]:>9.3f}{scores[2]:>8.3f}")
    print(
        f"average precision {average_precision_score(y, proba):.3f}, "
        f"ROC AUC {roc_auc_score(y, proba):.3f}, log loss {log_loss(y, proba):.3f} "
        f"(knowing only the share: {log_loss(y, np.full(len(y), y.mean())):.3f})\n"
    )


def _save_and_load(pipeline: Pipeline, X: NDArray[np.float64], save: str | None) -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(save) if save else Path(folder) / "pipeline.joblib"
        rows, answers = Path(folder) / "rows.npy", Path(folder) / "answers.npy"
        joblib.dump(pipeline, path)
        np.save(rows, X)
        subprocess.run([sys.executable, "-c", _PREDICT_ANEW, path, rows, answers], check=True)
        same = np.array_equal(np.load(answers), pipeline.predict_proba(X))
        print(
            f"Saved with joblib ({path.stat().st_size / 1024:.0f} KiB), loaded in a new process: "
            f"the probabilities are {'the same, bit for bit' if same else 'DIFFERENT'}."
        )
        if save:
            print(f"The Pipeline is in {save}.")
    print('\nNext, a file of your own, after pip install "wbce[cli]":')
    print("  wbce fit data.csv --target COLUMN --out model.wbce")
    return 0 if same else 1
