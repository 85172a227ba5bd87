"""How many threads of its own a fit or a prediction starts."""

from __future__ import annotations

import os
import threading

from joblib import cpu_count
from joblib.parallel import get_active_backend


def n_threads() -> int:
    """All cores; in a worker of joblib, Dask or Ray what the others leave of them.

    A thread of joblib has one. A process is told its share as OpenMP is told it, by
    ``OMP_NUM_THREADS``, which joblib's loky, Dask and Ray set for the workers they start.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    told = int(share) if share.isdecimal() and int(share) else None
    among_others = get_active_backend()[0].nesting_level > 0
    if among_others and (told is None or threading.current_thread() is not threading.main_thread()):
        return 1
    return min(cpu_count(), told or cpu_count())
