"""`report`, and what it returns."""

from __future__ import annotations

import html
import os
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from wbce._archive import written_whole
from wbce._scored_rows import ScoredRows
from wbce.reporting._findings import Findings, check_per_day, findings_of
from wbce.reporting._page import page_of
from wbce.reporting._risks import Risk
from wbce.reporting._sentences import chosen_log_odds, headline
from wbce.reporting._text import text_of

_HEIGHT = 760
"""Of the page in a notebook, in pixels; it scrolls in itself."""


def report(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    label: Any = None,
    per_day: float | None = None,
    cost_matrix: ArrayLike | None = None,
    name: str | None = None,
) -> Report:
    """Tell what a fitted classifier does on labelled rows, and what is risky about it.

    Nothing is printed: the object that is returned shows itself, as a text in an interpreter and
    as a page in a notebook. In a script, ``print(report(...))``.

    Parameters
    ----------
    estimator : estimator
        A fitted ``WeightedKerasClassifier``, a Pipeline that ends in one, or a search over either;
        or any fitted classifier of scikit-learn's kind with ``predict_proba``.
    X, y : array-like
        Rows that it has not seen, and their labels.
    sample_weight : array-like of shape (n_samples,), optional
        How many rows of the population each row stands for. All figures are of the weighted rows.
    label : object, optional
        For three classes or more the one that is compared with the rest; for several labels a
        row its number.
    per_day : float, optional
        How many rows come in a day. Alarms and costs are then those of a day, and of 1,000 rows
        without it.
    cost_matrix : array-like of shape (2, 2), optional
        As the estimator's parameter, and by default that: ``cost_matrix[i, j]`` is the cost of
        calling a row of class ``classes_[i]`` a ``classes_[j]``, for two classes. For one class
        against the rest ``[[TN, FP], [FN, TP]]``.
    name : str, optional
        What to call the estimator; by default its class's name.

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError
        If the estimator is no fitted classifier with probabilities, labels are unknown or of one
        class only, or `per_day` or `cost_matrix` is not allowed.

    See Also
    --------
    wbce.print_imbalance : before a fit, from labels alone.

    Notes
    -----
    Intervals hold 90 %. Those of shares (precision, recall, accuracy, alarms) are Wilson's; those
    of F1, MCC, balanced accuracy and cost come from the four counts, drawn under Jeffreys' prior;
    all others from 200 bootstrap samples of the rows. What each part means: docs/report.md.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.model_selection import train_test_split
    >>> from wbce import WeightedKerasClassifier, report
    >>> X, y = make_classification(2000, weights=[0.9], random_state=0)
    >>> X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)
    >>> clf = WeightedKerasClassifier("mlp", epochs=20, threshold=0.3, random_state=0).fit(X, y)
    >>> found = report(clf, X_test, y_test, per_day=10_000)
    >>> print(found)  # doctest: +ELLIPSIS
    WeightedKerasClassifier: Of 52 rows of class 1 among 500 it finds ...
    """
    check_per_day(per_day)
    rows = ScoredRows.of_estimator(
        estimator, X, y, sample_weight=sample_weight, label=label, name=name
    )
    return Report(findings_of(rows, X, per_day=per_day, cost_matrix=cost_matrix))


class Report:
    """What a classifier does on some rows: a text, a page, and figures.

    Made by `report`. ``str`` and an interpreter give the text, a notebook shows the page.

    Attributes
    ----------
    risks : list of Risk
        The worst first, each with ``name``, ``severity`` (``"serious"``, ``"caution"`` or
        ``"note"``), ``words`` and ``advice``.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier, report
    >>> X, y = make_classification(1000, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", epochs=5, random_state=0).fit(X[:500], y[:500])
    >>> found = report(clf, X[500:], y[500:])
    >>> found.to_dict()["rows"]
    500
    >>> "<html" in found.to_html()
    True
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found.save(os.path.join(folder, "report.html"))
    ...     os.listdir(folder)
    ['report.html']
    """

    def __init__(self, found: Findings) -> None:
        self._found = found

    @property
    def risks(self) -> list[Risk]:
        """What is risky, the worst first."""
        return list(self._found.risks)

    def to_dict(self) -> dict[str, Any]:
        """Give all figures as dicts, lists, strings, numbers, booleans and None.

        Returns
        -------
        dict
            ``name``, ``positive``, ``sentence``, ``rows``, ``confusion``, ``threshold``,
            ``risks``, ``metrics``, ``calibration``, ``classes``, ``pos_weight``, ``training``,
            ``cuts``, ``mistakes`` and ``columns``; ``json.dumps`` takes it as it is.
        """
        found, cuts = self._found, self._found.cuts
        tp, fp, fn, tn = found.rows.counts
        at = None if cuts.chosen is None else _probabilities(chosen_log_odds(found))
        said = {
            "name": found.rows.name,
            "positive": found.rows.pos_label,
            "sentence": headline(found),
            "rows": len(found.rows.positive),
            "per_day": found.per_day,
            "confusion": {"tp": tp, "fp": fp, "fn": fn, "tn": tn},
            "threshold": {"value": at, "interval": found.interval},
            "risks": found.risks,
            "metrics": {
                metric.name: {
                    "value": metric.value,
                    "interval": [metric.low, metric.high],
                    "baselines": metric.baselines,
                }
                for metric in found.metrics
            },
            "calibration": found.calibration,
            "classes": found.classes,
            "pos_weight": found.pos_weight,
            "training": found.training,
            "cuts": {"threshold": _probabilities(cuts.log_odds), "tp": cuts.tp, "fp": cuts.fp},
            "mistakes": found.mistakes,
            "columns": {"looked_at": found.n_columns, "left_out": found.n_columns_left_out},
        }
        return {key: _plain(value) for key, value in said.items()}

    def to_html(self) -> str:
        """Give the page, complete: it loads nothing else.

        Returns
        -------
        str
        """
        return self._page

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page into one file, which is there as a whole or as it was before.

        Parameters
        ----------
        path : str or path-like
            Ends in ``.html`` or ``.htm``: browsers go by that.

        Raises
        ------
        ValueError
            If the path ends otherwise.
        OSError
            If it cannot be written.
        """
        file = Path(path)
        if file.suffix.lower() not in (".html", ".htm"):
            raise ValueError(
                f"path={os.fspath(path)!r} is not allowed: a report is saved as a page, which "
                "browsers know by its name. End it in .html; for figures, json.dumps(to_dict())."
            )
        page = self._page.encode()
        try:
            with written_whole(file) as stream:
                stream.write(page)
        except OSError as error:
            raise type(error)(
                error.errno,
                f"The report cannot be written there ({error.strerror}); choose a folder that "
                "exists and that you may write to",
                os.fspath(path),
            ) from error

    @cached_property
    def _text(self) -> str:
        return text_of(self._found)

    @cached_property
    def _page(self) -> str:
        return page_of(self._found)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        """The page in a frame of its own, so that its rules and the notebook's do not meet."""
        return (
            '<iframe title="Report on a classifier" sandbox="allow-scripts" '
            f'style="width:100%;height:{_HEIGHT}px;border:0" '
            f'srcdoc="{html.escape(self._page)}"></iframe>'
        )


def _probabilities(log_odds: Any) -> Any:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-np.asarray(log_odds, dtype=np.float64)))


def _plain(value: Any) -> Any:
    """A value as JSON has it; what is not finite, or missing, is None."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
