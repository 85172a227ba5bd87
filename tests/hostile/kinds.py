"""All kinds of hostile input: importing this registers them."""

from hostile import of_functions, of_labels, of_methods, of_parameters, of_tables
from hostile.registry import KINDS

__all__ = ["KINDS", "of_functions", "of_labels", "of_methods", "of_parameters", "of_tables"]
