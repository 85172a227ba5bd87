"""From a compiled network, rows and weights to a fitted network."""

from wbce.training._batch_size import batch_size_for
from wbce.training._callbacks import MemberScores, ShownEpochs, ShownPredictions, ValidationScore
from wbce.training._checkpoint import CheckpointWish, check_folder
from wbce.training._distributed import WAYS, cannot_divide, replicas_of
from wbce.training._epochs import NetworkTraining, needs_keras_fit
from wbce.training._faults import Ended, GoodEpochs, nothing_kept
from wbce.training._seeding import seeded

__all__ = [
    "WAYS",
    "CheckpointWish",
    "Ended",
    "GoodEpochs",
    "MemberScores",
    "NetworkTraining",
    "ShownEpochs",
    "ShownPredictions",
    "ValidationScore",
    "batch_size_for",
    "cannot_divide",
    "check_folder",
    "needs_keras_fit",
    "nothing_kept",
    "replicas_of",
    "seeded",
]
