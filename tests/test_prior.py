"""Base rates: moved by Bayes' rule, estimated from unlabelled rows, told by `prior`."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit, softmax
from sklearn.metrics import f1_score, log_loss

from wbce import WeightedKerasClassifier, estimate_prior
from wbce.prior import class_shares


def clf(**parameters):
    return WeightedKerasClassifier(
        **{"model": "mlp", "epochs": 15, "random_state": 0, **parameters}
    )


def population(n, share, seed):
    """Rows whose log-odds are known: two Gaussians."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    return (rng.normal(size=(n, 2)) + 1.2 * y[:, None]).astype(np.float32), y


def true_log_odds(X, share):
    return 1.2 * X.sum(axis=1) - 1.44 + logit(share)


def test_shares_from_every_way_to_say_them():
    np.testing.assert_allclose(class_shares(0.1, ["a", "b"], 0), [0.1, 0.9])
    np.testing.assert_allclose(class_shares([0.3, 0.7], ["a", "b"], 0), [0.3, 0.7])
    np.testing.assert_allclose(class_shares({"b": 0.2, "a": 0.8}, ["a", "b"], 0), [0.8, 0.2])


BAD = [0, 1, -0.2, 1.5, np.nan, "0.1", True, [0.5, 0.6], [0.2, 0.3, 0.5], {0: 0.5}, [0.0, 1.0]]


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_prior(bad):
    with pytest.raises(ValueError, match="prior="):
        class_shares(bad, [0, 1], 1)
    X, y = population(200, 0.3, 0)
    with pytest.raises(ValueError, match="prior="):
        clf(prior=bad, epochs=1).fit(X, y)


def test_a_number_needs_a_positive_class():
    with pytest.raises(ValueError, match="one share for each"):
        class_shares(0.3, [0, 1, 2], None)


@pytest.mark.parametrize("k", [2, 4])
def test_em_is_the_maximum_of_the_likelihood(k):
    rng = np.random.default_rng(k)
    prior = np.full(k, 1 / k)
    proba = softmax(rng.normal(size=(300, k)) * 2 + np.arange(k), axis=1)
    weight = rng.random(300) + 0.5

    def negative_log_likelihood(a):
        return -weight @ np.log(proba / prior @ softmax(np.append(0, a)))

    best = minimize(negative_log_likelihood, np.zeros(k - 1), tol=1e-12).x
    found = estimate_prior(proba, prior, sample_weight=weight)
    np.testing.assert_allclose(found, softmax(np.append(0, best)), atol=1e-4)


def test_em_finds_the_share_of_a_population():
    X, _ = population(20_000, 0.02, 1)
    p = expit(true_log_odds(X, 0.3))
    found = estimate_prior(np.column_stack([1 - p, p]), [0.7, 0.3])
    assert found[1] == pytest.approx(0.02, abs=0.006)


@pytest.mark.parametrize(
    ("proba", "prior"),
    [
        ([[0.5, 0.5]], [0.5, 0.6]),
        ([[0.5, 0.5]], [1.0, 0.0]),
        ([[0.5, 0.5]], [0.2, 0.3, 0.5]),
        ([0.5, 0.5], [0.5, 0.5]),
        ([[1.5, -0.5]], [0.5, 0.5]),
        ([[np.nan, 0.5]], [0.5, 0.5]),
        (np.zeros((0, 2)), [0.5, 0.5]),
    ],
)
def test_em_refuses_what_is_no_probability(proba, prior):
    with pytest.raises(ValueError, match=r"prior|proba"):
        estimate_prior(proba, prior)


def test_prior_moves_the_log_odds_and_nothing_else():
    X, y = population(3000, 0.3, 0)
    fixed = {"early_stopping": False, "class_weight": "balanced"}
    plain, moved = clf(**fixed).fit(X, y), clf(prior=0.01, **fixed).fit(X, y)
    shift = logit(0.01) - logit(y.mean())
    z, other = (m.predict_log_proba(X) @ [-1, 1] for m in (plain, moved))
    np.testing.assert_allclose(other - z, shift, rtol=1e-6)
    np.testing.assert_allclose(moved.prior_, [0.99, 0.01])
    np.testing.assert_allclose(plain.prior_[1], y.mean())
    assert moved.threshold_ == pytest.approx(plain.threshold_)  # what the weights say of costs
    np.testing.assert_allclose(
        plain.predict_proba(X, prior=0.01), moved.predict_proba(X), rtol=1e-6
    )
    np.testing.assert_array_equal(plain.predict(X, prior=0.01), moved.predict(X))
    np.testing.assert_allclose(
        moved.predict_proba(X, prior=plain.prior_), plain.predict_proba(X), rtol=1e-6
    )


def test_probabilities_of_resampled_rows_are_those_of_the_population():
    """Trained on as many positives as negatives, for a population with 2 %."""
    X, y = population(60_000, 0.02, 0)
    rows = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[: y.sum()]]
    X_new, y_new = population(20_000, 0.02, 1)
    told = clf(prior=0.02, epochs=30).fit(X[rows], y[rows])
    untold = clf(epochs=30).fit(X[rows], y[rows])
    truth = expit(true_log_odds(X_new, 0.02))
    assert log_loss(y_new, told.predict_proba(X_new)) < 1.03 * log_loss(y_new, truth)
    assert log_loss(y_new, untold.predict_proba(X_new)) > 3 * log_loss(y_new, truth)
    assert told.predict_proba(X_new)[:, 1].mean() == pytest.approx(0.02, rel=0.15)
    # validation rows are weighted to the same population
    assert told.validation_score_ == pytest.approx(log_loss(y_new, truth), rel=0.3)


def test_a_threshold_is_tuned_for_the_prior():
    X, y = population(40_000, 0.02, 0)
    rows = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[: y.sum()]]
    X_new, y_new = population(20_000, 0.02, 1)
    scores = {
        prior: f1_score(
            y_new,
            clf(prior=prior, threshold="auto", validation_split=0.3)
            .fit(X[rows], y[rows])
            .predict(X_new),
        )
        for prior in (None, 0.02)
    }
    z = true_log_odds(X_new, 0.02)
    best = max(f1_score(y_new, z > cut) for cut in np.quantile(z, np.linspace(0.9, 0.999, 100)))
    assert scores[0.02] > best - 0.03
    assert scores[None] < best - 0.1


def test_the_new_base_rate_is_found_and_used():
    X, y = population(10_000, 0.2, 0)
    model = clf(epochs=30).fit(X, y)
    X_new, y_new = population(20_000, 0.01, 1)
    found = model.estimate_prior(X_new)
    assert found == pytest.approx(0.01, abs=0.005)
    assert log_loss(y_new, model.predict_proba(X_new, prior=found)) < 0.75 * log_loss(
        y_new, model.predict_proba(X_new)
    )


def test_tuning_with_another_prior_is_from_now_on():
    X, y = population(4000, 0.2, 0)
    model = clf(threshold="auto", validation_split=0.25).fit(X, y)
    before = model.predict_proba(X, prior=0.02)
    X_val, y_val = population(4000, 0.2, 1)
    model.tune_threshold(X_val, y_val, prior=0.02)
    np.testing.assert_allclose(model.prior_, [0.98, 0.02])
    np.testing.assert_allclose(model.predict_proba(X), before, rtol=1e-6)
    curve = model.threshold_curve_
    assert curve.tp[-1] / curve.alarms[-1] == pytest.approx(0.02)


def test_several_classes():
    rng = np.random.default_rng(0)
    y = rng.choice(3, 1500, p=[0.6, 0.3, 0.1])
    X = rng.normal(size=(1500, 2)) + np.array([[0, 0], [2, 0], [0, 2]])[y]
    target = {"a": 0.2, "b": 0.2, "c": 0.6}
    names = np.array(["a", "b", "c"])
    fixed = {"early_stopping": False}
    plain, moved = clf(**fixed).fit(X, names[y]), clf(prior=target, **fixed).fit(X, names[y])
    expected = plain.predict_proba(X) * (np.array([0.2, 0.2, 0.6]) / plain.prior_)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(moved.predict_proba(X), expected, rtol=1e-5)
    assert moved.estimate_prior(X).shape == (3,)
    np.testing.assert_allclose(moved.estimate_prior(X), plain.estimate_prior(X), atol=1e-6)
    assert moved.estimate_prior(X) == pytest.approx([0.6, 0.3, 0.1], abs=0.05)


@pytest.mark.parametrize("calibrate", ["sigmoid", True])
def test_calibrated_probabilities_speak_of_the_prior_too(calibrate):
    X, y = population(4000, 0.3, 0)
    loss = "weighted_bce" if calibrate == "sigmoid" else "tversky"
    model = clf(prior=0.05, calibrate=calibrate, loss=loss, validation_split=0.3).fit(X, y)
    np.testing.assert_allclose(model.prior_, [0.95, 0.05])
    X_new, _ = population(4000, 0.05, 1)
    assert model.predict_proba(X_new)[:, 1].mean() == pytest.approx(0.05, rel=0.3)
    twice = model.predict_proba(X_new, prior=0.5)
    assert twice[:, 1].mean() > 0.2


def test_what_prior_is_not_for():
    X, y = population(300, 0.3, 0)
    model = clf(epochs=1, calibrate=False).fit(X, y)
    with pytest.raises(ValueError, match="calibrate=False shows the network's own"):
        model.predict_proba(X, prior=0.1)
    model.predict(X, prior=0.1)
    labels = np.column_stack([y, 1 - y])
    several = clf(epochs=1).fit(X, labels)
    with pytest.raises(ValueError, match="needs classes that exclude each other"):
        several.predict(X, prior=0.1)
    with pytest.raises(ValueError, match="classes that exclude each other"):
        several.estimate_prior(X)


def test_parts_of_a_stream_count_for_the_base_rate():
    X, y = population(600, 0.3, 0)
    model = clf()
    for part in np.array_split(np.arange(600), 3):
        model.partial_fit(X[part], y[part], classes=[0, 1])
    np.testing.assert_allclose(model.prior_[1], y.mean())
    moved = model.predict_proba(X, prior=0.01)[:, 1]
    np.testing.assert_allclose(
        logit(moved) - logit(model.predict_proba(X)[:, 1]), logit(0.01) - logit(y.mean()), rtol=1e-6
    )


def test_a_series_is_read_by_its_index():
    import pandas as pd

    X, y = population(400, 0.2, 0)
    names = np.where(y == 1, "fraud", "legit")
    shares = pd.Series(names).value_counts(normalize=True)  # the frequent one first
    model = clf(prior=shares, epochs=1).fit(X, names)
    np.testing.assert_allclose(model.prior_, [y.mean(), 1 - y.mean()])


def test_a_class_that_has_not_come_yet():
    X, y = population(200, 0.3, 0)
    none = y == 0
    model = clf(prior=0.1).partial_fit(X[none], y[none], classes=[0, 1])
    assert np.isfinite(model.predict_log_proba(X)).all()
    assert 0 < model.predict_proba(X)[:, 1].max() < 1
    assert np.isfinite(clf().partial_fit(X[none], y[none], classes=[0, 1]).estimate_prior(X))


def test_initialize_knows_no_base_rate():
    X, y = population(100, 0.3, 0)
    with pytest.raises(ValueError, match="needs the base rate of the training rows"):
        clf(prior=0.1).initialize(X, y)
