"""Displays of labelled rows: where they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from wbce._scored_rows import ScoredRows


class RowsDisplay(ABC):
    """A picture of labelled rows and the probabilities of one classifier.

    Made by :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    rows : ScoredRows

    Attributes
    ----------
    name : str
        What the picture calls the classifier.
    threshold : float or None
        The probability above which a row is called positive.
    ax_, figure_ : matplotlib axes and figure
        After `plot`.
    """

    ax_: Any
    figure_: Any

    def __init__(self, rows: ScoredRows) -> None:
        self.rows = rows
        self.name = rows.name
        self.threshold = rows.threshold

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        label: Any = None,
        name: str | None = None,
        ax: Any = None,
        **plot: Any,
    ) -> Self:
        """Draw what a fitted classifier does on rows that it has not seen.

        Parameters
        ----------
        estimator : estimator
            A ``WeightedKerasClassifier``, a Pipeline that ends in one, a search over either; or
            another fitted classifier with ``predict_proba``.
        X : array-like or frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), optional
            How many rows of the population each row stands for.
        label : object, optional
            Of three classes or more the one that is compared with the rest; of several labels a
            row the label's number.
        name : str, optional
            By default the class's name.
        ax : matplotlib axes, optional
            By default those of a new figure.
        **plot
            For `plot`.

        Returns
        -------
        display

        Raises
        ------
        TypeError, ValueError
            If the estimator has no probabilities or is not fitted, or rows and labels do not fit.
        ImportError
            Without Matplotlib.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier
        >>> from wbce.plotting import CalibrationMapDisplay
        >>> X, y = make_classification(600, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", pos_weight=9, epochs=5, random_state=0)
        >>> _ = clf.fit(X[:400], y[:400])
        >>> axes = Figure().subplots()
        >>> CalibrationMapDisplay.from_estimator(clf, X[400:], y[400:], ax=axes).name
        'WeightedKerasClassifier'
        """
        rows = ScoredRows.of_estimator(
            estimator, X, y, sample_weight=sample_weight, label=label, name=name
        )
        return cls(rows).plot(ax=ax, **plot)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        threshold: float | None = None,
        pos_label: Any = None,
        sample_weight: ArrayLike | None = None,
        raw_proba: ArrayLike | None = None,
        name: str = "classifier",
        ax: Any = None,
        **plot: Any,
    ) -> Self:
        """Draw probabilities that are there already.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of two classes.
        y_proba : array-like of shape (n_samples,)
            Probability of the positive class.
        threshold : float, optional
            The probability above which a row is called positive.
        pos_label : object, optional
            The positive class; by default the larger of {0, 1}, {-1, 1} and booleans, and the
            rarer of any other two labels.
        sample_weight : array-like of shape (n_samples,), optional
            How many rows of the population each row stands for.
        raw_proba : array-like of shape (n_samples,), optional
            Probabilities before they were mapped to those of the population.
        name : str, default="classifier"
        ax : matplotlib axes, optional
            By default those of a new figure.
        **plot
            For `plot`.

        Returns
        -------
        display

        Raises
        ------
        ValueError
            If labels are not of two classes, or probabilities not between 0 and 1.
        ImportError
            Without Matplotlib.

        Examples
        --------
        >>> from matplotlib.figure import Figure
        >>> from wbce.plotting import PrecisionRecallThresholdDisplay
        >>> y, proba = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
        >>> display = PrecisionRecallThresholdDisplay.from_predictions(
        ...     y, proba, threshold=0.3, ax=Figure().subplots()
        ... )
        >>> round(display.average_precision, 2)
        0.83
        """
        rows = ScoredRows.of_predictions(
            y_true,
            y_proba,
            threshold=threshold,
            pos_label=pos_label,
            sample_weight=sample_weight,
            raw_proba=raw_proba,
            name=name,
        )
        return cls(rows).plot(ax=ax, **plot)

    @abstractmethod
    def plot(self, ax: Any = None) -> Self:
        """Draw."""

    def _interval(self) -> Any:
        """Where the threshold lies on redrawn rows, if that is known."""
        interval = self.rows.interval
        known = interval is not None and np.isfinite(interval.threshold).all()
        return interval if known else None
