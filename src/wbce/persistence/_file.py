"""A file of an estimator that runs no code: its data as JSON, and its arrays."""

from __future__ import annotations

import math
import os
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from wbce._archive import ArchiveError, read_archive, write_archive
from wbce.persistence._code import PackedConfig, PackedEncoder, PackedFunction, PackedObject
from wbce.persistence._keras_config import check_config
from wbce.persistence._limits import check_settings, check_sizes
from wbce.persistence._network import check_network
from wbce.persistence._versions import KIND, attributes_of

_INSTEAD = "Set it to None for the file, or store the estimator with pickle or joblib."


def write_state(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write a state as a file.

    Parameters
    ----------
    path : str or path-like
    state : dict
        As an estimator's ``__getstate__`` returns it.

    Raises
    ------
    TypeError
        If there is code of the user's in it that the file cannot hold.
    OSError
        If it cannot be written; what was at ``path`` stays.
    """
    arrays: list[NDArray[Any]] = []
    attributes = {name: _plain(data, name, arrays) for name, data in attributes_of(state).items()}
    write_archive(path, {**state, "attributes": attributes}, arrays)


def read_state(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a state from a file; nothing of it has been run or built.

    Raises
    ------
    ArchiveError
        If the file is damaged, of a later version, or no estimator's.
    OSError
        If it cannot be read.
    """
    document, arrays = read_archive(path)
    try:
        left: list[NDArray[Any] | None] = [*arrays]
        attributes = {
            name: _with_arrays(data, left) for name, data in attributes_of(document).items()
        }
        check_sizes(attributes)
        _check_networks(attributes)
    except ArchiveError:
        raise
    except Exception as error:  # of data of any form
        raise_not_an_estimator(path, error)
    return {**document, "attributes": attributes}


def raise_not_an_estimator(path: str | os.PathLike[str], error: Exception) -> NoReturn:
    """Say that a file's parts do not fit together."""
    said = str(error) or type(error).__name__
    raise ArchiveError(f"{os.fspath(path)!r} cannot be loaded: {said}") from error


# ---------------------------------------------------------------------- to JSON, and back


def _plain(data: Any, where: str, arrays: list[NDArray[Any]]) -> Any:
    """Data as JSON has it; arrays by their number."""
    if data is None or type(data) in (bool, int, str):
        return data
    if type(data) is float:
        return data if math.isfinite(data) else {KIND: "number", "text": repr(data)}
    if type(data) in (list, tuple):  # tuples are in Keras' configurations, which take lists too
        return [_plain(item, where, arrays) for item in data]
    if isinstance(data, np.bool_ | np.integer | np.floating):  # there as well
        return _plain(data.item(), where, arrays)
    if type(data) is dict:
        if data.get(KIND) == "network":
            data = {**data, "configs": _without_code(data["configs"], where)}
        return {key: _plain(item, where, arrays) for key, item in data.items()}
    if type(data) is np.ndarray and data.dtype.kind in "biuf" and data.dtype.itemsize <= 8:
        arrays.append(data)
        return {KIND: "array", "at": len(arrays) - 1}
    if type(data) is PackedObject and data.by_name is not None:
        return _plain({KIND: "keras", "config": data.by_name}, where, arrays)
    if type(data) is PackedFunction:
        named = {"name": data.name, "module": data.module, "registered": data.registered}
        return {KIND: "missing function", **named}
    _refuse(data, where)


def _with_arrays(data: Any, arrays: list[NDArray[Any] | None]) -> Any:
    """Data with their arrays, each of which is named once."""
    if type(data) is list:
        return [_with_arrays(item, arrays) for item in data]
    if type(data) is dict:
        kind = data.get(KIND)
        if kind == "array":
            return _taken(data["at"], arrays)
        if kind == "number":
            return {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}[data["text"]]
        return {key: _with_arrays(item, arrays) for key, item in data.items()}
    return data


def _taken(at: Any, arrays: list[NDArray[Any] | None]) -> NDArray[Any]:
    if type(at) is not int or not 0 <= at < len(arrays):
        raise ValueError(f"it names the array {str(at)[:100]}, and has {len(arrays)}")
    array, arrays[at] = arrays[at], None
    if array is None:
        raise ValueError(f"it names the array {at} twice")
    return array


def _without_code(configs: Any, where: str) -> Any:
    """A network's configurations, where all that they name is Keras' or registered."""
    if isinstance(configs, PackedConfig):
        configs = configs.configs
    try:
        check_config(configs)
    except ValueError as error:
        raise TypeError(
            f"The network {where} cannot be in a file that runs no code. {error}"
        ) from None
    return configs


def _refuse(data: Any, where: str) -> NoReturn:
    held: Any = data
    if isinstance(data, PackedObject):
        held = f"an object of the class {data.cls.name}"
        how = (
            "Register the class with @keras.saving.register_keras_serializable(), where the file "
            "is saved and where it is loaded"
        )
        raise TypeError(
            f"{where} has {held}, which is code, and cannot be in a file that runs none. {how}; or "
            "store the estimator with pickle or joblib."
        )
    if isinstance(data, PackedEncoder):
        held = f"a {data.cls.__name__} with a function"
    else:
        held = f"{str(data)[:100]}, a {type(data).__name__}"
    raise TypeError(
        f"{where} has {held}, which cannot be in a file that runs no code: it may hold numbers, "
        f"texts, lists, dicts and arrays, and losses and optimizers of Keras. {_INSTEAD}"
    )


# ---------------------------------------------------------------------- networks of unknown origin


def _check_networks(data: Any, name: str = "") -> None:
    """Check all networks, wherever they are; nothing has been built of them so far."""
    if isinstance(data, list):
        for item in data:
            _check_networks(item, name)
    elif isinstance(data, dict) and data.get(KIND) == "network":
        try:
            check_network(data)
        except ValueError as error:
            raise ValueError(f"of the network {name}, {error}") from error
        values = [*data["variables"], *(data["optimizer_variables"] or ())]
        compiled = data["configs"]["compile"] or {}
        compiled = {part: said for part, said in compiled.items() if part != "optimizer"}
        check_settings(data["configs"]["network"], sum(value.size for value in values))
        check_settings(compiled)
        if not all(np.isfinite(value).all() for value in values):
            raise ValueError(f"{name} has weights that are infinite or no numbers (NaN)")
    elif isinstance(data, dict):
        for key, item in data.items():
            _check_networks(item, key)
