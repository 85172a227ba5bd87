"""Displays in scikit-learn's style: what an imbalanced classifier does, drawn by Matplotlib.

Each has ``from_estimator`` or a class method of that kind, ``plot(ax=)``, and keeps what it drew as
attributes, to be restyled. Colours are told apart by colour-blind readers, and lines in grey by
their dashes. ``pip install "wbce[plots]"`` installs Matplotlib.
"""

from wbce.plotting._calibration import CalibrationMapDisplay
from wbce.plotting._confusion import ConfusionAtThresholdDisplay
from wbce.plotting._history import TrainingHistoryDisplay
from wbce.plotting._objectives import ThresholdObjectiveDisplay
from wbce.plotting._precision_recall import PrecisionRecallThresholdDisplay
from wbce.plotting._search import SearchGridDisplay

__all__ = [
    "CalibrationMapDisplay",
    "ConfusionAtThresholdDisplay",
    "PrecisionRecallThresholdDisplay",
    "SearchGridDisplay",
    "ThresholdObjectiveDisplay",
    "TrainingHistoryDisplay",
]
