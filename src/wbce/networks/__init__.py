"""The built-in networks, and what is known of any network's ends."""

from wbce.networks._bias import output_bias, start_bias
from wbce.networks._built_in import (
    BUILT_IN,
    DEFAULT_NETWORK,
    DEFAULT_SPARSE_NETWORK,
    N_MEMBERS,
    build_ensemble,
    build_linear,
    build_mlp,
)
from wbce.networks._inputs import (
    InputColumns,
    OffsetRemover,
    after_columns,
    columns_in_numpy,
    columns_made_once,
)
from wbce.networks._members import (
    MemberDense,
    Mixture,
    PeriodicFeatures,
    ToMembers,
    divided_rows,
    members_of,
    variables_of_members,
)
from wbce.networks._moments import Moments
from wbce.networks._sparse_columns import SparseColumns, sparse_columns_in_numpy

__all__ = [
    "BUILT_IN",
    "DEFAULT_NETWORK",
    "DEFAULT_SPARSE_NETWORK",
    "N_MEMBERS",
    "InputColumns",
    "MemberDense",
    "Mixture",
    "Moments",
    "OffsetRemover",
    "PeriodicFeatures",
    "SparseColumns",
    "ToMembers",
    "after_columns",
    "build_ensemble",
    "build_linear",
    "build_mlp",
    "columns_in_numpy",
    "columns_made_once",
    "divided_rows",
    "members_of",
    "output_bias",
    "sparse_columns_in_numpy",
    "start_bias",
    "variables_of_members",
]
