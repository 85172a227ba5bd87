import io

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from wbce import print_imbalance


def text(y, **given):
    file = io.StringIO()
    print_imbalance(y, file=file, **given)
    return file.getvalue()


def line_of(printed, label):
    found = [line for line in printed.splitlines() if line.split(" ")[0] == label]
    assert len(found) == 1
    return found[0].split()[1:]


def test_it_prints_counts_shares_and_weights(capsys):
    y = ["a"] * 198 + ["b"] * 436 + ["c"] * 710 + ["d"] * 272
    print_imbalance(y)
    printed = capsys.readouterr().out
    assert printed.startswith("1616 rows, 4 classes: 1 'a' to 3.59 'c'\n")
    balanced = compute_class_weight("balanced", classes=np.array(list("abcd")), y=np.array(y))
    for label, weight, count in zip("abcd", balanced, (198, 436, 710, 272), strict=True):
        rows, share, first, *_ = line_of(printed, f"'{label}'")
        assert int(rows) == count
        assert share == f"{count / 1616:.2%}"
        assert first == f"{weight:.2f}"
    assert max(map(len, printed.splitlines())) <= 100


@pytest.mark.parametrize(
    ("n_negative", "advice"),
    [
        (150, "no weights are needed"),
        (800, "class_weight='balanced'"),
        (6000, "pos_weight 30 to 60, or loss='focal'"),
        (10000, "pos_weight 50 to 100, or loss='focal'"),
        (100000, "pos_weight 100 to 500, and resampling"),
    ],
)
def test_the_rule_of_thumb(n_negative, advice):
    printed = text([0] * n_negative + [1] * 100)
    assert advice in " ".join(printed.split())
    assert float(line_of(printed, "pos_weight")[0]) == pytest.approx(n_negative / 100)


def test_sample_weights_are_the_population():
    y, w = [0, 0, 1], [10.0, 10.0, 2.0]
    assert text(y, sample_weight=w).startswith("22 rows, 2 classes: 1 1 to 10 0")


def test_several_labels():
    y = np.zeros((100, 3), dtype=int)
    y[:10, 0] = y[:, 1] = y[:50, 2] = 1
    y[:2, 1] = 1
    printed = text(y)
    assert line_of(printed, "0")[:3] == ["10", "10.00%", "9.00"]
    assert "drop the label" in " ".join(line_of(printed, "1"))
    assert line_of(printed, "2")[2] == "1.00"


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1, 1, 1], "y has one class, 1"),
        ([0.1, 0.7, 2.3], "type 'continuous'"),
        ([], "y"),
    ],
)
def test_what_is_no_imbalance(y, message):
    with pytest.raises(ValueError, match=message):
        print_imbalance(y)
