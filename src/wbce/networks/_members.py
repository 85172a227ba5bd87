"""Several networks in one graph: layers that carry a dimension of members before the rows.

All members are layers of one Keras model, whose kernels have one more dimension. When the model
predicts, every row goes to every member and their probabilities are averaged. While
it is trained, a batch is divided: the first share of its rows goes to the first member, and so
on, and what comes out are each member's own logits of its own rows, so that each
learns as if it were alone (bagging, Breiman 1996; one graph, Gorishniy et al. 2025, "TabM").
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from wbce._backend import keras

ops = keras.ops

_here = threading.local()


@contextmanager
def divided_rows(n_members: int) -> Iterator[None]:
    """Let members each take their own share of a batch, in this thread.

    Parameters
    ----------
    n_members : int
        How many take part: all of a network, or those whose variables it was lent.
    """
    before = _members_that_divide()
    _here.n_members = n_members
    try:
        yield
    finally:
        _here.n_members = before


def _members_that_divide() -> int:
    """Among how many members rows are divided; 0 where all rows go to each."""
    return getattr(_here, "n_members", 0)


class _OfMembers(keras.layers.Layer):
    """A layer with a number of members in its configuration."""

    def __init__(self, n_members: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n_members = n_members

    def get_config(self) -> dict[str, Any]:
        """Config to make the layer anew."""
        return {**super().get_config(), "n_members": self.n_members}


@keras.saving.register_keras_serializable("wbce")
class ToMembers(_OfMembers):
    """Rows to members: all rows to each, or each its share (:func:`divided_rows`)."""

    def call(self, inputs: Any) -> Any:
        """From (rows, columns) to (1 or members, rows, columns)."""
        n_members = _members_that_divide()
        if n_members:
            return ops.reshape(inputs, (n_members, -1, inputs.shape[-1]))
        return ops.expand_dims(inputs, 0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """One more dimension before the rows."""
        return (1, *input_shape)


@keras.saving.register_keras_serializable("wbce")
class PeriodicFeatures(_OfMembers):
    """Beside every number x, cos(2 pi f x + b) for some frequencies f and phases b, all trained.

    A number near another can then mean something else, which a smooth network learns slowly
    (Gorishniy et al. 2022, "On embeddings for numerical features"; the form with a phase is that
    of Holzmüller et al. 2024). Each member has frequencies of its own, which all start alike but
    move at another speed in each member: where the truth is smooth those do better whose
    frequencies stay low, elsewhere the others.

    Parameters
    ----------
    n_members : int
    n_numbers : int
        How many of the columns, the first ones, are numbers; others pass as they are.
    n_frequencies : int
        For each number.
    spread : float
        Standard deviation of the frequencies at the start.
    slowest : float
        How far Adam moves the first member's frequencies in a step, relative to the last's.
    """

    def __init__(
        self,
        n_members: int,
        n_numbers: int,
        n_frequencies: int,
        spread: float,
        slowest: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_members, **kwargs)
        self.n_numbers, self.n_frequencies = n_numbers, n_frequencies
        self.spread, self.slowest = spread, slowest

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Draw frequencies and phases."""
        shape = (self.n_members, 1, self.n_numbers * self.n_frequencies)
        speeds = np.geomspace(self.slowest, 1, self.n_members).reshape(-1, 1, 1)
        speeds[-1] = 1  # also of a single member
        normal = keras.initializers.RandomNormal(stddev=self.spread)
        uniform = keras.initializers.RandomUniform(-np.pi, np.pi)
        # What is trained is the frequency by its speed: Adam steps equally far for all.
        self.speed = self.add_weight(
            name="speed",
            shape=speeds.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(speeds, dtype),
            trainable=False,
        )
        self.frequency = self.add_weight(
            name="frequency",
            shape=shape,
            initializer=lambda shape, dtype=None: normal(shape, dtype) / self.speed,
        )
        self.phase = self.add_weight(name="phase", shape=shape, initializer=uniform)

    def call(self, inputs: Any) -> Any:
        """From (members, rows, columns) to (members, rows, more columns)."""
        numbers = ops.repeat(inputs[..., : self.n_numbers], self.n_frequencies, axis=-1)
        waves = ops.cos(numbers * (2 * np.pi * self.speed * self.frequency) + self.phase)
        shape = (*ops.shape(waves)[:2], inputs.shape[-1])
        return ops.concatenate([ops.broadcast_to(inputs, shape), waves], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The columns and the waves."""
        n_waves = self.n_numbers * self.n_frequencies
        return (self.n_members, input_shape[1], (input_shape[2] or 0) + n_waves)

    def get_config(self) -> dict[str, Any]:
        """Config to make the layer anew."""
        names = ("n_numbers", "n_frequencies", "spread", "slowest")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("wbce")
class MemberDense(_OfMembers):
    """A dense layer for every member.

    Parameters
    ----------
    n_members, units : int
    activation : str
    gain : float
        Kernels start uniform with variance ``gain`` / number of inputs.
    """

    def __init__(
        self,
        n_members: int,
        units: int,
        activation: Any = "linear",
        gain: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(n_members, **kwargs)
        self.units, self.gain = units, gain
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make a kernel and a bias for every member."""
        n_inputs = int(input_shape[-1] or 0)
        limit = np.sqrt(3 * self.gain / max(1, n_inputs))
        uniform = keras.initializers.RandomUniform(-limit, limit)
        shape = (self.n_members, n_inputs, self.units)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=uniform)
        bias_shape = (self.n_members, 1, self.units)
        self.bias = self.add_weight(name="bias", shape=bias_shape, initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """From (members, rows, columns) to (members, rows, units)."""
        return self.activation(self._product(inputs) + self.bias)

    def _product(self, inputs: Any) -> Any:
        n_members = _members_that_divide()
        if not n_members:
            return ops.matmul(inputs, self.kernel)
        # TensorFlow multiplies many small matrices faster one by one than in one operation.
        pairs = zip(
            ops.unstack(inputs, n_members), ops.unstack(self.kernel, n_members), strict=True
        )
        return ops.stack([ops.matmul(own, kernel) for own, kernel in pairs])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """A column for every unit."""
        return (self.n_members, input_shape[1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Config to make the layer anew."""
        activation = keras.activations.serialize(self.activation)
        own = {"units": self.units, "activation": activation, "gain": self.gain}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("wbce")
class Mixture(_OfMembers):
    """The logits of the members' mean probability; members' own where rows are divided.

    Probabilities are averaged where class weights do not distort them: logits are shifted by what
    the weights add to them, and back.

    Parameters
    ----------
    n_members : int
    exclusive : bool
        Whether the logits are those of classes that exclude each other, for a softmax, or each
        that of a sigmoid.
    """

    def __init__(self, n_members: int, exclusive: bool, **kwargs: Any) -> None:
        super().__init__(n_members, **kwargs)
        self.exclusive = exclusive

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make room for the shift."""
        shape = (input_shape[-1],)
        self.shift = self.add_weight(
            name="shift", shape=shape, initializer="zeros", trainable=False
        )

    def call(self, inputs: Any) -> Any:
        """From (members, rows, outputs) to (rows, outputs)."""
        if _members_that_divide():
            return ops.reshape(inputs, (-1, inputs.shape[-1]))
        z = inputs - self.shift
        if self.exclusive:
            mean = ops.logsumexp(ops.log_softmax(z, axis=-1), axis=0)
        else:
            mean = ops.logsumexp(ops.log_sigmoid(z), axis=0) - ops.logsumexp(
                ops.log_sigmoid(-z), axis=0
            )
        return mean + self.shift

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Without the members."""
        return (input_shape[1], input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Config to make the layer anew."""
        return {**super().get_config(), "exclusive": self.exclusive}


def variables_of_members(network: keras.Model) -> list[Any]:
    """The variables of which each member has its own: their first dimension is of members."""
    own = (MemberDense, PeriodicFeatures)
    return [v for layer in network.layers if isinstance(layer, own) for v in layer.variables]


def members_of(network: keras.Model) -> int:
    """How many members a network has: 1 if it is none of these."""
    return next((x.n_members for x in network.layers if isinstance(x, ToMembers)), 1)
