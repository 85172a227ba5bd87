"""How far exports are from the estimator, and how long they take for a row, on real tables.

    python benchmarks/export_agreement.py [--tables 22] [--write docs/export.md]

Every second of the tables of `imbalanced_tables.py`, as frames, missing values and categories as
they come. Two classifiers are fitted to each, exported, and asked about all of its rows: the
largest difference of a probability, and the share of equal labels. Tables with categories are
exported to ONNX alone. One row is timed 200 times: the export on one thread and, for ONNX, as
arrays made before, `predict_proba` as a frame. Medians are over the tables. `--write` puts the
result at the end of the page, under its last heading.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from wbce import WeightedKerasClassifier  # before Keras, so that TensorFlow starts quietly

import onnxruntime  # isort: skip
import sklearn
import tensorflow as tf

from imbalanced_tables import TABLES, load
from wbce.export import rows_as_inputs, to_litert, to_onnx, to_saved_model

CLASSIFIERS = {
    'the defaults, `threshold="auto"`': {"threshold": "auto"},
    '`model="mlp"`, `loss="focal"`, balanced': {
        "model": "mlp",
        "loss": "focal",
        "class_weight": "balanced",
    },
}
FORMATS = ["ONNX", "SavedModel", "LiteRT"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=22)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    found: dict[tuple[str, str], list[list[float]]] = {}
    names = TABLES[::2][: arguments.tables]
    for table in names:
        X, y = load(table)
        for name, parameters in CLASSIFIERS.items():
            fitted = WeightedKerasClassifier(**parameters, random_state=0).fit(X, y)
            for form, figures in compared(fitted, X).items():
                found.setdefault((name, form), []).append(figures)
                print(f"{table}, {name}, {form}: {figures[0]:.1e}, {figures[1]:.4%}", flush=True)
    text = report(found, len(names))
    print(text)
    if arguments.write:
        page = arguments.write.read_text()
        heading = page.rindex("\n## ") + 1
        kept = page[: page.index("\n", heading)]
        arguments.write.write_text(f"{kept}\n\n{text}")


def compared(fitted, X):
    """For every format: largest difference, share of equal labels, microseconds of both."""
    proba, label = fitted.predict_proba(X), fitted.predict(X)
    own = microseconds(lambda: fitted.predict_proba(X[:1]))
    figures = {}
    for form in FORMATS:
        numbers = "category" not in X.dtypes.astype(str).tolist()
        if form != "ONNX" and not numbers:
            continue
        run = RUNNERS[form](fitted, X)
        found_label, found_proba = run(X)
        one = X[:1]
        figures[form] = [
            float(np.abs(found_proba - proba).max()),
            float((found_label == label).mean()),
            microseconds(lambda: run(one)),  # noqa: B023
            own,
        ]
    return figures


def onnx_runner(fitted, X):
    model = to_onnx(fitted)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    prepared = {}

    def run(rows):
        if len(rows) not in prepared:  # a server has its rows as arrays
            prepared[len(rows)] = rows_as_inputs(rows, model)
        return session.run(["label", "probabilities"], prepared[len(rows)])

    return run


def saved_model_runner(fitted, X):
    folder = tempfile.TemporaryDirectory()
    to_saved_model(fitted, folder.name)
    loaded = tf.saved_model.load(folder.name)
    served = loaded.signatures["serving_default"]
    dtype = served.structured_input_signature[1]["X"].dtype

    def run(rows):
        found = served(X=tf.constant(rows.to_numpy(dtype=float), dtype))
        return found["label"].numpy(), found["probabilities"].numpy()

    run.kept = loaded, folder
    return run


def litert_runner(fitted, X):
    interpreter = tf.lite.Interpreter(model_content=to_litert(fitted), num_threads=1)
    runner = interpreter.get_signature_runner()

    def run(rows):
        found = runner(X=rows.to_numpy(dtype=np.float32))
        return fitted.classes_[found["label"]], found["probabilities"]

    return run


RUNNERS = dict(zip(FORMATS, (onnx_runner, saved_model_runner, litert_runner), strict=True))


def microseconds(call, times=200):
    for _ in range(5):
        call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return 1e6 * float(np.median(taken))


def report(found, n_tables):
    versions = (
        f"scikit-learn {sklearn.__version__}, TensorFlow {tf.__version__}, "
        f"onnxruntime {onnxruntime.__version__}"
    )
    lines = [
        f"Printed by `python benchmarks/export_agreement.py --write docs/export.md` on {n_tables} "
        f"tables: {versions}. Differences are of probabilities, on all rows of a "
        "table. `predict_proba` takes a row as a frame, onnxruntime as arrays.",
        "",
        "| classifier | format | tables | largest difference, median table | worst table "
        "| equal labels | export, one row | `predict_proba`, one row |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (name, form), figures in found.items():
        apart, equal, export, own = np.array(figures).T
        lines.append(
            f"| {name} | {form} | {len(figures)} | {np.median(apart):.1e} | {apart.max():.1e} "
            f"| {equal.mean():.4%} | {np.median(export):.0f} µs | {np.median(own):.0f} µs |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
