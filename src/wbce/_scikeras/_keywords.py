"""Parameters by keyword: routed ones, those of the network's function, and none that is unknown."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

from wbce._backend import BaseWrapper, KerasClassifier, keras
from wbce.networks import DEFAULT_NETWORK, DEFAULT_SPARSE_NETWORK

_SCIKERAS_KEYWORDS = (
    {"build_fn", "validation_batch_size", "run_eagerly"}
    | BaseWrapper._fit_kwargs
    | BaseWrapper._predict_kwargs
    | BaseWrapper._compile_kwargs
)
_PREFIXES = (*BaseWrapper._routing_prefixes, "callbacks", "score")


class Keywords(KerasClassifier):
    """Which keywords an estimator takes."""

    build_fn: Any = None  # SciKeras' old name for `model`

    def _take_keywords(self, keywords: dict[str, Any]) -> None:
        """Store routed parameters and arguments of the network function; refuse all others."""
        known = [p for p in inspect.signature(type(self).__init__).parameters if p != "self"]
        for name in keywords:
            if name in _SCIKERAS_KEYWORDS or _is_routed(name):
                continue
            near = get_close_matches(name, known, 1)
            named = _accepts(self._network_function(), name)
            if named or (named is None and not near):
                continue  # what the function does not name, it refuses when it is called
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"{type(self).__name__} got an unexpected keyword argument {name!r}.{hint} "
                "An argument of the function that builds the network is passed as "
                f"model__{name}, or as {name} where `model` is a function that names it."
            )
        self.__dict__.update(keywords)
        arguments = {n for n in keywords if not _is_routed(n) and n not in _SCIKERAS_KEYWORDS}
        if arguments:
            self._user_params = arguments

    def _network_function(self) -> Any:
        """What builds the network: a function, a method of a subclass, or None."""
        build_fn = getattr(self, "build_fn", None)
        method = getattr(self, "_keras_build_fn", None)
        given = None if isinstance(self.model, str) else self.model
        return next((f for f in (given, build_fn, method) if f is not None), None)

    def _built_in(self) -> str | None:
        """Name of the built-in network; None where the user's is taken."""
        if self._network_function() is not None:
            return None
        default = DEFAULT_SPARSE_NETWORK if self._sparse_rows else DEFAULT_NETWORK
        return self.model or default

    def set_params(self, **params: Any) -> Any:
        """Set parameters; routed ones (``optimizer__learning_rate``) need not exist before.

        Parameters
        ----------
        **params : dict
            Parameters by name.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a name is unknown; the nearest known one is suggested.

        Examples
        --------
        >>> from wbce import WeightedKerasClassifier
        >>> clf = WeightedKerasClassifier().set_params(pos_weight=9, optimizer__learning_rate=0.01)
        >>> clf.get_params()["pos_weight"]
        9
        """
        known = [name for name in self.get_params(deep=False) if not _is_routed(name)]
        for name in params:
            if _is_routed(name) or name in known or name in _SCIKERAS_KEYWORDS:
                continue
            near = get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"Invalid parameter {name!r} for {type(self).__name__}.{hint} "
                f"Known parameters: {sorted(known)}."
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self


def _is_routed(name: str) -> bool:
    prefix, _, argument = name.partition("__")
    return prefix in _PREFIXES and bool(argument)


def _accepts(function: Any, name: str) -> bool | None:
    """Whether a network function takes ``name``; False when there is none, None if it does not."""
    if function is None or isinstance(function, keras.Model) or not callable(function):
        return False
    parameters = inspect.signature(function).parameters.values()
    if any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters):
        return True
    return None
