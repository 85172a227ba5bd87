"""The true posterior behind a network that was trained with a weighted loss.

The network that minimises a weighted risk does not predict the posterior eta = P(y = 1 | x); it
predicts the z at which ``eta * w1 * l1'(z) + (1 - eta) * w0 * l0'(z) = 0``. Solved for eta, that
is three steps, each undoing one thing:

1. the loss's own distortion, ``v = loss.log_odds(z)``, the identity for cross-entropy;
2. label smoothing: the smoothed label's posterior is ``(1 - s) v + s / K``;
3. the class weights: odds are multiplied by w0 / w1, class shares divided by w_k.

Everything is a strictly increasing function from logits to log-odds in float64, finite for any
logit up to 1e3, so that rankings do not change.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, logit

from wbce.losses._base import Float64, PointwiseLoss

# Label smoothing is undone exactly for posteriors of at least 1e-4, see `_unsmoothed`.
_EXACT_SHARE = 1e-4
_EXACT_LOG_ODDS = float(logit(1 - _EXACT_SHARE))


class Posterior:
    """From a fitted network's logits to the posterior of the population.

    Parameters
    ----------
    loss : PointwiseLoss
        The loss that the network was trained with.
    class_weights : ndarray of shape (n_classes,)
        The weight of every class in training, other than the loss's own ``class_weight``.
    """

    def __init__(self, loss: PointwiseLoss, class_weights: Float64) -> None:
        weights = np.asarray(class_weights, dtype=np.float64)
        if loss.class_weight is not None:
            weights = weights * np.asarray(loss.class_weight)
        self.loss = loss
        self.class_weights = weights

    @property
    def implied_threshold(self) -> float:
        """Posterior above which the weights call a row positive: w0 / (w0 + w1) (Elkan 2001)."""
        w0, w1 = self.class_weights
        return float(w0 / (w0 + w1))

    def log_odds(self, z: NDArray[np.floating]) -> Float64:
        """Log-odds of class 1 for binary logits.

        Parameters
        ----------
        z : ndarray of shape (n_samples,)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        w0, w1 = self.class_weights
        shift = float(np.log(w0) - np.log(w1))
        own = self.loss.log_odds(np.asarray(z, dtype=np.float64))
        return _unsmoothed(own, self.loss.label_smoothing, shift)

    def log_proba(self, z: NDArray[np.floating]) -> Float64:
        """Logarithm of the posterior of every class for softmax logits.

        Parameters
        ----------
        z : ndarray of shape (n_samples, n_classes)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        own = self.loss.class_log_odds(np.asarray(z, dtype=np.float64))
        relative = self.class_weights / self.class_weights.max()
        shares = _unsmoothed_shares(
            log_softmax(own, axis=1), self.loss.label_smoothing, _EXACT_SHARE * relative
        )
        return log_softmax(shares - np.log(relative), axis=1)

    def logits_of(self, proba: Float64) -> Float64:
        """Logits of a network whose posterior is ``proba``: where its output bias starts.

        Parameters
        ----------
        proba : ndarray of shape (n_classes,)
            Positive shares that sum to one.

        Returns
        -------
        ndarray of shape (1,) for two classes, else (n_classes,)
        """
        if len(proba) == 2:
            return np.array([self._binary_logit_of(float(logit(proba[1])))])
        z = np.log(proba)
        step = 1.0 / (2.0 + getattr(self.loss, "gamma", 0.0))
        for _ in range(500):
            z = z + step * (np.log(proba) - self.log_proba(z[None])[0])
        return z - z.mean()

    def _binary_logit_of(self, log_odds: float) -> float:
        low, high = -1e3, 1e3
        for _ in range(8):  # each divides the interval by 64
            z = np.linspace(low, high, 65)
            above = int(np.clip(np.searchsorted(self.log_odds(z), log_odds), 1, 64))
            low, high = z[above - 1], z[above]
        return float((low + high) / 2)


def _unsmoothed(own: Float64, smoothing: float, shift: float) -> Float64:
    """Log-odds of the posterior from those of the smoothed labels, moved by ``shift``.

    With a = smoothing / 2, the smoothed posterior is q = a + (1 - 2a) v: v = (q - a) / (1 - 2a)
    has a pole at either end, q = a and q = 1 - a, and a fitted network leaves the range between.
    Where the result lies within ``_EXACT_LOG_ODDS`` it is exact; beyond, it goes on in a straight
    line with slope one in the log-odds of q, finite and strictly increasing.
    """
    if smoothing == 0:
        return own + shift
    a = smoothing / 2

    def joint(log_odds: float) -> float:
        return float(logit(a + (1 - 2 * a) * expit(log_odds - shift)))

    lower, upper = joint(-_EXACT_LOG_ODDS), joint(_EXACT_LOG_ODDS)
    within = np.clip(own, lower, upper)
    q, rest = expit(within), expit(-within)
    exact = np.log(np.maximum(q - a, np.finfo(float).tiny)) - np.log(
        np.maximum(rest - a, np.finfo(float).tiny)
    )
    result = np.clip(exact + shift, -_EXACT_LOG_ODDS, _EXACT_LOG_ODDS)
    return result + (own - within)


def _unsmoothed_shares(log_q: Float64, smoothing: float, joint: Float64) -> Float64:
    """Logarithm of v = (q - s / K) / (1 - s), class by class, not normalised.

    Below ``joint``, a share for every class, it goes on in a straight line in log q, as
    `_unsmoothed` does.
    """
    if smoothing == 0:
        return log_q
    floor = smoothing / log_q.shape[1]
    v = (np.exp(log_q) - floor) / (1 - smoothing)
    beyond = np.log(joint) + (log_q - np.log(floor + (1 - smoothing) * joint))
    return np.where(v > joint, np.log(np.maximum(v, joint)), beyond)


def log_loss(log_proba: Float64, y: NDArray[np.intp], sample_weight: Float64) -> float:
    """Mean negative log posterior of the rows' own classes.

    Parameters
    ----------
    log_proba : ndarray of shape (n_samples, n_classes)
    y : ndarray of shape (n_samples,)
        Class codes.
    sample_weight : ndarray of shape (n_samples,)
    """
    return float(np.average(-log_proba[np.arange(len(y)), y], weights=sample_weight))


def two_columns(log_odds: Float64) -> Float64:
    """Log-probabilities of class 0 and class 1 from the log-odds of class 1."""
    return np.column_stack([log_expit(-log_odds), log_expit(log_odds)])
