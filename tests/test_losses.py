import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_softmax

from wbce.losses import (
    LOSSES,
    CostSensitive,
    Focal,
    PointwiseLoss,
    WeightedCrossentropy,
    keras_equivalent,
    resolve_loss,
)

Z = np.linspace(-12, 12, 49)
BOTH = [WeightedCrossentropy, Focal]


def values(loss, y, z):
    return np.asarray(loss(np.asarray(y), np.asarray(z, dtype=np.float64)))


def of(cls, **arguments):
    return cls(from_logits=True, reduction=None, dtype="float64", **arguments)


def focal_by_hand(z, y, gamma):
    """The published formula in float64."""
    p = expit(z) if y == 1 else expit(-z)
    return -((1 - p) ** gamma) * np.log(p)


def smoothed_by_hand(one, z, y, smoothing):
    own, other = one(z, y), one(z, 1 - y)
    return (1 - smoothing / 2) * own + smoothing / 2 * other


@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("pos_weight", [1.0, 0.2, 99.0])
def test_crossentropy_is_tensorflows(y, pos_weight):
    expected = tf.nn.weighted_cross_entropy_with_logits(
        labels=np.full(Z.shape, float(y)), logits=Z, pos_weight=pos_weight
    )
    loss = of(WeightedCrossentropy, class_weight=(1, pos_weight))
    np.testing.assert_allclose(values(loss, np.full(Z.shape, y), Z[:, None]), expected, rtol=1e-9)


@pytest.mark.parametrize("y", [0, 1])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_is_the_published_formula(y, gamma, smoothing):
    expected = smoothed_by_hand(lambda z, y: focal_by_hand(z, y, gamma), Z, y, smoothing)
    loss = of(Focal, gamma=gamma, label_smoothing=smoothing)
    result = values(loss, np.full(Z.shape, y), Z[:, None])
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("alpha", [None, 0.25, 0.9])
def test_focal_is_kerass(alpha):
    theirs = keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=alpha is not None,
        alpha=alpha or 0.25,
        gamma=2.0,
        from_logits=True,
        reduction=None,
        dtype="float64",
    )
    weights = None if alpha is None else (1 - alpha, alpha)
    ours = of(Focal, gamma=2.0, class_weight=weights)
    for y in (0.0, 1.0):
        labels = np.full((len(Z), 1), y)
        expected = values(theirs, labels, Z[:, None])
        np.testing.assert_allclose(values(ours, labels, Z[:, None]), expected, rtol=1e-6)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_two_softmax_outputs_are_one_sigmoid(cls, smoothing):
    loss = of(cls, label_smoothing=smoothing, class_weight=(1, 7))
    for y in (0, 1):
        labels = np.full(Z.shape, y)
        one = values(loss, labels, Z[:, None])
        two = values(loss, labels, np.column_stack([np.ones_like(Z), 1 + Z]))
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.15])
def test_softmax_form_by_hand(gamma, smoothing):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(40, 4)) * 3, rng.integers(0, 4, 40)
    log_p = log_softmax(z, axis=1)
    each = -((1 - np.exp(log_p)) ** gamma) * log_p
    target = (1 - smoothing) * np.eye(4)[y] + smoothing / 4
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    expected = (target * each).sum(1) * weight[y]
    loss = of(Focal, gamma=gamma, label_smoothing=smoothing, class_weight=weight)
    np.testing.assert_allclose(values(loss, y, z), expected, rtol=1e-6)
    np.testing.assert_allclose(values(loss, np.eye(4)[y], z), expected, rtol=1e-6)


def test_softmax_crossentropy_is_kerass():
    rng = np.random.default_rng(1)
    z, y = rng.normal(size=(40, 5)) * 3, rng.integers(0, 5, 40)
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1, reduction=None, dtype="float64"
    )
    expected = values(theirs, np.eye(5)[y], z)
    ours = of(WeightedCrossentropy, label_smoothing=0.1)
    np.testing.assert_allclose(values(ours, y, z), expected, rtol=1e-9)


@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("columns", [1, 2, 5])
@pytest.mark.parametrize("size", [0.0, 30.0, 100.0, 1e3, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_finite_value_and_gradient_at_any_logit(gamma, columns, size, dtype):
    z = np.zeros((2, columns))
    z[:, -1] = size, -size
    for y in (0, max(1, columns - 1)):
        logits = tf.constant(z, dtype=dtype)
        loss = Focal(gamma, from_logits=True, label_smoothing=0.05)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(np.full(2, y), logits)
        assert np.isfinite(value)
        assert np.isfinite(tape.gradient(value, logits)).all()


@pytest.mark.parametrize("gamma", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("columns", [1, 3])
def test_gradient_is_the_difference_quotient(gamma, columns):
    rng = np.random.default_rng(2)
    z = rng.normal(size=(6, columns)) * 2
    y = np.arange(6) % max(2, columns)
    loss = of(
        Focal, gamma=gamma, label_smoothing=0.1, class_weight=np.arange(1, max(2, columns) + 1)
    )
    logits = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(loss(y, logits))
    gradient = tape.gradient(total, logits).numpy()
    h = 1e-6
    for i in np.ndindex(*z.shape):
        up, down = z.copy(), z.copy()
        up[i] += h
        down[i] -= h
        quotient = (values(loss, y, up).sum() - values(loss, y, down).sum()) / (2 * h)
        assert gradient[i] == pytest.approx(quotient, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_a_network_learns_the_same_with_and_without_its_sigmoid(cls, activation):
    """Inside a compiled step the logits behind a sigmoid are exact: saturated rows still learn."""
    x = np.array([[1.0], [2.0]], dtype="float32")
    network = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Dense(
                1, activation=activation, kernel_initializer=keras.initializers.Constant(200.0)
            ),
        ]
    )
    network.compile(optimizer=keras.optimizers.SGD(1.0), loss=cls())
    network.fit(x, np.zeros((2, 1)), epochs=1, verbose=0, shuffle=False)
    assert network.get_weights()[0].item() == pytest.approx(198.5, rel=1e-6) or cls is Focal
    assert np.isfinite(network.get_weights()[0]).all()
    assert network.get_weights()[0].item() < 199


def test_softmax_logits_are_recognised_too():
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Softmax()])
    network.compile(loss=WeightedCrossentropy(), optimizer="sgd")
    x = np.eye(2, dtype="float32")
    y = np.array([0, 2])
    z = network.layers[0](x).numpy().astype(float)
    expected = -log_softmax(z, axis=1)[np.arange(2), y].mean()
    assert network.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("cls", BOTH)
def test_probabilities_out_of_sight_of_the_graph(cls):
    z = np.linspace(-8, 8, 9)[:, None]
    y = np.arange(9) % 2
    told = cls(from_logits=False, reduction=None, dtype="float64")
    np.testing.assert_allclose(values(told, y, expit(z)), values(of(cls), y, z), rtol=1e-6)
    with pytest.raises(ValueError, match="from_logits"):
        values(cls(dtype="float64"), y, expit(z))


@pytest.mark.parametrize("cls", BOTH)
def test_losses_survive_their_config_and_keras_saving(cls):
    loss = cls(label_smoothing=0.1, class_weight=(1, 3), from_logits=True)
    for twin in (
        cls.from_config(loss.get_config()),
        keras.losses.deserialize(keras.losses.serialize(loss)),
    ):
        assert type(twin) is cls
        assert twin.get_config() == loss.get_config()


@pytest.mark.parametrize(
    ("theirs", "smoothing", "weights"),
    [
        ("binary_crossentropy", 0, None),
        ("BinaryCrossentropy", 0, None),
        (keras.losses.BinaryCrossentropy(label_smoothing=0.2), 0.2, None),
        (keras.losses.sparse_categorical_crossentropy, 0, None),
        ([keras.losses.CategoricalCrossentropy()], 0, None),
        (
            keras.losses.BinaryFocalCrossentropy(gamma=3, alpha=0.2, apply_class_balancing=True),
            0,
            [0.8, 0.2],
        ),
    ],
)
def test_keras_losses_with_a_pointwise_equivalent(theirs, smoothing, weights):
    ours = keras_equivalent(theirs)
    assert ours.label_smoothing == smoothing
    assert ours.class_weight == weights


@pytest.mark.parametrize("theirs", ["mse", "hinge", keras.losses.Dice(), None, ["mse", "mse"]])
def test_other_losses_have_none(theirs):
    assert keras_equivalent(theirs) is None


def test_losses_by_name():
    focal = resolve_loss("focal", {"gamma": 3.0, "label_smoothing": 0.1}, {"gamma": 1.0})
    assert isinstance(focal, Focal)
    assert (focal.gamma, focal.label_smoothing) == (1.0, 0.1)
    assert isinstance(resolve_loss("weighted_bce", {"gamma": 3.0}, {}), WeightedCrossentropy)
    assert resolve_loss("binary_crossentropy", {}, {}) is None
    assert resolve_loss(focal, {"gamma": 9.0}, {}) is focal
    assert resolve_loss(Focal, {"gamma": 9.0}, {}).gamma == 9
    with pytest.raises(ValueError, match=r"Did you mean 'focal'.*weighted_bce"):
        resolve_loss("focale", {}, {})
    with pytest.raises(TypeError, match="gama"):
        resolve_loss("focal", {}, {"gama": 1})
    with pytest.raises(TypeError, match="instance"):
        resolve_loss(focal, {}, {"gamma": 1})


POINTWISE = [cls for cls in LOSSES.values() if issubclass(cls, PointwiseLoss)]


@pytest.mark.parametrize("cls", [cls for cls in POINTWISE if cls is not CostSensitive])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing=1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
        ({"label_smoothing": "a"}, "label_smoothing"),
        ({"class_weight": (1, 0)}, "class_weight"),
        ({"class_weight": (1, np.nan)}, "class_weight"),
        ({"class_weight": 3}, "class_weight"),
        ({"from_logits": "yes"}, "from_logits"),
    ],
)
def test_arguments_out_of_range(cls, bad, message):
    with pytest.raises(ValueError, match=message):
        cls(**bad)


@pytest.mark.parametrize("gamma", [-1, np.nan, np.inf, "2"])
def test_gamma_out_of_range(gamma):
    with pytest.raises(ValueError, match="gamma"):
        Focal(gamma)
