"""From a fitted network to logits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from wbce._backend import keras, tf
from wbce.losses._logits import (
    UNRECOGNISED,
    check_consistent,
    logits_of_probabilities,
    recognise,
)

_ROWS_AT_ONCE = 16384
# The last bit of a row's logits must not depend on the rows beside it. A single row takes another
# matrix kernel, and the end of an array that does not fill a vector register is computed apart:
# batches are filled up to a multiple of this many rows, the most that a register holds.
_ROW_MULTIPLE = 16


class LogitFunction:
    """The logits of a network, traced once for any number of rows.

    Parameters
    ----------
    network : keras.Model
        With one output; logits, or the probabilities of a sigmoid or softmax.
    sample : array or nested arrays
        Some rows, for the inputs' shapes and dtypes.
    n_classes : int
    from_logits : bool, optional
        What the output is, where it cannot be recognised.

    Attributes
    ----------
    output_is_logits : bool
        Whether the network's own output is logits, or probabilities.
    n_outputs : int
        Columns of the network's output.

    Raises
    ------
    ValueError
        If the output is not recognised, if ``from_logits`` contradicts what is, or if its shape
        does not fit the number of classes.
    """

    def __init__(
        self, network: keras.Model, sample: Any, n_classes: int, from_logits: bool | None = None
    ) -> None:
        self.output_is_logits = bool(from_logits)
        self.n_outputs = 0
        # A network's own way to predict counts; otherwise saturated probabilities have lost their
        # logits, which are then read again.
        self._own_way = type(network).predict_step is not keras.Model.predict_step

        def forward(inputs: Any) -> Any:
            output = network(inputs, training=False)
            if isinstance(output, list | tuple) and len(output) == 1:
                output = output[0]
            if isinstance(output, list | tuple | dict):
                raise ValueError(
                    f"The network has {len(output)} outputs, and one is expected, of logits or "
                    "probabilities."
                )
            activation, logits = recognise(output)
            check_consistent(activation, from_logits)
            if from_logits is None and logits is None:
                raise ValueError(UNRECOGNISED)
            self.n_outputs = _checked_columns(output.shape, activation, n_classes)
            self.output_is_logits = activation == "linear" or bool(from_logits)
            if self.output_is_logits:
                logits = output
            elif logits is None:
                logits = logits_of_probabilities(tf.reshape(output, (-1, self.n_outputs)))
            return tf.reshape(tf.cast(logits, tf.float32), (-1, self.n_outputs))

        arrays = tf.nest.flatten(sample)
        self._dtypes = _input_dtypes(network, arrays)
        specs = [
            tf.TensorSpec((None, *array.shape[1:]), dtype)
            for array, dtype in zip(arrays, self._dtypes, strict=True)
        ]
        signature = tf.nest.pack_sequence_as(sample, specs)
        self._function = tf.function(
            forward, input_signature=[signature], autograph=False
        ).get_concrete_function()

    def __call__(self, X: Any) -> NDArray[np.float64]:
        """Logits of rows.

        Parameters
        ----------
        X : array of shape (n_samples, ...) or nested arrays

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
        """
        arrays = tf.nest.flatten(X)
        n_samples = arrays[0].shape[0]
        pieces = [
            self._piece([a[start : start + _ROWS_AT_ONCE] for a in arrays])
            for start in range(0, n_samples, _ROWS_AT_ONCE)
        ]
        return _one_column_for_two(np.concatenate(pieces, dtype=np.float64))

    @property
    def reads_outputs_exactly(self) -> bool:
        """Whether ``from_outputs`` loses nothing, or must be believed."""
        return self.output_is_logits or self._own_way

    def from_outputs(self, outputs: Any) -> NDArray[np.float64]:
        """Logits of rows from what Keras' ``predict`` returned for them."""
        outputs = outputs[0] if isinstance(outputs, list | tuple) else outputs
        values = np.asarray(outputs, dtype=np.float64).reshape(-1, self.n_outputs)
        if not self.output_is_logits:
            p = np.clip(values, np.finfo(np.float32).tiny, 1 - np.finfo(np.float32).epsneg)
            values = logit(p) if self.n_outputs == 1 else np.log(p)
        return _one_column_for_two(values)

    def _piece(self, arrays: list[Any]) -> NDArray[np.float32]:
        n_rows = arrays[0].shape[0]
        tensors = []
        for array, dtype in zip(arrays, self._dtypes, strict=True):
            rows = _as_dtype(np.asarray(array), dtype)
            if n_rows % _ROW_MULTIPLE:
                filling = np.repeat(rows[:1], -n_rows % _ROW_MULTIPLE, axis=0)
                rows = np.concatenate([rows, filling])
            tensors.append(tf.convert_to_tensor(rows, dtype=dtype))
        return self._function(*tensors).numpy()[:n_rows]


def output_logits(
    network: keras.Model, sample: Any, n_classes: int, *, from_logits: bool | None, strict: bool
) -> LogitFunction | None:
    """Trace a network's logits.

    Without ``strict``, for networks with a loss of their own, an output that is not recognised
    is taken for the probabilities that such losses expect, and None is returned for one that
    is not one logit or probability for two classes or one a class.
    """
    if strict:
        return LogitFunction(network, sample, n_classes, from_logits)
    for assumed in (from_logits, False):
        try:
            return LogitFunction(network, sample, n_classes, assumed)
        except ValueError:
            continue
    return None


def blank_rows(X: Any) -> Any:
    """Rows of the same shapes and types, without the data."""
    return tf.nest.map_structure(lambda array: np.zeros((1, *array.shape[1:]), array.dtype), X)


def _checked_columns(shape: Any, activation: str | None, n_classes: int) -> int:
    columns = 1 if len(shape) == 1 else shape[-1]
    fits = len(shape) <= 2 and (columns == n_classes or (n_classes == 2 and columns == 1))
    expected = (
        "(n, 1), a logit or sigmoid, or (n, 2), logits or softmax"
        if n_classes == 2
        else f"(n, {n_classes}), logits or softmax"
    )
    ends = "" if activation is None else f" and ends in {activation}"
    wrong_activation = (activation == "softmax" and columns == 1) or (
        activation == "sigmoid" and columns > 1
    )
    if not fits or wrong_activation:
        raise ValueError(
            f"The network's output has shape {tuple(shape)}{ends}. For {n_classes} classes it must "
            f"be {expected}."
        )
    return int(columns)


def _one_column_for_two(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    if logits.shape[1] == 1:
        return logits[:, 0]
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits


def _input_dtypes(network: keras.Model, arrays: list[Any]) -> list[tf.DType]:
    """What the network takes, as its inputs say; else Keras' float type for floats."""
    inputs = getattr(network, "inputs", None) or []
    if len(inputs) == len(arrays):
        return [tf.as_dtype(tensor.dtype) for tensor in inputs]
    floatx = tf.as_dtype(keras.backend.floatx())
    return [
        floatx if np.dtype(a.dtype).kind == "f" else tf.as_dtype(np.dtype(a.dtype)) for a in arrays
    ]


def _as_dtype(rows: NDArray[Any], dtype: tf.DType) -> NDArray[Any]:
    """Convert rows to what the network was traced for, if they are still the same numbers."""
    converted = rows.astype(dtype.as_numpy_dtype, copy=False)
    if dtype.is_integer and rows.dtype.kind == "f" and not np.array_equal(converted, rows):
        raise ValueError(
            f"X has fractions, but the network was fitted on whole numbers ({dtype.name}). Fit it "
            "on floating-point numbers."
        )
    return converted
