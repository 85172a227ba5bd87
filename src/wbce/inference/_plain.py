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
from scipy.special import erf, expit, log_expit, log_softmax, logsumexp

from wbce._backend import keras
from wbce.networks import InputColumns, MemberDense, Mixture, PeriodicFeatures, ToMembers
from wbce.tracing import resource_variables, values_of

layers, activations = keras.layers, keras.activations

ROWS_IN_A_BLOCK = 32

Float32 = NDArray[np.float32]
Activation = Callable[[Float32], Float32]
# What a layer computes from rows and its variables' values; and those variables.
Step = tuple[Callable[..., Float32], tuple[Any, ...]]


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


_ACTIVATIONS: dict[Any, Activation] = {
    activations.linear: lambda x: x,
    activations.relu: _relu,
    activations.tanh: np.tanh,
    activations.sigmoid: expit,
    activations.silu: lambda x: x * expit(x),
    activations.elu: _elu,
    activations.selu: _selu,
    activations.gelu: _gelu,
}
_ENDS = {
    activations.linear: "linear",
    activations.sigmoid: "sigmoid",
    activations.softmax: "softmax",
}
# Layers that pass rows of columns on as they are when they predict.
_PASSING = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.Flatten,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.InputLayer,
)


class PlainNetwork:
    """A chain of dense layers, and what comes between them, on rows of columns.

    Parameters
    ----------
    steps : list of (callable, tuple of keras.Variable)
        From a float32 array, and the values of variables, to the next array, which may be the
        same one changed.
    ends_in : {"linear", "sigmoid", "softmax"}
        The last activation, which is left out: the result is logits.
    n_outputs : int
    """

    def __init__(self, steps: list[Step], ends_in: str, n_outputs: int) -> None:
        self.ends_in = ends_in
        self.n_outputs = n_outputs
        self._steps = [(function, len(variables)) for function, variables in steps]
        variables = [variable for _, some in steps for variable in some]
        self._handles = [variable.handle for variable in resource_variables(variables)]

    def __call__(self, X: Float32) -> Float32:
        """Logits of rows; the weights are read anew each time.

        Parameters
        ----------
        X : ndarray of float32, shape (n_samples, n_features)
            A whole number of blocks of rows. Matrices are multiplied block by block, because
            BLAS takes another kernel, which rounds differently, for another number of rows.
        """
        blocks = X.reshape(-1, ROWS_IN_A_BLOCK, X.shape[1])
        values = iter(values_of(self._handles))
        for function, n_variables in self._steps:
            blocks = function(blocks, *islice(values, n_variables))
        return blocks.reshape(-1, self.n_outputs)


def plain_network(network: keras.Model) -> PlainNetwork | None:
    """Translate a network; None where a layer is not of the kinds known here."""
    chain = _chain(network)
    if not chain or not all(_in_float32(layer) for layer in chain):
        return None
    *before, last = chain
    if isinstance(last, layers.Activation | layers.Softmax) and before:
        if isinstance(last, layers.Softmax) and last.axis not in (-1, 1):
            return None
        last_activation = getattr(last, "activation", activations.softmax)
        *before, last = before
        if not _ends_in_logits(last):
            return None
    else:
        last_activation = getattr(last, "activation", None)
    if not (_is_dense(last) or type(last) is Mixture) or last_activation not in _ENDS:
        return None
    end = _affine(last) if _is_dense(last) else _mixture(last)
    steps = [*(_step(layer) for layer in before), end]
    if None in steps:
        return None
    known = [step for step in steps if step is not None and step != _PASS_ON]
    return PlainNetwork(known, _ENDS[last_activation], int(network.output_shape[-1]))


def _ends_in_logits(layer: Any) -> bool:
    plain = _is_dense(layer) and layer.activation is activations.linear
    return plain or type(layer) is Mixture


def _chain(network: keras.Model) -> list[Any] | None:
    """A network's layers in order, if each takes the output of the one before and nothing else."""
    if type(network) is keras.Sequential:
        network = network._functional
    operations = getattr(network, "operations", None)
    if operations is None or type(network) is not _FUNCTIONAL:
        return None
    if len(network.inputs) != 1 or len(network.inputs[0].shape) != 2 or len(network.outputs) != 1:
        return None
    if network.inputs[0].dtype != "float32":
        return None
    nodes = [node for at_depth in network._nodes_by_depth.values() for node in at_depth]
    inbound = {id(node.operation): node for node in nodes}
    if len(inbound) != len(operations) or not isinstance(operations[0], layers.InputLayer):
        return None
    output = network.inputs[0]
    for operation in operations[1:]:
        node = inbound[id(operation)]
        if [id(tensor) for tensor in node.input_tensors] != [id(output)] or len(node.outputs) != 1:
            return None
        output = node.outputs[0]
    return list(operations) if output is network.outputs[0] else None


_FUNCTIONAL = type(keras.Model(i := keras.Input((1,)), i))


def _in_float32(layer: Any) -> bool:
    policy = getattr(layer, "dtype_policy", None)
    return policy is not None and policy.name == "float32"


def _is_dense(layer: Any) -> bool:
    return (
        type(layer) is layers.Dense
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
    )


def _step(layer: Any) -> Step | None:
    if _is_dense(layer) and layer.activation in _ACTIVATIONS:
        (affine, variables), activate = _affine(layer), _ACTIVATIONS[layer.activation]
        return lambda x, *values: activate(affine(x, *values)), variables
    if type(layer) is layers.Activation and layer.activation in _ACTIVATIONS:
        activate = _ACTIVATIONS[layer.activation]
        return lambda x: activate(x.copy()), ()
    if type(layer) is layers.ReLU and layer.max_value is None:
        if layer.negative_slope == 0 and layer.threshold == 0:
            return lambda x: np.maximum(x, 0), ()
        return None
    if type(layer) is layers.BatchNormalization and layer.axis in (-1, 1):
        return _normalisation(layer)
    of_built_in = {
        InputColumns: InputColumns.in_numpy,
        ToMembers: lambda layer: (lambda x: x[:, np.newaxis], ()),
        PeriodicFeatures: _periodic,
        MemberDense: _of_members,
    }
    if type(layer) in of_built_in:
        return of_built_in[type(layer)](layer)
    return _PASS_ON if type(layer) in _PASSING else None


def _pass_on(x: Float32) -> Float32:
    return x


_PASS_ON: Step = (_pass_on, ())


def _affine(layer: Any) -> Step:
    if not layer.use_bias:
        return np.matmul, (layer._kernel,)
    return _dense, (layer._kernel, layer.bias)


def _dense(x: Float32, kernel: Float32, bias: Float32) -> Float32:
    result = x @ kernel
    result += bias
    return result


def _normalisation(layer: Any) -> Step:
    epsilon = np.float32(layer.epsilon)

    def step(x: Float32, mean: Float32, variance: Float32, *affine: Float32) -> Float32:
        values = list(affine)
        factor = 1 / np.sqrt(variance + epsilon)
        if layer.scale:
            factor = factor * values.pop(0)
        shift = -mean * factor
        if layer.center:
            shift = shift + values.pop(0)
        return x * factor + shift

    affine = [layer.gamma] * layer.scale + [layer.beta] * layer.center
    return step, (layer.moving_mean, layer.moving_variance, *affine)


def _periodic(layer: PeriodicFeatures) -> Step:
    n_numbers, n_frequencies = layer.n_numbers, layer.n_frequencies

    def step(x: Float32, speed: Float32, frequency: Float32, phase: Float32) -> Float32:
        numbers = np.repeat(x[..., :n_numbers], n_frequencies, axis=-1)
        waves = np.cos(numbers * (np.float32(2 * np.pi) * speed * frequency) + phase)
        shape = (*waves.shape[:-1], x.shape[-1])
        return np.concatenate([np.broadcast_to(x, shape), waves], axis=-1)

    return step, (layer.speed, layer.frequency, layer.phase)


def _of_members(layer: MemberDense) -> Step | None:
    activate = _ACTIVATIONS.get(layer.activation)
    if activate is None:
        return None
    return lambda x, kernel, bias: activate(_dense(x, kernel, bias)), (layer.kernel, layer.bias)


def _mixture(layer: Mixture) -> Step:
    """The mean probability's logits; members are in the second dimension."""
    exclusive = layer.exclusive

    def step(x: Float32, shift: Float32) -> Float32:
        z = x - shift
        if exclusive:
            mean = logsumexp(log_softmax(z, axis=-1), axis=1)
        else:
            mean = logsumexp(log_expit(z), axis=1) - logsumexp(log_expit(-z), axis=1)
        return mean + shift

    return step, (layer.shift,)
