"""What a fitted estimator takes, as plain data; and what of it no export can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from wbce.classifier import WeightedKerasClassifier
from wbce.networks import OffsetRemover
from wbce.tracing import input_dtypes


@dataclass(frozen=True)
class Categories:
    """A column of categories: values and the numbers that stand for them; others become NaN."""

    values: NDArray[Any]
    numbers: NDArray[np.float32]


@dataclass(frozen=True)
class Inputs:
    """Rows as they are given, and the way to what the network takes.

    Attributes
    ----------
    shape : tuple of int
        Of one row.
    given, taken : str
        Types of the numbers as they are given, and as the network takes them.
    offset : ndarray of shape (n_features,) or None
        Subtracted in float64.
    columns : dict or None
        For a frame with categories: for every column by its name its `Categories`, or None for
        numbers. Each is an input of its own.
    """

    shape: tuple[int, ...]
    given: str
    taken: str
    offset: NDArray[np.float64] | None
    columns: dict[str, Categories | None] | None


def check_exportable(estimator: Any) -> None:
    """Raise for what cannot be exported.

    Raises
    ------
    NotFittedError
    TypeError
        For other estimators.
    ValueError
        For fitted ones without a posterior of classes or labels.
    """
    if not isinstance(estimator, WeightedKerasClassifier):
        raise TypeError(
            "Only a WeightedKerasClassifier can be exported, or to ONNX a Pipeline that ends in "
            f"one; got {type(estimator).__name__}. Of a search pass best_estimator_."
        )
    check_is_fitted(estimator, "model_")
    if estimator._posterior is None:
        raise ValueError(
            "What can be exported are classes and labels with a posterior; this "
            f"{type(estimator).__name__} was fitted on targets of type "
            f"{estimator.target_type_!r} with loss={estimator.model_.loss!r}, and predicts what "
            "Keras does: use estimator.model_.export."
        )


def inputs_of(estimator: Any) -> Inputs:
    """Describe what a fitted estimator takes.

    Raises
    ------
    ValueError
        If it transforms rows in a way that is not known here, or takes several arrays.
    """
    encoder = estimator.feature_encoder_
    offset = None
    if isinstance(encoder, OffsetRemover):
        offset = encoder.offset_
    elif type(encoder) is not FunctionTransformer or encoder.func is not None:
        raise ValueError(
            f"feature_encoder is a {type(encoder).__name__}, which cannot be exported. Do what it "
            "does in a step of a Pipeline, before the classifier."
        )
    sample = estimator._output[0]
    if not isinstance(sample, np.ndarray):
        raise ValueError(
            "The network takes several arrays, and exports take one. Give it one input, and take "
            "it apart inside the network."
        )
    taken = input_dtypes(estimator.model_, [sample])[0].name
    if taken not in ("float32", "float64", "int32", "int64"):
        raise ValueError(
            f"The network takes {taken}, and exports are of float32, float64, int32 or int64. Cast "
            "inside the network."
        )
    frame = getattr(estimator, "_frame_columns", None)
    columns = None
    if frame is not None and frame.categorical:
        columns = {
            str(name): _categories(frame._codes[name]) if name in frame._codes else None
            for name in frame.names
        }
    given = taken if offset is None else "float64"
    return Inputs(tuple(sample.shape[1:]), given, taken, offset, columns)


def _categories(codes: dict[Any, int]) -> Categories:
    if not codes:  # all were missing, as is everything
        return Categories(np.array([""], dtype=object), np.full(1, np.nan, dtype=np.float32))
    return Categories(_typed(list(codes)), np.array(list(codes.values()), dtype=np.float32))


def _typed(known: list[Any]) -> NDArray[Any]:
    """Values as one type that ONNX has: strings, booleans, whole numbers or numbers."""
    if all(isinstance(value, str) for value in known):
        return np.array(known, dtype=object)
    values = np.array(known)
    if values.dtype.kind in "bi":
        return values
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    raise ValueError(
        f"A column has the categories {known[:5]}, which cannot be exported: strings and numbers "
        "can. Make them strings."
    )
