"""A short run of ``fuzz_files.py``: the same changed files every time."""

import random
from collections import Counter

from fuzz_files import GOLDEN, Arcs, changed_file, tried, write_seeds


def test_changed_files_are_refused_or_predict(tmp_path):
    write_seeds(tmp_path / "corpus")
    corpus, rng, ended = sorted(tmp_path.glob("corpus/*.wbce")), random.Random(1), Counter()
    plain = [path for path in corpus if "convolution" not in path.name]
    for i in range(300):
        changed_file(rng.choice(plain), rng, corpus, tmp_path / "changed.wbce")
        ended[tried(tmp_path / "changed.wbce", everything=i % 30 == 0)] += 1
    assert ended["predicts"] > 20
    assert ended["refused"] > 100


def test_lines_are_counted_that_a_file_reaches():
    path = next(GOLDEN.glob("*/tuned.wbce"))
    arcs = Arcs()
    assert tried(path, everything=False, arcs=arcs) == "predicts"
    files = {name.rpartition("wbce/")[2] for name, _ in arcs.lines()}
    assert {"files.py", "_archive.py", "persistence/_codec.py"} <= files
