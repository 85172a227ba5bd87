"""Training from outside: epochs, callbacks and history as Keras' ``fit`` has them."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras, tf
from wbce.tracing import aligned_empty
from wbce.training._callbacks import DivergenceCheck, ValidationScore
from wbce.training._compiled import CompiledLoss, CompiledTraining

# Epochs that nobody looks at run together, as long as their row numbers fit into 16 MiB.
_ROW_NUMBERS_AT_ONCE = 2**22

_OURS = (DivergenceCheck, ValidationScore)
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
        "several inputs or targets": not all(isinstance(a, np.ndarray) for a in (X, y))
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
        "metrics": network._compile_metrics is not None,
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

    Attributes
    ----------
    slots : list of ndarray or None
        After the training, values of the optimizer's slots, such as moments, where Keras'
        optimizer does not have them itself.
    """

    def __init__(
        self,
        network: keras.Model,
        X: NDArray[Any],
        y: NDArray[Any],
        arguments: dict[str, Any],
        keep_state: bool,
    ) -> None:
        self.network = network
        self._arguments = arguments
        self._callbacks = arguments.get("callbacks") or []
        self._n_samples = len(X)
        batch_size = arguments["batch_size"]
        # The user's callbacks may look at the optimizer.
        keep_state = keep_state or not all(type(c) in _OURS for c in self._callbacks)
        self.slots: list[NDArray[Any]] | None = None
        self._training = CompiledTraining(
            network, X, y, arguments.get("sample_weight"), batch_size, keep_state
        )
        self._validation_loss: CompiledLoss | None = None
        if arguments.get("validation_data") is not None:
            X_val, y_val, weight_val = (*arguments["validation_data"], None)[:3]
            self._validation_loss = CompiledLoss(network, X_val, y_val, weight_val, batch_size)

    def run(self, seed: int) -> dict[str, list[float]]:
        """Train.

        Parameters
        ----------
        seed : int
            For the order of the rows.

        Returns
        -------
        dict of list of float
            The history: values by name, one an epoch.
        """
        arguments, network = self._arguments, self.network
        verbose, first, last = (
            arguments.get(name, default)
            for name, default in (("verbose", 0), ("initial_epoch", 0), ("epochs", 1))
        )
        callbacks = keras.callbacks.CallbackList(
            self._callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            verbose=1 if verbose == "auto" else verbose,
            epochs=last,
            steps=-(-self._n_samples // arguments["batch_size"]),
            model=network,
        )
        order = _Order(self._n_samples, arguments.get("shuffle", True), seed)
        together = self._epochs_together(verbose)
        network.stop_training = False
        callbacks.on_train_begin()
        logs: dict[str, float] = {}
        epoch = first
        while epoch < last and not network.stop_training:
            callbacks.on_epoch_begin(epoch)
            losses = self._training.run(order.of_epochs(min(together, last - epoch)))
            for number, loss in enumerate(losses.tolist()):
                if number:
                    callbacks.on_epoch_begin(epoch)
                logs = {"loss": loss}
                if self._validation_loss is not None:
                    logs["val_loss"] = self._validation_loss()
                callbacks.on_epoch_end(epoch, logs)
                epoch += 1
        if last > first:
            network.optimizer.finalize_variable_values(network.trainable_weights)
        self.slots = self._training.finish()
        callbacks.on_train_end(logs)
        return network.history.history

    def _epochs_together(self, verbose: Any) -> int:
        unwatched = all(type(c) is DivergenceCheck for c in self._callbacks)
        if verbose != 0 or not unwatched or self._validation_loss is not None:
            return 1
        return max(1, _ROW_NUMBERS_AT_ONCE // max(1, self._n_samples))


class _Order:
    """In which order epochs take the rows."""

    def __init__(self, n_samples: int, shuffle: bool, seed: int) -> None:
        self._rows = np.arange(n_samples, dtype=np.int32)
        self._generator = np.random.default_rng(seed) if shuffle else None

    def of_epochs(self, n_epochs: int) -> NDArray[np.int32]:
        orders = aligned_empty((n_epochs, len(self._rows)), np.int32)
        for order in orders:
            if self._generator is not None:
                self._generator.shuffle(self._rows)
            order[:] = self._rows
        return orders


def restore_slots(network: keras.Model, slots: list[NDArray[Any]]) -> None:
    """Give a network's optimizer the slots that a training left."""
    network.optimizer.build(network.trainable_variables)
    own = network.optimizer.variables[-len(slots) :] if slots else []
    for variable, value in zip(own, slots, strict=True):
        variable.assign(value)
