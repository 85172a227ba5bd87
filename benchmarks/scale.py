"""Beyond one process and one machine: what more workers give, and what they cost.

    python benchmarks/scale.py search [--repeats 5] [--backends threading loky dask]
    python benchmarks/scale.py stream | sparse | workers
    python benchmarks/scale.py model  # what these say of other rows, candidates and machines

Each part is a module ``scale_<part>.py`` with ``add_options(parser)`` and ``run(options)``, which
returns the figures and a text of them; they are kept in benchmarks/results/scale_<part>.json. To
add a part, add its name to `PARTS`.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

PARTS = ("search", "stream", "sparse", "workers", "model")
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="part", required=True)
    modules = {part: importlib.import_module(f"scale_{part}") for part in PARTS}
    for part, module in modules.items():
        module.add_options(commands.add_parser(part, help=module.__doc__.splitlines()[0]))
    options = parser.parse_args()
    figures, text = modules[options.part].run(options)
    print(text)
    path = RESULTS / f"scale_{options.part}.json"
    path.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
