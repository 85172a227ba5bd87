"""A model and the rows of a file, as the model takes them."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.cli._errors import CommandError, listed
from wbce.cli._model_file import FittedModel
from wbce.cli._reading import check_path, read_table
from wbce.cli._table import Table


def read_model_and_rows(options: Namespace) -> tuple[FittedModel, Table, Any]:
    """Read a model, a table, and the table's features; columns that are ignored are said.

    Raises
    ------
    CommandError
    """
    check_path(options.model_file, "a model that wbce fit wrote")
    check_path(options.data, "a CSV or Parquet file, or - for standard input")
    model = FittedModel.read(options.model_file, options.trust)
    table = read_table(options.data, options.sep, options.encoding)
    table.decimal = options.decimal or model.columns.decimal
    X = model.columns.features(table)
    roles = {model.target.name, getattr(options, "target", None), getattr(options, "weights", None)}
    ignored = [name for name in model.columns.strangers(table) if name not in roles]
    if ignored:
        say(options, f"columns that were not there at the fit are ignored: {listed(ignored)}.")
    return model, table, X


def labels_of(model: FittedModel, table: Table, target: str) -> NDArray[Any]:
    """The labels of a table, all of them known to the model.

    Raises
    ------
    CommandError
        If there are others.
    """
    from wbce.cli._target import Target

    labels = Target(target, model.target.kind).labels(table)
    classes = model.classifier.classes_
    strange = sorted({str(label) for label in labels.tolist()} - {str(c) for c in classes.tolist()})
    if strange:
        raise CommandError(
            f"The target {target!r} of {table.source} has {listed(map(repr, strange))}, and the "
            f"model knows {listed(repr(c) for c in classes.tolist())}."
        )
    if len(np.unique(labels)) < 2:
        raise CommandError(
            f"The target {target!r} is {labels[0]!s} in all {len(labels)} rows of {table.source}: "
            "with one class there is nothing to compare. Pass rows of both."
        )
    return labels


def say(options: Namespace, text: str) -> None:
    """Say something beside the output."""
    print(f"wbce {options.command}: note: {text}", file=sys.stderr)
