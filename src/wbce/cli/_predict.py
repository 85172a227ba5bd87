"""``wbce predict``: probabilities and decisions for the rows of a file."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from typing import Any

import numpy as np

from wbce.cli._errors import CommandError, UsageError, listed
from wbce.cli._model_file import FittedModel, check_out_path
from wbce.cli._scored_file import read_model_and_rows, say
from wbce.cli._standard_output import write_as_utf_8
from wbce.cli._table import Table

_CSV, _PARQUET = (".csv", ".csv.gz", ".tsv"), ".parquet"


def run(options: Namespace) -> int:
    """Predict, and write a table: to a file, or to standard output.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    CommandError
    """
    if options.out is not None:
        if not options.out.endswith((*_CSV, _PARQUET)):
            raise UsageError(
                f"--out {options.out} is not allowed: its name must end in "
                f"{listed((*_CSV, _PARQUET))}."
            )
        check_out_path(options.out, options.force)
    model, table, X = read_model_and_rows(options)
    predictions = _kept(table, options.keep)
    for name, values in _predicted(model, X, options.proba_only).items():
        if name in predictions:
            raise CommandError(
                f"--keep {name}: the predictions have a column of this name. Rename it in "
                f"{table.source}."
            )
        predictions[name] = values
    _write(predictions, options)
    return 0


def _kept(table: Table, names: list[str]) -> Any:
    table.check_names(names)
    for name in names:
        table.column(name)
    return table.frame[list(dict.fromkeys(names))].copy()


def _predicted(model: FittedModel, X: Any, proba_only: bool) -> dict[str, Any]:
    """Columns by name: one probability for two classes, one a class for more; the decision."""
    proba = model.estimator.predict_proba(X)
    classes = model.classifier.classes_
    if len(classes) == 2:
        positive = int(np.flatnonzero(classes == model.classifier.pos_label_)[0])
        columns = {"probability": proba[:, positive]}
    else:
        columns = {f"probability_{label!s}": proba[:, i] for i, label in enumerate(classes)}
    if not proba_only:
        columns["prediction"] = model.estimator.predict(X)
    return columns


def _write(predictions: Any, options: Namespace) -> None:
    from wbce._archive import written_whole

    if options.out is None:
        write_as_utf_8()
        predictions.to_csv(sys.stdout, index=False, lineterminator="\n")
        sys.stdout.flush()
        return
    try:
        with written_whole(options.out) as file:
            if options.out.endswith(_PARQUET):
                predictions.to_parquet(file, index=False)
            else:
                with io.BytesIO() as content:
                    predictions.to_csv(
                        content,
                        index=False,
                        lineterminator="\n",
                        sep="\t" if options.out.endswith(".tsv") else ",",
                        compression="gzip" if options.out.endswith(".gz") else None,
                    )
                    file.write(content.getvalue())
    except OSError as error:
        raise CommandError(
            f"--out {options.out} cannot be written: {error.strerror or error}."
        ) from error
    say(options, f"{len(predictions)} rows are in {options.out}.")
