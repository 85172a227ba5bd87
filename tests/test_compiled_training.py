"""The compiled training against Keras' own fit, from the same weights in the same order."""

import keras
import numpy as np
import pytest

from wbce.losses import Focal, WeightedCrossentropy
from wbce.tracing import set_trace_cache_size, traces
from wbce.training import NetworkTraining, needs_keras_fit, seeded

layers, optimizers = keras.layers, keras.optimizers
schedules = optimizers.schedules

generator = np.random.default_rng(0)
X = generator.normal(size=(150, 6)).astype("float32")
Y = (X[:, 0] + generator.normal(size=150) > 0.8).astype(int)
WEIGHT = generator.uniform(0.5, 3, 150)


def chain(*middle, shape=(6,), end=None):
    end = layers.Dense(1, "sigmoid") if end is None else end
    return keras.Sequential([keras.Input(shape), *middle, end])


def small():
    return chain(layers.Dense(8, "tanh"))


def compiled(build, optimizer, loss, seed=3):
    with seeded(seed):
        network = build()
        network.compile(optimizer(), loss())
    return network


def by_keras(network, X, y, **arguments):
    return network.fit(X, y, verbose=0, **arguments).history


def by_us(network, X, y, keep_state=False, **arguments):
    arguments = {"verbose": 0, **arguments}
    assert needs_keras_fit(network, X, y, arguments) is None
    training = NetworkTraining(network, X, y, arguments, keep_state)
    history = training.run(seed=0).history
    if training.slots is not None:
        training.slots.restore(network)
    return history


def trained_both_ways(
    build=small,
    optimizer=lambda: "adam",
    loss=WeightedCrossentropy,
    X=X,
    y=Y,
    weight=WEIGHT,
    **more,
):
    arguments = {"batch_size": 16, "epochs": 3, "sample_weight": weight, "shuffle": False, **more}
    networks, histories = [], []
    for train in (by_keras, by_us):
        networks.append(compiled(build, optimizer, loss))
        histories.append(train(networks[-1], X, y, **arguments))
    return networks, histories


def assert_same(networks, histories, atol=3e-6):
    for theirs, ours in zip(networks[0].variables, networks[1].variables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=atol)
    variables = (network.optimizer.variables for network in networks)
    for theirs, ours in zip(*variables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-3, atol=atol)
    assert list(histories[0]) == list(histories[1])
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-5)


OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01),
    "adam amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
    "sgd": lambda: optimizers.SGD(0.1),
    "sgd momentum": lambda: optimizers.SGD(0.05, momentum=0.9),
    "sgd nesterov": lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "sgd weight decay": lambda: optimizers.SGD(0.1, weight_decay=0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01),
    "rmsprop momentum": lambda: optimizers.RMSprop(0.01, momentum=0.5),
    "rmsprop centered": lambda: optimizers.RMSprop(0.01, centered=True),
    "nadam": lambda: optimizers.Nadam(0.01),
    "adagrad": lambda: optimizers.Adagrad(0.1),
    "adadelta": lambda: optimizers.Adadelta(1.0),
    "adamax": lambda: optimizers.Adamax(0.01),
    "adafactor": lambda: optimizers.Adafactor(0.01),
    "lion": lambda: optimizers.Lion(0.001),
    "ftrl": lambda: optimizers.Ftrl(0.1),
    "clipvalue": lambda: optimizers.SGD(0.1, clipvalue=0.01),
    "clipnorm": lambda: optimizers.SGD(0.1, clipnorm=0.05),
    "global clipnorm": lambda: optimizers.SGD(0.1, global_clipnorm=0.05),
    "moving average": lambda: optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=4),
    "moving average at the end": lambda: optimizers.Adam(0.01, use_ema=True),
    "accumulation": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=3),
    "cosine": lambda: optimizers.Adam(schedules.CosineDecay(0.02, 20)),
    "cosine warm-up": lambda: optimizers.SGD(
        schedules.CosineDecay(0.01, 20, warmup_target=0.1, warmup_steps=5)
    ),
    "cosine restarts": lambda: optimizers.SGD(schedules.CosineDecayRestarts(0.1, 7)),
    "exponential": lambda: optimizers.SGD(schedules.ExponentialDecay(0.2, 5, 0.9)),
    "staircase": lambda: optimizers.SGD(schedules.ExponentialDecay(0.2, 5, 0.5, staircase=True)),
    "inverse time": lambda: optimizers.SGD(schedules.InverseTimeDecay(0.2, 5, 0.5)),
    "polynomial": lambda: optimizers.SGD(schedules.PolynomialDecay(0.2, 20, 0.01)),
    "piecewise": lambda: optimizers.SGD(
        schedules.PiecewiseConstantDecay([5, 20], [0.2, 0.1, 0.01])
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    assert_same(*trained_both_ways(optimizer=OPTIMIZERS[name]))


def functional():
    inputs = keras.Input((6,))
    shared = layers.Dense(6, "relu")
    x = layers.Add()([shared(shared(inputs)), inputs * 2.0])
    x = layers.Concatenate()([x, keras.ops.tanh(x)])
    return keras.Model(inputs, layers.Dense(1)(x))


def frozen():
    network = chain(layers.Dense(8, "relu"), layers.Dense(5, "relu"))
    network.layers[0].trainable = False
    return network


class Doubling(layers.Layer):
    def call(self, inputs):
        return inputs * 2


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(5, "relu"), layers.Dense(1)

    def call(self, inputs):
        return self.out(self.hidden(inputs))

    def build(self, shape):
        self.hidden.build(shape)
        self.out.build((None, 5))
        self.built = True


def own():
    network = Own()
    network.build((None, 6))
    return network


NETWORKS = {
    "batch normalisation": lambda: chain(layers.Dense(8), layers.BatchNormalization()),
    "layer normalisation": lambda: chain(layers.Dense(8), layers.LayerNormalization()),
    "dropout": lambda: chain(layers.Dense(8, "relu"), layers.Dropout(0.3)),
    "noise": lambda: chain(layers.GaussianNoise(0.1), layers.Dense(8, "relu")),
    "regularised": lambda: chain(
        layers.Dense(8, "relu", kernel_regularizer="l2", activity_regularizer="l1")
    ),
    "constrained": lambda: chain(layers.Dense(8, "relu", kernel_constraint="max_norm")),
    "functional": functional,
    "frozen": frozen,
    "nested": lambda: chain(small()),
    "convolution": lambda: chain(
        layers.Reshape((6, 1)), layers.Conv1D(4, 3, activation="relu"), layers.Flatten()
    ),
    "recurrent": lambda: chain(layers.Reshape((6, 1)), layers.GRU(4)),
    "attention": lambda: chain(
        layers.Reshape((3, 2)), _SelfAttention(), layers.GlobalAveragePooling1D()
    ),
    "a layer of the user's": lambda: chain(Doubling(), layers.Dense(4)),
    "a lambda": lambda: chain(layers.Lambda(lambda x: x * 2), layers.Dense(4)),
    "a subclass": own,
    "a user's activation": lambda: chain(layers.Dense(4, lambda x: keras.ops.sin(x))),
}


class _SelfAttention(layers.Layer):
    def __init__(self):
        super().__init__()
        self.attention = layers.MultiHeadAttention(2, 2)

    def build(self, shape):
        self.attention.build(shape, shape)

    def call(self, inputs):
        return self.attention(inputs, inputs)


@pytest.mark.parametrize("name", NETWORKS)
def test_layers(name):
    # Not Adam: it magnifies the rounding of gradients that are zero, as a bias's before a mean.
    assert_same(*trained_both_ways(NETWORKS[name], lambda: optimizers.SGD(0.1)))


LOSSES = {
    "focal": lambda: Focal(1.5),
    "smoothed": lambda: WeightedCrossentropy(label_smoothing=0.1),
    "weighted": lambda: WeightedCrossentropy(class_weight=(1, 5)),
    "keras": lambda: "binary_crossentropy",
    "keras focal": lambda: keras.losses.BinaryFocalCrossentropy(gamma=1.0),
    "keras function": lambda: keras.losses.binary_crossentropy,
    "user's": lambda: lambda y, p: keras.ops.mean(keras.ops.square(y - p), -1),
    "user's reduction": lambda: Focal(2.0, reduction="sum"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    assert_same(*trained_both_ways(loss=LOSSES[name]))


@pytest.mark.parametrize("loss", [lambda: Focal(1.0), lambda: "sparse_categorical_crossentropy"])
def test_more_than_two_classes(loss):
    y = (Y + (X[:, 1] > 0.5)).astype("int64")
    assert_same(
        *trained_both_ways(
            lambda: chain(layers.Dense(8, "relu"), end=layers.Dense(3, "softmax")), loss=loss, y=y
        )
    )


def test_whole_numbers_as_input():
    numbers = generator.integers(0, 9, (150, 3))
    assert_same(
        *trained_both_ways(
            lambda: chain(layers.Embedding(9, 4), layers.Flatten(), shape=(3,)), X=numbers
        )
    )


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_validation_loss(weight):
    held = (X[:37], Y[:37]) if weight is None else (X[:37], Y[:37], WEIGHT[:37])
    networks, histories = trained_both_ways(
        lambda: chain(layers.Dense(8, "relu"), layers.Dropout(0.5)),
        weight=weight,
        validation_data=held,
    )
    assert list(histories[1]) == ["loss", "val_loss"]
    assert_same(networks, histories)


def test_a_batch_larger_than_the_rows_and_one_row():
    assert_same(*trained_both_ways(batch_size=1000))
    assert_same(*trained_both_ways(batch_size=1, epochs=1, X=X[:5], y=Y[:5], weight=None))


CALLBACKS = {
    "schedule": lambda: keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)),
    "plateau": lambda: keras.callbacks.ReduceLROnPlateau("loss", 0.1, 1, min_delta=10),
    "stopping": lambda: keras.callbacks.EarlyStopping("loss", 10, 1, start_from_epoch=1),
    "stopping with the best": lambda: keras.callbacks.EarlyStopping(
        "loss", 10, 1, restore_best_weights=True
    ),
    "not a number": lambda: keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(epoch=epoch)
    ),
}


@pytest.mark.parametrize("name", CALLBACKS)
def test_callbacks(name):
    networks, histories = [], []
    for train in (by_keras, by_us):
        networks.append(compiled(small, lambda: optimizers.SGD(0.1), WeightedCrossentropy))
        histories.append(
            train(
                networks[-1], X, Y, batch_size=16, epochs=6, shuffle=False,
                callbacks=[CALLBACKS[name]()],
            )
        )  # fmt: skip
    assert_same(networks, histories)


def test_going_on_from_where_a_training_ended():
    arguments = {"batch_size": 16, "shuffle": False}
    at_once, in_parts = (compiled(small, lambda: "adam", Focal) for _ in range(2))
    by_keras(at_once, X, Y, epochs=4, **arguments)
    by_us(in_parts, X, Y, epochs=1, **arguments)
    by_us(in_parts, X, Y, epochs=3, keep_state=True, **arguments)
    for theirs, ours in zip(at_once.variables, in_parts.variables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)
    assert int(in_parts.optimizer.iterations) == 40


def test_rows_are_shuffled_anew_in_every_epoch():
    def weights(**arguments):
        network = compiled(small, lambda: optimizers.SGD(0.5), WeightedCrossentropy)
        by_us(network, X, Y, batch_size=16, epochs=2, **arguments)
        return network.get_weights()[0]

    shuffled = weights()
    np.testing.assert_array_equal(weights(), shuffled)
    assert not np.allclose(weights(shuffle=False), shuffled)


def test_every_row_is_taken_once_an_epoch():
    from wbce.training._order import RowOrder

    orders = RowOrder([np.arange(50)], 16, True, 0).of_epochs(3)
    assert (np.sort(orders, axis=1) == np.arange(50)).all()
    assert not (orders[0] == orders[1]).all()


def test_a_step_takes_rows_of_every_member_in_turn():
    from wbce.training._order import RowOrder

    members = [np.arange(5), np.arange(10, 14)]
    in_order = RowOrder(members, 2, False, 0).of_epochs(1)[0]
    assert in_order.tolist() == [0, 1, 10, 11, 2, 3, 12, 13, 4, 10]
    shuffled = RowOrder(members, 2, True, 0)
    assert shuffled.n_rows == 10
    for epoch in shuffled.of_epochs(20):
        first = np.concatenate([epoch[0:2], epoch[4:6], epoch[8:9]])
        second = np.concatenate([epoch[2:4], epoch[6:8], epoch[9:10]])
        assert sorted(first) == [0, 1, 2, 3, 4]
        assert set(second) == {10, 11, 12, 13}


# ---------------------------------------------------------------------- reuse


def test_parameters_are_numbers_to_one_trace():
    def fit(gamma, rate, n, batch_size, weight_decay):
        network = compiled(
            small, lambda: optimizers.AdamW(rate, weight_decay=weight_decay), lambda: Focal(gamma)
        )
        arguments = {"batch_size": batch_size, "epochs": 2, "shuffle": False}
        by_us(network, X[:n], Y[:n], **arguments)
        theirs = compiled(
            small, lambda: optimizers.AdamW(rate, weight_decay=weight_decay), lambda: Focal(gamma)
        )
        by_keras(theirs, X[:n], Y[:n], **arguments)
        for a, b in zip(network.variables, theirs.variables, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=3e-6)

    fit(2.0, 0.01, 100, 16, 0.1)
    n_traces = len(traces)
    fit(0.5, 0.01, 100, 16, 0.1)
    fit(2.0, 0.03, 90, 16, 0.0)
    fit(2.0, 0.01, 150, 50, 0.5)
    assert len(traces) == n_traces


def test_a_schedule_s_numbers_are_numbers_to_one_trace():
    def fit(rate, steps):
        schedule = schedules.CosineDecay(rate, steps)
        assert_same(*trained_both_ways(optimizer=lambda: optimizers.SGD(schedule)))

    fit(0.1, 20)
    n_traces = len(traces)
    fit(0.3, 7)
    assert len(traces) == n_traces


@pytest.mark.parametrize(
    "change",
    [
        {"build": lambda: chain(layers.Dense(8, "relu"))},
        {"build": lambda: chain(layers.Dense(8, "tanh", kernel_regularizer="l2"))},
        {"build": lambda: chain(layers.Dense(8, "tanh"), layers.Dropout(0.1))},
        {"optimizer": lambda: optimizers.Adam(beta_1=0.5)},
        {"optimizer": lambda: optimizers.SGD()},
        {"loss": lambda: Focal(2.0, class_weight=(1, 3))},
        {"loss": lambda: WeightedCrossentropy()},
    ],
)
def test_what_changes_the_computation_is_another_trace(change):
    assert_same(*trained_both_ways(loss=lambda: Focal(2.0)))
    n_traces = len(traces)
    assert_same(*trained_both_ways(**{"loss": lambda: Focal(2.0), **change}))
    assert len(traces) == n_traces + 1


@pytest.fixture(autouse=True)
def own_traces():
    """No test meets another's traces."""
    set_trace_cache_size(0)
    set_trace_cache_size(64)
    yield
    set_trace_cache_size(64)


def test_reuse_can_be_switched_off_and_changes_nothing():
    def weights():
        network = compiled(small, lambda: "adam", Focal)
        by_us(network, X, Y, batch_size=16, epochs=2)
        return network.get_weights()

    first, reused = weights(), weights()
    assert len(traces) == 1
    set_trace_cache_size(0)
    assert len(traces) == 0
    afresh = weights()
    assert len(traces) == 0
    for a, b, c in zip(first, reused, afresh, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


# ---------------------------------------------------------------------- Keras' own fit


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


def network(**compile_arguments):
    model = small()
    model.compile(**{"optimizer": "adam", "loss": WeightedCrossentropy(), **compile_arguments})
    return model


@pytest.mark.parametrize(
    ("reason", "model", "arguments"),
    [
        ("metrics", lambda: network(metrics=["accuracy"]), {}),
        ("how it is run", lambda: network(run_eagerly=True), {}),
        ("how it is run", lambda: network(jit_compile=True), {}),
        ("how it is run", lambda: network(steps_per_execution=2), {}),
        ("losses", lambda: network(loss=["mse"]), {}),
        ("losses", lambda: network(loss_weights=[2.0]), {}),
        ("optimizer", lambda: network(optimizer=optimizers.SGD(loss_scale_factor=2.0)), {}),
        ("arguments", network, {"class_weight": {0: 1, 1: 2}}),
        ("arguments", network, {"steps_per_epoch": 2}),
        ("arguments", network, {"shuffle": "batch"}),
        (
            "callbacks",
            network,
            {"callbacks": [keras.callbacks.LambdaCallback(on_train_batch_end=print)]},
        ),
        ("callbacks", network, {"callbacks": [keras.callbacks.TensorBoard()]}),
        (
            "callbacks",
            network,
            {"callbacks": [keras.callbacks.ModelCheckpoint("a.keras", save_freq=5)]},
        ),
    ],
)
def test_what_only_keras_fit_can_do(reason, model, arguments):
    assert reason in needs_keras_fit(model(), X, Y, {"batch_size": 16, **arguments})


def test_a_training_step_of_ones_own_is_keras_fit_s():
    model = OwnStep([keras.Input((6,)), layers.Dense(1)])
    model.compile("adam", "mse")
    assert "step" in needs_keras_fit(model, X, Y, {})


def test_several_inputs_are_keras_fit_s():
    assert "several" in needs_keras_fit(network(), [X, X], Y, {})


def test_callbacks_that_look_at_epochs_are_ours():
    callbacks = [
        keras.callbacks.ModelCheckpoint("a.keras"),
        keras.callbacks.EarlyStopping(),
        keras.callbacks.LambdaCallback(on_epoch_end=print),
    ]
    assert needs_keras_fit(network(), X, Y, {"callbacks": callbacks}) is None


def test_progress_is_shown_once_an_epoch(capsys):
    by_us(network(), X, Y, batch_size=16, epochs=2, verbose=2)
    shown = capsys.readouterr().out
    assert shown.count("Epoch") == 2
    assert shown.count("loss:") == 2
