"""From a fitted network to logits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import logit

from wbce._backend import keras, tf
from wbce._cores import n_threads
from wbce._sparse import dense_blocks
from wbce.inference._chain import Chain
from wbce.inference._plain import (
    ROWS_IN_A_BLOCK,
    PlainNetwork,
    plain_network,
    plain_network_of,
)
from wbce.losses._logits import (
    UNRECOGNISED,
    check_consistent,
    logits_of_probabilities,
    recognise,
)
from wbce.tracing import (
    architecture,
    as_dtype,
    check_threads,
    input_dtypes,
    lent_variables,
    resource_variables,
    traces,
)

_ROWS_AT_ONCE = 2**14


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
    multi_label : bool, default=False
        Whether ``n_classes`` is the number of labels that do not exclude each other.

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
        self,
        network: keras.Model,
        sample: Any,
        n_classes: int,
        from_logits: bool | None = None,
        multi_label: bool = False,
    ) -> None:
        self._multi_label, self._program = multi_label, None
        # A network's own way to predict counts; otherwise saturated probabilities have lost their
        # logits, which are then read again.
        self._own_way = type(network).predict_step is not keras.Model.predict_step
        if not network.built:
            network(tf.nest.map_structure(tf.convert_to_tensor, sample), training=False)
        arrays = tf.nest.flatten(sample)
        self._dtypes = input_dtypes(network, arrays)
        self._evaluate: Callable[..., NDArray[np.float32]]
        plain = None if self._own_way else plain_network(network)
        if plain is not None:
            check_consistent(plain.ends_in, from_logits)
            self._take_output((None, plain.n_outputs), plain.ends_in, n_classes)
            self._evaluate = plain
            return
        program = traces.get(
            _key(network, arrays, self._dtypes, from_logits, multi_label),
            lambda: _Program(network, sample, self._dtypes, from_logits, multi_label),
        )
        self._take_output(program.shape, program.activation, n_classes)
        self.output_is_logits = program.activation == "linear" or bool(from_logits)
        variables = resource_variables(network.variables)
        self._program = program
        self._evaluate = lambda *rows: program(variables, rows)

    @classmethod
    def of_chain(
        cls,
        chain: Chain,
        values: list[NDArray[Any]],
        n_classes: int,
        from_logits: bool | None = None,
        multi_label: bool = False,
    ) -> LogitFunction:
        """The logits of a network that is not built, from its description and its variables."""
        function = object.__new__(cls)
        function._multi_label, function._own_way = multi_label, False
        function._program = None
        function._dtypes = [tf.float32]
        function._evaluate = plain_network_of(chain, values)
        check_consistent(chain.ends_in, from_logits)
        function._take_output((None, chain.n_outputs), chain.ends_in, n_classes)
        return function

    def _take_output(self, shape: Any, activation: str | None, n_classes: int) -> None:
        self.n_outputs = _checked_columns(shape, activation, n_classes, self._multi_label)
        self.output_is_logits = activation == "linear"

    def __call__(
        self, X: Any, saw: Callable[[int], None] = lambda n_rows: None
    ) -> NDArray[np.float64]:
        """Logits of rows.

        Parameters
        ----------
        X : array of shape (n_samples, ...), csr_array or nested arrays
        saw : callable, optional
            Called with a number of rows whenever so many more are done.

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes), or
        (n_samples, n_labels)
        """
        if issparse(X) and not self._takes_sparse():
            return np.concatenate([self(rows, saw) for rows in dense_blocks(X)])
        arrays = [X] if isinstance(X, np.ndarray) or issparse(X) else tf.nest.flatten(X)
        n_samples = arrays[0].shape[0]
        if n_samples <= _ROWS_AT_ONCE:
            logits = self._piece(arrays).astype(np.float64)
            saw(n_samples)
            return self._columns(logits)
        starts = range(0, n_samples, _ROWS_AT_ONCE)

        def piece(start: int) -> NDArray[np.float32]:
            return self._piece([a[start : start + _ROWS_AT_ONCE] for a in arrays])

        if isinstance(self._evaluate, PlainNetwork):  # TensorFlow uses all cores by itself
            with ThreadPoolExecutor(min(n_threads(), len(starts))) as pool:
                pieces = _counted(pool.map(piece, starts), saw)
        else:
            pieces = _counted(map(piece, starts), saw)
        return self._columns(np.concatenate(pieces, dtype=np.float64))

    def _takes_sparse(self) -> bool:
        return isinstance(self._evaluate, PlainNetwork) and self._evaluate.takes_sparse

    @property
    def largest_tensor(self) -> int:
        """How many numbers a row has in the largest tensor of a traced network."""
        return 0 if self._program is None else self._program.largest_tensor()

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
            each = self.n_outputs == 1 or self._multi_label
            values = logit(p) if each else np.log(p)
        return self._columns(values)

    def _columns(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """One column for two classes."""
        if self._multi_label:
            return logits
        if logits.shape[1] == 1:
            return logits[:, 0]
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def _piece(self, arrays: list[Any]) -> NDArray[np.float32]:
        """Logits of some rows, which must not depend, to the last bit, on how many there are."""
        n_rows = arrays[0].shape[0]
        filled = []
        for array, dtype in zip(arrays, self._dtypes, strict=True):
            rows = as_dtype(array if issparse(array) else np.asarray(array), dtype)
            if n_rows % ROWS_IN_A_BLOCK and issparse(rows):
                rows = rows[np.append(np.arange(n_rows), np.zeros(-n_rows % ROWS_IN_A_BLOCK, int))]
            elif n_rows % ROWS_IN_A_BLOCK:
                n_filled = n_rows + -n_rows % ROWS_IN_A_BLOCK
                padded = np.empty((n_filled, *rows.shape[1:]), rows.dtype)
                padded[:n_rows], padded[n_rows:] = rows, rows[:1]
                rows = padded
            filled.append(rows)
        return self._evaluate(*filled)[:n_rows]


def _counted(
    pieces: Iterable[NDArray[np.float32]], saw: Callable[[int], None]
) -> list[NDArray[np.float32]]:
    found = []
    for piece in pieces:
        found.append(piece)
        saw(len(piece))
    return found


class _Program:
    """A network's traced logits.

    Attributes
    ----------
    shape : sequence of int or None
        Of the network's output.
    activation : {"linear", "sigmoid", "softmax", None}
        What the output ends in; None if that is not recognised.
    """

    def __init__(
        self,
        network: keras.Model,
        sample: Any,
        dtypes: list[tf.DType],
        from_logits: bool | None,
        multi_label: bool,
    ) -> None:
        self.shape: Any = None
        self.activation: str | None = None
        self._dtypes = dtypes
        variables = network.variables

        def forward(values: list[Any], inputs: Any) -> Any:
            with lent_variables(variables, values):
                output = network(inputs, training=False)
            if isinstance(output, list | tuple) and len(output) == 1:
                output = output[0]
            if isinstance(output, list | tuple | dict):
                raise ValueError(
                    f"The network has {len(output)} outputs, and one is expected, of logits or "
                    "probabilities."
                )
            self.activation, logits = recognise(output)
            check_consistent(self.activation, from_logits)
            if from_logits is None and logits is None:
                raise ValueError(UNRECOGNISED)
            self.shape = tuple(output.shape)
            columns = 1 if len(self.shape) == 1 else self.shape[-1]
            if self.activation == "linear" or from_logits:
                logits = output
            elif logits is None:
                logits = logits_of_probabilities(
                    tf.reshape(output, (-1, columns)), each_column=multi_label
                )
            return tf.reshape(tf.cast(logits, tf.float32), (-1, columns))

        specs = [
            tf.TensorSpec((None, *array.shape[1:]), dtype)
            for array, dtype in zip(tf.nest.flatten(sample), dtypes, strict=True)
        ]
        self._function = tf.function(forward, autograph=False).get_concrete_function(
            resource_variables(variables), tf.nest.pack_sequence_as(sample, specs)
        )
        self._sample = tf.nest.map_structure(lambda _: None, sample)

    def largest_tensor(self) -> int:
        """Numbers a row in the largest of the graph's tensors, as far as shapes are known."""
        outputs = [
            o for operation in self._function.graph.get_operations() for o in operation.outputs
        ]
        shapes = [output.shape.as_list() for output in outputs if output.shape.rank is not None]
        return max(math.prod(length or 1 for length in shape) for shape in shapes)

    def __call__(self, variables: list[Any], rows: tuple[Any, ...]) -> NDArray[np.float32]:
        check_threads()
        tensors = [
            tf.convert_to_tensor(array, dtype=dtype)
            for array, dtype in zip(rows, self._dtypes, strict=True)
        ]
        inputs = tf.nest.pack_sequence_as(self._sample, tensors)
        return self._function(variables, inputs).numpy()


def _key(
    network: keras.Model,
    arrays: list[Any],
    dtypes: list[tf.DType],
    from_logits: bool | None,
    multi_label: bool,
) -> Any:
    described = architecture(network)
    shapes = tuple((tuple(a.shape[1:]), t.name) for a, t in zip(arrays, dtypes, strict=True))
    return None if described is None else ("logits", described, shapes, from_logits, multi_label)


def output_logits(
    network: keras.Model,
    sample: Any,
    n_classes: int,
    *,
    multi_label: bool,
    from_logits: bool | None,
    strict: bool,
) -> LogitFunction | None:
    """Trace a network's logits.

    Without ``strict``, for networks with a loss of their own, an output that is not recognised
    is taken for the probabilities that such losses expect, and None is returned for one that
    is not one logit or probability for two classes or one a class.
    """
    if strict:
        return LogitFunction(network, sample, n_classes, from_logits, multi_label)
    for assumed in (from_logits, False):
        try:
            return LogitFunction(network, sample, n_classes, assumed, multi_label)
        except ValueError:
            continue
    return None


def blank_rows(X: Any) -> Any:
    """Rows of the same shapes and types, without the data."""
    return tf.nest.map_structure(lambda array: np.zeros((1, *array.shape[1:]), array.dtype), X)


def _checked_columns(shape: Any, activation: str | None, n_classes: int, multi_label: bool) -> int:
    columns = 1 if len(shape) == 1 else shape[-1]
    if multi_label:
        fits = len(shape) == 2 and columns == n_classes and activation != "softmax"
        expected = f"(n, {n_classes}), logits or sigmoid"
    else:
        fits = len(shape) <= 2 and (columns == n_classes or (n_classes == 2 and columns == 1))
        fits = fits and activation != ("softmax" if columns == 1 else "sigmoid")
        expected = (
            "(n, 1), a logit or sigmoid, or (n, 2), logits or softmax"
            if n_classes == 2
            else f"(n, {n_classes}), logits or softmax"
        )
    if not fits:
        ends = "" if activation is None else f" and ends in {activation}"
        raise ValueError(
            f"The network's output has shape {tuple(shape)}{ends}. For {n_classes} "
            f"{'labels' if multi_label else 'classes'} it must be {expected}."
        )
    return int(columns)
