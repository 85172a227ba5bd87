"""Estimators from files that run no code."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from wbce._archive import ArchiveError
from wbce._parameters import check_parameters
from wbce.classifier import WeightedKerasClassifier
from wbce.inference import LogitFunction
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


def _checked_logits(estimator: WeightedKerasClassifier) -> LogitFunction:
    """Find out how large a network gets before it computes: a plain one is its weights."""
    if not estimator._waiting().get("model_", {}).get("chain"):
        network = estimator.model_
        n_weights = sum(int(np.prod(variable.shape)) for variable in network.variables)
        check_outputs(network, n_weights)
        largest = estimator._traced_logits().largest_tensor
        if largest > numbers_allowed(n_weights):
            raise ValueError(f"its network makes {largest} numbers of a row, which is too many")
    return estimator._traced_logits()


def _predict_a_row(estimator: WeightedKerasClassifier) -> None:
    """Go the whole way from a row to a decision, so that what does not fit is found now."""
    classes = estimator.classes_
    _ = estimator.target_encoder_
    if estimator._posterior is None:
        _ = estimator.model_
        return
    sample, n_classes = estimator._output[:2]
    if len(classes) != n_classes or np.shape(sample)[1:] != estimator.X_shape_[1:]:
        raise ValueError("classes or columns are not those of its network")
    z = _checked_logits(estimator)(estimator._encode(sample))
    parts = z, estimator._shown_scores(z, None), estimator._decision(z)
    if len({part.shape for part in parts}) > 1 or not all(
        np.isfinite(part).all() for part in parts
    ):
        raise ValueError("a row's logits, probabilities and decision do not fit together")
