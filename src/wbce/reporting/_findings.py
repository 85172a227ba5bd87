"""All that is found out about a classifier on some rows, before anybody puts it into words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from wbce._numbers import is_number
from wbce._scored_rows import ScoredRows
from wbce.losses._cost import check_cost_matrix
from wbce.reporting import _risks
from wbce.reporting import _words as words
from wbce.reporting._calibration import Calibration, calibration_of
from wbce.reporting._cuts import Cuts, above, cuts_of
from wbce.reporting._leaks import copies_of, counters, separations
from wbce.reporting._metrics import Metric, metrics_of
from wbce.reporting._mistakes import Mistakes, mistakes_of
from wbce.reporting._risks import Risk
from wbce.reporting._samples import binned, n_effective, redrawn
from wbce.reporting._table import Table, table_of

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class ClassOfRows:
    """A class, or all others.

    Attributes
    ----------
    label : object
    is_rest : bool
        Whether it is all rows that are not of `label`.
    weight : float
        Of its rows.
    share : float
    in_training : float or None
        The class's weight in training, mean one over the rows.
    prior : float or None
        The share that the probabilities speak of.
    """

    label: Any
    is_rest: bool
    weight: float
    share: float
    in_training: float | None
    prior: float | None


@dataclass(frozen=True)
class Training:
    """The epochs of a fit.

    Attributes
    ----------
    loss, validation : list of float
        Training loss, which is weighted, and the log loss of rows that judge; of each epoch.
    best_epoch : int or None
        Whose weights were kept, counted from one.
    """

    loss: list[float]
    validation: list[float]
    best_epoch: int | None


@dataclass(frozen=True)
class Findings:
    """What a report says, as figures.

    Attributes
    ----------
    rows : ScoredRows
    per_day : float or None
        As passed.
    costs : ndarray of shape (2, 2), or None
        ``[[TN, FP], [FN, TP]]``.
    metrics : list of Metric
    calibration : Calibration
    classes : list of ClassOfRows
        The positive one first.
    pos_weight : float or None
    training : Training or None
    cuts : Cuts
    mistakes : Mistakes
    risks : list of Risk
    n_columns, n_columns_left_out : int
        That were looked at, and that were not.
    """

    rows: ScoredRows
    per_day: float | None
    costs: Float64 | None
    metrics: list[Metric]
    calibration: Calibration
    classes: list[ClassOfRows]
    pos_weight: float | None
    training: Training | None
    cuts: Cuts
    mistakes: Mistakes
    risks: list[Risk]
    n_columns: int
    n_columns_left_out: int

    @property
    def per_rows(self) -> float:
        """Alarms and costs are those of so many rows."""
        return 1000.0 if self.per_day is None else self.per_day

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the threshold, as probabilities."""
        return _interval_of(self.rows)

    def metric(self, name: str) -> Metric:
        """A metric by its name."""
        return next(metric for metric in self.metrics if metric.name == name)


def findings_of(
    rows: ScoredRows, X: Any, *, per_day: Any = None, cost_matrix: Any = None
) -> Findings:
    """Find out everything.

    Parameters
    ----------
    rows : ScoredRows
    X : array-like
        The rows as they were passed.
    per_day : float, optional
    cost_matrix : array-like of shape (2, 2), optional

    Returns
    -------
    Findings

    Raises
    ------
    ValueError
        If `per_day` or `cost_matrix` is not allowed.
    """
    check_per_day(per_day)
    costs = costs_of(rows, cost_matrix)
    bins = binned(rows)
    again = redrawn(bins)
    per_rows = 1000.0 if per_day is None else float(per_day)
    table = table_of(X, rows.kept)
    separation = separations(table, rows.positive)
    metrics = metrics_of(rows, again, bins, per_rows=per_rows, costs=costs)
    calibration = calibration_of(rows, again, bins)
    return Findings(
        rows=rows,
        per_day=None if per_day is None else float(per_day),
        costs=costs,
        metrics=metrics,
        calibration=calibration,
        classes=_classes_of(rows),
        pos_weight=_pos_weight(rows),
        training=_training(rows),
        cuts=cuts_of(rows),
        mistakes=mistakes_of(rows, table, separation),
        risks=_found_risks(rows, table, separation, metrics, calibration, costs),
        n_columns=len(table.columns),
        n_columns_left_out=table.n_left_out,
    )


def check_per_day(per_day: Any) -> None:
    """Check the number of rows a day.

    Raises
    ------
    ValueError
    """
    if per_day is not None and not (is_number(per_day) and per_day > 0):
        raise ValueError(
            f"per_day={per_day!r} is not allowed: pass how many rows come in a day, a number above "
            "0, or None for figures of 1,000 rows."
        )


def costs_of(rows: ScoredRows, cost_matrix: Any) -> Float64 | None:
    """The costs as ``[[TN, FP], [FN, TP]]``; the estimator's own where none are passed.

    Raises
    ------
    ValueError
        If what is passed is none for two classes.
    """
    classifier = rows.classifier
    two_classes = classifier is not None and classifier._positive is not None
    if cost_matrix is None:
        if classifier is None or classifier.cost_matrix is None or not two_classes:
            return None
        cost_matrix = classifier.cost_matrix
    costs = check_cost_matrix(cost_matrix)
    if costs.shape != (2, 2):
        raise ValueError(
            f"cost_matrix has the shape {costs.shape}: a report is about {rows.pos_label!r} "
            "against the rest. Pass [[TN, FP], [FN, TP]]."
        )
    flipped = classifier is not None and two_classes and classifier._sign() < 0
    return costs[::-1, ::-1] if flipped else costs  # the positive class in the second place


def _interval_of(rows: ScoredRows) -> tuple[float, float] | None:
    if rows.interval is None:
        return None
    low, high = (float(end) for end in rows.interval.threshold)
    return (low, high) if np.isfinite(low) and np.isfinite(high) else None


def _classes_of(rows: ScoredRows) -> list[ClassOfRows]:
    classifier, rate = rows.classifier, rows.base_rate
    total = float(rows.sample_weight.sum())
    own = rest = trained = trained_rest = None
    if classifier is not None:
        known = getattr(classifier, "class_weight_", None)
        if isinstance(known, list):  # several labels a row
            own, rest = known[rows.pos_label].get(1), known[rows.pos_label].get(0)
        else:
            trained = _prior(rows)
            trained_rest = None if trained is None else 1 - trained
            own = None if known is None else known.get(rows.pos_label)
            if rows.neg_label is not None:
                rest = None if known is None else known.get(rows.neg_label)
    is_rest = rows.neg_label is None
    return [
        ClassOfRows(rows.pos_label, False, rate * total, rate, own, trained),
        ClassOfRows(
            rows.pos_label if is_rest else rows.neg_label,
            is_rest,
            (1 - rate) * total,
            1 - rate,
            rest,
            trained_rest,
        ),
    ]


def _prior(rows: ScoredRows) -> float | None:
    """The share of the positive class that the probabilities speak of."""
    shares = getattr(rows.classifier, "prior_", None)
    if rows.classifier is None or shares is None:
        return None
    return float(shares[rows.classifier.classes_.tolist().index(rows.pos_label)])


def _pos_weight(rows: ScoredRows) -> float | None:
    known = getattr(rows.classifier, "pos_weight_", None)
    if known is None:
        return None
    return float(known) if np.ndim(known) == 0 else float(known[rows.pos_label])


def _training(rows: ScoredRows) -> Training | None:
    history = getattr(rows.classifier, "history_", None) or {}
    loss = [float(value) for value in history.get("loss", [])]
    if len(loss) < 2:
        return None
    best = getattr(rows.classifier, "best_epoch_", None)
    return Training(
        loss,
        [float(value) for value in history.get("val_log_loss", [])],
        None if best is None else int(best),
    )


def _found_risks(
    rows: ScoredRows,
    table: Table,
    separation: list[float],
    metrics: list[Metric],
    calibration: Calibration,
    costs: Float64 | None,
) -> list[Risk]:
    by_name = {metric.name: metric for metric in metrics}
    weight, n = rows.sample_weight, len(rows.positive)
    total = float(weight.sum())
    tp, fp, *_ = rows.counts
    recall, rate = by_name["recall"], rows.base_rate
    n_positive = n_effective(weight[rows.positive])
    log_loss, accuracy = by_name["log_loss"], by_name["accuracy"]
    low, high = calibration.observed_interval
    prior = _prior(rows)
    shifted = _risks.other_base_rate(rate, (low / total, high / total), prior)
    raw, ours = rows.raw_proba, rows.classifier is not None
    return _risks.in_order(
        [
            _risks.separating_columns(table.names, separation, n_positive),
            _risks.few_positives(n_positive, (recall.low, recall.high), int(rows.positive.sum())),
            _risks.answers_only_one_way(tp + fp, total, repr(rows.pos_label), ours),
            _risks.no_better_than_base_rate(
                _ends_or_value(by_name["roc_auc"]),
                _known(log_loss.value),
                _known(log_loss.baselines["base_rate"]),
                ours,
            ),
            _risks.too_good(_known(by_name["average_precision"].value), n_positive),
            _risks.row_numbers(counters(table)),
            _risks.copies(copies_of(table, rows.positive), n, int(rows.positive.sum())),
            shifted,
            # another base rate says it already
            None
            if shifted
            else _risks.untrue_sum(calibration.expected, calibration.observed, (low, high), ours),
            _risks.untrue_spread(
                calibration.slope,
                calibration.slope_interval,
                min(n_positive, n_effective(weight[~rows.positive])),
                ours,
            ),
            _risks.noisy_threshold(
                _interval_of(rows), _figure_within(rows), words.objective(rows.objective)
            ),
            _default_threshold(rows, costs, by_name),
            _risks.raw_probabilities(
                getattr(rows.classifier, "calibrate", None),
                0.0 if raw is None else float(np.average(abs(raw - rows.proba), weights=weight)),
            ),
            _risks.accuracy_misleads(_known(accuracy.value), max(rate, 1 - rate)),
        ]
    )


def _default_threshold(
    rows: ScoredRows, costs: Float64 | None, metrics: dict[str, Metric]
) -> Risk | None:
    by_default = rows.threshold is not None and abs(rows.threshold - 0.5) < 1e-9
    if not by_default or rows.interval is not None or costs is not None:
        return None
    best = int(np.argmax(rows.curve.f1))
    return _risks.default_threshold(
        _known(metrics["f1"].value),
        float(rows.curve.f1[best]),
        float(rows.curve.log_odds[best]),
        _known(metrics["recall"].value),
        _known(metrics["f1"].baselines["always"]),
    )


def _figure_within(rows: ScoredRows) -> tuple[float, float] | None:
    """The ends of what the threshold was tuned for, at the cuts within its interval.

    Of bounds it is the figure that they leave to be maximised. Costs have a minus before them.
    """
    ends, objective = _interval_of(rows), rows.tuned_for
    if ends is None or objective is None:
        return None
    # an end at zero or one is beyond the scores of all rows
    least, most = float(rows.log_odds.min()) - 1, float(rows.log_odds.max()) + 1
    low, high = np.clip(logit(ends), least, most).tolist()
    tp, fp = above(rows, np.linspace(low, high, 50))
    fn, tn = rows.curve.tp[-1] - tp, rows.curve.fp[-1] - fp
    found = replace(objective, constraints=()).values(tp, fp, fn, tn)
    found = found[np.isfinite(found)]
    return (float(found.min()), float(found.max())) if len(found) else None


def _ends_or_value(metric: Metric) -> tuple[float | None, float | None]:
    """The interval; the figure itself where rows drawn again all give it, as equal scores do."""
    if metric.low is None or metric.high is None:
        return metric.value, metric.value
    return metric.low, metric.high


def _known(value: float | None) -> float:
    return np.nan if value is None else value
