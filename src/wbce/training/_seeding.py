"""Reproducible training that leaves the process's random generators as it found them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from wbce._backend import eager_context, global_state, tf

_LOCK = threading.RLock()
# Seeds from which TensorFlow's own generator was drawn: its kernels hold on to where they were.
_drawn_from: set[int] = set()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start the global generators of Python, NumPy and TensorFlow from ``seed``, then restore them.

    Keras draws the seeds of initialisers and dropout from Python's generator, and its shuffling
    from TensorFlow's. They are global to the process: one fit at a time draws from them.
    ``tf.random.set_seed`` also gives up every compiled function's kernels, which are made
    anew at the next call, so it is called only where a kernel would go on from an earlier draw.
    """
    with _LOCK:
        python_state, numpy_state = random.getstate(), np.random.get_state()
        context = eager_context()
        tensorflow_state = {k: vars(context)[k] for k in ("_seed", "_rng") if k in vars(context)}
        keras_generator = global_state.get_global_attribute("global_seed_generator")
        global_state.set_global_attribute("global_seed_generator", None)
        random.seed(seed)
        np.random.seed(seed)
        if seed in _drawn_from:
            tf.random.set_seed(seed)
        else:
            vars(context).update(_seed=seed, _rng=random.Random(seed))
        fresh = random.Random(seed).getstate()
        try:
            yield
        finally:
            if context._rng.getstate() != fresh:
                _drawn_from.add(seed)
            global_state.set_global_attribute("global_seed_generator", keras_generator)
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            vars(context).update(tensorflow_state)
