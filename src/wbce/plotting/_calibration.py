"""Probabilities against what came true, before and after they were mapped."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.metrics import log_loss

from wbce._numbers import is_number
from wbce._reliability import ReliabilityCurve, reliability_curve
from wbce._scored_rows import ScoredRows
from wbce.plotting._rows import RowsDisplay
from wbce.plotting._style import BLUE, GREY, NEAREST_SHOWN, ORANGE, log_odds_axis, new_axes

_SCALES = ("log_odds", "linear")


class CalibrationMapDisplay(RowsDisplay):
    """How often rows of a probability are positive: of the network's output, and of the posterior.

    On a scale of log-odds, where 0.1 % and 1 % are as far apart as 99 % and 99.9 %. Below the
    diagonal probabilities are too high, as those of a network that was trained with class weights
    are until the weights are undone. Bins without a positive lie on the lower edge, and those
    nearer to 0 or 1 than one in a million on the edge there.

    Parameters
    ----------
    rows : ScoredRows

    Attributes
    ----------
    mapped, raw : ReliabilityCurve, or None
        ``predicted``, ``observed``, ``low`` and ``high`` of each bin; the raw one of a network's
        own output, where that is known.
    name : str
    mapped_, raw_ : matplotlib error bars, or None
    diagonal_ : matplotlib line
    ax_, figure_ : matplotlib axes and figure

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : One curve, on a linear scale.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from wbce.plotting import CalibrationMapDisplay
    >>> y, proba = [0] * 16 + [1] * 4, [0.1] * 10 + [0.5] * 10
    >>> display = CalibrationMapDisplay.from_predictions(y, proba, n_bins=2)
    >>> display.mapped.observed.tolist()
    [0.0, 0.4]
    >>> from matplotlib.figure import Figure
    >>> _ = display.plot(ax=Figure().subplots())  # on axes of yours
    """

    mapped: ReliabilityCurve
    raw: ReliabilityCurve | None
    mapped_: Any
    raw_: Any
    diagonal_: Any

    def plot(
        self,
        ax: Any = None,
        *,
        name: str | None = None,
        n_bins: int = 8,
        scale: str = "log_odds",
        plot_raw: bool = True,
        **errorbar: Any,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib axes, optional
            By default those of a new figure.
        name : str, optional
            In the legend.
        n_bins : int, default=8
            At most.
        scale : {"log_odds", "linear"}, default="log_odds"
        plot_raw : bool, default=True
            Whether to show the network's own output too, where it is known.
        **errorbar
            For Matplotlib's ``errorbar`` of the mapped probabilities.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `scale` or `n_bins` is not allowed.
        """
        if scale not in _SCALES:
            raise ValueError(f"scale={scale!r} is not allowed: pass one of {list(_SCALES)}.")
        if not (is_number(n_bins) and n_bins >= 1 and int(n_bins) == n_bins):
            raise ValueError(f"n_bins={n_bins!r} is not allowed: pass a whole number, 1 or more.")
        self.ax_ = ax = new_axes(ax, figsize=(5.6, 5.2))
        self.figure_ = ax.figure
        self.name = name or self.name
        raw = self.rows.raw_proba if plot_raw else None
        self.mapped = self._curve(self.rows.proba, n_bins)
        self.raw = None if raw is None else self._curve(raw, n_bins)
        (self.diagonal_,) = ax.plot(
            [1e-9, 1 - 1e-9], [1e-9, 1 - 1e-9], color=GREY, linestyle=(0, (2, 3)), linewidth=1.2
        )
        ends = (0.0, 1.0) if scale == "linear" else self._ends()
        self.raw_ = None
        if self.raw is not None:
            words = f"{self.name}, raw (log loss {_log_loss(raw, self.rows):.3f})"
            style = {"color": ORANGE, "marker": "s", "mfc": "white", "label": words}
            self.raw_ = _error_bars(ax, self.raw, ends, style)
        mapped = "" if self.raw is None else ", mapped"
        words = f"{self.name}{mapped} (log loss {_log_loss(self.rows.proba, self.rows):.3f})"
        style = {"color": BLUE, "marker": "o", "label": words} | errorbar
        self.mapped_ = _error_bars(ax, self.mapped, ends, style)
        if scale == "linear":
            ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        else:
            for axis in "xy":
                log_odds_axis(ax, axis, *ends)
        ax.set(xlabel="Predicted probability", ylabel="Share that is positive")
        ax.legend(loc="upper left", frameon=False)
        return self

    def _curve(self, proba: Any, n_bins: int) -> ReliabilityCurve:
        rows = self.rows
        return reliability_curve(proba, rows.positive, rows.sample_weight, n_bins=int(n_bins))

    def _ends(self) -> tuple[float, float]:
        """What an axis of log-odds shows: what was predicted, and what was seen of positives."""
        curves = [curve for curve in (self.mapped, self.raw) if curve is not None]
        shares = np.concatenate([[*curve.predicted, *curve.observed] for curve in curves])
        inner = shares[(shares > 0) & (shares < 1)]
        base_rate = self.rows.base_rate
        low = min(inner.min(initial=base_rate), base_rate) / 2
        high = (1 + max(inner.max(initial=base_rate), 0.2)) / 2
        return max(float(low), NEAREST_SHOWN), min(float(high), 1 - NEAREST_SHOWN)


def _error_bars(
    ax: Any, curve: ReliabilityCurve, ends: tuple[float, float], style: dict[str, Any]
) -> Any:
    observed = np.clip(curve.observed, *ends)
    spread = np.abs([observed - np.clip(curve.low, *ends), np.clip(curve.high, *ends) - observed])
    options = {"yerr": spread, "linewidth": 1.2, "elinewidth": 1, "capsize": 2, "markersize": 6}
    return ax.errorbar(np.clip(curve.predicted, *ends), observed, **(options | style))


def _log_loss(proba: Any, rows: ScoredRows) -> float:
    return float(log_loss(rows.positive, proba, sample_weight=rows.sample_weight))
