"""What an estimator holds: forgotten before a fit, restored after an error, packed for pickling."""

from __future__ import annotations

import copy
import inspect
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from wbce._backend import KerasClassifier
from wbce.losses import OwnLoss
from wbce.persistence import (
    KIND,
    LAZY,
    attributes_of,
    check_sizes,
    decode,
    encode,
    network_data,
    state_of,
    write_state,
)
from wbce.progress import FitProgress, is_live


class State(KerasClassifier):
    """Fitted state and where it starts from."""

    _as_data: dict[str, Any]  # attributes that are made from their data when they are asked for
    _progress: FitProgress  # while a fit goes on

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
            "_sparse_rows",
        ):
            self.__dict__.pop(name, None)
        self._as_data = {k: v for k, v in self._waiting().items() if not k.endswith("_")}
        self._logit_function = None
        self.classes_ = None

    def _waiting(self) -> dict[str, Any]:
        """Attributes that are data still."""
        waiting = self.__dict__.get("_as_data", {})
        return {k: v for k, v in waiting.items() if k not in self.__dict__}

    def _has_network(self) -> bool:
        """Whether there is a fitted network, made already or not."""
        return "model_" in self.__dict__ or "model_" in self._waiting()

    @contextmanager
    def _showing(self, arguments: dict[str, Any], in_parts: bool = False) -> Iterator[None]:
        """The time of a fit, with its line if it is wanted; a fold shares that of the whole fit.

        One that trains in parts has none: how many there will be, only its caller knows.
        """
        if "_progress" not in self.__dict__:
            verbose = arguments.get("verbose", getattr(self, "fit__verbose", self.verbose))
            seen = is_live(verbose) and not in_parts
            self._progress = FitProgress.here() if seen else FitProgress.unseen()
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            self.__dict__.pop("_progress").close(succeeded)

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

    # ------------------------------------------------------------------ stored and copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self._stored(with_optimizer_state=True), memo))
        return twin

    def __getstate__(self) -> dict[str, Any]:
        asked = self.__dict__.get("_keeps_optimizer", True) or self.warm_start
        return self._stored(with_optimizer_state=bool(asked))

    def _stored(self, with_optimizer_state: bool) -> dict[str, Any]:
        """All attributes as data."""
        held = {name: value for name, value in self.__dict__.items() if name not in _NOT_STORED}
        network = None if with_optimizer_state else held.pop("model_", None)
        attributes = {name: encode(value) for name, value in held.items()}
        attributes.update(self._waiting())
        if network is not None:
            attributes["model_"] = {KIND: "network", **network_data(network, False)}
        if not with_optimizer_state and "model_" in attributes:
            attributes["_optimizer_slots"] = None
            attributes["model_"] = {**attributes["model_"], "optimizer_variables": None}
        return state_of(dict(sorted(attributes.items())))  # in one order: the same file

    def __setstate__(self, state: dict[str, Any]) -> None:
        attributes = {**_defaults(type(self)), **attributes_of(state)}
        check_sizes(attributes)
        lazy = {name for name, data in attributes.items() if _is_lazy(data)}
        self.__dict__.update({n: decode(d) for n, d in attributes.items() if n not in lazy})
        self._as_data = {name: attributes[name] for name in lazy}
        self._logit_function = None

    def __getattr__(self, name: str) -> Any:
        """What takes long to make from its data is made when it is first asked for."""
        if name in self._waiting():
            with _one_at_a_time:
                if name in self._as_data:  # another thread may have been here
                    self.__dict__[name] = decode(self._as_data[name])
                    if name == "model_":
                        self._logit_function = None  # it may be trained: weights are read anew
                    self._as_data = {k: v for k, v in self._as_data.items() if k != name}
            return self.__dict__[name]
        return object.__getattribute__(self, name)  # raises, as a property that failed did

    def save(self, path: str | os.PathLike[str]) -> None:
        """Store this estimator in a file that runs no code when it is loaded: JSON and arrays.

        A file that is there already is replaced when the new one is complete, and stays if that
        fails. :func:`wbce.load` loads it. For a Pipeline use joblib, or ``skops.io``.

        Parameters
        ----------
        path : str or path-like
            Its folder must exist. No name or ending is added.

        Raises
        ------
        TypeError
            If the network or a parameter has code in it that is not registered with Keras: a Lambda
            layer, a layer or loss of your own. The message says how to register it. Functions
            that only training needs, such as one passed as ``model``, are left out. Or if this is
            a subclass, which the file would not know.
        ValueError
            If the file could not be loaded again: it is tried before it takes its place.
        OSError
            If the file cannot be written.

        See Also
        --------
        wbce.load : what it does with a file of unknown origin.

        Examples
        --------
        >>> import os, tempfile
        >>> from sklearn.datasets import make_classification
        >>> from wbce import WeightedKerasClassifier, load
        >>> X, y = make_classification(400, weights=[0.9], random_state=0)
        >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.wbce")
        ...     clf.save(path)
        ...     loaded = load(path)
        >>> bool((loaded.predict(X) == clf.predict(X)).all())
        True
        """
        from wbce.files import load  # which makes estimators of this class

        if f"{type(self).__module__}.{type(self).__name__}" != _OF_FILES:
            raise TypeError(
                f"A file holds a WeightedKerasClassifier, and this is a {type(self).__name__}, "
                "whose own methods it would not have when loaded: store it with pickle or joblib."
            )
        write_state(path, self.__getstate__(), check=load)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the parameters by name.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of parameters that are estimators.

        Returns
        -------
        dict

        Examples
        --------
        >>> from wbce import WeightedKerasClassifier
        >>> WeightedKerasClassifier(pos_weight=9).get_params()["pos_weight"]
        9
        """
        if "model" in self._waiting():
            _ = self.model  # parameters are found by their attributes
        params: dict[str, Any] = super().get_params(deep=deep)
        return params


_OF_FILES = "wbce.classifier.WeightedKerasClassifier"
_NOT_STORED = ("_as_data", "_logit_function")
_one_at_a_time = threading.RLock()


def _defaults(cls: type) -> dict[str, Any]:
    """Parameters that came after an estimator was stored."""
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return {p.name: encode(p.default) for p in parameters if p.default is not p.empty}


def _is_lazy(data: Any) -> bool:
    return isinstance(data, dict) and data.get(KIND) in LAZY
