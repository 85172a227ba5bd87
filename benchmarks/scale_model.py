"""What was measured here, carried to rows, candidates and machines that are not here.

    python benchmarks/scale.py model

Reads what the other parts of scale.py have kept, fits a cost model to it and prints what it says.
It measures nothing itself: figures beyond those of the other parts are extrapolations. The price is
an assumption, and so are the network's speed and delay.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"
CORES = 2  # of the machine that was measured
BYTES_A_ROW = 30 * 4
FOLDS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=float, default=1e9)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--price", type=float, default=0.05, help="dollars an hour of a core")
    parser.add_argument("--gigabits", type=float, default=10.0, help="between machines")
    parser.add_argument("--delay", type=float, default=1e-4, help="seconds of one exchange")


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    kept = {
        part: json.loads((RESULTS / f"scale_{part}.json").read_text())
        for part in ("search", "stream", "workers")
    }
    parts = [of(kept, options) for of in (one_machine, searches, machines)]
    figures = {name: value for found, _ in parts for name, value in found.items()}
    return figures, "\n\n".join(text for _, text in parts)


# ---------------------------------------------------------------------- rows on one machine


def one_machine(kept: Any, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Seconds = apart + rows * pass + epochs * (fixed + rows * step)."""
    stream = kept["stream"]
    of_map = {int(n): found for n, found in stream["smaller"].items()}
    of_map[stream["n_rows"]] = stream["sources"]["memory map"]
    n = np.array(list(of_map), dtype=float)
    lines_of = {
        what: np.polyfit(n, [found[what] for found in of_map.values()], 1, w=1 / n)
        for what in ("epoch", "apart")
    }
    worst = max(
        abs(np.polyval(line, rows) / found[what] - 1)
        for what, line in lines_of.items()
        for rows, found in of_map.items()
    )
    slower = {
        source: found["epoch"] / stream["sources"]["memory map"]["epoch"]
        for source, found in stream["sources"].items()
        if source != "memory"
    }
    text = [
        "A fit of the mlp from a memory map takes, in seconds and millions of rows, "
        f"{lines_of['apart'][1]:.1f} + {lines_of['apart'][0] * 1e6:.2f} rows + epochs * "
        f"({lines_of['epoch'][1]:.1f} + {lines_of['epoch'][0] * 1e6:.2f} rows); what was measured "
        f"is within {worst:.0%} of it.",
        "",
        f"| rows, {options.epochs} epochs | hours, map | hours, Parquet | on disk GB | read MB/s "
        "| memory GiB | dollars |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    hours = {}
    for rows in (1e7, 1e8, options.rows):
        epoch = np.polyval(lines_of["epoch"], rows)
        seconds = np.polyval(lines_of["apart"], rows) + options.epochs * epoch
        hours[rows] = seconds / 3600
        peak = stream["sources"]["memory map"]["peak_gib"]
        text.append(
            f"| {rows:.0e} | {hours[rows]:.2f} | {hours[rows] * slower['parquet']:.2f} "
            f"| {rows * BYTES_A_ROW / 1e9:.0f} | {rows * BYTES_A_ROW / epoch / 1e6:.0f} "
            f"| {peak:.1f} | {hours[rows] * CORES * options.price:.2f} |"
        )
    return {"hours_of_a_fit": {f"{k:.0e}": v for k, v in hours.items()}}, "\n".join(text)


# ---------------------------------------------------------------------- candidates


def searches(kept: Any, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Amdahl's law: a share of every search does not get faster with workers."""
    search = kept["search"]
    n_fits = options.candidates * FOLDS
    text = [
        f"{options.candidates:,} candidates in {FOLDS} folds of `{search['model']}` on "
        f"`{search['table']}`, {n_fits:,} fits:",
        "",
        "| backend | share that stays serial | 1 worker | 2 | 8 | 64 | dollars with 8 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    figures = {}
    for backend, found in search["backends"].items():
        serial = min(1.0, max(0.0, 2 / found["ratio"] - 1))
        alone = found["serial"] / search["n_fits"] * n_fits
        minutes = [
            (found["start_up"] * (workers > 1) + alone * (serial + (1 - serial) / workers)) / 60
            for workers in (1, 2, 8, 64)
        ]
        figures[backend] = minutes
        text.append(
            f"| {backend} | {serial:.0%} | "
            + " | ".join(f"{m:.1f} min" for m in minutes)
            + f" | {minutes[2] / 60 * 8 * options.price:.2f} |"
        )
    return {"minutes_of_searches": figures}, "\n".join(text)


# ---------------------------------------------------------------------- machines


def machines(kept: Any, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Of each step, rows are divided among machines, and all gradients are exchanged."""
    text = [
        f"Rows a second where each step is divided among machines, {options.gigabits:g} Gbit/s and "
        f"{options.delay * 1e3:g} ms between them:",
        "",
        "| network | rows a step | KiB exchanged | 1 machine | 2 | 8 | 64 "
        "| rows a step from which 8 pay |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    figures = {}
    for name, found in kept["workers"]["networks"].items():
        alone, batch = found["rows_per_second_of_one"], found["batch_size"]
        n_bytes = found["bytes_added_up_a_step"]

        def exchange(workers: int, n_bytes: float = n_bytes) -> float:
            """A ring: every worker sends and hears nearly twice the gradients."""
            if workers == 1:
                return 0.0
            sent = 2 * (workers - 1) / workers * n_bytes * 8 / (options.gigabits * 1e9)
            return sent + 2 * (workers - 1) * options.delay

        rates = [batch / (batch / alone / w + exchange(w)) for w in (1, 2, 8, 64)]
        enough = exchange(8) * alone / (1 - 1 / 8)  # rows a step from which 8 are faster than one
        figures[name] = rates
        text.append(
            f"| {name} | {batch} | {n_bytes / 1024:,.0f} | "
            + " | ".join(f"{rate:,.0f}" for rate in rates)
            + f" | {enough:,.0f} |"
        )
    return {"rows_per_second_of_machines": figures}, "\n".join(text)
