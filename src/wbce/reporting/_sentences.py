"""Sentences that the text and the page have in common."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from wbce.reporting import _words as words
from wbce.reporting._calibration import Calibration
from wbce.reporting._findings import ClassOfRows, Findings

NAMES = {
    "average_precision": "Average precision",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "brier_skill": "Brier skill",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "mcc": "MCC",
    "balanced_accuracy": "Balanced accuracy",
    "alarms": "Alarms",
    "cost": "Cost",
    "accuracy": "Accuracy",
}

MEANINGS = {
    "average_precision": "mean precision while going down the ranking; the base rate is chance",
    "roc_auc": "how often a positive row ranks above a negative one; 0.5 is chance",
    "log_loss": "how far probabilities are from the labels; lower is better",
    "brier": "mean squared error of the probabilities; lower is better",
    "brier_skill": "what is gained on the base rate's Brier score; 0 is nothing, 1 all",
    "precision": "of the alarms, the share that is right",
    "recall": "of the positive rows, the share that is found",
    "f1": "harmonic mean of precision and recall",
    "mcc": "correlation of label and decision; 0 is chance",
    "balanced_accuracy": "mean of the recalls of both classes; 0.5 is chance",
    "alarms": "rows called positive",
    "cost": "of all decisions, by the cost matrix",
    "accuracy": "rows called right; read it beside its baselines only",
}

SHARES = frozenset({"precision", "recall", "balanced_accuracy", "accuracy"})

UNSEEN = (
    "All of this holds only if these rows are unseen: neither trained on, nor used to choose the "
    "threshold or anything else. No report can tell whether they are."
)

ROWS_FROM_ZERO = "Rows are numbered from 0."
ROWS_BY_INDEX = "Rows are called by the index of X."


def headline(found: Findings) -> str:
    """What the classifier does on these rows, in a sentence or two."""
    tp, fp, fn, tn = found.rows.counts
    positive = words.label(found.rows.pos_label)
    part = words.share(tp / (tp + fn))
    start = (
        f"Of {words.count(tp + fn)} rows of class {positive} among "
        f"{words.count(tp + fp + fn + tn)} it finds {words.count(tp)} ({part})"
    )
    if tp + fp == 0:
        return f"{start}: it raises no alarm."
    if words.count(tp + fp) == "1":
        end = f"{start}, with 1 alarm, which is {'right' if tp else 'wrong'}."
    else:
        end = (
            f"{start}, with {words.alarms(tp + fp)}, of which {words.count(tp)} "
            f"{words.are(tp)} right ({words.share(tp / (tp + fp))})."
        )
    if found.per_day is None:
        return end
    each = found.per_day / (tp + fp + fn + tn)
    return (
        f"{end} On {words.rows(found.per_day)} a day that is "
        f"{words.alarms(_rough((tp + fp) * each))} and {words.count(_rough(fn * each))} missed."
    )


def chosen_log_odds(found: Findings) -> float:
    """Where it decides: the threshold itself, also where no cut of the page is as far out."""
    if found.rows.threshold is None:
        assert found.cuts.chosen is not None
        return float(found.cuts.log_odds[found.cuts.chosen])
    return float(logit(found.rows.threshold))


def of_threshold(found: Findings) -> str:
    """Where the classifier decides, and what that means."""
    chosen = found.cuts.chosen
    if chosen is None:
        return (
            "The classifier's decisions are no cut of this probability, as it weighs several "
            "classes against each other; the slider shows what a cut would give."
        )
    cut = chosen_log_odds(found)
    if found.rows.threshold is None:
        return (
            "On these rows the classifier's decisions are those of a cut at a probability of about "
            f"{words.probability(cut)}."
        )
    told = f"A row is an alarm where its probability is above {words.probability(cut)}"
    if found.interval is not None:
        low, high = (_of_probability(end) for end in found.interval)
        told += (
            f"; tuned anew on other rows, the threshold would lie between {low} and {high} (90 % "
            "interval)"
        )
    if abs(cut) >= 15:
        return f"{told}."
    ratio = np.exp(-cut)
    kinds = ("miss", "false alarm") if ratio >= 1 else ("false alarm", "miss")
    factor = ratio if ratio >= 1 else 1 / ratio
    if factor < 1.05:
        return f"{told}. It is the right cut where a miss and a false alarm cost the same."
    return (
        f"{told}. It is the right cut where a {kinds[0]} costs {factor:.3g} times as much as a "
        f"{kinds[1]}."
    )


def of_calibration(calibration: Calibration) -> str:
    """How true the probabilities are."""
    low, high = calibration.observed_interval
    flattest, steepest = calibration.slope_interval
    slope = (
        f"Calibration slope {words.number(calibration.slope)} ({words.number(flattest)} to "
        f"{words.number(steepest)}); 1 is true, below 1 is overconfident."
        if calibration.slope is not None
        else "No calibration slope: every positive row scores above every negative one."
    )
    return (
        f"The probabilities add up to {words.count(round(calibration.expected, 1))} positives; "
        f"{words.count(calibration.observed)} {words.are(calibration.observed)} here "
        f"(90 % interval {words.count(round(low))} to {words.count(round(high))}). {slope}"
    )


def of_no_risk(found: Findings) -> str:
    """What to say where no risk was found."""
    seen = "None was found among those that can be seen in these rows: enough positives, true"
    if not found.n_columns:
        return f"{seen} probabilities."
    return f"{seen} probabilities, no column that knows the label."


def of_columns(found: Findings) -> str:
    """Which columns were not looked at; empty where all were."""
    if not found.n_columns:
        return "Columns were not looked at: what was passed as X is no table."
    if not found.n_columns_left_out:
        return ""
    return (
        f"Only the first {words.count(found.n_columns)} columns were looked at; what the other "
        f"{words.count(found.n_columns_left_out)} know of the label, and whether rows are copies, "
        "is not known."
    )


def name_of(class_: ClassOfRows) -> str:
    """A class in words."""
    said = words.label(class_.label)
    return f"all but {said}" if class_.is_rest else said


def metric_name(found: Findings, name: str) -> str:
    """A metric's name, with what it is of."""
    if name not in ("alarms", "cost"):
        return NAMES[name]
    per = "a day" if found.per_day is not None else "per 1,000 rows"
    return f"{NAMES[name]} {per}"


def metric_value(name: str, value: float | None) -> str:
    """A metric's value, as people read it."""
    if name in SHARES:
        return words.share(value)
    if name == "alarms" and value is not None:
        return words.count(_rough(value))
    return words.number(value)


def _rough(value: float) -> float:
    """Whole from ten on."""
    return round(value) if value >= 10 else round(value, 1)


def _of_probability(p: float) -> str:
    with np.errstate(divide="ignore"):
        return words.probability(float(np.log(p) - np.log1p(-p)))
