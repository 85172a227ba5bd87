"""The few warnings of this package: public classes, each shown once a process."""

from __future__ import annotations

import sys
import warnings
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ImbalanceWarning(UserWarning):
    """Accuracy was asked for where a constant answer already scores high."""


class ClassWeightWarning(UserWarning):
    """The class weights favour the majority class."""


class CalibrationWarning(UserWarning):
    """Probabilities are the network's own output: there is no way to those of the population."""


class CategoryWarning(UserWarning):
    """A column has no category of those of the fit: its type or its spelling has changed."""


_shown: set[type[Warning]] = set()


def warn_once(message: str, category: type[Warning]) -> None:
    """Warn, the first time in this process that a warning of ``category`` comes up.

    The line it is said of is the first outside this package.
    """
    if category not in _shown:
        frame: FrameType | None = sys._getframe()
        level = 1
        while frame is not None and frame.f_globals.get("__name__", "").startswith("wbce."):
            frame, level = frame.f_back, level + 1
        warnings.warn(message, category, stacklevel=level)
        _shown.add(category)


def warn_of_accuracy(y: NDArray[Any], sample_weight: NDArray[np.float64] | None) -> None:
    """Warn where the minority is under 20 %, and say what the constant majority would score."""
    labels, codes = np.unique(y, return_inverse=True)
    shares = np.bincount(codes, weights=sample_weight, minlength=2)
    shares = shares / shares.sum()
    if 0 < shares.min() < 0.2:
        majority = labels.tolist()[int(np.argmax(shares))]
        warn_once(
            f"score is accuracy, and {shares.max():.1%} of these rows are {majority!r}: answering "
            f"{majority!r} always scores {shares.max():.3f}. Pass scoring='average_precision', "
            "'neg_log_loss' or an F1 scorer instead (for labels other than 0 and 1: "
            "make_scorer(f1_score, pos_label=...)).",
            ImbalanceWarning,
        )
