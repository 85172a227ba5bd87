"""The command line: ``wbce demo``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``wbce``; by default what the process was started with.

    Returns
    -------
    int
        Exit status: 0 when all went well.
    """
    parser = argparse.ArgumentParser(
        prog="wbce", description="Imbalanced classification with Keras networks."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="fit, tune, save and load a classifier on real data, in about half a minute",
        description="Finds the eights among scikit-learn's handwritten digits, made 1 in 20.",
    )
    demo.add_argument(
        "--save",
        metavar="FILE",
        help="keep the fitted Pipeline in this file (default: a temporary one)",
    )
    options = parser.parse_args(arguments)

    from wbce.demo import run  # here, so that --help does not wait for TensorFlow

    return run(options.save)


def _version() -> str:
    from wbce import __version__

    return f"wbce {__version__}"
