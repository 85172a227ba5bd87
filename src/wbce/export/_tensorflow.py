"""To TensorFlow's own files: a SavedModel, or a flatbuffer for LiteRT (TensorFlow Lite)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from wbce._backend import tf
from wbce.export._inputs import check_exportable, inputs_of
from wbce.export._maps import after_logits
from wbce.export._scores import codes, probabilities, scores
from wbce.inference._logits import _Program


def to_saved_model(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted classifier as a TensorFlow SavedModel.

    Its signature ``serving_default`` takes ``X`` and gives ``label`` and ``probabilities``, as
    ``predict`` and ``predict_proba`` do: prior, posterior and threshold are inside.

    Parameters
    ----------
    estimator : WeightedKerasClassifier
        Fitted.
    path : path-like
        A folder; written over if it is there.

    Raises
    ------
    NotFittedError
    TypeError
        For other estimators.
    ValueError
        For what cannot be exported: see `to_onnx`; and for frames with categories, which only
        ONNX takes.

    Examples
    --------
    >>> import tempfile, numpy as np, tensorflow as tf
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier
    >>> from wbce.export import to_saved_model
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_saved_model(clf, folder)
    ...     served = tf.saved_model.load(folder).signatures["serving_default"]
    ...     proba = served(X=tf.constant(X[:2], "float32"))["probabilities"].numpy()
    >>> bool(np.allclose(proba, clf.predict_proba(X[:2]), atol=1e-5))
    True
    """
    module = _Classifier(estimator, tf.float64)
    labels = module.labels
    named = tf.constant(labels.tolist() if labels.dtype == object else labels)

    def served(X: Any) -> dict[str, Any]:
        code, proba = module.answer(X)
        label = tf.cast(code, tf.int64) if module.kind == "labels" else tf.gather(named, code)
        return {"label": label, "probabilities": proba}

    function = tf.function(served, autograph=False, input_signature=[module.rows])
    module.served = function
    tf.saved_model.save(module, os.fspath(path), signatures=function.get_concrete_function())


def to_litert(estimator: Any, path: str | os.PathLike[str] | None = None) -> bytes:
    """Turn a fitted classifier into a LiteRT (TensorFlow Lite) flatbuffer.

    It takes ``X`` and gives ``label``, the number of the class among ``classes_`` (zeros and ones
    for several labels), and ``probabilities``. It counts in float32 throughout.

    Parameters
    ----------
    estimator : WeightedKerasClassifier
        Fitted.
    path : path-like, optional
        A file to write it to.

    Returns
    -------
    bytes

    Raises
    ------
    NotFittedError
    TypeError
        For other estimators.
    ValueError
        For what cannot be exported: see `to_saved_model`; and for columns so far from zero that
        float32 cannot hold their variation.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier
    >>> from wbce.export import to_litert
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", epochs=3, random_state=0).fit(X, y)
    >>> made = to_litert(clf)  # bytes, for tf.lite.Interpreter(model_content=made)
    >>> made[4:8]
    b'TFL3'
    """
    module = _Classifier(estimator, tf.float32)
    if module.rows.dtype == tf.float64:
        raise ValueError(
            "LiteRT counts in float32, which cannot hold X: a column is more than 10,000 standard "
            "deviations from zero, or the network takes float64. Subtract a column's offset before "
            "fitting, or export to ONNX or a SavedModel."
        )

    def served(X: Any) -> dict[str, Any]:
        code, proba = module.answer(X)
        return {"label": code, "probabilities": proba}

    function = tf.function(served, autograph=False, input_signature=[module.rows])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], module
    )
    made: bytes = converter.convert()
    if path is not None:
        with open(path, "wb") as file:
            file.write(made)
    return made


class Logits(tf.Module):
    """A fitted network's logits as a function of TensorFlow, with variables of its own.

    Parameters
    ----------
    estimator : WeightedKerasClassifier
    dtype : tf.DType
        What the network takes.

    Attributes
    ----------
    n_outputs : int
        Columns of the logits.
    """

    def __init__(self, estimator: Any, dtype: tf.DType) -> None:
        super().__init__(name="network")
        network = estimator.model_
        sample, _, output_is_logits, several = estimator._output
        self._program = _Program(network, sample, [dtype], output_is_logits, several)
        shape = self._program.shape
        self.n_outputs = 1 if len(shape) == 1 else int(shape[-1])
        self._own = [tf.Variable(v.numpy(), trainable=False) for v in network.variables]

    def __call__(self, X: Any) -> Any:
        return self._program._function(self._own, X)


class _Classifier(tf.Module):
    """A network with variables of its own, and what comes after its logits.

    Parameters
    ----------
    estimator : WeightedKerasClassifier
    dtype : tf.DType
        Of what comes after the logits.
    """

    def __init__(self, estimator: Any, dtype: tf.DType) -> None:
        super().__init__(name="wbce")
        check_exportable(estimator)
        takes = inputs_of(estimator)
        if takes.columns is not None:
            raise ValueError(
                "The classifier was fitted on a frame with categories, which only to_onnx can "
                "export. Turn them into numbers in a step before the classifier."
            )
        self._after = after_logits(estimator)
        self.kind, self.labels = self._after.kind, self._after.labels
        self.rows = tf.TensorSpec((None, *takes.shape), tf.as_dtype(takes.given), name="X")
        self._taken, self._offset = tf.as_dtype(takes.taken), takes.offset
        self._xp = _TensorFlowOperations(dtype)
        self._network = Logits(estimator, self._taken)

    def answer(self, X: Any) -> tuple[Any, Any]:
        """Codes and probabilities of rows."""
        if self._offset is not None:
            X = X - tf.constant(self._offset)
        z = tf.cast(self._network(tf.cast(X, self._taken)), self._xp.dtype)
        if self.kind == "binary" and self._network.n_outputs == 2:
            z = z[:, 1:] - z[:, :1]
        after = self._after
        posterior = scores(after.posterior, z, self._xp)
        shown = posterior if after.shown is after.posterior else scores(after.shown, z, self._xp)
        proba = probabilities(after.kind, shown, self._xp)
        return codes(after.kind, after.decision, posterior, self._xp), tf.cast(proba, tf.float32)


class _TensorFlowOperations:
    """The formulas in TensorFlow."""

    exp, log, sigmoid = staticmethod(tf.exp), staticmethod(tf.math.log), staticmethod(tf.sigmoid)
    maximum, matmul = staticmethod(tf.maximum), staticmethod(tf.matmul)
    log_sigmoid = staticmethod(tf.math.log_sigmoid)

    def __init__(self, dtype: tf.DType) -> None:
        self.dtype = dtype

    def constant(self, values: NDArray[Any]) -> Any:
        return tf.constant(values, self.dtype)

    def max(self, x: Any, axis: int) -> Any:
        return tf.reduce_max(x, axis=axis, keepdims=True)

    def sum(self, x: Any, axis: int) -> Any:
        return tf.reduce_sum(x, axis=axis, keepdims=True)

    def concat(self, parts: Sequence[Any], axis: int) -> Any:
        return tf.concat(parts, axis=axis)

    def part(self, x: Any, axis: int, start: int, stop: int) -> Any:
        return x[(slice(None),) * axis + (slice(start, stop),)]

    def expand(self, x: Any, axis: int) -> Any:
        return tf.expand_dims(x, axis)

    def squeeze(self, x: Any, axis: int) -> Any:
        return tf.squeeze(x, axis)

    def above(self, x: Any, y: Any) -> Any:
        return tf.cast(x > y, tf.int32)

    def n_reached(self, x: Any, places: Any) -> Any:
        return tf.reduce_sum(tf.cast(x >= places, tf.int32), axis=-1)

    def take(self, values: Any, places: Any) -> Any:
        return tf.gather(values, places)

    def argmax(self, x: Any) -> Any:
        return tf.argmax(x, axis=1, output_type=tf.int32)
