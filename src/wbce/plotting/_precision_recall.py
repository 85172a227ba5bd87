"""Precision against recall, with the threshold that was chosen."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from wbce.decisions import average_precision, thinned
from wbce.plotting._rows import RowsDisplay
from wbce.plotting._style import BLUE, GREY, ORANGE, new_axes

_MOST_POINTS = 5000


class PrecisionRecallThresholdDisplay(RowsDisplay):
    """Precision against recall, the chosen threshold's point, and what redrawn rows make of it.

    The thick part of the curve is where the threshold would lie if the rows that chose it were
    drawn again, for 90 % of draws: a long one says that the choice was mostly chance.

    Parameters
    ----------
    rows : ScoredRows

    Attributes
    ----------
    precision, recall : ndarray of shape (n_cuts,)
        At every threshold, the highest first.
    average_precision : float
    base_rate : float
        The positives' share: the precision of a classifier that knows nothing.
    name : str
    threshold : float or None
    line_ : matplotlib line
        The curve.
    chosen_ : matplotlib line or None
        The point of the estimator's decisions.
    interval_ : matplotlib line or None
        The thick part.
    chance_level_ : matplotlib line or None
    ax_, figure_ : matplotlib axes and figure

    See Also
    --------
    sklearn.metrics.PrecisionRecallDisplay : The same curve, without a threshold.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier
    >>> from wbce.plotting import PrecisionRecallThresholdDisplay
    >>> X, y = make_classification(1000, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("mlp", epochs=5, threshold="auto", random_state=0)
    >>> _ = clf.fit(X[:700], y[:700])
    >>> display = PrecisionRecallThresholdDisplay.from_estimator(clf, X[700:], y[700:])
    >>> display.ax_.get_xlabel(), bool(display.average_precision > display.base_rate)
    ('Recall', True)
    >>> from matplotlib.figure import Figure
    >>> _ = display.plot(ax=Figure().subplots())  # on axes of yours
    """

    chosen_: Any
    interval_: Any
    chance_level_: Any
    line_: Any

    @property
    def precision(self) -> NDArray[np.float64]:
        """At every threshold, the highest first."""
        return self.rows.curve.precision

    @property
    def recall(self) -> NDArray[np.float64]:
        """At every threshold, the highest first."""
        return self.rows.curve.recall

    @property
    def average_precision(self) -> float:
        """Precision at every distinct score, weighted by the recall gained there."""
        rows = self.rows
        return average_precision(rows.log_odds, rows.positive, rows.sample_weight)

    @property
    def base_rate(self) -> float:
        """The positives' share."""
        return self.rows.base_rate

    def plot(
        self,
        ax: Any = None,
        *,
        name: str | None = None,
        plot_chance_level: bool = True,
        plot_threshold: bool = True,
        **line: Any,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default those of a new figure.
        name : str, optional
            In the legend.
        plot_chance_level : bool, default=True
            Whether to show the base rate.
        plot_threshold : bool, default=True
            Whether to show the decisions' point and the threshold's interval.
        **line
            For Matplotlib's ``plot`` of the curve.

        Returns
        -------
        self
        """
        self.ax_ = ax = new_axes(ax)
        self.figure_ = ax.figure
        self.name = name or self.name
        style = {"color": BLUE, "drawstyle": "steps-post"}
        style["label"] = f"{self.name} (AP = {self.average_precision:.2f})"
        style |= line
        curve = thinned(self.rows.curve, most=_MOST_POINTS)
        (self.line_,) = ax.plot(curve.recall, curve.precision, **style)
        self.chosen_ = self.interval_ = self.chance_level_ = None
        if plot_threshold:
            self._plot_threshold(ax, self.line_.get_color())
        if plot_chance_level:
            words = f"base rate ({self.base_rate:.2g})"
            self.chance_level_ = ax.axhline(
                self.base_rate, color=GREY, linestyle=(0, (2, 3)), linewidth=1.2, label=words
            )
        ax.set(xlabel="Recall", ylabel="Precision", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.legend(loc="best", frameon=False)
        return self

    def _plot_threshold(self, ax: Any, color: Any) -> None:
        tp, fp, fn, _ = self.rows.counts
        interval, curve = self._interval(), self.rows.curve
        if interval is not None:
            low, high = interval.threshold
            within = np.flatnonzero((curve.threshold >= low) & (curve.threshold <= high))
            if len(within) > 1:
                steps = np.linspace(0, len(within) - 1, min(len(within), _MOST_POINTS))
                within = within[steps.astype(np.intp)]
                words = f"threshold on redrawn rows ({interval.level:.0%})"
                (self.interval_,) = ax.plot(
                    curve.recall[within],
                    curve.precision[within],
                    color=color,
                    drawstyle="steps-post",
                    linewidth=7,
                    alpha=0.25,
                    solid_capstyle="butt",
                    label=words,
                )
        words = "decisions" if self.threshold is None else f"threshold {self.threshold:.3g}"
        (self.chosen_,) = ax.plot(
            [tp / (tp + fn)],
            [tp / (tp + fp) if tp + fp else 1.0],
            color=ORANGE,
            marker="o",
            markersize=8,
            markeredgecolor="black",
            linestyle="none",
            zorder=5,
            label=words,
        )
