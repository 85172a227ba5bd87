"""The posterior map of every loss, against minimisers and against fitted networks."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit
from sklearn.metrics import average_precision_score

from tables import table
from wbce import WeightedKerasClassifier
from wbce.losses import (
    LDAM,
    LOSSES,
    Asymmetric,
    BatchLoss,
    CalibratedPosterior,
    CostSensitive,
    Focal,
    LogitAdjusted,
    Poly1,
    Posterior,
    WeightedCrossentropy,
)

ETAS = [0.001, 0.02, 0.3, 0.5, 0.9, 0.999]
RATIOS = [1.0, 30.0, 500.0]


def softplus(z):
    return np.logaddexp(0, z)


def asymmetric_by_hand(z, gamma_pos, gamma_neg, margin):
    q = np.maximum(expit(z) - margin, 0)
    return expit(-z) ** gamma_pos * softplus(-z), -(q**gamma_neg) * np.log1p(-q)


def focal_by_hand(z, negative, positive):
    return (
        np.exp(positive * log_expit(-z)) * softplus(-z),
        np.exp(negative * log_expit(z)) * softplus(z),
    )


# A loss, and its two partial losses l1(z), l0(z) from the published formula.
BINARY = {
    "focal of two gammas": (Focal([1.0, 4.0]), lambda z: focal_by_hand(z, 1, 4)),
    "poly1": (
        Poly1(2.0),
        lambda z: (softplus(-z) + 2 * expit(-z), softplus(z) + 2 * expit(z)),
    ),
    "poly1, negative": (
        Poly1(-0.9),
        lambda z: (softplus(-z) - 0.9 * expit(-z), softplus(z) - 0.9 * expit(z)),
    ),
    "asymmetric without margin": (
        Asymmetric(1.0, 3.0, margin=0.0),
        lambda z: asymmetric_by_hand(z, 1, 3, 0),
    ),
    "asymmetric": (Asymmetric(1.0, 4.0), lambda z: asymmetric_by_hand(z, 1, 4, 0.05)),
    "logit-adjusted": (
        LogitAdjusted([0.97, 0.03], tau=1.3),
        lambda z: (
            softplus(-z - 1.3 * np.log(3 / 97)),
            softplus(z + 1.3 * np.log(3 / 97)),
        ),
    ),
    "ldam": (
        LDAM([160, 10], scale=4.0),
        lambda z: (softplus(-4 * (z - 0.5)), softplus(4 * (z + 0.25))),
    ),
    "costs": (
        CostSensitive([[1, 2], [40, 0]]),
        lambda z: (40 * softplus(-z), 1 * softplus(z)),
    ),
}


@pytest.mark.parametrize("case", BINARY)
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_minimiser_of_the_expected_loss_maps_to_the_posterior(case, ratio, smoothing):
    loss, partial = BINARY[case]
    weights = np.array([1.0, ratio])
    if isinstance(loss, CostSensitive):
        weights = np.ones(2)
    loss = type(loss).from_config({**loss.get_config(), "label_smoothing": smoothing})
    posterior = Posterior(loss, weights)
    a = smoothing / 2

    def expected(z, eta):
        l1, l0 = partial(z)
        positive, negative = (1 - a) * l1 + a * l0, (1 - a) * l0 + a * l1
        return eta * weights[1] * positive + (1 - eta) * weights[0] * negative

    for eta in ETAS:
        z = minimize_scalar(expected, args=(eta,), bracket=(-5, 5), tol=1e-14).x
        for i in range(60):  # to the zero of the slope, which a minimum's flat bottom blurs
            width = 2.0**-i
            z = min(
                (z - width, z, z + width),
                key=lambda t: abs(expected(t + 1e-6, eta) - expected(t - 1e-6, eta)),
            )
        result = expit(posterior.log_odds(np.array([z]))[0])
        assert result == pytest.approx(eta, rel=1e-5)


CORNERS = [
    *(Asymmetric(p, n, margin=m) for p in (0, 0.5, 5) for n in (0, 1, 4) for m in (0, 0.05, 0.4)),
    Asymmetric(0, 8, margin=0.9),
    *(Poly1(e) for e in (-1, -0.5, 5, 50)),
    *(LDAM([5000, 10], scale=s, max_margin=m) for s in (1, 10, 30) for m in (0, 0.5, 1)),
    Focal([0.0, 5.0]),
    Focal([5.0, 0.5]),
    LogitAdjusted([0.999, 0.001], tau=3),
    CostSensitive([[0, 1], [500, 0]]),
]  # fmt: skip


@pytest.mark.parametrize("loss", CORNERS, ids=lambda loss: type(loss).__name__)
@pytest.mark.parametrize("ratio", [0.002, 1.0, 500.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.01, 0.2])
def test_finite_and_strictly_increasing_up_to_a_thousand(loss, ratio, smoothing):
    if isinstance(loss, CostSensitive):
        ratio = 1.0
    loss = type(loss).from_config({**loss.get_config(), "label_smoothing": smoothing})
    z = np.concatenate([np.linspace(-1e3, -10, 991)[:-1], np.linspace(-10, 10, 4001)])
    z = np.concatenate([z, np.linspace(10, 1e3, 991)[1:]])
    result = Posterior(loss, np.array([1.0, ratio])).log_odds(z)
    assert np.isfinite(result).all()
    assert (np.diff(result) > 0).all()


SOFTMAX = {
    "crossentropy": lambda k: WeightedCrossentropy(**shared()),
    "focal": lambda k: Focal(2.0, **shared()),
    "focal of each class": lambda k: Focal(np.linspace(0, 5, k), **shared()),
    "poly1": lambda k: Poly1(3.0, **shared()),
    "logit-adjusted": lambda k: LogitAdjusted(np.arange(1, k + 1), tau=0.7, **shared()),
    "ldam": lambda k: LDAM(2.0 ** np.arange(k), scale=5.0, **shared()),
    "costs": lambda k: CostSensitive(costs_of(k), **shared()),
}


def shared(smoothing=0.0):
    return {"from_logits": True, "dtype": "float64", "label_smoothing": smoothing}


def costs_of(k):
    costs = np.random.default_rng(k).uniform(0.1, 20, (k, k))
    costs[0, 1] = 0.0  # a mistake that costs nothing
    np.fill_diagonal(costs, 0.0)
    return costs


def expected_slope(loss, weights, z, eta):
    """Of the expected loss of rows with the posterior eta, in units of its terms."""
    slopes = []
    for k in range(len(weights)):
        logits = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            total = len(z) * loss(np.full(len(z), k), logits)
        slopes.append(tape.gradient(total, logits).numpy())
    terms = eta.T[:, :, None] * np.array(slopes) * weights[:, None, None]
    return np.abs(terms.sum(axis=0)) / np.abs(terms).sum(axis=0)


@pytest.mark.parametrize("case", SOFTMAX)
@pytest.mark.parametrize("n_classes", [3, 5, 10])
def test_at_any_softmax_logits_the_posterior_makes_the_expected_slope_vanish(case, n_classes):
    """These losses' expected loss has one minimum, where sum_k eta_k w_k grad l_k = 0."""
    rng = np.random.default_rng(n_classes)
    z = rng.normal(size=(30, n_classes)) * 3
    loss = SOFTMAX[case](n_classes)
    weights = np.ones(n_classes) if case == "costs" else rng.uniform(1, 500, n_classes)
    eta = np.exp(Posterior(loss, weights).log_proba(z))
    assert expected_slope(loss, weights, z, eta).max() < 1e-8


@pytest.mark.parametrize("case", SOFTMAX)
@pytest.mark.parametrize("n_classes", [3, 10])
@pytest.mark.parametrize("smoothing", [0.05, 0.2])
def test_and_so_it_does_with_smoothed_labels(case, n_classes, smoothing):
    rng = np.random.default_rng(n_classes)
    eta = rng.dirichlet(np.ones(n_classes)) * 0.98 + 0.02 / n_classes
    plain = SOFTMAX[case](n_classes)
    loss = type(plain).from_config({**plain.get_config(), "label_smoothing": smoothing})
    weights = np.ones(n_classes) if case == "costs" else rng.uniform(1, 30, n_classes)
    posterior = Posterior(loss, weights)
    z = posterior.logits_of(eta)[None]
    np.testing.assert_allclose(np.exp(posterior.log_proba(z))[0], eta, rtol=1e-5)
    assert expected_slope(loss, weights, z, eta[None]).max() < 1e-5


@pytest.mark.parametrize("case", SOFTMAX)
def test_softmax_maps_stay_in_the_simplex_at_extreme_logits(case):
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(size=(200, 4)) * scale for scale in (1, 30, 1000)])
    log_proba = Posterior(SOFTMAX[case](4), np.ones(4)).log_proba(z)
    assert np.isfinite(log_proba).all()
    np.testing.assert_allclose(np.exp(log_proba).sum(axis=1), 1, rtol=1e-9)


@pytest.mark.parametrize("case", [c for c in SOFTMAX if c != "costs"])
def test_two_softmax_columns_are_the_binary_map(case):
    arguments = SOFTMAX[case](2)
    z = np.linspace(-5, 5, 41)
    posterior = Posterior(arguments, np.array([1.0, 9.0]))
    log_proba = posterior.log_proba(np.column_stack([np.zeros_like(z), z]))
    np.testing.assert_allclose(
        log_proba[:, 1], log_expit(posterior.log_odds(z)), rtol=1e-9, atol=1e-14
    )


@pytest.mark.parametrize("case", SOFTMAX)
@pytest.mark.parametrize("shares", [[0.7, 0.2, 0.1], [0.98, 0.015, 0.005]])
def test_the_output_bias_starts_at_the_base_rate(case, shares):
    posterior = Posterior(SOFTMAX[case](3), np.ones(3))
    z = posterior.logits_of(np.array(shares))
    np.testing.assert_allclose(np.exp(posterior.log_proba(z[None])[0]), shares, rtol=1e-6)


@pytest.mark.parametrize("case", BINARY)
def test_scaling_all_weights_changes_nothing(case):
    loss, _ = BINARY[case]
    z = np.linspace(-9, 9, 19)
    one, ten = (Posterior(loss, scale * np.array([1.0, 7.0])).log_odds(z) for scale in (1, 10))
    np.testing.assert_allclose(one, ten, atol=1e-12)


def test_implied_thresholds():
    """The posterior where the network's own output is one half."""
    weights = np.array([1.0, 19.0])
    for loss in (WeightedCrossentropy(), Focal(2.0), Poly1(), Focal(1, label_smoothing=0.1)):
        assert Posterior(loss, weights).implied_threshold == pytest.approx(0.05)
    one = np.ones(2)
    # where all classes are equally likely once the base rate is taken out: the base rate itself
    assert Posterior(LogitAdjusted([0.9, 0.1]), one).implied_threshold == pytest.approx(0.1)
    costs = CostSensitive([[0, 1], [9, 0]])
    assert Posterior(costs, one).implied_threshold == pytest.approx(0.1)
    assert Posterior(LDAM([160, 10]), one).implied_threshold < 0.5
    for loss in (WeightedCrossentropy(pos_weight=19), Focal(2.0, alpha=0.95), costs):
        expected = Posterior(loss, one).implied_threshold
        assert loss.implied_threshold == expected == pytest.approx(0.05, abs=0.051)
    labels = Focal(multi_label=True, pos_weight=[1, 9, 19])
    np.testing.assert_allclose(labels.implied_threshold, [0.5, 0.1, 0.05])
    assert Asymmetric(multi_label=True).implied_threshold == pytest.approx(0.128, abs=1e-3)
    with pytest.raises(ValueError, match="for 3 classes"):
        assert WeightedCrossentropy(class_weight=[1, 2, 3]).implied_threshold
    multipliers = np.exp(Posterior(Focal(2.0), np.array([1.0, 2, 4])).implied_log_multipliers(3))
    np.testing.assert_allclose(multipliers / multipliers[0], [1, 2, 4], rtol=1e-9)
    adjusted = Posterior(LogitAdjusted([1, 2, 4]), np.ones(3))
    multipliers = np.exp(adjusted.implied_log_multipliers(3))
    np.testing.assert_allclose(multipliers / multipliers[0], [1, 1 / 2, 1 / 4], rtol=1e-9)


# ---------------------------------------------------------------- fitted networks

FITTED = [
    *(
        (name, {"pos_weight": weight, "label_smoothing": smoothing})
        for name, cls in LOSSES.items()
        if name != "cost_sensitive" and not issubclass(cls, BatchLoss)
        for weight, smoothing in ((1.0, 0.0), (500.0, 0.05), (20.0, 0.2))
    ),
    ("cost_sensitive", {"cost_matrix": [[0, 1], [500, 0]], "label_smoothing": 0.1}),
    ("focal", {"gamma": 5.0, "pos_weight": 500.0, "label_smoothing": 0.2}),
    ("asymmetric", {"loss__gamma_neg": 8.0, "loss__margin": 0.2, "pos_weight": 20.0}),
    ("ldam", {"loss__scale": 30.0}),
    ("poly1", {"loss__epsilon": -1.0, "pos_weight": 500.0}),
    *((name, {}) for name, cls in LOSSES.items() if issubclass(cls, BatchLoss)),
    ("tversky", {"calibrate": "isotonic"}),
    ("focal", {"calibrate": "isotonic", "pos_weight": 20.0}),
]


@pytest.mark.parametrize(("loss", "parameters"), FITTED)
@pytest.mark.parametrize("name", ["abalone9_18", "yeast4"])
def test_maps_of_fitted_networks_keep_every_rank(loss, parameters, name):
    X, y = table(name)
    model = WeightedKerasClassifier(
        "mlp", loss=loss, validation_split=0.3, epochs=30, random_state=0, **parameters
    )
    X = (X - X.mean(0)) / X.std(0)
    model.fit(X[::2], y[::2])
    z = model._logit_function(model._encode(X))
    mapped = model._posterior.log_odds(z)
    assert np.isfinite(mapped).all()
    order = np.argsort(z, kind="stable")
    steps = np.diff(z[order]) > 0
    assert (np.diff(mapped[order])[steps] > 0).all()
    assert (np.diff(mapped[order])[~steps] == 0).all()
    assert average_precision_score(y, mapped) == average_precision_score(y, z)
    p = model.predict_proba(X)
    assert ((p >= 0) & (p <= 1)).all()
    decided = model.predict(X)
    np.testing.assert_array_equal(model.set_params(calibrate=False).predict(X), decided)


# ---------------------------------------------------------------- calibration


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration_is_scikit_learns(method):
    from sklearn.calibration import _SigmoidCalibration
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(0)
    z = rng.normal(size=300) * 3
    y = (rng.random(300) < expit(z / 2 - 1)).astype(int)
    w = rng.random(300)
    if method == "sigmoid":  # whose targets count weights as rows: ours have the mean one
        reference = _SigmoidCalibration().fit(z, y, w / w.mean())
    else:
        reference = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(z, y, w)
    expected = np.clip(reference.predict(z), 0.5 / 301, 1 - 0.5 / 301)
    posterior = CalibratedPosterior(method, z, y, w)
    np.testing.assert_allclose(expit(posterior.log_odds(z)), expected, atol=1e-5)


def test_calibration_of_a_network_that_ranks_upside_down_keeps_the_base_rate():
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.2).astype(int)
    z = rng.normal(size=400) - 2 * y
    posterior = CalibratedPosterior("sigmoid", z, y, np.ones(400))
    np.testing.assert_allclose(expit(posterior.log_odds(z)), y.mean(), rtol=1e-4)
    assert (np.diff(posterior.log_odds(np.sort(z))) > 0).all()


def test_calibration_needs_both_classes():
    with pytest.raises(ValueError, match="validation rows of every class"):
        CalibratedPosterior("sigmoid", np.zeros(5), np.zeros(5, dtype=int), np.ones(5))
