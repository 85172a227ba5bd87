"""From scores and labels to a decision: thresholds, multipliers, costs, and what they rest on."""

from wbce.decisions._choice import ThresholdInterval, choose, resampled_interval, smoothed, thinned
from wbce.decisions._costs import cost_log_odds, expected_costs
from wbce.decisions._curve import (
    ThresholdCurve,
    average_precision,
    check_both_classes,
    threshold_curve,
)
from wbce.decisions._cut import FAR, Cut
from wbce.decisions._multipliers import (
    ClassRows,
    best_log_multipliers,
    chosen_log_multipliers,
    class_objective,
    resampled_class_interval,
    smoothed_shares,
)
from wbce.decisions._objectives import Objective, binary_objective, of_so_many

__all__ = [
    "FAR",
    "ClassRows",
    "Cut",
    "Objective",
    "ThresholdCurve",
    "ThresholdInterval",
    "average_precision",
    "best_log_multipliers",
    "binary_objective",
    "check_both_classes",
    "choose",
    "chosen_log_multipliers",
    "class_objective",
    "cost_log_odds",
    "expected_costs",
    "of_so_many",
    "resampled_class_interval",
    "resampled_interval",
    "smoothed",
    "smoothed_shares",
    "thinned",
    "threshold_curve",
]
