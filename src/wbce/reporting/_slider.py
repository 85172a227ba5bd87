"""The part of the page that moves: the threshold, what it gives, and both curves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.decisions._objectives import negative_cost
from wbce.reporting import _charts as charts
from wbce.reporting import _words as words
from wbce.reporting._findings import Findings
from wbce.reporting._markup import Markup, element
from wbce.reporting._sentences import metric_value, name_of, of_threshold


def starting_costs(found: Findings) -> NDArray[np.float64]:
    """The costs that the page begins with, ``[[TN, FP], [FN, TP]]``.

    Those that were passed; else those for which the chosen threshold is right (Elkan 2001).
    """
    if found.costs is not None:
        return found.costs
    at = 0.0 if found.cuts.chosen is None else float(found.cuts.log_odds[found.cuts.chosen])
    ratio = float(np.exp(-at))
    false_alarm, miss = (1.0, ratio) if ratio >= 1 else (1 / ratio, 1.0)
    return np.array([[0.0, _rounded(false_alarm)], [_rounded(miss), 0.0]])


def slider_section(found: Findings) -> Markup:
    """Curves, controls, figures and the confusion table."""
    return element(
        "section",
        element("h2", "Move the threshold", id="decisions"),
        element("p", of_threshold(found)),
        element("div", _controls(found), _tiles(found), class_="panel"),
        element("div", *_curves(found), class_="side"),
        _confusion(found),
        aria_labelledby="decisions",
    )


def _controls(found: Findings) -> Markup:
    cuts, costs = found.cuts, starting_costs(found)
    ends = (words.probability(float(cuts.log_odds[place])) for place in (0, -1))
    places = [("chosen", "As chosen")] if cuts.chosen is not None else []
    places += [("f1", "Best F1 here"), ("cost", "Least cost here"), ("half", "0.5")]
    start = cuts.half if cuts.chosen is None else cuts.chosen
    return element(
        "div",
        element(
            "div",
            element("label", "Threshold ", for_="threshold"),
            element(
                "input",
                type="range",
                id="threshold",
                min=0,
                max=len(cuts.log_odds) - 1,
                value=start,
                autocomplete="off",
            ),
            element("div", *(element("span", end) for end in ends), class_="ends"),
            class_="slider",
        ),
        element(
            "div",
            *(element("button", said, type="button", data_to=to) for to, said in places),
            class_="buttons",
        ),
        element(
            "div",
            _number("per-day", _PER_ROWS, found.per_rows, "1"),
            _number("cost-false-alarm", "Cost of a false alarm", float(costs[0, 1]), "0"),
            _number("cost-miss", "Cost of a miss", float(costs[1, 0]), "0"),
            class_="numbers",
        ),
        class_="controls",
        hidden=True,
    )


_PER_ROWS = "Rows a day"


def _number(name: str, said: str, value: float, least: str) -> Markup:
    return element(
        "div",
        element("label", said, for_=name),
        element(
            "input",
            type="number",
            id=name,
            min=least,
            step="any",
            value=f"{value:.15g}",
            inputmode="decimal",
            autocomplete="off",
        ),
    )


def _tiles(found: Findings) -> Markup:
    tp, fp, fn, tn = found.rows.counts
    chosen, per_row = found.cuts.chosen, found.per_rows / (tp + fp + fn + tn)
    counts = (np.array([count]) for count in (tp, fp, fn, tn))
    cost = -float(negative_cost(starting_costs(found))(*counts)[0]) * found.per_rows
    at = words.NONE if chosen is None else words.probability(float(found.cuts.log_odds[chosen]))
    told: list[tuple[str, str, str]] = [
        ("threshold", "Threshold", at),
        ("precision", "Precision", words.share(tp / (tp + fp) if tp + fp else None)),
        ("recall", "Recall", words.share(tp / (tp + fn))),
        ("f1", "F1", words.number(found.metric("f1").value)),
        ("alarms", "Alarms a day", metric_value("alarms", (tp + fp) * per_row)),
        ("missed-of-day", "Missed a day", metric_value("alarms", fn * per_row)),
        ("cost", "Cost a day", words.number(cost)),
    ]
    tiles = (
        element("div", element("dt", name), element("dd", value, data_out=out))
        for out, name, value in told
    )
    note = None
    if found.per_day is None:
        note = element("p", "Of 1,000 rows a day, until another number is given.", class_="quiet")
    return element("div", element("dl", *tiles, class_="tiles"), note)


def _curves(found: Findings) -> list[Markup]:
    average = found.metric("average_precision")
    tuned = found.interval is not None
    band = "; the wide stretch is the interval of the tuned threshold" if tuned else ""
    shade = " Shaded: the interval of the tuned threshold." if tuned else ""
    dot = (
        " The dot is the chosen threshold, the ring the slider's"
        if found.cuts.chosen is not None
        else (" The ring is the slider's threshold")
    )
    return [
        element(
            "figure",
            charts.precision_recall(found),
            element(
                "figcaption",
                f"Precision against recall; average precision {words.number(average.value)}. "
                f"Dashed: the base rate.{dot}{band}.",
            ),
        ),
        element(
            "figure",
            charts.against_threshold(found),
            element(
                "figcaption",
                *_key("one", "precision"),
                *_key("two", "recall"),
                *_key("three", "F1"),
                f" at each threshold.{shade}",
            ),
        ),
    ]


def _key(kind: str, said: str) -> list[Any]:
    line = element("line", x1=0, x2=28, y1=6, y2=6, class_=f"key {kind}")
    return [
        element("svg", line, viewBox="0 0 28 12", class_="key", aria_hidden="true"),
        f" {said} ",
    ]


def _confusion(found: Findings) -> Markup:
    tp, fp, fn, tn = found.rows.counts
    positive, negative = (name_of(class_) for class_ in found.classes)

    def cell(count: float, out: str, said: str) -> Markup:
        return element("td", element("b", words.count(count), data_out=out), element("span", said))

    return element(
        "table",
        element(
            "caption",
            "Rows by what they are and what they are called, ",
            element("span", "as the classifier decides", data_out="which"),
        ),
        element(
            "thead",
            element(
                "tr",
                element("th", "They are", scope="col"),
                element("th", "alarm", scope="col", class_="figure"),
                element("th", "no alarm", scope="col", class_="figure"),
            ),
        ),
        element(
            "tbody",
            element(
                "tr",
                element("th", positive, scope="row"),
                cell(tp, "found", "found"),
                cell(fn, "missed", "missed"),
            ),
            element(
                "tr",
                element("th", negative, scope="row"),
                cell(fp, "wrong", "false alarms"),
                cell(tn, "quiet", "rightly quiet"),
            ),
        ),
        class_="confusion",
    )


def _rounded(value: float) -> float:
    return float(f"{min(value, 1e6):.3g}")
