"""One multiplier a class: every step against brute force, every figure against scikit-learn."""

import itertools

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    fbeta_score,
    make_scorer,
    matthews_corrcoef,
    recall_score,
)

from wbce.decisions import ClassRows, best_log_multipliers, class_objective, smoothed_shares
from wbce.decisions._multipliers import _best_of_one, decide

COSTS = np.array([[0.0, 2, 5], [1, 0, 1], [20, 3, 0]])


def rows(seed, n=80, k=3, weighted=False, ties=False):
    rng = np.random.default_rng(seed)
    codes = rng.choice(k, n, p=np.array([0.7, 0.2, 0.1, *[0.0] * (k - 3)])[:k])
    codes[:k] = np.arange(k)
    z = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[codes] + np.array([2.0, 0.5, 0.0])[:k]
    if ties:
        z = np.round(z)
    weight = rng.choice([0.5, 1.0, 4.0], n) if weighted else np.ones(n)
    return ClassRows.labelled(log_softmax(z, axis=1), codes, weight), codes, weight


def g_mean(y, p, sample_weight):
    recalls = recall_score(y, p, average=None, sample_weight=sample_weight)
    return np.prod(recalls) ** (1 / len(recalls))


def negative_cost(y, p, sample_weight):
    return -np.average(COSTS[y, p], weights=sample_weight)


REFERENCES = {
    "f1": lambda y, p, sample_weight: f1_score(
        y, p, average="macro", sample_weight=sample_weight, zero_division=0
    ),
    "f2": lambda y, p, sample_weight: fbeta_score(
        y, p, beta=2, average="macro", sample_weight=sample_weight, zero_division=0
    ),
    "balanced_accuracy": lambda y, p, sample_weight: balanced_accuracy_score(
        y, p, sample_weight=sample_weight
    ),
    "g_mean": g_mean,
    "mcc": lambda y, p, sample_weight: matthews_corrcoef(y, p, sample_weight=sample_weight),
    "cost": negative_cost,
    "f1_weighted": lambda y, p, sample_weight: f1_score(
        y, p, average="weighted", sample_weight=sample_weight, zero_division=0
    ),
}


@pytest.mark.parametrize("said", REFERENCES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_one_class_s_multiplier_is_the_best_of_all(said, weighted, seed):
    given, codes, weight = rows(seed, weighted=weighted, ties=seed == 2)
    objective = class_objective(said, COSTS)
    multipliers = np.array([0.3, -0.2, 0.5])
    for k in range(3):
        others = given.log_proba + multipliers
        others[:, k] = -np.inf
        turning = others.max(axis=1) - given.log_proba[:, k]
        values = []
        for m in [turning.min() - 1, *np.unique(np.round(turning, 9)) + 2e-9]:
            tried = multipliers.copy()
            tried[k] = m
            decided = decide(given.log_proba, tried)
            values.append(REFERENCES[said](codes, decided, sample_weight=weight))
        place, value = _best_of_one(given, objective, multipliers, k)
        assert value == pytest.approx(max(values), abs=1e-12)
        tried = multipliers.copy()
        tried[k] = place
        decided = decide(given.log_proba, tried)
        assert REFERENCES[said](codes, decided, sample_weight=weight) == pytest.approx(value)


@pytest.mark.parametrize("said", REFERENCES)
@pytest.mark.parametrize("seed", range(3))
def test_the_search_finds_what_a_grid_finds(said, seed):
    given, codes, weight = rows(seed, weighted=True)
    objective = class_objective(said, COSTS)
    starts = [np.zeros(3), -np.log([0.7, 0.2, 0.1])]
    found, value = best_log_multipliers(given, objective, starts)
    assert value == pytest.approx(
        REFERENCES[said](codes, decide(given.log_proba, found), sample_weight=weight)
    )
    grid = np.linspace(-4, 4, 9 if objective.scorer else 33)
    best = max(
        given.value(objective, decide(given.log_proba, np.array([0.0, a, b])))
        for a, b in itertools.product(grid, grid)
    )
    assert value >= best - 0.02 * abs(best)
    assert found.mean() == pytest.approx(0)


def test_a_function_of_counts_is_averaged_over_the_classes():
    given, _, _ = rows(0)

    def f1(tp, fp, fn, tn):
        return 2 * tp / (2 * tp + fp + fn)

    def mean_f1(tp, fp, fn, tn):
        return f1(tp, fp, fn, tn).mean(axis=1)

    named = best_log_multipliers(given, class_objective("f1"), [np.zeros(3)])
    for function in (f1, mean_f1):
        found = best_log_multipliers(given, class_objective(function), [np.zeros(3)])
        np.testing.assert_allclose(found[0], named[0])
        assert found[1] == pytest.approx(named[1])


def test_a_scorer_is_asked_what_it_says():
    given, codes, _ = rows(1)
    objective = class_objective(make_scorer(accuracy_score))
    found, value = best_log_multipliers(given, objective, [np.zeros(3)])
    assert value == accuracy_score(codes, decide(given.log_proba, found))
    assert value >= accuracy_score(codes, decide(given.log_proba, np.zeros(3)))


def test_more_cuts_than_are_looked_at(monkeypatch):
    from wbce.decisions import _multipliers

    given, codes, _ = rows(3, n=4000)
    objective = class_objective("f1")
    _, every = best_log_multipliers(given, objective, [np.zeros(3)])
    monkeypatch.setattr(_multipliers, "_MOST_CUTS", 200)
    found, some = best_log_multipliers(given, objective, [np.zeros(3)])
    assert some == pytest.approx(f1_score(codes, decide(given.log_proba, found), average="macro"))
    assert every - 0.01 < some <= every + 1e-9


def test_two_classes_are_the_threshold():
    """With two classes, the ratio of the multipliers is the odds of the threshold."""
    from wbce.decisions import binary_objective, choose, threshold_curve

    rng = np.random.default_rng(0)
    z = rng.normal(-1.5, 1.5, 300)
    codes = (rng.random(300) < 1 / (1 + np.exp(-z))).astype(int)
    log_proba = log_softmax(np.column_stack([-z / 2, z / 2]), axis=1)
    given = ClassRows.labelled(log_proba, codes, np.ones(300))
    found, value = best_log_multipliers(given, class_objective("balanced_accuracy"), [np.zeros(2)])
    curve = threshold_curve(z, codes == 1, np.ones(300))
    place, curve = choose(curve, binary_objective("balanced_accuracy"), exact=True)
    assert value == pytest.approx(curve.objective[place])
    called = decide(log_proba, found)
    assert value == pytest.approx(balanced_accuracy_score(codes, called))


def test_smoothed_shares_are_those_of_calibrated_probabilities():
    """Of true probabilities, the classes' totals stay and labels give way to probabilities."""
    rng = np.random.default_rng(0)
    log_proba = log_softmax(rng.normal(size=(5000, 3)) * 1.5, axis=1)
    codes = (np.exp(log_proba).cumsum(axis=1) < rng.random((5000, 1))).sum(axis=1)
    given = ClassRows.labelled(log_proba, codes, np.ones(5000))
    smooth = smoothed_shares(given)
    np.testing.assert_allclose(smooth.shares.sum(axis=1), 1)
    np.testing.assert_allclose(smooth.shares.sum(axis=0), given.shares.sum(axis=0), atol=2)
    part = 1000 / (1000 + np.bincount(codes).min())
    expected = (1 - part) * given.shares + part * np.exp(log_proba)
    assert np.abs(smooth.shares - expected).max() < 0.05


UNKNOWN = {
    "f1_makro": "Did you mean 'f1_macro'",
    "youdenn": "is not known",
    "cost": "needs the costs",
    ("min_precision", 0.5): "bounds the alarms of one class",
    3: "is not allowed",
}


@pytest.mark.parametrize("said", UNKNOWN)
def test_objectives_that_are_not_known(said):
    with pytest.raises(ValueError, match=UNKNOWN[said]):
        class_objective(dict([said]) if isinstance(said, tuple) else said)


def test_functions_that_are_no_objective():
    given, _, _ = rows(0)
    with pytest.raises(ValueError, match=r"returned an array of shape \(\)"):
        best_log_multipliers(given, class_objective(lambda tp, fp, fn, tn: tp.sum()), [np.zeros(3)])
