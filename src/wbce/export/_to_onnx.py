"""To ONNX: a fitted classifier, or a Pipeline that ends in one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from wbce.export._inputs import check_exportable

DEFAULT_OPSET = 17


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
        column, by its name. For a classifier alone X is not looked at: it takes one matrix ``X``;
        or, fitted on a frame with categories, one input of shape (n, 1) a column, where a missing
        number is NaN, and a missing string an empty one.
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
        inputs; a ``feature_encoder`` of one's own; steps of a Pipeline that onnxruntime cannot
        run.

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
    model = pipeline_model(pipeline, X, check_opset(target_opset))
    _check_that_it_runs(model)
    return model


def _check_that_it_runs(model: Any) -> None:
    """Raise if onnxruntime lacks an operator that another step of the Pipeline became."""
    try:
        import onnxruntime
    except ImportError:
        return
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:  # it has classes of its own, from C++
        raise ValueError(
            f"onnxruntime {onnxruntime.__version__} cannot run what skl2onnx made of this "
            f"Pipeline: {error}. Some of scikit-learn's steps have no form for float64: pass "
            "X.astype('float32')."
        ) from error


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"An export to ONNX needs onnx, and of a Pipeline skl2onnx ({error}): "
            "pip install wbce[export]."
        ) from error
