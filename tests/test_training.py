import random
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from wbce.training import ValidationScore, batch_size_for, seeded


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, 1),
        (20, 20),
        (100, 32),
        (2_000, 32),
        (4_096, 64),
        (10_000, 128),
        (50_000, 1024),
        (10**7, 1024),
    ],
)
def test_automatic_batch_size(n, expected):
    assert batch_size_for(n, "auto") == expected


def test_batch_sizes_that_are_given():
    assert batch_size_for(100, 7) == 7
    assert batch_size_for(100, -1) == 100
    assert batch_size_for(100, None) == 32
    for bad in (0, -2, 1.5, "all", True):
        with pytest.raises(ValueError, match="batch_size"):
            batch_size_for(100, bad)


def test_seeded_draws_are_the_same_and_leave_no_trace():
    def draw():
        return random.random(), np.random.rand(), float(tf.random.normal(()))

    for prepare in (lambda: None, lambda: tf.random.set_seed(3)):
        prepare()
        random.seed(1)
        np.random.seed(1)
        with seeded(5):
            first = draw()
        after = random.random(), np.random.rand()
        draw()
        random.seed(1)
        np.random.seed(1)
        assert after == (random.random(), np.random.rand())
        with seeded(5):
            assert draw() == first
        with seeded(6):
            assert draw() != first


def test_an_error_inside_restores_the_generators():
    random.seed(1)
    expected = random.random()
    random.seed(1)
    with pytest.raises(RuntimeError), seeded(4):
        raise RuntimeError
    assert random.random() == expected


def test_what_other_threads_draw_does_not_matter():
    def draw(meanwhile):
        with seeded(5):
            first = keras.random.normal((3,)).numpy()
            thread = threading.Thread(target=meanwhile)
            thread.start()
            thread.join()
            return np.r_[first, keras.initializers.GlorotUniform()((3, 3)).numpy().ravel()]

    assert np.array_equal(draw(random.random), draw(lambda: None))
    assert np.array_equal(draw(keras.random.SeedGenerator), draw(lambda: None))


def test_a_network_may_be_built_under_a_seed_of_its_own():
    def draw(seed):
        with seeded(seed):
            keras.utils.set_random_seed(7)
            return random.random(), keras.initializers.GlorotUniform()((3,)).numpy().tolist()

    assert draw(5) == draw(6)


class Network:
    """What a callback needs of one."""

    def __init__(self):
        self.weights = [0]
        self.stop_training = False
        self.optimizer = None

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = list(weights)


def train(scores, patience):
    network, scores = Network(), iter(scores)
    callback = ValidationScore(lambda: {"val_log_loss": next(scores)}, patience)
    callback.set_model(network)
    for epoch in range(100):
        network.weights = [epoch + 1]
        logs = {}
        callback.on_epoch_end(epoch, logs)
        if network.stop_training:
            break
    callback.restore_best_weights()
    return callback, network, epoch + 1, logs


def test_the_best_weights_are_kept_and_training_stops_in_time():
    callback, network, n_epochs, logs = train([3, 2, 1, 2, 1, 1, 9], patience=3)
    assert (callback.best_epoch, callback.best_score) == (3, 1)
    assert n_epochs == 6
    assert network.weights == [3]
    assert logs["val_log_loss"] == 1
