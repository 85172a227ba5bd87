"""To ONNX: a fitted classifier, or a Pipeline that ends in one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from wbce.export._inputs import check_exportable
from wbce.export._rows import rows_as_inputs

DEFAULT_OPSET = 17

# Of a Pipeline's model, so many rows are compared with the Pipeline, whose steps may count in
# float64 where the model has float32.
_ROWS_TO_CHECK = 256
_NEAR_ENOUGH = 1e-3


def to_onnx(
    estimator: Any,
    X: Any = None,
    *,
    path: str | os.PathLike[str] | None = None,
    target_opset: int = DEFAULT_OPSET,
) -> Any:
    """Turn a fitted classifier, or a Pipeline that ends in one, into an ONNX model.

    Its outputs are ``label``, of shape (n,), as ``predict`` gives it, and ``probabilities``,
    float32 of shape (n, n_classes), as ``predict_proba`` does: prior, posterior, threshold and
    costs are inside. Of several labels both have a column for each. A server needs onnxruntime,
    neither TensorFlow nor scikit-learn.

    Parameters
    ----------
    estimator : WeightedKerasClassifier or Pipeline
        Fitted.
    X : array-like or frame, optional
        Some rows as they will be scored. For a Pipeline, which needs it, their types are those of
        the inputs: float64 rows are scaled in float64. A frame has one input of shape (n, 1) a
        column, by its name. The first 256 rows are scored by both, and compared. A classifier
        alone does not look at X: it takes one matrix ``X``; or, fitted on a frame with categories,
        one input of shape (n, 1) a column, where a missing number is NaN, and a missing string an
        empty one. See `rows_as_inputs`.
    path : path-like, optional
        A file to write the model to.
    target_opset : int, default=17
        Version of ONNX's operators, 15 or more.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    NotFittedError
    ImportError
        If onnx is not installed, or skl2onnx for a Pipeline.
    TypeError
        For other estimators.
    ValueError
        For what cannot be exported: a Keras loss without a posterior on targets that are no
        classes; a posterior of several classes without a closed form; networks with several
        inputs; a ``feature_encoder`` of one's own; steps of a Pipeline that skl2onnx turns
        into something that onnxruntime cannot run, or that differs on X.

    Notes
    -----
    The network counts in float32, as it does here, and all that follows in float64. Posterior
    maps other than a shift are tables, within 1e-6 of the map in log-odds: no probability moves
    by more than that. Every export is compared with the estimator, on logits of all sizes.

    Examples
    --------
    >>> import numpy as np, onnxruntime
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier
    >>> from wbce.export import to_onnx
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", class_weight="balanced", epochs=3, random_state=0)
    >>> model = to_onnx(clf.fit(X, y))
    >>> session = onnxruntime.InferenceSession(model.SerializeToString())
    >>> label, proba = session.run(None, {"X": X.astype("float32")})
    >>> bool((label == clf.predict(X)).all()), bool(np.allclose(proba, clf.predict_proba(X)))
    (True, True)
    """
    if isinstance(estimator, Pipeline):
        model = _pipeline(estimator, X, target_opset)
    else:
        check_exportable(estimator)
        with _installed():
            from wbce.export._graph import check_opset
            from wbce.export._onnx import classifier_model
        model = classifier_model(estimator, check_opset(target_opset))
    if path is not None:
        with open(path, "wb") as file:
            file.write(model.SerializeToString())
    return model


def _pipeline(pipeline: Pipeline, X: Any, target_opset: int) -> Any:
    check_is_fitted(pipeline)
    check_exportable(pipeline[-1])
    if X is None:
        raise ValueError(
            "A Pipeline needs X, some rows as they will be scored: their names and types are those "
            "of the model's inputs."
        )
    with _installed():
        from wbce.export._graph import check_opset
        from wbce.export._skl2onnx import pipeline_model
    opset = check_opset(target_opset)
    try:
        model = pipeline_model(pipeline, X, opset)
    except RuntimeError as error:  # all that skl2onnx raises of a step, in its own terms
        raise ValueError(
            f"skl2onnx cannot convert a step of this Pipeline: {error} It has no form for some of "
            "scikit-learn's steps and options, such as SimpleImputer's add_indicator, nor for "
            "whole numbers beside others in one step: make them all floats before the fit. The "
            "built-in networks need no imputer, encoder or scaler: without them the classifier "
            "is exported alone."
        ) from error
    _check_with_rows(model, pipeline, X)
    return model


def _check_with_rows(model: Any, pipeline: Pipeline, X: Any) -> None:
    """Raise if onnxruntime cannot run what other steps became, or finds something else."""
    try:
        import onnxruntime
    except ImportError:
        return
    X = X[:_ROWS_TO_CHECK]
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        proba = session.run(["probabilities"], rows_as_inputs(X))[0]
    except Exception as error:  # it has classes of its own, from C++
        raise ValueError(
            f"onnxruntime {onnxruntime.__version__} cannot run what skl2onnx made of this "
            f"Pipeline: {error}. Some of scikit-learn's steps have no form for float64: pass "
            "X.astype('float32')."
        ) from error
    apart = float(np.abs(proba - pipeline.predict_proba(X)).max())
    if not apart < _NEAR_ENOUGH:
        raise ValueError(
            f"The model that skl2onnx made of this Pipeline is up to {apart:.2g} from its "
            "probabilities, on the rows passed: it has another notion of a step before the "
            "classifier, such as of missing values. Change that step, or export the classifier "
            "alone and transform rows before."
        )


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"An export to ONNX needs onnx, and of a Pipeline skl2onnx ({error}): "
            "pip install wbce[export]."
        ) from error
