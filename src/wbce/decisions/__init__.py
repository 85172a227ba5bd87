"""From scores and labels to a decision: the threshold and the curve that it was chosen on."""

from wbce.decisions._threshold import (
    Cut,
    ThresholdCurve,
    average_precision,
    best_f1_cut,
    check_both_classes,
    threshold_curve,
)

__all__ = [
    "Cut",
    "ThresholdCurve",
    "average_precision",
    "best_f1_cut",
    "check_both_classes",
    "threshold_curve",
]
