"""Two workers on this machine against one process: the same network, and how fast.

    python benchmarks/scale_workers.py [--rows 20000] [--epochs 3]

Writes benchmarks/results/scale_workers.json. Both workers share this machine's processors: what is
measured is the cost of dividing and adding up, not what a second machine gives.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from synthetic import rows

N_FEATURES = 30
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"model": "mlp", "model__hidden_layer_sizes": (64, 32), "batch_size": 256},
    "mlp, large steps": {"model": "mlp", "model__hidden_layer_sizes": (64, 32), "batch_size": 4096},
    "ensemble": {"batch_size": 256},
    "mlp of 1024": {"model": "mlp", "model__hidden_layer_sizes": (1024, 1024), "batch_size": 4096},
}
HERE = Path(__file__).parent
SECONDS_FOR_A_FIT = 900


def fit(name: str, n_rows: int, epochs: int, path: str) -> None:
    """Fit in this process; twice, as the first one compiles."""
    from wbce import WeightedKerasClassifier

    distribute = "multi_worker" if "TF_CONFIG" in os.environ else None
    clf = WeightedKerasClassifier(
        distribute=distribute,
        class_weight="balanced",
        early_stopping=False,
        epochs=epochs,
        random_state=0,
        **NETWORKS[name],
    )
    X, y = rows(n_rows, N_FEATURES)
    clf.fit(X, y)
    start = time.perf_counter()
    clf.fit(X, y)
    seconds = time.perf_counter() - start
    trained = clf.model_.trainable_variables
    np.savez(
        path,
        *clf.model_.get_weights(),
        proba=clf.predict_proba(X)[:, 1],
        rate=n_rows * epochs / seconds,
        n_bytes=sum(int(np.prod(v.shape)) * np.dtype(v.dtype).itemsize for v in trained) + 4,
    )


def fitted(name: str, options: argparse.Namespace, n_workers: int) -> list[dict[str, Any]]:
    """What each of some processes found."""
    sockets = [socket.create_server(("", 0)) for _ in range(n_workers)]
    addresses = [f"localhost:{own.getsockname()[1]}" for own in sockets]
    for own in sockets:
        own.close()
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        paths = [str(Path(folder) / f"{i}.npz") for i in range(n_workers)]
        for i, path in enumerate(paths):
            said = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": i}}
            config = {"TF_CONFIG": json.dumps(said)} if n_workers > 1 else {}
            arguments = [name, str(options.rows), str(options.epochs), path]
            processes.append(
                subprocess.Popen(
                    [sys.executable, __file__, "--fit", *arguments], env={**os.environ, **config}
                )
            )
        try:
            codes = [process.wait(SECONDS_FOR_A_FIT) for process in processes]
        finally:
            for process in processes:
                process.kill()
        if any(codes):
            raise RuntimeError(f"{name}: workers ended with {codes}")
        return [dict(np.load(path)) for path in paths]


def compare(name: str, options: argparse.Namespace) -> dict[str, Any]:
    (one,), two = fitted(name, options, 1), fitted(name, options, 2)
    weights = [key for key in one if key.startswith("arr_")]
    return {
        "batch_size": NETWORKS[name]["batch_size"],
        "rows_per_second_of_one": round(float(one["rate"])),
        "rows_per_second_of_two": round(float(two[0]["rate"])),
        "bytes_added_up_a_step": int(one["n_bytes"]),
        "largest_difference_of_weights": max(
            float(np.abs(one[key] - two[0][key]).max()) for key in weights
        ),
        "largest_difference_of_probabilities": float(np.abs(one["proba"] - two[0]["proba"]).max()),
        "workers_differ": any(not np.array_equal(two[0][key], two[1][key]) for key in weights),
    }


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=3)


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The figures, and a table of them."""
    networks = {}
    for name in NETWORKS:
        networks[name] = compare(name, options)
        print(name, networks[name], flush=True)
    figures = {
        "rows": options.rows,
        "epochs": options.epochs,
        "n_cores": os.cpu_count(),
        "versions": {n: version(n) for n in ("keras", "tensorflow")},
        "networks": networks,
    }
    header = ("network", "batch", "rows/s, one", "rows/s, two", "KiB a step", "weights", "proba")
    lines = [
        (
            name,
            f"{own['batch_size']}",
            f"{own['rows_per_second_of_one']:,}",
            f"{own['rows_per_second_of_two']:,}",
            f"{own['bytes_added_up_a_step'] / 1024:,.0f}",
            f"{own['largest_difference_of_weights']:.1e}",
            f"{own['largest_difference_of_probabilities']:.1e}",
        )
        for name, own in networks.items()
    ]
    table = "\n".join(
        "| " + " | ".join(cells) + " |" for cells in (header, ("---",) * len(header), *lines)
    )
    return figures, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--fit", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        name, n_rows, epochs, path = options.fit
        fit(name, int(n_rows), int(epochs), path)
        return
    figures, text = run(options)
    print(text)
    (HERE / "results" / "scale_workers.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
