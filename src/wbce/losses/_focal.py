"""The focal loss of Lin et al. (2017) and the posterior of Charoenphakdee et al. (2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_expit, logsumexp

from wbce._backend import keras
from wbce.losses._base import Float64, PointwiseLoss


@keras.saving.register_keras_serializable("wbce")
class Focal(PointwiseLoss):
    """Focal loss on logits: cross-entropy that counts rows less the better they are classified.

    The loss of a row of class k with the probability p_k is
    ``-class_weight[k] * (1 - p_k)**gamma * log(p_k)``. Label smoothing mixes the losses of the
    classes.

    Parameters
    ----------
    gamma : float, default=2.0
        How much well-classified rows are played down; 0 is cross-entropy.
    label_smoothing : float, default=0.0
        Share of a row's label spread evenly over all classes, in [0, 1).
    class_weight : sequence of float, optional
        A factor for every class, in the order of the class codes: the paper's alpha is
        ``(1 - alpha, alpha)``.
    from_logits : bool, optional
        Whether the network's output is logits. By default recognised from the output, inside a
        compiled step.
    reduction, name, dtype
        As for any ``keras.losses.Loss``.

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

    scalars = ("gamma",)

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        label_smoothing: float = 0.0,
        class_weight: ArrayLike | None = None,
        from_logits: bool | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if not isinstance(gamma, int | float | np.number) or not 0 <= gamma < np.inf:
            raise ValueError(
                f"gamma={gamma!r} is not allowed: pass a finite number, gamma >= 0 (0 is "
                "cross-entropy, 2 the usual choice)."
            )
        super().__init__(
            label_smoothing=label_smoothing,
            class_weight=class_weight,
            from_logits=from_logits,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        self.gamma = float(gamma)

    def own_class_loss(self, log_p: Any, log_rest: Any) -> Any:
        return -keras.ops.exp(self.gamma * log_rest) * log_p

    def log_odds(self, z: Float64) -> Float64:
        return _log_inverse_slope(z, self.gamma) - _log_inverse_slope(-z, self.gamma)

    def class_log_odds(self, z: Float64) -> Float64:
        return _log_inverse_slope(_one_against_rest(z), self.gamma)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        return {**super().get_config(), "gamma": self.gamma}


def _log_inverse_slope(d: Float64, gamma: float) -> Float64:
    """Logarithm of -1 / l'(p) at p = sigmoid(d), for l(p) = -(1 - p)**gamma * log p.

    -l'(p) = (1 - p)**(gamma - 1) * ((1 - p) - gamma * p * log p) / p.
    """
    log_p, log_rest = log_expit(d), log_expit(-d)
    # log(-log p); for large d, -log p = log1p(exp(-d)) = exp(-d) to the last bit.
    log_minus_log_p = np.where(d > 36, -d, np.log(-log_expit(np.minimum(d, 36))))
    with np.errstate(divide="ignore"):
        log_gamma = np.log(np.float64(gamma))
    bracket = np.logaddexp(log_rest, log_gamma + log_p + log_minus_log_p)
    return log_p - (gamma - 1) * log_rest - bracket


def _one_against_rest(z: Float64) -> Float64:
    """Log-odds of every class against all others: z_k - logsumexp of the other logits."""
    n_classes = z.shape[-1]
    others = np.where(np.eye(n_classes, dtype=bool), -np.inf, z[:, None, :])
    return z - logsumexp(others, axis=-1)
