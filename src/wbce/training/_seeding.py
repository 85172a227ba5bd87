"""Reproducible training that leaves the process's random generators as it found them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context as eager_context

_LOCK = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start Python's, NumPy's and TensorFlow's global generators from ``seed``; put them back after.

    Keras draws the seeds of initialisers and dropout from Python's generator, and its shuffling
    from TensorFlow's. They are global to the process: one fit at a time draws from them.
    """
    with _LOCK:
        python_state, numpy_state = random.getstate(), np.random.get_state()
        # TensorFlow has no public way to read its generator.
        context = eager_context.context()
        tensorflow_state = {k: vars(context)[k] for k in ("_seed", "_rng") if k in vars(context)}
        random.seed(seed)
        np.random.seed(seed)
        tf.random.set_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            vars(context).update(tensorflow_state)
