"""The few warnings of this package: public classes, each shown once a process."""

from __future__ import annotations

import warnings


class ImbalanceWarning(UserWarning):
    """Accuracy was asked for where a constant answer already scores high."""


class ClassWeightWarning(UserWarning):
    """The class weights favour the majority class."""


_shown: set[type[Warning]] = set()


def warn_once(message: str, category: type[Warning], stacklevel: int = 3) -> None:
    """Warn, the first time in this process that a warning of ``category`` comes up."""
    if category not in _shown:
        warnings.warn(message, category, stacklevel=stacklevel)
        _shown.add(category)
