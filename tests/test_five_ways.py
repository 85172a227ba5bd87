"""The five textbook ways to weigh cross-entropy are one: the same losses, the same network.

Keras' ``fit(class_weight=)``, a weighted loss on probabilities, ``sample_weight``, the weighted
loss on logits, and this estimator: from the same initial weights, on the same batches.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from sklearn.metrics import log_loss

from wbce import WeightedKerasClassifier
from wbce.losses import Focal, WeightedCrossentropy

RATIO = 9.0
BATCH, EPOCHS, RATE = 32, 4, 0.05


@pytest.fixture(scope="module")
def rows(abalone):
    X, y = abalone
    X = ((X - X.mean(0)) / X.std(0)).astype("float32")
    return X[:704], y[:704]  # whole batches


def network(activation=None):
    model = keras.Sequential(
        [
            keras.Input((9,)),
            keras.layers.Dense(6, "tanh", kernel_initializer=keras.initializers.HeNormal(seed=1)),
            keras.layers.Dense(
                1, activation, kernel_initializer=keras.initializers.HeNormal(seed=2)
            ),
        ]
    )
    return model


def weighted_on_probabilities(y, p):
    p = keras.ops.clip(p, 1e-7, 1 - 1e-7)
    y = keras.ops.cast(y, p.dtype)
    loss = -(RATIO * y * keras.ops.log(p) + (1 - y) * keras.ops.log(1 - p))
    return keras.ops.mean(loss, axis=-1)


def weighted_on_logits(y, z):
    y = tf.cast(y, z.dtype)
    return tf.nn.weighted_cross_entropy_with_logits(labels=y, logits=z, pos_weight=RATIO)


def by_keras(rows, loss, activation, scale=1.0, **fit_arguments):
    """Train with a loss whose scale is other by ``scale``: it divides the learning rate."""
    X, y = rows
    model = network(activation)
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(RATE / scale))
    fitted = model.fit(
        X, y[:, None], batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, **fit_arguments
    )
    return model, np.array(fitted.history["loss"]) / scale


def by_estimator(rows, model=network, sample_weight=None, **parameters):
    X, y = rows
    estimator = WeightedKerasClassifier(
        lambda: model("sigmoid"),
        optimizer="sgd",
        optimizer__learning_rate=RATE,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        validation_split=0,
        early_stopping=False,
        **parameters,
    )
    return estimator.fit(X, y, sample_weight=sample_weight)


@pytest.fixture(scope="module")
def ways(rows):
    """Networks and losses of every way, the losses in units of a mean weight of one."""
    _, y = rows
    each = np.where(y == 1, RATIO, 1.0)
    scale = each.mean()
    bce = "binary_crossentropy"
    trained = {
        "class_weight": by_keras(rows, bce, "sigmoid", scale, class_weight={0: 1.0, 1: RATIO}),
        "probabilities": by_keras(rows, weighted_on_probabilities, "sigmoid", scale),
        "sample_weight": by_keras(rows, bce, "sigmoid", scale, sample_weight=each),
        "logits": by_keras(rows, weighted_on_logits, None, scale),
        "own loss": by_keras(rows, WeightedCrossentropy(pos_weight=RATIO), None, scale),
        "own loss and sigmoid": by_keras(
            rows, WeightedCrossentropy(class_weight=(1, RATIO)), "sigmoid", scale
        ),
    }
    estimator = by_estimator(rows, pos_weight=RATIO)
    trained["estimator"] = estimator.model_, np.array(estimator.history_["loss"])
    return trained


@pytest.fixture(scope="module", autouse=True)
def start_at_zero():
    """The estimator starts the output bias at the base rate; the other ways start it at zero."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wbce._posterior_steps.start_bias", lambda *arguments: None)
        yield


NAMES = [
    "class_weight",
    "probabilities",
    "sample_weight",
    "own loss",
    "own loss and sigmoid",
    "estimator",
]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_losses_and_the_same_network(ways, name):
    expected, losses = ways["logits"]
    model, its_losses = ways[name]
    np.testing.assert_allclose(its_losses, losses, rtol=1e-4)
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_alpha_is_a_pos_weight_and_half_the_scale(rows, ways):
    """alpha weighs both classes: positives alpha, negatives 1 - alpha, in sum one and not two."""
    alpha = RATIO / (1 + RATIO)
    by_alpha = by_estimator(rows, alpha=alpha)
    for one, other in zip(
        by_alpha.model_.get_weights(), ways["estimator"][0].get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    y, z = np.array([0, 1]), np.array([[0.3], [0.3]])
    as_alpha = Focal(0, alpha=alpha, from_logits=True, reduction=None)
    as_ratio = WeightedCrossentropy(pos_weight=RATIO, from_logits=True, reduction=None)
    np.testing.assert_allclose(
        np.asarray(as_alpha(y, z)) / (1 - alpha), np.asarray(as_ratio(y, z)), rtol=1e-6
    )


def test_without_normalisation_a_larger_weight_is_a_larger_step(rows, ways):
    """Keras' weights are as given: the same learning rate is another one."""
    _, y = rows
    model, _ = by_keras(
        rows, "binary_crossentropy", "sigmoid", 1.0, class_weight={0: 1.0, 1: RATIO}
    )
    same = ways["class_weight"][0].get_weights()
    assert not np.allclose(model.get_weights()[0], same[0], rtol=1e-3)
    scale = np.where(y == 1, RATIO, 1.0).mean()
    assert scale == pytest.approx(1.477, abs=1e-3)


def test_probabilities_differ_for_sample_weight_which_changes_the_population(rows):
    X, y = rows
    each = np.where(y == 1, RATIO, 1.0)
    by_class, by_row = (
        by_estimator(rows, pos_weight=RATIO),
        by_estimator(rows, sample_weight=each),
    )
    # one network ...
    for one, other in zip(by_class.model_.get_weights(), by_row.model_.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    # ... and two populations: as many rows as there are, or nine for every positive
    p, q = by_class.predict_proba(X)[:, 1], by_row.predict_proba(X)[:, 1]
    np.testing.assert_allclose(p / (1 - p) * RATIO, q / (1 - q), rtol=1e-5)
    assert log_loss(y, p) < log_loss(y, q)
    assert log_loss(y, q, sample_weight=each) < log_loss(y, p, sample_weight=each)
    # the decisions are the same ones: costs in one, frequencies in the other
    np.testing.assert_array_equal(by_class.predict(X), by_row.predict(X))
    assert by_class.threshold_ == pytest.approx(1 / (1 + RATIO))
    assert by_row.threshold_ == 0.5


def test_the_networks_own_output_is_the_sample_weighted_posterior(rows, ways):
    X, _ = rows
    raw = expit(ways["logits"][0].predict(X, verbose=0).ravel())
    by_row = by_estimator(rows, sample_weight=np.where(rows[1] == 1, RATIO, 1.0))
    np.testing.assert_allclose(by_row.predict_proba(X)[:, 1], raw, rtol=1e-3, atol=1e-6)
