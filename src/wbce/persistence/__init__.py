"""Stored estimators: data and arrays, code of the user's by value, or a file that runs none."""

from wbce.persistence._code import MissingFunction, PackedFunction
from wbce.persistence._codec import LAZY, decode, encode
from wbce.persistence._file import raise_not_an_estimator, read_state, write_state
from wbce.persistence._limits import check_outputs, check_sizes, numbers_allowed
from wbce.persistence._network import copy_network, network_data
from wbce.persistence._versions import KIND, attributes_of, state_of

__all__ = [
    "KIND",
    "LAZY",
    "MissingFunction",
    "PackedFunction",
    "attributes_of",
    "check_outputs",
    "check_sizes",
    "copy_network",
    "decode",
    "encode",
    "network_data",
    "numbers_allowed",
    "raise_not_an_estimator",
    "read_state",
    "state_of",
    "write_state",
]
