"""What a person sees of work that takes time: one line, where somebody looks."""

from wbce.progress._fit import FitProgress, Outcome
from wbce.progress._rows import RowProgress, rows_shown
from wbce.progress._where import is_live, is_one_of_many

__all__ = [
    "FitProgress",
    "Outcome",
    "RowProgress",
    "is_live",
    "is_one_of_many",
    "rows_shown",
]
