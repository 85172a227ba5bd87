"""How many odd inputs were tried, of which kind, and how they ended.

    python benchmarks/production_inputs.py [examples of each kind, 1000 by default] [seed]

The inputs and the rules are those of ``tests/test_hostile_input.py``: a correct result, or a
ValueError or TypeError that a person understands, with inputs, parameters, the estimator and the
process left as they were. Anything else is counted as such, and the first of each kind is shown.
"""

import collections
import sys
import time
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hostile.kinds import KINDS

ENDINGS = ("correct", "ValueError", "TypeError", "anything else")


def endings_of(kind, n_examples, number):
    """Count how inputs of a kind end, and remember the first that does not end well."""
    strategies, check = KINDS[kind]
    counts, strange = collections.Counter(), []

    def count(**inputs):
        try:
            counts[check(**inputs)] += 1
        except AssertionError as error:
            counts["anything else"] += 1
            strange.append(f"{kind}: {error}\n    {inputs}")

    many = settings(
        max_examples=n_examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(many(given(**strategies)(count)))()
    return counts, strange[:1]


def main(n_examples=1000, number=0):
    print(f"{'kind':<36}{'tried':>8}" + "".join(f"{name:>15}" for name in ENDINGS), flush=True)
    total, strange, start = collections.Counter(), [], time.perf_counter()
    for kind in KINDS:
        counts, found = endings_of(kind, n_examples, number)
        total += counts
        strange += found
        print(_line(kind, counts), flush=True)
    print(_line("all", total))
    print(f"\n{time.perf_counter() - start:.0f} s", *strange, sep="\n")


def _line(kind, counts):
    return f"{kind:<36}{counts.total():>8}" + "".join(f"{counts[name]:>15}" for name in ENDINGS)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*map(int, sys.argv[1:]))
