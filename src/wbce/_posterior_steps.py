"""The steps of a fit that find out what the network's output means for the population."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce import weights
from wbce._rows import Judged, Rows
from wbce._scikeras import SciKerasClassifier
from wbce._warnings import CalibrationWarning, ImbalanceWarning, warn_once
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
from wbce.losses._keras import takes_one_hot
from wbce.networks import start_bias


class PosteriorSteps(SciKerasClassifier):
    """From the compiled network to its posterior and to where it is cut."""

    model_: Any
    classes_: Any
    _positive: int | None
    _posterior: Any  # None for targets and outputs that have no posterior of classes
    _has_map: bool  # whether the posterior follows from the loss
    _calibration: str | None  # the method, where the posterior waits for validation rows
    _weights_in_loss: bool  # whether the loss itself has the class weights, and not the rows
    _logit_function: Any
    _output: Any
    _empty_labels: Any  # labels that no training row has
    _full_labels: Any  # labels that every training row has

    # ------------------------------------------------------------------ the posterior

    def _map_to_posterior(
        self,
        train: Rows,
        judge: Rows | Judged | None,
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
        own_map = self._map_of_loss()
        self._has_map = own_map is not None
        if own_map is not None:
            self._posterior = Posterior(own_map, class_weights)
        else:  # the network's own output, until it is calibrated
            several = 2 if self._has_several_labels() else len(self.classes_)
            self._posterior = Posterior(WeightedCrossentropy(), np.ones(several))
        self._calibration = self._chosen_calibration(class_weights, judge)

    def _tell_loss(
        self, loss: PointwiseLoss, train: Rows, class_weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Tell a loss what it should know of the rows; return the weights that rows must carry."""
        weighted = bool(np.ptp(class_weights) > 0)
        if weighted:
            self._refuse_weights_beside(loss)
        counts = self._class_counts(train)
        if isinstance(loss, CostSensitive) and not self._compiled_on_arrival:
            self._normalise_costs(loss, counts)
        self._tell_class_shares(loss, counts)
        if "class_weight" in self._loss_was_told:
            self._tell(loss, "class_weight", None)
        if loss.deferral > 0 and loss.class_weight is None and not self._says_weights():
            raise ValueError(
                f"deferral={loss.deferral:g} defers class weights, and there are none. Pass "
                "class_weight, pos_weight or alpha, or drop deferral."
            )
        several = self._has_several_labels()
        if weighted and (several or loss.deferral > 0):
            self._tell(loss, "class_weight", class_weights.tolist())
            self._weights_in_loss = True
        if several:
            return np.ones(2)
        if loss.class_weight is not None and len(loss.class_weight) != len(class_weights):
            raise ValueError(
                f"The loss has {len(loss.class_weight)} class weights, but y has "
                f"{len(class_weights)} classes."
            )
        return np.ones(len(class_weights)) if self._weights_in_loss else class_weights

    def _refuse_weights_beside(self, loss: PointwiseLoss) -> None:
        costs = isinstance(loss, CostSensitive)
        own = loss.class_weight is not None and "class_weight" not in self._loss_was_told
        if costs or own:
            raise ValueError(
                f"The loss has {'a cost matrix' if costs else 'class weights of its own'}, and the "
                "estimator has class weights. Keep class_weight, pos_weight or alpha of the "
                "estimator, or the loss's own."
            )

    def _normalise_costs(self, loss: CostSensitive, counts: NDArray[np.float64]) -> None:
        """Scale costs to a mean of one over the rows, as class weights are."""
        of_class = excess_costs(loss.cost_matrix).sum(axis=1) / (len(counts) - 1)
        mean = float(counts @ of_class / counts.sum())
        self._tell(loss, "cost_matrix", (np.asarray(loss.cost_matrix) / mean).tolist())

    def _tell_class_shares(self, loss: PointwiseLoss, counts: NDArray[np.float64]) -> None:
        name = loss.class_shares_parameter
        if name is None or (getattr(loss, name) is not None and name not in self._loss_was_told):
            return
        if not counts.all():
            raise ValueError(
                f"loss={self.loss!r} needs rows of every class, and of every label with and "
                f"without it; the counts are {counts.tolist()}."
            )
        self._tell(loss, name, counts.tolist())

    def _defers_weights(self) -> bool:
        loss = self.model_.loss
        return bool(getattr(loss, "deferral", 0) > 0 and loss.class_weight is not None)

    def _says_weights(self) -> bool:
        return not self.class_weight is self.pos_weight is self.alpha is None

    def _tell(self, loss: PointwiseLoss, name: str, value: Any) -> None:
        self._loss_was_told.add(name)
        if getattr(loss, name) != value:
            setattr(loss, name, value)
            self.model_.train_function = None  # Keras' compiled step holds the old one

    def _map_of_loss(self) -> Any:
        """The map that the loss has, as it is now; None for a loss that has none."""
        loss = self.model_.loss
        equivalent = keras_equivalent(loss)
        if equivalent is not None:  # a copy: the loss itself may be told other things later
            return type(equivalent).from_config(equivalent.get_config())
        return None if isinstance(loss, OwnLoss) else self._derived_map()

    def _derived_map(self) -> Any:
        """The map of a loss that is not ours, from its own slopes."""
        loss = self.model_.loss
        if isinstance(loss, list | tuple) and len(loss) == 1:
            loss = loss[0]
        if loss is None or isinstance(loss, list | tuple | dict):
            return None
        targets = np.asarray(self._targets(self.classes_))
        return derived_posterior(
            loss, targets, self._logit_function.n_outputs, self._logit_function.output_is_logits
        )

    def _chosen_calibration(
        self, class_weights: NDArray[np.float64], judge: Rows | Judged | None
    ) -> str | None:
        """How validation rows are needed to find the posterior; None where the loss has it.

        Whether `calibrate` is True or False makes no difference: decisions are the same.
        """
        asked = self.calibrate if isinstance(self.calibrate, str) else None
        if asked is None and self._has_map:
            return None
        if judge is not None:
            self._check_each_class_is_there(judge)
            return asked or "sigmoid"
        if asked is not None:
            raise ValueError(
                f"calibrate={asked!r} needs validation rows. Pass X_val and y_val to fit, a "
                "validation_split above 0, or calibrate=True."
            )
        if self.calibrate:
            message = (
                f"loss={self.model_.loss!r} has no map of its own from the network's output to "
                "probabilities, and there are no validation rows to calibrate it on. Pass X_val "
                "and y_val to fit, or a larger validation_split; or use a loss that has one "
                "('weighted_bce', 'focal', ...); or set calibrate=False for the network's own."
            )
            if isinstance(self.model_.loss, OwnLoss) or np.ptp(class_weights) > 0:
                raise ValueError(message)
            warn_once(
                f"{message} Now predict_proba is the network's own output.",
                CalibrationWarning,
            )
        return None

    def _check_each_class_is_there(self, judge: Rows | Judged, why: str = "Calibration") -> None:
        counts = self._class_counts(judge)
        if counts.all():
            return
        if counts.ndim == 2:
            label = int(np.argmin(counts.all(axis=1)))
            which = f"with and without label {label}, and have {counts[label, 1]:g} with it"
        else:
            which = f"of class {self.classes_.tolist()[int(np.argmin(counts))]!r}, and have none"
        or_else = (
            "; or use a loss that has a posterior of its own ('weighted_bce', 'focal', ...) with "
            "calibrate=True"
        )
        raise ValueError(
            f"{why} needs validation rows {which}. Pass X_val and y_val to fit, or a larger "
            f"validation_split{or_else if why == 'Calibration' else ''}."
        )

    def _calibrate(self, judged: Judged | None) -> None:
        """Calibrate on rows that judge, where the loss gives no posterior."""
        if judged is None or self._posterior is None:
            return
        own_map = getattr(self._posterior, "loss", None)
        if (
            self._calibration is None
            and isinstance(own_map, DerivedClassPosterior)
            and own_map.leaves_simplex(judged.z)
        ):
            self._calibration = "sigmoid"
        if self._calibration is not None:
            self._posterior = self._calibrated(self._calibration, judged.z, judged)

    def _calibrated(
        self, method: str, z: NDArray[np.float64], judge: Rows | Judged
    ) -> CalibratedPosterior:
        ranks_only = getattr(self.model_.loss, "ranks_only", False)
        return CalibratedPosterior(method, z, judge.codes, judge.sample_weight, ranks_only)

    # ------------------------------------------------------------------ what the steps need

    def _targets(self, y: NDArray[Any]) -> Any:
        """Labels as the network's loss takes them."""
        encoded = self.target_encoder_.transform(y)
        two_outputs = self._logit_function is not None and self._logit_function.n_outputs == 2
        if (
            two_outputs
            and len(self.classes_) == 2
            and not isinstance(self.model_.loss, OwnLoss)
            and takes_one_hot(self.model_.loss)
        ):
            return np.eye(2, dtype=encoded.dtype)[encoded.ravel().astype(np.intp)]
        return encoded

    def _class_counts(self, rows: Rows | Judged) -> NDArray[np.float64]:
        if self._has_several_labels():
            counts = weights.label_counts(rows.codes, rows.sample_weight)
            if self._empty_labels is not None:  # skipped labels count as having half a row
                half_a_row = rows.sample_weight.mean() / 2
                counts[self._empty_labels] += np.array([-half_a_row, half_a_row])
            return counts
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
            posterior = self._posterior
            if self._defers_weights():  # training starts without them
                loss = self.model_.loss
                plain = type(loss).from_config({**loss.get_config(), "class_weight": None})
                posterior = Posterior(plain, np.ones(2 if shares.ndim == 2 else len(shares)))
            unweighted = Posterior(WeightedCrossentropy(), np.ones(shares.shape[-1]))
            starts = [p.logits_of(shares) for p in (posterior, unweighted)]
            if self._logit_function.n_outputs == 2 and counts.shape == (2,):
                starts = [np.array([-z[0] / 2, z[0] / 2]) for z in starts]
            start_bias(self.model_, *starts)

    def _sign(self) -> int:
        """+1 where the positive class is ``classes_[1]``, the one that logits speak of."""
        return 1 if self._positive == 1 else -1

    def _refuse_one_class(self, y: NDArray[Any]) -> None:
        """Refuse labels of one class; for Keras' own losses, which SciKeras fits, warn."""
        message = (
            f"y has one class, {self.classes_.tolist()[0]!r}, in the {len(y)} rows with any "
            "weight; two classes or more are needed."
        )
        if not hasattr(self, "model_") or isinstance(self.model_.loss, OwnLoss):
            raise ValueError(message)
        warn_once(f"{message} The network learns a constant.", ImbalanceWarning)

    def _refuse_class_decisions(self) -> None:
        """Weights and thresholds need one label a row, or labels with a loss of this package."""
        for name in (
            "class_weight",
            "pos_weight",
            "alpha",
            "threshold",
            "pos_label",
            "cost_matrix",
            "prior",
        ):
            value = getattr(self, name)
            if value is not None:
                raise ValueError(
                    f"{name}={value!r} needs one label a row and a network with one logit or "
                    "probability for two classes, or one a class; or labels of zeros and ones and "
                    f"a loss of this package. Here y is of type {self.target_type_!r} and the loss "
                    f"{getattr(self.model_, 'loss', None)!r}; leave {name}=None."
                )
