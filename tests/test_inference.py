import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, softmax

from wbce.inference import LogitFunction, blank_rows, output_logits
from wbce.inference._plain import plain_network
from wbce.networks import InputColumns
from wbce.tracing import traces

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
    assert (
        output_logits(
            network(5, "softmax"), X[:1], 2, from_logits=None, multi_label=False, strict=False
        )
        is None
    )
    probabilities = output_logits(
        network(1, "relu"), X[:1], 2, from_logits=None, multi_label=False, strict=False
    )
    assert not probabilities.output_is_logits
    with pytest.raises(ValueError, match="not recognised"):
        output_logits(
            network(1, "relu"), X[:1], 2, from_logits=None, multi_label=False, strict=True
        )


def test_blank_rows_have_the_shape_and_none_of_the_data():
    rows = [X, np.arange(40)]
    blank = blank_rows(rows)
    assert [b.shape for b in blank] == [(1, 3), (1,)]
    assert [b.dtype for b in blank] == [X.dtype, rows[1].dtype]
    assert not any(b.any() for b in blank)


PLAIN = {
    "activations": lambda: [
        keras.layers.Dense(7, name) for name in ("relu", "tanh", "sigmoid", "silu")
    ],
    "more activations": lambda: [
        keras.layers.Dense(7, name) for name in ("elu", "selu", "gelu", "linear")
    ],
    "activation layers": lambda: [
        keras.layers.Dense(7, use_bias=False),
        keras.layers.ReLU(),
        keras.layers.Activation("tanh"),
    ],
    "normalised": lambda: [
        keras.layers.BatchNormalization(),
        keras.layers.Dense(5),
        keras.layers.BatchNormalization(scale=False),
        keras.layers.BatchNormalization(center=False),
    ],
    "passing": lambda: [
        keras.layers.Flatten(),
        keras.layers.Dropout(0.5),
        keras.layers.GaussianNoise(1.0),
        keras.layers.Identity(),
    ],
    "scaled": lambda: [InputColumns([0, 3, 0, 0], [True, True, False, False])],
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("end", ["sigmoid", "softmax", "a layer"])
def test_plain_networks_in_numpy_are_keras(name, end):
    generator = np.random.default_rng(0)
    last = {
        "sigmoid": [keras.layers.Dense(1, "sigmoid")],
        "softmax": [keras.layers.Dense(3, "softmax")],
        "a layer": [keras.layers.Dense(3), keras.layers.Softmax()],
    }[end]
    model = keras.Sequential([keras.Input((4,)), *PLAIN[name](), *last])
    for variable in model.variables:
        variable.assign(generator.uniform(0.1, 1.0, variable.shape) * generator.choice([1, 2]))
    rows = generator.normal(size=(50, 4)).astype("float32")
    assert plain_network(model) is not None
    z = LogitFunction(model, rows[:1], 2 if end == "sigmoid" else 3)(rows)
    p = expit(z) if end == "sigmoid" else softmax(z, axis=1)
    np.testing.assert_allclose(p.reshape(50, -1), model.predict(rows, verbose=0), atol=2e-6)


class OwnDense(keras.layers.Dense):
    def call(self, inputs):
        return super().call(inputs) * 2


@pytest.mark.parametrize(
    "middle",
    [
        lambda x: OwnDense(3)(x),
        lambda x: keras.layers.Add()([x, x]),
        lambda x: x * 2.0,
        lambda x: keras.layers.Dense(3, "softmax")(x),
        lambda x: keras.layers.Dense(3, lambda z: z * 3)(x),
        lambda x: keras.layers.ReLU(max_value=0.1)(x),
        lambda x: keras.layers.LayerNormalization()(x),
        lambda x: keras.layers.Dense(3, dtype="mixed_bfloat16")(x),
    ],
)
def test_other_networks_are_left_to_tensorflow(middle):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(middle(inputs)))
    assert plain_network(model) is None
    rows = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    z = LogitFunction(model, rows[:1], 2)(rows)
    np.testing.assert_allclose(z, model.predict(rows, verbose=0)[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("plain", [True, False])
def test_predictions_follow_weights_that_are_set_by_hand(plain):
    layers = [keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
    if not plain:
        layers.insert(1, keras.layers.LayerNormalization())
    model = keras.Sequential([keras.Input((3,)), *layers])
    rows = np.ones((5, 3), "float32")
    logits = LogitFunction(model, rows[:1], 2)
    logits(rows)
    model.layers[-1].set_weights([np.zeros((4, 1)), np.full(1, 3.0)])
    np.testing.assert_array_equal(logits(rows), np.full(5, 3.0))


@pytest.mark.parametrize("n_features", [5, 700])
def test_rows_of_plain_networks_do_not_depend_on_their_neighbours(n_features):
    model = keras.Sequential(
        [
            keras.Input((n_features,)),
            *[keras.layers.Dense(n, "tanh") for n in (40, 9)],
            keras.layers.Dense(3),
        ]
    )
    rows = np.random.default_rng(0).normal(size=(20_000, n_features)).astype("float32")
    logits = LogitFunction(model, rows[:1], 3)
    together = logits(rows)
    for some in (slice(0, 1), slice(17, 18), slice(3, 50), slice(16_000, 17_001)):
        np.testing.assert_array_equal(logits(rows[some]), together[some])


def test_networks_of_one_architecture_share_a_trace():
    def build():
        return keras.Sequential(
            [keras.Input((3,)), keras.layers.LayerNormalization(), keras.layers.Dense(1)]
        )

    rows = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    first, second = build(), build()
    logits = LogitFunction(first, rows[:1], 2)
    logits(rows)
    n_traces = len(traces)
    others = LogitFunction(second, rows[:1], 2)(rows)
    assert len(traces) == n_traces
    np.testing.assert_allclose(others, second.predict(rows, verbose=0)[:, 0], rtol=1e-5)
    np.testing.assert_allclose(logits(rows), first.predict(rows, verbose=0)[:, 0], rtol=1e-5)
