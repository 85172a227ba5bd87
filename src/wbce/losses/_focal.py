"""The focal loss, and the asymmetric loss that focuses on positives and negatives apart."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit, logit

from wbce._backend import keras
from wbce.losses._arguments import checked_number, checked_numbers
from wbce.losses._base import Float64, PointwiseLoss, class_against_rest, own_and_rest

ops = keras.ops

# Where the asymmetric loss's map has become this flat, the posterior is as high as it can tell.
_LEAST_SLOPE = 1e-2


@keras.saving.register_keras_serializable("wbce")
class Focal(PointwiseLoss):
    """Focal loss on logits: cross-entropy that counts rows less the better they are classified.

    The loss of a row of class k with the probability p_k is
    ``-class_weight[k] * (1 - p_k)**gamma * log(p_k)``. Label smoothing mixes the losses of the
    classes.

    Parameters
    ----------
    gamma : float or array-like of float, default=2.0
        How much well-classified rows are played down; 0 is cross-entropy. One number for all, or
        one a class (for one logit: of a negative and of a positive); with ``multi_label`` one a
        label, or such a pair for each.
    alpha : float or sequence of float, optional
        The paper's weights: a positive counts ``alpha``, a negative ``1 - alpha``; with
        ``multi_label`` one a label. With one logit a class pass one number a class: they are its
        ``class_weight``.
    **shared
        ``class_weight``, ``pos_weight``, ``label_smoothing``, ``multi_label``, ``from_logits``,
        ``reduction``, ``name`` and ``dtype``: see :class:`wbce.losses.PointwiseLoss`.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollár, "Focal loss for dense object detection",
    ICCV 2017.

    N. Charoenphakdee, J. Vongkulbhisal, N. Chairatanakul, M. Sugiyama, "On focal loss for
    class-posterior probability estimation", CVPR 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import Focal
    >>> loss = Focal(gamma=2, from_logits=True, reduction=None)
    >>> print(np.asarray(loss(np.array([0, 1]), np.array([[0.0], [2.0]]))).round(4))
    [0.1733 0.0018]
    """

    _own_numbers = ("gamma",)

    def __init__(
        self, gamma: ArrayLike = 2.0, *, alpha: ArrayLike | None = None, **shared: Any
    ) -> None:
        several = bool(shared.get("multi_label", False))
        if alpha is not None:
            if shared.get("class_weight") is not None or shared.get("pos_weight") is not None:
                raise ValueError(
                    f"alpha={alpha!r} is a weight, and class_weight or pos_weight are given too: "
                    "keep one."
                )
            shared["class_weight"] = _weights_of_alpha(alpha, several)
        super().__init__(**shared)
        self.gamma: Any = checked_numbers(
            "gamma",
            gamma,
            "a finite number, gamma >= 0 (0 is cross-entropy, 2 the usual choice)"
            + ("; or one or two for every label" if several else "; or one for every class"),
            lambda g: g >= 0,
            (0, 1, 2) if several else (0, 1),
        )

    @property
    def is_symmetric(self) -> bool:
        return np.ndim(self.gamma) == 0

    def partial_losses(self, z: Any) -> tuple[Any, Any]:
        negative, positive = self._gammas(z)
        log_p, log_rest = ops.log_sigmoid(z), ops.log_sigmoid(-z)
        return -ops.exp(negative * log_p) * log_rest, -ops.exp(positive * log_rest) * log_p

    def class_losses(self, z: Any) -> Any:
        gamma = self.gamma if np.ndim(self.gamma) == 0 else self._per_class("gamma", z)
        log_p, log_rest = own_and_rest(z)
        return -ops.exp(gamma * log_rest) * log_p

    def log_odds(self, z: Float64) -> Float64:
        negative, positive = self._gammas(z)
        return _log_inverse_slope(z, positive) - _log_inverse_slope(-z, negative)

    def class_log_odds(self, z: Float64) -> Float64:
        gamma = np.asarray(self.gamma)
        if gamma.shape not in ((), z.shape[-1:]):
            raise ValueError(self._wrong_gamma(f"{z.shape[-1]} classes"))
        return _log_inverse_slope(class_against_rest(z), gamma)

    def _gammas(self, z: Any) -> tuple[Any, Any]:
        """Of a negative and of a positive: numbers, arrays or tensors, as gamma is."""
        if np.ndim(self.gamma) == 0:
            return self.gamma, self.gamma
        one_a_label = self.multi_label and np.ndim(self.gamma) == 1
        if not isinstance(z, np.ndarray):
            if not one_a_label:
                return self._pair("gamma", z)
            gamma = self._per_class("gamma", z)
            return gamma, gamma
        gamma = np.asarray(self.gamma)
        if self.multi_label and z.shape[-1] not in (1, len(gamma)):
            raise ValueError(self._wrong_gamma(f"{z.shape[-1]} labels"))
        if one_a_label:
            return gamma, gamma
        if gamma.shape[-1] != 2:
            raise ValueError(self._wrong_gamma("negatives and positives"))
        return gamma[..., 0], gamma[..., 1]

    def _wrong_gamma(self, there: str) -> str:
        return (
            f"gamma={self.gamma!r} has the shape {np.shape(self.gamma)}, but there are {there}: "
            "pass one number, or one for each."
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {**super().get_config(), "gamma": self.gamma}


@keras.saving.register_keras_serializable("wbce")
class Asymmetric(PointwiseLoss):
    """Asymmetric loss: focal, with a stronger focus and a margin for the many easy negatives.

    The loss of a positive with the probability p is ``-(1 - p)**gamma_pos * log(p)``, that of a
    negative ``-q**gamma_neg * log(1 - q)`` with ``q = max(p - margin, 0)``: negatives with less
    than ``margin`` are not looked at any more. For one logit, or several labels; for classes that
    exclude each other, :class:`Focal` takes a ``gamma`` for each.

    Below the margin the loss says nothing of the posterior, and without a focus on positives
    (``gamma_pos = 0``) nothing of posteriors above about ``1 / (1 + w * margin)``, w being the
    positives' weight: no finite logit stands for them. Its map goes on there in straight lines in
    the log-odds, so that rankings stay; those probabilities are a guess, and never a certainty.

    Parameters
    ----------
    gamma_pos, gamma_neg : float, default=0.0 and 4.0
        How much well-classified positives and negatives are played down.
    margin : float in [0, 1), default=0.05
        Probability that negatives are given for free.
    **shared
        ``class_weight``, ``pos_weight``, ``label_smoothing``, ``multi_label``, ``from_logits``,
        ``reduction``, ``name`` and ``dtype``: see :class:`wbce.losses.PointwiseLoss`.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    References
    ----------
    T. Ridnik, E. Ben-Baruch, N. Zamir, A. Noy, I. Friedman, M. Protter, L. Zelnik-Manor,
    "Asymmetric loss for multi-label classification", ICCV 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import Asymmetric
    >>> loss = Asymmetric(from_logits=True, reduction=None)
    >>> print(np.asarray(loss(np.array([0, 0, 1]), np.array([[0.0], [-3.0], [0.0]]))).round(4))
    [0.0245 0.     0.6931]
    """

    _own_numbers = ("gamma_pos", "gamma_neg")
    slopes_beyond = (0.3, 0.1)

    def __init__(
        self,
        gamma_pos: float = 0.0,
        gamma_neg: float = 4.0,
        *,
        margin: float = 0.05,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        allowed = "a finite number of at least 0"
        self.gamma_pos = checked_number("gamma_pos", gamma_pos, allowed, lambda g: g >= 0)
        self.gamma_neg = checked_number("gamma_neg", gamma_neg, allowed, lambda g: g >= 0)
        self.margin = checked_number(
            "margin", margin, "a probability, 0 <= margin < 1", lambda m: 0 <= m < 1
        )

    def partial_losses(self, z: Any) -> tuple[Any, Any]:
        log_p, log_rest = ops.log_sigmoid(z), ops.log_sigmoid(-z)
        positive = -ops.exp(self.gamma_pos * log_rest) * log_p
        if self.margin == 0:
            return -ops.exp(self.gamma_neg * log_p) * log_rest, positive
        q = ops.sigmoid(z) - self.margin
        counted = q > 0
        q = ops.where(counted, q, 0.5)  # any probability: neither value nor slope is used
        log_rest = ops.log(ops.sigmoid(-z) + self.margin)
        negative = ops.where(counted, -ops.power(q, self.gamma_neg) * log_rest, 0.0)
        return negative, positive

    def log_odds(self, z: Float64) -> Float64:
        return _asymmetric_log_odds(z, self.gamma_pos, self.gamma_neg, self.margin)

    def exact_logits(self, lowest: float) -> tuple[float, float]:
        """Logits above the margin's dead zone and below the highest posterior that it can tell.

        Near the margin the map falls steeply, by many log-odds within a little: it is left at
        ``lowest``.
        """
        return _exact_logits(self.gamma_pos, self.gamma_neg, self.margin, lowest)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {
            **super().get_config(),
            "gamma_pos": self.gamma_pos,
            "gamma_neg": self.gamma_neg,
            "margin": self.margin,
        }


def _asymmetric_log_odds(z: Float64, gamma_pos: float, gamma_neg: float, margin: float) -> Float64:
    """Log-odds ``log(l0'(z) / -l1'(z))``, with both slopes over p (1 - p)."""
    positive = _log_inverse_slope(z, gamma_pos)
    if margin == 0:
        return positive - _log_inverse_slope(-z, gamma_neg)
    q = np.maximum(expit(z) - margin, np.finfo(np.float64).tiny)
    rest = expit(-z) + margin
    return positive + (gamma_neg - 1) * np.log(q) + np.log(q / rest - gamma_neg * np.log(rest))


@lru_cache(maxsize=64)
def _exact_logits(
    gamma_pos: float, gamma_neg: float, margin: float, lowest: float
) -> tuple[float, float]:
    """Between which logits the map of the asymmetric loss is exact.

    With a margin a negative's loss is flat below it, and bounded above: without a focus on
    positives no finite logit stands for the highest posteriors.
    """
    if margin == 0:
        return -np.inf, np.inf
    z = np.linspace(float(logit(margin)) + 1e-9, 40.0, 40001)
    log_odds = _asymmetric_log_odds(z, gamma_pos, gamma_neg, margin)
    low = int(np.argmax(log_odds >= lowest))
    flat = np.diff(log_odds[low:]) < _LEAST_SLOPE * np.diff(z[low:])
    high = np.inf if not flat.any() else float(z[low + int(np.argmax(flat))])
    return float(z[low]), high


def _weights_of_alpha(alpha: ArrayLike, several: bool) -> Any:
    values = checked_numbers(
        "alpha",
        alpha,
        "the positives' share of the weight, 0 < alpha < 1"
        + (", or one for every label" if several else ", or a weight for every class"),
        lambda a: (a > 0) & ((a < 1) | (not several and a.ndim == 1)),
        (0, 1),
    )
    positive = np.asarray(values)
    if positive.ndim == 1 and not several:
        return values
    return np.stack([1.0 - positive, positive], axis=-1).tolist()


def _log_inverse_slope(d: Float64, gamma: Any) -> Float64:
    """Logarithm of -1 / l'(p) at p = sigmoid(d), for l(p) = -(1 - p)**gamma * log p.

    -l'(p) = (1 - p)**(gamma - 1) * ((1 - p) - gamma * p * log p) / p.
    """
    log_p, log_rest = log_expit(d), log_expit(-d)
    # log(-log p); for large d, -log p = log1p(exp(-d)) = exp(-d) to the last bit.
    log_minus_log_p = np.where(d > 36, -d, np.log(-log_expit(np.minimum(d, 36))))
    with np.errstate(divide="ignore"):
        log_gamma = np.log(np.asarray(gamma, dtype=np.float64))
    bracket = np.logaddexp(log_rest, log_gamma + log_p + log_minus_log_p)
    return log_p - (gamma - 1) * log_rest - bracket
