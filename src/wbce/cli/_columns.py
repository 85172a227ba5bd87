"""What each column of a table is, found at the fit, stored with the model, applied ever after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from wbce.cli import _kinds
from wbce.cli._dates import ISO, find_format, is_ambiguous, parse_dates, part, parts_of
from wbce.cli._errors import CommandError, did_you_mean, listed
from wbce.cli._table import Table

_PARTS = ("days", "month", "weekday", "hour")


@dataclass(frozen=True)
class Column:
    """A column that the network is told of.

    Attributes
    ----------
    name : str
    kind : str
        ``"number"``, ``"boolean"``, ``"category"``, ``"date"`` or ``"text"``.
    date_format : str
        How dates are written.
    parts : list of str
        What the network is told of dates.
    """

    name: str
    kind: str
    date_format: str = ""
    parts: list[str] = field(default_factory=list)

    def features(self, table: Table) -> dict[str, Any]:
        """What the network is told, by name.

        Raises
        ------
        CommandError
            If values are not of this kind.
        """
        values = _kinds.as_kind(
            table.column(self.name), self.kind, table.decimal, table.source, self.date_format
        )
        if self.kind in ("category", "boolean"):  # by type, so that skrub makes no numbers of them
            values = values.astype("category")
        if self.kind != "date":
            return {self.name: values.reset_index(drop=True)}
        return {f"{self.name} ({name})": part(values, name) for name in self.parts}


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes
    ----------
    used : list of Column
        In the order in which the network takes them.
    unused : list of str
        Others that were there.
    decimal : str
        What is before the decimals of numbers in CSV files.
    """

    used: list[Column]
    unused: list[str]
    decimal: str = "."

    def features(self, table: Table) -> Any:
        """A table as the frame that the network takes; other columns than the used are ignored.

        Raises
        ------
        CommandError
            If columns are missing, or have values of another kind.
        """
        import pandas as pd

        missing = [column.name for column in self.used if column.name not in table.names]
        if missing:
            hints = [did_you_mean(name, table.names).strip() for name in missing[:3]]
            near = "".join(f" {hint}" for hint in hints if hint)
            raise CommandError(
                f"{table.source} lacks {len(missing)} of the {len(self.used)} columns that the "
                f"model was fitted on: {listed(map(repr, missing))}.{near} Its columns are: "
                f"{listed(table.names)}."
            )
        parts = {k: v for column in self.used for k, v in column.features(table).items()}
        return pd.DataFrame(parts, index=range(len(table)))

    def strangers(self, table: Table) -> list[str]:
        """Columns of a table that were not there at the fit."""
        known = {*(column.name for column in self.used), *self.unused}
        return [name for name in table.names if name not in known]

    @property
    def texts(self) -> list[str]:
        """Columns of free text."""
        return [column.name for column in self.used if column.kind == "text"]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Any) -> Columns:
        """Make it anew.

        Raises
        ------
        ValueError
            If it is not what `document` gives.
        """
        used = [Column(**column) for column in document["used"]]
        names = [column.name for column in used]
        fits = (
            names
            and len({*names}) == len(names)
            and all(type(text) is str for c in used for text in (c.name, c.kind, c.date_format))
            and all(c.kind in _kinds.KINDS and {*c.parts} <= {*_PARTS} for c in used)
            and all(type(name) is str for name in document["unused"])
            and document["decimal"] in (".", ",")
        )
        if not fits:
            raise ValueError("its columns are not described")
        return cls(used, document["unused"], document["decimal"])


def describe(
    table: Table,
    *,
    unused: Sequence[str],
    categories: Sequence[str] = (),
    time_column: str | None = None,
) -> tuple[Columns, list[str]]:
    """Find out what the columns of a table are.

    Parameters
    ----------
    table : Table
    unused : sequence of str
        Columns that the network is not told of.
    categories : sequence of str
        Columns that are categories, whatever they look like, such as zip codes.
    time_column : str, optional
        The column that orders the rows.

    Returns
    -------
    columns : Columns
    remarks : list of str
        What a person should look at.

    Raises
    ------
    CommandError
        If no column is left, or one has numbers or dates but for a few values.
    """
    table.check_names([*unused, *categories])
    both = [name for name in categories if name in unused]
    if both:
        raise CommandError(f"--category and --drop (or --target) both name {listed(both)}.")
    used, left_out, remarks = [], list(unused), []
    for name in table.names:
        if name in unused:
            continue
        values = table.column(name)
        column = _column(values, table.decimal, name in categories, name == time_column)
        mixed = "" if name in categories else _meant_otherwise(values, column, table.decimal)
        if mixed and column.kind == "text":
            raise CommandError(f"{mixed}; or pass --category {name!r}, or --drop {name!r}.")
        if mixed:
            remarks.append(f"{mixed}. It is taken as a category")
        reason = _why_not(values, column, name in categories)
        if reason:
            left_out.append(name)
            remarks.append(f"column {name!r} is left out: {reason}")
        else:
            used.append(column)
            remarks += _remarks(values, column)
    if not used:
        raise CommandError(
            f"No column of {table.source} is left to predict from. "
            + (f"Left out: {listed(map(repr, left_out))}." if left_out else "")
        )
    _check_new_names(used)
    return Columns(used, left_out, table.decimal), remarks


def _column(values: Any, decimal: str, is_category: bool, is_time_column: bool) -> Column:
    kind = "category" if is_category else _kinds.kind_of(values, decimal)
    if kind != "date":
        return Column(str(values.name), kind)
    form = ISO  # of a column that has dates by type, in a later CSV file
    if _kinds.is_text(values):
        different = values.dropna().astype(str).str.strip().unique().tolist()
        form = find_format(different) or ISO
    dates = _kinds.as_kind(values, "date", decimal, "", form)
    return Column(str(values.name), kind, form, parts_of(dates, is_time_column))


def _why_not(values: Any, column: Column, is_category: bool) -> str:
    """Why nothing can be learned from a column; empty where something can."""
    known = values.dropna()
    if not len(known):
        return "it is empty"
    n_different = known.nunique()
    if n_different == 1 and len(known) == len(values):
        return f"it is {str(known.iloc[0])!r} in every row"
    if is_category or n_different < len(values) or len(values) < 10:
        return ""
    if column.kind == "text" and not known.astype(str).str.strip().str.contains(r"\s").mean() > 0.5:
        return "it has another value in every row, as names and numbers of rows have"
    if column.kind == "number" and _counts_rows(known, str(values.name)):
        return "it has another whole number in every row, as row numbers have"
    return ""


def _counts_rows(values: Any, name: str) -> bool:
    numbers = _kinds.number_or_nan(values, ".") if _kinds.is_text(values) else values.astype(float)
    if not (numbers % 1 == 0).all():
        return False
    words = name.replace("_", " ").replace("-", " ").lower().split()
    named = "id" in words or name.endswith(("Id", "ID"))
    return bool(named or numbers.max() - numbers.min() == len(numbers) - 1)


def _remarks(values: Any, column: Column) -> list[str]:
    if column.kind == "date" and column.date_format:
        different = values.dropna().astype(str).str.strip().unique().tolist()
        if is_ambiguous(different, column.date_format):
            return [
                f"column {column.name!r} has dates such as {different[0]!r}, taken as day, month, "
                "year. Write them as 2026-12-31 if that is wrong"
            ]
    return []


def _meant_otherwise(values: Any, column: Column, decimal: str) -> str:
    """Say of texts that they look like numbers or dates, but for some; empty where they do not."""
    if column.kind not in ("category", "text") or not _kinds.is_text(values):
        return ""
    texts = values.dropna().astype(str).str.strip()
    other = "," if decimal == "." else "."
    if _kinds.looks_like_decimals(values, other):
        thousands = ""
        if decimal == ",":
            thousands = ", or take out the points, if they are between thousands"
        return (
            f"column {column.name!r} has numbers such as {texts.iloc[0]!r}: pass --decimal "
            f"{other}{thousands}"
        )
    if _kinds.looks_like_amounts(texts):
        return (
            f"column {column.name!r} has numbers with a sign, such as {texts.iloc[0]!r}: write "
            "them without it, if they are amounts or shares"
        )
    for kind, found in (
        ("numbers", _kinds.number_or_nan(texts, decimal)),
        ("dates", parse_dates(texts.where(texts.str.len() >= 8), ISO)),
    ):
        strange = texts[found.isna()]
        if 0 < len(strange) < len(texts) / 10:
            return (
                f"column {column.name!r} has {kind}, but for {len(strange)} values such as "
                f"{strange.iloc[0]!r} (row {strange.index[0] + 1}). Leave these empty, if they "
                "mean missing"
            )
    return ""


def _check_new_names(used: list[Column]) -> None:
    names = [c.name for c in used if c.kind != "date"]
    new = [f"{c.name} ({p})" for c in used if c.kind == "date" for p in c.parts]
    twice = {*names} & {*new}
    if twice:
        raise CommandError(
            f"Columns made of dates would have names that are taken: {listed(sorted(twice))}. "
            "Rename these."
        )
