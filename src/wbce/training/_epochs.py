"""Training from outside: epochs, callbacks and history as Keras' ``fit`` has them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from wbce import __version__
from wbce._backend import keras, tf
from wbce._errors import DivergenceError
from wbce._storable import storable
from wbce.losses import DeferredReweighting
from wbce.networks import members_of
from wbce.progress import FitProgress
from wbce.streams import Pools
from wbce.tracing import resource_variables, tensors_of
from wbce.training._callbacks import MemberScores, ValidationScore
from wbce.training._checkpoint import Checkpoint, CheckpointWish, Progress, as_arrays
from wbce.training._compiled import CompiledTraining, places_of_trained
from wbce.training._compiled_loss import CompiledLoss
from wbce.training._digest import digest
from wbce.training._distributed import ALONE, Replicas
from wbce.training._faults import (
    Ended,
    SoundWeights,
    complete_history,
    divergence,
    with_fresh_slots,
)
from wbce.training._interrupts import Interrupts
from wbce.training._order import RowOrder
from wbce.training._streamed import PoolOrder, StreamedTraining

# Epochs that nobody looks at run together, as long as their row numbers fit into 16 MiB.
_ROW_NUMBERS_AT_ONCE = 2**22
# And as long as they are little work, rows times parameters, and few steps: such a call is over
# before it hears Ctrl-C.
_WORK_AT_ONCE = 2**31
_STEPS_AT_ONCE = 2**14

_SCORERS = (MemberScores, ValidationScore)
_OURS = (*_SCORERS, DeferredReweighting)
_BATCH_HOOKS = [
    hook
    for hook in dir(keras.callbacks.Callback)
    if hook.startswith(("on_batch", "on_train_batch", "on_test"))
]
# What `NetworkTraining` takes; and values of other arguments of Keras' `fit` that change nothing.
_ARGUMENTS = {
    "batch_size",
    "callbacks",
    "epochs",
    "initial_epoch",
    "sample_weight",
    "validation_data",
    "verbose",
}
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "shuffle": (True, False),
    "class_weight": (None,),
    "steps_per_epoch": (None,),
    "validation_split": (0, None),
    "validation_steps": (None,),
    "validation_batch_size": (None,),
    "validation_freq": (1,),
}


def needs_keras_fit(network: keras.Model, X: Any, y: Any, arguments: dict[str, Any]) -> str | None:
    """Find what only Keras' own ``fit`` can do as Keras would.

    Parameters
    ----------
    network : keras.Model
        Built and compiled.
    X, y : ndarray or nested arrays
    arguments : dict
        For ``keras.Model.fit``.

    Returns
    -------
    str or None
        The reason; None where the compiled training gives the same.
    """
    reasons = {
        "several inputs or targets": not (
            isinstance(y, np.ndarray) and (issparse(X) or isinstance(X, np.ndarray))
        )
        or any(len(getattr(network, ends, None) or [0]) > 1 for ends in ("inputs", "outputs")),
        "rows that are no numbers": any(
            getattr(getattr(a, "dtype", None), "kind", "f") not in "biuf" for a in (X, y)
        ),
        "a training step of its own": any(
            getattr(type(network), method) is not getattr(keras.Model, method)
            for method in ("train_step", "test_step", "compute_loss", "fit", "make_train_function")
        ),
        "several losses, or weighted ones": isinstance(network.loss, list | tuple | dict)
        or getattr(network._compile_loss, "_user_loss_weights", None) is not None,
        "metrics": network._compile_metrics is not None
        or any(metric is not network._loss_tracker for metric in network.metrics),
        "how it is run": network.run_eagerly
        or network.jit_compile is True
        or network.steps_per_execution != 1
        or tf.config.functions_run_eagerly(),
        "a distribution": tf.distribute.has_strategy()
        or keras.distribution.distribution() is not None
        or network._distribute_strategy is not None,
        "the optimizer": not isinstance(network.optimizer, keras.optimizers.Optimizer)
        or isinstance(network.optimizer, keras.optimizers.LossScaleOptimizer)
        or hasattr(network.optimizer, "_exclude_from_weight_decay")
        or network.optimizer.loss_scale_factor is not None
        or not network.trainable_variables,
        "callbacks inside an epoch": not all(
            _listens_to_epochs_only(callback) for callback in arguments.get("callbacks") or []
        ),
        "arguments": not all(
            name in _ARGUMENTS or any(value is v or value == v for v in _NEUTRAL.get(name, ()))
            for name, value in arguments.items()
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _listens_to_epochs_only(callback: Any) -> bool:
    if type(callback) is keras.callbacks.ModelCheckpoint:
        return bool(callback.save_freq == "epoch")
    return isinstance(callback, keras.callbacks.Callback) and not any(
        inspect.unwrap(getattr(getattr(callback, hook), "__func__", callback))
        is not inspect.unwrap(getattr(keras.callbacks.Callback, hook))
        for hook in _BATCH_HOOKS
    )


class NetworkTraining:
    """The training of one network, prepared; :meth:`run` does it.

    Parameters
    ----------
    network : keras.Model
        Built and compiled, see :func:`needs_keras_fit`.
    X, y : ndarray
    arguments : dict
        As for ``keras.Model.fit``.
    keep_state : bool
        Whether the optimizer's state must be in the optimizer itself afterwards.
    rows_of_members : list of ndarray of int, optional
        Which rows each member of the network trains on; None is all.
    checkpoint : CheckpointWish, optional
    depends_on : dict, optional
        What the training depends on beside what it sees itself, by name, see `digest`.
    replicas : Replicas, optional
        Among which the rows of every step are divided.
    pools : Pools, optional
        The rows to train on, where `X` and `y` are some of them.
    progress : FitProgress, optional
        What is told of epochs and rows as they are done.

    Attributes
    ----------
    slots : Slots or None
        After the training, the optimizer's slots, such as moments, where Keras' optimizer does
        not have them itself.
    runs_users_code : bool
        Whether code of the user's runs in the training, and may draw random numbers.
    """

    def __init__(
        self,
        network: keras.Model,
        X: NDArray[Any],
        y: NDArray[Any],
        arguments: dict[str, Any],
        keep_state: bool,
        rows_of_members: list[NDArray[np.integer]] | None = None,
        checkpoint: CheckpointWish | None = None,
        depends_on: dict[str, Any] | None = None,
        replicas: Replicas = ALONE,
        pools: Pools | None = None,
        progress: FitProgress | None = None,
    ) -> None:
        self.network = network
        self._progress = progress or FitProgress.unseen()
        if not replicas.is_chief:
            self._progress.silence()
        self._depends_on, self._replicas = depends_on or {}, replicas
        self._wish, self._rows = checkpoint, (X, y)
        self._arguments = arguments
        self._callbacks = arguments.get("callbacks") or []
        self._rows_of_members = rows_of_members or [np.arange(X.shape[0])] * members_of(network)
        batch_size = arguments["batch_size"]
        n_rows = pools.n_rows if pools else max(map(len, self._rows_of_members))
        self._n_rows, self._n_steps = n_rows, -(-n_rows // batch_size)  # of an epoch
        for scorer in self._scorers():
            scorer.score = _by_chief(scorer.score, replicas)
        callbacks_are_ours = all(type(c) in _OURS for c in self._callbacks)
        keep_state = keep_state or not callbacks_are_ours  # others may look at the optimizer
        self.slots: Slots | None = None
        row_weights, self._shuffle = arguments.get("sample_weight"), arguments.get("shuffle", True)
        self._training: CompiledTraining
        if pools is None:
            self._training = CompiledTraining(
                network, X, y, row_weights, batch_size, keep_state, replicas
            )
        else:
            self._training = StreamedTraining(
                network, pools, (X, y, row_weights), batch_size, keep_state, self._shuffle
            )
        self.runs_users_code = self._training.is_private or not callbacks_are_ours
        self._sound = SoundWeights(
            network, lambda variables: [*map(np.asarray, tensors_of(resource_variables(variables)))]
        )
        self._work = X.shape[0] * max(1, network.count_params()) if X.ndim == 2 else 2**62
        self._validation_loss: CompiledLoss | None = None
        if arguments.get("validation_data") is not None:
            X_val, y_val, weight_val = (*arguments["validation_data"], None)[:3]
            self._validation_loss = CompiledLoss(network, X_val, y_val, weight_val, batch_size)

    def run(self, seed: int) -> Ended:
        """Train, until the last epoch, or until something stops it.

        Parameters
        ----------
        seed : int
            For the order of the rows.

        Returns
        -------
        Ended
            With the network as the last good epoch left it; the best one, if epochs are scored, is
            with the callback that scores them.

        Raises
        ------
        KeyboardInterrupt, DivergenceError
            If no epoch was run to its end; or at the second Ctrl-C, at once.
        """
        arguments, network, replicas = self._arguments, self.network, self._replicas
        replicas.check_same(lambda: self._all_it_depends_on(seed))
        verbose, first, last = (
            arguments.get(name, default)
            for name, default in (("verbose", 0), ("initial_epoch", 0), ("epochs", 1))
        )
        callbacks = keras.callbacks.CallbackList(
            self._callbacks,
            add_history=True,
            add_progbar=verbose != 0 and replicas.is_chief,
            verbose=verbose if replicas.is_chief else 0,
            epochs=last,
            steps=self._n_steps,
            model=network,
        )
        order = self._order(seed)
        together = self._epochs_together(verbose)
        checkpoint = self._checkpoint(seed)
        network.stop_training = False
        logs: list[tuple[int, dict[str, float]]] = []  # of all epochs that were run to their end
        fault: BaseException | None = None
        with Interrupts() as interrupts:
            if isinstance(self._training, StreamedTraining):
                self._training.before_pool = interrupts.check
                self._training.after_pool = self._progress.saw_rows
            try:
                callbacks.on_train_begin()
                if checkpoint is not None:
                    logs += [(first + i, {}) for i in range(self._resume(checkpoint, order))]
                    network.history.epoch += [epoch for epoch, _ in logs]
                epoch = first + len(logs)
                self._progress.begin(
                    epoch,
                    last,
                    n_rows=self._n_rows,
                    resumed=len(logs),
                    may_stop=bool(self._callbacks),
                    best_epoch=self._best_epoch,
                )
                while epoch < last and not network.stop_training:
                    callbacks.on_epoch_begin(epoch)
                    if any(replicas.any(interrupts.heard)):
                        raise KeyboardInterrupt
                    at_once = self._progress.epochs_unseen() or together
                    orders = order.of_epochs(min(together, at_once, last - epoch))
                    losses, broken = self._train(orders, goes_back_to_before=bool(logs))
                    logs += [(epoch + i, {"loss": loss}) for i, loss in enumerate(losses)]
                    for number, values in logs[len(logs) - len(losses) :]:
                        if number > epoch:
                            callbacks.on_epoch_begin(number)
                        if self._validation_loss is not None:
                            values["val_loss"] = replicas.as_chief(self._validation_loss())
                        for callback in callbacks.callbacks:  # the list would hand on a copy
                            callback.on_epoch_end(number, values)
                    epoch += len(losses)
                    if logs:
                        self._progress.ended_epoch(epoch, logs[-1][1])
                    if broken is not None:
                        raise divergence(network, epoch, broken)
                    heard, network.stop_training = replicas.any(
                        interrupts.heard, bool(network.stop_training)
                    )
                    if checkpoint is not None and (checkpoint.is_due() or heard):
                        self._write(checkpoint, order, len(logs))
                    if heard:
                        raise KeyboardInterrupt
            except (KeyboardInterrupt, DivergenceError) as error:
                if checkpoint is not None and isinstance(error, DivergenceError):
                    checkpoint.remove()
                if interrupts.insisted or not logs:
                    raise
                if not self._keeps_best() and not self._sound.hold():  # by a callback's doing
                    raise
                fault = error
        if fault is None and any(replicas.any(interrupts.heard)):
            fault = KeyboardInterrupt()
        if checkpoint is not None and checkpoint.stays and fault is None:
            self._write(checkpoint, order, len(logs))
        slots = self._training.finish()
        if isinstance(fault, DivergenceError) and self._keeps_best():
            with_fresh_slots(network)
        else:
            if last > first:
                network.optimizer.finalize_variable_values(network.trainable_weights)
            if slots is not None:
                self.slots = Slots.of(network, slots)
        complete_history(network, logs)
        callbacks.on_train_end(logs[-1][1] if logs else {})
        return Ended(network.history.history, fault, (checkpoint,) if checkpoint else ())

    def _train(
        self, orders: NDArray[np.integer], goes_back_to_before: bool
    ) -> tuple[list[float], float | None]:
        """Train some epochs; if one breaks the network only those before it.

        Returns
        -------
        losses : list of float
            Of the good epochs.
        broken : float or None
            The loss of the one that was not.
        """
        before = None
        if (goes_back_to_before or len(orders) > 1) and not self._keeps_best():
            before = self._training.state()
        try:
            losses = self._training.run(orders)
        except BaseException:
            if before is not None:
                self._training.go_back(before)
            raise
        if np.isfinite(losses).all() and self._sound.hold():
            return losses.tolist(), None
        if before is not None:
            self._training.go_back(before)
        if len(orders) == 1:
            return [], float(losses[0])
        good: list[float] = []
        for order in orders:  # one by one, as nobody looked in between
            more, broken = self._train(order[np.newaxis], goes_back_to_before=True)
            good += more
            if broken is not None:
                return good, broken
        return good, None

    def _order(self, seed: int) -> RowOrder | PoolOrder:
        if isinstance(self._training, StreamedTraining):
            return PoolOrder(seed)
        return RowOrder(self._rows_of_members, self._arguments["batch_size"], self._shuffle, seed)

    def _checkpoint(self, seed: int) -> Checkpoint | None:
        """The file for exactly this training; None if there is to be none."""
        wish = self._wish
        if wish is None:
            return None
        why = f"checkpoint={os.fspath(wish.folder)!r} goes on exactly where a fit was, which cannot"
        for callback in self._callbacks:
            if type(callback) not in _OURS:
                raise ValueError(
                    f"{why} be done for callbacks: nobody knows what {type(callback).__name__} "
                    "remembers. Pass checkpoint=None, or no callbacks."
                )
        try:
            as_arrays(self._training.state())
            of_steps = self._training.identity()
        except ValueError as error:
            raise ValueError(
                f"{why} be done for this network, loss or optimizer: {error}. Pass "
                "checkpoint=None, or change that."
            ) from None
        name = digest(self._all_it_depends_on(seed), of_steps)
        return self._replicas.checkpoint(wish.folder, name, wish.stays)

    def _all_it_depends_on(self, seed: int) -> dict[str, Any]:
        """All that is known of the training, by name, but the compiled step."""
        arguments = {k: v for k, v in self._arguments.items() if k not in ("callbacks", "verbose")}
        X, y = self._rows
        versions = [__version__, keras.__version__, tf.__version__, np.__version__]
        return {
            "X": X,
            "y": y,
            "weights": arguments.pop("sample_weight", None),
            "random_state": seed,
            "which rows train": self._rows_of_members,
            **self._depends_on,
            "arguments of fit": [arguments, self._wish is None],
            "versions of wbce, Keras, TensorFlow and NumPy": versions,
            "first weights": [
                [np.asarray(v) for v in self._training.state()],
                keras.config.floatx(),
            ],
        }

    def _write(self, checkpoint: Checkpoint, order: RowOrder | PoolOrder, n_epochs: int) -> None:
        generator, rows = order.state()
        arrays = {"variables": as_arrays(self._training.state()), "rows": rows}
        arrays.update((f"scores {i}", scorer.state()) for i, scorer in enumerate(self._scorers()))
        stops = bool(self.network.stop_training)
        history = self.network.history.history
        checkpoint.write(Progress(n_epochs, history, stops, generator, arrays))

    def _resume(self, checkpoint: Checkpoint, order: RowOrder | PoolOrder) -> int:
        """Go to where the training was written; how many epochs that are."""
        found = checkpoint.read()
        if found is None:
            return 0
        with checkpoint.damage():
            self._training.go_back(found.arrays["variables"])
            order.go_to(found.generator, found.arrays["rows"])
            for i, scorer in enumerate(self._scorers()):
                scorer.go_to(found.arrays[f"scores {i}"])
        self.network.stop_training = found.stops
        self.network.history.history.update(found.history)
        return found.n_epochs

    def _scorers(self) -> list[Any]:
        return [callback for callback in self._callbacks if type(callback) in _SCORERS]

    def _best_epoch(self) -> int:
        return next((scorer.best_epoch for scorer in self._scorers()), 0)

    def _keeps_best(self) -> bool:
        return any(scorer.keeps_weights for scorer in self._scorers())

    def _epochs_together(self, verbose: Any) -> int:
        streamed = isinstance(self._training, StreamedTraining)
        if verbose != 0 or self._callbacks or self._validation_loss is not None or streamed:
            return 1
        n_rows = sum(len(rows) for rows in self._rows_of_members)
        limits = (
            _ROW_NUMBERS_AT_ONCE // n_rows,
            _WORK_AT_ONCE // self._work,
            _STEPS_AT_ONCE // self._n_steps,
        )
        return max(1, min(limits))


def _by_chief(score: Callable[[], Any] | None, replicas: Replicas) -> Callable[[], Any] | None:
    """A score that is the same for all who train: what it decides must be, to the last bit."""
    return None if score is None else lambda: replicas.as_chief(score())


@storable("optimizer slots")
@dataclass(frozen=True)
class Slots:
    """An optimizer's slots beside it.

    Attributes
    ----------
    values : list of ndarray
    trained : list of int
        Places, among the network's variables, of those that have slots.
    iterations : int
        The optimizer's count when the slots were its own.
    """

    values: list[NDArray[Any]]
    trained: list[int]
    iterations: int

    @classmethod
    def of(cls, network: keras.Model, values: list[NDArray[Any]]) -> Slots:
        """Slots as a training left them."""
        return cls(values, places_of_trained(network), int(network.optimizer.iterations))

    def restore(self, network: keras.Model) -> None:
        """Give them to the network's optimizer, unless it has been trained or replaced since."""
        optimizer, variables = network.optimizer, network.variables
        if int(optimizer.iterations) != self.iterations or max(self.trained) >= len(variables):
            return
        optimizer.build([variables[i] for i in self.trained])
        own = optimizer.variables[-len(self.values) :] if self.values else []
        if [tuple(v.shape) for v in own] == [v.shape for v in self.values]:
            for variable, value in zip(own, self.values, strict=True):
                variable.assign(value)
