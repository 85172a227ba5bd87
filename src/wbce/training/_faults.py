"""What a training that was stopped leaves: the last good weights, and what stopped it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras
from wbce._errors import DivergenceError
from wbce.training._callbacks import MemberScores, ValidationScore
from wbce.training._checkpoint import Checkpoint

_IN_WORDS = {
    "interrupt": "stopped by Ctrl-C",
    "divergence": "stopped as the loss was no longer a number",
}


@dataclass(frozen=True)
class Ended:
    """A training that has ended.

    Attributes
    ----------
    history : dict of list of float
        Values by name, one an epoch that was run to its end.
    fault : BaseException or None
        What stopped it; None where nothing did but the number of epochs, or early stopping.
    checkpoints : tuple of Checkpoint
        Files that another attempt would go on from.
    """

    history: dict[str, list[float]]
    fault: BaseException | None = None
    checkpoints: tuple[Checkpoint, ...] = ()

    @property
    def stopped_by(self) -> str | None:
        """What stopped it, in a word."""
        if self.fault is None:
            return None
        return "divergence" if isinstance(self.fault, DivergenceError) else "interrupt"

    def why(self, scorer: ValidationScore | MemberScores | None, last: int, wanted: int) -> str:
        """Why it ended when it did.

        Parameters
        ----------
        scorer : ValidationScore, MemberScores or None
            What may have stopped it.
        last : int
            The epoch that it ended with.
        wanted : int
            How many epochs there should have been.

        Returns
        -------
        str
            Empty if that is how many there were.
        """
        if self.stopped_by is not None:
            return _IN_WORDS[self.stopped_by]
        if scorer is not None and scorer.is_spent(last):
            return f"the last {scorer.patience} no better"
        return "stopped by a callback" if len(self.history["loss"]) < wanted else ""

    def keeping(self, epoch: int) -> Ended:
        """The same, where an error says whose weights are kept."""
        fault = self.fault
        return (
            replace(self, fault=fault.keeping(epoch))
            if isinstance(fault, DivergenceError)
            else self
        )

    @contextmanager
    def settling(self) -> Iterator[None]:
        """Have an error give way to what stopped the training, of which it is a consequence."""
        try:
            yield
        except Exception as error:
            if self.fault is None:
                raise
            raise nothing_kept(self.fault) from error

    def end(self) -> None:
        """Remove the files, unless the rest is still to come, and raise what stopped it."""
        if self.stopped_by != "interrupt":
            for checkpoint in self.checkpoints:
                checkpoint.remove()
        if self.fault is not None:
            raise self.fault


def nothing_kept(fault: BaseException) -> BaseException:
    """What stopped a training, saying that nothing of it is kept."""
    return fault.keeping(None) if isinstance(fault, DivergenceError) else fault


def divergence(network: keras.Model, epoch: int, loss: float) -> DivergenceError:
    """What is wrong with a network whose epoch, counted from 0, broke it."""
    rate = getattr(network.optimizer, "learning_rate", None)
    return DivergenceError(
        epoch + 1, float(loss), None if rate is None else float(np.asarray(rate))
    )


def can_be_computed_with(values: Sequence[NDArray[Any]]) -> bool:
    """Whether no number is NaN or infinite, or so large that its square is in float32.

    Examples
    --------
    >>> can_be_computed_with([np.ones(3), np.full((2, 2), 1e18, np.float32)])
    True
    >>> can_be_computed_with([np.ones(3), np.array([1e30, 0], np.float32)])
    False
    """
    with np.errstate(over="ignore", invalid="ignore"):
        wide = [v.astype(np.float32) if v.dtype.itemsize < 4 else v for v in values]
        return all(bool(np.isfinite(np.vdot(v, v))) for v in wide)


def with_fresh_slots(network: keras.Model) -> None:
    """Give a network's optimizer a new start, as what it remembers is no longer numbers."""
    broken = network.optimizer
    fresh = type(broken).from_config(broken.get_config())
    fresh.iterations.assign(broken.iterations)
    network.optimizer = fresh
    network.train_function = None  # Keras' compiled step holds the old one


class SoundWeights:
    """Sees whether a network's weights are still of use.

    Parameters
    ----------
    network : keras.Model
        Those that are infinite by intention are so at the start, and not looked at.
    read : callable
        From Keras variables to arrays.
    """

    def __init__(self, network: keras.Model, read: Callable[[list[Any]], list[Any]]) -> None:
        trained = _floats(network.trainable_variables)
        others = _floats(network.non_trainable_variables)  # such as variances, which may be large
        self._trained = [v for v in trained if can_be_computed_with([np.asarray(v)])]
        self._others = [v for v in others if np.isfinite(np.asarray(v)).all()]
        self._read = read

    def hold(self) -> bool:
        """Whether they are."""
        variables = [*self._trained, *self._others]
        values = self._read(variables) if variables else []
        trained, others = values[: len(self._trained)], values[len(self._trained) :]
        return can_be_computed_with(trained) and all(np.isfinite(v).all() for v in others)


def _floats(variables: list[Any]) -> list[Any]:
    return [variable for variable in variables if "float" in str(variable.dtype)]


class GoodEpochs(keras.callbacks.Callback):
    """In Keras' own ``fit``, the first callback: sees that epochs are good, and keeps the last.

    Parameters
    ----------
    scorers : list of callbacks
        Which may keep weights themselves: then none are kept here.
    """

    def __init__(self, scorers: list[Any]) -> None:
        super().__init__()
        self._scorers = scorers
        self._logs: list[tuple[int, dict[str, Any]]] = []
        self._weights: list[NDArray[Any]] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._sound = SoundWeights(self.model, lambda variables: [np.asarray(v) for v in variables])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        loss = float(logs.get("loss", 0.0))
        if not np.isfinite(loss) or not self._sound.hold():
            raise divergence(self.model, epoch, loss)
        scored = any(scorer.keeps_weights for scorer in self._scorers)
        self._weights = None if scored else self.model.get_weights()
        self._logs.append((epoch, logs))

    def go_back(self, fault: BaseException) -> Ended:
        """Take the network back to where its last good epoch ended.

        Raises
        ------
        BaseException
            ``fault``, if there was none.
        """
        network = self.model
        if not self._logs:
            raise fault
        if isinstance(fault, DivergenceError):
            with_fresh_slots(network)
        if self._weights is not None:
            network.set_weights(self._weights)
        complete_history(network, self._logs)
        return Ended(network.history.history, fault)


def complete_history(network: keras.Model, logs: list[tuple[int, dict[str, Any]]]) -> None:
    """Add to Keras' history the epochs whose callbacks were not heard to the end."""
    for epoch, values in logs[len(network.history.epoch) :]:
        network.history.on_epoch_end(epoch, values)
