"""The rows that a model is fitted on: features, labels, weights, groups, in time order."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.cli import _kinds
from wbce.cli._columns import Columns, describe
from wbce.cli._errors import CommandError, UsageError, listed
from wbce.cli._reading import read_table
from wbce.cli._table import Table
from wbce.cli._target import Target, label_called

_ENOUGH_TO_CHOOSE = 5


@dataclass
class TrainingRows:
    """What ``fit`` takes, and what to say of it.

    Attributes
    ----------
    X : pandas.DataFrame
    y : ndarray
    columns : Columns
    target : Target
    sample_weight, groups : ndarray or None
    remarks : list of str
    n_columns : int
        Of the file.
    """

    X: Any
    y: NDArray[Any]
    columns: Columns
    target: Target
    sample_weight: NDArray[np.float64] | None
    groups: NDArray[Any] | None
    remarks: list[str]
    n_columns: int

    @property
    def fit_arguments(self) -> dict[str, Any]:
        """Beside X and y."""
        given = {"sample_weight": self.sample_weight, "groups": self.groups}
        return {name: value for name, value in given.items() if value is not None}

    def positive(self, said: str | None) -> Any:
        """The positive label, by the estimator's rule where none is said; None for more classes.

        Raises
        ------
        CommandError
            If there is no such label.
        """
        classes, codes = np.unique(self.y, return_inverse=True)
        if len(classes) > 2:
            if said is not None:
                raise UsageError(
                    f"--pos-label {said} is for two classes, and {self.target.name!r} has "
                    f"{len(classes)}."
                )
            return None
        labels = classes.tolist()
        if said is not None:
            return label_called(said, classes, "--pos-label", self.target.name)
        if set(labels) in ({0, 1}, {-1, 1}):
            return labels[1]
        counts = np.bincount(codes, weights=self.sample_weight)
        return labels[0] if counts[0] < counts[1] else labels[1]


def read_training_rows(options: Namespace) -> TrainingRows:
    """Read what options say, and find out what it is.

    Raises
    ------
    UsageError, CommandError
        If columns are not there, or cannot be what options say.
    """
    roles = {
        "--target": options.target,
        "--weights": options.weights,
        "--groups": options.groups,
        "--time-column": options.time_column,
    }
    named = [name for name in (*roles.values(), *options.drop) if name is not None]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise UsageError(
            f"{listed(map(repr, twice))} is named by several of --target, --weights, --groups, "
            "--time-column and --drop. Every column has one part."
        )
    table = read_table(options.data, options.sep, options.encoding)
    table.decimal = options.decimal
    table.check_names(named)
    if options.time_column is not None:
        table = _in_time_order(table, options.time_column)
    target, y = Target.of(table, options.target)
    _check_rows_suffice(y, target, options.threshold in ("auto", "exact"))
    weights = None if options.weights is None else weights_of(table, options.weights)
    groups = None if options.groups is None else _groups(table, options.groups)
    unused = [name for option, name in roles.items() if name and option != "--time-column"]
    if options.time_column is not None and not _is_date(table, options.time_column):
        unused.append(options.time_column)
    columns, remarks = describe(
        table,
        unused=[*unused, *options.drop],
        categories=options.category,
        time_column=options.time_column,
    )
    X = columns.features(table)
    remarks += _giveaways(X, y, target)
    return TrainingRows(X, y, columns, target, weights, groups, remarks, len(table.names))


def _in_time_order(table: Table, name: str) -> Table:
    values = table.column(name)
    kind = _kinds.kind_of(values, table.decimal)
    if kind not in ("date", "number") or values.isna().any():
        what = "values are missing" if values.isna().any() else f"has {kind} values"
        raise CommandError(
            f"--time-column {name}: it must have a date or a number in every row, and {what}. "
            "Dates are best written as 2026-12-31 or 2026-12-31 23:59:59."
        )
    columns, _ = describe(table, unused=[n for n in table.names if n != name], time_column=name)
    (column,) = columns.used
    times = _kinds.as_kind(values, kind, table.decimal, table.source, column.date_format)
    return table.ordered(np.argsort(times.to_numpy(), kind="stable"))


def _is_date(table: Table, name: str) -> bool:
    return _kinds.kind_of(table.column(name), table.decimal) == "date"


def _check_rows_suffice(y: NDArray[Any], target: Target, threshold_is_chosen: bool) -> None:
    classes, counts = np.unique(y, return_counts=True)
    rare = int(np.argmin(counts))
    if counts[rare] < 2:
        raise CommandError(
            f"{target.name!r} is {classes[rare]!s} in one row only. Two rows of every class are "
            "the least, and thirty are few."
        )
    if threshold_is_chosen and counts[rare] < _ENOUGH_TO_CHOOSE:
        raise CommandError(
            f"{target.name!r} is {classes[rare]!s} in {counts[rare]} rows only, and a threshold is "
            f"chosen on {_ENOUGH_TO_CHOOSE} of every class at least. Pass --threshold 0.5 or "
            "another number."
        )


def weights_of(table: Table, name: str) -> NDArray[np.float64]:
    """A column of a table as weights of its rows.

    Raises
    ------
    CommandError
        If one is negative or missing, or all are zero.
    """
    values = table.column(name)
    if _kinds.is_text(values):
        numbers = _kinds.number_or_nan(values, table.decimal).to_numpy(np.float64)
    else:
        numbers = _kinds.as_kind(values, "number", table.decimal, table.source).to_numpy(np.float64)
    wrong = ~((numbers >= 0) & (numbers < np.inf))
    if wrong.any():
        row = int(wrong.argmax())
        raise CommandError(
            f"--weights {name}: row {row + 1} of {table.source} has {str(values.iloc[row])!r}, and "
            "a weight is a number, zero or more."
        )
    if not numbers.any():
        raise CommandError(f"--weights {name}: all weights are zero.")
    return numbers


def _groups(table: Table, name: str) -> NDArray[Any]:
    groups = _kinds.as_kind(table.column(name), "category", table.decimal, table.source)
    if groups.isna().any():
        raise CommandError(
            f"--groups {name}: {int(groups.isna().sum())} rows of {table.source} have none. Give "
            "every row one."
        )
    return groups.to_numpy(object).astype(str)


def _giveaways(X: Any, y: NDArray[Any], target: Target) -> list[str]:
    """Columns that have one value for every label, and so say it."""
    import pandas as pd

    labels, n_classes = pd.Series(y), len(np.unique(y))
    remarks = []
    for name in X.columns:
        values = X[name]
        if values.nunique(dropna=False) != n_classes:
            continue
        pairs = pd.DataFrame({"value": values, "label": labels}).drop_duplicates()
        if len(pairs) == n_classes and pairs["label"].nunique() == n_classes:
            remarks.append(
                f"column {name!r} says {target.name!r} in every row. If it is known only "
                f"afterwards, leave it out: --drop {name!r}"
            )
    return remarks
