"""The posterior behind losses of others, from the slope of their own value."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_softmax, softmax
from sklearn.metrics import log_loss

from wbce import WeightedKerasClassifier
from wbce.losses import CalibratedPosterior, Focal, Poly1, Posterior, derived_posterior
from wbce.losses._autodiff import DerivedClassPosterior, DerivedPosterior

BINARY = np.array([[0.0], [1.0]])
Z = np.linspace(-6, 6, 49)


def of(loss, targets=BINARY, n_outputs=1, output_is_logits=False):
    return derived_posterior(loss, targets, n_outputs, output_is_logits)


def forum_weighted(y, p):
    """The weighted cross-entropy that people copy, in probabilities and clipped."""
    p = keras.ops.clip(p, 1e-7, 1 - 1e-7)
    return -keras.ops.mean(20 * y * keras.ops.log(p) + (1 - y) * keras.ops.log(1 - p), axis=-1)


class SingleFloats(keras.losses.Loss):
    def call(self, y_true, y_pred):
        y = tf.cast(y_true, tf.float32)
        p = tf.cast(y_pred, tf.float32)
        return tf.reduce_mean(tf.square(y - p), axis=-1)


def soft_f1(y, p):
    found = keras.ops.sum(y * p)
    return 1 - 2 * found / (keras.ops.sum(y) + keras.ops.sum(p))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("binary_crossentropy", Z),
        ("mse", Z),
        ("poisson", Z),
        (SingleFloats(), Z),
        (forum_weighted, Z - np.log(20)),
        (
            keras.losses.BinaryFocalCrossentropy(gamma=2.0),
            Focal(2.0).log_odds(Z),
        ),
    ],
)
def test_known_maps_are_found(loss, expected):
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    if getattr(loss, "__name__", "") == "poisson":  # p - y log p: the slope is 1 - y/p
        expected = np.log(1 / (1 / expit(Z) - 1))
    np.testing.assert_allclose(of(loss).log_odds(Z), expected, atol=2e-4)


def test_a_loss_on_logits_is_exact():
    ours = Poly1(2.0, from_logits=True, dtype="float64")
    derived = of(lambda y, z: ours.call(y, z), output_is_logits=True)
    np.testing.assert_allclose(derived.log_odds(Z), Poly1(2.0).log_odds(Z), rtol=1e-7, atol=1e-9)


def test_two_outputs_are_one_logit():
    loss = keras.losses.SparseCategoricalCrossentropy()
    derived = of(loss, n_outputs=2)
    np.testing.assert_allclose(derived.log_odds(Z), Z, atol=1e-4)


@pytest.mark.parametrize("loss", ["mse", forum_weighted, SingleFloats()])
def test_beyond_what_the_loss_can_tell_the_map_goes_on(loss):
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    z = np.concatenate([np.linspace(-1e3, -50, 96)[:-1], np.linspace(-50, 50, 2001)])
    z = np.concatenate([z, np.linspace(50, 1e3, 96)[1:]])
    log_odds = Posterior(of(loss), np.ones(2)).log_odds(z)
    assert np.isfinite(log_odds).all()
    assert (np.diff(log_odds) > 0).all()


@pytest.mark.parametrize(
    "loss",
    [
        keras.losses.get("hinge"),  # its slope is a step
        keras.losses.Dice(),  # of the batch
        soft_f1,
        lambda y, p: keras.ops.mean((1 - y) * p - y * keras.ops.square(p), -1),  # not increasing
        lambda y, p: 1 / 0,
    ],
)
def test_losses_without_a_map(loss):
    assert of(loss) is None


def test_classes_by_the_null_vector_of_the_slopes():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(20, 4)) * 3
    one_hot = np.eye(4, dtype="float32")
    derived = of(keras.losses.CategoricalCrossentropy(), one_hot, n_outputs=4)
    assert isinstance(derived, DerivedClassPosterior)
    result = np.exp(Posterior(derived, np.array([1.0, 5, 25, 2])).log_proba(z))
    expected = softmax(z, axis=1) / [1, 5, 25, 2]
    np.testing.assert_allclose(result, expected / expected.sum(1, keepdims=True), rtol=1e-4)

    focal = Focal(2.0, from_logits=True, dtype="float64")
    derived = of(lambda y, z: focal.call(y, z), one_hot, n_outputs=4, output_is_logits=True)
    expected = log_softmax(focal.class_log_odds(z), axis=1)
    np.testing.assert_allclose(log_softmax(derived.class_log_odds(z), axis=1), expected, rtol=1e-6)


def test_smoothed_labels_may_leave_the_simplex():
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)
    derived = of(lambda y, p: loss.call(y, p), np.eye(3, dtype="float32"), n_outputs=3)
    assert not derived.leaves_simplex(np.array([[0.1, 0.2, 0.0]]))
    assert derived.leaves_simplex(np.array([[8.0, 0.0, 0.0]]))


def test_classes_far_behind_keep_falling():
    one_hot = np.eye(3, dtype="float32")
    derived = of(keras.losses.CategoricalCrossentropy(), one_hot, n_outputs=3)  # it clips at 1e-7
    z = np.zeros((6, 3))
    z[:, 0] = [5, 11, 20, 50, 100, 1000]
    log_proba = log_softmax(derived.class_log_odds(z), axis=1)
    np.testing.assert_allclose(log_proba[:, 1], log_softmax(z, axis=1)[:, 1], rtol=1e-3)


# ---------------------------------------------------------------- in the estimator


def test_a_copied_loss_has_true_probabilities(abalone):
    """It weighs positives 20 times; its raw probabilities are far off, the derived ones are not."""
    X, y = abalone
    X = (X - X.mean(0)) / X.std(0)
    shared = {"random_state": 0, "epochs": 30, "validation_split": 0.2}
    model = WeightedKerasClassifier("mlp", loss=forum_weighted, **shared).fit(X[::2], y[::2])
    assert isinstance(model._posterior.loss, DerivedPosterior)
    assert model.threshold_ == pytest.approx(1 / 21, rel=1e-3)
    mapped = log_loss(y[1::2], model.predict_proba(X[1::2]))
    reference = WeightedKerasClassifier("mlp", pos_weight=20, **shared).fit(X[::2], y[::2])
    expected = log_loss(y[1::2], reference.predict_proba(X[1::2]))
    assert mapped == pytest.approx(expected, rel=0.1)
    raw = log_loss(y[1::2], model.set_params(calibrate=False).predict_proba(X[1::2]))
    assert mapped < raw


@pytest.mark.parametrize("loss", ["hinge", keras.losses.Dice(), soft_f1])
def test_what_has_no_map_is_calibrated(loss, abalone):
    X, y = abalone
    X = (X - X.mean(0)) / X.std(0)
    model = WeightedKerasClassifier(
        "mlp", loss=loss, random_state=0, epochs=30, validation_split=0.3
    ).fit(X[::2], y[::2])
    assert isinstance(model._posterior, CalibratedPosterior)
    p = model.predict_proba(X[1::2])
    raw = model.set_params(calibrate=False).predict_proba(X[1::2])
    assert log_loss(y[1::2], p) < log_loss(y[1::2], raw)


class OfClasses(keras.losses.Loss):
    def call(self, y_true, y_pred):
        codes = keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32")
        rows = keras.ops.one_hot(codes, y_pred.shape[-1], dtype=y_pred.dtype)
        return -keras.ops.sum(rows * keras.ops.log(keras.ops.clip(y_pred, 1e-7, 1.0)), axis=-1)


def test_a_derived_map_of_classes_is_pickled_with_its_loss(iris):
    X, y = iris
    shared = {"random_state": 0, "epochs": 3, "class_weight": "balanced"}
    model = WeightedKerasClassifier("mlp", loss=OfClasses, **shared).fit(X, y)
    assert isinstance(model._posterior.loss, DerivedClassPosterior)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    reference = WeightedKerasClassifier("mlp", **shared).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=2e-3)


def test_softmax_maps_that_leave_the_simplex_are_calibrated(iris):
    X, y = iris
    model = WeightedKerasClassifier(
        "mlp",
        loss=keras.losses.CategoricalFocalCrossentropy(label_smoothing=0.2),
        random_state=0,
        epochs=60,
        validation_split=0.4,
    ).fit(X, y)
    assert isinstance(model._posterior.loss, Focal)  # known: has an extension of its own

    def smoothed(y_true, y_pred):
        codes = keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32")
        target = 0.8 * keras.ops.one_hot(codes, 3, dtype=y_pred.dtype) + 0.2 / 3
        return -keras.ops.sum(target * keras.ops.log(y_pred), axis=-1)

    model = WeightedKerasClassifier(
        "mlp", loss=smoothed, random_state=0, epochs=100, early_stopping=False, validation_split=0.4
    )
    with_rows = model.set_params(early_stopping=True).fit(X, y)
    assert isinstance(with_rows._posterior, CalibratedPosterior)
    without = model.set_params(early_stopping=False, validation_split=0).fit(X, y)
    for fitted in (with_rows, without):
        p = fitted.predict_proba(X)
        assert np.isfinite(np.log(p)).all()
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
        assert (fitted.predict(X) == y).mean() > 0.9
