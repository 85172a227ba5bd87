"""The steps of a fit that find out what the network's output means for the population."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wbce import weights
from wbce._rows import Rows
from wbce._scikeras import SciKerasClassifier
from wbce.decisions import Cut, best_f1_cut, cost_log_odds
from wbce.inference import blank_rows, output_logits
from wbce.losses import (
    CalibratedPosterior,
    CostSensitive,
    OwnLoss,
    PointwiseLoss,
    Posterior,
    WeightedCrossentropy,
    derived_posterior,
    excess_costs,
    keras_equivalent,
)
from wbce.losses._autodiff import DerivedClassPosterior
from wbce.networks import start_bias


class PosteriorSteps(SciKerasClassifier):
    """From the compiled network to its posterior and to where it is cut."""

    model_: Any
    classes_: Any
    _positive: int | None
    _posterior: Any  # None for targets and outputs that have no posterior of classes
    _calibration: str | None  # the method, where the posterior waits for validation rows
    _weights_in_loss: bool  # whether the loss itself has the class weights, and not the rows
    _logit_function: Any
    _output: Any
    _cut: Any
    _log_multipliers: Any

    # ------------------------------------------------------------------ the posterior

    def _map_to_posterior(
        self,
        train: Rows,
        judge: Rows | None,
        class_weights: NDArray[np.float64],
        arguments: dict[str, Any],
    ) -> None:
        """Find out what the network's output means, and the way from it to the posterior."""
        self._posterior = self._calibration = None
        self._weights_in_loss = False
        if train.codes is None:
            if self._has_one_label_a_row():
                self._refuse_one_class(train.y)
            return
        loss = self.model_.loss
        if self._has_several_labels() and not isinstance(loss, OwnLoss):
            self._refuse_class_decisions()
            return
        if self._logit_function is None and not self._read_logits(train):
            self._refuse_class_decisions()
            return
        if isinstance(loss, OwnLoss):
            loss.labels_are_checked = True
        if isinstance(loss, PointwiseLoss):
            class_weights = self._tell_loss(loss, train, class_weights)
        class_weights = class_weights * self._keras_class_weight(arguments)
        self._posterior = self._uncalibrated(train, class_weights)
        self._calibration = self._chosen_calibration(class_weights, judge)

    def _tell_loss(
        self, loss: PointwiseLoss, train: Rows, class_weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Tell a loss what it should know of the rows; return the weights that rows must carry."""
        weighted = np.ptp(class_weights) > 0
        costs = isinstance(loss, CostSensitive)
        if weighted and (
            costs or (loss.class_weight is not None and "class_weight" not in self._loss_was_told)
        ):
            raise ValueError(
                f"The loss has {'a cost matrix' if costs else 'class weights of its own'}, and the "
                "estimator has class weights. Keep class_weight, pos_weight or alpha of the "
                "estimator, or the loss's own."
            )
        counts = self._class_counts(train)
        if costs and not self._compiled_on_arrival:  # normalised, as class weights are
            row_costs = excess_costs(loss.cost_matrix).sum(axis=1) / (len(counts) - 1)
            mean = float(counts @ row_costs / counts.sum())
            self._tell(loss, "cost_matrix", (np.asarray(loss.cost_matrix) / mean).tolist())
        told = self._loss_was_told
        shares = loss.class_shares_parameter
        if shares is not None and (getattr(loss, shares) is None or shares in told):
            if not counts.all():
                raise ValueError(
                    f"loss={self.loss!r} needs rows of every class, and of every label with and "
                    f"without it; the counts are {counts.tolist()}."
                )
            self._tell(loss, shares, counts.tolist())
        if "class_weight" in told:
            self._tell(loss, "class_weight", None)
        if weighted and (self._has_several_labels() or loss.deferral > 0):
            self._tell(loss, "class_weight", class_weights.tolist())
            self._weights_in_loss = True
            return np.ones(2 if self._has_several_labels() else len(class_weights))
        given = loss.class_weight
        if given is not None and np.shape(given)[-1] != np.shape(class_weights)[-1]:
            raise ValueError(
                f"The loss has {len(given)} class weights, but y has {len(class_weights)} classes."
            )
        return class_weights if not self._has_several_labels() else np.ones(2)

    def _tell(self, loss: PointwiseLoss, name: str, value: Any) -> None:
        self._loss_was_told.add(name)
        if getattr(loss, name) != value:
            setattr(loss, name, value)
            self.model_.train_function = None  # Keras' compiled step holds the old one

    def _uncalibrated(self, train: Rows, class_weights: NDArray[np.float64]) -> Posterior:
        """The map that the loss itself gives; the network's own output where it has none."""
        loss: Any = keras_equivalent(self.model_.loss)
        if loss is None and not isinstance(self.model_.loss, OwnLoss):
            loss = self._derived_map()
        if loss is None:
            several = 2 if self._has_several_labels() else len(self.classes_)
            self._has_map = False
            return Posterior(WeightedCrossentropy(), np.ones(several))
        self._has_map = True
        return Posterior(loss, class_weights)

    def _derived_map(self) -> Any:
        """The map of a loss that is not ours, from its own slopes."""
        loss = self.model_.loss
        if isinstance(loss, list | tuple) and len(loss) == 1:
            loss = loss[0]
        if loss is None or isinstance(loss, list | tuple | dict):
            return None
        targets = np.asarray(self.target_encoder_.transform(self.classes_))
        return derived_posterior(
            loss, targets, self._logit_function.n_outputs, self._logit_function.output_is_logits
        )

    def _chosen_calibration(
        self, class_weights: NDArray[np.float64], judge: Rows | None
    ) -> str | None:
        """How validation rows are needed to find the posterior; None where the loss has it."""
        if isinstance(self.calibrate, str):
            if judge is None:
                raise ValueError(
                    f"calibrate={self.calibrate!r} needs validation rows. Pass X_val and y_val to "
                    "fit, a validation_split above 0, or calibrate=True."
                )
            return self.calibrate
        if self._has_map or judge is not None:
            return None if self._has_map else "sigmoid"
        ours = isinstance(self.model_.loss, OwnLoss)
        if self.calibrate and (ours or np.ptp(class_weights) > 0):
            raise ValueError(
                f"loss={self.model_.loss!r} has no map of its own from the network's output to "
                "probabilities, and there are no validation rows to calibrate it on. Pass X_val "
                "and y_val to fit, or a larger validation_split; or use a loss that has one "
                "('weighted_bce', 'focal', ...); or set calibrate=False for the network's own."
            )
        return None

    def _calibrate(self, judge: Rows | None) -> None:
        """Calibrate on the validation rows, where the loss gives no posterior."""
        if judge is None or self._posterior is None:
            return
        z = None
        derived = getattr(self._posterior, "loss", None)
        if self._calibration is None and isinstance(derived, DerivedClassPosterior):
            z = self._logit_function(self._encode(judge.X))
            if derived.leaves_simplex(z):
                self._calibration = "sigmoid"
        if self._calibration is not None:
            z = self._logit_function(self._encode(judge.X)) if z is None else z
            self._posterior = self._calibrated(self._calibration, z, judge)

    def _posterior_of(self, z: NDArray[np.float64], judge: Rows) -> Any:
        """The posterior as it would be if training ended now, with these validation logits."""
        if self._calibration is None:
            return self._posterior
        # Of two numbers also for isotonic steps, which fit the rows that they are judged by.
        return self._calibrated("sigmoid", z, judge)

    def _calibrated(self, method: str, z: NDArray[np.float64], judge: Rows) -> CalibratedPosterior:
        ranks_only = getattr(self.model_.loss, "ranks_only", False)
        return CalibratedPosterior(method, z, judge.codes, judge.sample_weight, ranks_only)

    # ------------------------------------------------------------------ what the steps need

    def _class_counts(self, rows: Rows) -> NDArray[np.float64]:
        if self._has_several_labels():
            return weights.label_counts(rows.codes, rows.sample_weight)
        return weights.class_counts(rows.codes, len(self.classes_), rows.sample_weight)

    def _read_logits(self, train: Rows) -> bool:
        """Recognise the network's output; False where it is none that classes can be read off."""
        ours = isinstance(self.model_.loss, OwnLoss)
        several = self._has_several_labels()
        sample = blank_rows(self._encode(train.X[:1]))
        logits = output_logits(
            self.model_,
            sample,
            len(self.classes_),
            multi_label=several,
            from_logits=self.from_logits,
            strict=ours,
        )
        if logits is None:
            return False
        if ours:
            self.model_.loss.from_logits = logits.output_is_logits
            if several and not self.model_.loss.multi_label:
                raise ValueError(
                    f"y has {len(self.classes_)} labels a row, but the network was compiled with "
                    f"{self.model_.loss!r}, which takes its columns for classes. Pass "
                    "multi_label=True to the loss."
                )
        elif logits.output_is_logits:
            self._tell_keras_loss_of_logits()
        self._logit_function = logits
        self._output = sample, len(self.classes_), logits.output_is_logits, several
        return True

    def _keras_class_weight(self, arguments: dict[str, Any]) -> Any:
        """Class weights that go straight to Keras' ``fit``, by code."""
        given = arguments.get("class_weight", getattr(self, "fit__class_weight", None)) or {}
        if self._has_several_labels():
            if given:
                raise ValueError(
                    "Keras' class_weight is for classes that exclude each other; for several "
                    "labels pass pos_weight to the estimator."
                )
            return 1.0
        return np.array([float(given.get(k, 1.0)) for k in range(len(self.classes_))])

    def _start(self, train: Rows) -> None:
        """Start the output bias where the posterior is the base rate."""
        if self._posterior is None or not self._has_map:
            return
        counts = self._class_counts(train)
        untrained = self.model_.optimizer is None or int(self.model_.optimizer.iterations) == 0
        if untrained and counts.all():
            shares = counts / counts.sum(axis=-1, keepdims=True)
            logits = self._posterior.logits_of(shares)
            if self._logit_function.n_outputs == 2 and counts.shape == (2,):
                logits = np.array([-logits[0] / 2, logits[0] / 2])
            start_bias(self.model_, logits)

    # ------------------------------------------------------------------ where to cut

    def _choose_threshold(self, judge: Rows | None) -> None:
        """Settle where to cut the posterior of the positive class, or of every label."""
        self.threshold_ = self._cut = self._log_multipliers = None
        if self._posterior is None:
            return
        if self._has_several_labels():
            n_labels = len(self.classes_)
            if self.threshold is None:
                implied = self._posterior.implied_log_odds(n_labels)
                self._cut = Cut(expit(implied), implied)
            else:
                self._cut = Cut.at(self.threshold)
            self.threshold_ = np.broadcast_to(self._cut.probability, (n_labels,)).copy()
            return
        if len(self.classes_) > 2:
            self._log_multipliers = self._posterior.implied_log_multipliers(len(self.classes_))
            return
        sign = self._sign()
        if judge is not None and isinstance(self.threshold, str):
            X = self._encode(judge.X)
            log_odds = sign * self._posterior.log_odds(self._logit_function(X))
            positive = judge.codes == self._positive
            self._cut, self.threshold_curve_ = best_f1_cut(log_odds, positive, judge.sample_weight)
        elif self.threshold is None or isinstance(self.threshold, str):
            if self.cost_matrix is not None:
                implied = sign * cost_log_odds(self.cost_matrix)
            else:
                implied = sign * self._posterior.implied_log_odds()
            self._cut = Cut(float(expit(implied)), implied)
        else:
            self._cut = Cut.at(self.threshold)
        self.threshold_ = self._cut.probability

    def _sign(self) -> int:
        """+1 where the positive class is ``classes_[1]``, the one that logits speak of."""
        return 1 if self._positive == 1 else -1

    def _refuse_one_class(self, y: NDArray[Any]) -> None:
        raise NotImplementedError

    def _refuse_class_decisions(self) -> None:
        """Weights and thresholds need one label a row, or labels with a loss of this package."""
        for name in (
            "class_weight",
            "pos_weight",
            "alpha",
            "threshold",
            "pos_label",
            "cost_matrix",
        ):
            value = getattr(self, name)
            if value is not None:
                raise ValueError(
                    f"{name}={value!r} needs one label a row and a network with one logit or "
                    "probability for two classes, or one a class; or labels of zeros and ones and "
                    f"a loss of this package. Here y is of type {self.target_type_!r} and the loss "
                    f"{getattr(self.model_, 'loss', None)!r}; leave {name}=None."
                )
