"""From a fitted network to logits."""

from wbce.inference._logits import LogitFunction, blank_rows, output_logits

__all__ = ["LogitFunction", "blank_rows", "output_logits"]
