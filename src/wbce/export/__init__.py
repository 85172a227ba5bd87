"""Fitted estimators for servers: ONNX, TensorFlow's SavedModel, and LiteRT.

Importing it makes `WeightedKerasClassifier` known to skl2onnx, if that is installed.
"""

from __future__ import annotations

from contextlib import suppress

from wbce.export._rows import rows_as_inputs
from wbce.export._tensorflow import to_litert, to_saved_model
from wbce.export._to_onnx import to_onnx

__all__ = ["rows_as_inputs", "to_litert", "to_onnx", "to_saved_model"]

with suppress(ImportError):  # said again, and louder, by what needs it
    from wbce.export._skl2onnx import register

    register()
