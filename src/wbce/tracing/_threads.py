"""Compiled functions that keep to one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wbce._backend import tf


def on_one_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have a function's kernels run on one thread, whatever the process's settings are.

    The number of threads inside a kernel is set once for the process, and is the user's. Only
    ``tf.data`` can lower it for what it runs itself: the function becomes the one element of a
    dataset.
    """
    inner = tf.function(function, autograph=False)

    def run(*arguments: Any) -> Any:
        @tf.autograph.experimental.do_not_convert
        def element(_: Any) -> Any:
            with tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR"):
                return inner(*arguments)

        dataset = tf.data.Dataset.range(1).map(element)
        signature = {
            "output_types": [dataset.element_spec.dtype],
            "output_shapes": [dataset.element_spec.shape],
        }
        limited = tf.raw_ops.MaxIntraOpParallelismDataset(
            input_dataset=tf.data.experimental.to_variant(dataset),
            max_intra_op_parallelism=1,
            **signature,
        )
        return tf.raw_ops.DatasetToSingleElement(dataset=limited, **signature)[0]

    return run


def only_processors() -> bool:
    """Whether TensorFlow has no device but processors."""
    return all(device.device_type == "CPU" for device in tf.config.list_logical_devices())
