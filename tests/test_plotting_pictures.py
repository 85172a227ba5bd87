"""How displays look: as the pictures in tests/pictures, in colours and words that can be read.

``python tests/test_plotting_pictures.py`` draws the pictures anew; look at them before committing.
"""

import itertools
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.testing.compare import compare_images
from PIL import Image
from scipy.special import expit

from wbce._scored_rows import ScoredRows
from wbce.decisions import ThresholdInterval
from wbce.plotting import (
    CalibrationMapDisplay,
    ConfusionAtThresholdDisplay,
    PrecisionRecallThresholdDisplay,
    SearchGridDisplay,
    ThresholdObjectiveDisplay,
    TrainingHistoryDisplay,
)
from wbce.plotting._style import BLUE, LINES, ORANGE, readable_on

PICTURES = Path(__file__).parent / "pictures"
# The release of Matplotlib that drew them. Others set words a pixel or two elsewhere: there the
# pictures are compared as seen from afar, 24 pixels wide.
DRAWN_BY = "3.11."
TOLERANCE = 3  # root mean square of the differences, in levels of 255
TOLERANCE_FROM_AFAR = 6


def rows():
    rng = np.random.default_rng(0)
    proba = rng.beta(0.4, 4, 600)
    found = ScoredRows.of_predictions(
        (rng.random(600) < proba).astype(int), proba, threshold=0.3, raw_proba=proba**0.4
    )
    interval = ThresholdInterval((0.2, 0.45), (0.4, 0.6), 0.9)
    return ScoredRows(**{**vars(found), "interval": interval})


def history():
    epochs = np.arange(1, 31)
    return {
        "loss": np.exp(-epochs / 8).tolist(),
        "val_log_loss": (0.2 + (epochs - 12) ** 2 / 2000).tolist(),
        "val_average_precision": (0.6 - (epochs - 14) ** 2 / 900).tolist(),
    }


def grid():
    pairs = list(itertools.product([1, 5, 20], [0.0, 2.0]))[:-1]
    return {
        "params": [{"pos_weight": w, "gamma": g} for w, g in pairs],
        "mean_test_score": [0.61, 0.58, 0.66, 0.64, 0.52],
        "std_test_score": [0.02, 0.03, 0.01, 0.02, 0.04],
    }


DRAWN = {
    "precision_recall": lambda: PrecisionRecallThresholdDisplay(rows()).plot(),
    "objectives": lambda: ThresholdObjectiveDisplay(rows()).plot(cost_matrix=[[0, 1], [6, 0]]),
    "calibration": lambda: CalibrationMapDisplay(rows()).plot(),
    "confusion": lambda: ConfusionAtThresholdDisplay(rows()).plot(),
    "history": lambda: TrainingHistoryDisplay(history(), best_epoch=12).plot(),
    "search": lambda: SearchGridDisplay.from_results(grid()),
}


def save(name, path):
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.use("agg")
        figure = DRAWN[name]().figure_
        figure.savefig(path, dpi=70, metadata={"Software": None})
        return figure


@pytest.fixture(autouse=True)
def figures_are_closed():
    yield
    matplotlib.pyplot.close("all")


def from_afar(path):
    with Image.open(path) as image:
        height = round(24 * image.height / image.width)
        return np.asarray(image.convert("RGB").resize((24, height), Image.Resampling.BOX), float)


def difference(actual, expected):
    if matplotlib.__version__.startswith(DRAWN_BY):
        return compare_images(str(expected), str(actual), TOLERANCE)
    gap = np.sqrt(np.mean((from_afar(actual) - from_afar(expected)) ** 2))
    return f"they differ by {gap:.2f}" if gap > TOLERANCE_FROM_AFAR else None


@pytest.mark.parametrize("name", DRAWN)
def test_pictures_are_as_they_were(name, tmp_path):
    actual = tmp_path / f"{name}.png"
    save(name, actual)
    expected = tmp_path / "expected.png"  # what differs is written beside it
    expected.write_bytes((PICTURES / f"{name}.png").read_bytes())
    found = difference(actual, expected)
    assert found is None, found


@pytest.mark.parametrize("missing", ["lines_", "best_"])
def test_a_missing_line_is_another_picture(tmp_path, missing):
    save("objectives", tmp_path / "whole.png")
    display = ThresholdObjectiveDisplay(rows()).plot(cost_matrix=[[0, 1], [6, 0]])
    for drawn in getattr(display, missing).values():
        drawn.remove()
    display.figure_.savefig(tmp_path / "less.png", dpi=70)
    found = compare_images(str(tmp_path / "whole.png"), str(tmp_path / "less.png"), TOLERANCE)
    assert found is not None


@pytest.mark.parametrize("spread", [1, 2, 4, 6, 9, 14])
def test_words_of_long_and_short_axes_do_not_lie_on_each_other(spread):
    log_odds = np.linspace(-spread, spread, 400)
    positive = (log_odds > 0).astype(int)
    for display in (CalibrationMapDisplay, ThresholdObjectiveDisplay):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.use("agg")
            figure = display.from_predictions(positive, expit(log_odds)).figure_
            figure.canvas.draw()
        ticks = figure.axes[0].get_xticklabels()
        places = [tick.get_window_extent() for tick in ticks]
        assert len(places) >= 2
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(places))


@pytest.mark.parametrize("name", DRAWN)
def test_words_lie_in_the_picture_and_not_on_each_other(name, tmp_path):
    figure = save(name, tmp_path / "picture.png")
    renderer = figure.canvas.get_renderer()
    frame = figure.bbox.expanded(1.01, 1.01)
    for ax in figure.axes:
        legend = ax.get_legend()
        words = [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        words += ticks_in_view(ax.xaxis) + ticks_in_view(ax.yaxis) if ax.axison else []
        words += legend.get_texts() if legend else []
        boxes = [
            (word.get_text(), word.get_window_extent(renderer))
            for word in words
            if word.get_visible() and word.get_text()
        ]
        for text, box in boxes:
            assert frame.contains(box.x0, box.y0), text
            assert frame.contains(box.x1, box.y1), text
        for (one, box), (other, further) in itertools.combinations(boxes, 2):
            assert not box.overlaps(further), (one, other)


def ticks_in_view(axis):
    low, high = sorted(axis.get_view_interval())
    places = axis.get_majorticklocs()
    return [
        tick.label1
        for tick, at in zip(axis.get_major_ticks(), places, strict=True)
        if low <= at <= high
    ]


# Linear RGB as seen with protanopia, deuteranopia and tritanopia (Machado, Oliveira and Fernandes
# 2009, severity 1).
SEEN_BY = {
    "all": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def linear(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIELAB of linear RGB under the white of sRGB."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = np.cbrt(np.clip(to_xyz @ rgb, 0.009, None) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("who", SEEN_BY)
def test_colours_of_two_lines_are_told_apart_by_the_colour_blind(who):
    seen = [lab(SEEN_BY[who] @ linear(color)) for color in (BLUE, ORANGE)]
    assert np.linalg.norm(seen[0] - seen[1]) > 20


def test_lines_differ_in_dashes_where_grey_does_not_tell_them_apart():
    dashes = [str(style["linestyle"]) for style in LINES]
    assert len(set(dashes)) == len(LINES)


@pytest.mark.parametrize("color", ["#000000", "#08306b", "#6b6b6b", "#808080", "#fde725", "#fff"])
def test_words_on_colours_can_be_read(color):
    luminance = linear(color) @ [0.2126, 0.7152, 0.0722]
    of_words = linear(readable_on(to_rgb(color))) @ [0.2126, 0.7152, 0.0722]
    light, dark = max(luminance, of_words), min(luminance, of_words)
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2, AA


def test_lines_can_be_seen_on_white():
    for style in LINES:
        luminance = linear(style["color"]) @ [0.2126, 0.7152, 0.0722]
        assert 1.05 / (luminance + 0.05) >= 2.3, style


if __name__ == "__main__":
    for name in sys.argv[1:] or DRAWN:
        save(name, PICTURES / f"{name}.png")
