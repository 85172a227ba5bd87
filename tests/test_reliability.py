"""The reliability curve, against scikit-learn's and by simulation."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from wbce._reliability import reliability_curve


def calibrated(n, seed=0):
    rng = np.random.default_rng(seed)
    proba = rng.beta(0.3, 6, n)
    return proba, rng.random(n) < proba


def test_bins_are_those_of_scikit_learn_where_values_are_few():
    rng = np.random.default_rng(1)
    proba = rng.choice([0.05, 0.15, 0.35, 0.75], 400)
    positive = rng.random(400) < proba
    curve = reliability_curve(proba, positive, np.ones(400), n_bins=50)
    observed, predicted = calibration_curve(positive, proba, n_bins=10)
    np.testing.assert_allclose(curve.predicted, predicted)
    np.testing.assert_allclose(curve.observed, observed)
    assert curve.weight.sum() == 400


def test_every_bin_has_a_part_of_both_classes():
    proba, positive = calibrated(20_000)
    curve = reliability_curve(proba, positive, np.ones(20_000), n_bins=8)
    expected = curve.weight * curve.predicted
    share = expected / expected.sum() + (curve.weight - expected) / (curve.weight - expected).sum()
    np.testing.assert_allclose(share, 2 / 8, rtol=0.02)
    assert (np.diff(curve.predicted) > 0).all()


def test_intervals_hold_what_they_promise():
    inside = []
    for seed in range(60):
        proba, positive = calibrated(2_000, seed)
        curve = reliability_curve(proba, positive, np.ones(2_000), n_bins=8)
        inside += ((curve.low <= curve.predicted) & (curve.predicted <= curve.high)).tolist()
    assert 0.86 < np.mean(inside) < 0.95  # 480 intervals of level 0.9


def test_observed_shares_are_not_biased_by_the_choice_of_bins():
    gaps = []
    for seed in range(200):
        proba, positive = calibrated(300, seed)
        curve = reliability_curve(proba, positive, np.ones(300), n_bins=8)
        gaps.append(curve.weight[-1] * (curve.observed[-1] - curve.predicted[-1]))
    standard_error = np.std(gaps) / np.sqrt(len(gaps))
    assert abs(np.mean(gaps)) < 3 * standard_error


def test_weights_count_as_rows():
    proba, positive = calibrated(500)
    times = np.random.default_rng(2).integers(1, 4, 500)
    weighted = reliability_curve(proba, positive, times.astype(float))
    repeated = reliability_curve(
        np.repeat(proba, times), np.repeat(positive, times), np.ones(times.sum())
    )
    np.testing.assert_allclose(weighted.observed, repeated.observed)
    np.testing.assert_allclose(weighted.predicted, repeated.predicted)
    assert (weighted.high - weighted.low > repeated.high - repeated.low).any()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_one_value_is_one_bin(value):
    curve = reliability_curve(np.full(6, value), np.arange(6) < 3, np.ones(6))
    assert curve.observed.tolist() == [0.5]
    assert curve.low[0] < 0.5 < curve.high[0]
