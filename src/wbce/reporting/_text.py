"""The report as a text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from wbce.reporting import _words as words
from wbce.reporting._findings import Findings
from wbce.reporting._metrics import OF_DECISIONS, OF_PROBABILITIES
from wbce.reporting._mistakes import Mistake
from wbce.reporting._sentences import (
    ROWS_BY_INDEX,
    ROWS_FROM_ZERO,
    UNSEEN,
    headline,
    metric_name,
    metric_value,
    name_of,
    of_calibration,
    of_columns,
    of_no_risk,
    of_threshold,
)

_WIDTH = 80
_INDENT = 2


def text_of(found: Findings) -> str:
    """Put findings into words.

    Parameters
    ----------
    found : Findings

    Returns
    -------
    str
        Lines of at most 80 characters, but where labels or names are long.
    """
    parts = [
        _wrapped(f"{found.rows.name}: {headline(found)}"),
        _risks(found),
        _wrapped(of_columns(found)),
        _probabilities(found),
        _decisions(found),
        _wrapped(of_threshold(found)),
        _wrapped(of_calibration(found.calibration)),
        _classes(found),
        _worst(found),
        _wrapped(UNSEEN),
    ]
    return "\n\n".join(part for part in parts if part)


def _wrapped(said: str, start: str = "") -> str:
    return textwrap.fill(
        said,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
    )


def _risks(found: Findings) -> str:
    if not found.risks:
        return _wrapped(of_no_risk(found), "Risks: ")
    lines = ["Risks, the worst first"]
    lines += [_wrapped(str(risk), f"  {risk.severity + ':':<9} ") for risk in found.risks]
    return "\n".join(lines)


def _probabilities(found: Findings) -> str:
    lines = [["Probabilities", "here", "90 % interval", "base rate for all"]]
    return _aligned([*lines, *_figures(found, OF_PROBABILITIES, ["base_rate"])])


def _decisions(found: Findings) -> str:
    lines = [["Decisions", "here", "90 % interval", "no alarm", "all alarms"]]
    return _aligned([*lines, *_figures(found, OF_DECISIONS, ["never", "always"])])


def _figures(found: Findings, names: Iterable[str], baselines: list[str]) -> Iterable[list[str]]:
    there = {metric.name: metric for metric in found.metrics}
    for name in names:
        if name not in there:
            continue
        metric = there[name]
        between = words.NONE
        if metric.low is not None:
            between = f"{metric_value(name, metric.low)} to {metric_value(name, metric.high)}"
        yield [
            metric_name(found, name),
            metric_value(name, metric.value),
            between,
            *(metric_value(name, metric.baselines[baseline]) for baseline in baselines),
        ]


def _classes(found: Findings) -> str:
    lines = [["Class", "rows", "share", "weight in training", "share that is expected"]]
    lines += [
        [
            name_of(class_),
            words.count(class_.weight),
            words.share(class_.share),
            words.number(class_.in_training),
            words.share(class_.prior),
        ]
        for class_ in found.classes
    ]
    table = _aligned(lines)
    if found.pos_weight is None:
        return table
    return f"{table}\n  pos_weight {words.number(found.pos_weight)}"


def _worst(found: Findings) -> str:
    worst = found.mistakes
    blank = [words.value(cell) for cell in worst.typical_positive]
    other = [words.value(cell) for cell in worst.typical_negative]
    lines = [["Worst mistakes", "probability", *worst.columns]]
    kinds = (("missed", worst.misses), ("false alarm", worst.false_alarms))
    lines += [_mistake(kind, row) for kind, some in kinds for row in some[:3]]
    if len(lines) == 1:
        return "No mistakes on these rows."
    if worst.columns:
        lines += [["typical positive", "", *blank], ["typical negative", "", *other]]
    by_index = any(row.index is not None for row in (*worst.misses, *worst.false_alarms))
    return f"{_aligned(_narrowed(lines))}\n  {ROWS_BY_INDEX if by_index else ROWS_FROM_ZERO}"


def _narrowed(lines: list[list[str]]) -> list[list[str]]:
    """Cells on one line each, and only as many columns as there is room for."""
    lines = [[_short(cell) for cell in line] for line in lines]
    widths = [_INDENT + max(map(len, column)) for column in zip(*lines, strict=True)]
    n_fit = sum(width <= _WIDTH for width in accumulate(widths))
    return [line[: max(2, n_fit)] for line in lines]


def _mistake(kind: str, row: Mistake) -> list[str]:
    where = f"{kind}, row {row.row}"
    if row.index is not None:
        where = f"{kind}, {words.value(row.index)}"
    return [where, words.probability(row.log_odds), *(words.value(cell) for cell in row.values)]


def _short(cell: str) -> str:
    """On one line, and without what a terminal would take for a command."""
    flat = "".join(sign if sign.isprintable() else "?" for sign in " ".join(cell.split()))
    return flat if len(flat) <= 24 else f"{flat[:23]}…"


def _aligned(lines: list[list[Any]]) -> str:
    """Columns side by side, the first to the left; the rows below the first indented."""
    lines = [lines[0], *([f"{' ' * _INDENT}{line[0]}", *line[1:]] for line in lines[1:])]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            f"{cell:<{width}}" if k == 0 else f"{cell:>{width}}"
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
