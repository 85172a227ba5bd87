"""A table that was read: its columns, and how to speak of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wbce.cli._errors import CommandError, listed, no_such_column


@dataclass
class Table:
    """Columns of a file.

    Attributes
    ----------
    frame : pandas.DataFrame
        Columns of texts (CSV), or of numbers, booleans, dates and texts (Parquet); missing values
        are missing.
    source : str
        Where they are from, for messages.
    nested : dict
        Columns of lists and structs, which cannot be used, and their types.
    decimal : str
        What is before the decimals of numbers that are texts.
    """

    frame: Any
    source: str
    nested: dict[str, str] = field(default_factory=dict)
    decimal: str = "."

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def names(self) -> list[str]:
        """Of all columns."""
        return [*self.frame.columns, *self.nested]

    def column(self, name: str) -> Any:
        """One column.

        Raises
        ------
        CommandError
            If there is none of this name, or it has lists.
        """
        self.check_names([name])
        if name in self.nested:
            raise CommandError(
                f"Column {name!r} of {self.source} has the type {self.nested[name]}, which is no "
                "column of single values. Unpack it into columns of its own, or leave it out with "
                "--drop."
            )
        return self.frame[name]

    def check_names(self, names: Sequence[str]) -> None:
        """Check that there are columns of these names.

        Raises
        ------
        CommandError
            That names the first that is not there, and which was meant.
        """
        for name in names:
            if name not in self.names:
                raise no_such_column(name, self.names, self.source)

    def ordered(self, order: Any) -> Table:
        """The same rows in another order."""
        frame = self.frame.iloc[order].reset_index(drop=True)
        return Table(frame, self.source, self.nested, self.decimal)


def check_header(names: Sequence[str], source: str) -> None:
    """Check that every column has a name of its own.

    Raises
    ------
    CommandError
        That says which come twice, or which has none.
    """
    twice = [repr(name) for name, n in Counter(names).items() if n > 1]
    if twice:
        raise CommandError(
            f"{source!r} has several columns of the name {listed(twice)}. Give every column a name "
            "of its own."
        )
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise CommandError(
                f"Column {number} of {source!r} has no name (the columns: {listed(names)}). Name "
                "it in the first line; rows that pandas wrote are without it by index=False."
            )
