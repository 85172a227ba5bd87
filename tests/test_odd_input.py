"""Input that is odd, and all right: the result is that of the same values in plain dress."""

import numpy as np
import pandas as pd
import pytest

from wbce import WeightedKerasClassifier, estimate_prior, print_imbalance
from wbce.losses import Focal

rng = np.random.default_rng(0)
X = rng.integers(0, 100, (40, 3)).astype(float)
Y = (np.arange(40) % 3 == 0).astype(int)


def clf(**parameters):
    return WeightedKerasClassifier(
        **{"model": "linear", "epochs": 1, "random_state": 0, **parameters}
    )


@pytest.fixture(scope="module")
def plain():
    return clf().fit(X, Y).predict_proba(X)


def test_missing_values_among_objects_are_missing():
    columns = {"a": X[:, 0], "b": X[:, 1]}
    odd = pd.DataFrame({**columns, "c": pd.Series([pd.NA, None, 1.5, 2] * 10, dtype=object)})
    same = pd.DataFrame({**columns, "c": [np.nan, np.nan, 1.5, 2] * 10})
    np.testing.assert_array_equal(
        clf().fit(odd, Y).predict_proba(odd), clf().fit(same, Y).predict_proba(same)
    )


@pytest.mark.parametrize("dtype", ["Int64", "UInt64", "int64"])
def test_large_whole_labels_of_pandas_keep_their_last_digits(dtype):
    labels = [2**60, 2**60 + 1]
    model = clf().fit(X, pd.Series([labels[code] for code in Y], dtype=dtype))
    assert model.classes_.tolist() == labels


def test_a_weight_for_all_rows_may_be_an_array_without_dimensions(plain):
    for weight in (np.array(2.0), np.float32(2), 2):
        proba = clf().fit(X, Y, sample_weight=weight).predict_proba(X)
        np.testing.assert_array_equal(proba, plain)


def test_weights_of_very_different_sizes_give_finite_figures():
    model = clf().fit(X, Y)
    for weight in (
        np.full(40, 1e-90),
        np.full(40, 1e90),
        np.logspace(-90, 90, 40),
        np.where(Y == 1, 1e-200, 1.0),
    ):
        model.tune_threshold(X, Y, sample_weight=weight)
        assert 0 <= model.threshold_score_ <= 1


def test_groups_of_infinities_and_of_dates_are_groups():
    plain = np.repeat(np.arange(4), 10)
    expected = clf(threshold="auto", threshold_cv=2).fit(X, Y, groups=plain).threshold_
    for names in ([-np.inf, 0.0, 1.0, np.inf], np.arange(4).astype("M8[D]"), ["a", "b", "c", "d"]):
        model = clf(threshold="auto", threshold_cv=2).fit(X, Y, groups=np.array(names)[plain])
        assert model.threshold_ == expected


def test_a_batch_may_be_larger_than_any_number_of_rows():
    at_once = clf(batch_size=-1).fit(X, Y).predict_proba(X)
    for size in (10**30, np.uint64(2**64 - 1)):
        model = clf(batch_size=size).fit(X, Y)
        np.testing.assert_array_equal(model.predict_proba(X), at_once)
        assert model.predict_proba(X, batch_size=size).shape == (40, 2)


def test_a_base_rate_is_estimated_from_shares_of_any_size():
    proba = np.array([[1e-9, 0.9], [0.5, 0.5], [0.7, 0.3]])
    for prior in ([2e-311, 1.0], [1e-300, 1.0], [0.5, 0.5]):
        shares = estimate_prior(proba, prior)
        assert np.isfinite(shares).all()
        assert shares.sum() == pytest.approx(1)


def test_an_imbalance_of_nullable_labels_is_printed(capsys):
    print_imbalance(pd.Series([0, 0, 0, 1], dtype="Int64"))
    assert "4 rows, 2 classes: 1 1 to 3 0" in capsys.readouterr().out


def test_numpys_numbers_are_numbers():
    model = clf(
        pos_weight=np.float32(2),
        label_smoothing=np.float64(0.1),
        threshold=np.float16(0.5),
        epochs=np.int32(1),
        early_stopping=np.False_,
    ).fit(X, Y)
    assert model.pos_weight_ == pytest.approx(2)
    assert Focal(gamma=np.array(2, dtype=np.int8)).gamma == 2
