"""The loss of some rows as one compiled function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras, tf
from wbce.tracing import (
    SparseRows,
    architecture,
    lent_numbers,
    lent_variables,
    resource_variables,
    traces,
)
from wbce.training._arguments import any_number_of, row_tensors, taken, values_of_numbers
from wbce.training._keys import loss_key, numbers_of


class CompiledLoss:
    """The mean loss of some rows under a network as it stands, as Keras' ``evaluate`` has it.

    Parameters
    ----------
    network : keras.Model
        Built and compiled.
    X, y, sample_weight : ndarray of shape (n_samples, ...)
    batch_size : int
    """

    def __init__(
        self,
        network: keras.Model,
        X: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[np.floating] | None,
        batch_size: int,
    ) -> None:
        rows = row_tensors(network, X, y, sample_weight)
        numbers = numbers_of(network.loss)
        parts = [architecture(network), loss_key(network.loss)]
        weighted = sample_weight is not None or parts[1] is not None
        specs = tuple(map(repr, any_number_of(rows)))
        key = None if None in parts else ("loss", *parts, specs)
        self._function = traces.get(key, lambda: _loss_function(network, numbers, rows, weighted))
        self._arguments = (
            resource_variables(network.variables),
            values_of_numbers(numbers),
            *rows,
            tf.constant(batch_size),
        )

    def __call__(self) -> float:
        return float(self._function(*self._arguments))


def _loss_function(
    network: keras.Model, numbers: list[tuple[Any, str]], rows: list[Any], weighted: bool
) -> Callable[..., Any]:
    owners = network.variables

    def evaluate(
        variables: list[Any],
        values: list[Any],
        X: Any,
        y: Any,
        sample_weight: Any,
        batch_size: Any,
    ) -> Any:
        n_samples = tf.shape(y)[0]

        def next_batch(start: Any, total: Any) -> Any:
            rows = slice(start, start + batch_size)
            stop = tf.minimum(start + batch_size, n_samples)
            x = taken(network, X, tf.range(start, stop)) if isinstance(X, SparseRows) else X[rows]
            output = network(x, training=False)
            loss = network._compute_loss(
                x=x,
                y=y[rows],
                y_pred=output,
                sample_weight=sample_weight[rows] if weighted else None,
                training=False,
            )
            count = tf.minimum(batch_size, n_samples - start)
            loss = tf.cast(loss, tf.float32)
            return start + batch_size, total + loss * tf.cast(count, tf.float32)

        with lent_variables(owners, variables), lent_numbers(numbers, values):
            _, total = tf.while_loop(lambda start, _: start < n_samples, next_batch, (0, 0.0))
        return total / tf.cast(n_samples, tf.float32)

    return tf.function(evaluate, autograph=False).get_concrete_function(
        resource_variables(owners),
        [tf.TensorSpec(value.shape, value.dtype) for value in values_of_numbers(numbers)],
        *any_number_of(rows),
        tf.TensorSpec((), tf.int32),
    )
