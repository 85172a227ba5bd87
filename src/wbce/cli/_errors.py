"""What goes wrong on the command line, in words for the person who typed the command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_MOST_NAMES = 12


class CommandError(Exception):
    """A command cannot be done: the message says what was passed, what is allowed, what to do."""

    exit_code = 1


class UsageError(CommandError):
    """Options do not fit together."""

    exit_code = 2


def no_such_column(name: str, columns: Sequence[str], where: str) -> CommandError:
    """Say that a column is missing, and which was meant.

    Examples
    --------
    >>> print(no_such_column("fruad", ["amount", "fraud"], "cards.csv"))
    There is no column 'fruad' in cards.csv. Did you mean 'fraud'? Its columns are: amount, fraud.
    """
    return CommandError(
        f"There is no column {name!r} in {where}.{did_you_mean(name, columns)} Its columns are: "
        f"{listed(columns)}."
    )


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Ask for the nearest of the names that there are; nothing where none is near.

    Examples
    --------
    >>> did_you_mean("AMOUNT", ["amount", "fraud"])
    " Did you mean 'amount'?"
    """
    by_small_letters = {other.lower().strip(): other for other in known}
    near = get_close_matches(name.lower().strip(), list(by_small_letters), 1)
    return f" Did you mean {by_small_letters[near[0]]!r}?" if near else ""


def listed(names: Iterable[object], most: int = _MOST_NAMES) -> str:
    """Names one after the other, and how many more there are.

    Examples
    --------
    >>> listed("abcde", most=3)
    'a, b, c and 2 more'
    """
    texts = [str(name) for name in names]
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")
