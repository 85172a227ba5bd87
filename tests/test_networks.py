import keras
import numpy as np
import pytest
from scipy.stats import norm, rankdata

from wbce.networks import InputColumns, build_mlp, output_bias, start_bias


def numbers(n):
    return InputColumns([0] * n, [False] * n)


def scaled(X, weight=None):
    layer = numbers(X.shape[1])
    layer.build(X.shape)
    layer.fit(X, np.ones(len(X)) if weight is None else weight)
    return np.asarray(layer(X.astype("float32")))


def test_columns_are_standardised_and_squashed():
    rng = np.random.default_rng(0)
    X = rng.normal([5, -1e6, 1e-9], [2, 1e3, 1e-12], size=(500, 3))
    z = (X - X.mean(0)) / X.std(0)
    expected = (z / np.sqrt(1 + (z / 3) ** 2))[:, 0]
    np.testing.assert_allclose(scaled(X)[:, 0], expected, rtol=1e-4, atol=1e-6)
    assert np.abs(scaled(X)).max() < 3
    np.testing.assert_allclose(scaled(X).std(0), 0.9, atol=0.1)


def test_scaling_is_of_the_weighted_rows():
    X = np.random.default_rng(0).normal(size=(30, 2))
    w = np.arange(30) % 4
    repeated = np.repeat(X, w, axis=0)
    a, b = numbers(2), numbers(2)
    for layer, rows, weight in ((a, X, w), (b, repeated, np.ones(len(repeated)))):
        layer.build(rows.shape)
        layer.fit(rows, weight)
    for v, u in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_allclose(v, u, rtol=1e-6)


def test_constant_columns_become_zero():
    X = np.column_stack([np.full(50, 7e8), np.zeros(50), np.full(50, 0.1), np.arange(50.0)])
    assert (scaled(X)[:, :3] == 0).all()
    assert scaled(X)[:, 3].std() > 0.5


def test_values_far_out_stay_finite():
    X = np.random.default_rng(0).normal(size=(50, 1))
    layer = numbers(1)
    layer.build(X.shape)
    layer.fit(X, np.ones(50))
    far = np.array([[3e38], [-3e38]], dtype="float32")
    np.testing.assert_allclose(np.asarray(layer(far)).ravel(), [3, -3], rtol=1e-5)


def scores_of(X, n_knots=17, weight=None):
    layer = InputColumns([0] * X.shape[1], [True] * X.shape[1], n_knots)
    layer.build(X.shape)
    layer.fit(X, np.ones(len(X)) if weight is None else weight)
    return np.asarray(layer(X.astype("float32")))[:, X.shape[1] : 2 * X.shape[1]], layer


def test_ranks_become_normal_scores():
    x = np.random.default_rng(0).lognormal(sigma=3, size=(2000, 1))
    scores, layer = scores_of(x, n_knots=65)
    expected = norm.ppf((rankdata(x) - 0.5) / len(x))
    middle = np.abs(expected) < 2
    np.testing.assert_allclose(scores[middle, 0], expected[middle], atol=0.06)
    assert (np.diff(scores[np.argsort(x[:, 0]), 0]) >= 0).all()
    assert layer.n_numeric == 2
    far = np.array([[3e38], [-3e38], [np.nan]], dtype="float32")
    beyond = np.asarray(layer(far))[:, 1]
    np.testing.assert_allclose(beyond, [norm.ppf(0.997), norm.ppf(0.003), 0], atol=1e-5)


def test_ranks_are_of_the_weighted_rows_that_are_there():
    x = np.array([[0.0], [1.0], [2.0], [3.0], [np.nan]] * 30)
    weight = np.tile([1.0, 1.0, 5.0, 0.0, 9.0], 30)
    scores, layer = scores_of(x, weight=weight)
    assert np.asarray(layer.knots).max() == 2
    assert scores[2, 0] > 0.2
    assert scores[4, 0] == 0


def test_ranks_of_few_and_of_equal_values():
    x = np.column_stack([np.tile([0, 1], 50), np.full(100, 7.0), np.arange(100) == 0])
    scores, _ = scores_of(x.astype(float))
    assert len(np.unique(scores[:, 0])) == 2
    np.testing.assert_allclose(scores[0, 0], -scores[1, 0], atol=0.1)
    assert (scores[:, 1] == 0).all()
    assert np.isfinite(scores).all()


def test_the_built_in_network_is_plain_keras():
    network = build_mlp((4, 2), 3)
    assert network.output_shape == (None, 3)
    assert network(np.ones((5, 4, 2))).shape == (5, 3)
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(network))
    assert twin.count_params() == network.count_params()


@pytest.mark.parametrize(
    "end",
    [
        [keras.layers.Dense(1)],
        [keras.layers.Dense(1, "sigmoid")],
        [keras.layers.Dense(1), keras.layers.Activation("sigmoid")],
        [keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])],
    ],
)
def test_the_output_bias_is_found(end):
    network = keras.Sequential([keras.Input((2,)), *end])
    start_bias(network, np.array([-2.5]), np.zeros(1))
    assert np.asarray(output_bias(network)) == pytest.approx(-2.5)
    start_bias(network, np.array([9.0]), np.zeros(1))  # no longer zero: left alone
    assert np.asarray(output_bias(network)) == pytest.approx(-2.5)


def test_networks_without_a_plain_output_bias_are_left_alone():
    for end in (keras.layers.Dense(1, use_bias=False), keras.layers.BatchNormalization()):
        network = keras.Sequential([keras.Input((1,)), end])
        before = [w.copy() for w in network.get_weights()]
        start_bias(network, np.array([-2.5]), np.zeros(1))
        for w, v in zip(before, network.get_weights(), strict=True):
            np.testing.assert_array_equal(w, v)
