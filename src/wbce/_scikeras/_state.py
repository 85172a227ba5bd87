"""What an estimator holds: forgotten before a fit, restored after an error, packed for pickling."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from wbce._backend import KerasClassifier
from wbce.losses import OwnLoss
from wbce.persistence import PackedNetwork, pack, unpack


class State(KerasClassifier):
    """Fitted state and where it starts from."""

    def _pop_fit_argument(self, name: str, arguments: dict[str, Any]) -> Any:
        """Take an argument of ``fit``: the keyword, else ``fit__name``, else the parameter."""
        routed = getattr(self, f"fit__{name}", getattr(self, name, None))
        return arguments.pop(name, routed)

    def _draw_seed(self) -> int:
        """A seed for this fit; a RandomState is copied, so that the same one gives the same fit."""
        if isinstance(self.random_state, np.random.RandomState):
            generator = np.random.RandomState()
            generator.set_state(self.random_state.get_state())
        elif self.random_state is None:
            generator = check_random_state(None)
        else:
            generator = check_random_state(self.random_state)
        return int(generator.randint(2**31 - 1))

    def _forget(self) -> None:
        """Start anew: nothing of an earlier fit remains."""
        for name in [n for n in self.__dict__ if n.endswith("_") and not n.startswith("__")]:
            delattr(self, name)
        for name in (
            "_posterior",
            "_calibration",
            "_weights_in_loss",
            "_log_multipliers",
            "_log_prior_shift",
            "_counts_so_far",
            "_chosen_for",
            "_costs",
            "_empty_labels",
            "_full_labels",
            "_tuned_rows",
            "_interval",
            "_moved_prior",
            "_loss_was_told",
            "_loss_as_given",
            "_has_map",
            "_cut",
            "_positive",
            "_weight_so_far",
            "_output",
            "_optimizer_slots",
            "_keeps_optimizer",
            "_frame_columns",
            "_input_columns",
        ):
            self.__dict__.pop(name, None)
        self._logit_function = None
        self.classes_ = None

    @contextmanager
    def _as_it_was_on_error(self) -> Iterator[None]:
        before = dict(self.__dict__)
        network = before.get("model_")
        variables = [] if network is None else list(network.variables)
        optimizer = getattr(network, "optimizer", None)
        if optimizer is not None:  # before it has slots it still counts steps
            variables += optimizer.variables
        values = [variable.numpy() for variable in variables]
        loss = None if network is None else network.loss
        told = dict(vars(loss)) if isinstance(loss, OwnLoss) else {}
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            if network is not None and told:
                network.loss = loss
                vars(loss).clear()
                vars(loss).update(told)
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
            raise

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self._packed(with_optimizer_state=True), memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        asked = self.__dict__.get("_keeps_optimizer", True) or self.warm_start
        return self._packed(with_optimizer_state=bool(asked))

    def _packed(self, with_optimizer_state: bool) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "_logit_function" in state:
            state["_logit_function"] = None
        if not with_optimizer_state and "model_" in state:
            state["_optimizer_slots"] = None
            state["model_"] = PackedNetwork(state["model_"], with_optimizer_state=False)
        return {name: pack(value) for name, value in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({name: unpack(value) for name, value in state.items()})
