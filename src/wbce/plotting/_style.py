"""What all displays look like: colours, dashes, axes of probability."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

# Okabe and Ito (2008): told apart with any of the common colour deficiencies. Lines that share a
# picture also differ in their dashes, for those who print in grey.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"
SKY, AMBER, GREY = "#56B4E9", "#B07B00", "#6B6B6B"
LINES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "linestyle": "-"},
    {"color": ORANGE, "linestyle": (0, (6, 2))},
    {"color": GREEN, "linestyle": (0, (1, 1.2))},
    {"color": PURPLE, "linestyle": (0, (6, 2, 1, 2))},
    {"color": AMBER, "linestyle": (0, (3, 1.5))},
    {"color": SKY, "linestyle": (0, (8, 1.5, 1, 1.5, 1, 1.5))},
    {"color": GREY, "linestyle": (0, (2, 3))},
)

_TICKS = (1e-6, 1e-5, 1e-4, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)
_MOST_TICKS = 6
_NEAREST = 1e-9  # to 0 and 1, on an axis of log-odds
NEAREST_SHOWN = 1e-6  # to 0 and 1: what lies beyond makes no axis longer


def new_axes(ax: Any, **figure: Any) -> Any:
    """The axes to draw on; new ones, if none are given."""
    if ax is not None:
        return ax
    return pyplot().subplots(layout="constrained", **figure)[1]


def pyplot() -> Any:
    """Matplotlib's pyplot.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Displays are drawn by Matplotlib, which is not installed: pip install "wbce[plots]".'
        ) from error
    return plt


def stacked_axes(ax: Any, n: int) -> list[Any]:
    """Axes below each other, in the place of one, or on a new figure."""
    plt = pyplot()
    if ax is None:
        height = 1.2 + 1.9 * n
        axes = plt.subplots(n, sharex=True, figsize=(6.4, height), layout="constrained")[1]
        return list(np.atleast_1d(axes))
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            f"This display has {n} panels below each other, and the axes that were passed belong "
            "to no grid: pass axes made by plt.subplots, or none."
        )
    ax.set_axis_off()
    grid = place.subgridspec(n, 1)
    first = ax.figure.add_subplot(grid[0])
    return [first, *(ax.figure.add_subplot(grid[i], sharex=first) for i in range(1, n))]


def log_odds_axis(ax: Any, axis: str, low: float, high: float) -> None:
    """Show probabilities on a scale of log-odds, from `low` to `high`."""
    low, high = (float(np.clip(end, _NEAREST, 1 - _NEAREST)) for end in (low, high))
    if high <= low:
        low, high = low / 2, (1 + high) / 2
    getattr(ax, f"set_{axis}scale")("function", functions=(_squeezed_logit, expit))
    getattr(ax, f"set_{axis}lim")(low, high)
    every = (_TICKS[::step] for step in (1, 2, 3))  # words of all would lie on each other
    several = [[tick for tick in ticks if low <= tick <= high] for ticks in every]
    shown = next((ticks for ticks in several if len(ticks) <= _MOST_TICKS), several[-1])
    if len(shown) < 2:
        shown = expit(np.linspace(logit(low), logit(high), 5)[1:-1]).tolist()
    ticks = getattr(ax, f"{axis}axis")
    ticks.set_major_locator(_fixed(shown))
    ticks.set_major_formatter(_percent_of_tick)
    ticks.set_minor_locator(_fixed([]))


def _percent_of_tick(share: float, _place: int | None = None) -> str:
    return percent(share)  # a function by name, so that a figure can be pickled


def percent(share: float) -> str:
    """A share in words, as exact near one as near zero."""
    least = min(share, 1 - share)
    if least <= 0:
        return f"{share:.0%}"
    digits = max(0, int(np.ceil(-np.log10(least) - 2 - 1e-9)))
    return f"{share:.{digits}%}"


def _squeezed_logit(share: NDArray[np.float64]) -> NDArray[np.float64]:
    return logit(np.clip(share, _NEAREST, 1 - _NEAREST))


def _fixed(places: list[float]) -> Any:
    from matplotlib.ticker import FixedLocator

    return FixedLocator(places)


def readable_on(background: Any) -> str:
    """Black or white, whichever has more contrast (WCAG 2) on a colour."""
    rgb = np.asarray(background[:3], dtype=np.float64)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def ink(ax: Any) -> str:
    """Black or white, whichever can be seen on the background of axes."""
    from matplotlib.colors import to_rgba

    *_, opacity = background = to_rgba(ax.get_facecolor())
    return readable_on(background if opacity else to_rgba(ax.get_figure().get_facecolor()))


def mark_threshold(ax: Any, threshold: float | None, interval: Any) -> tuple[Any, Any]:
    """Draw a threshold, and where it would be on redrawn rows, across an axis of thresholds.

    Parameters
    ----------
    ax : matplotlib axes
    threshold : float or None
    interval : ThresholdInterval or None
        With numbers.

    Returns
    -------
    line, band : matplotlib artists, or None
    """
    line = band = None
    if interval is not None:
        low, high = interval.threshold
        words = f"threshold on redrawn rows ({interval.level:.0%})"
        band = ax.axvspan(low, high, color=GREY, alpha=0.18, linewidth=0, label=words)
    if threshold is not None:
        words = f"threshold {threshold:.3g}"
        line = ax.axvline(threshold, color=ink(ax), linewidth=1, label=words)
    return line, band
