"""Plain networks in NumPy: a chain of dense layers needs no graph to be evaluated.

A call of a compiled TensorFlow function costs more, before it does anything, than scikit-learn's
own estimators need for a row altogether.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse
from scipy.special import erf, expit, log_expit, log_softmax, logsumexp

from wbce._backend import keras
from wbce.inference._chain import Chain, Step, chain_of
from wbce.networks import columns_in_numpy, sparse_columns_in_numpy
from wbce.tracing import resource_variables, values_of

ROWS_IN_A_BLOCK = 32

Float32 = NDArray[np.float32]
# What a step computes from rows and the values of its variables.
Function = Callable[..., Float32]


def _relu(x: Float32) -> Float32:
    return np.maximum(x, 0, out=x)


def _elu(x: Float32) -> Float32:
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def _selu(x: Float32) -> Float32:
    return np.float32(1.0507009873554805) * np.where(
        x > 0, x, np.float32(1.6732632423543772) * np.expm1(np.minimum(x, 0))
    )


def _gelu(x: Float32) -> Float32:
    return x * np.float32(0.5) * (1 + erf(x * np.float32(np.sqrt(0.5))))


_ACTIVATIONS: dict[str, Callable[[Float32], Float32]] = {
    "linear": lambda x: x,
    "relu": _relu,
    "tanh": np.tanh,
    "sigmoid": expit,
    "silu": lambda x: x * expit(x),
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
}


class PlainNetwork:
    """A chain of dense layers, and what comes between them, on rows of columns.

    Parameters
    ----------
    chain : Chain
    values : callable
        Returns the values of the variables that the chain's steps take, one step's after the
        other's; called anew for every prediction.
    """

    def __init__(self, chain: Chain, values: Callable[[], list[NDArray[Any]]]) -> None:
        self.ends_in = chain.ends_in
        self.n_outputs = chain.n_outputs
        first = chain.steps[0]["op"]
        self.takes_sparse = first in ("sparse_columns", "dense")
        self._makes_sparse = first == "sparse_columns"
        self._values = values
        self._steps = [(_FUNCTIONS[s["op"]](s), len(s["variables"])) for s in chain.steps]

    def __call__(self, X: Float32) -> Float32:
        """Logits of rows.

        Parameters
        ----------
        X : ndarray or csr_array of float32, shape (n_samples, n_features)
            A whole number of blocks of rows. Matrices are multiplied block by block, because
            BLAS takes another kernel, which rounds differently, for another number of rows. Sparse
            rows are multiplied one by one, and become blocks then.
        """
        if self._makes_sparse:
            X = csr_array(X)
        blocks = X if issparse(X) else X.reshape(-1, ROWS_IN_A_BLOCK, X.shape[1])
        values = iter(self._values())
        for function, n_variables in self._steps:
            blocks = function(blocks, *islice(values, n_variables))
        return blocks.reshape(-1, self.n_outputs)


def plain_network(network: keras.Model) -> PlainNetwork | None:
    """A network in NumPy, under its weights as they are; None where a layer is not known here."""
    chain = chain_of(network)
    if chain is None:
        return None
    variables = network.variables
    used = [variables[i] for i in variables_used(chain)]
    handles = [variable.handle for variable in resource_variables(used)]
    return PlainNetwork(chain, lambda: values_of(handles))


def plain_network_of(chain: Chain, values: list[NDArray[Any]]) -> PlainNetwork:
    """A network in NumPy from its description and the values of all its variables."""
    used = [values[i] for i in variables_used(chain)]
    return PlainNetwork(chain, lambda: used)


def variables_used(chain: Chain) -> list[int]:
    """The places of the variables that a chain's steps take, in their order."""
    return [i for step in chain.steps for i in step["variables"]]


def _dense(step: Step) -> Function:
    activate = _ACTIVATIONS[step["activation"]]

    def function(x: Float32, kernel: Float32, bias: Float32 | None = None) -> Float32:
        result = x @ kernel
        if result.ndim == 2:  # of sparse rows
            result = result.reshape(-1, ROWS_IN_A_BLOCK, result.shape[1])
        if bias is not None:
            result += bias
        return activate(result)

    return function


def _activation(step: Step) -> Function:
    activate = _ACTIVATIONS[step["activation"]]
    return lambda x: activate(x.copy())


def _normalise(step: Step) -> Function:
    epsilon, scaled, centred = np.float32(step["epsilon"]), step["scale"], step["center"]

    def function(x: Float32, mean: Float32, variance: Float32, *affine: Float32) -> Float32:
        values = list(affine)
        factor = 1 / np.sqrt(variance + epsilon)
        if scaled:
            factor = factor * values.pop(0)
        shift = -mean * factor
        if centred:
            shift = shift + values.pop(0)
        return x * factor + shift

    return function


def _periodic(step: Step) -> Function:
    n_numbers, n_frequencies = step["n_numbers"], step["n_frequencies"]

    def function(x: Float32, speed: Float32, frequency: Float32, phase: Float32) -> Float32:
        numbers = np.repeat(x[..., :n_numbers], n_frequencies, axis=-1)
        waves = np.cos(numbers * (np.float32(2 * np.pi) * speed * frequency) + phase)
        shape = (*waves.shape[:-1], x.shape[-1])
        return np.concatenate([np.broadcast_to(x, shape), waves], axis=-1)

    return function


def _mixture(step: Step) -> Function:
    """The mean probability's logits; members are in the second dimension."""
    exclusive = step["exclusive"]

    def function(x: Float32, shift: Float32) -> Float32:
        z = x - shift
        if exclusive:
            mean = logsumexp(log_softmax(z, axis=-1), axis=1)
        else:
            mean = logsumexp(log_expit(z), axis=1) - logsumexp(log_expit(-z), axis=1)
        return mean + shift

    return function


_FUNCTIONS: dict[str, Callable[[Step], Function]] = {
    "dense": _dense,
    "activation": _activation,
    "normalise": _normalise,
    "columns": lambda step: columns_in_numpy(step["n_categories"], step["may_miss"]),
    "sparse_columns": lambda step: sparse_columns_in_numpy,
    "to_members": lambda step: lambda x: x[:, np.newaxis],
    "periodic": _periodic,
    "member_dense": _dense,
    "mixture": _mixture,
}
