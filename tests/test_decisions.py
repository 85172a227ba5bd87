"""Cuts, curves and objectives, each against brute force or scikit-learn."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    fbeta_score,
    matthews_corrcoef,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_curve,
)

from wbce.decisions import (
    Cut,
    average_precision,
    binary_objective,
    choose,
    expected_costs,
    resampled_interval,
    smoothed,
    threshold_curve,
)
from wbce.decisions._choice import recalibration

COSTS = np.array([[1.0, 3.0], [20.0, 2.0]])


def rows(seed, kind="plain", n=60):
    """Random and adversarial scores: ties, weights, one positive, one score, saturated ones."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.2
    positive[:2] = True, False
    scores = rng.normal(size=n) + positive
    weight = np.ones(n)
    if "ties" in kind:
        scores = np.round(scores)
    if "weighted" in kind:
        weight = rng.choice([0.25, 1.0, 3.0], n)
    if kind == "one positive":
        positive[:] = False
        positive[rng.integers(n)] = True
    if kind == "one score":
        scores[:] = 1.5
    if kind == "reversed":
        scores = -scores
    if kind == "saturated":
        scores = scores * 400
    return scores, positive, weight


KINDS = ["plain", "ties", "weighted", "weighted ties", "one positive", "one score", "reversed"]
KINDS += ["saturated"]


def g_mean(y, called, sample_weight):
    matrix = confusion_matrix(y, called, sample_weight=sample_weight, labels=[False, True])
    recalls = np.diag(matrix) / matrix.sum(axis=1)
    return np.sqrt(np.prod(recalls))


def youden(y, called, sample_weight):
    return 2 * balanced_accuracy_score(y, called, sample_weight=sample_weight) - 1


def negative_cost(y, called, sample_weight):
    return -np.average(COSTS[y.astype(int), called.astype(int)], weights=sample_weight)


def f_of(beta):
    return lambda y, called, sample_weight: fbeta_score(
        y, called, beta=beta, sample_weight=sample_weight, zero_division=0
    )


REFERENCES = {
    "f1": lambda y, p, sample_weight: f1_score(y, p, sample_weight=sample_weight, zero_division=0),
    "f2": f_of(2),
    "f0.5": f_of(0.5),
    "f10": f_of(10),
    "mcc": lambda y, p, sample_weight: matthews_corrcoef(y, p, sample_weight=sample_weight),
    "balanced_accuracy": lambda y, p, sample_weight: balanced_accuracy_score(
        y, p, sample_weight=sample_weight
    ),
    "youden": youden,
    "g_mean": g_mean,
    "cost": negative_cost,
}


def all_cuts(scores):
    return [np.inf, *np.unique(scores)[::-1], -np.inf]


@pytest.mark.parametrize("said", REFERENCES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_the_exact_cut_is_the_best_of_all(said, kind, seed):
    scores, positive, weight = rows(seed, kind)
    reference = REFERENCES[said]
    curve = threshold_curve(scores, positive, weight)
    place, curve = choose(curve, binary_objective(said, COSTS), exact=True)
    called = Cut.between_scores(float(curve.log_odds[place])).margin(scores) > 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = max(reference(positive, scores > c, sample_weight=weight) for c in all_cuts(scores))
        reached = reference(positive, called, sample_weight=weight)
    assert reached == pytest.approx(best, rel=1e-12, abs=1e-15)
    assert curve.objective[place] == pytest.approx(best, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("said", REFERENCES)
def test_every_cut_of_the_curve_is_scikit_learns(said):
    scores, positive, weight = rows(5, "weighted ties")
    objective = binary_objective(said, COSTS)
    _, curve = choose(threshold_curve(scores, positive, weight), objective, exact=True)
    for cut, value in zip(curve.log_odds, curve.objective, strict=True):
        expected = REFERENCES[said](positive, scores > cut, sample_weight=weight)
        assert value == pytest.approx(expected, abs=1e-14)


CONSTRAINED = {
    "min_precision": (precision_score, recall_score, lambda value, bound: value >= bound),
    "min_recall": (recall_score, precision_score, lambda value, bound: value >= bound),
    "max_fpr": (
        lambda y, p, sample_weight, zero_division: recall_score(~y, p, sample_weight=sample_weight),
        recall_score,
        lambda value, bound: value <= bound,
    ),
    "max_alarms": (
        lambda y, p, sample_weight, zero_division: sample_weight[p].sum(),
        recall_score,
        lambda value, bound: value <= bound,
    ),
}


@pytest.mark.parametrize("name", CONSTRAINED)
@pytest.mark.parametrize("kind", ["plain", "weighted ties", "one positive"])
@pytest.mark.parametrize("seed", range(2))
def test_constraints_against_all_cuts(name, kind, seed):
    scores, positive, weight = rows(seed, kind)
    bounded, wanted, holds = CONSTRAINED[name]
    bounds = [1, 5, 17.0, 60] if name == "max_alarms" else [0.05, 0.2, 0.5, 0.8, 1.0]
    for bound in bounds:
        possible = []
        for cut in all_cuts(scores):
            called = scores > cut
            given = {"sample_weight": weight, "zero_division": 0}
            found = called.any() if name.startswith("max") else (called & positive).any()
            if found and holds(round(bounded(positive, called, **given), 13), bound):
                possible.append(wanted(positive, called, **given))
        curve = threshold_curve(scores, positive, weight)
        objective = binary_objective({name: bound})
        if not possible:
            with pytest.raises(ValueError, match="cannot be met on the validation rows"):
                choose(curve, objective, exact=True)
            continue
        place, curve = choose(curve, objective, exact=True)
        called = scores > curve.log_odds[place]
        assert holds(round(bounded(positive, called, **given), 13), bound)
        assert wanted(positive, called, **given) == pytest.approx(max(possible), rel=1e-12)


def test_what_cannot_be_met_says_the_best_that_could_be_had():
    scores, positive = np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, True, True, False])
    curve = threshold_curve(scores, positive, np.ones(4))
    with pytest.raises(ValueError, match=r"highest precision of a cut.* 0\.6667, at threshold 0.8"):
        choose(curve, binary_objective({"min_precision": 0.9}), exact=True)
    with pytest.raises(ValueError, match=r"lowest false-positive rate of a cut that has an alarm"):
        choose(curve, binary_objective({"max_fpr": 0.1}), exact=True)
    both = binary_objective({"min_precision": 0.6, "max_alarms": 2})
    with pytest.raises(ValueError, match=r"precision .*number of alarms .*not all at one cut"):
        choose(curve, both, exact=True)


def test_several_constraints_hold_at_once():
    scores, positive, weight = rows(3, n=400)
    curve = threshold_curve(scores, positive, weight)
    place, curve = choose(curve, binary_objective({"min_precision": 0.3, "max_fpr": 0.2}), True)
    assert curve.precision[place] >= 0.3
    assert curve.false_positive_rate[place] <= 0.2
    allowed = (curve.precision >= 0.3) & (curve.false_positive_rate <= 0.2) & (curve.tp > 0)
    assert curve.recall[place] == curve.recall[allowed].max()


@pytest.mark.parametrize("said", [{"max_alarms": 0.1}, {"max_alarms": 10}])
def test_as_many_alarms_as_there_may_be(said):
    scores, positive, weight = rows(1, n=100)
    place, curve = choose(
        threshold_curve(scores, positive, weight), binary_objective(said), exact=True
    )
    assert curve.alarms[place] == 10
    per = binary_objective({"max_alarms": 200, "per": 2000})
    assert choose(threshold_curve(scores, positive, weight), per, exact=True)[0] == place


def test_a_function_of_the_counts():
    scores, positive, weight = rows(4, "weighted ties")

    def jaccard(tp, fp, fn, tn):
        return tp / (tp + fp + fn)

    curve = threshold_curve(scores, positive, weight)
    place, chosen = choose(curve, binary_objective(jaccard), exact=True)
    same, _ = choose(curve, binary_objective("f1"), exact=True)  # they order alike
    assert place == same
    np.testing.assert_allclose(chosen.objective, chosen.f1 / (2 - chosen.f1))

    def precision(tp, fp, fn, tn):
        return tp / (tp + fp)  # NaN without an alarm: that cut is not chosen

    place, chosen = choose(curve, binary_objective(precision), exact=True)
    assert place > 0
    assert chosen.objective[place] == np.nanmax(chosen.objective)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda tp, fp, fn, tn: tp.sum(), r"returned an array of shape \(\)"),
        (lambda tp, fp, fn, tn: tp * np.nan, "is NaN at every cut"),
    ],
)
def test_functions_that_are_no_objective(function, message):
    with pytest.raises(ValueError, match=message):
        choose(threshold_curve(*rows(0)), binary_objective(function), exact=True)


UNKNOWN = {
    "F1": "Did you mean 'f1'",
    "g-mean": "Did you mean 'g_mean'",
    "accuracy_balanced": "is not known",
    "f0": "above zero",
    "f-1": "is not known",
    "cost": "needs the costs",
    ("max_fpr", 1.5): "between 0 and 1",
    ("min_precision", "high"): "between 0 and 1",
    ("min_recall", np.nan): "between 0 and 1",
    ("min_recall", True): "between 0 and 1",
    ("max_alarms", 0): "1 or more",
    ("max_alarms", -5): "1 or more",
    ("max_alerts", 5): "Did you mean 'max_alarms'",
    ("per", 5): "one or more of",
    3.5: "threshold_objective=3.5 is not allowed",
    None: "is not allowed",
}


@pytest.mark.parametrize("said", UNKNOWN)
def test_objectives_that_are_not_known(said):
    with pytest.raises(ValueError, match=UNKNOWN[said]):
        binary_objective(dict([said]) if isinstance(said, tuple) else said)


@pytest.mark.parametrize(
    "said",
    [{}, {"max_alarms": 5, "per": 3}, {"max_alarms": 5, "per": "day"}, {"min_recall": 1, "per": 9}],
)
def test_dicts_that_do_not_fit(said):
    with pytest.raises(ValueError, match="threshold_objective="):
        binary_objective(said)


def test_the_curve_is_scikit_learns():
    scores, positive, weight = rows(3, "weighted ties")
    curve = threshold_curve(scores, positive, weight)
    precision, recall, _ = precision_recall_curve(positive, scores, sample_weight=weight)
    np.testing.assert_allclose(curve.precision[::-1], precision, rtol=1e-13)
    np.testing.assert_allclose(curve.recall[::-1], recall, rtol=1e-13)
    fpr, tpr, _ = roc_curve(positive, scores, sample_weight=weight, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_positive_rate, fpr, rtol=1e-13)
    np.testing.assert_allclose(curve.recall, tpr, rtol=1e-13)


def test_the_curve_is_a_table():
    import pandas as pd

    _, curve = choose(threshold_curve(*rows(3)), binary_objective("f2"), exact=True)
    table = pd.DataFrame(curve.columns())
    assert len(table) == len(curve) == 61
    assert {"threshold", "precision", "recall", "false_positive_rate", "alarms"} <= {*table}
    assert table.objective.max() == curve.objective.max()
    np.testing.assert_array_equal(table.tp + table.fp, table.alarms)
    np.testing.assert_array_equal(table.tp + table.fp + table.fn + table.tn, 60)
    assert (np.diff(table.threshold) < 0).all()
    assert (table.threshold.iloc[0], table.threshold.iloc[-1]) == (1, 0)
    assert "61 cuts; the best objective" in repr(curve)


def test_every_cut_of_the_curve_does_what_it_says():
    scores, positive, weight = rows(5, "weighted ties")
    curve = threshold_curve(scores, positive, weight)
    for cut, threshold, *counts in zip(curve.log_odds, curve.threshold, *curve.counts, strict=True):
        (tn, fp), (fn, tp) = confusion_matrix(
            positive, scores > cut, sample_weight=weight, labels=[False, True]
        )
        np.testing.assert_allclose(counts, [tp, fp, fn, tn], atol=1e-12)
        assert threshold == expit(cut)


def test_ten_million_scores_need_no_loop_over_them():
    """As many operations on arrays for a thousand scores as for ten times as many."""
    import sys

    def lines_run(n):
        scores, positive, weight = rows(0, n=n)
        count = 0

        def tracer(frame, event, argument):
            nonlocal count
            count += event == "line"
            return tracer

        sys.settrace(tracer)
        try:
            choose(threshold_curve(scores, positive, weight), binary_objective("mcc"), exact=True)
        finally:
            sys.settrace(None)
        return count

    assert lines_run(10_000) == lines_run(1000)


def test_the_cut_lies_halfway_between_two_scores():
    curve = threshold_curve(np.array([0.0, 1.0, 4.0]), np.array([False, False, True]), np.ones(3))
    place, curve = choose(curve, binary_objective("f1"), exact=True)
    assert curve.log_odds[place] == 2.5
    assert curve.threshold[place] == pytest.approx(expit(2.5))


def test_of_equal_figures_the_fewest_alarms_are_chosen():
    # one hit among one alarm: 2/3; two hits among four alarms: 2/3
    scores = np.array([4.0, 3.0, 2.0, 1.0, 0.0])
    positive = np.array([True, False, False, True, False])
    curve = threshold_curve(scores, positive, np.ones(5))
    assert curve.f1[1] == pytest.approx(curve.f1[4])
    assert choose(curve, binary_objective("f1"), exact=True)[0] == 1


def test_scores_that_no_float_lies_between_are_still_told_apart():
    scores = np.array([1.0, np.nextafter(1.0, 2)])
    curve = threshold_curve(scores, np.array([False, True]), np.ones(2))
    place, curve = choose(curve, binary_objective("f1"), exact=True)
    cut = Cut.between_scores(float(curve.log_odds[place]))
    assert (cut.margin(scores) > 0).tolist() == [False, True]


def test_scores_that_round_to_probability_one_are_told_apart():
    scores = np.array([40.0, 50.0])
    curve = threshold_curve(scores, np.array([False, True]), np.ones(2))
    place, curve = choose(curve, binary_objective("f1"), exact=True)
    cut = Cut.between_scores(float(curve.log_odds[place]))
    assert cut.probability == 1.0
    assert (cut.margin(scores) > 0).tolist() == [False, True]


def test_where_everything_should_be_positive_the_threshold_is_zero():
    curve = threshold_curve(np.array([0.0, 1.0]), np.array([True, False]), np.array([9.0, 1.0]))
    place, curve = choose(curve, binary_objective("f1"), exact=True)
    assert curve.threshold[place] == 0
    assert (Cut.between_scores(curve.log_odds[place]).margin(np.array([-30.0, 0.0])) > 0).all()


def test_where_alarms_cost_too_much_there_is_none():
    scores, positive, weight = rows(2, "reversed")
    objective = binary_objective("cost", [[0, 1000], [1, 0]])
    place, curve = choose(threshold_curve(scores, positive, weight), objective, exact=True)
    assert curve.threshold[place] == 1
    assert not (Cut.between_scores(float(curve.log_odds[place])).margin(scores) > 0).any()


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
    with pytest.raises(ValueError, match=r"without a (positive|negative) row.*threshold_cv=5"):
        threshold_curve(np.array([0.0, 1.0]), np.array([only, only]), np.ones(2))


def test_scores_that_are_nan_are_refused():
    with pytest.raises(ValueError, match="NaN or infinite: 1 of 2"):
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


def test_expected_costs_of_one_matrix_and_of_one_a_row():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(3), 5)
    each = rng.random((5, 3, 3))
    expected = [
        [sum(proba[n, i] * each[n, i, j] for i in range(3)) for j in range(3)] for n in range(5)
    ]
    np.testing.assert_allclose(expected_costs(proba, each), expected)
    np.testing.assert_allclose(
        expected_costs(proba, each[0]), expected_costs(proba, np.tile(each[0], (5, 1, 1)))
    )


# ---------------------------------------------------------------- the choice by default


@pytest.mark.parametrize("kind", ["plain", "weighted ties", "one positive", "saturated"])
def test_the_recalibration_is_the_penalised_maximum_of_the_likelihood(kind):
    scores, positive, weight = rows(2, kind)

    def loss(b):
        z = b[0] + b[1] * scores
        fit = weight @ (np.logaddexp(0, z) - positive * z)
        return fit + 0.1 * b[0] ** 2 / 2 + (b[1] - 1) ** 2 / 2

    found = recalibration(scores, (weight * positive)[None], weight[None])[0]
    best = minimize(loss, [0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert loss(found) <= best.fun + 1e-7
    for step in itertools.product([-1e-4, 0, 1e-4], repeat=2):
        assert loss(found) <= loss(found + np.array(step)) + 1e-12


def test_smoothing_keeps_rows_and_vanishes_with_many_positives():
    scores, positive, weight = rows(0, "ties", n=300)
    curve = threshold_curve(scores, positive, weight)
    smooth = smoothed(curve)
    np.testing.assert_allclose(smooth.alarms, curve.alarms)
    assert np.abs(smooth.tp - curve.tp).max() > 0.5
    many = threshold_curve(scores, positive, weight)
    many = type(many)(many.scores, many.positives * 1e6, many.negatives * 1e6, (6e7, 2.4e8))
    assert np.abs(smoothed(many).tp / many.tp[-1] - many.tp / many.tp[-1]).max() < 1e-4


def test_the_smooth_choice_loses_less_where_the_truth_is_known():
    """Of scores that are true log-odds, with 12 positives on average in 200 rows."""
    rng = np.random.default_rng(0)

    def draw(n):
        z = rng.normal(-3.6, 1.6, n)
        return z, rng.random(n) < expit(z)

    z_all, y_all = draw(200_000)
    truth = threshold_curve(z_all, y_all, np.ones(len(z_all)))
    lost = {True: [], False: []}
    for _ in range(60):
        z, y = draw(200)
        if not 0 < y.sum() < 200:
            continue
        curve = threshold_curve(z, y, np.ones(200))
        for exact in lost:
            place, _ = choose(curve, binary_objective("f1"), exact)
            there = np.searchsorted(-truth.log_odds, -curve.log_odds[place])
            lost[exact].append(truth.f1.max() - truth.f1[min(there, len(truth) - 1)])
    assert np.mean(lost[False]) < 0.5 * np.mean(lost[True])


def test_with_very_many_positives_the_choice_is_the_exact_one_s():
    rng = np.random.default_rng(1)
    positive = rng.random(400_000) < 0.5
    scores = np.where(positive, 1.0, -1.0) + rng.normal(size=len(positive)) ** 3
    curve = threshold_curve(scores, positive, np.ones(len(scores)))
    objective = binary_objective("f1")
    (smooth, curve), (exact, _) = choose(curve, objective, False), choose(curve, objective, True)
    assert curve.objective[smooth] > curve.objective[exact] - 1e-5


def test_weights_that_are_scaled_change_nothing():
    scores, positive, weight = rows(6, "weighted")
    objective = binary_objective("mcc")
    places = [
        choose(threshold_curve(scores, positive, factor * weight), objective, False)[0]
        for factor in (1.0, 1000.0, 0.001)
    ]
    assert places[0] == places[1] == places[2]


# ---------------------------------------------------------------- intervals


@pytest.mark.parametrize("exact", [True, False])
def test_the_bootstrap_is_that_of_the_rows(exact):
    """The interval of a curve's counts agrees with redrawing the rows themselves."""
    scores, positive, weight = rows(0, "ties", n=500)
    objective = binary_objective("f1")
    place, curve = choose(threshold_curve(scores, positive, weight), objective, exact)
    interval = resampled_interval(curve, place, objective, exact, n_resamples=1000)
    rng = np.random.default_rng(1)
    thresholds, reached = [], []
    for _ in range(600):
        drawn = rng.integers(0, 500, 500)
        again = threshold_curve(scores[drawn], positive[drawn], weight[drawn])
        there, again = choose(again, objective, exact)
        thresholds.append(again.threshold[there])
        called = scores[drawn] > curve.log_odds[place]
        reached.append(f1_score(positive[drawn], called))
    np.testing.assert_allclose(interval.objective, np.percentile(reached, [5, 95]), atol=0.02)
    np.testing.assert_allclose(
        interval.threshold, np.percentile(thresholds, [5, 95]), atol=0.12 if exact else 0.06
    )
    assert interval.level == 0.9


def test_the_interval_is_wider_with_fewer_rows_and_the_same_for_weights_that_say_as_much():
    widths = []
    for n in (100, 10_000):
        scores, positive, weight = rows(0, n=n)
        objective = binary_objective("f1")
        place, curve = choose(threshold_curve(scores, positive, weight), objective, False)
        low, high = resampled_interval(curve, place, objective, False).objective
        widths.append(high - low)
    assert widths[1] < widths[0] / 4
    weighted = threshold_curve(scores, positive, 100 * weight)
    place, curve = choose(weighted, objective, False)
    low, high = resampled_interval(curve, place, objective, False).objective
    assert high - low == pytest.approx(widths[1], rel=1e-9)


def test_the_interval_of_a_constraint_leaves_out_samples_that_cannot_meet_it():
    scores, positive, weight = rows(1, n=100)
    objective = binary_objective({"min_precision": 0.6})
    place, curve = choose(threshold_curve(scores, positive, weight), objective, True)
    interval = resampled_interval(curve, place, objective, True)
    assert 0 < interval.threshold[0] <= interval.threshold[1] <= 1
    assert 0 <= interval.objective[0] <= interval.objective[1] <= 1


def test_the_interval_of_many_scores_is_at_the_cut_that_was_chosen():
    scores, positive, weight = rows(3, n=20_000)
    objective = binary_objective("mcc")
    place, curve = choose(threshold_curve(scores, positive, weight), objective, True)
    interval = resampled_interval(curve, place, objective, True, n_resamples=400)
    assert interval.threshold[0] <= curve.threshold[place] <= interval.threshold[1]
    rng = np.random.default_rng(0)
    reached = []
    for _ in range(200):
        drawn = rng.integers(0, len(scores), len(scores))
        reached.append(matthews_corrcoef(positive[drawn], scores[drawn] > curve.log_odds[place]))
    np.testing.assert_allclose(interval.objective, np.percentile(reached, [5, 95]), atol=0.003)


def test_where_no_sample_will_do_there_is_no_interval():
    curve = threshold_curve(np.array([2.0, 1.0]), np.array([True, False]), np.ones(2))
    impossible = binary_objective({"min_precision": 1.0, "min_recall": 1.0})
    place, curve = choose(curve, impossible, True)
    reversed_curve = threshold_curve(np.array([1.0, 2.0]), np.array([True, False]), np.ones(2))
    interval = resampled_interval(reversed_curve, place, impossible, True)
    assert np.isnan(interval.threshold).all()
