"""The posterior maps, against brute-force minimisation of the expected loss."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, logit

from wbce.losses import Focal, Posterior, WeightedCrossentropy
from wbce.losses._posterior import less_confident, log_loss, two_columns

GAMMAS = [0.0, 0.5, 2.0, 5.0]
RATIOS = [0.2, 1.0, 20.0, 500.0]
ETAS = [0.001, 0.01, 0.2, 0.5, 0.9, 0.999]


def expected_loss(z, eta, gamma, smoothing, ratio):
    """Expected weighted loss of a row whose posterior is eta, from the published formulas."""
    l1 = -np.exp(gamma * log_expit(-z)) * log_expit(z)
    l0 = -np.exp(gamma * log_expit(z)) * log_expit(-z)
    a = smoothing / 2
    positive, negative = (1 - a) * l1 + a * l0, (1 - a) * l0 + a * l1
    return eta * ratio * positive + (1 - eta) * negative


def slope(z, *arguments, h=1e-6):
    return (expected_loss(z + h, *arguments) - expected_loss(z - h, *arguments)) / (2 * h)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("smoothing", [0.0, 0.05, 0.2])
def test_the_minimiser_of_the_expected_loss_maps_to_the_posterior(gamma, ratio, smoothing):
    posterior = Posterior(Focal(gamma, label_smoothing=smoothing), np.array([1.0, ratio]))
    for eta in ETAS:
        arguments = eta, gamma, smoothing, ratio
        z = minimize_scalar(expected_loss, args=arguments, bracket=(-5, 5), tol=1e-14).x
        for _ in range(60):  # to the zero of the slope, which a minimum's flat bottom blurs
            width = 2.0**-_
            z = min((z - width, z, z + width), key=lambda t: abs(slope(t, *arguments)))
        result = expit(posterior.log_odds(np.array([z]))[0])
        assert result == pytest.approx(eta, rel=1e-5)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_closed_form_and_derivative_form_agree(gamma):
    """eta(z) = w0 l0' / (w0 l0' - w1 l1'), with the derivatives of the loss itself."""
    z = tf.constant(np.linspace(-15, 15, 61)[:, None])
    weights = np.array([0.4, 6.0])
    slopes = []
    for y in (0, 1):
        loss = Focal(gamma, from_logits=True, dtype="float64", reduction="sum")
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = loss(np.full(61, y), z)
        slopes.append(tape.gradient(value, z).numpy().ravel())
    expected = weights[0] * slopes[0] / (weights[0] * slopes[0] - weights[1] * slopes[1])
    result = expit(Posterior(Focal(gamma), weights).log_odds(z.numpy().ravel()))
    np.testing.assert_allclose(result, expected, rtol=1e-10)


def test_crossentropy_is_a_shift():
    z = np.linspace(-5, 5, 11)
    result = Posterior(WeightedCrossentropy(), np.array([2.0, 10.0])).log_odds(z)
    np.testing.assert_allclose(result, z - np.log(5), rtol=1e-14)


def test_focal_without_gamma_is_crossentropy():
    z = np.linspace(-50, 50, 101)
    np.testing.assert_allclose(Focal(0).log_odds(z), z, rtol=1e-13, atol=1e-13)
    rows = np.random.default_rng(0).normal(size=(20, 4)) * 5
    np.testing.assert_allclose(
        log_softmax(Focal(0).class_log_odds(rows), axis=1), log_softmax(rows, axis=1), atol=1e-12
    )


@pytest.mark.parametrize("gamma", [*GAMMAS, 0.01, 1.0])
@pytest.mark.parametrize("ratio", [0.002, 1.0, 500.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.01, 0.2, 0.9])
def test_finite_and_strictly_increasing_up_to_a_thousand(gamma, ratio, smoothing):
    z = np.unique(np.concatenate([np.linspace(-1e3, 1e3, 20001), np.linspace(-10, 10, 20001)]))
    result = Posterior(Focal(gamma, label_smoothing=smoothing), np.array([1.0, ratio])).log_odds(z)
    assert np.isfinite(result).all()
    assert (np.diff(result) > 0).all()


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("n_classes", [3, 10])
def test_softmax_minimiser_maps_to_the_posterior(gamma, smoothing, n_classes):
    rng = np.random.default_rng(n_classes)
    eta = rng.dirichlet(np.ones(n_classes)) * 0.99 + 0.01 / n_classes
    weights = rng.uniform(0.5, 30, n_classes)
    target = (1 - smoothing) * np.eye(n_classes) + smoothing / n_classes
    pull = (eta * weights) @ target  # what the own-class losses are multiplied by

    z = tf.Variable(np.log(pull / pull.sum()))
    loss = Focal(gamma)

    def risk():
        log_p = tf.nn.log_softmax(z)
        return tf.reduce_sum(pull * -((1 - tf.exp(log_p)) ** loss.gamma) * log_p)

    @tf.function
    def derivatives():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                value = risk()
            gradient = inner.gradient(value, z)
        return gradient, outer.jacobian(gradient, z)

    for _ in range(200):  # Newton's method on the published formula
        gradient, hessian = derivatives()
        step = np.linalg.lstsq(hessian.numpy(), gradient.numpy(), rcond=1e-10)[0]
        z.assign_sub(np.clip(step, -0.5, 0.5))
    assert np.abs(gradient.numpy()).max() < 1e-10
    result = Posterior(Focal(gamma, label_smoothing=smoothing), weights).log_proba(z.numpy()[None])
    np.testing.assert_allclose(np.exp(result[0]), eta, rtol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_map_of_two_columns_is_the_binary_one(gamma, smoothing):
    loss, weights = Focal(gamma, label_smoothing=smoothing), np.array([1.0, 9.0])
    z = np.linspace(-3, 3, 25)
    posterior = Posterior(loss, weights)
    log_odds = posterior.log_odds(z)
    log_proba = posterior.log_proba(np.column_stack([np.zeros_like(z), z]))
    inside = np.abs(log_odds) < logit(1 - 2e-4)
    assert inside.sum() > 5
    np.testing.assert_allclose(log_proba[inside, 1], log_expit(log_odds)[inside], rtol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_softmax_map_is_finite_and_increasing_in_each_class(smoothing):
    z = np.zeros((4001, 3))
    z[:, 1] = np.linspace(-1e3, 1e3, 4001)
    z[:, 2] = 1.0
    posterior = Posterior(Focal(2.0, label_smoothing=smoothing), np.array([1.0, 400.0, 3.0]))
    log_proba = posterior.log_proba(z)
    assert np.isfinite(log_proba).all()
    odds = log_proba[:, 1] - np.logaddexp(log_proba[:, 0], log_proba[:, 2])
    assert (np.diff(odds) > 0).all()
    np.testing.assert_allclose(np.exp(log_proba).sum(1), 1, rtol=1e-12)


@pytest.mark.parametrize(
    "loss", [WeightedCrossentropy(), Focal(2.0), Focal(2, label_smoothing=0.1)]
)
@pytest.mark.parametrize("shares", [[0.99, 0.01], [0.5, 0.5], [0.7, 0.2, 0.1], [0.97, 0.02, 0.01]])
def test_the_output_bias_starts_at_the_base_rate(loss, shares):
    shares = np.array(shares)
    posterior = Posterior(loss, np.arange(1.0, len(shares) + 1))
    z = posterior.logits_of(shares)
    if len(shares) == 2:
        result = expit(posterior.log_odds(z))
        assert result[0] == pytest.approx(shares[1], rel=1e-9)
    else:
        np.testing.assert_allclose(np.exp(posterior.log_proba(z[None])[0]), shares, rtol=1e-6)


def test_focal_bias_at_one_percent_is_not_the_log_odds():
    z = Posterior(Focal(2.0), np.ones(2)).logits_of(np.array([0.99, 0.01]))
    assert z[0] == pytest.approx(-1.7, abs=0.05)


def test_the_implied_threshold_is_where_the_weighted_costs_are_equal():
    posterior = Posterior(WeightedCrossentropy(), np.array([1.0, 19.0]))
    assert posterior.implied_threshold == pytest.approx(0.05)
    focal = Posterior(Focal(2, class_weight=(1, 3)), np.ones(2))
    assert focal.implied_threshold == pytest.approx(0.25, rel=1e-12)
    # for both losses that is where the weighted network's own output is 0.5
    for loss in (WeightedCrossentropy(), Focal(2.0), Focal(2, label_smoothing=0.1)):
        at_zero = Posterior(loss, np.array([1.0, 19.0])).log_odds(np.zeros(1))
        assert expit(at_zero[0]) == pytest.approx(0.05)


def test_log_loss_is_scikit_learns():
    from sklearn.metrics import log_loss as reference

    rng = np.random.default_rng(0)
    z, y, w = rng.normal(size=30), rng.integers(0, 2, 30), rng.random(30)
    expected = reference(y, expit(z), sample_weight=w)
    assert log_loss(two_columns(z), y, w) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", ["two classes", "labels", "three classes"])
def test_less_confident_posteriors_lie_between_theirs_and_the_base_rate(kind):
    rng = np.random.default_rng(0)
    w = rng.uniform(1, 3, 200)
    y = {
        "two classes": rng.integers(0, 2, 200),
        "labels": rng.integers(0, 2, (200, 3)),
        "three classes": rng.integers(0, 3, 200),
    }[kind]
    scores = rng.normal(scale=3, size=(200, 3) if kind != "two classes" else 200)
    to_proba = expit
    rates = np.average(y, axis=0, weights=w)
    if kind == "three classes":
        scores, to_proba = log_softmax(scores, axis=1), np.exp
        rates = np.array([w[y == k].sum() for k in range(3)]) / w.sum()
    np.testing.assert_allclose(less_confident(scores, y, w, 0.0), scores, atol=1e-12)
    whole = to_proba(less_confident(scores, y, w, 1.0))
    np.testing.assert_allclose(whole, np.broadcast_to(rates, whole.shape), rtol=1e-12)
    half = to_proba(less_confident(scores, y, w, 0.5))
    reference = np.sqrt(to_proba(scores) * rates)
    others = np.sqrt((1 - to_proba(scores)) * (1 - rates))
    norm = reference.sum(axis=1, keepdims=True) if kind == "three classes" else reference + others
    np.testing.assert_allclose(half, reference / norm, rtol=1e-9)


def test_less_confident_posteriors_are_finite_without_positives():
    drawn = less_confident(np.array([-2.0, 3.0]), np.zeros(2, int), np.ones(2), 0.2)
    assert np.isfinite(drawn).all()
