"""Code of the user's in a pickle: by value, and missed only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import cloudpickle
from sklearn.base import BaseEstimator

from wbce._backend import keras


class PackedFunction:
    """A function or class, stored by value where its module may be missing when it is loaded."""

    def __init__(self, function: Any) -> None:
        self.name = getattr(function, "__qualname__", repr(function))
        self.module = getattr(function, "__module__", None)
        self.code = cloudpickle.dumps(function)
        self.python = sys.version_info[:2]
        registered = keras.saving.get_registered_name(function)
        known = keras.saving.get_registered_object(registered)
        self.registered = registered if known is function else None

    def unpack(self) -> Any:
        """Return the function, or a stand-in that says what is missing when it is called."""
        by_value = b"cloudpickle" in self.code
        if not by_value or self.python == sys.version_info[:2]:  # another's would crash
            try:
                return cloudpickle.loads(self.code)
            except (ImportError, AttributeError):
                pass
        return MissingFunction(self.name, self.module, self)


class PackedObject:
    """A loss or metric of a user's class: the class by value, and its configuration."""

    def __init__(self, value: Any) -> None:
        self.cls = PackedFunction(type(value))
        self.config = value.get_config()
        self.by_name = None  # how a file names it, if its class is registered
        if self.cls.registered is not None:
            self.by_name = keras.saving.serialize_keras_object(value)

    def unpack(self) -> Any:
        """Rebuild the object; a stand-in for its class says what is missing, if it is."""
        cls = self.cls.unpack()
        return cls if isinstance(cls, MissingFunction) else cls.from_config(self.config)


class PackedConfig:
    """Configurations of a network that name code of the user's; and that code, by value."""

    def __init__(self, configs: dict[str, Any], code: dict[str, Any]) -> None:
        self.configs = configs
        self.code = {name: PackedFunction(thing) for name, thing in code.items()}


class PackedEncoder:
    """A fitted encoder that holds a function, such as a FunctionTransformer.

    Parameters
    ----------
    encoder : BaseEstimator
    encode : callable
        What turns its attributes into data.
    """

    def __init__(self, encoder: BaseEstimator, encode: Callable[[Any], Any]) -> None:
        self.cls = type(encoder)
        self.state = {name: encode(value) for name, value in vars(encoder).items()}

    def unpack(self, decode: Callable[[Any], Any]) -> BaseEstimator:
        """Rebuild the encoder; ``decode`` turns its attributes back."""
        encoder = object.__new__(self.cls)
        encoder.__dict__.update({name: decode(value) for name, value in self.state.items()})
        return encoder


class MissingFunction:
    """Stands for a function that a file does not hold, or whose module could not be imported.

    Parameters
    ----------
    name, module : str
    packed : PackedFunction, optional
        What a pickle holds of it, to be pickled again.
    """

    def __init__(self, name: str, module: str | None, packed: PackedFunction | None = None) -> None:
        self.name, self.module, self.packed = str(name), str(module), packed

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Say what is missing."""
        raise RuntimeError(
            f"The function {self.name!r} of module {self.module!r} was not found when this "
            "estimator was loaded, or is of another version of Python. The fitted estimator "
            "predicts without it; to fit again, pass the function with set_params (or, with a "
            "pickle, make the module importable)."
        )

    def __repr__(self) -> str:
        return f"<missing function {self.module}.{self.name}>"
