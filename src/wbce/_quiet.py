"""TensorFlow's messages: kept out of the user's terminal, and as loud as the user has them."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# glog lines ("I0000 00:00:17 12 port.cc:153] ...", "2026-01-01 10:00:00.1: I tensorflow/...")
# of level INFO or WARNING, and the note that comes before the first of them.
_NOISE = re.compile(
    rb"^(WARNING: All log messages before absl::InitializeLog"
    rb"|[IW]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IW] "
    rb"|To enable the following instructions: "
    rb"|E\d{4} .*failed call to cuInit"  # there is no GPU
    rb"|.*: E external/.*(failed call to cuInit|Unable to register cu\w+ factory)"
    rb"|E\d{4} .*Unable to register cu\w+ factory)"
)


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back TensorFlow's notes while it is imported; whatever is not such a note is passed on.

    ``TF_CPP_MIN_LOG_LEVEL`` is 2 (errors only) meanwhile, and taken back after. Where the user
    has set it, that wish holds: of 0 and 1 nothing is filtered, and 2 and 3 are for quiet, which
    TensorFlow alone does not give, as it logs before it reads them.
    """
    wish = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    if wish not in (None, "2", "3") or "tensorflow" in sys.modules:
        yield
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        saved = os.dup(2)
    except OSError:  # a process without a standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            if wish is None:
                os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
            held.seek(0)
            for line in held:
                if not _NOISE.match(line):
                    os.write(2, line)


@contextmanager
def loudness_kept(logger: logging.Logger) -> Iterator[None]:
    """Take back what is changed meanwhile about how much TensorFlow says, here and in children."""
    level, wish = logger.level, os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    try:
        yield
    finally:
        logger.setLevel(level)
        os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
        if wish is not None:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = wish
