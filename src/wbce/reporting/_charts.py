"""The page's pictures: SVG whose colours are the page's own, by classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from wbce.reporting import _words as words
from wbce.reporting._calibration import Bin
from wbce.reporting._findings import Findings
from wbce.reporting._markup import Markup, element

Float64 = NDArray[np.float64]

_WIDTH, _HEIGHT = 340, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 20, 12, 38
_PROBABILITIES = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-6)
_TOPS = (0.004, 0.02, 0.04, 0.1, 0.2, 0.4, 1.0)
"""Of the precision axis: a rare class that is hard to find has all of its curve near zero."""


@dataclass(frozen=True)
class Axis:
    """Numbers to places along one side.

    Attributes
    ----------
    low, high : float
    ticks : list of (float, str)
    name : str
    """

    low: float
    high: float
    ticks: list[tuple[float, str]]
    name: str

    def at(self, values: Float64 | float) -> Float64:
        """Share of the way from `low` to `high`, within it."""
        share = (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)
        return np.clip(share, 0, 1)


@dataclass(frozen=True)
class Plot:
    """An empty picture with its axes."""

    name: str
    x_axis: Axis
    y_axis: Axis

    def x(self, values: Float64 | float) -> Float64:
        """Places from the left."""
        return _LEFT + self.x_axis.at(values) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, values: Float64 | float) -> Float64:
        """Places from the top."""
        return _HEIGHT - _BOTTOM - self.y_axis.at(values) * (_HEIGHT - _TOP - _BOTTOM)

    def line(self, xs: Float64, ys: Float64, kind: str) -> Markup:
        """A line through points."""
        places = zip(self.x(xs).tolist(), self.y(ys).tolist(), strict=True)
        return element("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places), class_=kind)

    def dot(self, x: float, y: float, kind: str, radius: float = 4.5) -> Markup:
        """A point."""
        return element("circle", cx=_said(self.x(x)), cy=_said(self.y(y)), r=radius, class_=kind)

    def box(self, x: float, y: float, kind: str) -> Markup:
        """A point with corners."""
        left, top = float(self.x(x)) - 3.5, float(self.y(y)) - 3.5
        return element("rect", x=f"{left:.1f}", y=f"{top:.1f}", width=7, height=7, class_=kind)

    def upright(self, x: float, kind: str) -> Markup:
        """A line from bottom to top."""
        at = _said(self.x(x))
        return element("line", x1=at, x2=at, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_=kind)

    def band(self, low: float, high: float, kind: str) -> Markup:
        """All between two places on the x axis."""
        left, right = float(self.x(low)), float(self.x(high))
        return element(
            "rect",
            x=f"{left:.1f}",
            y=_TOP,
            width=f"{max(right - left, 1):.1f}",
            height=_HEIGHT - _TOP - _BOTTOM,
            class_=kind,
        )

    def drawn(self, title: str, told: str, *content: Markup | None) -> Markup:
        """The picture with its axes, and in words for those who do not see it."""
        ids = f"{self.name}-title", f"{self.name}-told"
        return element(
            "svg",
            element("title", title, id=ids[0]),
            element("desc", told, id=ids[1]),
            element("g", *self._ticks(), class_="axes", aria_hidden="true"),
            element("g", *content, aria_hidden="true"),
            viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
            role="img",
            aria_labelledby=ids[0],
            aria_describedby=ids[1],
            data_plot=self.name,
            data_left=_LEFT,
            data_right=_WIDTH - _RIGHT,
            data_top=_TOP,
            data_bottom=_HEIGHT - _BOTTOM,
            data_low=f"{self.x_axis.low:.6g}",
            data_high=f"{self.x_axis.high:.6g}",
            data_highest=f"{self.y_axis.high:.6g}",
        )

    def _ticks(self) -> Iterable[Markup]:
        bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
        for value, said in self.x_axis.ticks:
            at = _said(self.x(value))
            yield element("line", x1=at, x2=at, y1=_TOP, y2=bottom, class_="grid")
            yield element("text", said, x=at, y=bottom + 14, text_anchor="middle")
        for value, said in self.y_axis.ticks:
            at = _said(self.y(value))
            yield element("line", x1=_LEFT, x2=right, y1=at, y2=at, class_="grid")
            down = f"{float(self.y(value)) + 3.5:.1f}"
            yield element("text", said, x=_LEFT - 5, y=down, text_anchor="end")
        middle = (_LEFT + right) / 2
        yield element("text", self.x_axis.name, x=middle, y=_HEIGHT - 6, text_anchor="middle")
        up = (_TOP + bottom) / 2
        yield element(
            "text",
            self.y_axis.name,
            x=11,
            y=up,
            text_anchor="middle",
            transform=f"rotate(-90 11 {up})",
        )


def precision_recall(found: Findings) -> Markup:
    """Precision against recall, with the chosen cut, its interval, and a mark that moves."""
    cuts, total = found.cuts, found.rows.curve.tp[-1]
    some = cuts.tp + cuts.fp > 0
    recall, precision = cuts.tp[some] / total, cuts.tp[some] / (cuts.tp + cuts.fp)[some]
    top = next(top for top in _TOPS if top >= min(1.0, 1.05 * float(precision.max())))
    plot = Plot("precision-recall", _shares("recall"), _shares("precision", top))
    base_rate = found.rows.base_rate
    content: list[Markup | None] = [
        plot.line(np.array([0.0, 1.0]), np.array([base_rate, base_rate]), "base"),
        plot.line(recall, precision, "one"),
    ]
    ends = _ends(found)
    if ends is not None:
        within = (cuts.log_odds[some] >= ends[0]) & (cuts.log_odds[some] <= ends[1])
        if within.sum() > 1:
            content.append(plot.line(recall[within], precision[within], "between"))
    told = f"The base rate is {words.share(base_rate)}."
    start = cuts.half if cuts.chosen is None else cuts.chosen
    n_alarms = cuts.tp[start] + cuts.fp[start]
    here = cuts.tp[start] / total, cuts.tp[start] / n_alarms if n_alarms > 0 else 1.0
    if cuts.chosen is not None:
        content.append(plot.dot(*here, "chosen"))
        told += (
            f" At the chosen threshold precision is {words.share(here[1])} and recall "
            f"{words.share(here[0])}."
            if n_alarms > 0
            else " At the chosen threshold there is no alarm."
        )
    content.append(plot.dot(*here, "mark", radius=8))
    average = found.metric("average_precision").value
    return plot.drawn(
        "Precision against recall",
        f"{told} Average precision is {words.number(average)}.",
        *content,
    )


def against_threshold(found: Findings) -> Markup:
    """Precision, recall and F1 at every threshold."""
    cuts, total = found.cuts, found.rows.curve.tp[-1]
    plot = Plot(
        "threshold",
        _log_odds("threshold", float(cuts.log_odds[0]), float(cuts.log_odds[-1])),
        _shares("share"),
    )
    some = cuts.tp + cuts.fp > 0
    alarms = np.maximum(cuts.tp + cuts.fp, 1e-12)
    f1 = 2 * cuts.tp / (cuts.tp + cuts.fp + total)
    ends = _ends(found)
    start = cuts.half if cuts.chosen is None else cuts.chosen
    at = float(cuts.log_odds[start])
    best = int(np.argmax(f1))
    return plot.drawn(
        "Precision, recall and F1 against the threshold",
        f"F1 is highest, {words.number(float(f1[best]))}, at a threshold of "
        f"{words.probability(float(cuts.log_odds[best]))}.",
        None if ends is None else plot.band(*ends, "interval"),
        plot.line(cuts.log_odds[some], (cuts.tp / alarms)[some], "one"),
        plot.line(cuts.log_odds, cuts.tp / total, "two"),
        plot.line(cuts.log_odds, f1, "three"),
        None if cuts.chosen is None else plot.upright(at, "chosen"),
        plot.upright(at, "mark"),
    )


def calibration(found: Findings) -> Markup:
    """What came true of the probabilities, and of the network's own output."""
    calibrated = found.calibration
    every = [*calibrated.bins, *calibrated.raw_bins]
    known = [p for each in every for p in (each.predicted, each.observed, each.high) if 0 < p < 1]
    low, high = (float(logit(p)) for p in (min(known), max(known)))
    low, high = max(min(low - 0.5, -2.5), -12.0), min(max(high + 0.5, 1.0), 12.0)
    plot = Plot(
        "calibration",
        _log_odds("predicted probability", low, high),
        _log_odds("share that is positive", low, high),
    )
    ends = np.array([low, high])
    content = [plot.line(ends, ends, "base")]
    for bins, kind in ((calibrated.raw_bins, "two"), (calibrated.bins, "one")):
        content += [_observed(plot, each, kind) for each in bins]
        content += [_predicted(plot, each, kind) for each in bins]
    told = "; ".join(
        f"{words.share(each.predicted)} predicted, {words.share(each.observed)} came true"
        for each in calibrated.bins
    )
    return plot.drawn("Do probabilities come true?", f"By groups of rows: {told}.", *content)


def learning(found: Findings) -> Markup | None:
    """Loss of every epoch; None where nothing is known of it."""
    if found.training is None:
        return None
    loss, judged = np.array(found.training.loss), np.array(found.training.validation)
    every = np.concatenate([loss, judged])
    if not np.isfinite(every).all() or every.max() <= every.min():
        return None
    room = 0.05 * (every.max() - every.min())
    low, high = float(every.min() - room), float(every.max() + room)
    ticks = _round_numbers(low, high)
    n = len(loss)
    steps = sorted({1, *(round(step) for step in np.linspace(1, n, 5))})
    plot = Plot(
        "learning",
        Axis(1, n, [(step, str(step)) for step in steps], "epoch"),
        Axis(low, high, ticks, "loss"),
    )
    best = found.training.best_epoch
    told = "No epoch was chosen." if best is None else f"The weights of epoch {best} were kept."
    return plot.drawn(
        "Loss of every epoch",
        f"{n} epochs. {told}",
        None if best is None else plot.upright(best, "chosen"),
        plot.line(np.arange(1.0, n + 1), loss, "two"),
        plot.line(np.arange(1.0, len(judged) + 1), judged, "one") if len(judged) > 1 else None,
    )


def _observed(plot: Plot, each: Bin, kind: str) -> Markup:
    at = _said(plot.x(_finite_logit(each.predicted)))
    low, high = (_said(plot.y(_finite_logit(end))) for end in (each.low, each.high))
    return element("line", x1=at, x2=at, y1=low, y2=high, class_=f"{kind} thin")


def _predicted(plot: Plot, each: Bin, kind: str) -> Markup:
    at = _finite_logit(each.predicted), _finite_logit(each.observed)
    return plot.dot(*at, "point-one", 4) if kind == "one" else plot.box(*at, "point-two")


def _finite_logit(p: float) -> float:
    return float(logit(min(max(p, 1e-9), 1 - 1e-9)))


def _ends(found: Findings) -> tuple[float, float] | None:
    """Of the threshold's interval, as log-odds."""
    if found.interval is None:
        return None
    low, high = (_finite_logit(end) for end in found.interval)
    return low, high


def _shares(name: str, top: float = 1.0) -> Axis:
    ticks = [(top * fourth / 4, f"{25 * top * fourth:g} %") for fourth in range(5)]
    return Axis(0, top, ticks, name)


def _log_odds(name: str, low: float, high: float) -> Axis:
    inside = [p for p in _PROBABILITIES if low <= logit(p) <= high]
    ticks: list[tuple[float, str]] = []
    for p in _apart(inside, (high - low) / 7):
        ticks.append((float(logit(p)), f"{p:g}" if p < 0.99995 else "0.999999"))
    return Axis(low, high, ticks, name)


def _round_numbers(low: float, high: float) -> list[tuple[float, str]]:
    """Some multiples of one, two or five times a power of ten.

    Examples
    --------
    >>> [said for _, said in _round_numbers(0.0, 0.97)]
    ['0', '0.2', '0.4', '0.6', '0.8']
    >>> [said for _, said in _round_numbers(-0.03, 0.25)]
    ['0', '0.05', '0.1', '0.15', '0.2', '0.25']
    >>> {len(_round_numbers(0.0, high / 10)) for high in range(1, 300)} <= set(range(3, 9))
    True
    """
    power = 10.0 ** np.floor(np.log10(high - low))
    step = next(s * power for s in (0.2, 0.5, 1.0, 2.0) if (high - low) / (s * power) < 7)
    multiples = np.arange(np.ceil(low / step), np.floor(high / step) + 1).tolist()
    return [(multiple * step, f"{multiple * step + 0.0:.4g}") for multiple in multiples]


def _apart(known: Sequence[float], least: float) -> list[float]:
    """Those that leave room between their names, one half among them where it can be."""
    kept = [p for p in known if p == 0.5]
    for p in sorted(known, key=lambda p: abs(float(logit(p)))):
        if all(abs(float(logit(p)) - float(logit(other))) >= least for other in kept):
            kept.append(p)
    return sorted(kept)


def _said(place: Float64) -> str:
    return f"{float(place):.1f}"
