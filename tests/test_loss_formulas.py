"""Every loss against an independent reference: TensorFlow, Keras, or the published formula."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_softmax, logsumexp
from sklearn.metrics import average_precision_score, fbeta_score

from wbce.losses import (
    LDAM,
    Asymmetric,
    CostSensitive,
    Focal,
    LogitAdjusted,
    Poly1,
    SmoothAveragePrecision,
    SoftFBeta,
    Tversky,
    WeightedCrossentropy,
)

Z = np.linspace(-12, 12, 49)
RNG = np.random.default_rng(0)
ROWS, CODES = RNG.normal(size=(40, 4)) * 3, RNG.integers(0, 4, 40)
LABELS = RNG.integers(0, 2, (40, 4))
COSTS = np.array([[0, 1, 4, 2], [3, 0.5, 1, 1], [9, 1, 0, 1], [1, 2, 30, 1]])
SHARES = [0.6, 0.25, 0.1, 0.05]


def of(cls, **arguments):
    return cls(from_logits=True, reduction=None, dtype="float64", **arguments)


def values(loss, y, z):
    return np.asarray(loss(np.asarray(y), np.asarray(z, dtype=np.float64)))


def binary(loss, y):
    return values(loss, np.full(Z.shape, y), Z[:, None])


# ---------------------------------------------------------------- one logit


@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("epsilon", [-1.0, 0.0, 1.0, 3.5])
def test_poly1(y, epsilon):
    p = expit(Z) if y else expit(-Z)
    expected = -np.log(p) + epsilon * (1 - p)
    np.testing.assert_allclose(binary(of(Poly1, epsilon=epsilon), y), expected, rtol=1e-9)


@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("gammas", [(0.0, 4.0), (1.0, 2.5), (0.0, 0.0), (2.0, 0.5)])
@pytest.mark.parametrize("margin", [0.0, 0.05, 0.3])
def test_asymmetric(y, gammas, margin):
    p = expit(Z)
    shifted = np.maximum(p - margin, 0)
    expected = (
        -((1 - p) ** gammas[0]) * np.log(p) if y else -(shifted ** gammas[1]) * np.log1p(-shifted)
    )
    loss = of(Asymmetric, gamma_pos=gammas[0], gamma_neg=gammas[1], margin=margin)
    np.testing.assert_allclose(binary(loss, y), expected, rtol=1e-7, atol=1e-14)


@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0, 2.0])
def test_logit_adjusted(y, tau):
    adjusted = Z + tau * np.log(0.02 / 0.98)
    expected = tf.nn.sigmoid_cross_entropy_with_logits(np.full(Z.shape, float(y)), adjusted)
    for prior in ([0.98, 0.02], [98, 2]):
        loss = of(LogitAdjusted, class_prior=prior, tau=tau)
        np.testing.assert_allclose(binary(loss, y), expected, rtol=1e-9)


@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_ldam_of_one_logit_is_that_of_two(y, scale):
    """As published: the own class's logit is lowered by its margin, the logits are scaled."""
    loss = of(LDAM, class_counts=[810, 10], scale=scale)
    margins = 0.5 * np.array([1 / 3, 1.0])
    logits = np.column_stack([np.zeros_like(Z), Z])
    logits[:, y] -= margins[y]
    expected = -log_softmax(scale * logits, axis=1)[:, y]
    np.testing.assert_allclose(binary(loss, y), expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("y", [0, 1])
def test_binary_costs_are_weights(y):
    loss = of(CostSensitive, cost_matrix=[[1, 4], [22, 2]])
    weighted = of(WeightedCrossentropy, class_weight=(3, 20))
    np.testing.assert_allclose(binary(loss, y), binary(weighted, y), rtol=1e-12)


@pytest.mark.parametrize("y", [0, 1])
def test_focal_with_a_gamma_for_each_class(y):
    expected = binary(of(Focal, gamma=[1.0, 3.0][y]), y)
    np.testing.assert_allclose(binary(of(Focal, gamma=[1.0, 3.0]), y), expected, rtol=1e-12)
    asymmetric = of(Asymmetric, gamma_pos=3.0, gamma_neg=1.0, margin=0.0)
    np.testing.assert_allclose(binary(asymmetric, y), expected, rtol=1e-9)


# ---------------------------------------------------------------- one logit a class


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("alpha", [1.0, [0.2, 0.3, 0.4, 0.9]])
def test_softmax_focal_is_kerass(gamma, alpha):
    theirs = keras.losses.CategoricalFocalCrossentropy(
        alpha=alpha, gamma=gamma, from_logits=True, reduction=None, dtype="float64"
    )
    ours = of(Focal, gamma=gamma, alpha=None if np.ndim(alpha) == 0 else alpha)
    expected = values(theirs, np.eye(4)[CODES], ROWS)
    np.testing.assert_allclose(values(ours, CODES, ROWS), expected, rtol=1e-5, atol=1e-6)


def test_softmax_focal_with_a_gamma_for_each_class():
    gammas = np.array([0.0, 1.0, 2.0, 5.0])
    log_p = log_softmax(ROWS, axis=1)[np.arange(40), CODES]
    expected = -((1 - np.exp(log_p)) ** gammas[CODES]) * log_p
    np.testing.assert_allclose(values(of(Focal, gamma=gammas), CODES, ROWS), expected, rtol=1e-9)


def test_softmax_poly1():
    log_p = log_softmax(ROWS, axis=1)[np.arange(40), CODES]
    expected = -log_p + 2 * (1 - np.exp(log_p))
    np.testing.assert_allclose(values(of(Poly1, epsilon=2), CODES, ROWS), expected, rtol=1e-9)


def test_softmax_logit_adjusted():
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(CODES, ROWS + 1.5 * np.log(SHARES))
    loss = of(LogitAdjusted, class_prior=SHARES, tau=1.5)
    np.testing.assert_allclose(values(loss, CODES, ROWS), expected, rtol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_softmax_ldam(scale):
    counts = np.array([500, 200, 30, 7])
    lowered = ROWS.copy()
    lowered[np.arange(40), CODES] -= (0.5 * (7 / counts) ** 0.25)[CODES]
    expected = -log_softmax(scale * lowered, axis=1)[np.arange(40), CODES]
    loss = of(LDAM, class_counts=counts, scale=scale)
    np.testing.assert_allclose(values(loss, CODES, ROWS), expected, rtol=1e-7, atol=1e-12)


def test_softmax_costs():
    excess = COSTS - np.diag(COSTS)[:, None]
    weight = excess.sum(axis=1) / 3
    expected = [
        weight[i]
        * np.log1p(sum(excess[i, j] / weight[i] * np.exp(z[j] - z[i]) for j in range(4) if j != i))
        for i, z in zip(CODES, ROWS, strict=True)
    ]
    loss = of(CostSensitive, cost_matrix=COSTS)
    np.testing.assert_allclose(values(loss, CODES, ROWS), expected, rtol=1e-9)


def test_equal_costs_are_crossentropy_and_costs_by_class_are_class_weights():
    weight = np.array([1.0, 2.0, 5.0, 0.5])
    expected = -log_softmax(ROWS, axis=1)[np.arange(40), CODES] * weight[CODES]
    costs = weight[:, None] * (1 - np.eye(4))
    np.testing.assert_allclose(values(of(CostSensitive, cost_matrix=costs), CODES, ROWS), expected)


def test_dearer_mistakes_cost_more():
    costs = np.array([[0, 1, 1], [1, 0, 1], [10, 1, 0]])
    loss = of(CostSensitive, cost_matrix=costs)
    as_first, as_second = values(loss, [2, 2], [[2.0, 0, 0], [0, 2.0, 0]])
    assert as_first > as_second


def test_a_mistake_without_cost_does_not_compete():
    costs = np.array([[0, 1, 1], [1, 0, 1], [0, 1, 0]])
    loss = of(CostSensitive, cost_matrix=costs)
    low, high = values(loss, [2, 2], [[-9.0, 0, 1], [9.0, 0, 1]])
    assert low == high
    gradient_of(loss, [2, 2], [[-9.0, 0, 1], [9.0, 0, 1]])


def gradient_of(loss, y, z):
    logits = tf.constant(np.asarray(z, dtype=np.float64))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(loss(np.asarray(y), logits))
    gradient = tape.gradient(total, logits).numpy()
    assert np.isfinite(gradient).all()
    return gradient


# ---------------------------------------------------------------- several labels


@pytest.mark.parametrize("pos_weight", [3.0, [1.0, 2.0, 30.0, 0.5]])
def test_multi_label_crossentropy_is_tensorflows(pos_weight):
    expected = tf.nn.weighted_cross_entropy_with_logits(
        labels=LABELS.astype(float), logits=ROWS, pos_weight=np.asarray(pos_weight)
    )
    loss = of(WeightedCrossentropy, pos_weight=pos_weight, multi_label=True)
    np.testing.assert_allclose(values(loss, LABELS, ROWS), np.mean(expected, axis=1), rtol=1e-9)


PER_LABEL = {
    "focal": (Focal, {"gamma": [0.0, 1, 2, 3]}, lambda k: {"gamma": float(k)}),
    "focal, both": (
        Focal,
        {"gamma": [[0.0, 1], [1, 2], [2, 3], [3, 4]]},
        lambda k: {"gamma": [k, k + 1]},
    ),
    "focal, alpha": (
        Focal,
        {"alpha": [0.1, 0.2, 0.3, 0.4]},
        lambda k: {"alpha": [0.1, 0.2, 0.3, 0.4][k]},
    ),
    "asymmetric": (Asymmetric, {}, lambda k: {}),
    "poly1": (Poly1, {"epsilon": 2.0}, lambda k: {"epsilon": 2.0}),
    "logit-adjusted": (
        LogitAdjusted,
        {"class_prior": [[9, 1], [5, 5], [99, 1], [2, 8]]},
        lambda k: {"class_prior": [[9, 1], [5, 5], [99, 1], [2, 8]][k]},
    ),
    "ldam": (
        LDAM,
        {"class_counts": [[9, 1], [5, 5], [99, 1], [2, 8]]},
        lambda k: {"class_counts": [[9, 1], [5, 5], [99, 1], [2, 8]][k]},
    ),
    "weights of each": (
        WeightedCrossentropy,
        {"class_weight": [[1, 2], [3, 4], [5, 6], [7, 8]]},
        lambda k: {"class_weight": [[1, 2], [3, 4], [5, 6], [7, 8]][k]},
    ),
}


@pytest.mark.parametrize("case", PER_LABEL)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_labels_are_binary_losses_side_by_side(case, smoothing):
    cls, together, alone = PER_LABEL[case]
    loss = of(cls, multi_label=True, label_smoothing=smoothing, **together)
    columns = [
        values(of(cls, label_smoothing=smoothing, **alone(k)), LABELS[:, k], ROWS[:, k : k + 1])
        for k in range(4)
    ]
    np.testing.assert_allclose(values(loss, LABELS, ROWS), np.mean(columns, axis=0), rtol=1e-9)


# ---------------------------------------------------------------- a whole batch


def test_tversky_by_hand_and_kerass():
    y, p = np.array([1, 0, 1, 0, 0]), np.array([0.9, 0.2, 0.4, 0.7, 0.1])
    w = np.array([1, 2, 3, 1, 0.5])
    tp, fp, fn = (w * y * p).sum(), (w * (1 - y) * p).sum(), (w * y * (1 - p)).sum()
    loss = Tversky(0.3, 0.7, smooth=0.5, from_logits=False, dtype="float64")
    expected = 1 - (tp + 0.5) / (tp + 0.3 * fp + 0.7 * fn + 0.5)
    result = float(loss(y, p[:, None], sample_weight=w))
    assert result == pytest.approx(expected, rel=1e-6)
    # Keras takes labels for inputs and inputs for labels: its alpha falls on missed positives.
    theirs = keras.losses.Tversky(alpha=0.7, beta=0.3, dtype="float64")
    ours = Tversky(0.3, 0.7, smooth=0, from_logits=False, dtype="float64")
    expected = float(theirs(y[:, None].astype(float), p[:, None]))
    assert float(ours(y, p[:, None])) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_soft_f_beta_of_certain_probabilities_is_f_beta(beta):
    y = RNG.integers(0, 2, 30)
    decided = RNG.integers(0, 2, 30)
    loss = SoftFBeta(beta, smooth=0, from_logits=True, dtype="float64")
    result = float(loss(y, np.where(decided, 40.0, -40.0)[:, None]))
    assert 1 - result == pytest.approx(fbeta_score(y, decided, beta=beta), rel=1e-9)


def test_soft_f_of_classes_is_the_mean_over_those_that_are_there():
    y, decided = np.array([0, 0, 1, 1, 1, 3]), np.array([0, 1, 1, 1, 0, 3])
    z = 80.0 * np.eye(4)[decided]
    loss = SoftFBeta(smooth=0, from_logits=True, dtype="float64")
    expected = fbeta_score(y, decided, beta=1, labels=[0, 1, 3], average="macro")
    assert 1 - float(loss(y, z)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_smooth_ap_becomes_average_precision(weighted):
    y, z = RNG.integers(0, 2, 60), RNG.permutation(60) * 1.0
    w = RNG.random(60) + 0.5 if weighted else None
    loss = SmoothAveragePrecision(temperature=0.01, from_logits=True, dtype="float64")
    result = 1 - float(loss(y, z[:, None], sample_weight=w))
    assert result == pytest.approx(average_precision_score(y, z, sample_weight=w), rel=1e-6)


def test_smooth_ap_of_labels_and_of_classes():
    loss = {
        several: SmoothAveragePrecision(
            0.001, from_logits=True, dtype="float64", multi_label=several
        )
        for several in (True, False)
    }
    expected = average_precision_score(LABELS, ROWS, average="macro")
    assert 1 - float(loss[True](LABELS, ROWS)) == pytest.approx(expected, rel=1e-3)
    against_rest = [ROWS[:, k] - logsumexp(np.delete(ROWS, k, axis=1), axis=1) for k in range(4)]
    expected = average_precision_score(
        np.eye(4, dtype=int)[CODES], np.column_stack(against_rest), average="macro"
    )
    assert 1 - float(loss[False](CODES, ROWS)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("cls", [Tversky, SoftFBeta, SmoothAveragePrecision])
@pytest.mark.parametrize("y", [[0, 0, 0], [1, 1, 1]])
def test_batches_of_one_class_have_a_finite_loss_and_gradient(cls, y):
    loss = cls(from_logits=True, dtype="float64")
    z = np.array([[-1e4], [0.5], [1e4]])
    assert np.isfinite(float(loss(np.array(y), z)))
    gradient_of(loss, y, z)


@pytest.mark.parametrize("cls", [Tversky, SoftFBeta, SmoothAveragePrecision])
def test_batch_losses_fall_when_a_positive_rises(cls):
    y, z = np.array([1, 0, 1, 0]), np.array([[0.3], [0.1], [-0.4], [-1.0]])
    gradient = gradient_of(cls(from_logits=True, dtype="float64"), y, z).ravel()
    assert (gradient[y == 1] < 0).all()
    assert (gradient[y == 0] > 0).all()
