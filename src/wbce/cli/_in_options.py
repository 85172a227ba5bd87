"""Messages of the estimator, which name its parameters, in the words of the command line."""

from __future__ import annotations

import re

_PYTHON_ONLY = (
    (", or pass labelled rows to fit as X_val and y_val", ""),
    ("Pass labelled rows to fit as X_val and y_val", "Bring more rows"),
    ("or choose it out of fold, threshold_cv=5", "or say it: --threshold 0.5, or another number"),
    (", a pos_weight above 1, or an alpha above 0.5", ", or a pos_weight above 1"),
    ("class_weight, pos_weight or alpha", "class_weight or pos_weight"),
)
"""What cannot be typed, and what can be instead."""

_NAMES = (
    "class_weight", "epochs", "gamma", "groups", "loss", "pos_label", "pos_weight", "prior",
    "threshold", "threshold_objective", "validation_split",
)  # fmt: skip
_CALLED = {"random_state": "--seed", "sample_weight": "--weights"} | {
    name: "--" + name.replace("_", "-") for name in _NAMES
}
_VALUE = r"\{[^}]*\}|\"[^\"]*\"|'[^']*'|[\w.+-]*\w"
_GIVEN = re.compile(rf"(?<![\w.-])({'|'.join(_CALLED)})=({_VALUE})")
_NAMED = re.compile(rf"(?<![\w.-])({'|'.join(name for name in _CALLED if '_' in name)})(?![\w(-])")


def in_options(text: str) -> str:
    """Name options instead of parameters.

    Words that are also English, such as threshold, are taken as parameters only with a value.

    Examples
    --------
    >>> in_options("pos_weight=3.0 weighs one class. Pass class_weight, for every threshold.")
    '--pos-weight 3.0 weighs one class. Pass --class-weight, for every threshold.'
    >>> in_options("threshold_objective={'max_alarms': 20, 'per': 10}: no")
    '--threshold-objective max_alarms=20,per=10: no'
    """
    for said, instead in _PYTHON_ONLY:
        text = text.replace(said, instead)
    text = _GIVEN.sub(lambda found: f"{_CALLED[found[1]]} {_typed(found[2])}", text)
    return _NAMED.sub(lambda found: _CALLED[found[1]], text)


def _typed(value: str) -> str:
    """A value as it is typed."""
    if value.startswith("{"):
        return re.sub(r"[{}'\s]", "", value).replace(":", "=")
    return value.strip("\"'")
