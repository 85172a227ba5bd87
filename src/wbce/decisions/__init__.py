"""From scores and labels to a decision: the threshold and the curve that it was chosen on."""

from wbce.decisions._costs import cost_log_odds, expected_costs
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
    "cost_log_odds",
    "expected_costs",
    "threshold_curve",
]
