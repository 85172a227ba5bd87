"""Compiled functions of a network that outlive it.

A function is traced on one network with that network's variables lent out: they are arguments of
the trace, not part of it. Every later network of the same architecture brings its own variables
to the same trace, so that the clones of a search are traced once, and train side by side.
"""

from wbce.tracing._architecture import architecture, no_users_code
from wbce.tracing._cache import TraceCache, set_trace_cache_size, traces
from wbce.tracing._fork import check_threads
from wbce.tracing._inputs import aligned_empty, as_dtype, as_tensor, input_dtypes
from wbce.tracing._lending import (
    lent_numbers,
    lent_variables,
    resource_variables,
    tensors_of,
    values_of,
)
from wbce.tracing._names import repeated_names
from wbce.tracing._sparse_rows import SparseRows, takes_sparse_rows
from wbce.tracing._threads import on_one_thread, only_processors

__all__ = [
    "SparseRows",
    "TraceCache",
    "aligned_empty",
    "architecture",
    "as_dtype",
    "as_tensor",
    "check_threads",
    "input_dtypes",
    "lent_numbers",
    "lent_variables",
    "no_users_code",
    "on_one_thread",
    "only_processors",
    "repeated_names",
    "resource_variables",
    "set_trace_cache_size",
    "takes_sparse_rows",
    "tensors_of",
    "traces",
    "values_of",
]
