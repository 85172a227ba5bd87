"""The estimator's parameters, each checked on its own before any data is looked at."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import numpy as np

from wbce.validation import check_fraction


def check_parameters(estimator: Any) -> None:
    """Check every parameter that can be judged without the data.

    Raises
    ------
    ValueError
        That names the parameter, its value and what is allowed.
    """
    estimator._named_loss()  # the loss checks its own: gamma, label_smoothing, from_logits
    _check_gamma(estimator.gamma)
    check_fraction(estimator.validation_split)
    _check_threshold(estimator.threshold)
    _check_flag("calibrate", estimator.calibrate)
    if estimator.early_stopping not in (True, False, "auto"):
        raise ValueError(
            f"early_stopping={estimator.early_stopping!r} is not allowed: pass True, False or "
            "'auto'."
        )
    _check_count("n_iter_no_change", estimator.n_iter_no_change)
    _check_count("epochs", estimator.epochs)


def _check_gamma(gamma: Any) -> None:
    if (
        isinstance(gamma, bool)
        or not isinstance(gamma, int | float | np.number)
        or not (0 <= gamma < np.inf)
    ):
        raise ValueError(
            f"gamma={gamma!r} is not allowed: pass a finite number, gamma >= 0 (0 is "
            "cross-entropy, 2 the usual choice)."
        )


def _check_threshold(threshold: Any) -> None:
    if threshold is None or (isinstance(threshold, str) and threshold == "auto"):
        return
    allowed = (
        "a number in [0, 1], 'auto' (best F1 on validation rows), or None (as the weights imply)"
    )
    if isinstance(threshold, str):
        near = get_close_matches(threshold, ["auto"], 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"threshold={threshold!r} is not known.{hint} Known: {allowed}.")
    if (
        isinstance(threshold, bool)
        or not isinstance(threshold, int | float | np.number)
        or not 0 <= threshold <= 1
    ):
        raise ValueError(f"threshold={threshold!r} is not allowed: pass {allowed}.")


def _check_flag(name: str, value: Any) -> None:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}={value!r} is not allowed: pass True or False.")


def _check_count(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name}={value!r} is not allowed: pass a whole number, at least 1.")
