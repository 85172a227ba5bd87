"""The built-in network, in plain Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras

layers, ops = keras.layers, keras.ops

Float64 = NDArray[np.float64]


@keras.saving.register_keras_serializable("wbce")
class InputScaling(keras.layers.Layer):
    """Standardise columns, and squash what lies far out.

    A column's values are centred and divided by their standard deviation, then mapped by
    ``x / sqrt(1 + (x / 3)**2)``: nearly the identity within one standard deviation, never beyond
    three (Holzmüller et al. 2024, "Better by default"). A constant column becomes zero.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make room for a mean and a scale for every column."""
        shape = (input_shape[-1],)
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones", trainable=False)

    def call(self, inputs: Any) -> Any:
        """Scale and squash."""
        x = (inputs - self.mean) * self.scale
        # Clipped, or the square of a value far out would overflow; and not rsqrt, which rounds
        # differently at the end of an array.
        x = ops.clip(x, -1e18, 1e18)
        return x / ops.sqrt(1.0 + ops.square(x / 3.0))

    def fit(self, X: NDArray[Any], sample_weight: Float64) -> None:
        """Take mean and standard deviation from rows, weighted."""
        X = np.asarray(X, dtype=np.float64)
        mean = np.average(X, axis=0, weights=sample_weight)
        deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=sample_weight))
        # What is left of a constant column after rounding is not variation.
        constant = deviation <= 1e-7 * np.abs(mean) + np.finfo(np.float32).tiny
        self.mean.assign(mean)
        self.scale.assign(np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation)))


def build_mlp(
    input_shape: tuple[int, ...], n_outputs: int, hidden_layer_sizes: tuple[int, ...] = (64, 32)
) -> keras.Model:
    """Build a multi-layer perceptron on scaled inputs that ends in logits.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row; more than one dimension is flattened.
    n_outputs : int
        One logit for two classes, else one a class.
    hidden_layer_sizes : tuple of int

    Returns
    -------
    keras.Model
        Not compiled; its first layer, `InputScaling`, is still the identity.
    """
    inputs = keras.Input(input_shape)
    x = inputs if len(input_shape) == 1 else layers.Flatten()(inputs)
    x = InputScaling(name="input_scaling")(x)
    for size in hidden_layer_sizes:
        x = layers.Dense(size, activation="relu", kernel_initializer="he_uniform")(x)
    return keras.Model(inputs, layers.Dense(n_outputs)(x), name="mlp")


def output_bias(network: keras.Model) -> Any | None:
    """Find the bias of the network's last layer with weights.

    Returns
    -------
    variable or None
        None where the last layer is not a plain one with a bias.
    """
    for layer in reversed(getattr(network, "layers", [])):
        if isinstance(layer, keras.Model):
            return output_bias(layer)
        if isinstance(layer, layers.Dense | layers.EinsumDense):
            return getattr(layer, "bias", None)
        if not isinstance(
            layer, layers.Activation | layers.Softmax | layers.Reshape | layers.Flatten
        ):
            return None
    return None


def start_bias(network: keras.Model, logits: Float64) -> None:
    """Start the output bias at ``logits``, if it is freshly zero."""
    bias = output_bias(network)
    if bias is not None and tuple(bias.shape) == logits.shape and not np.any(np.asarray(bias)):
        bias.assign(logits)
