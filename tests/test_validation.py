import numpy as np
import pytest

from wbce import validation


def test_every_class_gives_its_share():
    y = np.repeat([0, 1, 2], [1000, 100, 50])
    train, judge = validation.stratified_split(y, 3, 0.1, seed=0)
    np.testing.assert_array_equal(np.bincount(y[judge]), [100, 10, 5])
    np.testing.assert_array_equal(np.sort(np.concatenate([train, judge])), np.arange(len(y)))


def test_rows_are_shuffled_by_the_seed():
    y = np.repeat([0, 1], [200, 50])
    splits = [validation.stratified_split(y, 2, 0.2, seed)[1] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(splits[0], splits[1])
    assert not np.array_equal(splits[0], splits[2])
    assert splits[0].min() < 100  # not the last rows


@pytest.mark.parametrize(
    ("counts", "fraction", "enough"),
    [
        ([500, 50], 0.1, True),
        ([500, 44], 0.1, False),
        ([500, 20], 0.25, True),
        ([500, 50], 0, False),
    ],
)
def test_enough_means_five_of_every_class(counts, fraction, enough):
    assert validation.enough_rows(np.array(counts), fraction) is enough


def test_no_class_is_used_up():
    assert not validation.enough_rows(np.array([500, 9]), 0.6)


@pytest.mark.parametrize("n", [10, 17, 30, 44])
def test_the_fraction_that_the_message_names_is_enough(n):
    counts = np.array([500, n])
    message = validation.too_few_rows_message('threshold="auto"', counts, ["legit", "fraud"], 0.1)
    assert f"of the {n} rows of class 'fraud'" in message
    named = float(message.split("Pass validation_split=")[1].split(" ")[0])
    assert validation.enough_rows(counts, named)


def test_with_fewer_than_ten_rows_no_fraction_is_named():
    message = validation.too_few_rows_message("x", np.array([500, 9]), [0, 1], 0.1)
    assert "validation_split=0.1 gives 1 of the 9" in message
    assert "Pass labelled rows" in message


@pytest.mark.parametrize("bad", [1, 1.5, -0.1, "last", True, np.nan, [0.1]])
def test_validation_split_is_a_fraction(bad):
    with pytest.raises(ValueError, match="validation_split"):
        validation.check_fraction(bad)
    assert validation.check_fraction(None) == 0
