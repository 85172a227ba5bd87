"""What every loss must do: in plain Keras, at any logit, with any labels it takes, and others."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from wbce.losses import LOSSES, BatchLoss, CostSensitive, DeferredReweighting

POINTWISE = [name for name, cls in LOSSES.items() if not issubclass(cls, BatchLoss)]
BATCHWISE = [name for name, cls in LOSSES.items() if issubclass(cls, BatchLoss)]
KINDS = ["binary", "classes", "labels"]
HAVE = [
    (name, kind)
    for name in LOSSES
    for kind in KINDS
    if (name, kind) not in (("asymmetric", "classes"), ("cost_sensitive", "labels"))
]
RNG = np.random.default_rng(0)
N, K = 24, 3


def of(name, kind, **more):
    """A loss with arguments in which all classes, or labels, differ."""
    counts = {"binary": [90, 10], "classes": [60, 30, 10], "labels": [[9, 1], [5, 5], [2, 8]]}
    given = {"multi_label": True} if kind == "labels" else {}
    if name == "logit_adjusted":
        given["class_prior"] = counts[kind]
    if name == "ldam":
        given["class_counts"] = counts[kind]
    if name == "cost_sensitive":
        costs = np.arange(9.0).reshape(3, 3) + 1
        np.fill_diagonal(costs, 0.5)
        given["cost_matrix"] = [[0, 3], [20, 1]] if kind == "binary" else costs
    return LOSSES[name](**{**given, **more})


def data(kind):
    if kind == "binary":
        return RNG.integers(0, 2, N), RNG.normal(size=(N, 1)) * 2
    if kind == "classes":
        return np.arange(N) % K, RNG.normal(size=(N, K)) * 2
    return RNG.integers(0, 2, (N, K)), RNG.normal(size=(N, K)) * 2


def probabilities(z, kind):
    return tf.nn.softmax(z).numpy() if kind == "classes" else expit(z)


def each(loss, y, z):
    """Loss of every row."""
    return np.array([float(loss(y[i : i + 1], z[i : i + 1])) for i in range(len(y))])


@pytest.mark.parametrize(("name", "kind"), HAVE)
def test_gradient_is_the_difference_quotient(name, kind):
    y, z = data(kind)
    more = {} if name in BATCHWISE else {"label_smoothing": 0.1}
    loss = of(name, kind, from_logits=True, dtype="float64", **more)
    logits = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(y, logits)
    gradient = tape.gradient(value, logits).numpy()
    for i in ((0, 0), (5, -1), (11, 0), (17, -1)):
        up, down = z.copy(), z.copy()
        up[i] += 1e-5
        down[i] -= 1e-5
        quotient = (float(loss(y, up)) - float(loss(y, down))) / 2e-5
        assert gradient[i] == pytest.approx(quotient, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("name", "kind"), HAVE)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_finite_value_and_gradient_at_any_logit(name, kind, dtype):
    for size in (0.0, 20.0, 90.0, 1e3, 1e4):
        columns = 1 if kind == "binary" else K
        z = np.zeros((4, columns))
        z[:, -1] = size, -size, size, -size
        codes = np.array([0, 0, 1, 1]) * (K - 1 if kind == "classes" else 1)
        y = np.repeat(codes[:, None], K, axis=1) if kind == "labels" else codes
        logits = tf.cast(z, dtype)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = of(name, kind, from_logits=True)(y, logits)
        assert np.isfinite(value)
        assert np.isfinite(tf.cast(tape.gradient(value, logits), "float32")).all()


@pytest.mark.parametrize(("name", "kind"), HAVE)
def test_probabilities_give_what_logits_give(name, kind):
    y, z = data(kind)
    from_logits = float(of(name, kind, from_logits=True, dtype="float64")(y, z))
    p = probabilities(z, kind)
    told = float(of(name, kind, from_logits=False, dtype="float64")(y, p))
    assert told == pytest.approx(from_logits, rel=1e-6)


@pytest.mark.parametrize("name", [n for n, k in HAVE if k == "classes"])
def test_codes_and_one_hot_rows_are_the_same(name):
    y, z = data("classes")
    loss = of(name, "classes", from_logits=True)
    assert float(loss(y, z)) == float(loss(np.eye(K)[y], z)) == float(loss(y[:, None], z))


@pytest.mark.parametrize("name", list(LOSSES))
def test_binary_codes_columns_and_one_hot_rows_are_the_same(name):
    y, z = data("binary")
    loss = of(name, "binary", from_logits=True)
    assert float(loss(y, z)) == float(loss(y[:, None], z)) == float(loss(np.eye(2)[y], z))
    assert float(loss(y, z)) == float(loss(y.astype(bool), z)) == float(loss(y, z.ravel()))


@pytest.mark.parametrize(("name", "kind"), [pair for pair in HAVE if pair[0] in POINTWISE])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_weight_of_two_is_a_row_twice(name, kind, smoothing):
    y, z = data(kind)
    loss = of(name, kind, from_logits=True, label_smoothing=smoothing, reduction="sum")
    twice = np.concatenate([np.arange(N), np.arange(5)])
    weight = np.where(np.arange(N) < 5, 2.0, 1.0)
    expected = float(loss(y[twice], z[twice]))
    assert float(loss(y, z, sample_weight=weight)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", BATCHWISE)
def test_weights_of_a_batch_loss_are_relative(name):
    more = {} if name == "smooth_ap" else {"smooth": 0}  # added rows have a weight of their own
    y, z = data("binary")
    loss, w = of(name, "binary", from_logits=True, **more), RNG.random(N) + 0.1
    assert float(loss(y, z, w)) == pytest.approx(float(loss(y, z, 7 * w)), rel=1e-5)
    without = w * (np.arange(N) > 3)
    expected = float(loss(y[4:], z[4:], w[4:]))
    assert float(loss(y, z, without)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["weighted_bce", "focal", "poly1"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_swapping_the_classes_turns_the_sign(name, smoothing):
    y, z = data("binary")
    shared = {"from_logits": True, "label_smoothing": smoothing, "dtype": "float64"}
    loss = LOSSES[name](class_weight=(2, 7), **shared)
    swapped = LOSSES[name](class_weight=(7, 2), **shared)
    np.testing.assert_allclose(each(loss, y, z), each(swapped, 1 - y, -z), rtol=1e-12)


@pytest.mark.parametrize("name", POINTWISE)
def test_class_weights_scale(name):
    if name == "cost_sensitive":
        y, z = data("classes")
        one, ten = (
            CostSensitive(scale * (1 - np.eye(3)), from_logits=True, dtype="float64")
            for scale in (1, 10)
        )
    else:
        y, z = data("binary")
        one, ten = (
            of(name, "binary", from_logits=True, class_weight=weights, dtype="float64")
            for weights in ((1, 5), (10, 50))
        )
    np.testing.assert_allclose(10 * each(one, y, z), each(ten, y, z), rtol=1e-12)


# ---------------------------------------------------------------- plain Keras


def network(kind, activation):
    columns = 1 if kind == "binary" else K
    ends = {None: None, "probabilities": "softmax" if kind == "classes" else "sigmoid"}[activation]
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(columns, ends)])


@pytest.mark.parametrize(("name", "kind"), HAVE)
def test_plain_keras_trains_saves_and_loads(name, kind, tmp_path):
    """With and without the last activation the same network, and again from its file."""
    X = RNG.normal(size=(N, 4)).astype("float32")
    y = data(kind)[0]
    weights = []
    for activation in (None, "probabilities"):
        model = network(kind, activation)
        model.compile(loss=of(name, kind), optimizer=keras.optimizers.SGD(0.1))
        model.fit(X, y, epochs=2, verbose=0, shuffle=False)
        weights.append(model.get_weights())
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
        assert type(loaded.loss) is LOSSES[name]
        assert loaded.loss.get_config() == model.loss.get_config()
    before = model.evaluate(X, y, verbose=0)
    assert loaded.evaluate(X, y, verbose=0) == pytest.approx(before, rel=1e-6)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        assert np.isfinite(one).all()


@pytest.mark.parametrize("name", list(LOSSES))
def test_mixed_precision(name):
    X, y = RNG.normal(size=(N, 4)), data("binary")[0]
    layer = keras.layers.Dense(1, "sigmoid", dtype="mixed_float16")
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(loss=of(name, "binary"), optimizer="sgd")
    history = model.fit(1e2 * X, y, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_weights_may_be_deferred():
    """Epochs before the given one are trained without weights, the others with them."""
    X, y = RNG.normal(size=(N, 4)).astype("float32"), data("binary")[0]

    def trained(loss, epochs, callbacks=(), start=None):
        model = network("binary", None)
        if start is not None:
            model.set_weights(start)
        model.compile(loss=loss, optimizer=keras.optimizers.SGD(0.1))
        model.fit(X, y, epochs=epochs, verbose=0, shuffle=False, callbacks=list(callbacks))
        return model.get_weights()

    first = trained(of("ldam", "binary"), 2)
    expected = trained(of("ldam", "binary", class_weight=(1, 9)), 3, start=first)
    loss = of("ldam", "binary", class_weight=(1, 9))
    result = trained(loss, 5, [DeferredReweighting(loss, epoch=2)])
    for one, other in zip(result, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert loss.weighting == 1.0
    with pytest.raises(ValueError, match="no class_weight to defer"):
        DeferredReweighting(of("ldam", "binary"), epoch=2)


# ---------------------------------------------------------------- labels and outputs that are wrong

BAD_LABELS = {
    "plus and minus one": ("binary", np.array([-1, 1, 1]), "0 to 1.*got -1, 1"),
    "between": ("binary", np.array([0.2, 0.8, 1.0]), "0 to 1.*got 0.2, 0.8, 1"),
    "three codes": ("binary", np.array([0, 1, 2]), "0 to 1.*got 0, 1, 2"),
    "too many codes": ("classes", np.array([0, 1, 3]), "0 to 2.*got 0, 1, 3"),
    "no code": ("classes", np.array([0, 1, -1]), "got -1, 0, 1"),
    "not a number": ("classes", np.array([0, 1, np.nan]), "got 0, 1, nan"),
    "two ones": ("classes", np.array([[1, 1, 0.0], [0, 1, 0], [0, 0, 1]]), "not one-hot"),
    "soft rows": ("classes", np.full((3, 3), 1 / 3), "not one-hot"),
    "counts": ("labels", np.array([[2, 0, 1.0]] * 3), "must be 0 or 1.*got 0, 1, 2"),
    "codes for labels": ("labels", np.array([0, 1, 2]), r"labels of shape \(3,\) for 3 outputs"),
    "wrong width": ("classes", np.zeros((3, 4)), r"labels of shape \(3, 4\)"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
@pytest.mark.parametrize("name", ["focal", "tversky"])
def test_wrong_labels(case, name):
    kind, y, message = BAD_LABELS[case]
    z = np.zeros((3, 1 if kind == "binary" else K))
    with pytest.raises(ValueError, match=message):
        of(name, kind, from_logits=True)(y, z)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_labels_in_a_compiled_step(kind):
    model = network(kind, None)
    model.compile(loss=of("focal", kind), optimizer="sgd")
    y = np.full((N, K) if kind == "labels" else N, 7.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"must be.*got values from"):
        model.fit(np.zeros((N, 4)), y, verbose=0)


@pytest.mark.parametrize("name", ["weighted_bce", "tversky"])
def test_outputs_that_are_not_what_was_said(name):
    y, z = data("binary")
    with pytest.raises(ValueError, match=r"probabilities are within \[0, 1\].*got -"):
        of(name, "binary", from_logits=False)(y, z)
    rows = probabilities(data("classes")[1], "classes")
    with pytest.raises(ValueError, match="from_logits=True, but every row passed sums to one"):
        of(name, "classes", from_logits=True)(np.arange(N) % K, rows)
    cases = [
        ("binary", "probabilities", {"from_logits": True}, "ends in sigmoid"),
        ("binary", None, {"from_logits": False}, "ends in a linear layer"),
        ("labels", "probabilities", {"multi_label": False}, "sigmoid of 3 columns.*multi_label"),
        ("classes", "probabilities", {"multi_label": True}, "softmax of 3 columns"),
    ]
    for kind, activation, said, message in cases:
        model = network(kind, activation)
        model.compile(loss=LOSSES[name](**said), optimizer="sgd")
        with pytest.raises(ValueError, match=message):
            model.fit(np.zeros((N, 4)), data(kind)[0], verbose=0)


BAD_ARGUMENTS = [
    ("poly1", {"epsilon": -1.5}, "epsilon=-1.5 is not allowed.*>= -1"),
    ("asymmetric", {"gamma_pos": -1}, "gamma_pos=-1"),
    ("asymmetric", {"gamma_neg": np.inf}, "gamma_neg=inf"),
    ("asymmetric", {"margin": 1.0}, "margin=1.0.*0 <= margin < 1"),
    ("logit_adjusted", {"tau": -0.1}, "tau=-0.1"),
    ("logit_adjusted", {"class_prior": [0.5, 0]}, "class_prior=.*positive share"),
    ("logit_adjusted", {"class_prior": [[1, 2], [3, 4]]}, "shape.*multi_label=True"),
    ("ldam", {"class_counts": [10]}, "class_counts"),
    ("ldam", {"scale": 0}, "scale=0"),
    ("ldam", {"max_margin": -1}, "max_margin=-1"),
    ("ldam", {"deferral": 1.0}, "deferral=1.0"),
    ("focal", {"gamma": [1, -2]}, "gamma="),
    ("focal", {"alpha": 1.5}, "alpha=1.5.*0 < alpha < 1"),
    ("focal", {"alpha": 0.2, "class_weight": (1, 2)}, "keep one"),
    ("weighted_bce", {"pos_weight": 0}, "pos_weight=0"),
    ("weighted_bce", {"pos_weight": [1, 2]}, "pos_weight=.*a positive, finite number"),
    ("weighted_bce", {"pos_weight": 3, "class_weight": (1, 2)}, "two ways to say one thing"),
    ("weighted_bce", {"class_weight": [1, 2, 3], "multi_label": True}, r"shape \(3,\)"),
    ("weighted_bce", {"multi_label": "yes"}, "multi_label='yes'"),
    ("weighted_bce", {"label_smoothing": True}, "label_smoothing=True"),
    ("tversky", {"alpha": -1}, "alpha=-1"),
    ("tversky", {"smooth": -1}, "smooth=-1"),
    ("soft_fbeta", {"beta": 0}, "beta=0"),
    ("smooth_ap", {"temperature": 0}, "temperature=0"),
    ("smooth_ap", {"from_logits": "no"}, "from_logits='no'"),
    ("cost_sensitive", {"cost_matrix": [[0, 1, 1], [1, 0, 1]]}, r"\(2, 3\), and is not square"),
    ("cost_sensitive", {"cost_matrix": [[0, np.nan], [1, 0]]}, "negative, NaN, infinite or beyond"),
    ("cost_sensitive", {"cost_matrix": [[0, -1], [1, 0]]}, "negative, NaN, infinite or beyond"),
    ("cost_sensitive", {"cost_matrix": [[2, 1], [1, 0]]}, r"\[0, 0\]=2 is dearer than"),
    ("cost_sensitive", {"cost_matrix": [[0, 0], [1, 0]]}, "no mistake costs more"),
    ("cost_sensitive", {"cost_matrix": "high"}, "not of numbers"),
    ("cost_sensitive", {"cost_matrix": [[0, 1], [1, 0]], "pos_weight": 2}, "drop class_weight"),
    ("cost_sensitive", {"cost_matrix": [[0, 1], [1, 0]], "multi_label": True}, "several labels"),
]


@pytest.mark.parametrize(("name", "bad", "message"), BAD_ARGUMENTS)
def test_arguments_out_of_range(name, bad, message):
    with pytest.raises(ValueError, match=message):
        LOSSES[name](**bad)


@pytest.mark.parametrize(
    ("name", "kind", "given", "message"),
    [
        ("weighted_bce", "binary", {"class_weight": [1, 2, 3]}, r"shape \(3,\).*two classes"),
        ("weighted_bce", "classes", {"class_weight": [1, 2]}, r"shape \(2,\).*3 outputs"),
        ("weighted_bce", "labels", {"pos_weight": [1, 2], "multi_label": True}, "3 labels"),
        ("focal", "classes", {"gamma": [1, 2]}, "gamma has the shape.*3 outputs"),
        ("logit_adjusted", "classes", {"class_prior": [1, 2]}, "class_prior has the shape"),
        ("logit_adjusted", "binary", {}, "needs class_prior"),
        ("ldam", "classes", {}, "needs class_counts"),
        ("cost_sensitive", "classes", {"cost_matrix": [[0, 1], [1, 0]]}, "3 classes"),
        ("asymmetric", "classes", {}, "Asymmetric has no form for one logit a class"),
    ],
)
def test_arguments_that_do_not_fit_the_network(name, kind, given, message):
    y, z = data(kind)
    with pytest.raises(ValueError, match=message):
        LOSSES[name](from_logits=True, **given)(y, z)


@pytest.mark.parametrize("name", list(LOSSES))
def test_unknown_arguments(name):
    with pytest.raises(TypeError, match="gama"):
        LOSSES[name](**({"cost_matrix": [[0, 1], [1, 0]]} if name[0] == "c" else {}), gama=2)
