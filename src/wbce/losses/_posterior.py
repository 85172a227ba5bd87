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

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, logit

from wbce._storable import storable

Float64 = NDArray[np.float64]

# Label smoothing is undone exactly for posteriors of at least 1e-4, see `_unsmoothed`.
_EXACT_SHARE = 1e-4
_EXACT_LOG_ODDS = float(logit(1 - _EXACT_SHARE))

# A loss that says little of small posteriors is believed down to this one.
_LOWEST_SHARE = 5e-4
_LOWEST_LOG_ODDS = float(logit(_LOWEST_SHARE))


class PosteriorMap(Protocol):
    """What a posterior needs of a loss, and every `PointwiseLoss` has.

    Of classes only ``class_log_odds`` is asked, of two classes and of labels the others.
    """

    label_smoothing: float
    class_weight: Any
    tie: float
    slopes_beyond: tuple[float, float]

    def log_odds(self, z: Float64) -> Float64:
        """Log-odds of the posterior, without class weights and label smoothing."""

    def exact_logits(self, lowest: float) -> tuple[float, float]:
        """Logits within which ``log_odds`` is the posterior."""

    def class_log_odds(self, z: Float64) -> Float64:
        """Unnormalised log posterior of every class, likewise."""


class LogitPosterior(ABC):
    """A map from a fitted network's logits to the posterior; what it means to decide by it."""

    tie = 0.0

    @abstractmethod
    def log_odds(self, z: Float64) -> Float64:
        """Log-odds of class 1, or of every label.

        Parameters
        ----------
        z : ndarray of shape (n_samples,) or (n_samples, n_labels)

        Returns
        -------
        ndarray of the same shape
        """

    @abstractmethod
    def log_proba(self, z: Float64) -> Float64:
        """Logarithm of the posterior of every class for softmax logits.

        Parameters
        ----------
        z : ndarray of shape (n_samples, n_classes)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """

    def implied_log_odds(self, n_labels: int | None = None) -> Any:
        """Log-odds of the posterior where the network's own output is one half.

        Above it the loss and its weights call a row positive. With weights that is
        ``log(w0 / w1)`` for cross-entropy and focal (Elkan 2001).

        Parameters
        ----------
        n_labels : int, optional
            Of labels; None is for two classes.

        Returns
        -------
        float, or ndarray of shape (n_labels,)
        """
        if n_labels is None:
            return float(self.log_odds(np.full(1, self.tie))[0])
        return self.log_odds(np.full((1, n_labels), self.tie))[0]

    @property
    def implied_threshold(self) -> float:
        """Posterior where the network's own output is one half; w0 / (w0 + w1) with weights."""
        return float(expit(self.implied_log_odds()))

    def implied_log_multipliers(self, n_classes: int) -> Float64:
        """Logarithm of the factor of every class's posterior in the decision that is implied.

        Equal logits are a tie; with weights the factors are the weights.

        Parameters
        ----------
        n_classes : int

        Returns
        -------
        ndarray of shape (n_classes,)
            Up to a constant.
        """
        at_a_tie = self.log_proba(np.zeros((1, n_classes)))[0]
        return at_a_tie.mean() - at_a_tie


@storable("posterior")
class Posterior(LogitPosterior):
    """From a fitted network's logits to the posterior of the population.

    Parameters
    ----------
    loss : PosteriorMap
        The loss that the network was trained with.
    class_weights : ndarray of shape (n_classes,)
        The weight of every class in training, other than the loss's own ``class_weight``.

    Examples
    --------
    What the estimator does by itself, for a network that was trained in plain Keras: with weights
    of 1 and 9, a logit of zero is a probability of one in ten.

    >>> import numpy as np
    >>> from scipy.special import expit
    >>> from wbce.losses import Posterior, WeightedCrossentropy
    >>> posterior = Posterior(WeightedCrossentropy(), np.array([1.0, 9.0]))
    >>> expit(posterior.log_odds(np.array([0.0]))).round(3)
    array([0.1])
    >>> round(float(expit(posterior.implied_log_odds())), 3)  # where the weights decide
    0.1
    >>> z = posterior.logits_of(np.array([0.9, 0.1]))  # and back
    >>> bool(abs(z[0]) < 1e-9)
    True

    Of three classes:

    >>> posterior = Posterior(WeightedCrossentropy(), np.array([1.0, 2.0, 2.0]))
    >>> np.exp(posterior.log_proba(np.zeros((1, 3)))).round(3)
    array([[0.5 , 0.25, 0.25]])
    >>> factors = np.exp(posterior.implied_log_multipliers(3))
    >>> (factors / factors[0]).round(3)
    array([1., 2., 2.])
    """

    def __init__(self, loss: PosteriorMap, class_weights: Float64) -> None:
        weights = np.asarray(class_weights, dtype=np.float64)
        if loss.class_weight is not None:
            weights = weights * np.asarray(loss.class_weight)
        self.loss = loss
        self.tie = loss.tie
        self.class_weights = weights
        if weights.shape[-1] == 2:
            self._shift = np.log(weights[..., 0]) - np.log(weights[..., 1])
            self._exact = self._exact_logits()

    def log_odds(self, z: Float64) -> Float64:
        """Log-odds of class 1, or of every label.

        Parameters
        ----------
        z : ndarray of shape (n_samples,) or (n_samples, n_labels)

        Returns
        -------
        ndarray of the same shape
            Strictly increasing in ``z``.
        """
        own = self.loss.log_odds(z) if self._exact is None else self._extended(z, *self._exact)
        return _unsmoothed(own, self.loss.label_smoothing, self._shift)

    def _extended(self, z: Float64, low: Any, high: Any) -> Float64:
        """The loss's own map where it is exact, and straight lines beyond."""
        within = np.clip(z, low, high)
        below, above = self.loss.slopes_beyond
        return self.loss.log_odds(within) + (z - within) * np.where(z < within, below, above)

    def log_proba(self, z: Float64) -> Float64:
        """Logarithm of the posterior of every class for softmax logits.

        Parameters
        ----------
        z : ndarray of shape (n_samples, n_classes)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        own = self.loss.class_log_odds(z)
        relative = self.class_weights / self.class_weights.max()
        shares = _unsmoothed_shares(
            log_softmax(own, axis=1), self.loss.label_smoothing, _EXACT_SHARE * relative
        )
        return log_softmax(shares - np.log(relative), axis=1)

    def _exact_logits(self) -> tuple[Any, Any] | None:
        """Of the loss, for posteriors of at least ``_LOWEST_SHARE``, one for each label."""
        shifts = np.atleast_1d(self._shift)
        ends = np.array([self.loss.exact_logits(_LOWEST_LOG_ODDS - float(s)) for s in shifts])
        if np.isinf(ends).all():
            return None
        return (ends[:, 0], ends[:, 1]) if np.ndim(self._shift) else (ends[0, 0], ends[0, 1])

    def logits_of(self, proba: Float64) -> Float64:
        """Logits of a network whose posterior is ``proba``: where its output bias starts.

        Parameters
        ----------
        proba : ndarray of shape (n_classes,) or (n_labels, 2)
            Positive shares that sum to one.

        Returns
        -------
        ndarray of shape (1,) for two classes, else (n_classes,) or (n_labels,)
        """
        if proba.ndim == 2:
            return self._logits_of_log_odds(logit(proba[:, 1]))
        if len(proba) == 2:
            return self._logits_of_log_odds(logit(proba[1:]))
        target = np.log(proba)
        z, step = target - target.mean(), 1.0
        missing = target - self.log_proba(z[None])[0]
        for _ in range(500):
            nearer = z + step * missing
            left = target - self.log_proba(nearer[None])[0]
            if np.abs(left).max() < np.abs(missing).max():
                z, missing, step = nearer, left, step * 1.3
            else:
                step /= 2
            if np.abs(missing).max() < 1e-9:
                break
        return z - z.mean()

    def _logits_of_log_odds(self, log_odds: Float64) -> Float64:
        """Where the increasing function `log_odds` has these values, one a column."""
        columns = np.arange(len(log_odds))
        low, high = np.full(len(log_odds), -1e3), np.full(len(log_odds), 1e3)
        for _ in range(8):  # each divides the interval by 64
            z = np.linspace(low, high, 65)
            values = self.log_odds(z[:, 0])[:, None] if z.shape[1] == 1 else self.log_odds(z)
            above = np.clip((values < log_odds).sum(axis=0), 1, 64)
            low, high = z[above - 1, columns], z[above, columns]
        return (low + high) / 2


def _unsmoothed(own: Float64, smoothing: float, shift: Any) -> Float64:
    """Log-odds of the posterior from those of the smoothed labels, moved by ``shift``.

    With a = smoothing / 2, the smoothed posterior is q = a + (1 - 2a) v: v = (q - a) / (1 - 2a)
    has a pole at either end, q = a and q = 1 - a, and a fitted network leaves the range between.
    Where the result lies within ``_EXACT_LOG_ODDS`` it is exact; beyond, it goes on in a straight
    line with slope one in the log-odds of q, finite and strictly increasing.
    """
    if smoothing == 0:
        return own + shift
    a = smoothing / 2

    def joint(log_odds: float) -> Any:
        return logit(a + (1 - 2 * a) * expit(log_odds - shift))

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


def label_log_loss(log_odds: Float64, y: NDArray[np.intp], sample_weight: Float64) -> float:
    """Log loss of every label, in the mean over labels.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples, n_labels)
    y : ndarray of shape (n_samples, n_labels)
        Zeros and ones.
    sample_weight : ndarray of shape (n_samples,)
    """
    losses = -log_expit(np.where(y == 1, log_odds, -log_odds))
    return float(np.average(losses.mean(axis=1), weights=sample_weight))


def less_confident(
    scores: Float64, y: NDArray[np.intp], sample_weight: Float64, share: float
) -> Float64:
    """Draw posteriors towards the rows' base rate: ``share`` of the way, on the log-odds' scale.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,), (n_samples, n_labels) or (n_samples, n_classes)
        Log-odds for two classes and for labels, else every class's log-probability.
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
    sample_weight : ndarray of shape (n_samples,)
    share : float
        Between 0 and 1.

    Returns
    -------
    ndarray of the shape of scores

    Examples
    --------
    >>> y, weight = np.array([0, 0, 0, 1]), np.ones(4)
    >>> less_confident(np.log([1.0, 1.0, 1 / 3, 9.0]), y, weight, 0.5).round(3).tolist()
    [-0.549, -0.549, -1.099, 0.549]
    """
    of_classes = scores.ndim > y.ndim
    hits = y[:, np.newaxis] == np.arange(scores.shape[1]) if of_classes else y
    rates = np.average(hits, axis=0, weights=sample_weight)
    rates = np.clip(rates, np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).epsneg)
    base = np.log(rates) if of_classes else logit(rates)
    drawn = scores + share * (base - scores)
    return log_softmax(drawn, axis=1) if of_classes else drawn


def two_columns(log_odds: Float64) -> Float64:
    """Log-probabilities of class 0 and class 1 from the log-odds of class 1."""
    return np.column_stack([log_expit(-log_odds), log_expit(log_odds)])


def refuse_nan(scores: Float64) -> Float64:
    """Scores as they are, if all are numbers: a decision about NaN would look like any other.

    Raises
    ------
    ValueError
        If some are not; infinite ones are still ordered.
    """
    strange = np.isnan(scores)
    if strange.any():
        n = int(strange.reshape(len(scores), -1).any(axis=1).sum())
        raise ValueError(
            f"The network's output for {n} of {len(scores)} rows is no number (NaN): its weights, "
            "or the values in these rows, are too large for it. Rescale or clip the rows, or fit "
            "the network again."
        )
    return scores
