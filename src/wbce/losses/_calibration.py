"""The posterior by calibration on validation rows, where a loss has no map of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, log_softmax, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV

from wbce._storable import storable
from wbce.losses._base import Float64, class_against_rest
from wbce.losses._posterior import LogitPosterior

# An isotonic step is flat, and a calibrator's slope may be negative: this much is added or left,
# so that the ranking stays.
_LEAST_SLOPE = 1e-6


@storable("calibrated posterior")
class CalibratedPosterior(LogitPosterior):
    """Logits calibrated by scikit-learn on labelled rows, one curve a column.

    Parameters
    ----------
    method : {"sigmoid", "isotonic"}
    z : ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
        The network's logits of the rows.
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Class codes, or zeros and ones.
    sample_weight : ndarray of shape (n_samples,)
    ranks_only : bool, default=False
        Whether the loss only orders rows, so that the logit zero means nothing.
    """

    def __init__(
        self,
        method: str,
        z: Float64,
        y: NDArray[np.intp],
        sample_weight: Float64,
        ranks_only: bool = False,
    ) -> None:
        self._ranks_only = ranks_only
        # Platt's targets count rows: weights of any scale say the same
        sample_weight = sample_weight / sample_weight.mean()
        if z.ndim == 1:
            columns, positive = z[:, None], y[:, None] == 1
        elif y.ndim == 1:
            columns, positive = class_against_rest(z), y[:, None] == np.arange(z.shape[1])
        else:
            columns, positive = z, y == 1
        self._curves = [
            _curve(method, columns[:, k], positive[:, k], sample_weight)
            if y.ndim == 1 or positive[:, k].any()
            else _never(len(z))  # of a label that is skipped
            for k in range(columns.shape[1])
        ]

    def log_odds(self, z: Float64) -> Float64:
        if z.ndim == 1:
            return self._curves[0](z)
        return np.column_stack([curve(z[:, k]) for k, curve in enumerate(self._curves)])

    def log_proba(self, z: Float64) -> Float64:
        against_rest = self.log_odds(class_against_rest(z))
        return log_softmax(log_expit(against_rest), axis=1)

    def implied_log_odds(self, n_labels: int | None = None) -> Any:
        if not self._ranks_only:
            return super().implied_log_odds(n_labels)
        return 0.0 if n_labels is None else np.zeros(n_labels)

    def implied_log_multipliers(self, n_classes: int) -> Float64:
        return (
            np.zeros(n_classes) if self._ranks_only else super().implied_log_multipliers(n_classes)
        )


class _Scores(ClassifierMixin, BaseEstimator):
    """A classifier whose scores are its inputs."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> _Scores:
        self.classes_ = np.array([False, True])
        return self

    def decision_function(self, X: Any) -> Float64:
        return np.asarray(X)[:, 0]

    def predict(self, X: Any) -> NDArray[np.bool_]:  # scikit-learn asks for the method, no more
        return self.decision_function(X) > 0


@storable("calibration curve")
class _Curve:
    """A strictly increasing function from logits to log-odds, by its corners.

    Between corners it is a straight line; before the first and after the last it goes on with the
    slope given.
    """

    def __init__(self, z: Float64, log_odds: Float64, slope: float) -> None:
        self._z, self._log_odds, self._slope = z, log_odds, slope

    def __call__(self, z: Float64) -> Float64:
        beyond = z - np.clip(z, self._z[0], self._z[-1])
        return np.interp(z, self._z, self._log_odds) + self._slope * beyond


def _never(n: int) -> _Curve:
    """As improbable as `n` rows without a positive make it."""
    return _Curve(np.zeros(1), np.array([logit(0.5 / (n + 1))]), _LEAST_SLOPE)


def _curve(method: str, z: Float64, positive: NDArray[np.bool_], sample_weight: Float64) -> _Curve:
    total = sample_weight.sum()
    share = float(sample_weight[positive].sum() / total)
    if not 0 < share < 1:
        raise ValueError(
            "Calibration needs validation rows of every class (or, for labels, with and without "
            f"each); a share of {share:g} of these has the class. Pass more validation rows."
        )
    rows = np.arange(len(z))  # nothing is trained: all of them go to the calibrator
    model = CalibratedClassifierCV(_Scores(), method=method, cv=[(rows, rows)], ensemble=False)
    model.fit(z[:, None], positive, sample_weight=sample_weight)
    calibrator = model.calibrated_classifiers_[0].calibrators[0]
    if method == "sigmoid":
        slope, level = -float(calibrator.a_), -float(calibrator.b_)
        if slope < _LEAST_SLOPE:  # the network ranks no better than chance
            slope, level = _LEAST_SLOPE, float(logit(share))
        return _Curve(np.zeros(1), np.array([level]), slope)
    corners, steps = calibrator.X_thresholds_, calibrator.y_thresholds_
    # No row is certain: as far from 0 and 1 as one more row would put it.
    least = 0.5 / (len(z) + 1)
    log_odds = logit(np.clip(steps, least, 1 - least)) + _LEAST_SLOPE * (corners - corners[0])
    return _Curve(np.asarray(corners, dtype=np.float64), log_odds, _LEAST_SLOPE)
