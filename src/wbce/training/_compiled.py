"""Training as one compiled function: all steps of one epoch or many, on tensors in memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras, tf
from wbce.losses import BatchLoss
from wbce.losses._logits import recognise
from wbce.networks import after_columns, columns_made_once, divided_rows, members_of
from wbce.tracing import (
    architecture,
    as_tensor,
    lent_numbers,
    lent_variables,
    on_one_thread,
    only_processors,
    resource_variables,
    tensors_of,
    traces,
)
from wbce.training._arguments import any_number_of, row_tensors, taken, values_of_numbers
from wbce.training._digest import computation
from wbce.training._distributed import ALONE, Replicas, added_up, averaged_over_replicas
from wbce.training._fused import apply_gradients, wants_extra_slot
from wbce.training._keys import loss_key, numbers_of, optimizer_key
from wbce.training._parts import Parts, joined, n_parts_of, orders_of_parts

# Up to this many multiplications a step, one thread is faster than handing work to several.
_ONE_THREAD_WORK = 2**28

_SPARE_SETS = 4


class CompiledTraining:
    """A compiled network, ready to be trained on batches of some rows.

    Parameters
    ----------
    network : keras.Model
        Built and compiled.
    X, y, sample_weight : ndarray of shape (n_samples, ...)
        As Keras takes them; X may be a canonical CSR array.
    batch_size : int
        Rows a step; of each member, if the network has several.
    keep_state : bool
        Whether the optimizer's variables must be Keras' own while the training goes on. If not,
        those of a fresh optimizer are lighter ones, see :meth:`finish`.
    replicas : Replicas, optional
        Among which the rows of every step are divided.
    n_rows : int, optional
        How many there will be, where `X` is some of them, and others are taken later.

    Attributes
    ----------
    is_private : bool
        Whether code of the user's takes part, so that the trace is this training's alone.
    """

    def __init__(
        self,
        network: keras.Model,
        X: NDArray[Any],
        y: NDArray[Any],
        sample_weight: NDArray[np.floating] | None,
        batch_size: int,
        keep_state: bool,
        replicas: Replicas = ALONE,
        n_rows: int | None = None,
    ) -> None:
        first = None
        if n_rows is None:
            X, first = columns_made_once(network, X)
        self._network = network
        self._rows = row_tensors(network, X, y, sample_weight)
        self._batch_size = batch_size * members_of(network)
        optimizer = network.optimizer
        numbers = [*numbers_of(network.loss), *numbers_of(optimizer)]
        work = batch_size * sum(int(np.prod(v.shape)) for v in network.trainable_variables)
        alone = replicas.way is None
        one_thread = alone and X.ndim == 2 and work <= _ONE_THREAD_WORK and only_processors()
        parts = [architecture(network), loss_key(network.loss), optimizer_key(optimizer)]
        self.is_private = None in parts
        # Code of the user's may hold state, or draw random numbers.
        divisible = alone and not self.is_private
        self._n_parts = n_parts_of(network, n_rows or X.shape[0]) if divisible else 1
        # A loss of the user's may take no weights at all.
        weighted = sample_weight is not None or parts[1] is not None
        key = None
        if not self.is_private:
            specs = tuple(map(repr, any_number_of(self._rows)))
            key = (
                "train",
                *parts,
                _slots_key(network),
                specs,
                one_thread,
                first is None,
                self._n_parts,
                replicas.way,
            )
        self._program = traces.get(
            key,
            lambda: _Program(
                network, first, self._n_parts, numbers, self._rows, weighted, one_thread, replicas
            ),
        )
        if keep_state or optimizer.use_ema or not self._program.starts_at_zero:
            optimizer.build(network.trainable_variables)
        self._parts = Parts(network, self._n_parts, others_look=keep_state)
        self._slots = None
        if not optimizer.built:
            n_own = len(optimizer.variables)
            self._slots = [self._program.fresh_slots(n_own) for _ in range(self._n_parts)]
        self._arguments = [
            (own, [*of_optimizer, *slots], _zeros(self._program.extra))
            for (own, of_optimizer), slots in zip(
                self._parts.variables(), self._slots or [[]] * self._n_parts, strict=True
            )
        ]
        self._copies = _Copies(self._arguments[0], replicas)
        self._numbers = numbers
        beside = [v for _, slots, extra in self._arguments for v in (*slots, *extra)]
        everything = [*self._parts.all_variables(), *beside]
        self._everything = list({id(variable): variable for variable in everything}.values())
        self._described = [*map(repr, parts), one_thread, weighted, self._n_parts, first is None]
        self._divided = not alone
        self._described += [replicas.way] if self._divided else []

    def take(
        self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.floating] | None
    ) -> None:
        """Train on other rows from now on."""
        self._rows = row_tensors(self._network, X, y, sample_weight)

    def identity(self) -> list[Any]:
        """All that a step depends on but the rows, for a `digest`.

        Raises
        ------
        ValueError
            If code of the user's takes part that has a state which nobody can see, or whose
            steps are divided.
        """
        if self.is_private and self._divided:
            raise ValueError("code of yours takes part, in steps that are divided among replicas")
        code = computation(self._program.function) if self.is_private else []
        variables = [np.asarray(tensor) for tensor in self.state()]
        return [
            self._described,
            code,
            [np.asarray(n) for n in values_of_numbers(self._numbers)],
            variables,
        ]

    def state(self) -> list[Any]:
        """Values of all that the training changes; they cost no copy until they are changed."""
        return tensors_of(self._everything)

    def go_back(self, state: Sequence[Any]) -> None:
        """Take network and optimizer back to where they were."""
        for variable, value in zip(self._everything, state, strict=True):
            variable.assign(value)

    def run(self, order: NDArray[np.integer]) -> NDArray[np.float32]:
        """Train for some epochs.

        Parameters
        ----------
        order : ndarray of int32, shape (n_epochs, n_rows)
            Row numbers in the order in which each epoch takes them, see `RowOrder`.

        Returns
        -------
        ndarray of shape (n_epochs,)
            Mean training loss of every epoch.
        """
        values = values_of_numbers(self._numbers)  # a callback may change them between epochs
        orders = [
            as_tensor(own, tf.int32)
            for own in orders_of_parts(order, self._batch_size, self._n_parts)
        ]
        batch_size = tf.constant(self._batch_size // self._n_parts)
        copies = self._copies.up_to_date()

        def train(part: int) -> NDArray[np.float32]:
            variables = [self._arguments[part], *copies]
            losses = self._program.function(
                variables, values, *self._rows, orders[part], batch_size
            )
            return np.asarray(losses)

        return np.mean(self._parts.run(train), axis=0)

    def finish(self) -> list[NDArray[Any]] | None:
        """Give back what the training needed.

        Returns
        -------
        list of ndarray or None
            Values of the optimizer's slots; None if Keras' optimizer has them itself.
        """
        self._parts.finish()
        if self._slots is None:
            return None
        of_parts, self._slots = self._slots, None
        values = [joined(shares).numpy() for shares in zip(*of_parts, strict=True)]
        for slots in of_parts:
            self._program.take_back(slots)
        return values


class _Copies:
    """The variables of this process's other replicas; when a call begins, as the first's.

    Parameters
    ----------
    variables : nested lists of tf.Variable
        Of the first.
    replicas : Replicas
    """

    def __init__(self, variables: Any, replicas: Replicas) -> None:
        self._variables = variables
        self._copies = []
        for device in replicas.devices[1:]:
            with replicas.on(device):
                self._copies.append(tf.nest.map_structure(tf.Variable, variables))

    def up_to_date(self) -> list[Any]:
        """One set of variables for each."""
        for own in self._copies:
            tf.nest.map_structure(lambda copy, v: copy.assign(v), own, self._variables)
        return self._copies


class _Program:
    """The traced function, and what a network must bring to it.

    Parameters
    ----------
    network : keras.Model
    first : keras.layers.Layer or None
        Up to which layer rows have come already.
    n_parts : int
        Into how many parts members are divided; the function trains one.
    numbers : list of (object, str)
        Which numbers are arguments.
    rows : list of tensor
    weighted, one_thread : bool
    replicas : Replicas

    Attributes
    ----------
    function : callable
        Takes variables and rows, see ``CompiledTraining``; returns a loss per epoch.
    slots : list of (shape, dtype)
        The optimizer's variables, those that it has from the start first.
    starts_at_zero : bool
        Whether a fresh optimizer's own variables are zeros.
    extra : list of (shape, dtype)
        Zero variables that fused kernels want beside the optimizer's.
    """

    def __init__(
        self,
        network: keras.Model,
        first: Any,
        n_parts: int,
        numbers: list[tuple[Any, str]],
        rows: list[Any],
        weighted: bool,
        one_thread: bool,
        replicas: Replicas,
    ) -> None:
        optimizer = network.optimizer
        n_at_first = len(optimizer.variables)
        fresh = not optimizer.built
        optimizer.build(network.trainable_variables)
        slots = optimizer.variables
        self.starts_at_zero = fresh and not any(np.any(v.numpy()) for v in slots[n_at_first:])
        variables, of_optimizer = Parts(network, n_parts).variables()[0]
        self.slots = [_spec(v) for v in of_optimizer]
        shares = [variables[i] for i in places_of_trained(network)]
        self.extra = [_spec(v) for v in shares] if wants_extra_slot(optimizer) else []
        self._spare: list[list[Any]] = []
        n_members = members_of(network) // n_parts
        body: Callable[..., Any] = network
        if first is not None:
            body = after_columns(network, first)
        elif network._call_has_training_arg:
            body = partial(network, training=True)
        train = _training_function(network, body, n_members, numbers, weighted, replicas)
        self.function = tf.function(
            on_one_thread(train) if one_thread else train, autograph=False
        ).get_concrete_function(
            [
                (variables, of_optimizer, _zeros(self.extra)),
                *_Copies((variables, of_optimizer, _zeros(self.extra)), replicas).up_to_date(),
            ],
            [tf.TensorSpec(value.shape, value.dtype) for value in values_of_numbers(numbers)],
            *any_number_of(rows),
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((), tf.int32),
        )

    def fresh_slots(self, n_own: int) -> list[Any]:
        """Zero variables for all of the optimizer's but the first ``n_own``."""
        try:
            slots = self._spare.pop()
        except IndexError:
            return _zeros(self.slots[n_own:])
        for slot in slots:
            slot.assign(tf.zeros(slot.shape, slot.dtype))
        return slots

    def take_back(self, slots: list[Any]) -> None:
        """Keep small variables for a later training: it takes longer to make them than to clear."""
        if len(self._spare) < _SPARE_SETS and sum(s.shape.num_elements() for s in slots) < 2**18:
            self._spare.append(slots)


def _training_function(
    network: keras.Model,
    body: Callable[..., Any],
    n_members: int,
    numbers: list[tuple[Any, str]],
    weighted: bool,
    replicas: Replicas,
) -> Callable[..., Any]:
    optimizer, trained = network.optimizer, network.trainable_variables
    owners = [*network.variables, *optimizer.variables]
    own_keys = [variable._unique_id for variable in resource_variables(owners)]

    places = places_of_trained(network)
    found_in_rows = [
        i
        for i, variable in enumerate(network.variables)
        if i not in places and "float" in variable.dtype
    ]

    @contextmanager
    def replica(device: str | None, variables: Any) -> Iterator[None]:
        lent = [*variables[0], *variables[1]]
        with (
            replicas.on(device),
            lent_variables(owners, lent),
            _optimizer_knows(optimizer, own_keys, lent),
        ):
            yield

    def gradients_of(x: Any, y: Any, sample_weight: Any, share: Any) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape, divided_rows(n_members):
            output = body(x)
            loss = _loss_of(network, n_members, x, y, output, sample_weight)
            if replicas.n_replicas > 1:
                loss *= tf.cast(share, loss.dtype)
            of_each = loss * n_members  # the loss is the members' mean
        return tf.cast(loss, tf.float32), tape.gradient(of_each, resource_variables(trained))

    def train(
        of_replicas: list[Any],
        values: list[Any],
        X: Any,
        y: Any,
        sample_weight: Any,
        order: Any,
        batch_size: Any,
    ) -> Any:
        n_epochs, n_samples = tf.unstack(tf.shape(order))
        n_steps = (n_samples + batch_size - 1) // batch_size

        def step(batch: Any) -> Any:
            found = []
            for i, (device, own) in enumerate(zip(replicas.devices, of_replicas, strict=True)):
                share, weight = replicas.share(batch, n_members, i)
                x = taken(network, X, share)
                targets, weights = (tf.gather(a, share) for a in (y, sample_weight))
                with replica(device, own):
                    found.append(gradients_of(x, targets, weights if weighted else None, weight))
            found = added_up(replicas, found)
            for device, own, (_, gradients) in zip(
                replicas.devices, of_replicas, found, strict=True
            ):
                with replica(device, own):
                    apply_gradients(optimizer, gradients, trained, own[2])
            return found[0][0]

        def epoch(number: Any, losses: Any) -> Any:
            rows = order[number]

            def next_step(i: Any, total: Any) -> Any:
                batch = rows[i * batch_size : (i + 1) * batch_size]
                return i + 1, total + step(batch) * tf.cast(tf.size(batch), tf.float32)

            _, total = tf.while_loop(lambda i, _: i < n_steps, next_step, (0, 0.0))
            return number + 1, losses.write(number, total / tf.cast(n_samples, tf.float32))

        def epochs() -> Any:
            losses = tf.TensorArray(tf.float32, size=n_epochs)
            _, losses = tf.while_loop(lambda i, _: i < n_epochs, epoch, (0, losses))
            return losses.stack()

        with lent_numbers(numbers, values):
            return averaged_over_replicas(
                replicas, epochs, [[own[0][i] for i in found_in_rows] for own in of_replicas]
            )

    return train


def _loss_of(
    network: keras.Model, n_members: int, x: Any, y: Any, output: Any, sample_weight: Any
) -> Any:
    """The loss of a batch; of a loss that compares rows, the mean over the network's members."""
    whole = {"x": x, "y": y, "y_pred": output, "sample_weight": sample_weight}
    if n_members == 1 or not isinstance(network.loss, BatchLoss):
        return network._compute_loss(**whole, training=True)
    end, logits = recognise(output)
    whole["y_pred"] = logits
    parts = {
        k: [None] * n_members if v is None else tf.split(v, n_members) for k, v in whole.items()
    }
    parts["y_pred"] = [getattr(tf.nn, str(end))(z) for z in parts["y_pred"]]  # as the loss was told
    members = [
        dict(zip(parts, of_member, strict=True)) for of_member in zip(*parts.values(), strict=True)
    ]
    losses = [network._compute_loss(**member, training=True) for member in members]
    return tf.add_n(losses) / n_members


@contextmanager
def _optimizer_knows(optimizer: Any, own_keys: list[Any], lent: list[Any]) -> Iterator[None]:
    """Let an optimizer find its slots by the variables that stand for its own."""
    keys = {id(value): own for value, own in zip(lent, own_keys, strict=True)}

    def key(variable: Any) -> Any:
        value = getattr(variable, "_value", variable)
        return keys[id(value)]

    optimizer._var_key = key
    try:
        yield
    finally:
        del optimizer._var_key


def _slots_key(network: keras.Model) -> Hashable:
    """Which slots an optimizer that was built before has, and for which variables."""
    optimizer = network.optimizer
    if not optimizer.built:
        return None
    places = [
        optimizer._trainable_variables_indices.get(optimizer._var_key(variable))
        for variable in network.trainable_variables
    ]
    return tuple(places), tuple(_spec(variable) for variable in optimizer.variables)


def places_of_trained(network: keras.Model) -> list[int]:
    """Where, among a network's variables, those are that are trained."""
    places = {id(variable): i for i, variable in enumerate(network.variables)}
    return [places[id(variable)] for variable in network.trainable_variables]


def _spec(variable: Any) -> tuple[tuple[int, ...], str]:
    return tuple(variable.shape), tf.as_dtype(variable.dtype).name


def _zeros(slots: list[tuple[tuple[int, ...], str]]) -> list[Any]:
    return [tf.Variable(tf.zeros(*slot), trainable=False) for slot in slots]
