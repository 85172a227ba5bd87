"""What the members of a network say of rows that they were not trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, log_softmax

from wbce._backend import keras, tf
from wbce.losses._logits import recognise
from wbce.networks import (
    InputColumns,
    Mixture,
    after_columns,
    columns_made_once,
    divided_rows,
    members_of,
)
from wbce.tracing import (
    architecture,
    as_tensor,
    input_dtypes,
    lent_variables,
    resource_variables,
    traces,
)

_ROWS_AT_ONCE = 2**14


class HeldOutLogits:
    """The logits of rows by those members of a network that hold them out.

    Parameters
    ----------
    network : keras.Model
        A built-in one with several members.
    X : ndarray of shape (n_samples, ...)
    held_out : list of ndarray of int
        Row numbers for every member; each row is held out by one at least.

    Attributes
    ----------
    rows : ndarray of int, shape (n_held_out,)
        Row numbers, member after member.
    """

    def __init__(
        self, network: keras.Model, X: NDArray[Any], held_out: list[NDArray[np.intp]]
    ) -> None:
        self.rows = np.concatenate(held_out)
        self._n_of = [len(some) for some in held_out]
        self._n_samples = len(X)
        self._evenly = np.stack([np.resize(some, max(self._n_of)) for some in held_out])
        (dtype,) = input_dtypes(network, [X])
        X, first = columns_made_once(network, X)
        self._X = as_tensor(X, dtype)
        self._mixture = next(x for x in network.layers if isinstance(x, Mixture))
        self._variables = resource_variables(network.variables)
        shape = (None, *X.shape[1:])
        described = architecture(network)
        self._function = traces.get(
            None
            if described is None
            else ("member logits", described, shape, dtype.name, first is None),
            lambda: _traced(network, first, shape, dtype),
        )

    def __call__(self) -> NDArray[np.float64]:
        """Logits by the mean probability of the members that hold a row out.

        Returns
        -------
        ndarray of shape (n_samples,) for one output, else (n_samples, n_outputs)
        """
        return self.mixed(self.of_members())

    def of_members(self) -> NDArray[np.float64]:
        """Logits of ``rows`` by their members, under the network as it stands.

        Returns
        -------
        ndarray of shape (n_held_out,) for one output, else (n_held_out, n_outputs)
        """
        n_members, n_each = self._evenly.shape
        some = max(1, _ROWS_AT_ONCE // n_members)
        parts = []
        for start in range(0, n_each, some):
            rows = self._evenly[:, start : start + some].ravel().astype(np.int32)
            z = self._function(self._variables, self._X, tf.constant(rows)).numpy()
            parts.append(z.reshape(n_members, -1, z.shape[-1]))
        by_member = np.concatenate(parts, axis=1).astype(np.float64)
        z = np.concatenate([own[:n] for own, n in zip(by_member, self._n_of, strict=True)])
        return z[:, 0] if z.shape[1] == 1 else z

    def by_member(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """Values of ``rows``, member by member."""
        return np.split(values, np.cumsum(self._n_of)[:-1])

    def mixed(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits of all rows by mean probability, from those of ``rows``."""
        shift = np.asarray(self._mixture.shift, dtype=np.float64)
        z = z.reshape(len(z), -1) - shift
        if self._mixture.exclusive:
            result = self._log_sums(log_softmax(z, axis=-1))
        else:
            result = self._log_sums(log_expit(z)) - self._log_sums(log_expit(-z))
        result += shift
        return result[:, 0] if result.shape[1] == 1 else result

    def _log_sums(self, logs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The logarithm of the sum, over members, of what they say of a row."""
        sums = np.full((self._n_samples, logs.shape[1]), -np.inf)
        for rows, own in zip(self.by_member(self.rows), self.by_member(logs), strict=True):
            sums[rows] = np.logaddexp(sums[rows], own)
        return sums


def _traced(
    network: keras.Model, first: InputColumns | None, shape: tuple[int | None, ...], dtype: tf.DType
) -> Any:
    variables = network.variables
    body = network if first is None else after_columns(network, first)

    def forward(values: list[Any], X: Any, rows: Any) -> Any:
        with lent_variables(variables, values), divided_rows(members_of(network)):
            _, logits = recognise(body(tf.gather(X, rows)))
        return logits

    return tf.function(forward, autograph=False).get_concrete_function(
        resource_variables(variables), tf.TensorSpec(shape, dtype), tf.TensorSpec((None,), tf.int32)
    )
