"""Who looks: a terminal, a notebook, a log; or nobody, as the work is one of many pieces."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

from wbce._numbers import is_whole

# Whoever calls from one of these runs many fits or predictions, and counts them himself.
# `joblib.memory` is not among them: it calls a function once.
_RUN_MANY = (
    "joblib._dask",
    "joblib._parallel_backends",
    "joblib.externals.loky",
    "joblib.parallel",
    "sklearn.model_selection",
    "optuna",
    "optuna_integration",
    "dask",
    "distributed",
    "ray",
)


def is_live(verbose: Any) -> bool:
    """Whether `verbose` asks for the line: 1, True or "auto".

    Examples
    --------
    >>> [is_live(verbose) for verbose in (0, 1, "auto", 2, None)]
    [False, True, True, False, False]
    """
    if isinstance(verbose, str):
        return verbose == "auto"
    return verbose is True or (is_whole(verbose) and verbose == 1)


def is_one_of_many() -> bool:
    """Whether this is called by a search, a cross-validation or a worker.

    All of them have a function of their own on the stack of the thread that does the work, in
    this process as in another.

    Examples
    --------
    >>> from joblib import Parallel, delayed
    >>> is_one_of_many(), Parallel()([delayed(is_one_of_many)()])
    (False, [True])
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        module = frame.f_globals.get("__name__") or ""
        if any(module == name or module.startswith(name + ".") for name in _RUN_MANY):
            return True
        frame = frame.f_back
    return False


def is_terminal(stream: Any) -> bool:
    """Whether a line on a stream can be written anew."""
    try:
        return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
    except (AttributeError, OSError, ValueError):  # None, or closed
        return False


def notebook_publisher() -> Any:
    """What publishes displays of the running Jupyter kernel; None outside of one."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return getattr(shell, "display_pub", None) if hasattr(shell, "kernel") else None
