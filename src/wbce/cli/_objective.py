"""What a threshold is chosen for, from a text."""

from __future__ import annotations

from typing import Any

from wbce.cli._errors import did_you_mean
from wbce.decisions import binary_objective, class_objective

_NAMES = ("f1", "f2", "mcc", "balanced_accuracy", "youden", "g_mean", "cost")
_BOUNDS = ("min_precision", "min_recall", "max_fpr", "max_alarms")
_ONE_EACH = [[0.0, 1.0], [1.0, 0.0]]


def read_objective(text: str) -> str | dict[str, float]:
    """Read a name, or bounds.

    Raises
    ------
    ValueError
        If it is not known.

    Examples
    --------
    >>> read_objective("f2")
    'f2'
    >>> read_objective("max_alarms=20,per=1000")
    {'max_alarms': 20, 'per': 1000}
    """
    said: Any = text
    if "=" in text:
        said = {}
        for part in text.split(","):
            name, _, number = part.partition("=")
            try:
                said[name.strip()] = float(number) if "." in number else int(number)
            except ValueError:
                raise ValueError(
                    f"{part!r} is not allowed: pass such as min_precision=0.9"
                ) from None
    try:
        binary_objective(said, _ONE_EACH)
    except ValueError as error:
        try:
            class_objective(said, _ONE_EACH)
        except ValueError:
            raise ValueError(_in_words(text, error)) from None
    return said


def _in_words(text: str, error: ValueError) -> str:
    """The error without Python's names: what is known is named as it is typed here."""
    reason = str(error).partition("is not allowed: ")[2]
    if reason and "=" in text:
        return f"{text!r} is not allowed: {reason}"
    hint = did_you_mean(text.partition("=")[0], [*_NAMES, *_BOUNDS])
    return (
        f"{text!r} is not known.{hint} Pass {', '.join(_NAMES)} or another f<beta>; or bounds: "
        f"{', '.join(f'{name}=number' for name in _BOUNDS)}"
    )
