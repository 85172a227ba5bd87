"""Cross-entropy by the costs of each mistake."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from wbce._backend import keras
from wbce._numbers import as_numbers
from wbce.losses._base import Float64, PointwiseLoss

ops = keras.ops


@keras.saving.register_keras_serializable("wbce")
class CostSensitive(PointwiseLoss):
    """Cross-entropy by a cost matrix: each wrong class competes by what it would cost.

    With the excess costs ``c[i, j] = cost_matrix[i, j] - cost_matrix[i, i]`` and their mean
    ``w[i]`` over the wrong classes, the loss of a row of class i is ::

        w[i] * log(1 + sum over j != i of c[i, j] / w[i] * exp(z[j] - z[i]))

    For two classes that is weighted cross-entropy with the weights ``FP - TN`` and ``FN - TP``.
    Where all mistakes of a class cost the same, it is cross-entropy with one weight a class. It is
    convex in the logits, and its posterior is a distribution for any logits: the stationary one of
    the Markov chain in which class i goes to j in proportion to its loss's slope.

    Parameters
    ----------
    cost_matrix : array-like of shape (n_classes, n_classes)
        ``cost_matrix[i, j]`` is the cost of calling a row of class i a j, in the order of the class
        codes: ``[[TN, FP], [FN, TP]]`` for two classes.
    **shared
        ``label_smoothing``, ``from_logits``, ``reduction``, ``name`` and ``dtype``: see
        :class:`wbce.losses.PointwiseLoss`. The costs are the class weights: others are an error.

    Raises
    ------
    ValueError
        If the matrix is not square, has NaN, infinite or negative entries, if a right decision
        costs more than a wrong one, or if no mistake on some class costs anything.

    References
    ----------
    S. H. Khan, M. Hayat, M. Bennamoun, F. A. Sohel, R. Togneri, "Cost-sensitive learning of deep
    feature representations from imbalanced data", TNNLS 2018 (costs as factors in the softmax).

    C. Elkan, "The foundations of cost-sensitive learning", IJCAI 2001 (excess costs).

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.losses import CostSensitive
    >>> loss = CostSensitive([[0, 1, 1], [1, 0, 1], [10, 1, 0]], from_logits=True, reduction=None)
    >>> print(np.asarray(loss(np.array([2, 2]), np.array([[1.0, 0, 0], [0, 1.0, 0]]))).round(2))
    [9.97 6.59]
    """

    _own_numbers = ("cost_matrix",)

    def __init__(self, cost_matrix: ArrayLike, **shared: Any) -> None:
        if shared.get("class_weight") is not None or shared.get("pos_weight") is not None:
            raise ValueError(
                "cost_matrix and class weights are two ways to say one thing: drop class_weight "
                "and pos_weight, or multiply the rows of cost_matrix by them."
            )
        if shared.get("multi_label"):
            raise ValueError(
                "CostSensitive has no form for several labels: a cost matrix is about classes that "
                "exclude each other. Use WeightedCrossentropy with a pos_weight for every label."
            )
        super().__init__(**shared)
        self.cost_matrix: Any = check_cost_matrix(cost_matrix).tolist()
        if not (excess_costs(self.cost_matrix) > 0).any(axis=1).all():
            raise ValueError(
                f"cost_matrix={self.cost_matrix!r}: for some class no mistake costs more than the "
                "right decision, so there is nothing to learn about it. Give at least one wrong "
                "class in every row a higher cost."
            )

    def partial_losses(self, z: Any) -> tuple[Any, Any]:
        costs = self._costs(2, z)
        w0, w1 = costs[0, 1] - costs[0, 0], costs[1, 0] - costs[1, 1]
        return -w0 * ops.log_sigmoid(-z), -w1 * ops.log_sigmoid(z)

    def class_losses(self, z: Any) -> Any:
        n_classes = z.shape[-1]
        costs = self._costs(n_classes, z)
        excess = costs - ops.expand_dims(ops.diagonal(costs), -1)
        weights = ops.sum(excess, axis=-1) / (n_classes - 1)
        relative = excess / ops.expand_dims(weights, -1)
        relative = ops.where(ops.eye(n_classes, dtype="bool"), 1.0, relative)
        log_relative = ops.where(relative > 0, ops.log(ops.maximum(relative, 1e-30)), -np.inf)
        competing = ops.logsumexp(ops.expand_dims(z, -2) + log_relative, axis=-1)
        return weights * (competing - z)

    def _costs(self, n_classes: int, z: Any) -> Any:
        costs = ops.convert_to_tensor(self.cost_matrix, z.dtype)
        if tuple(costs.shape) != (n_classes, n_classes):
            raise ValueError(
                f"cost_matrix has the shape {tuple(costs.shape)}, but the network has an output "
                f"for {n_classes} classes: pass a matrix of shape {(n_classes, n_classes)}."
            )
        return costs

    def log_odds(self, z: Float64) -> Float64:
        excess = excess_costs(self.cost_matrix)
        if excess.shape != (2, 2):
            raise ValueError(f"cost_matrix is for {len(excess)} classes; one logit is for two.")
        with np.errstate(divide="ignore"):
            return z + np.log(excess[0, 1]) - np.log(excess[1, 0])

    def class_log_odds(self, z: Float64) -> Float64:
        excess = excess_costs(self.cost_matrix)
        n_classes = len(excess)
        weights = excess.sum(axis=1) / (n_classes - 1)
        relative = excess / weights[:, None]
        np.fill_diagonal(relative, 1.0)
        with np.errstate(divide="ignore"):
            log_flow = np.log(relative) + z[:, None, :]
        log_flow -= logsumexp(log_flow, axis=2, keepdims=True)
        return _log_stationary(log_flow) - np.log(weights)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that rebuild this loss."""
        config = super().get_config()
        del config["class_weight"], config["multi_label"]
        return {**config, "cost_matrix": self.cost_matrix}


LARGEST_COST = 1e30
"""Sums and products of costs stay finite."""


def check_cost_matrix(cost_matrix: Any) -> NDArray[np.float64]:
    """Check the costs of decisions.

    Parameters
    ----------
    cost_matrix : array-like of shape (n_classes, n_classes)
        Rows are true classes, columns decisions.

    Returns
    -------
    ndarray of shape (n_classes, n_classes)

    Raises
    ------
    ValueError
        If it is not square, not of numbers, not finite, has negative entries, or a right decision
        that costs more than a wrong one.
    """
    explained = (
        "cost_matrix[i, j] is the cost of calling a row of class i a j: "
        "[[TN, FP], [FN, TP]] for two classes"
    )
    costs = as_numbers(cost_matrix)
    if costs is None:
        raise ValueError(f"cost_matrix={cost_matrix!r} is not of numbers; {explained}.")
    if costs.ndim != 2 or costs.shape[0] != costs.shape[1] or len(costs) < 2:
        raise ValueError(
            f"cost_matrix has the shape {costs.shape}, and is not square; {explained}."
        )
    check_costs(costs)
    dearer = np.argwhere(costs < np.diag(costs)[:, None])
    if len(dearer):
        i, j = dearer[0].tolist()
        raise ValueError(
            f"cost_matrix[{i}, {i}]={costs[i, i]:g} is dearer than cost_matrix[{i}, {j}]="
            f"{costs[i, j]:g}: calling class {i} by its name would cost more than calling it {j}. "
            f"{explained[0].upper()}{explained[1:]}."
        )
    if not (excess_costs(costs) > 0).any():
        raise ValueError(
            f"cost_matrix={costs.tolist()}: no mistake costs more than the right decision, so all "
            f"decisions are as good. {explained[0].upper()}{explained[1:]}."
        )
    return costs


def check_costs(costs: NDArray[np.float64]) -> None:
    """Check the entries of cost matrices, whatever their shape.

    Raises
    ------
    ValueError
    """
    if not ((costs >= 0) & (costs <= LARGEST_COST)).all():
        raise ValueError(
            "cost_matrix has entries that are negative, NaN, infinite or beyond "
            f"{LARGEST_COST:g}. For gains, subtract the largest gain and change the sign."
        )


def excess_costs(cost_matrix: Any) -> NDArray[np.float64]:
    """What a decision costs beyond the right one."""
    costs = np.asarray(cost_matrix, dtype=np.float64)
    return costs - np.diag(costs)[:, None]


def _log_stationary(log_flow: Float64) -> Float64:
    """Logarithm of the stationary distributions of Markov chains.

    By state reduction (Grassmann, Taksar, Heyman 1985), which adds, multiplies and divides only:
    in logarithms nothing is lost to cancellation or underflow.

    Parameters
    ----------
    log_flow : ndarray of shape (n, n_states, n_states)
        Logarithms of the transition probabilities, from the second axis to the third.
    """
    flow = log_flow.copy()
    n_states = flow.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        for last in range(n_states - 1, 0, -1):
            out = logsumexp(flow[:, last, :last], axis=1)
            flow[:, :last, last] -= out[:, None]
            through = flow[:, :last, last, None] + flow[:, last, None, :last]
            flow[:, :last, :last] = np.logaddexp(flow[:, :last, :last], through)
    result = np.zeros(flow.shape[:2])
    for state in range(1, n_states):
        result[:, state] = logsumexp(result[:, :state] + flow[:, :state, state], axis=1)
    return result
