"""A threshold, and on which side of it a row is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wbce._storable import storable

Float64 = NDArray[np.float64]

FAR = 1e6
"""Stands in for infinite log-odds: beyond every score, and finite."""


@storable("cut")
@dataclass(frozen=True)
class Cut:
    """A threshold on the posterior of the positive class, or one for every label.

    Attributes
    ----------
    probability : float or ndarray of shape (n_labels,)
    log_odds : float or ndarray of shape (n_labels,)
        The same on the scale of scores, where no two rows are the same merely because both
        probabilities round to one.
    strict : bool
        Whether the comparison is that of probabilities: for a threshold that the user gave, a
        row whose probability equals it is negative, to the last bit.
    """

    probability: Any
    log_odds: Any
    strict: bool = False

    @classmethod
    def at(cls, probability: Any) -> Cut:
        """Cut where the user says."""
        probability = np.asarray(probability, dtype=np.float64)
        with np.errstate(divide="ignore"):
            log_odds = np.clip(np.log(probability) - np.log1p(-probability), -FAR, FAR)
        if probability.ndim == 0:
            return cls(float(probability), float(log_odds), strict=True)
        return cls(probability, log_odds, strict=True)

    @classmethod
    def between_scores(cls, log_odds: Any) -> Cut:
        """Cut where no score is."""
        if np.ndim(log_odds) == 0:
            return cls(float(expit(log_odds)), float(log_odds))
        return cls(expit(np.asarray(log_odds)), np.asarray(log_odds))

    def margin(self, log_odds: Float64) -> Float64:
        """Signed distance of scores from the cut: above zero is positive, never zero itself.

        Parameters
        ----------
        log_odds : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Log-odds of the positive class, or of every label.
        """
        margin = log_odds - self.log_odds
        above = expit(log_odds) > self.probability if self.strict else margin > 0
        smallest = np.finfo(np.float64).tiny
        return np.where(above, np.maximum(margin, smallest), np.minimum(margin, -smallest))
