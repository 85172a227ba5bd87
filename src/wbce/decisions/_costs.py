"""Decisions by least expected cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wbce.decisions._cut import FAR
from wbce.losses import excess_costs

Float64 = NDArray[np.float64]


def cost_log_odds(cost_matrix: NDArray[np.floating]) -> float:
    """Log-odds of class 1 above which calling a row 1 costs less (Elkan 2001).

    Parameters
    ----------
    cost_matrix : array-like of shape (2, 2)
        ``[[TN, FP], [FN, TP]]``.

    Examples
    --------
    >>> round(cost_log_odds([[0, 1], [9, 0]]), 4)  # a posterior of 0.1
    -2.1972
    """
    excess = excess_costs(cost_matrix)
    with np.errstate(divide="ignore"):
        log_odds = np.log(excess[0, 1]) - np.log(excess[1, 0])
    return float(np.clip(log_odds, -FAR, FAR))


def expected_costs(proba: Float64, cost_matrix: NDArray[np.floating]) -> Float64:
    """Expected cost of every decision.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        The posterior.
    cost_matrix : array-like of shape (n_classes, n_classes) or (n_samples, n_classes, n_classes)
        ``cost_matrix[..., i, j]`` is the cost of calling a row of class i a j; one matrix for all
        rows, or one for each.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)

    Examples
    --------
    >>> import numpy as np
    >>> expected_costs(np.array([[0.8, 0.2]]), [[0, 1], [9, 0]])
    array([[1.8, 0.8]])
    """
    costs = np.asarray(cost_matrix, dtype=np.float64)
    return proba @ costs if costs.ndim == 2 else np.einsum("ni,nij->nj", proba, costs)
