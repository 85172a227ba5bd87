"""The built-in network, in plain Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from wbce._backend import keras

layers, ops = keras.layers, keras.ops

Float64 = NDArray[np.float64]


class OffsetRemover(TransformerMixin, BaseEstimator):
    """Take away from columns an offset so large that float32 would swallow their variation.

    Columns whose mean is more than 10,000 standard deviations from zero, such as timestamps, are
    centred in float64; all others pass as they are.
    """

    def fit(self, X: NDArray[Any], y: Any = None) -> OffsetRemover:
        """Find the columns and their offsets."""
        self.offset_: Float64 | None = None
        if X.dtype.kind in "iuf" and X.dtype.itemsize > 2 and len(X):
            mean = X.mean(axis=0, dtype=np.float64)
            deviation = X.std(axis=0, dtype=np.float64)
            far = (deviation > 0) & (np.abs(mean) > 1e4 * deviation)
            if far.any():
                self.offset_ = np.where(far, mean, 0.0)
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """Subtract the offsets."""
        return X if self.offset_ is None else X.astype(np.float64) - self.offset_


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
    input_shape: tuple[int, ...],
    n_outputs: int,
    hidden_layer_sizes: tuple[int, ...] = (64, 32),
    *,
    multi_label: bool = False,
) -> keras.Model:
    """Build a multi-layer perceptron on scaled inputs that ends in probabilities.

    Losses read the logits behind the last activation; metrics and the network's own ``predict``
    see probabilities.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row; more than one dimension is flattened.
    n_outputs : int
        One sigmoid for two classes, else a softmax over all.
    hidden_layer_sizes : tuple of int
    multi_label : bool, default=False
        Whether the outputs are labels that do not exclude each other, with a sigmoid each.

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
    activation = "sigmoid" if n_outputs == 1 or multi_label else "softmax"
    # A tenth of the usual size: all rows start near the base rate. The map of a loss such as focal
    # multiplies what the first weights, which know nothing, say of a row.
    small = keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")
    outputs = layers.Dense(n_outputs, activation, kernel_initializer=small)(x)
    return keras.Model(inputs, outputs, name="mlp")


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
