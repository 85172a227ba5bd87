import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from wbce.inference import LogitFunction, blank_rows, output_logits

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")


def network(units=1, activation=None, width=3):
    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(units, activation)])


@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_one_output(activation):
    model = network(1, activation)
    z = LogitFunction(model, X[:1], 2)(X)
    assert z.shape == (40,)
    assert z.dtype == np.float64
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(z, (X @ kernel + bias).ravel(), rtol=1e-5)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_an_output_a_class(activation):
    model = network(4, activation)
    z = LogitFunction(model, X[:1], 4)(X)
    expected = model.predict(X, verbose=0)
    expected = expected if activation else softmax(expected, axis=1)
    np.testing.assert_allclose(softmax(z, axis=1), expected, rtol=1e-5)


def test_a_subclassed_network_is_recognised_by_its_graph():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)

        def call(self, inputs):
            return tf.sigmoid(self.dense(inputs))

    model = Own()
    logits = LogitFunction(model, X[:1], 2)
    assert not logits.output_is_logits
    np.testing.assert_allclose(expit(logits(X)), np.asarray(model(X)).ravel(), rtol=1e-5)


@pytest.mark.parametrize(
    "end",
    [
        lambda x: keras.layers.Average()(
            [keras.layers.Dense(1, "sigmoid")(x), keras.layers.Dense(1, "sigmoid")(x)]
        ),
        lambda x: keras.layers.Dense(1, "exponential")(x),
        lambda x: keras.layers.Rescaling(0.5)(keras.layers.Dense(1, "sigmoid")(x)),
    ],
)
def test_what_is_neither_is_not_guessed(end):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, end(inputs))
    with pytest.raises(ValueError, match="not recognised"):
        LogitFunction(model, X[:1], 2)
    p = model.predict(X, verbose=0).ravel()
    told = LogitFunction(model, X[:1], 2, from_logits=False)
    if (p < 1).all():
        np.testing.assert_allclose(expit(told(X)), p, rtol=1e-4)
    np.testing.assert_allclose(LogitFunction(model, X[:1], 2, from_logits=True)(X), p, rtol=1e-6)


def test_mixed_precision_is_seen_through():
    inputs = keras.Input((3,))
    dense = keras.layers.Dense(1, "sigmoid", dtype="mixed_float16")
    logits = LogitFunction(keras.Model(inputs, dense(inputs)), X[:1], 2)
    assert not logits.output_is_logits


@pytest.mark.parametrize("width", [1, 3, 10])
def test_rows_do_not_depend_on_their_neighbours(width):
    rows = np.random.default_rng(1).normal(size=(1000, width)).astype("float32")
    model = keras.Sequential(
        [keras.Input((width,)), keras.layers.Dense(20, "tanh"), keras.layers.Dense(1)]
    )
    logits = LogitFunction(model, rows[:1], 2)
    everything = logits(rows)
    for n in (1, 2, 5, 8, 15, 16, 17, 100, 999):
        np.testing.assert_array_equal(logits(rows[:n]), everything[:n])


def test_kerass_own_predictions_give_the_same_logits():
    for units, activation in ((1, None), (1, "sigmoid"), (2, "softmax")):
        model = network(units, activation)
        logits = LogitFunction(model, X[:1], 2)
        theirs = logits.from_outputs(model.predict(X, verbose=0))
        np.testing.assert_allclose(theirs, logits(X), rtol=1e-4, atol=1e-5)
    saturated = LogitFunction(network(1, "sigmoid"), X[:1], 2).from_outputs(
        np.array([[0.0], [1.0]], dtype="float32")
    )
    assert np.isfinite(saturated).all()


def test_without_strictness_an_odd_output_is_none():
    assert output_logits(network(5, "softmax"), X[:1], 2, from_logits=None, strict=False) is None
    probabilities = output_logits(network(1, "relu"), X[:1], 2, from_logits=None, strict=False)
    assert not probabilities.output_is_logits
    with pytest.raises(ValueError, match="not recognised"):
        output_logits(network(1, "relu"), X[:1], 2, from_logits=None, strict=True)


def test_blank_rows_have_the_shape_and_none_of_the_data():
    rows = [X, np.arange(40)]
    blank = blank_rows(rows)
    assert [b.shape for b in blank] == [(1, 3), (1,)]
    assert [b.dtype for b in blank] == [X.dtype, rows[1].dtype]
    assert not any(b.any() for b in blank)
