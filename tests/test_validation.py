import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from wbce import validation

X = np.zeros((200, 2))
Y = np.repeat([0, 1], [160, 40])


def hold_out(split, codes=Y, groups=None, seed=0):
    return validation.hold_out(split, X, codes, 2, groups, seed)


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


def test_the_last_rows_in_time():
    train, held = hold_out(("last", 0.1))
    np.testing.assert_array_equal(held, np.arange(180, 200))
    np.testing.assert_array_equal(train, np.arange(180))
    assert validation.check_validation_split("last") == ("last", 0.1)
    assert len(hold_out(("last", 0.25))[1]) == 50


def test_a_splitter_s_largest_training():
    train, held = hold_out(TimeSeriesSplit(4, gap=10))
    np.testing.assert_array_equal(held, np.arange(160, 200))
    np.testing.assert_array_equal(train, np.arange(150))
    first = next(iter(KFold(4).split(X)))
    np.testing.assert_array_equal(hold_out(KFold(4))[1], first[1])


def test_groups_stay_together():
    groups = np.random.default_rng(0).integers(0, 30, 200)
    for split in (0.2, GroupKFold(5), GroupShuffleSplit(1, test_size=0.2, random_state=0)):
        train, held = hold_out(split, groups=groups)
        assert not set(groups[train]) & set(groups[held])
        assert 20 < len(held) < 60
    _, held = hold_out(0.2, groups=groups)
    assert 3 < Y[held].sum() < 14  # stratified, as far as groups allow
    labels = np.column_stack([Y, 1 - Y])
    train, held = hold_out(0.2, codes=labels, groups=groups)
    assert not set(groups[train]) & set(groups[held])


def test_labels_give_their_shares_the_rarest_first():
    rng = np.random.default_rng(0)
    y = (rng.random((400, 3)) < [0.5, 0.1, 0.03]).astype(int)
    train, held = hold_out(0.25, codes=y)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), np.arange(400))
    np.testing.assert_allclose(y[held].sum(0), 0.25 * y.sum(0), atol=1.01)
    parts = validation.label_parts(y, [0.2] * 5, seed=0)
    for part in range(5):
        np.testing.assert_allclose(y[parts == part].sum(0), y.sum(0) / 5, atol=2)
    assert not np.array_equal(parts, validation.label_parts(y, [0.2] * 5, seed=1))


@pytest.mark.parametrize(
    ("counts", "fraction", "enough"),
    [
        ([500, 50], 0.1, True),
        ([500, 44], 0.1, False),
        ([500, 20], 0.25, True),
        ([500, 50], 0.0, False),
        ([500, 9], 0.6, False),
    ],
)
def test_enough_means_five_of_every_class_on_both_sides(counts, fraction, enough):
    y = np.repeat([0, 1], counts)
    split = validation.hold_out(fraction, y[:, None], y, 2, None, 0)
    assert validation.enough_rows(y, 2, split) is enough


@pytest.mark.parametrize("n", [10, 17, 30, 44])
def test_the_fraction_that_the_message_names_is_enough(n):
    y = np.repeat([0, 1], [500, n])
    held = np.bincount(y[validation.hold_out(0.1, y[:, None], y, 2, None, 0)[1]])
    message = validation.too_few_rows_message(
        'threshold="auto"', 0.1, np.bincount(y), held, ["legit", "fraud"]
    )
    assert f"of the {n} rows of class 'fraud'" in message
    assert "threshold_cv=5" in message
    named = float(message.split("Pass validation_split=")[1].split(" ")[0])
    split = validation.hold_out(named, y[:, None], y, 2, None, 0)
    assert validation.enough_rows(y, 2, split)


def test_with_fewer_than_ten_rows_no_fraction_is_named():
    counts, held = np.array([500, 9]), np.array([50, 1])
    message = validation.too_few_rows_message("x", 0.1, counts, held, [0, 1])
    assert "validation_split=0.1 gives 1 of the 9" in message
    assert "Pass labelled rows" in message


@pytest.mark.parametrize(
    "bad",
    [1, 1.5, -0.1, "first", True, np.nan, [0.1], ("last", 1.0), ("last", "x"), ("first", 0.1)],
)
def test_what_validation_split_may_be(bad):
    with pytest.raises(ValueError, match="validation_split"):
        validation.check_validation_split(bad)
    assert validation.check_validation_split(None) == 0


@pytest.mark.parametrize("bad", [1, 0, True, 2.5, "5", [], [1, 2]])
def test_what_threshold_cv_may_be(bad):
    with pytest.raises(ValueError, match="threshold_cv"):
        validation.check_threshold_cv(bad)


@pytest.mark.parametrize("cv", [4, KFold(4), TimeSeriesSplit(3)])
def test_folds_judge_rows_that_they_do_not_train_on(cv):
    y = np.arange(200) % 5 // 4
    splits = validation.folds(cv, X, y, 2, None, 0)
    assert len(splits) == (3 if isinstance(cv, TimeSeriesSplit) else 4)
    for train, held in splits:
        assert not np.intersect1d(train, held).size
    if cv == 4:
        np.testing.assert_array_equal(np.sort(np.concatenate([h for _, h in splits])), range(200))
        assert all(y[held].sum() == 10 for _, held in splits)


def test_folds_keep_groups_and_labels():
    groups = np.arange(200) // 8
    for codes in (np.arange(200) % 5 // 4, np.eye(2, dtype=int)[np.arange(200) % 2]):
        for train, held in validation.folds(5, X, codes, 2, groups, 0):
            assert not set(groups[train]) & set(groups[held])
    y = (np.random.default_rng(0).random((200, 2)) < [0.4, 0.05]).astype(int)
    held = [y[held].sum(0) for _, held in validation.folds(5, X, y, 2, None, 0)]
    assert np.ptp(held, axis=0).max() <= 2


def test_folds_as_masks():
    mask = np.arange(200) % 2 == 0
    ((train, held),) = validation.folds([(mask, ~mask)], X, Y, 2, None, 0)
    np.testing.assert_array_equal(train, np.flatnonzero(mask))
    np.testing.assert_array_equal(held, np.flatnonzero(~mask))


WRONG = {
    "rows on both sides": ([(range(150), range(100, 200))], "to train on and to judge by at once"),
    "numbers beyond": ([(range(150), [200])], "numbers from 0 to 199.*got .200"),
    "no rows": ([(range(150), [])], "no rows with any weight on one side"),
    "numbers below": ([(range(150), [-1])], "row numbers from 0 to 199"),
    "no numbers": ([(range(150), [0.5])], "row numbers from 0 to 199"),
    "rows judged twice": (
        RepeatedStratifiedKFold(n_splits=2, n_repeats=2),
        "judges some rows more than once",
    ),
    "a class missing": (KFold(2), "split 0 has no row of some class to train on"),
}


@pytest.mark.parametrize("case", WRONG)
def test_folds_that_will_not_do(case):
    cv, message = WRONG[case]
    y = np.repeat([0, 1], 100)
    with pytest.raises(ValueError, match=message):
        validation.folds(cv, X, y, 2, None, 0)


def test_fewer_groups_than_folds():
    with pytest.raises(ValueError, match="There are 2 groups, and 5 folds"):
        validation.folds(5, X, Y, 2, np.arange(200) % 2, 0)


def test_stratified_folds_are_scikit_learns():
    y = np.arange(200) % 7 // 6
    expected = StratifiedKFold(5, shuffle=True, random_state=3).split(X, y)
    for (train, held), (a, b) in zip(validation.folds(5, X, y, 2, None, 3), expected, strict=True):
        np.testing.assert_array_equal(train, a)
        np.testing.assert_array_equal(held, b)
