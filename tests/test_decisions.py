import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from wbce.decisions import Cut, average_precision, best_f1_cut, threshold_curve


def brute_force_best_f1(scores, positive, weight):
    """The best F1 over every cut, from scikit-learn's metric."""
    cuts = [*np.unique(scores), np.inf, -np.inf]
    return max(
        f1_score(positive, scores > c, sample_weight=weight, zero_division=0.0) for c in cuts
    )


def rows(seed, ties=False, weighted=False, n=60):
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.2
    positive[:2] = True, False
    scores = rng.normal(size=n) + positive
    if ties:
        scores = np.round(scores)
    weight = rng.integers(1, 5, n) * 1.0 if weighted else np.ones(n)
    return scores, positive, weight


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_cut_has_the_best_f1_of_all(seed, ties, weighted):
    scores, positive, weight = rows(seed, ties, weighted)
    cut, curve = best_f1_cut(scores, positive, weight)
    reached = f1_score(positive, cut.margin(scores) > 0, sample_weight=weight)
    assert reached == pytest.approx(brute_force_best_f1(scores, positive, weight), rel=1e-12)
    assert reached == pytest.approx(curve.f1.max(), rel=1e-12)


def test_the_curve_is_scikit_learns():
    scores, positive, weight = rows(3, ties=True, weighted=True)
    curve, _ = threshold_curve(scores, positive, weight)
    precision, recall, _ = precision_recall_curve(positive, scores, sample_weight=weight)
    np.testing.assert_allclose(curve.precision[::-1], precision[:-1], rtol=1e-13)
    np.testing.assert_allclose(curve.recall[::-1], recall[:-1], rtol=1e-13)


def test_every_cut_of_the_curve_does_what_it_says():
    scores, positive, weight = rows(5, ties=True, weighted=True)
    curve, cuts = threshold_curve(scores, positive, weight)
    for cut, threshold, f1 in zip(cuts, curve.threshold, curve.f1, strict=True):
        assert f1_score(positive, scores > cut, sample_weight=weight) == pytest.approx(f1)
        assert threshold == expit(cut)


def test_the_cut_lies_halfway_between_two_scores():
    cut, _ = best_f1_cut(np.array([0.0, 1.0, 4.0]), np.array([False, False, True]), np.ones(3))
    assert cut.log_odds == 2.5
    assert cut.probability == pytest.approx(expit(2.5))


def test_of_equal_f1_the_highest_cut_is_chosen():
    # one hit among one alarm: 2/3; two hits among four alarms: 2/3
    scores = np.array([4.0, 3.0, 2.0, 1.0, 0.0])
    positive = np.array([True, False, False, True, False])
    cut, curve = best_f1_cut(scores, positive, np.ones(5))
    assert curve.f1[0] == pytest.approx(curve.f1[3])
    assert cut.log_odds == 3.5


def test_scores_that_no_float_lies_between_are_still_told_apart():
    low = 1.0
    high = np.nextafter(low, 2)
    cut, _ = best_f1_cut(np.array([low, high]), np.array([False, True]), np.ones(2))
    assert (cut.margin(np.array([low, high])) > 0).tolist() == [False, True]


def test_scores_that_round_to_probability_one_are_told_apart():
    scores = np.array([40.0, 50.0])
    cut, _ = best_f1_cut(scores, np.array([False, True]), np.ones(2))
    assert cut.probability == 1.0
    assert (cut.margin(scores) > 0).tolist() == [False, True]


def test_where_everything_should_be_positive_the_threshold_is_zero():
    cut, _ = best_f1_cut(np.array([0.0, 1.0]), np.array([True, False]), np.array([9.0, 1.0]))
    assert cut.probability == 0
    assert (cut.margin(np.array([-30.0, 0.0])) > 0).all()


@pytest.mark.parametrize("threshold", [0.0, 1e-300, 0.3, 0.5, 1 - 1e-16, 1.0])
def test_a_number_cuts_probabilities_strictly(threshold):
    z = np.concatenate([np.linspace(-800, 800, 1001), [0.0, -1e4, 1e4, 36.0, 37.0]])
    margin = Cut.at(threshold).margin(z)
    np.testing.assert_array_equal(margin > 0, expit(z) > threshold)
    assert np.isfinite(margin).all()
    assert (np.diff(margin[np.argsort(z, kind="stable")]) >= 0).all()


def test_a_row_at_the_threshold_is_negative_to_the_last_bit():
    z = np.random.default_rng(0).normal(size=500)
    for threshold in expit(z[:50]):
        np.testing.assert_array_equal(Cut.at(threshold).margin(z) > 0, expit(z) > threshold)


@pytest.mark.parametrize("only", [True, False])
def test_rows_of_one_class_are_refused(only):
    with pytest.raises(ValueError, match=r"without a (positive|negative) row"):
        threshold_curve(np.array([0.0, 1.0]), np.array([only, only]), np.ones(2))


def test_scores_that_are_nan_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        threshold_curve(np.array([0.0, np.nan]), np.array([True, False]), np.ones(2))


def test_average_precision_is_scikit_learn_s():
    generator = np.random.default_rng(3)
    for n in (2, 5, 50, 500):
        scores = np.round(generator.normal(size=n), 1)  # with ties
        positive = generator.random(n) < 0.3
        positive[:2] = True, False
        weight = generator.uniform(0.1, 3, n)
        np.testing.assert_allclose(
            average_precision(scores, positive, weight),
            average_precision_score(positive, scores, sample_weight=weight),
        )
