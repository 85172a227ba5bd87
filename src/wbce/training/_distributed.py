"""One training on several devices, or in several processes: each takes a share of every step."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._archive import read_archive_from
from wbce._backend import eager_context, keras, tf
from wbce.training import _cluster
from wbce.training._checkpoint import Checkpoint, Progress, as_progress
from wbce.training._cluster import Cluster
from wbce.training._digest import digest

WAYS = ("mirrored", "multi_worker")

_SUM = tf.distribute.ReduceOp.SUM
# Losses of Keras that may compare the rows of a batch.
_OF_BATCHES = tuple(
    getattr(keras.losses, name)
    for name in ("Dice", "GeneralizedDice", "Tversky")
    if hasattr(keras.losses, name)
)
_one_at_a_time = threading.Lock()
_met: dict[str, Replicas] = {}


class Replicas:
    """The copies of a network that take part in a training; by itself one, in this process.

    Attributes
    ----------
    way : str or None
        As the parameter ``distribute`` has it.
    devices : sequence of str or None
        Of this process, each with a replica; None leaves the device to TensorFlow.
    n_replicas : int
        In all processes.
    is_chief : bool
        Whether this process is the first, which speaks for all.
    """

    way: str | None = None
    devices: Sequence[str | None] = (None,)
    n_replicas = 1
    is_chief = True

    # ------------------------------------------------------------------ while a step is traced

    def on(self, device: str | None) -> AbstractContextManager[Any]:
        """Where one replica computes."""
        return nullcontext() if device is None else tf.device(device)

    def share(self, batch: Any, n_members: int, replica: int) -> tuple[Any, Any]:
        """Divide a step's row numbers, those of member after member.

        Parameters
        ----------
        batch : tensor of int32, shape (n_rows,)
        n_members : int
        replica : int
            Of this process.

        Returns
        -------
        rows : tensor of int32
            One that counts nothing, where there are fewer rows than replicas.
        weight : tensor or float
            The replica's share of the rows, which its mean loss counts.
        """
        return batch, 1.0

    def summed(self, of_replicas: list[list[Any]]) -> list[list[Any]]:
        """Sums of tensors over all replicas, for every replica of this process."""
        return of_replicas

    # ------------------------------------------------------------------ between calls

    def as_chief(self, said: Any) -> Any:
        """What the chief says: of numbers, arrays, and dicts and tuples of them."""
        return said

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Whether each holds in any process."""
        return flags

    def check_same(self, depends_on: Callable[[], dict[str, Any]]) -> None:
        """See that all processes are about to train the same.

        Parameters
        ----------
        depends_on : callable
            Returns what the training depends on, by name.

        Raises
        ------
        ValueError
            That says who differs from the first, and in what.
        """

    def checkpoint(self, folder: str | os.PathLike[str], name: str, stays: bool) -> Checkpoint:
        """The file of a training."""
        return Checkpoint(folder, name, stays)

    @contextmanager
    def training(self) -> Iterator[None]:
        """Around a training: one at a time, and errors that say which worker is gone."""
        yield


ALONE = Replicas()


class _Mirrored(Replicas):
    """A replica on every device of this process; a device is a GPU, or a processor if none is.

    Parameters
    ----------
    strategy : tf.distribute.Strategy
    """

    way = "mirrored"
    _number = 0  # of this process's first replica

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy
        self.devices = strategy.extended.worker_devices
        self.n_replicas = strategy.num_replicas_in_sync

    def share(self, batch: Any, n_members: int, replica: int) -> tuple[Any, Any]:
        """As `Replicas` has it: of every member's rows the same part."""
        number = self._number + replica
        of_members = tf.reshape(batch, (n_members, -1))
        n_rows = tf.shape(of_members)[1]
        start, stop = (n_rows * n // self.n_replicas for n in (number, number + 1))
        own = of_members[:, start : tf.maximum(stop, start + 1)]
        return tf.reshape(own, [-1]), tf.cast((stop - start) / n_rows, tf.float32)

    def summed(self, of_replicas: list[list[Any]]) -> list[list[Any]]:
        """As `Replicas` has it, in one exchange."""
        reduced = self._reduced([self._distributed(own) for own in zip(*of_replicas, strict=True)])
        return [list(own) for own in zip(*reduced, strict=True)]

    def _distributed(self, of_replicas: Sequence[Any]) -> Any:
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: of_replicas[context.replica_id_in_sync_group - self._number]
        )

    def _reduced(self, values: list[Any], **options: Any) -> list[Any]:
        pairs = [(value, value) for value in values]
        sums = self._strategy.extended.batch_reduce_to(_SUM, pairs, **options)
        return [self._strategy.experimental_local_results(own) for own in sums]

    @contextmanager
    def training(self) -> Iterator[None]:
        """One at a time."""
        with _one_at_a_time:
            yield


class _Workers(_Mirrored):
    """As many processes as ``TF_CONFIG`` has, each with the replicas of its devices."""

    way = "multi_worker"

    def __init__(self, strategy: Any, cluster: Cluster) -> None:
        super().__init__(strategy)
        self._cluster = cluster
        self._number = cluster.own * len(self.devices)
        self.is_chief = cluster.own == 0

    def as_chief(self, said: Any) -> Any:
        """As `Replicas` has it: the others' numbers could differ in the last bit."""
        if isinstance(said, dict):
            return dict(zip(said, self.as_chief(list(said.values())), strict=True))
        if isinstance(said, tuple):
            return tuple(self.as_chief(part) for part in said)
        values = np.asarray(said, dtype=np.float64)
        heard = self._sum(values if self.is_chief else np.zeros_like(values))
        return heard if isinstance(said, np.ndarray) else heard.tolist()

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """As `Replicas` has it."""
        return tuple(bool(n) for n in self._sum(np.array(flags, dtype=np.int64)))

    def check_same(self, depends_on: Callable[[], dict[str, Any]]) -> None:
        """As `Replicas` has it, by a digest of each part."""
        parts = depends_on()
        digests = np.array([int(digest(own)[:12], 16) for own in parts.values()])
        of_workers = np.zeros((len(self._cluster.addresses), len(digests)), dtype=np.int64)
        of_workers[self._cluster.own] = digests
        of_workers = self._sum(of_workers)
        differs = of_workers != of_workers[0]
        if differs.any():
            who = [self._cluster.name(int(i)) for i in np.flatnonzero(differs.any(axis=1))]
            what = [part for part, own in zip(parts, differs.T, strict=True) if own.any()]
            raise ValueError(
                "distribute='multi_worker' has every worker call the same fit, with all rows, and "
                f"divides each step's rows itself; but {', '.join(who)} differs from "
                f"{self._cluster.name(0)} in: {', '.join(what)}. Pass the same X, y, weights, "
                "parameters and random_state everywhere."
            )

    def checkpoint(self, folder: str | os.PathLike[str], name: str, stays: bool) -> Checkpoint:
        """The file of a training, which is the chief's."""
        return _ChiefsCheckpoint(folder, name, stays, self)

    def bytes_of_chief(self, content: bytes) -> bytes:
        """What the chief passes, whatever the others do."""
        (length,) = self._sum(np.array([len(content) if self.is_chief else 0]))
        padded = np.zeros(-(-int(length) // 8), dtype=np.int64)
        if self.is_chief:
            padded.view(np.uint8)[: len(content)] = np.frombuffer(content, dtype=np.uint8)
        return self._sum(padded).tobytes()[: int(length)] if length else b""

    @contextmanager
    def training(self) -> Iterator[None]:
        """One at a time; an error says which worker is gone."""
        if not _one_at_a_time.acquire(blocking=False):
            raise RuntimeError(
                "distribute='multi_worker' trains one network after the other, in the same order "
                "in every worker, and another one is being trained in this process. Run a search, "
                "or folds, without threads: n_jobs=1, and no joblib.parallel_config."
            )
        try:
            yield
        except tf.errors.OpError as error:
            raise self._cluster.explained(error) from error
        finally:
            _one_at_a_time.release()

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """The sum over processes, now."""
        nothing = np.zeros_like(values)
        of_replicas = []
        for i, device in enumerate(self.devices):
            with tf.device(device):
                of_replicas.append(tf.identity(tf.constant(nothing if i else values)))
        options = tf.distribute.experimental.CommunicationOptions(timeout_seconds=_cluster.PATIENCE)
        (sums,) = self._reduced([self._distributed(of_replicas)], options=options)
        return np.array(sums[0])


class _ChiefsCheckpoint(Checkpoint):
    """One file for all workers: the chief writes it, and says what is in it."""

    def __init__(
        self, folder: str | os.PathLike[str], name: str, stays: bool, workers: _Workers
    ) -> None:
        super().__init__(folder, name, stays)
        self._workers = workers

    def read(self) -> Progress | None:
        """As `Checkpoint` has it; the same for all, or the same error."""
        has_one = self._workers.is_chief and self.path.exists()
        content = self._workers.bytes_of_chief(self.path.read_bytes() if has_one else b"")
        with self.damage():
            return as_progress(*read_archive_from(BytesIO(content), self.path)) if content else None

    def is_due(self) -> bool:
        """As `Checkpoint` has it."""
        return self._workers.is_chief and super().is_due()

    def write(self, progress: Progress) -> None:
        """As `Checkpoint` has it."""
        if self._workers.is_chief:
            super().write(progress)

    def remove(self) -> None:
        """As `Checkpoint` has it."""
        if self._workers.is_chief:
            super().remove()


# ---------------------------------------------------------------------- who takes part


def replicas_of(way: str | None) -> Replicas:
    """Find who takes part, and meet them; the same for every fit of a process.

    Parameters
    ----------
    way : None or one of `WAYS`

    Raises
    ------
    ValueError
        If ``TF_CONFIG`` is missing or wrong.
    RuntimeError
        If workers do not come, or it is too late in this process to meet them.
    """
    if way is None:
        return ALONE
    if way not in _met:
        _met[way] = _mirrored() if way == "mirrored" else _workers()
    return _met[way]


def _mirrored() -> Replicas:
    if eager_context()._collective_leader is not None:
        raise RuntimeError(
            "distribute='mirrored' divides rows among the devices of one process, and this process "
            "is one of several workers already. Pass distribute='multi_worker', or start another."
        )
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    devices = [f"/device:{kind}:{i}" for i in range(len(tf.config.list_logical_devices(kind)))]
    return _Mirrored(tf.distribute.MirroredStrategy(devices))


def _workers() -> Replicas:
    cluster = Cluster(os.environ.get("TF_CONFIG"))
    context = eager_context()
    if context._collective_leader is None:  # the user has not made such a strategy before
        if context._context_handle is not None:
            raise RuntimeError(
                "distribute='multi_worker': TensorFlow has computed something in this process "
                "already, and the workers must meet before. Begin the script with "
                "tf.distribute.MultiWorkerMirroredStrategy(), or fit this estimator first, with a "
                "function as `model` in place of a network that is built."
            )
        cluster.meet()
    return _Workers(tf.distribute.MultiWorkerMirroredStrategy(), cluster)


# ---------------------------------------------------------------------- what can be divided


def cannot_divide(network: keras.Model) -> str | None:
    """Find what of a network has no mean over replicas' rows that is the mean over all rows.

    Returns
    -------
    str or None
        What it is, and the way out.
    """
    loss = network.loss
    if isinstance(loss, keras.losses.Loss):
        compares = type(loss).__call__ is not keras.losses.Loss.__call__
        if compares or isinstance(loss, _OF_BATCHES):
            return (
                f"{type(loss).__name__} compares the rows of a batch with each other, and a "
                "replica sees a part of them. Take a loss that is a sum over rows, such as "
                "'weighted_bce' or 'focal', and threshold='auto' for the metric"
            )
        if loss.reduction not in ("sum_over_batch_size", "mean"):
            return (
                f"the loss has reduction={loss.reduction!r}, and replicas' losses are averaged. "
                "Leave reduction at 'sum_over_batch_size'"
            )
    for layer in network._flatten_layers():
        if getattr(layer, "synchronized", False):
            return (
                f"the layer {layer.name!r} has synchronized=True, and only Keras' own fit would "
                "do so. Set it to False: statistics are those of each replica's rows"
            )
    return None


def averaged_over_replicas(
    replicas: Replicas, train: Callable[[], Any], variables: list[list[Any]]
) -> Any:
    """Train, and average what replicas found in rows of their own, such as moving means.

    Parameters
    ----------
    replicas : Replicas
    train : callable
        Traced.
    variables : list of list of tf.Variable
        For every replica of this process, those that gradients do not train.
    """
    if replicas.n_replicas == 1 or not variables[0]:
        return train()
    before = [tf.identity(own) for own in variables[0]]
    with tf.control_dependencies(before):
        result = train()
    moved = []
    with tf.control_dependencies(tf.nest.flatten(result)):
        for device, own in zip(replicas.devices, variables, strict=True):
            with replicas.on(device):
                ends = [
                    tf.where(v == b, tf.zeros_like(b), v - b)
                    for v, b in zip(own, before, strict=True)
                ]
            moved.append(ends)
        for device, own, sums in zip(
            replicas.devices, variables, replicas.summed(moved), strict=True
        ):
            with replicas.on(device):
                for variable, b, total in zip(own, before, sums, strict=True):
                    variable.assign(b + total / replicas.n_replicas)
    return result


def added_up(replicas: Replicas, found: list[tuple[Any, list[Any]]]) -> list[tuple[Any, list[Any]]]:
    """Add up losses and gradients, those that are there, over all replicas."""
    if replicas.n_replicas == 1:
        return found
    there = [gradient is not None for gradient in found[0][1]]
    sums = replicas.summed(
        [[loss, *(tf.convert_to_tensor(g) for g in own if g is not None)] for loss, own in found]
    )
    added = []
    for loss, *gradients in sums:
        rest = iter(gradients)
        added.append((loss, [next(rest) if known else None for known in there]))
    return added
