"""Rows as the inputs of an ONNX model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.columns import _is_nan, _values, is_frame


def rows_as_inputs(X: Any, model: Any = None) -> dict[str, NDArray[Any]]:
    """Rows as an ONNX model takes them: one matrix, or a frame's columns by their names.

    Parameters
    ----------
    X : array-like or frame
    model : onnx.ModelProto, optional
        What `to_onnx` returned: its inputs and their types. By default they are as X has them.

    Returns
    -------
    dict of ndarray
        What ``onnxruntime.InferenceSession.run`` is fed with. Columns have shape (n, 1); missing
        strings are empty ones.

    Raises
    ------
    ValueError
        For values that are neither numbers nor booleans nor strings, and for rows that lack an
        input.

    Examples
    --------
    >>> import pandas as pd
    >>> from wbce.export import rows_as_inputs
    >>> rows_as_inputs(pd.DataFrame({"kind": ["a", None], "amount": [1.5, 2.0]}))["kind"].tolist()
    [['a'], ['']]
    """
    inputs = [] if model is None else list(model.graph.input)
    if is_frame(X) and [given.name for given in inputs] == ["X"] and "X" not in X.columns:
        X = X.to_numpy()
    rows = _as_they_are(X)
    if model is None:
        return rows
    missing = [given.name for given in inputs if given.name not in rows]
    if missing:
        raise ValueError(
            f"The model has the inputs {missing}, and X has {list(rows)}. Pass a frame with the "
            "columns of the fit."
        )
    return {given.name: rows[given.name].astype(_numpy_type(given)) for given in inputs}


def _as_they_are(X: Any) -> dict[str, NDArray[Any]]:
    if is_frame(X):
        return {str(name): _plain(X[name], name)[:, np.newaxis] for name in X.columns}
    X = np.asarray(X)
    if X.dtype.kind not in "biufOUS":
        raise ValueError(f"X has the type {X.dtype}, {_ALLOWED}.")
    return {"X": X.astype(np.int64) if X.dtype.kind == "u" else X}


def _numpy_type(given: Any) -> Any:
    from onnx.helper import tensor_dtype_to_np_dtype

    return tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)


_ALLOWED = "and inputs of ONNX are numbers, booleans or strings"


def _plain(column: Any, name: Any) -> NDArray[Any]:
    values = column.to_numpy()
    if values.dtype.kind in "biuf":
        return values.astype(np.int64) if values.dtype.kind == "u" else values
    values = _values(column)
    known = [value for value in values if not _is_nan(value)]
    if all(isinstance(value, str) for value in known):
        return np.array(["" if _is_nan(value) else value for value in values], dtype=object)
    numbers = np.array(values.tolist())
    if numbers.dtype.kind not in "bif":
        kinds = sorted({type(value).__name__ for value in known})
        raise ValueError(f"Column {name!r} of X has values of the types {kinds}, {_ALLOWED}.")
    return numbers
