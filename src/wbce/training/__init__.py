"""From a compiled network, rows and weights to a fitted network."""

from wbce.training._batch_size import batch_size_for
from wbce.training._callbacks import DivergenceCheck, ValidationScore
from wbce.training._seeding import seeded

__all__ = ["DivergenceCheck", "ValidationScore", "batch_size_for", "seeded"]
