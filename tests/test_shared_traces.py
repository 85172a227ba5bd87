"""Fits whose trace must not be another's, however alike they look."""

import keras
import numpy as np
import pytest

from wbce import WeightedKerasClassifier, set_trace_cache_size
from wbce.inference._plain import plain_network

layers = keras.layers
X = np.random.default_rng(0).normal(size=(300, 4)).astype("float32")
Y = (X[:, 0] > 0.5).astype(int)


def two(meta):
    return keras.Sequential([keras.Input((4,)), layers.Dense(6, "relu"), layers.Dense(1)])


def clf(model=two, **parameters):
    defaults = {"early_stopping": False, "epochs": 3, "random_state": 0, "shuffle": False}
    return WeightedKerasClassifier(model, **{**defaults, **parameters})


def forget():
    set_trace_cache_size(0)
    set_trace_cache_size(64)


def final_losses(*models):
    return [model.fit(X, Y).history_["loss"][-1] for model in models]


def assert_each_as_if_alone(*models):
    alone = []
    for model in models:
        forget()
        alone += final_losses(model)
    forget()
    assert final_losses(*models) == alone
    assert len(set(alone)) == len(alone)


def rule_on_the_kernel(name, rule):
    def build(meta):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
        setattr(model.layers[0].kernel, name, rule)
        return model

    return clf(build)


@pytest.mark.parametrize(
    ("name", "rule"),
    [("constraint", keras.constraints.NonNeg()), ("regularizer", keras.regularizers.L2(5.0))],
)
def test_rules_set_on_variables(name, rule):
    assert_each_as_if_alone(rule_on_the_kernel(name, None), rule_on_the_kernel(name, rule))


def test_methods_replaced_on_an_optimizer():
    def build(still):
        def network(meta, compile_kwargs):
            model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
            optimizer = keras.optimizers.SGD(0.1)
            if still:
                optimizer._clip_gradients = lambda gradients: [0 * g for g in gradients]
            model.compile(optimizer, compile_kwargs["loss"])
            return model

        return clf(network)

    assert_each_as_if_alone(build(False), build(True))
    losses = build(True).fit(X, Y).history_["loss"]
    assert losses[0] == pytest.approx(losses[-1])


def test_a_loss_in_another_precision():
    def build(meta):
        return keras.Sequential([keras.Input((4,)), layers.Dense(1, "sigmoid")])

    losses = [keras.losses.BinaryCrossentropy(dtype=dtype) for dtype in ("float16", "float32")]
    assert_each_as_if_alone(*(clf(build, loss=loss) for loss in losses))


@pytest.mark.skipif(not hasattr(keras.optimizers, "Muon"), reason="newer than this Keras")
def test_an_optimizer_that_goes_by_names():
    def build(*names):
        def network(meta):
            hidden = [layers.Dense(6, "relu", name=name) for name in names]
            return keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(1)])

        optimizer = keras.optimizers.Muon(0.01, exclude_layers=["emb"])
        return clf(network, optimizer=optimizer)

    assert_each_as_if_alone(build("emb_a", "b"), build("a", "emb_b"))


def test_an_optimizer_that_knows_more_variables():
    def frozen(meta):
        model = two(meta)
        model.layers[0].trainable = False
        return model

    older = clf(warm_start=True).fit(X, Y)
    older.model_.layers[0].trainable = False
    kernel = older.model_.get_weights()[0]
    for model in (older, clf(frozen), older):
        model.fit(X, Y)
    np.testing.assert_array_equal(older.model_.get_weights()[0], kernel)


# ---------------------------------------------------------------------- going on by other ways


def test_going_on_after_training_by_hand_keeps_the_newer_state():
    ours = clf().fit(X, Y)
    ours.model_.fit(X, Y, verbose=0, shuffle=False, batch_size=32)
    theirs = clf(metrics=["accuracy"]).fit(X, Y)  # by Keras' fit all the way
    theirs.model_.fit(X, Y, verbose=0, shuffle=False, batch_size=32)
    assert ours.partial_fit(X, Y).n_iter_ == theirs.partial_fit(X, Y).n_iter_


def test_going_on_with_another_optimizer_or_a_frozen_layer():
    model = clf().fit(X, Y)
    model.model_.compile("sgd", model.model_.loss)
    model.partial_fit(X, Y)
    model = clf().fit(X, Y)
    model.model_.layers[0].trainable = False
    kernel = model.model_.get_weights()[0]
    model.partial_fit(X, Y)
    np.testing.assert_array_equal(model.model_.get_weights()[0], kernel)
    assert len(model.history_["loss"]) == 4


# ---------------------------------------------------------------------- code of the user's


class Jitter(layers.Layer):
    """Draws from NumPy's global generator while it trains."""

    def call(self, inputs, training=False):
        import tensorflow as tf

        if not training:
            return inputs
        noisy = tf.numpy_function(
            lambda x: (x + np.random.normal(size=x.shape)).astype("float32"), [inputs], "float32"
        )
        noisy.set_shape(inputs.shape)
        return noisy


def test_draws_of_the_users_code_are_seeded_and_leave_no_trace():
    def build(meta):
        return keras.Sequential([keras.Input((4,)), Jitter(), layers.Dense(1)])

    state = np.random.get_state()[1].copy(), np.random.get_state()[2]
    first, second = final_losses(clf(build), clf(build))
    assert first == second
    np.testing.assert_array_equal(np.random.get_state()[1], state[0])
    assert np.random.get_state()[2] == state[1]


class Watched(layers.Layer):
    def __init__(self):
        super().__init__()
        self.mean = keras.metrics.Mean(name="seen")

    def call(self, inputs):
        self.mean.update_state(keras.ops.mean(inputs))
        return inputs


def test_metrics_inside_layers_are_in_the_history():
    def build(meta):
        return keras.Sequential([keras.Input((4,)), Watched(), layers.Dense(1)])

    assert len(clf(build).fit(X, Y).history_["seen"]) == 3


class Unweighted(keras.losses.Loss):
    def __call__(self, y_true, y_pred, sample_weight=None):
        assert sample_weight is None
        return keras.ops.mean(keras.ops.square(keras.ops.cast(y_true, y_pred.dtype) - y_pred))


@pytest.mark.filterwarnings("ignore::wbce.CalibrationWarning")
def test_a_loss_of_the_users_that_takes_no_weights():
    assert clf(loss=Unweighted(), from_logits=True).fit(X, Y).n_iter_ == 3


# ---------------------------------------------------------------------- inputs that are no floats


def test_booleans_and_whole_numbers_beyond_what_the_network_holds():
    model = keras.Sequential([keras.Input((4,), dtype="bool"), layers.Dense(1)])
    assert plain_network(model) is None

    whole = np.round(X * 3).astype(int)
    counts = clf(
        lambda meta: keras.Sequential(
            [keras.Input((4,), dtype="int32"), layers.Rescaling(1.0), layers.Dense(1)]
        )
    ).fit(whole, Y)
    for far in (whole + 2**40, whole.astype(float) + 2.0**40):
        with pytest.raises(ValueError, match="beyond int32"):
            counts.predict_proba(far)
