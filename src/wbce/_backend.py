"""Keras, TensorFlow and SciKeras, started without their messages, for every other module."""

from __future__ import annotations

from wbce._quiet import quiet_start

with quiet_start():
    import keras
    import tensorflow as tf
    from keras.src.backend.common import global_state  # private: where its own generator lives
    from keras.src.random import seed_generator  # private: what it draws seeds from
    from keras.src.utils import rng_utils  # private: where a user seeds that
    from scikeras.utils.transformers import ClassifierLabelEncoder
    from scikeras.wrappers import BaseWrapper, KerasClassifier
    from tensorflow.python.eager import execute  # private: an operation on many variables
    from tensorflow.python.eager.context import context as eager_context  # and its generator
    from tensorflow.python.framework import op_def_registry  # private: which operations have state

    tf.config.list_physical_devices()  # the first look for a GPU has messages of its own

__all__ = [
    "BaseWrapper",
    "ClassifierLabelEncoder",
    "KerasClassifier",
    "eager_context",
    "execute",
    "global_state",
    "keras",
    "op_def_registry",
    "rng_utils",
    "seed_generator",
    "tf",
]
