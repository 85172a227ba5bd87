"""Labelled rows with the scores and decisions of a fitted estimator: for displays and reports."""

from wbce._scored_rows._asked import fitted_classifier
from wbce._scored_rows._probabilities import check_threshold
from wbce._scored_rows._rows import ScoredRows

__all__ = ["ScoredRows", "check_threshold", "fitted_classifier"]
