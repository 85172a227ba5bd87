"""Imbalanced classification with Keras networks, the scikit-learn way.

``WeightedKerasClassifier`` fits a network with a weighted loss, keeps its probabilities true in
spite of the weights and chooses its decision threshold on validation rows.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wbce._archive import ArchiveError
    from wbce._errors import BlockError, DivergenceError
    from wbce._warnings import (
        CalibrationWarning,
        CategoryWarning,
        ClassWeightWarning,
        ImbalanceWarning,
    )
    from wbce.classifier import WeightedKerasClassifier
    from wbce.files import load
    from wbce.imbalance import print_imbalance
    from wbce.prior import estimate_prior
    from wbce.reporting import report
    from wbce.tracing import set_trace_cache_size

__version__ = "0.1.0"

__all__ = [
    "ArchiveError",
    "BlockError",
    "CalibrationWarning",
    "CategoryWarning",
    "ClassWeightWarning",
    "DivergenceError",
    "ImbalanceWarning",
    "WeightedKerasClassifier",
    "estimate_prior",
    "export",
    "load",
    "losses",
    "plotting",
    "print_imbalance",
    "report",
    "set_trace_cache_size",
]

# Public names are imported when they are first used: `import wbce` does not start TensorFlow.
_HOMES = {
    "WeightedKerasClassifier": "wbce.classifier",
    "CalibrationWarning": "wbce._warnings",
    "CategoryWarning": "wbce._warnings",
    "ClassWeightWarning": "wbce._warnings",
    "BlockError": "wbce._errors",
    "DivergenceError": "wbce._errors",
    "ImbalanceWarning": "wbce._warnings",
    "estimate_prior": "wbce.prior",
    "print_imbalance": "wbce.imbalance",
    "report": "wbce.reporting",
    "ArchiveError": "wbce._archive",
    "load": "wbce.files",
    "set_trace_cache_size": "wbce.tracing",
}


def __getattr__(name: str) -> Any:
    if name in ("export", "losses", "plotting"):
        return importlib.import_module(f"wbce.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'wbce' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
