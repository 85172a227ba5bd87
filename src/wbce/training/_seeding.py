"""Reproducible training that leaves the process's random generators as it found them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from wbce._backend import eager_context, global_state, rng_utils, seed_generator, tf

_LOCK = threading.RLock()
# Seeds from which TensorFlow's own generator was drawn: its kernels hold on to where they were.
_drawn_from: set[int] = set()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Start the global generators of Python, NumPy and TensorFlow from ``seed``, then restore them.

    Keras draws the seeds of initialisers and dropout from Python's generator, and its shuffling
    from TensorFlow's. They are global to the process: one fit at a time draws from them. Threads
    that know nothing of fits, such as those of a Dask worker, draw from Python's at any time, so
    Keras is lent one of its own.
    ``tf.random.set_seed`` also gives up every compiled function's kernels, which are made
    anew at the next call, so it is called only where a kernel would go on from an earlier draw.
    """
    with _LOCK:
        python_state, numpy_state = random.getstate(), np.random.get_state()
        context = eager_context()
        tensorflow_state = {k: vars(context)[k] for k in ("_seed", "_rng") if k in vars(context)}
        keras_generator = global_state.get_global_attribute("global_seed_generator")
        global_state.set_global_attribute("global_seed_generator", None)
        lent = seed_generator.python_random, rng_utils.random
        seed_generator.python_random = rng_utils.random = _OneThreads(seed)
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
            seed_generator.python_random, rng_utils.random = lent
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            vars(context).update(tensorflow_state)


class _OneThreads:
    """Python's ``random``, in which the thread that made this object has a generator to itself."""

    def __init__(self, seed: int) -> None:
        self._generator, self._thread = random.Random(seed), threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator if self._is_mine() else random, name)

    def seed(self, seed: int) -> None:
        """As ``keras.utils.set_random_seed`` does, perhaps where a user's network is built."""
        if self._is_mine():
            self._generator.seed(seed)
        random.seed(seed)

    def _is_mine(self) -> bool:
        return threading.get_ident() == self._thread
