"""TensorFlow in a forked process: its threads stayed behind, and whatever waits for them hangs."""

from __future__ import annotations

import os

from wbce._backend import eager_context

_threads_stayed_behind = False


def check_threads() -> None:
    """Raise where a compiled function would wait forever.

    Raises
    ------
    RuntimeError
        If this process was forked from one in which TensorFlow was running.
    """
    if _threads_stayed_behind:
        raise RuntimeError(
            "This process was forked from one in which TensorFlow was running already, and "
            "TensorFlow's threads do not survive a fork: it would wait for them forever. Start "
            "the process with multiprocessing's 'spawn' or with joblib's 'loky', or load the "
            "estimator and predict with it or train it after the fork only. See docs/serving.md."
        )


def _note_fork() -> None:
    global _threads_stayed_behind
    _threads_stayed_behind |= eager_context()._context_handle is not None


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_note_fork)
