"""The report as one HTML page that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from string import Template
from typing import Any

from wbce.reporting import _charts as charts
from wbce.reporting import _words as words
from wbce.reporting._findings import Findings
from wbce.reporting._markup import Markup, element, script_data, together
from wbce.reporting._metrics import OF_DECISIONS, OF_PROBABILITIES
from wbce.reporting._mistakes import Mistake
from wbce.reporting._sentences import (
    MEANINGS,
    ROWS_FROM_ZERO,
    UNSEEN,
    headline,
    metric_name,
    metric_value,
    name_of,
    of_calibration,
    of_columns,
    of_no_risk,
)
from wbce.reporting._slider import slider_section, starting_costs


def page_of(found: Findings) -> str:
    """Write the page.

    Parameters
    ----------
    found : Findings

    Returns
    -------
    str
        A whole document. Its policy allows its own style and script by their hashes, and no
        connection.
    """
    style, script = _part("page.css"), _part("page.js")
    title = f"{found.rows.name}: report"
    return Template(_part("page.html")).substitute(
        title=together(title),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=script_data(_data(found)),
        body=element("main", *_sections(found)),
    )


def _part(name: str) -> str:
    return files("wbce.reporting").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names what it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(found: Findings) -> dict[str, Any]:
    """What the slider needs."""
    cuts, curve = found.cuts, found.rows.curve
    return {
        "cuts": {
            "log_odds": [round(cut, 5) for cut in cuts.log_odds.tolist()],
            "tp": [float(f"{count:.8g}") for count in cuts.tp.tolist()],
            "fp": [float(f"{count:.8g}") for count in cuts.fp.tolist()],
        },
        "positives": float(curve.tp[-1]),
        "negatives": float(curve.fp[-1]),
        "chosen": cuts.chosen,
        "half": cuts.half,
        "costs": starting_costs(found).tolist(),
    }


def _sections(found: Findings) -> list[Markup]:
    sections = [
        element(
            "header",
            element("h1", f"{found.rows.name}: report on {words.rows(len(found.rows.positive))}"),
            element("p", headline(found), class_="headline"),
        ),
        _risks(found),
        _metrics(found),
        _classes(found),
        slider_section(found),
        _probabilities(found),
        _worst(found),
        element("footer", element("p", UNSEEN), element("p", _INTERVALS, class_="quiet")),
    ]
    return sections


_INTERVALS = (
    "Intervals hold 90 %: those of precision, recall, accuracy and alarms are Wilson's; those of "
    "F1, MCC, balanced accuracy and cost come from counts drawn under Jeffreys' prior, all others "
    "from 200 bootstrap samples of the rows."
)


def _section(name: str, *content: Markup | None) -> Markup:
    at = name.lower().replace(" ", "-")
    return element("section", element("h2", name, id=at), *content, aria_labelledby=at)


def _risks(found: Findings) -> Markup:
    columns = of_columns(found)
    left_out = element("p", columns, class_="quiet") if columns else None
    if not found.risks:
        told = element("p", of_no_risk(found))
        return _section("What is risky", element("div", told, class_="risk none"), left_out)
    listed = [
        element(
            "li",
            element(
                "p",
                element("span", f"{risk.severity.capitalize()}: ", class_="level"),
                risk.words,
            ),
            element("p", risk.advice, class_="advice"),
            class_=f"risk {risk.severity}",
        )
        for risk in found.risks
    ]
    return _section("What is risky", element("ul", *listed, class_="risks"), left_out)


def _metrics(found: Findings) -> Markup:
    decided = _metric_table(
        found,
        "Decisions",
        OF_DECISIONS,
        {"never": "never an alarm", "always": "always an alarm"},
    )
    probable = _metric_table(
        found, "Probabilities", OF_PROBABILITIES, {"base_rate": "base rate for every row"}
    )
    return _section(
        "How good it is",
        element(
            "p",
            "Each figure with its 90 % interval, beside answers that need no model.",
            class_="quiet",
        ),
        element("div", decided, probable, class_="side"),
    )


def _metric_table(
    found: Findings, caption: str, names: Sequence[str], baselines: dict[str, str]
) -> Markup:
    there = {metric.name: metric for metric in found.metrics}
    body = []
    for name in (name for name in names if name in there):
        metric = there[name]
        between = None
        if metric.low is not None:
            ends = f"{metric_value(name, metric.low)} to {metric_value(name, metric.high)}"
            between = element("span", ends, class_="between")
        body.append(
            element(
                "tr",
                element(
                    "th",
                    metric_name(found, name),
                    element("span", MEANINGS[name], class_="meaning"),
                    scope="row",
                ),
                element(
                    "td",
                    element("span", metric_value(name, metric.value), between),
                    class_="value",
                    data_label="here",
                ),
                *(
                    element("td", metric_value(name, metric.baselines[key]), data_label=said)
                    for key, said in baselines.items()
                ),
            )
        )
    return _table(caption, ["Figure", "here", *baselines.values()], body, "cards")


def _classes(found: Findings) -> Markup:
    heading = ["Class", "rows", "share", "weight in training", "share expected"]
    body = [
        _cells(
            name_of(class_),
            [
                words.count(class_.weight),
                words.share(class_.share),
                words.number(class_.in_training),
                words.share(class_.prior),
            ],
            heading,
        )
        for class_ in found.classes
    ]
    told = (
        "Weights train the network only; the probabilities are those of the share that is expected."
    )
    if found.pos_weight is not None and abs(found.pos_weight - 1) > 1e-6:
        told = (
            f"A positive row weighed {words.number(found.pos_weight)} times a negative one. {told}"
        )
    if found.rows.classifier is None:
        told = "How the classifier was trained is not known here."
    return _section(
        "Imbalance and weights",
        _table(None, heading, body, "cards narrow"),
        element("p", told, class_="quiet"),
    )


def _probabilities(found: Findings) -> Markup:
    raw = bool(found.calibration.raw_bins)
    caption = [
        "On the dashed line probabilities are true. Dots: groups of rows with their 90 % interval"
    ]
    if raw:
        caption.append("; open squares: the network's own output, before weights are undone")
    learned = charts.learning(found)
    told = "Blue: log loss of the rows that judge. " if _judged(found) else ""
    return _section(
        "Are the probabilities true",
        element("p", of_calibration(found.calibration)),
        element(
            "div",
            element(
                "figure",
                charts.calibration(found),
                element("figcaption", f"{''.join(caption)}."),
            ),
            None
            if learned is None
            else element(
                "figure",
                learned,
                element(
                    "figcaption",
                    f"{told}Orange, dashed: training loss, which is weighted. The upright line is "
                    "the epoch whose weights were kept.",
                ),
            ),
            class_="side",
        ),
    )


def _judged(found: Findings) -> bool:
    return found.training is not None and len(found.training.validation) > 1


def _worst(found: Findings) -> Markup:
    worst = found.mistakes
    parts: list[Markup] = []
    kinds = (
        ("Missed with most confidence", worst.misses, "No positive row was missed."),
        ("False alarms with most confidence", worst.false_alarms, "There was no false alarm."),
    )
    for caption, mistakes, none in kinds:
        if not mistakes:
            parts.append(element("p", none))
            continue
        heading = ["Row", "probability", *worst.columns]
        typical = (
            ("typical positive", worst.typical_positive),
            ("typical negative", worst.typical_negative),
        )
        body = [_mistake(row, heading) for row in mistakes]
        if worst.columns:
            body += [
                _cells(said, ["", *(words.value(cell) for cell in values)], heading, "typical")
                for said, values in typical
            ]
        parts.append(_table(caption, heading, body, "cards"))
    told = (
        "Look at these rows first: is the label right, and what would have told? "
        "Shown are the columns that tell the classes apart best, each by itself. "
        f"{ROWS_FROM_ZERO}"
    )
    return _section(
        "The worst mistakes",
        element("p", told, class_="quiet") if worst.misses or worst.false_alarms else None,
        *parts,
    )


def _mistake(row: Mistake, heading: Sequence[str]) -> Markup:
    where = f"row {row.row}" if row.index is None else f"{words.value(row.index)} (row {row.row})"
    cells = [words.probability(row.log_odds), *(words.value(cell) for cell in row.values)]
    return _cells(where, cells, heading)


def _cells(
    first: str, cells: Sequence[str], heading: Sequence[str], kind: str | None = None
) -> Markup:
    named = zip(heading[1:], cells, strict=True)
    return element(
        "tr",
        element("th", first, scope="row"),
        *(element("td", cell, data_label=name) for name, cell in named),
        class_=kind,
    )


def _table(
    caption: str | None, heading: Sequence[str], body: Sequence[Markup], kind: str | None = None
) -> Markup:
    first, *others = heading
    return element(
        "table",
        None if caption is None else element("caption", caption),
        element(
            "thead",
            element(
                "tr",
                element("th", first, scope="col"),
                *(element("th", name, scope="col", class_="figure") for name in others),
            ),
        ),
        element("tbody", *body),
        class_=kind,
    )
