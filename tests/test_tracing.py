import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import wbce
from wbce.tracing import (
    TraceCache,
    architecture,
    as_tensor,
    lent_numbers,
    lent_variables,
    repeated_names,
    values_of,
)

layers = keras.layers


def network(units=4, activation="relu", **options):
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(units, activation, **options), layers.Dense(1)]
    )


class Own(layers.Layer):
    def call(self, inputs):
        return inputs


class OwnDense(layers.Dense):
    pass


class OwnRegularizer(keras.regularizers.Regularizer):
    def __call__(self, weights):
        return 0.0


class OwnConstraint(keras.constraints.Constraint):
    def __call__(self, weights):
        return weights


def adapted():
    scaling = layers.Normalization()
    scaling.adapt(np.arange(12.0).reshape(4, 3))
    return keras.Sequential([keras.Input((3,)), scaling, layers.Dense(1)])


# ---------------------------------------------------------------------- architectures


def test_networks_of_one_function_are_one_architecture():
    assert architecture(network()) == architecture(network())
    assert architecture(network()) == architecture(
        network(kernel_initializer="zeros", name="a_name")
    )


@pytest.mark.parametrize(
    "other",
    [
        lambda: network(5),
        lambda: network(4, "tanh"),
        lambda: network(4, kernel_regularizer="l2"),
        lambda: network(4, kernel_regularizer=keras.regularizers.L2(0.5)),
        lambda: network(4, use_bias=False),
        lambda: network(4, dtype="mixed_bfloat16"),
        lambda: keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dense(1)]),
    ],
)
def test_networks_of_another_function_are_not(other):
    assert architecture(other()) is not None
    assert architecture(other()) != architecture(network())


def test_frozen_layers_make_another_architecture():
    frozen = network()
    frozen.layers[0].trainable = False
    assert architecture(frozen) != architecture(network())


def functional(swapped):
    inputs = keras.Input((3,))
    a, b = layers.Dense(3, "relu")(inputs), layers.Dense(3, "tanh")(inputs)
    x = keras.ops.subtract(b, a) if swapped else keras.ops.subtract(a, b)
    return keras.Model(inputs, layers.Dense(1)(x))


def test_the_way_through_a_graph_counts():
    assert architecture(functional(False)) == architecture(functional(False))
    assert architecture(functional(False)) != architecture(functional(True))


@pytest.mark.parametrize(
    "unknown",
    [
        lambda: keras.Sequential([keras.Input((3,)), Own(), layers.Dense(1)]),
        lambda: keras.Sequential([keras.Input((3,)), OwnDense(1)]),
        lambda: keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x), layers.Dense(1)]),
        lambda: network(4, lambda x: x),
        lambda: network(4, kernel_regularizer=OwnRegularizer()),
        lambda: network(4, kernel_constraint=OwnConstraint()),
        lambda: keras.Sequential([network(4, lambda x: x), layers.Dense(1)]),
        adapted,
    ],
)
def test_code_of_the_users_is_never_shared(unknown):
    assert architecture(unknown()) is None


# ---------------------------------------------------------------------- the cache


def test_the_least_recently_used_trace_goes_first():
    cache, made = TraceCache(2), []

    def get(key):
        return cache.get(key, lambda: made.append(key) or key)

    for key in "abacab":
        assert get(key) == key
    assert made == list("abcb")
    assert len(cache) == 2


def test_without_a_key_or_room_nothing_is_kept():
    cache, made = TraceCache(1), []
    for _ in range(2):
        cache.get(None, lambda: made.append("none"))
    assert len(made) == 2
    assert len(cache) == 0
    cache.get("a", list)
    cache.resize(0)
    cache.get("a", lambda: made.append("again"))
    assert made[-1] == "again"
    assert len(cache) == 0


def test_an_error_while_tracing_leaves_no_trace():
    cache = TraceCache(2)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 / 0)
    assert cache.get("a", lambda: 3) == 3


def test_threads_wait_for_one_trace():
    cache, made, start = TraceCache(4), [], threading.Barrier(8)

    def make():
        made.append(1)
        return object()

    found = []

    def ask():
        start.wait()
        found.append(cache.get("a", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(set(map(id, found))) == 1


@pytest.mark.parametrize("bad", [-1, 1.5, True, "all", None])
def test_the_size_is_a_whole_number(bad):
    with pytest.raises(ValueError, match="whole number"):
        wbce.set_trace_cache_size(bad)


# ---------------------------------------------------------------------- lending


def test_what_is_lent_comes_back_after_an_error():
    model, other = network(), network()
    mine = model.variables[0].numpy()

    def fail_inside(lent, do):
        with lent:
            do()
            raise ZeroDivisionError

    others = lent_variables(model.variables, [v._value for v in other.variables])
    with pytest.raises(ZeroDivisionError):
        fail_inside(others, lambda: model.variables[0].assign(np.ones_like(mine)))
    np.testing.assert_array_equal(model.variables[0].numpy(), mine)
    assert (other.variables[0].numpy() == 1).all()

    loss = wbce.losses.Focal(2.0)
    seen = []
    with pytest.raises(ZeroDivisionError):
        fail_inside(lent_numbers([(loss, "gamma")], [7.0]), lambda: seen.append(loss.gamma))
    assert seen == [7.0]
    assert loss.gamma == 2.0


def test_values_follow_their_variables():
    model = network()
    handles = [variable._value.handle for variable in model.variables]
    for value, variable in zip(values_of(handles), model.variables, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())
    model.layers[1].set_weights([np.full((4, 1), 3.0), np.ones(1)])
    assert (values_of(handles)[2] == 3).all()


# ---------------------------------------------------------------------- names


def test_networks_repeat_their_names_and_nothing_else_does():
    def build():
        with repeated_names():
            return network()

    first, second = build(), build()
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    # A layer made outside goes on top of either.
    keras.Model(first.inputs, layers.Dense(1)(first.outputs[0]))
    keras.Model(second.inputs, layers.Dense(1)(second.outputs[0]))


# ---------------------------------------------------------------------- rows as tensors


def memory(offset, n=60):
    held = np.empty(n * 4 + 256, np.uint8)
    start = -held.ctypes.data % 64 + offset
    rows = held[start : start + n * 4].view("float32").reshape(-1, 3)
    rows[:] = np.arange(n).reshape(-1, 3)
    return rows


@pytest.mark.parametrize("offset", [0, 4, 16, 32])
def test_rows_wherever_they_lie_in_memory(offset):
    rows = memory(offset)
    tensor = as_tensor(rows, tf.float32)
    np.testing.assert_array_equal(tf.gather(tensor, [3, 1]).numpy(), rows[[3, 1]])
    assert (tensor._numpy().ctypes.data == rows.ctypes.data) == (offset == 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.astype("float64"),
        np.asfortranarray,
        lambda rows: rows[::2],
        lambda rows: rows[::-1],
        lambda rows: rows.astype("int64"),
        lambda rows: rows > 5,
        lambda rows: rows[:0],
        lambda rows: np.broadcast_to(rows[:1], (5, 3)),
    ],
)
def test_rows_of_any_layout(change):
    rows = change(memory(0))
    expected = rows.astype("float32")
    np.testing.assert_array_equal(as_tensor(rows, tf.float32).numpy(), expected)
    frozen = rows.copy()
    frozen.setflags(write=False)
    np.testing.assert_array_equal(as_tensor(frozen, tf.float32).numpy(), expected)


def test_a_tensor_keeps_its_rows_alive():
    tensor = as_tensor(memory(16), tf.float32)
    filler = [np.full(60, 7.0, "float32") for _ in range(100)]
    np.testing.assert_array_equal(tensor.numpy().ravel(), np.arange(60))
    assert len(filler) == 100


def test_fractions_do_not_become_whole_numbers():
    with pytest.raises(ValueError, match="fractions"):
        as_tensor(np.array([[0.5]]), tf.int32)
