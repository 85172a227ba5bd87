"""Estimators from files that run no code."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from wbce._archive import ArchiveError
from wbce._parameters import check_parameters
from wbce.classifier import WeightedKerasClassifier
from wbce.columns import FrameColumns
from wbce.persistence import (
    check_outputs,
    numbers_allowed,
    raise_not_an_estimator,
    read_state,
)


def load(path: str | os.PathLike[str]) -> WeightedKerasClassifier:
    """Load an estimator that was stored by its method ``save``.

    No code of the file is run, and none imported: it holds JSON and arrays. Layers, losses and
    functions of the user's must be registered with Keras
    (``@keras.saving.register_keras_serializable()``) before. What the file says is checked, up to
    the prediction of one row, so that one that was cut off, damaged or made to do harm is an
    error, and takes no more memory than some times its size.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    WeightedKerasClassifier
        That predicts as the stored one, to the last bit. A function that was passed as ``model``
        and not registered is a stand-in that says so when ``fit`` calls it.

    Raises
    ------
    wbce.ArchiveError
        A `ValueError`: the file is damaged, no estimator's, of a later version of wbce, or names
        code.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier, load
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("mlp", epochs=5, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clf.save(os.path.join(folder, "model.wbce"))
    ...     twin = load(os.path.join(folder, "model.wbce"))
    >>> bool((twin.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    state = read_state(path)
    try:
        estimator = object.__new__(WeightedKerasClassifier)
        _check_names(state["attributes"])
        estimator.__setstate__(state)
        check_parameters(estimator)
        if estimator._has_network():
            _predict_a_row(estimator)
    except ArchiveError:
        raise
    except Exception as error:  # of data of any form
        raise_not_an_estimator(path, error)
    return estimator


def _check_names(attributes: dict[str, Any]) -> None:
    """Check that no method is covered up."""
    covering = [
        name
        for name in attributes
        if callable(getattr(WeightedKerasClassifier, name, None))
        or isinstance(getattr(WeightedKerasClassifier, name, None), property)
    ]
    if covering:
        raise ValueError(f"it has values in place of the methods {covering}")


def _predict_a_row(estimator: WeightedKerasClassifier) -> None:
    """Go the whole way from a row to a decision, so that what does not fit is found now."""
    for name in estimator._waiting().keys() - {"model_"}:
        getattr(estimator, name)
    if estimator._posterior is None:
        network = estimator.model_
        check_outputs(network, _n_weights(network))
        estimator.predict(np.zeros((1, *estimator.X_shape_[1:])))
        return
    classes, (sample, n_classes, *_) = estimator.classes_, estimator._output
    if np.shape(classes) != (n_classes,) or np.shape(sample)[1:] != estimator.X_shape_[1:]:
        raise ValueError("classes or columns are not those of its network")
    if not (isinstance(estimator.X_dtype_, np.dtype) and isinstance(estimator.y_dtype_, np.dtype)):
        raise ValueError("its columns and labels have no types")
    rows = _a_row(estimator)
    _check_size_of_network(estimator)
    z = estimator._traced_logits()(rows)
    if estimator._wants_keras_predict({}) and not hasattr(estimator, "feature_names_in_"):
        estimator._keras_outputs(np.zeros((1, *estimator.X_shape_[1:])), {})
    parts = z, estimator._shown_scores(z, None), estimator._decision(z)
    if len({part.shape for part in parts}) > 1 or not all(
        np.isfinite(part).all() for part in parts
    ):
        raise ValueError("a row's logits, probabilities and decision do not fit together")


def _a_row(estimator: WeightedKerasClassifier) -> Any:
    """A row of zeros as the network takes it."""
    row = np.zeros((1, *estimator.X_shape_[1:]))
    columns = estimator._frame_columns if "_frame_columns" in vars(estimator) else None
    if not (columns is None or isinstance(columns, FrameColumns)):
        raise ValueError("its columns are not described")
    if not hasattr(estimator, "feature_names_in_"):
        row = estimator._validate_data(row)[0]
    elif np.shape(estimator.feature_names_in_) != row.shape[1:]:
        raise ValueError("its columns have more or fewer names")
    return estimator._encode(row)


def _check_size_of_network(estimator: WeightedKerasClassifier) -> None:
    """Find out how large a network gets before it computes: a plain one is as its weights are."""
    if estimator._waiting().get("model_", {}).get("chain"):
        return
    n_weights = _n_weights(estimator.model_)
    check_outputs(estimator.model_, n_weights)
    largest = estimator._traced_logits().largest_tensor
    if largest > numbers_allowed(n_weights):
        raise ValueError(f"its network makes {largest} numbers of a row, which is too many")


def _n_weights(network: Any) -> int:
    return sum(int(np.prod(variable.shape)) for variable in network.variables)
