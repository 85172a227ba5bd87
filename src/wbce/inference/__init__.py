"""From a fitted network to logits."""

from wbce.inference._chain import Chain, chain_of
from wbce.inference._fitting import checked_chain
from wbce.inference._logits import LogitFunction, blank_rows, output_logits
from wbce.inference._members import HeldOutLogits

__all__ = [
    "Chain",
    "HeldOutLogits",
    "LogitFunction",
    "blank_rows",
    "chain_of",
    "checked_chain",
    "output_logits",
]
