"""Which Keras configurations may be built: of Keras' own parts, and of registered ones.

Keras imports whatever module a configuration names. Here only names of a list are let through,
and classes and functions that this process has registered itself.
"""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any

from wbce._backend import keras

# Without those that hold code, read files, or run other frameworks: Lambda, TFSMLayer,
# TextVectorization and the other lookups, TorchModuleWrapper, JaxLayer, FlaxLayer.
_LAYERS = """
    InputLayer Dense EinsumDense Embedding Masking Activation ReLU LeakyReLU PReLU ELU Softmax
    ActivityRegularization Dropout AlphaDropout GaussianDropout GaussianNoise SpatialDropout1D
    SpatialDropout2D SpatialDropout3D BatchNormalization LayerNormalization GroupNormalization
    UnitNormalization RMSNormalization SpectralNormalization Conv1D Conv2D Conv3D
    Conv1DTranspose Conv2DTranspose Conv3DTranspose DepthwiseConv1D DepthwiseConv2D
    SeparableConv1D SeparableConv2D MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D
    AveragePooling2D AveragePooling3D GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D Flatten
    Reshape Permute RepeatVector Identity Add Average Concatenate Dot Maximum Minimum Multiply
    Subtract LSTM GRU SimpleRNN LSTMCell GRUCell SimpleRNNCell RNN StackedRNNCells Bidirectional
    TimeDistributed ConvLSTM1D ConvLSTM2D MultiHeadAttention GroupQueryAttention Attention
    AdditiveAttention Normalization Discretization CategoryEncoding Hashing HashedCrossing
    Rescaling ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D
    UpSampling1D UpSampling2D UpSampling3D
"""

_PLAIN = {
    "__ellipsis__",
    "__keras_tensor__",
    "__numpy__",
    "__slice__",
    "__tensor__",
    "__tuple__",
}
_CONSTANTS = {"__numpy__", "__tensor__"}
_NUMBERS = re.compile(r"bool|u?int\d+|b?float\d+")
_OF_FUNCTIONS = (None, "builtins", "keras.activations", "keras.losses", "keras.metrics")
_WITH_LAYERS = {"keras", "keras.layers", "keras.models", "keras.src.models.functional"}
_NAMING = {"class_name", "registered_name", "config", "name"}
_HOW = (
    "Register the class with @keras.saving.register_keras_serializable() where the file is saved, "
    "and where it is loaded, before that; or store the estimator with pickle or joblib, which is "
    "for files of people you trust."
)


@cache
def _built() -> dict[str, set[str]]:
    """Names of classes by Keras' modules."""
    spaces = {
        "keras.initializers": keras.initializers.Initializer,
        "keras.regularizers": keras.regularizers.Regularizer,
        "keras.constraints": keras.constraints.Constraint,
        "keras.optimizers": keras.optimizers.Optimizer,
        "keras.optimizers.schedules": keras.optimizers.schedules.LearningRateSchedule,
        "keras.losses": keras.losses.Loss,
        "keras.metrics": keras.metrics.Metric,
        "keras.dtype_policies": keras.dtype_policies.DTypePolicy,
    }
    names = {
        space: {
            name
            for name, value in vars(_module(space)).items()
            if inspect.isclass(value) and issubclass(value, base) and "IoU" not in name
        }  # those of images' areas hold a matrix of any size
        for space, base in spaces.items()
    }
    names["keras.layers"] = set(_LAYERS.split())
    names["keras"] = {"Sequential", "Functional", "Model", "DTypePolicy", "FloatDTypePolicy"}
    names["keras.models"] = {"Sequential", "Functional", "Model"}
    names["keras.random"] = {"SeedGenerator"}
    names["keras.src.models.functional"] = {"Functional"}
    return names


@cache
def _functions() -> set[str]:
    spaces = (keras.activations, keras.losses, keras.metrics)
    return {
        name
        for space in spaces
        for name, value in vars(space).items()
        if inspect.isfunction(value) and name not in ("get", "serialize", "deserialize")
    }


def _module(name: str) -> Any:
    found: Any = keras
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


def check_config(config: Any, layers: bool = True) -> None:
    """Refuse a configuration that names anything beyond Keras' own parts and registered ones.

    Parameters
    ----------
    config : dict, list, str, number, bool or None
    layers : bool, default=True
        Whether layers and networks are allowed, which make variables of any size when built.

    Raises
    ------
    ValueError
        That says what it names, and how to register it.
    """
    _check(config, layers, is_call=False)


def with_modules(config: Any) -> Any:
    """A configuration in which registered classes of a script name it, as Keras does not.

    They are found by their registered names, and what names no module is refused.
    """
    if isinstance(config, list | tuple):
        return [with_modules(item) for item in config]
    if not isinstance(config, dict):
        return config
    named = {key: with_modules(item) for key, item in config.items()}
    if named.get("module", "") is None and _is_registered(named.get("registered_name")):
        named["module"] = "__main__"
    return named


def _check(config: Any, layers: bool, is_call: bool) -> None:
    if isinstance(config, list | tuple):
        for item in config:
            _check(item, layers, is_call)
    elif isinstance(config, dict):
        if "class_name" in config or "registered_name" in config or "module" in config:
            _check_object(config, layers, is_call)
        for key, item in config.items():
            _check(item, layers, is_call or key == "inbound_nodes")
            if key not in _NAMING and _is_registered(item):
                raise ValueError(f"The configuration has {key}={item!r}, which names a class.")


def _check_object(config: dict[str, Any], layers: bool, is_call: bool) -> None:
    name, module = config.get("class_name"), config.get("module")
    registered = config.get("registered_name")
    if isinstance(name, str) and name in _PLAIN:
        if name in _CONSTANTS:
            _check_constant(config, is_call)
        return
    if name == "function":
        if isinstance(config.get("config"), str):
            name = config["config"]
        if _is_registered(name) or (name in _functions() and module in _OF_FUNCTIONS):
            return
    elif (
        isinstance(module, str)
        and _is_named_rightly(name, module, registered)
        and (layers or not _is_layer(module, registered))
    ):
        return
    if str(module).startswith("keras.src.ops"):
        raise ValueError(
            f"The configuration names {str(name)[:100]!r}, an operation of keras.ops: use a layer "
            "in its place, such as keras.layers.Add()([x, y]) for x + y and "
            "keras.layers.Activation, or store the estimator with pickle or joblib."
        )
    shown = f"{module}.{name}" if registered in (None, name) else str(registered)
    what = "code" if name in ("Lambda", "__lambda__") else "a class or function"
    raise ValueError(
        f"The configuration names {shown[:200]!r}, {what} that is not built from a file: it is "
        f"none of those of Keras that are known to be harmless, and not registered. {_HOW}"
    )


def _is_named_rightly(name: Any, module: str, registered: Any) -> bool:
    """Whether every way in which Keras may look for the class finds one that is allowed.

    Without a module it would look by ``class_name`` only, and some of those names, such as
    ``__lambda__``, it never looks up.
    """
    if _is_registered(registered):
        return bool(keras.saving.get_registered_object(registered).__name__ == name)
    known = isinstance(name, str) and name in _built().get(module, ())
    return known and registered in (None, name) and not _is_registered(name)


def _is_layer(module: str, registered: Any) -> bool:
    if _is_registered(registered):
        found = keras.saving.get_registered_object(registered)
        return inspect.isclass(found) and issubclass(found, keras.layers.Layer)
    return module in _WITH_LAYERS


def _check_constant(config: dict[str, Any], is_call: bool) -> None:
    """Numbers only; and none that a layer is called with, which would compute with them."""
    held = config.get("config")
    dtype = held.get("dtype") if isinstance(held, dict) else None
    if is_call or not (isinstance(dtype, str) and _NUMBERS.fullmatch(dtype)):
        raise ValueError(
            f"The configuration has an array of type {str(dtype)[:100]!r}, where "
            f"{'none is' if is_call else 'numbers are'} allowed."
        )


def _is_registered(name: Any) -> bool:
    """Whether this process itself has registered something by that name."""
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def is_users(thing: Any) -> bool:
    """Whether a class or function is neither of Keras, TensorFlow nor this package."""
    return not (thing.__module__ or "").startswith(("keras.", "tensorflow.", "wbce."))


def registered_class(cls: type) -> str | None:
    """The name by which :func:`class_named` finds a class; None if it does not."""
    if inspect.isclass(cls) and not is_users(cls):
        name = keras.saving.get_registered_name(cls)
        if keras.saving.get_registered_object(name) is cls:
            return str(name)
        for space, names in _built().items():
            if cls.__name__ in names and getattr(_module(space), cls.__name__, None) is cls:
                return f"{space}.{cls.__name__}"
    return None


def class_named(name: str) -> Any:
    """A class of Keras' or one that is registered.

    Raises
    ------
    ValueError
        If there is none.
    """
    registered = keras.saving.get_registered_object(name)
    if inspect.isclass(registered):
        return registered
    space, _, own = name.rpartition(".")
    if own in _built().get(space, ()):
        return getattr(_module(space), own)
    raise ValueError(f"The file names the class {name[:200]!r}, which is not known here. {_HOW}")
