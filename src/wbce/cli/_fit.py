"""``wbce fit``: from a file of rows to a model file, and what was done in words."""

from __future__ import annotations

import shlex
import sys
import textwrap
from argparse import Namespace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from wbce.cli._errors import listed
from wbce.cli._estimator import (
    STEP,
    check_decision,
    check_loss,
    make_classifier,
    with_vectorizer,
)
from wbce.cli._model_file import FittedModel, check_model_path
from wbce.cli._reading import check_path
from wbce.cli._training_rows import TrainingRows, read_training_rows


def run(options: Namespace) -> int:
    """Fit a model and write it.

    Returns
    -------
    int
        Exit status: 0, or 130 after Ctrl-C, where the last good weights are written.

    Raises
    ------
    CommandError
    """
    check_loss(options)
    check_decision(options)
    check_path(options.data, "a CSV or Parquet file, or - for standard input")
    check_model_path(options.out, options.force)
    rows = read_training_rows(options)
    say_rows(rows, options.data)
    pos_label = rows.positive(options.pos_label)
    classifier = make_classifier(options, np.unique(rows.y).tolist(), pos_label)
    estimator = with_vectorizer(classifier, rows.columns, list(rows.X.columns), options)
    return fit_and_write(estimator, rows, options)


def fit_and_write(estimator: Any, rows: TrainingRows, options: Namespace) -> int:
    """Fit, write the model, and say what came of it."""
    model = FittedModel(estimator, rows.columns, rows.target)
    loss, epochs = model.classifier.loss, model.classifier.epochs
    print(f"\nFitting (loss {loss}, at most {epochs} epochs) ...", flush=True)
    prefix = f"{STEP}__" if hasattr(estimator, "steps") else ""
    arguments = {f"{prefix}{name}": value for name, value in rows.fit_arguments.items()}
    interrupted = False
    try:
        estimator.fit(rows.X, rows.y, **arguments)
    except KeyboardInterrupt:
        if getattr(model.classifier, "stopped_by_", None) != "interrupt":
            raise
        interrupted = True
    model.classifier.set_params(verbose=0)  # --verbose is of this fit, not of predictions
    model.write(options.out)
    for line in _outcome(model.classifier):
        _print_wrapped(f"  {line}", indent=4)
    size = Path(options.out).stat().st_size / 1024
    print(f"\nThe model is in {options.out} ({size:.0f} KiB). Next:")
    trust = " --trust" if options.out.endswith(".joblib") else ""
    out, target = shlex.quote(options.out), shlex.quote(options.target)
    print(f"  wbce evaluate {out} NEW_DATA --target {target}{trust}")
    print(f"  wbce predict {out} NEW_DATA --out predictions.csv{trust}")
    if interrupted:
        kept = getattr(model.classifier, "best_epoch_", model.classifier.n_iter_)
        print(
            f"wbce {options.command}: interrupted. {options.out} has the weights of epoch {kept}.",
            file=sys.stderr,
        )
        return 130
    return 0


def say_rows(rows: TrainingRows, data: str) -> None:
    """Say what was read, how imbalanced it is, and what the columns are."""
    from wbce import print_imbalance

    source = "standard input" if data == "-" else data
    print(f"{source}: {len(rows.y)} rows, {rows.n_columns} columns.\n")
    print(f"Target {rows.target.name!r}: ", end="")
    print_imbalance(rows.y, sample_weight=rows.sample_weight)
    print("\nColumns")
    for kind, plural in _PLURALS.items():
        of_kind = [column for column in rows.columns.used if column.kind == kind]
        names = [
            f"{column.name} ({', '.join(column.parts)})" if column.parts else column.name
            for column in of_kind
        ]
        if names:
            noun = plural if len(names) > 1 else kind
            _print_wrapped(f"{len(names):>5} {noun:<11}{listed(names)}", indent=17)
    unused = [name for name in rows.columns.unused if name != rows.target.name]
    if unused:
        _print_wrapped(f"  not used: {listed(unused)}", indent=4)
    for remark in rows.remarks:
        _print_wrapped(f"  Note: {remark}.", indent=4)


def _print_wrapped(text: str, indent: int) -> None:
    lines = textwrap.wrap(
        text,
        95,
        subsequent_indent=" " * indent,
        break_long_words=False,  # names and paths, which are to be copied
        break_on_hyphens=False,
    )
    print("\n".join(lines))


_PLURALS = {
    "number": "numbers",
    "category": "categories",
    "boolean": "booleans",
    "date": "dates",
    "text": "texts",
}


def _outcome(classifier: Any) -> list[str]:
    lines = []
    if hasattr(classifier, "best_epoch_"):
        lines.append(f"best after {classifier.best_epoch_} epochs")
    if getattr(classifier, "pos_weight_", 1.0) != 1.0:
        label = classifier.pos_label_
        lines.append(
            f"a row of {label!s} weighs {classifier.pos_weight_:.3g} times another in training"
        )
    threshold = classifier.threshold_
    if threshold is None or np.ndim(threshold):
        return lines
    curve = getattr(classifier, "threshold_curve_", None)
    label = classifier.pos_label_
    lines.append(f"{label!s} is said where its probability is above {threshold:.4g}")
    if curve is None:
        return lines
    table = curve.columns()
    place = int((expit(curve.scores) > threshold).sum())  # the cut that calls so many positive
    low, high = classifier.threshold_interval_.threshold
    objective = classifier.threshold_objective
    lines[-1] += f", chosen for {_in_words(objective)} (bootstrap: {low:.3g} to {high:.3g})"
    n_rows = table["tp"][0] + table["fp"][0] + table["fn"][0] + table["tn"][0]
    lines.append(
        f"on {n_rows:.0f} rows that the network which judged them had not seen: precision "
        f"{table['precision'][place]:.3f}, recall {table['recall'][place]:.3f}, F1 "
        f"{table['f1'][place]:.3f}, {table['alarms'][place]:.0f} alarms"
    )
    return lines


def _in_words(objective: Any) -> str:
    if isinstance(objective, dict):
        return ", ".join(f"{name}={value:g}" for name, value in objective.items())
    return str(objective)
