"""What every threshold would give, by several measures and in costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wbce.decisions import Objective, binary_objective, thinned
from wbce.losses import check_cost_matrix
from wbce.plotting._rows import RowsDisplay
from wbce.plotting._style import LINES, NEAREST_SHOWN, ink, log_odds_axis, mark_threshold, new_axes

_ALL = ("f1", "f2", "mcc", "balanced_accuracy", "youden", "g_mean")
_WORDS = {
    "mcc": "MCC",
    "balanced_accuracy": "balanced accuracy",
    "youden": "Youden",
    "g_mean": "G-mean",
}
_MOST_POINTS = 2000
_MOST_CALLED = 0.75
"""Thresholds that call more of the negatives positive than this are not worth the room."""


class ThresholdObjectiveDisplay(RowsDisplay):
    """Every objective, and the cost of a row, against the threshold.

    A dot is where each is best; a flat top says that the threshold matters little there, a narrow
    one that it must be chosen well. The band is where the threshold would lie if the rows that
    chose it were drawn again.

    Parameters
    ----------
    rows : ScoredRows

    Attributes
    ----------
    thresholds : ndarray of shape (n_cuts,)
    objectives : dict of ndarray of shape (n_cuts,)
        By name; ``"cost"`` is the mean cost of a row.
    name : str
    threshold : float or None
    lines_ : dict of matplotlib lines
        By name.
    best_ : dict of matplotlib lines
        The dots, by name.
    threshold_line_, interval_ : matplotlib artists, or None
    ax_, cost_ax_, figure_ : matplotlib axes and figure
        ``cost_ax_`` is the scale on the right; None without costs.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from wbce.plotting import ThresholdObjectiveDisplay
    >>> display = ThresholdObjectiveDisplay.from_predictions(
    ...     [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], objectives=["f1"], cost_matrix=[[0, 1], [5, 0]]
    ... )
    >>> display.objectives["f1"].round(2).tolist()
    [0.0, 0.67, 0.5, 0.8, 0.67]
    >>> display.objectives["cost"].tolist()
    [2.5, 1.25, 1.5, 0.25, 0.5]
    >>> from matplotlib.figure import Figure
    >>> _ = display.plot(ax=Figure().subplots())  # on axes of yours
    """

    thresholds: NDArray[np.float64]
    objectives: dict[str, NDArray[np.float64]]
    lines_: dict[str, Any]
    best_: dict[str, Any]
    threshold_line_: Any
    interval_: Any
    cost_ax_: Any

    def plot(
        self,
        ax: Any = None,
        *,
        name: str | None = None,
        objectives: Iterable[Any] | None = None,
        cost_matrix: ArrayLike | None = None,
        **line: Any,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default those of a new figure.
        name : str, optional
            The title.
        objectives : iterable, optional
            Of what ``threshold_objective`` takes for two classes: names, bounds, functions. By
            default ``"f1"``, ``"f2"``, ``"mcc"``, ``"balanced_accuracy"``, ``"youden"``,
            ``"g_mean"``, and the estimator's own.
        cost_matrix : array-like of shape (2, 2), optional
            ``[[TN, FP], [FN, TP]]``, positives in the second place; by default the estimator's.
        **line
            For Matplotlib's ``plot`` of every line.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an objective is not known.
        """
        costs, said = self._costs(cost_matrix), self._said(objectives)
        self.ax_ = ax = new_axes(ax, figsize=(8.8, 4.6))
        self.figure_, self.cost_ax_ = ax.figure, None
        self.name = name or self.name
        curve = thinned(self.rows.curve, most=_MOST_POINTS)
        self.thresholds = curve.threshold
        self.objectives, self.lines_, self.best_ = {}, {}, {}
        for objective, style in zip(said, itertools.cycle(_styles()), strict=False):
            values = objective.values(*curve.counts)
            self._draw(ax, self._name_of(objective), values, style | line)
        if costs is not None:
            values = -binary_objective("cost", costs).values(*curve.counts)
            self.cost_ax_ = ax.twinx()
            style = {"color": ink(ax), "linestyle": (0, (5, 1)), "linewidth": 2} | line
            self._draw(self.cost_ax_, "cost", values, style, best=np.nanargmin)
            self.cost_ax_.set(ylabel="Cost of a row", ylim=(0, None))
        self.threshold_line_, self.interval_ = mark_threshold(ax, self.threshold, self._interval())
        within = (curve.false_positive_rate <= _MOST_CALLED) & (np.arange(len(curve)) > 0)
        shown = curve.threshold[within][:-1] if within.sum() > 2 else curve.threshold[1:-1]
        ends = [*shown] if len(shown) else [0.4, 0.6]
        if self.threshold is not None and NEAREST_SHOWN <= self.threshold <= 1 - NEAREST_SHOWN:
            ends.append(self.threshold)
        log_odds_axis(ax, "x", min(ends), max(ends))
        ax.set(xlabel="Threshold", ylabel="Objective", title=self.name)
        self._legend(ax)
        return self

    def _draw(
        self,
        ax: Any,
        name: str,
        values: NDArray[np.float64],
        style: dict[str, Any],
        best: Any = np.nanargmax,
    ) -> None:
        self.objectives[name] = values
        words = {"label": _words(name)} | style
        (self.lines_[name],) = ax.plot(self.thresholds, values, drawstyle="steps-mid", **words)
        if np.isfinite(values).any():
            top = best(values)
            (self.best_[name],) = ax.plot(
                [self.thresholds[top]],
                [values[top]],
                marker="o",
                markeredgecolor="black",
                color=self.lines_[name].get_color(),
                linestyle="none",
                zorder=5,
            )

    def _name_of(self, objective: Objective) -> str:
        """As it is known; numbered, where functions share a name."""
        said = objective.said
        name = said if isinstance(said, str) else _words(said)
        same = sum(drawn == name or drawn.startswith(f"{name} (") for drawn in self.lines_)
        return f"{name} ({same + 1})" if same else name

    def _costs(self, cost_matrix: ArrayLike | None) -> Any:
        if cost_matrix is not None:
            costs = check_cost_matrix(cost_matrix)
            if costs.shape != (2, 2):
                raise ValueError(
                    f"cost_matrix has the shape {costs.shape}: pass [[TN, FP], [FN, TP]], the "
                    "costs of calling a negative and a positive row one or the other."
                )
            return costs
        return self.rows.cost_matrix

    def _said(self, objectives: Iterable[Any] | None) -> list[Objective]:
        if isinstance(objectives, str | Mapping) or callable(objectives):
            objectives = [objectives]
        if objectives is None:
            own = self.rows.objective
            objectives = [*_ALL, *([own] if own is not None and own not in (*_ALL, "cost") else [])]
        return [binary_objective(said) for said in objectives]

    def _legend(self, ax: Any) -> None:
        handles, words = ax.get_legend_handles_labels()
        if self.cost_ax_ is not None:
            more = self.cost_ax_.get_legend_handles_labels()
            handles, words = handles + more[0], words + [f"{word} (right)" for word in more[1]]
        beside = 1.12 if self.cost_ax_ is not None else 1.02
        ax.legend(handles, words, loc="upper left", bbox_to_anchor=(beside, 1), frameon=False)


def _styles() -> list[dict[str, Any]]:
    thick = [style | {"linewidth": 1.8} for style in LINES]
    return [*thick, *(style | {"linewidth": 3.0, "alpha": 0.7} for style in LINES)]


def _words(said: Any) -> str:
    if isinstance(said, str):
        return _WORDS.get(said, said.upper() if said.startswith("f") else said)
    if isinstance(said, Mapping):
        return ", ".join(f"{name} {bound:g}" for name, bound in said.items())
    return getattr(said, "__name__", "objective")
