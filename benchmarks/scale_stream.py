"""Rows that are not in memory: memory and speed of a fit on 20,000,000 of them.

    python benchmarks/scale.py stream

Each fit runs in a process of its own, on the same planted rows (1 positive in 40): from arrays in
memory, from a memory map and from a folder of Parquet files, in turn. An epoch's seconds are those
of the second of two, as callbacks hear them; what is not training is the pass before it, the
validation rows and the threshold.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

N_ROWS, N_COLUMNS, FILES = 20_000_000, 30, 10
SMALLER = 1_000_000, 5_000_000  # from a memory map, for the cost model
SOURCES = "memory", "memory map", "parquet"

_FIT = """
import json, sys, time
from wbce import WeightedKerasClassifier
import keras, numpy as np, pandas as pd
from sklearn.metrics import average_precision_score

source, folder, n_rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
if source == "memory":
    X, y = np.load(folder + "/X.npy"), np.load(folder + "/y.npy")
elif source == "memory map":
    X, y = (np.load(f"{folder}/{name}.npy", mmap_mode="r")[:n_rows] for name in ("X", "y"))
else:
    X, y = folder + "/parquet", "y"
times = []
note = lambda *_: times.append(time.perf_counter())
clf = WeightedKerasClassifier(
    "mlp", epochs=2, early_stopping=False, validation_split=0.01, threshold="auto",
    class_weight="balanced", batch_size=1024, random_state=0,
    callbacks=keras.callbacks.LambdaCallback(on_epoch_begin=note, on_epoch_end=note),
)
start = time.perf_counter()
clf.fit(X, y)
seconds = time.perf_counter() - start
status = open("/proc/self/status").read()  # ru_maxrss would count the parent's memory
peak = int(status.split("VmHWM:")[1].split()[0]) / 2**20
test = np.load(folder + "/test.npz")
rows = test["X"]
if source == "parquet":
    rows = pd.DataFrame(rows, columns=clf.feature_names_in_)
print(json.dumps({
    "epoch": times[3] - times[2],
    "apart": seconds - (times[1] - times[0]) - (times[3] - times[2]),
    "peak_gib": peak,
    "average_precision": average_precision_score(test["y"], clf.predict_proba(rows)[:, 1]),
}))
"""


def write_rows(folder: str) -> None:
    """The same rows as arrays and as Parquet, a piece at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = Path(folder)
    generator = np.random.default_rng(0)
    direction = generator.normal(size=N_COLUMNS) / np.sqrt(N_COLUMNS)

    def piece(n: int) -> tuple[Any, Any]:
        X = generator.standard_normal((n, N_COLUMNS), dtype=np.float32)
        score = 2 * X @ direction + X[:, 0] * X[:, 1] + generator.logistic(size=n)
        return X, (score > 5.2).astype(np.int8)

    def file_of(name: str, dtype: Any, *columns: int) -> Any:
        return np.lib.format.open_memmap(
            place / f"{name}.npy", "w+", dtype=dtype, shape=(N_ROWS, *columns)
        )

    X_file, y_file = file_of("X", np.float32, N_COLUMNS), file_of("y", np.int8)
    (place / "parquet").mkdir()
    names = [*(f"x{i}" for i in range(N_COLUMNS)), "y"]
    bounds = np.linspace(0, N_ROWS, FILES + 1).astype(int)
    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        X, y = piece(stop - start)
        X_file[start:stop], y_file[start:stop] = X, y
        pq.write_table(pa.table([*X.T, y], names=names), place / "parquet" / f"{number}.parquet")
    X, y = piece(200_000)
    np.savez(place / "test.npz", X=X, y=y)


def fit(source: str, folder: str, n_rows: int = N_ROWS) -> dict[str, float]:
    """One fit in a process of its own."""
    command = [sys.executable, "-c", _FIT, source, folder, str(n_rows)]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=2)


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Fit from each source in turn."""
    with tempfile.TemporaryDirectory() as folder:
        writer = "import sys, scale_stream; scale_stream.write_rows(sys.argv[1])"
        subprocess.run(
            [sys.executable, "-c", writer, folder], check=True, cwd=Path(__file__).parent
        )
        smaller = {str(n): fit("memory map", folder, n) for n in SMALLER}
        fits: dict[str, list[dict[str, float]]] = {source: [] for source in SOURCES}
        for source in SOURCES * options.repeats:
            fits[source].append(fit(source, folder))
    found = {
        source: {name: statistics.median(f[name] for f in of_source) for name in of_source[0]}
        for source, of_source in fits.items()
    }
    lines = [
        f"{N_ROWS:,} x {N_COLUMNS} float32, model='mlp', batches of 1024",
        "",
        "| rows from | s an epoch | thousand rows/s | of memory | s apart | peak GiB | test AP |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for source, row in found.items():
        lines.append(
            f"| {source} | {row['epoch']:.1f} | {N_ROWS / row['epoch'] / 1000:.0f} "
            f"| {found['memory']['epoch'] / row['epoch']:.0%} | {row['apart']:.1f} "
            f"| {row['peak_gib']:.2f} | {row['average_precision']:.3f} |"
        )
    return {"n_rows": N_ROWS, "sources": found, "smaller": smaller}, "\n".join(lines)
