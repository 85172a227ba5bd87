"""A network's members in parts that are trained side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras, tf
from wbce._cores import n_threads
from wbce.networks import members_of, variables_of_members
from wbce.tracing import resource_variables

Result = TypeVar("Result")

_N_PARTS = 2
_WORTH_DIVIDING = 2**26  # multiplications an epoch

# Optimizers that treat every number alike, whatever the shape of its variable.
_BY_NUMBER = {
    getattr(keras.optimizers, name)
    for name in (
        "SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax", "Nadam", "Ftrl", "Lion",
    )
}  # fmt: skip


def n_parts_of(network: keras.Model, n_samples: int) -> int:
    """Into how many parts a network's members are divided: the same on every machine.

    One where parts would not be trained as the whole is, or where it is not worth their while.
    """
    optimizer, n_members = network.optimizer, members_of(network)
    own = {id(variable) for variable in variables_of_members(network)}
    divisible = (
        n_members % _N_PARTS == 0
        and all(id(variable) in own for variable in network.trainable_variables)
        and type(optimizer) in _BY_NUMBER
        and not optimizer.use_ema
        and optimizer.gradient_accumulation_steps is None
        and optimizer.clipnorm is None
        and optimizer.global_clipnorm is None
    )
    worth_it = n_samples * network.count_params() >= _WORTH_DIVIDING
    return _N_PARTS if divisible and worth_it else 1


class Parts:
    """The variables of a network and its optimizer, divided among parts of the members.

    Members' variables and the optimizer's slots for them have a first dimension of members, of
    which each part has its own. Each also has the optimizer's numbers, such as its count of
    steps. All other variables are shared.

    Parameters
    ----------
    network : keras.Model
    n_parts : int
        1 to take the variables as they are.
    others_look : bool, default=False
        Whether others may read or assign the optimizer's variables while parts are trained, and
        assign the network's. All may read the network's.
    """

    def __init__(self, network: keras.Model, n_parts: int, others_look: bool = False) -> None:
        self._n_parts, self._others_look = n_parts, others_look
        self._all = resource_variables(network.variables)
        self._of_members = resource_variables(variables_of_members(network))
        self._divided = [*self._of_members, *resource_variables(network.optimizer.variables)]
        self._shares = [[variable] for variable in self._divided]  # of each variable
        if n_parts > 1:
            self._shares = [[tf.Variable(v) for v in self._split(own)] for own in self._divided]

    def variables(self) -> list[tuple[list[Any], list[Any]]]:
        """For every part the network's variables and the optimizer's."""
        n_own = len(self._of_members)
        parts = []
        for own in map(list, zip(*self._shares, strict=True)):
            stand_in = dict(zip(map(id, self._of_members), own[:n_own], strict=True))
            parts.append(([stand_in.get(id(v), v) for v in self._all], own[n_own:]))
        return parts

    def all_variables(self) -> list[Any]:
        """Every variable that training may change, each once."""
        of_parts = [*self._all, *self._divided, *(v for own in self._shares for v in own)]
        return list({id(variable): variable for variable in of_parts}.values())

    def run(self, train: Callable[[int], Result]) -> list[Result]:
        """Train every part, side by side where this fit has more than one thread."""
        if self._n_parts == 1:
            return [train(0)]
        if self._others_look:
            for variable, shares in zip(self._divided, self._shares, strict=True):
                for share, value in zip(shares, self._split(variable), strict=True):
                    share.assign(value)
        if n_threads() == 1:
            results = [train(part) for part in range(self._n_parts)]
        else:
            with ThreadPoolExecutor(min(self._n_parts, n_threads())) as pool:
                results = list(pool.map(train, range(self._n_parts)))
        self._join(0, len(self._divided) if self._others_look else len(self._of_members))
        return results

    def finish(self) -> None:
        """Bring the optimizer's variables up to date."""
        if not self._others_look:
            self._join(len(self._of_members), len(self._divided))

    def _join(self, start: int, stop: int) -> None:
        """Give some of the variables the values of their shares."""
        if self._n_parts > 1:
            for i in range(start, stop):
                self._divided[i].assign(joined(self._shares[i]))

    def _split(self, variable: Any) -> list[Any]:
        return (
            tf.split(variable, self._n_parts) if variable.shape.rank else [variable] * self._n_parts
        )


def joined(shares: Sequence[Any]) -> Any:
    """The value whose shares parts have; of a number each part has the same."""
    return tf.concat(shares, axis=0) if shares[0].shape.rank else shares[0]


def orders_of_parts(
    order: NDArray[np.integer], batch_size: int, n_parts: int
) -> list[NDArray[np.integer]]:
    """Divide each step's rows, which are those of member after member, among parts.

    Parameters
    ----------
    order : ndarray of shape (n_epochs, n_rows)
    batch_size : int
        Rows a step, of all parts; the last step may have fewer.
    n_parts : int

    Returns
    -------
    list of ndarray of shape (n_epochs, n_rows / n_parts)
    """
    if n_parts == 1:
        return [order]
    steps = [order[:, i : i + batch_size] for i in range(0, order.shape[1], batch_size)]
    shares = [np.split(step, n_parts, axis=1) for step in steps]
    return [np.concatenate(own, axis=1) for own in zip(*shares, strict=True)]
