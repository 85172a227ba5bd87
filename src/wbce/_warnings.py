"""The few warnings of this package: public classes, each shown once a process."""

from __future__ import annotations

import sys
import warnings
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ImbalanceWarning(UserWarning):
    """Accuracy was asked for where a constant answer already scores high.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import make_classification
    >>> from wbce import ImbalanceWarning, WeightedKerasClassifier
    >>> X, y = make_classification(400, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ImbalanceWarning)  # accuracy is meant
    ...     accuracy = clf.score(X, y)
    """


class ClassWeightWarning(UserWarning):
    """The class weights favour the majority class.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import make_classification
    >>> from wbce import ClassWeightWarning, WeightedKerasClassifier
    >>> X, y = make_classification(400, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", pos_weight=0.5, epochs=3, random_state=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", ClassWeightWarning)  # false alarms are dear
    ...     clf = clf.fit(X, y)
    >>> clf.pos_weight_
    0.5
    """


class CalibrationWarning(UserWarning):
    """Probabilities are the network's own output: there is no way to those of the population.

    Examples
    --------
    >>> import warnings
    >>> from sklearn.datasets import make_classification
    >>> from wbce import CalibrationWarning, WeightedKerasClassifier
    >>> X, y = make_classification(400, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier(
    ...     "linear", loss="dice", early_stopping=False, epochs=3, random_state=0
    ... )
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", CalibrationWarning)  # only the order matters
    ...     clf = clf.fit(X, y)
    """


class CategoryWarning(UserWarning):
    """A column's categories are of no use.

    In the fit: nearly every row has its own, as in IDs, dates in words and free text. Later: none
    is one of the fit, as its type or its spelling has changed.

    Examples
    --------
    >>> import warnings
    >>> import pandas as pd
    >>> from wbce import CategoryWarning, WeightedKerasClassifier
    >>> X = pd.DataFrame({"country": pd.Categorical(["DE", "FR"] * 100)})
    >>> y = [0, 0, 0, 1] * 50
    >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", CategoryWarning)  # other countries are expected
    ...     decided = clf.predict(pd.DataFrame({"country": pd.Categorical(["de"] * 20)}))
    """


_shown: set[tuple[type[Warning], str]] = set()


def warn_once(message: str, category: type[Warning], about: str = "") -> None:
    """Warn, the first time in this process that ``category`` comes up (``about`` one matter).

    The line it is said of is the first outside this package.
    """
    if (category, about) not in _shown:
        frame: FrameType | None = sys._getframe()
        level = 1
        while frame is not None and frame.f_globals.get("__name__", "").startswith("wbce."):
            frame, level = frame.f_back, level + 1
        warnings.warn(message, category, stacklevel=level)
        _shown.add((category, about))


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
