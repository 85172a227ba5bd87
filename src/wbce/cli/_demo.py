"""``wbce demo``."""

from __future__ import annotations

from argparse import Namespace


def run(options: Namespace) -> int:
    """Run the demonstration."""
    from wbce.demo import run

    return run(options.save)
