"""The steps of a fit that settle where the posterior is cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logsumexp

from wbce._numbers import as_numbers
from wbce._posterior_steps import PosteriorSteps
from wbce._rows import Judged, Rows
from wbce.decisions import (
    FAR,
    ClassRows,
    Cut,
    ThresholdCurve,
    binary_objective,
    check_both_classes,
    choose,
    chosen_log_multipliers,
    class_objective,
    cost_log_odds,
    expected_costs,
    of_so_many,
    resampled_class_interval,
    resampled_interval,
    threshold_curve,
)
from wbce.losses import check_cost_matrix, check_costs
from wbce.losses._posterior import refuse_nan
from wbce.prior import class_shares

_OF_TUNING = ("_tuned_rows", "_interval")


class DecisionSteps(PosteriorSteps):
    """From the posterior to the decision: base rates, thresholds, multipliers and costs."""

    prior_: Any
    threshold_: Any
    threshold_curve_: Any
    threshold_score_: Any
    _cut: Any  # of two classes and of labels
    _log_multipliers: Any  # of more classes
    _costs: Any  # where the least expected cost decides
    _log_prior_shift: Any  # from the training rows' base rate to the population's, by class
    _counts_so_far: Any  # of the rows that the posterior was learned from
    _chosen_for: Any  # what the threshold was tuned for: objective, costs, and whether exactly
    _tuned_rows: Any  # on which, for three classes or more
    _interval: Any  # once it was asked for
    _moved_prior: Any  # by tune_threshold

    # ------------------------------------------------------------------ the base rate

    def _settle_prior(self, rows: Rows | Judged, before: Any = 0.0) -> None:
        """Find the base rate that the posterior speaks of, and the way to it from the rows'.

        ``before`` are the counts of rows that came before these.
        """
        self._log_prior_shift = None
        if rows.codes is None or rows.codes.ndim > 1:
            return
        self._counts_so_far = counts = self._class_counts(rows) + before
        half_a_row = rows.sample_weight.mean() / 2
        counts = np.where(counts > 0, counts, half_a_row)  # of a class that has not come yet
        shares = counts / counts.sum()
        self.prior_ = shares
        prior = getattr(self, "_moved_prior", self.prior)
        if prior is not None:
            self.prior_ = class_shares(prior, self.classes_.tolist(), self._positive)
            self._log_prior_shift = np.log(self.prior_) - np.log(shares)

    def _rebased(self, rows: Rows) -> Rows:
        """Rows that judge, weighted so that they have the base rate that ``prior`` says."""
        if self._log_prior_shift is None:
            return rows
        counts = self._class_counts(rows)
        factors = np.divide(self.prior_, counts, out=np.zeros(len(counts)), where=counts > 0)
        weight = rows.sample_weight * (factors * counts.sum())[rows.codes]
        return replace(rows, sample_weight=weight)

    def _log_scores_so_far(
        self, z: NDArray[np.float64], judge: Rows | Judged
    ) -> NDArray[np.float64]:
        """The posterior as it would be if training ended now, with these validation logits."""
        if self._has_map:
            return self._log_scores(z)
        # Of two numbers also for isotonic steps, which fit the rows that they are judged by.
        posterior = self._calibrated("sigmoid", z, judge)
        if z.ndim == 1 or self._has_several_labels():
            return posterior.log_odds(z)
        return posterior.log_proba(z)

    @np.errstate(invalid="ignore")  # infinite logits, where they leave no number, are refused
    def _log_scores(self, z: NDArray[np.float64], prior: Any = None) -> NDArray[np.float64]:
        """Log-odds of class 1 or of every label, or the logarithm of every class's posterior."""
        posterior, shift = self._posterior, self._log_prior_shift
        if prior is not None:
            moved = self._other_prior(prior)
            shift = moved if shift is None else shift + moved
        if z.ndim == 1 or self._has_several_labels():
            log_odds = posterior.log_odds(z)
            return log_odds if shift is None else log_odds + (shift[1] - shift[0])
        log_proba = posterior.log_proba(z)
        return log_proba if shift is None else log_softmax(log_proba + shift, axis=1)

    def _move_prior(self, prior: Any) -> None:
        """From now on, speak of a population with this base rate."""
        moved = self._other_prior(prior)
        shift = self._log_prior_shift
        self._log_prior_shift = moved if shift is None else shift + moved
        self.prior_ = class_shares(prior, self.classes_.tolist(), self._positive)
        self._moved_prior = prior

    def _other_prior(self, prior: Any) -> NDArray[np.float64]:
        """The way from the base rate of the fit to another one."""
        if not hasattr(self, "prior_"):
            raise ValueError(
                f"prior={prior!r} needs classes that exclude each other; this "
                f"{type(self).__name__} was fitted on targets of type {self.target_type_!r}."
            )
        shares = class_shares(prior, self.classes_.tolist(), self._positive)
        return np.log(shares) - np.log(self.prior_)

    def _calibrate(self, judged: Judged | None) -> None:
        super()._calibrate(judged)
        if judged is not None and self._calibration is not None:
            self._settle_prior(judged)  # it speaks of the rows that it was calibrated on

    # ------------------------------------------------------------------ where to cut

    def _tunes(self) -> bool:
        return isinstance(self.threshold, str)

    def _choose_threshold(self, judged: Judged | None) -> None:
        """Settle where to cut the posterior of the positive class, or of every label."""
        self.threshold_ = self._cut = self._log_multipliers = self._costs = None
        for name in ("threshold_curve_", "threshold_score_", "_chosen_for", *_OF_TUNING):
            self.__dict__.pop(name, None)
        if self._posterior is None:
            return
        if judged is not None and self._tunes():
            self._tune(judged, self.threshold_objective)
        elif self.threshold is None or self._tunes():
            self._decide_as_implied()
        else:
            self._decide_as_said()

    def _decide_as_implied(self) -> None:
        """As the costs say, or else the weights of the training."""
        n = len(self.classes_)
        if self._has_several_labels():
            log_odds = self._posterior.implied_log_odds(n)
            log_odds = np.where(self._empty_labels, np.inf, log_odds)
            self._cut_at(Cut.between_scores(np.clip(log_odds, -FAR, FAR)))
        elif n > 2 and self.cost_matrix is not None:
            self._costs = check_cost_matrix(self.cost_matrix)
        elif n > 2:
            self._multiply(self._posterior.implied_log_multipliers(n))
        elif self.cost_matrix is not None:
            self._cut_at(Cut.between_scores(self._sign() * cost_log_odds(self.cost_matrix)))
        else:
            implied = self._sign() * self._posterior.implied_log_odds()
            self._cut_at(Cut.between_scores(implied))

    def _decide_as_said(self) -> None:
        """At the numbers that the user gave."""
        said = self._said_thresholds()
        if self._has_several_labels():
            self._cut_at(Cut.at(np.where(self._empty_labels, 1.0, said)))
        elif len(self.classes_) > 2:
            self._multiply(-np.log(said))
        else:
            self._cut_at(Cut.at(said))

    def _said_thresholds(self) -> NDArray[np.float64]:
        n, said = len(self.classes_), np.asarray(self.threshold, dtype=np.float64)
        several = self._has_several_labels()
        if several and said.ndim == 0:
            said = np.full(n, said)
        if said.shape != (() if n == 2 and not several else (n,)):
            raise ValueError(self._wrong_thresholds())
        if n > 2 and not several and not (said > 0).all():
            raise ValueError(
                f"threshold={self.threshold!r}: the class with the largest ratio of probability to "
                "threshold is chosen, so every threshold must be above 0."
            )
        return said

    def _check_decisions(self) -> None:
        """Check what ``threshold`` and ``threshold_objective`` say, now that y is known."""
        if self._tunes():
            self._understood(self.threshold_objective, self.cost_matrix)
        elif self.threshold is not None:
            self._said_thresholds()

    def _understood(self, said: Any, costs: Any) -> Any:
        """The objective for these targets."""
        if self._has_several_labels():
            if isinstance(said, str) and said == "cost":
                raise ValueError(
                    "threshold_objective='cost' is for classes that exclude each other, as "
                    "cost_matrix is; labels are tuned each for itself. Pass another objective."
                )
            return binary_objective(said)
        if len(self.classes_) > 2:
            return class_objective(said, costs)
        if costs is not None and self._sign() < 0:
            costs = np.asarray(costs)[::-1, ::-1]  # the positive class in the second place
        return binary_objective(said, costs)

    def _wrong_thresholds(self) -> str:
        labels = self.classes_.tolist()
        if self._has_several_labels():
            return (
                f"threshold={self.threshold!r} has the wrong length: pass a number for all of the "
                f"{len(labels)} labels, or one for each."
            )
        if len(labels) == 2:
            return (
                f"threshold={self.threshold!r}: y has two classes, and one number cuts the "
                "probability of the positive one. Pass a number."
            )
        return (
            f"threshold={self.threshold!r}: y has {len(labels)} classes, {labels}, and one number "
            "for each is needed, in this order: the class with the largest ratio of probability "
            "to threshold is chosen. Or pass None, as the weights imply, or 'auto'."
        )

    def _cut_at(self, cut: Cut) -> None:
        self._cut = cut
        self.threshold_ = cut.probability

    def _multiply(self, log_multipliers: NDArray[np.float64]) -> None:
        self._log_multipliers = log_multipliers - log_multipliers.mean()
        self.threshold_ = np.exp(-log_multipliers - logsumexp(-log_multipliers))

    # ------------------------------------------------------------------ tuning

    def _tune(self, judged: Judged, said: Any) -> None:
        """Choose the threshold, thresholds or multipliers on rows that judge."""
        exact = isinstance(self.threshold, str) and self.threshold == "exact"
        costs = self.cost_matrix
        self._understood(said, costs)
        said = of_so_many(said, judged.n_passed)
        objective = self._understood(said, costs)
        self._chosen_for = said, costs, exact
        for name in _OF_TUNING:
            self.__dict__.pop(name, None)
        scores = self._log_scores(judged.z) if judged.scores is None else judged.scores
        if self._has_several_labels():
            self._tune_labels(scores, judged, objective, exact)
        elif scores.ndim == 2:
            self._tune_classes(scores, judged, objective, exact)
        else:
            positive = judged.codes == self._positive
            check_both_classes(positive, judged.sample_weight)
            curve = threshold_curve(self._sign() * scores, positive, judged.sample_weight)
            place, self.threshold_curve_ = choose(curve, objective, exact)
            self.threshold_score_ = self.threshold_curve_.objective_at(place)
            self._cut_at(Cut.between_scores(float(curve.log_odds[place])))

    def _tune_labels(
        self, scores: NDArray[np.float64], judged: Judged, objective: Any, exact: bool
    ) -> None:
        """Choose a threshold for every label, each for itself."""
        curves: list[ThresholdCurve | None] = []
        cuts, reached = [], []
        for label, codes in enumerate(judged.codes.T):
            if self._empty_labels[label] or self._full_labels[label]:
                curves.append(None)
                cuts.append(FAR if self._empty_labels[label] else -FAR)
                reached.append(np.nan)
                continue
            check_both_classes(codes == 1, judged.sample_weight, f" of label {label}")
            curve = threshold_curve(scores[:, label], codes == 1, judged.sample_weight)
            try:
                place, curve = choose(curve, objective, exact)
            except ValueError as error:
                raise ValueError(f"Label {label}: {error}") from error
            curves.append(curve)
            cuts.append(float(curve.log_odds[place]))
            reached.append(curve.objective_at(place))
        self.threshold_curve_, self.threshold_score_ = curves, np.array(reached)
        self._cut_at(Cut.between_scores(np.array(cuts)))

    def _tune_classes(
        self, log_proba: NDArray[np.float64], judged: Judged, objective: Any, exact: bool
    ) -> None:
        """Choose a multiplier for every class."""
        self._check_each_class_is_there(judged, "A threshold for every class")
        rows = ClassRows.labelled(log_proba, judged.codes, judged.sample_weight, self.classes_)
        implied = self._posterior.implied_log_multipliers(len(self.classes_))
        starts = [np.zeros(len(implied)), implied, -np.log(self.prior_)]
        found = chosen_log_multipliers(rows, objective, starts, exact)
        self._costs = None
        self._multiply(found)
        self._tuned_rows = log_proba, judged.codes, judged.sample_weight
        decided = np.argmax(log_proba + self._log_multipliers, axis=1)
        self.threshold_score_ = rows.value(objective, decided)

    @property
    def threshold_interval_(self) -> Any:
        """Where thresholds lie, and the objective at them, if the judging rows are drawn again.

        By 200 bootstrap samples, drawn when this is first asked for; 90 % of them lie within. For
        labels one for each. For three classes or more by 50, each searched from the multipliers
        that were chosen; with a scorer the thresholds' ends are NaN.
        """
        if not hasattr(self, "_chosen_for"):
            raise AttributeError(
                f"{type(self).__name__} has threshold_interval_ where a threshold was tuned: by "
                "threshold='auto', or tune_threshold."
            )
        if not hasattr(self, "_interval"):
            self._interval = self._resampled_interval()
        return self._interval

    def _resampled_interval(self) -> Any:
        said, costs, exact = self._chosen_for
        objective = self._understood(said, costs)
        if hasattr(self, "_tuned_rows"):
            log_proba, codes, weight = self._tuned_rows
            rows = ClassRows.labelled(log_proba, codes, weight, self.classes_)
            return resampled_class_interval(rows, self._log_multipliers, objective, exact)
        several = self._has_several_labels()
        curves = self.threshold_curve_ if several else [self.threshold_curve_]
        intervals = [
            None
            if curve is None
            else resampled_interval(
                curve, int(np.argmin(np.abs(curve.log_odds - cut))), objective, exact
            )
            for curve, cut in zip(curves, np.atleast_1d(self._cut.log_odds), strict=True)
        ]
        return intervals if several else intervals[0]

    # ------------------------------------------------------------------ deciding

    def _decision(
        self, z: NDArray[np.float64], prior: Any = None, cost_matrix: Any = None
    ) -> NDArray[np.float64]:
        """How far each row is from the decision, or how well each class does."""
        scores = refuse_nan(self._log_scores(z, prior))
        costs = self._costs
        if cost_matrix is not None:
            costs = self._checked_row_costs(cost_matrix, len(z))
        if costs is not None:
            return self._cost_decision(scores, costs)
        if z.ndim == 1:
            sign = self._sign()
            return sign * self._cut.margin(sign * scores)
        if self._has_several_labels():
            return self._cut.margin(scores)
        return scores + self._log_multipliers

    def _cost_decision(
        self, scores: NDArray[np.float64], costs: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        if scores.ndim == 1:
            proba = np.column_stack([expit(-scores), expit(scores)])
            expected = expected_costs(proba, costs)
            return expected[:, 0] - expected[:, 1]
        return -expected_costs(np.exp(scores), costs)

    def _checked_row_costs(self, cost_matrix: Any, n: int) -> NDArray[np.float64]:
        k = len(self.classes_)
        if self._has_several_labels():
            raise ValueError(
                "cost_matrix is for classes that exclude each other, and this estimator was fitted "
                "on several labels a row."
            )
        costs = as_numbers(cost_matrix)
        if costs is None:
            raise ValueError(f"cost_matrix={cost_matrix!r} is not of numbers.")
        if costs.shape not in ((k, k), (n, k, k)):
            raise ValueError(
                f"cost_matrix has the shape {costs.shape}: pass costs of shape {(k, k)}, or one "
                f"such matrix for each of the {n} rows, {(n, k, k)}. [..., i, j] is the cost of "
                f"calling a row of class i a j, in the order of {self.classes_.tolist()}."
            )
        check_costs(costs)
        return costs
