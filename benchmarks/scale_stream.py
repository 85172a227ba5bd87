"""Rows that are not in memory: memory and speed of a fit on 20,000,000 of them.

    python benchmarks/scale.py stream [--rows 20000000] [--folder FOLDER]

Each fit runs in a process of its own, on the same planted rows (1 positive in 50): from arrays in
memory, from a memory map and from a folder of Parquet files. Seconds are those of an epoch: the
difference between a fit of three epochs and one of one, over two, so that start-up and the pass
before training are apart.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

N_COLUMNS = 30
FILES = 10
RESULTS = Path(__file__).parent / "results" / "scale_stream.json"

_FIT = """
import json, sys, time
import numpy as np
from wbce import WeightedKerasClassifier

source, folder, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3])
if source == "memory":
    X, y = np.load(folder + "/X.npy"), np.load(folder + "/y.npy")
elif source == "memory map":
    X, y = np.load(folder + "/X.npy", mmap_mode="r"), np.load(folder + "/y.npy", mmap_mode="r")
else:
    X, y = folder + "/parquet", "y"
clf = WeightedKerasClassifier(
    "mlp", epochs=epochs, early_stopping=False, validation_split=0.01, threshold="auto",
    class_weight="balanced", batch_size=1024, random_state=0,
)
start = time.perf_counter()
clf.fit(X, y)
seconds = time.perf_counter() - start
status = open("/proc/self/status").read()  # ru_maxrss would count the parent's memory
peak = int(status.split("VmHWM:")[1].split()[0]) / 2**20
test = np.load(folder + "/test.npz")
from sklearn.metrics import average_precision_score
score = average_precision_score(test["y"], clf.predict_proba(
    test["X"] if source != "parquet" else __import__("pandas").DataFrame(
        test["X"], columns=clf.feature_names_in_))[:, 1])
print(json.dumps({"seconds": seconds, "peak_gib": peak, "average_precision": score}))
"""


def write_rows(folder: Path, n_rows: int) -> None:
    """The same rows as arrays and as Parquet, a piece at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(0)
    direction = generator.normal(size=N_COLUMNS) / np.sqrt(N_COLUMNS)

    def piece(n: int) -> tuple[np.ndarray, np.ndarray]:
        X = generator.standard_normal((n, N_COLUMNS), dtype=np.float32)
        score = 2 * X @ direction + X[:, 0] * X[:, 1] + generator.logistic(size=n)
        return X, (score > 5.2).astype(np.int8)

    X_file = np.lib.format.open_memmap(
        folder / "X.npy", "w+", dtype=np.float32, shape=(n_rows, N_COLUMNS)
    )
    y_file = np.lib.format.open_memmap(folder / "y.npy", "w+", dtype=np.int8, shape=(n_rows,))
    (folder / "parquet").mkdir()
    names = [f"x{i}" for i in range(N_COLUMNS)]
    bounds = np.linspace(0, n_rows, FILES + 1).astype(int)
    for file, (start, stop) in enumerate(itertools.pairwise(bounds)):
        X, y = piece(stop - start)
        X_file[start:stop], y_file[start:stop] = X, y
        table = pa.table([*X.T, y], names=[*names, "y"])
        pq.write_table(table, folder / "parquet" / f"{file}.parquet", row_group_size=2**18)
    X, y = piece(200_000)
    np.savez(folder / "test.npz", X=X, y=y)


def fit(source: str, folder: Path, epochs: int) -> dict[str, float]:
    """One fit in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", _FIT, source, str(folder), str(epochs)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def run(n_rows: int = 20_000_000, folder: str | None = None, repeats: int = 2) -> dict:
    """Fit from each source in turn; print and store the table."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        write_rows(Path(place), n_rows)
        found: dict[str, dict[str, float]] = {}
        fits: dict[tuple[str, int], list[dict[str, float]]] = {}
        sources = ("memory", "memory map", "parquet")
        for _ in range(repeats):
            for source in sources:
                for epochs in (1, 3):
                    fits.setdefault((source, epochs), []).append(fit(source, Path(place), epochs))
        for source in sources:
            short, long = (
                float(np.median([f["seconds"] for f in fits[source, n]])) for n in (1, 3)
            )
            last = fits[source, 3]
            found[source] = {
                "rows_per_second": n_rows / ((long - short) / 2),
                "seconds_before_and_after": short - (long - short) / 2,
                "peak_gib": max(f["peak_gib"] for f in last),
                "average_precision": last[-1]["average_precision"],
            }
    print(f"{n_rows:,} x {N_COLUMNS} float32, mlp, batch 1024, 3 epochs")
    print(
        f"{'rows from':<12}{'thousand rows/s':>17}{'of memory':>11}{'apart s':>9}"
        f"{'peak GiB':>10}{'test AP':>9}"
    )
    for source, row in found.items():
        share = row["rows_per_second"] / found["memory"]["rows_per_second"]
        print(
            f"{source:<12}{row['rows_per_second'] / 1000:>17.0f}{share:>11.2f}"
            f"{row['seconds_before_and_after']:>9.1f}{row['peak_gib']:>10.2f}"
            f"{row['average_precision']:>9.3f}"
        )
    result = {"n_rows": n_rows, "n_columns": N_COLUMNS, "found": found}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--folder")
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    run(arguments.rows, arguments.folder, arguments.repeats)
