"""What a fitted model costs where it works: its file, its first answer, and a service around it.

    python benchmarks/production.py [--parts files service] [--minutes 2]
        [--write docs/production.md]

A part prints a table and keeps it in benchmarks/results/production_<part>.md; ``--write`` puts
all that are there into the page. To add a part, add a function to `PARTS`.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import importlib
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from synthetic import rows

HIDDEN = (64, 32)
N_SAMPLES, N_FEATURES = 10_000, 30
FIT: dict[str, Any] = {"batch_size": 128, "epochs": 10}
HERE = Path(__file__).parent
SERVICE = HERE.parent / "examples" / "serve.py"
N_CLIENTS = 8


def table(header: tuple[str, ...], lines: Sequence[tuple[str, ...]]) -> str:
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in (header, ("---",) * len(header), *lines)
    )


# ---------------------------------------------------------------------- the models


def build(meta: dict[str, Any]) -> Any:
    """The network for SciKeras, whose pickle finds this function in the process that loads it."""
    import keras

    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            *[keras.layers.Dense(size, "relu") for size in HIDDEN],
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


def fit_wbce(model: str, X: Any, y: Any, seed: int = 0) -> Any:
    from wbce import WeightedKerasClassifier

    layers: dict[str, Any] = {"model__hidden_layer_sizes": HIDDEN} if model == "mlp" else {}
    return WeightedKerasClassifier(model, **FIT, **layers, random_state=seed).fit(X, y)


def fit_scikeras(X: Any, y: Any) -> Any:
    from scikeras.wrappers import KerasClassifier

    return KerasClassifier(
        build, loss="binary_crossentropy", optimizer="adam", verbose=0, **FIT
    ).fit(X, y)


def fit_mlp(X: Any, y: Any) -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(
        HIDDEN,
        batch_size=FIT["batch_size"],
        max_iter=FIT["epochs"],
        n_iter_no_change=10**6,
        random_state=0,
    ).fit(X, y)


def fit_lightgbm(X: Any, y: Any) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(verbose=-1).fit(X, y)


def keras_weights(model: Any) -> int:
    return sum(variable.numpy().nbytes for variable in model.model_.variables)


@dataclass(frozen=True)
class Contender:
    fit: Callable[[Any, Any], Any]
    modules: tuple[str, ...]  # what a process imports before it loads
    weights: Callable[[Any], int] | None = None
    in_a_file: bool = False  # by `save`, and not as a pickle

    def load(self, path: str) -> Any:
        if self.in_a_file:
            import wbce

            return wbce.load(path)
        with open(path, "rb") as file:
            return pickle.load(file)

    def store(self, model: Any, path: Path) -> None:
        if self.in_a_file:
            model.save(path)
        else:
            path.write_bytes(pickle.dumps(model))


_WBCE = ("wbce.classifier", "wbce.files")
CONTENDERS = {
    "wbce, the ensemble, pickle": Contender(
        lambda X, y: fit_wbce("ensemble", X, y), _WBCE, keras_weights
    ),
    "wbce, the ensemble, `save`": Contender(
        lambda X, y: fit_wbce("ensemble", X, y), _WBCE, keras_weights, in_a_file=True
    ),
    "wbce, `mlp`, pickle": Contender(lambda X, y: fit_wbce("mlp", X, y), _WBCE, keras_weights),
    "wbce, `mlp`, `save`": Contender(
        lambda X, y: fit_wbce("mlp", X, y), _WBCE, keras_weights, in_a_file=True
    ),
    "SciKeras, pickle": Contender(fit_scikeras, ("scikeras.wrappers", "keras"), keras_weights),
    "MLPClassifier, pickle": Contender(
        fit_mlp,
        ("sklearn.neural_network",),
        lambda model: sum(part.nbytes for part in (*model.coefs_, *model.intercepts_)),
    ),
    "LightGBM, pickle": Contender(fit_lightgbm, ("lightgbm",)),
}


# ---------------------------------------------------------------------- files


def files(options: argparse.Namespace) -> str:
    """Sizes; and what a fresh process needs from its imports to its answers."""
    X, y = rows(N_SAMPLES, N_FEATURES)
    with tempfile.TemporaryDirectory() as folder:
        paths, weights = {}, {}
        for i, (name, contender) in enumerate(CONTENDERS.items()):
            paths[name] = Path(folder) / f"{i}.model"
            model = contender.fit(X, y)
            weights[name] = contender.weights(model) if contender.weights else None
            contender.store(model, paths[name])
        found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for _ in range(options.repeats):
            for name, path in paths.items():
                found[name].append(in_a_fresh_process(name, path))
        sizes = {name: path.stat().st_size for name, path in paths.items()}
    lines = []
    for name, times in found.items():
        middle = {key: float(np.median([t[key] for t in times])) for key in times[0]}
        size, of_weights = sizes[name], weights[name]
        lines.append(
            (
                name,
                f"{size / 1024:.1f} KiB",
                "" if of_weights is None else f"{of_weights / 1024:.1f} KiB",
                "" if of_weights is None else f"{size / of_weights:.2f}×",
                f"{middle['import']:.2f} s",
                f"{middle['load'] * 1e3:.1f} ms",
                f"{middle['first'] * 1e3:.2f} ms",
                f"{middle['row'] * 1e6:.0f} µs",
            )
        )
    header = ("model", "stored", "its weights", "ratio", "imports", "load", "first row", "a row")
    return (
        f"Fitted on {N_SAMPLES:,} × {N_FEATURES} rows; networks other than the ensemble have "
        f"hidden layers of {' and '.join(map(str, HIDDEN))}. Medians of {options.repeats} fresh "
        "processes each, which took turns: the imports that the model needs; loading it after "
        "them; the first `predict_proba` of one row; and the median of 500 more.\n\n"
        + table(header, lines)
    )


def in_a_fresh_process(name: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--load", name, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    times: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return times


def load_and_predict(name: str, path: str) -> dict[str, float]:
    contender, times = CONTENDERS[name], dict[str, float]()
    X, _ = rows(500, N_FEATURES, seed=1)
    with taken(times, "import"):
        for module in contender.modules:
            importlib.import_module(module)
    with taken(times, "load"):
        model = contender.load(path)
    with taken(times, "first"):
        model.predict_proba(X[:1])
    each = []
    for i in range(len(X) if "SciKeras" not in name else 30):
        start = time.perf_counter()
        model.predict_proba(X[i : i + 1])
        each.append(time.perf_counter() - start)
    return {**times, "row": float(np.median(each))}


@contextmanager
def taken(times: dict[str, float], what: str) -> Iterator[None]:
    """Note how long a block takes."""
    start = time.perf_counter()
    yield
    times[what] = time.perf_counter() - start


# ---------------------------------------------------------------------- the service


def service(options: argparse.Namespace) -> str:
    """Requests without a pause, with a new model and a kill on the way."""
    lines = [serve_under_load(model, options.minutes) for model in ("ensemble", "mlp")]
    header = (
        *("model", "right answers", "a second", "p50", "p99", "slowest"),
        *("wrong", "lost", "in work when killed", "away"),
    )
    return (
        f"`examples/serve.py` on loopback, {options.minutes:g} minutes for each model, "
        f"{N_CLIENTS} clients that ask for one row at a time without a pause, half of them with a "
        "new connection for each request; service and clients share the machine. After a third "
        "of the time the model's file is replaced by another; after two thirds the service is "
        "killed (kill -9) and started anew. Every answer is compared with the `predict` and "
        "`predict_proba` of the model that it names. Times are the clients'; answers a second are "
        "those of the time in which the service was there. Lost is what got no answer, but for the "
        "kill: what was in work then, and the time from there to the first answer, the imports of "
        "the new process among it, are the last columns.\n\n" + table(header, lines)
    )


@dataclass
class Counts:
    """What the clients of a run were told."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    answered: list[float] = field(default_factory=list)  # when
    refused: list[float] = field(default_factory=list)  # nobody there: nothing was begun
    broken: list[float] = field(default_factory=list)  # begun, and not answered


def serve_under_load(model: str, minutes: float) -> tuple[str, ...]:
    X, y = rows(N_SAMPLES, N_FEATURES)
    X_new, _ = rows(1_000, N_FEATURES, seed=1)
    expected = {}
    with tempfile.TemporaryDirectory() as folder:
        path, successor = Path(folder) / "model.wbce", Path(folder) / "successor.wbce"
        for to, seed in ((path, 0), (successor, 1)):
            fitted = fit_wbce(model, X, y, seed)
            fitted.save(to)
            of_file = hashlib.sha256(to.read_bytes()).hexdigest()[:16]
            expected[of_file] = (
                fitted.predict(X_new).tolist(),
                fitted.predict_proba(X_new).tolist(),
            )
        process, port = started(path, 0)
        counts, end = Counts(), threading.Event()
        clients = [
            threading.Thread(target=client, args=(i, port, X_new, expected, counts, end))
            for i in range(N_CLIENTS)
        ]
        try:
            for thread in clients:
                thread.start()
            time.sleep(minutes * 20)
            os.replace(successor, path)
            time.sleep(minutes * 20)
            killed = time.perf_counter()
            process.kill()
            process.communicate()
            process, _ = started(path, port)
            time.sleep(minutes * 20)
        finally:
            end.set()
            for thread in clients:
                thread.join()
            process.send_signal(signal.SIGTERM)
            process.communicate()
    back = min(moment for moment in counts.answered if moment > killed + 0.2)
    failed = [*counts.refused, *counts.broken]
    otherwise = sum(not killed <= moment <= back for moment in failed)
    p50, p99 = np.percentile(counts.seconds, [50, 99])
    return (
        f"`{model}`",
        f"{len(counts.seconds):,}",
        f"{len(counts.seconds) / (minutes * 60 - (back - killed)):.0f}",
        f"{p50 * 1e3:.1f} ms",
        f"{p99 * 1e3:.1f} ms",
        f"{max(counts.seconds) * 1e3:.0f} ms",
        str(counts.wrong),
        str(otherwise),
        str(len(counts.broken)),
        f"{back - killed:.1f} s",
    )


def started(path: Path, port: int) -> tuple[Any, int]:
    command = [sys.executable, str(SERVICE), str(path), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    listening = next(line for line in process.stdout if line.startswith("listening"))
    return process, int(listening.rpartition(":")[2])


def client(
    number: int,
    port: int,
    X: Any,
    expected: dict[str, Any],
    counts: Counts,
    end: threading.Event,
) -> None:
    """Ask until the end; a request that is not answered counts once, and is followed by a wait."""
    generator = np.random.default_rng(number)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not end.is_set():
        if number % 2:
            connection.close()
        i = int(generator.integers(len(X)))
        body = json.dumps(X[i : i + 1].tolist())
        start = time.perf_counter()
        try:
            connection.request("POST", "/predict", body)
            response = connection.getresponse()
            status, answer = response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, ConnectionRefusedError)
            (counts.refused if refused else counts.broken).append(time.perf_counter())
            connection.close()
            end.wait(0.2)
            continue
        now = time.perf_counter()
        labels, probabilities = expected.get(answer.get("model"), ([], []))
        right = (answer.get("labels"), answer.get("probabilities")) == (
            labels[i : i + 1],
            probabilities[i : i + 1],
        )
        if status == 200 and right:
            counts.seconds.append(now - start)
            counts.answered.append(now)
        else:
            counts.wrong += 1
    connection.close()


# ---------------------------------------------------------------------- the page

PARTS: dict[str, tuple[str, Callable[[argparse.Namespace], str]]] = {
    "files": ("Files and first answers", files),
    "service": ("A service under load", service),
}


def versions() -> str:
    names = ("scikit-learn", "keras", "tensorflow", "numpy", "scikeras", "lightgbm")
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {', '.join(found)}"


def kept(part: str) -> Path:
    return HERE / "results" / f"production_{part}.md"


def write(page: Path) -> None:
    before = page.read_text().split("<!-- figures -->")[0]
    texts = [kept(part).read_text() for part in PARTS if kept(part).exists()]
    page.write_text(f"{before}<!-- figures -->\n\n" + "\n".join(texts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repeats", type=int, default=7, help="fresh processes for each model")
    parser.add_argument("--minutes", type=float, default=2.0, help="of load on each service")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put what is kept into a page")
    parser.add_argument("--load", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print(json.dumps(load_and_predict(*options.load)))
        return
    for part in options.parts:
        title, run = PARTS[part]
        text = f"## {title}\n\n{run(options)}\n\nOn {versions()}.\n"
        kept(part).write_text(text)
        print(text, flush=True)
    if options.write:
        write(options.write)


if __name__ == "__main__":
    main()
