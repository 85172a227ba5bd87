"""The steps of ``partial_fit``, which trains on a part of the rows and knows no other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wbce import weights
from wbce._fit_steps import FitSteps
from wbce._rows import Rows, check_classes
from wbce.losses import BatchLoss


class PartSteps(FitSteps):
    """What can be done with a part of the rows, and errors for what cannot."""

    _weight_so_far: tuple[float, int]

    def _check_parts_suffice(self, arguments: dict[str, Any]) -> None:
        if self.distribute is not None:
            raise ValueError(
                f"distribute={self.distribute!r} divides the steps of fit among replicas, and "
                "partial_fit trains in this process alone. Pass distribute=None."
            )
        for name in ("epochs", "initial_epoch"):
            if name in arguments:
                raise TypeError(
                    f"Invalid argument `{name}` to `partial_fit`: it trains one epoch, from the "
                    "current one on."
                )
        if "validation_data" in arguments or hasattr(self, "fit__validation_data"):
            raise TypeError(
                "Invalid argument `validation_data` to `partial_fit`: it trains on some rows, and "
                "judges by none."
            )
        strategy = weights.needs_all_rows(self.class_weight, self.pos_weight)
        if strategy is not None:
            raise ValueError(
                f"{strategy} is computed from all rows, and partial_fit sees a part. Pass the "
                "weights as numbers: class_weight={label: weight}, pos_weight=number or alpha."
            )
        named = self._checked_loss()
        if getattr(named, "deferral", 0) > 0:
            raise ValueError(
                "deferral is a share of the epochs, and partial_fit trains one at a time. Pass "
                "class weights from the part on that should have them."
            )
        if isinstance(self.calibrate, str) or (self.calibrate and isinstance(named, BatchLoss)):
            raise ValueError(
                f"calibrate={self.calibrate!r} with loss={self.loss!r} needs validation rows, and "
                "partial_fit has none. Use a loss with a posterior of its own and calibrate=True, "
                "or calibrate=False."
            )
        shares = getattr(named, "class_shares_parameter", None)
        if shares is not None and getattr(named, shares) is None:
            raise ValueError(
                f"loss={self.loss!r} needs the classes' counts among all rows, and partial_fit "
                f"sees a part. Pass loss__{shares}, one number for every class."
            )
        if self._tunes():
            raise ValueError(
                f'threshold="{self.threshold}" is chosen on validation rows, and partial_fit has '
                "none. Pass a number, or None to decide as the weights imply."
            )

    def _remember_classes(self, classes: ArrayLike | None, first: bool) -> None:
        labels = None if classes is None else check_classes(classes)
        if first:
            self.classes_ = labels
        elif labels is not None and not np.array_equal(labels, self.classes_):
            raise ValueError(
                f"classes={classes!r} differs from the first call's {self.classes_.tolist()}."
            )

    def _weigh_part(self, rows: Rows) -> NDArray[np.float64]:
        """Class weights as numbers, on a scale with mean one over all rows seen so far."""
        if rows.codes is None:
            self._refuse_class_decisions()
            return np.ones(0)
        if not hasattr(self, "_positive"):
            self._find_positive(rows)
            self._check_decisions()
        if self._has_several_labels():
            return self._weigh_label_part()
        relative = weights.class_weight_vector(
            np.ones(len(self.classes_)),
            self.classes_.tolist(),
            class_weight=self.class_weight,
            pos_weight=self.pos_weight,
            alpha=self.alpha,
            positive=self._positive,
        )
        weight, n_rows = getattr(self, "_weight_so_far", (0.0, 0))
        weight += float((rows.sample_weight * relative[rows.codes]).sum())
        self._weight_so_far = weight, n_rows + len(rows)
        class_weights = relative * (self._weight_so_far[1] / weight)
        self._note_weights(class_weights)
        return class_weights

    def _weigh_label_part(self) -> NDArray[np.float64]:
        """Weights of labels as numbers, as they are: their mean is that of a stream not seen."""
        equal = np.ones((len(self.classes_), 2))
        pairs = weights.label_weight_pairs(
            equal, class_weight=self.class_weight, pos_weight=self.pos_weight, alpha=self.alpha
        )
        self._note_weights(pairs)
        return pairs
