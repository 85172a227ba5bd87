"""What is risky about a classifier on some rows, in words, each with what to do about it.

Each risk is a function of a few numbers that gives a `Risk`, or None. The limits are set so that
a sound classifier on enough rows has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import logit

from wbce.reporting import _words as words
from wbce.reporting._leaks import Copies

SEVERITIES = ("serious", "caution", "note")
"""The worst first: do not use it before; look before you rely on it; know when you read figures."""

_FEW = 30
"""Positives. With thirty, recall is known to within some twelve points on either side."""
_TOO_GOOD = 0.999
"""Average precision. Tables whose labels are not written in some column seldom allow it."""
_SEPARATES = 0.99
"""Area under the ROC curve of one column alone."""
_MUCH = 1.25
"""Times as many positives as expected, or a slope so far from one, before it is worth a word."""
_SHIFT = 1.5
"""Ratio of odds between two base rates: it moves a probability of 50 % to 60 %."""
_WIDE = 3.0
"""Ratio of odds between the ends of a threshold's interval."""
_COSTLY = 0.1
"""Share of the figure lost between the best and the worst cut of that interval."""
_WORTH_IT = 0.75
"""Share of the best F1 here, which is a little too good itself, that a cut at 0.5 should have."""
_MANY_COPIES = 0.1
_CALIBRATE = "calibrate it, by scikit-learn's CalibratedClassifierCV for one."
_CALIBRATED = _CALIBRATE[0].upper() + _CALIBRATE[1:]


@dataclass(frozen=True)
class Risk:
    """Something to know before relying on the classifier.

    Attributes
    ----------
    name : str
    severity : {"serious", "caution", "note"}
    words : str
        What was seen.
    advice : str
        What to do.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier, report
    >>> X, y = make_classification(1000, weights=[0.97], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", epochs=5, random_state=0).fit(X[:500], y[:500])
    >>> risks = report(clf, X[500:], y[500:]).risks
    >>> {risk.severity for risk in risks} <= {"serious", "caution", "note"}
    True
    """

    name: str
    severity: str
    words: str
    advice: str

    def __str__(self) -> str:
        return f"{self.words} {self.advice}"


def few_positives(
    n_positive: float, recall: tuple[float | None, float | None], n_rows: int | None = None
) -> Risk | None:
    """Fewer positives than figures need.

    `n_positive` counts equally weighted ones that say as much, `n_rows` those that are there.
    """
    if n_positive >= _FEW:
        return None
    low, high = (words.share(end) for end in recall)
    here = f"Only {words.positives(n_positive)} {words.are(n_positive)} here"
    if n_rows is not None and n_rows - n_positive > 0.05:
        here = (
            f"{words.positives(n_rows)} {words.are(n_rows)} here, whose weights differ: they say "
            f"as much as {words.count(n_positive)} of equal weight"
        )
    return Risk(
        "few_positives",
        "serious" if n_positive < 10 else "caution",
        f"{here}: the share that is found can be anything from {low} to {high}.",
        f"Judge on {_FEW} positives or more: hold back more rows. Compare no two classifiers by "
        "these figures.",
    )


def answers_only_one_way(
    alarms: float, n_rows: float, pos_label: str, ours: bool = True
) -> Risk | None:
    """No alarm at all, or nothing else; `ours` is whether the classifier is of this package."""
    if 0 < alarms < n_rows:
        return None
    which = "no row" if alarms == 0 else "every row"
    return Risk(
        "one_answer",
        "serious",
        f"The classifier calls {which} {pos_label}: it decides nothing.",
        (
            "Move the threshold: tune_threshold(X, y) on rows that it was not trained on, or "
            'threshold="auto" at the fit.'
            if ours
            else "Move the threshold, by scikit-learn's TunedThresholdClassifierCV for one."
        )
        + " If no threshold helps, the columns tell nothing.",
    )


def no_better_than_base_rate(
    roc_auc: tuple[float | None, float | None],
    log_loss: float,
    log_loss_of_base_rate: float,
    ours: bool = True,
) -> Risk | None:
    """Scores that do not rank, or probabilities that are worse than the base rate for all.

    `roc_auc` is the interval.
    """
    low, high = roc_auc
    if high is not None and high < 0.5:
        return Risk(
            "worse_than_chance",
            "serious",
            "The scores order the rows the wrong way round: the interval of ROC AUC ends at "
            f"{words.number(high)}, and 0.5 is chance.",
            "Look for labels that were swapped, between the fit and here or before it, and for "
            "rows and labels in different orders.",
        )
    if low is not None and low <= 0.5:
        return Risk(
            "no_better_than_base_rate",
            "serious",
            "The scores may order the rows no better than chance: the interval of ROC AUC "
            f"begins at {words.number(low)}, and 0.5 is chance.",
            "Judge on more rows. If it stays so, these columns do not tell the classes apart: "
            "bring others before tuning anything.",
        )
    if log_loss >= log_loss_of_base_rate:
        return Risk(
            "no_better_than_base_rate",
            "caution",
            "The probabilities are no better than the base rate for every row: log loss "
            f"{words.number(log_loss)} against {words.number(log_loss_of_base_rate)}.",
            "The order of the rows may still be good. Before you use the numbers, "
            + ('fit on more rows, or with calibrate="sigmoid".' if ours else _CALIBRATE),
        )
    return None


def too_good(average_precision: float, n_positive: float) -> Risk | None:
    """Nearly no mistake."""
    if average_precision < _TOO_GOOD or n_positive < 10:
        return None
    return Risk(
        "too_good",
        "caution",
        f"Average precision is {words.number(average_precision)}: hardly any positive row ranks "
        "below a negative one. Either this is easy, or the classifier knows the answer.",
        "Check that these rows were not trained on, and that no column was written after the "
        "label was known.",
    )


def separating_columns(
    names: Sequence[str], separation: Sequence[float], n_positive: float
) -> Risk | None:
    """Single columns that tell the classes apart nearly perfectly."""
    if n_positive < 5:
        return None
    found = sorted(
        ((area, name) for name, area in zip(names, separation, strict=True) if area >= _SEPARATES),
        key=lambda pair: -pair[0],
    )
    if not found:
        return None
    told = _listed([f"{words.label(name)} (ROC AUC {words.number(area)})" for area, name in found])
    one = len(found) == 1
    return Risk(
        "leakage",
        "serious",
        f"{told} alone {'tells' if one else 'tell'} the classes apart nearly perfectly: the label "
        f"may be written in {'it' if one else 'them'}.",
        "Find out when the value is written. If only after the label is known, drop the column "
        "and fit again.",
    )


def row_numbers(names: Sequence[str]) -> Risk | None:
    """Columns that number the rows."""
    if not names:
        return None
    one = len(names) == 1
    return Risk(
        "row_number",
        "caution",
        f"{_listed([words.label(name) for name in names])} {'has' if one else 'have'} another "
        f"value in every row, as {'an ID or a row number has' if one else 'IDs have'}.",
        f"Drop {'it' if one else 'them'}: a network learns the order in which rows were "
        "collected, which new rows do not continue.",
    )


def copies(found: Copies, n_rows: int, n_positive: int) -> Risk | None:
    """Equal rows with different labels, or too many equal rows."""
    if found.positives_with_both >= max(2, _MANY_COPIES * n_positive):
        return Risk(
            "contradictions",
            "caution",
            f"{found.positives_with_both} of the {n_positive} positive rows have an exact copy "
            "that is negative: no classifier can get both right.",
            "Look at these rows: are labels late or wrong, or is a column missing that tells them "
            "apart?",
        )
    if found.from_measurements and found.rows >= _MANY_COPIES * n_rows:
        return Risk(
            "copies",
            "caution",
            f"{words.rows(found.rows)} of {words.count(n_rows)} are exact copies of another: such "
            "rows are easily in training too, and figures then too good.",
            "Remove copies before rows are divided, or divide by groups (groups= in fit, "
            "GroupKFold).",
        )
    return None


def other_base_rate(
    observed: float, interval: tuple[float, float], trained: float | None
) -> Risk | None:
    """Another share of positives here than the probabilities are for."""
    if trained is None or not (0 < trained < 1 and 0 < observed < 1):
        return None
    ratio = _odds_ratio(observed, trained)
    if max(ratio, 1 / ratio) < _SHIFT or interval[0] <= trained <= interval[1]:
        return None
    return Risk(
        "base_rate",
        "caution",
        f"{words.share(observed)} of these rows are positive, and the probabilities are made for "
        f"{words.share(trained)}.",
        "If the rows to come are like these, fit with prior=, or pass it to predict and "
        "predict_proba; estimate_prior(X) finds it without labels. If these rows were selected, "
        "weight them back with sample_weight before reading precision.",
    )


def untrue_sum(
    expected: float,
    observed: float,
    observed_interval: tuple[float, float],
    ours: bool = True,
) -> Risk | None:
    """Many more, or fewer, positives than the probabilities say."""
    low, high = observed_interval
    ratio = observed / max(expected, 1e-12)
    if 1 / _MUCH < ratio < _MUCH or low <= expected <= high:
        return None
    return Risk(
        "untrue_sum",
        "caution",
        f"The probabilities add up to {words.count(round(expected, 1))} positives, and "
        f"{words.count(observed)} {words.are(observed)} here: they are too "
        f"{'low' if ratio > 1 else 'high'} on the whole.",
        "Fit on rows like these, or pass prior= the share that is true." if ours else _CALIBRATED,
    )


def untrue_spread(
    slope: float | None,
    interval: tuple[float | None, float | None],
    n_rarer: float,
    ours: bool = True,
) -> Risk | None:
    """Probabilities that are too far from the base rate, or not far enough.

    Of few rows of the rarer class, of which there are `n_rarer`, a slope's interval by a bootstrap
    is too narrow: nothing is said then.
    """
    if n_rarer < _FEW:
        return None
    low, high = interval
    if slope is None or low is None or high is None or slope <= 0:
        return None  # scores that do not rank are a risk of their own
    who = "network" if ours else "classifier"
    told = (
        f"the calibration slope is {words.number(slope)} (90 % interval {words.number(low)} to "
        f"{words.number(high)}), and 1 is true"
    )
    if slope < 1 / _MUCH and high < 1:
        return Risk(
            "overconfident",
            "caution",
            f"The {who} is overconfident: {told}. High "
            "probabilities come true less often than they say, low ones more often.",
            (
                'Fit with calibrate="sigmoid", the built-in ensemble, early_stopping=True or '
                "fewer epochs."
                if ours
                else _CALIBRATED
            )
            + " If these rows are later than those of the fit, the world may have moved: fit on "
            "newer ones.",
        )
    if slope > _MUCH and low > 1:
        return Risk(
            "underconfident",
            "caution",
            f"The {who} is underconfident: {told}. Rows differ more than the probabilities say.",
            'Train longer, or fit with calibrate="sigmoid".' if ours else _CALIBRATED,
        )
    return None


def noisy_threshold(
    interval: tuple[float, float] | None,
    between: tuple[float, float] | None,
    figure: str = "F1",
) -> Risk | None:
    """A tuned threshold that could as well be another, where that makes a difference.

    `interval` are the ends as probabilities, `between` the least and the largest value on these
    rows between them of the `figure` it was tuned for. A wide interval over which that hardly
    changes is no risk.
    """
    if interval is None or between is None:
        return None
    ends = [float(logit(end)) for end in interval]
    (least, most), (low, high) = between, map(words.probability, ends)
    lost = most - least
    if not ends[1] - ends[0] >= math.log(_WIDE) or lost < _COSTLY * max(-least, most):
        return None
    return Risk(
        "noisy_threshold",
        "caution",
        f"The tuned threshold is mostly noise: on other rows it would have been anything from "
        f"{low} to {high}, and {figure} here is between {words.number(least)} and "
        f"{words.number(most)} at cuts in between.",
        "Choose it on more rows (threshold_cv=5, or tune_threshold on all that you have), or name "
        "the costs (cost_matrix), which need no tuning.",
    )


def default_threshold(
    f1: float, best_f1: float, best_at: float, recall: float, f1_of_all: float = 0.0
) -> Risk | None:
    """A cut at one half that nobody chose, where another one finds much more.

    `best_at` are the log-odds of the cut with `best_f1`, on these very rows; `f1_of_all` is that
    of an alarm for every row, on which no cut of scores that tell nothing gains much.
    """
    if max(f1, f1_of_all) >= _WORTH_IT * best_f1:
        return None
    return Risk(
        "default_threshold",
        "caution",
        f"The threshold is 0.5, which nobody chose, and finds {words.share(recall)} of the "
        f"positives: F1 is {words.number(f1)}. At {words.probability(best_at)} it would be "
        f"{words.number(best_f1)} on these rows, a little less on others.",
        "0.5 is right where a miss and a false alarm cost the same. Else tune the threshold on "
        "other rows, or name the costs.",
    )


def accuracy_misleads(accuracy: float, constant: float) -> Risk | None:
    """An answer without a model has the same accuracy or more."""
    if accuracy > constant:
        return None
    return Risk(
        "accuracy",
        "note",
        f"Accuracy is {words.share(accuracy)}, and the same answer for every row has "
        f"{words.share(constant)}.",
        "Do not report or tune accuracy here: it rewards finding nothing. Read average precision, "
        "and precision with recall.",
    )


def raw_probabilities(calibrate: object, mean_difference: float) -> Risk | None:
    """The estimator shows the network's own output, and it differs from the probabilities."""
    if calibrate is not False or mean_difference < 0.01:
        return None
    return Risk(
        "raw_probabilities",
        "caution",
        "predict_proba gives the network's own output (calibrate=False), which weights and loss "
        f"distort: by {100 * mean_difference:.0f} percentage points on average.",
        "Set calibrate=True before anybody reads a probability; decisions stay the same. This "
        "report shows the probabilities with calibrate=True.",
    )


def in_order(found: Sequence[Risk | None]) -> list[Risk]:
    """Those that were found, the worst first."""
    return sorted(
        (risk for risk in found if risk is not None),
        key=lambda risk: SEVERITIES.index(risk.severity),
    )


def _odds_ratio(one: float, other: float) -> float:
    return one / (1 - one) * (1 - other) / other


def _listed(names: list[str]) -> str:
    if len(names) > 4:
        names = [*names[:3], f"{len(names) - 3} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
