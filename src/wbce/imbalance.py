"""What the imbalance of some labels is, and what weights the strategies would give: a text."""

from __future__ import annotations

import sys
import textwrap
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from wbce._rows import as_labels, check_sample_weight
from wbce.weights import STRATEGIES, class_counts, class_weight_vector, label_counts


def print_imbalance(
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    file: TextIO | None = None,
) -> None:
    """Print how imbalanced labels are, and the weights that each strategy gives.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Labels of two classes or more; or zeros and ones, a column for every label.
    sample_weight : array-like of shape (n_samples,), optional
        How many rows of the population each row stands for.
    file : file-like, optional
        Where to print; standard output by default.

    Raises
    ------
    ValueError
        If y is not of labels, or of one class only.

    Examples
    --------
    >>> from wbce import print_imbalance
    >>> print_imbalance(["legit"] * 950 + ["fraud"] * 50)
    1000 rows, 2 classes: 1 'fraud' to 19 'legit'
    <BLANKLINE>
    class        rows   share   balanced    sqrt     log   effective
    'fraud'        50   5.00%      10.00    3.73    3.64        7.96
    'legit'       950  95.00%       0.53    0.86    0.86        0.63
    pos_weight                     19.00    4.36    4.23       12.57
    <BLANKLINE>
    Weights have the mean one over the rows, and train the network only: probabilities stay those
    of the population. Rule of thumb: up to 1:100 try half the ratio to the whole, pos_weight 10 to
    19, or loss='focal'. Many tables need none: let a search over pos_weight, 1 among them, decide,
    scored by average precision.
    """
    y = as_labels(y)
    if not len(y):
        raise ValueError("y is empty: pass the labels of the rows to train on.")
    with np.errstate(invalid="ignore"):  # of floats beyond all whole numbers
        kind = type_of_target(y, input_name="y")
    if kind == "multilabel-indicator":
        text = _of_labels(*_with_weight(y, sample_weight))
    elif kind in ("binary", "multiclass"):
        text = _of_classes(*_with_weight(np.asarray(column_or_1d(y)), sample_weight))
    else:
        raise ValueError(
            f"y is of type {kind!r}: pass labels of two classes or more, or a matrix of zeros and "
            "ones with a column for every label."
        )
    print(text, file=sys.stdout if file is None else file)


def _with_weight(
    y: NDArray[Any], sample_weight: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    weights = check_sample_weight(sample_weight, y)
    return y[weights > 0], weights[weights > 0]


def _of_classes(y: NDArray[Any], sample_weight: NDArray[np.float64]) -> str:
    classes, codes = np.unique(y, return_inverse=True)
    counts = class_counts(codes, len(classes), sample_weight)
    labels = [repr(label) for label in classes.tolist()]
    if len(labels) < 2:
        raise ValueError(f"y has one class, {labels[0]}; an imbalance is between two or more.")
    rare, frequent = int(np.argmin(counts)), int(np.argmax(counts))
    ratio = float(counts[frequent] / counts[rare])
    weights = {
        name: class_weight_vector(counts, classes.tolist(), class_weight=name)
        for name in STRATEGIES
    }
    width = max(10, *map(len, labels))
    lines = [
        f"{_count(counts.sum())} rows, {len(labels)} classes: "
        f"1 {labels[rare]} to {ratio:.3g} {labels[frequent]}",
        "",
        _heading("class", width, "share"),
    ]
    for code in np.argsort(counts, kind="stable"):
        share = counts[code] / counts.sum()
        own = [weights[name][code] for name in STRATEGIES]
        lines.append(_line(labels[code], width, counts[code], share, own))
    if len(labels) == 2:
        ratios = [weights[name][rare] / weights[name][frequent] for name in STRATEGIES]
        lines.append(f"{'pos_weight':<{width}}{'':15}{_numbers(ratios)}")
    return "\n".join([*lines, "", *_advice(ratio)])


def _of_labels(y: NDArray[Any], sample_weight: NDArray[np.float64]) -> str:
    counts = label_counts(y.astype(np.intp), sample_weight)
    lines = [
        f"{_count(sample_weight.sum())} rows, {len(counts)} labels; pos_weight of each:",
        "",
        _heading("label", 10, "share"),
    ]
    worst = 1.0
    for label, pair in enumerate(counts):
        share = float(pair[1] / pair.sum())
        if not pair.all():
            lines.append(f"{label:<10}{_count(pair[1]):>7}{share:>8.2%}  no weight: drop the label")
            continue
        worst = max(worst, float(pair.max() / pair.min()))
        strategies = [class_weight_vector(pair, [0, 1], class_weight=name) for name in STRATEGIES]
        lines.append(_line(str(label), 10, pair[1], share, [w[1] / w[0] for w in strategies]))
    return "\n".join([*lines, "", *_advice(worst)])


def _heading(name: str, width: int, share: str) -> str:
    columns = "".join(f"{name:>{_width(name)}}" for name in STRATEGIES)
    return f"{name:<{width}}{'rows':>7}{share:>8}{columns}"


def _line(label: str, width: int, count: float, share: float, values: list[float]) -> str:
    return f"{label:<{width}}{_count(count):>7}{share:>8.2%}{_numbers(values)}"


def _numbers(values: list[float]) -> str:
    pairs = zip(STRATEGIES, values, strict=True)
    return "".join(f"{value:>{_width(name)}.2f}" for name, value in pairs)


def _width(strategy: str) -> int:
    return max(8, len(strategy) + 3)


def _count(count: float) -> str:
    return f"{count:.0f}" if count == round(count) else f"{count:.1f}"


def _advice(ratio: float) -> list[str]:
    if ratio <= 2:
        rule = "this is nearly balanced, no weights are needed"
    elif ratio <= 10:
        rule = "up to 1:10 weigh by the ratio itself, class_weight='balanced'"
    elif ratio <= 100:
        rule = (
            f"up to 1:100 try half the ratio to the whole, pos_weight {ratio / 2:.0f} to "
            f"{ratio:.0f}, or loss='focal'"
        )
    else:
        rule = (
            f"towards 1:1000 try pos_weight 100 to {min(ratio, 500):.0f}, and resampling (fewer "
            "rows of the frequent class)"
        )
    words = (
        "Weights have the mean one over the rows, and train the network only: probabilities stay "
        f"those of the population. Rule of thumb: {rule}. Many tables need none: let a search over "
        "pos_weight, 1 among them, decide, scored by average precision."
    )
    return textwrap.wrap(words, 95)
