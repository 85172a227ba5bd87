"""The column that is to be predicted, as labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.cli._errors import CommandError, did_you_mean, listed
from wbce.cli._kinds import as_kind, is_text, number_or_nan
from wbce.cli._table import Table

KINDS = ("integer", "boolean", "text")
_MOST_CLASSES = 50


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes
    ----------
    name : str
        Of the column.
    kind : {"integer", "boolean", "text"}
        What labels are in Python.
    """

    name: str
    kind: str

    @classmethod
    def of(cls, table: Table, name: str) -> tuple[Target, NDArray[Any]]:
        """Find out what a column's labels are, and give them.

        Raises
        ------
        CommandError
            If they are missing in some rows, all the same, or amounts.
        """
        values = table.column(name)
        missing = int(values.isna().sum())
        if missing:
            raise CommandError(
                f"The target {name!r} is missing in {missing} of {len(values)} rows of "
                f"{table.source} (the first is row {int(values.isna().to_numpy().argmax()) + 1}). "
                "Leave these rows out: nothing can be learned from them."
            )
        target = cls(name, _kind(values))
        labels = target.labels(table)
        classes = np.unique(labels)
        if len(classes) == 1:
            raise CommandError(
                f"The target {name!r} is {classes[0]!s} in all {len(values)} rows of "
                f"{table.source}, and two classes are needed."
            )
        if target.kind != "boolean" and (
            len(classes) > _MOST_CLASSES or (_is_amount(values) and len(classes) > 2)
        ):
            raise CommandError(
                f"The target {name!r} has {len(classes)} different values, such as "
                f"{listed(classes, 3)}: an amount or a name, and no class. Make a column of it "
                "that says what is to be found, such as whether it is above a limit."
            )
        return target, labels

    def labels(self, table: Table) -> NDArray[Any]:
        """The column of a table as labels.

        Raises
        ------
        CommandError
            If it is not there, or has other values than labels of this kind.
        """
        values = table.column(self.name)
        if values.isna().any():
            raise CommandError(
                f"The target {self.name!r} is missing in {int(values.isna().sum())} of "
                f"{len(values)} rows of {table.source}. Leave these rows out."
            )
        if self.kind == "boolean":
            texts = as_kind(values, "boolean", table.decimal, table.source)
            return (texts == "true").to_numpy(bool)
        if self.kind == "integer":
            numbers = as_kind(values, "number", table.decimal, table.source)
            return numbers.to_numpy(np.float64).astype(np.int64)
        return as_kind(values, "category", table.decimal, table.source).to_numpy(object).astype(str)


def label_called(text: str, classes: NDArray[Any], option: str, target: str) -> Any:
    """The label that is meant by a text.

    Raises
    ------
    CommandError
        If there is none.
    """
    by_text = {str(label).lower(): label for label in classes.tolist()}
    if text.lower() not in by_text:
        known = [str(label) for label in classes.tolist()]
        raise CommandError(
            f"{option} {text} is none of the values of {target!r}.{did_you_mean(text, known)} "
            f"These are: {listed(known)}."
        )
    return by_text[text.lower()]


def _kind(values: Any) -> str:
    if is_text(values):
        texts = values.astype(str).str.strip()
        if set(texts.str.lower()) <= {"true", "false"}:
            return "boolean"
        numbers = number_or_nan(texts, ".")
        leading_zeros = texts.str.match(r"[+-]?0\d").any()
        whole = numbers.notna().all() and not leading_zeros and (numbers % 1 == 0).all()
        return "integer" if whole else "text"
    name = str(values.dtype).lower()
    if name.startswith("bool"):
        return "boolean"
    if name.startswith("datetime"):
        return "text"
    numbers = values.to_numpy("float64")
    return "integer" if (numbers % 1 == 0).all() else "text"


def _is_amount(values: Any) -> bool:
    """Whether values are numbers with decimals."""
    numbers = number_or_nan(values.astype(str), ".")
    return bool(numbers.notna().all() and (numbers % 1 != 0).any())
