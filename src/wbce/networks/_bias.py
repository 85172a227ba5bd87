"""The output bias, from which a network starts at the base rate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras
from wbce.networks._members import MemberDense, Mixture

layers = keras.layers


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
        if isinstance(layer, layers.Dense | layers.EinsumDense | MemberDense):
            return getattr(layer, "bias", None)
        if not isinstance(
            layer, layers.Activation | layers.Softmax | layers.Reshape | layers.Flatten | Mixture
        ):
            return None
    return None


def start_bias(
    network: keras.Model, logits: NDArray[np.float64], unweighted: NDArray[np.float64]
) -> None:
    """Start the output bias at ``logits``, if it is freshly zero.

    Parameters
    ----------
    network : keras.Model
    logits : ndarray of shape (n_outputs,)
        At which the network says the base rate.
    unweighted : ndarray of shape (n_outputs,)
        What they were without weights and with cross-entropy.
    """
    bias = output_bias(network)
    if bias is None or tuple(bias.shape)[-1:] != logits.shape or np.any(np.asarray(bias)):
        return
    bias.assign(np.broadcast_to(logits, bias.shape))
    for layer in network.layers:
        if isinstance(layer, Mixture):
            layer.shift.assign(logits - unweighted)
