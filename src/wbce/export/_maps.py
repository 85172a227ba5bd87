"""What comes after a fitted network's logits, as plain data: probabilities and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wbce.export._scores import NumpyOperations, Step, scores
from wbce.export._tables import Table, table_by_corners, table_of
from wbce.losses import CalibratedPosterior, CostSensitive
from wbce.losses._base import class_against_rest
from wbce.losses._posterior import _EXACT_SHARE, _unsmoothed_shares

Float64 = NDArray[np.float64]

# What the description may differ from the estimator, as a probability and as a logarithm.
_NEAR_ENOUGH = 1e-6
_NEAR_ENOUGH_LOG = 1e-5

# Where classes' functions are compared: those that are alike share one.
_PROBES = np.linspace(-30.0, 30.0, 61)


@dataclass(frozen=True)
class AfterLogits:
    """The way from logits to what is shown and to what is decided.

    Attributes
    ----------
    kind : {"binary", "labels", "classes"}
        Two classes have one logit; labels that do not exclude each other, and more classes, one
        each.
    labels : ndarray of shape (n_classes,)
        What is predicted: the labels themselves; ``[0, 1]`` where every label is one column.
    posterior, shown : list of dict
        Steps from logits to the scores that decide, and to those that are shown: log-odds, or
        log-probabilities of the classes. ``"table"`` (``table``), ``"scale"`` (``by``),
        ``"against_rest"`` (``n_classes``), ``"log_sigmoid"``, ``"log_softmax"`` and
        ``"stationary"`` (``relative``, ``weights``).
    decision : dict
        ``"cut"`` (``log_odds``, ``probability``, ``strict``, ``sign``), ``"multipliers"``
        (``log_multipliers``) or ``"costs"`` (``costs``).
    """

    kind: str
    labels: NDArray[Any]
    posterior: list[Step]
    shown: list[Step]
    decision: Step


def after_logits(estimator: Any) -> AfterLogits:
    """Describe what a fitted estimator does with logits.

    Raises
    ------
    ValueError
        If it is nothing that tables and softmax can say.
    """
    if estimator._has_several_labels():
        kind, labels = "labels", np.array([0, 1])
    else:
        labels = exportable_labels(estimator.classes_)
        kind = "binary" if len(labels) == 2 else "classes"
    posterior = _class_steps(estimator) if kind == "classes" else _column_steps(estimator)
    shown = posterior if estimator.calibrate else _network_steps(kind, len(estimator.classes_))
    described = AfterLogits(kind, labels, posterior, shown, _decision(estimator))
    _check(described, estimator)
    return described


# ---------------------------------------------------------------------- from the estimator


def exportable_labels(classes: NDArray[Any]) -> NDArray[Any]:
    """Labels as whole numbers, numbers or strings.

    Raises
    ------
    ValueError
        For others.
    """
    kind = classes.dtype.kind
    if kind in "bi" or (kind == "u" and classes.max() < 2**63):
        return classes.astype(np.int64)
    if kind == "f":
        return classes.astype(np.float64)
    if kind in "UO" and all(isinstance(label, str) for label in classes):
        return classes.astype(object)
    raise ValueError(
        f"The labels {classes.tolist()} cannot be exported: numbers, booleans and strings can. "
        "Fit on such labels."
    )


def _column_steps(estimator: Any) -> list[Step]:
    """Of two classes, or of labels: a function of every logit alone."""
    several = estimator._has_several_labels()
    n = len(estimator.classes_) if several else 1

    def log_odds(z: Float64) -> Float64:
        columns = np.repeat(z[:, np.newaxis], n, axis=1)
        return estimator._log_scores(columns if several else z).reshape(len(z), n)

    corners = _corners(estimator._posterior)
    table = table_of(log_odds) if corners is None else table_by_corners(log_odds, corners)
    return [{"op": "table", "table": table}]


def _network_steps(kind: str, n_classes: int) -> list[Step]:
    """The network's own sigmoid or softmax."""
    return [{"op": "log_softmax"}] if kind == "classes" else []


def _class_steps(estimator: Any) -> list[Step]:
    """Of three classes or more: functions of every class's log-odds against the rest."""
    posterior, n = estimator._posterior, len(estimator.classes_)
    shift = estimator._log_prior_shift
    to_population = np.zeros(n) if shift is None else shift
    if isinstance(posterior, CalibratedPosterior):

        def log_odds(d: Float64) -> Float64:
            return posterior.log_odds(np.repeat(d[:, np.newaxis], n, axis=1))

        return [
            {"op": "against_rest", "n_classes": n},
            {"op": "table", "table": table_by_corners(log_odds, _corners(posterior))},
            {"op": "log_sigmoid"},
            {"op": "table", "table": Table.shift(to_population)},
            {"op": "log_softmax"},
        ]
    loss = posterior.loss
    steps = _own_steps(loss, n)
    log_weights = np.log(posterior.class_weights / posterior.class_weights.max())
    if loss.label_smoothing > 0:
        least = _EXACT_SHARE * np.exp(log_weights)

        def unsmoothed(log_q: Float64) -> Float64:
            columns = np.repeat(log_q[:, np.newaxis], n, axis=1)
            return _unsmoothed_shares(columns, loss.label_smoothing, least)

        steps += [{"op": "log_softmax"}, {"op": "table", "table": table_of(unsmoothed, high=0.0)}]
    return [
        *steps,
        {"op": "table", "table": Table.shift(to_population - log_weights)},
        {"op": "log_softmax"},
    ]


def _own_steps(loss: Any, n: int) -> list[Step]:
    """The way to a loss's log posterior of every class, up to what all classes share."""
    z = (
        np.random.default_rng(0).normal(size=(64, n))
        * np.repeat([0.3, 3.0, 30.0, 9.0], 16)[:, None]
    )
    own = loss.class_log_odds(z)
    offsets = own - z
    offsets -= offsets[:, :1]
    if np.ptp(offsets, axis=0).max() < _NEAR_ENOUGH_LOG:
        return [{"op": "table", "table": Table.shift(np.median(offsets, axis=0))}]
    if isinstance(loss, CostSensitive):
        return [_stationary(loss, n)]
    scale = float(getattr(loss, "scale", 1.0))

    def of_class(d: Float64, k: int) -> Float64:
        rows = np.zeros((len(d), n))
        rows[:, k] = (d + np.log(n - 1)) / scale
        return loss.class_log_odds(rows)[:, k]

    against_rest = class_against_rest(scale * z)
    alone = np.column_stack([of_class(d, k) for k, d in enumerate(against_rest.T)])
    if not np.abs(alone - own).max() < _NEAR_ENOUGH_LOG:
        raise ValueError(
            f"loss={loss!r}: its posterior of {n} classes has no closed form, and cannot be "
            "exported. What can be: losses of this package, Keras' cross-entropies, and any loss "
            "with calibrate='sigmoid' or 'isotonic'."
        )
    probed = np.round([of_class(_PROBES, k) for k in range(n)], 9)
    _, first, which = np.unique(probed, axis=0, return_index=True, return_inverse=True)
    differing = table_of(lambda d: np.column_stack([of_class(d, k) for k in first.tolist()]))
    table = differing.columns(which.ravel())
    scaled = [] if scale == 1 else [{"op": "scale", "by": scale}]
    return [*scaled, {"op": "against_rest", "n_classes": n}, {"op": "table", "table": table}]


def _stationary(loss: CostSensitive, n: int) -> Step:
    """The chain whose stationary distribution is the posterior; see `CostSensitive`."""
    costs = np.asarray(loss.cost_matrix, dtype=np.float64)
    excess = costs - np.diag(costs)[:, np.newaxis]
    weights = excess.sum(axis=1) / (n - 1)
    relative = excess / weights[:, np.newaxis] + np.eye(n)
    return {"op": "stationary", "relative": relative, "weights": weights}


def _corners(posterior: Any) -> Any:
    """Where a calibration bends; None for other posteriors."""
    if not isinstance(posterior, CalibratedPosterior):
        return None
    return np.unique(np.concatenate([curve._z for curve in posterior._curves]))


def _decision(estimator: Any) -> Step:
    if estimator._costs is not None:
        return {"op": "costs", "costs": np.asarray(estimator._costs, dtype=np.float64)}
    if estimator._log_multipliers is not None:
        return {"op": "multipliers", "log_multipliers": estimator._log_multipliers}
    cut = estimator._cut
    return {
        "op": "cut",
        "log_odds": np.atleast_1d(np.asarray(cut.log_odds, dtype=np.float64)),
        "probability": np.atleast_1d(np.asarray(cut.probability, dtype=np.float64)),
        "strict": bool(cut.strict),
        "sign": 1 if estimator._has_several_labels() else estimator._sign(),
    }


# ---------------------------------------------------------------------- the check at every export


def _check(described: AfterLogits, estimator: Any) -> None:
    """Compare with the estimator, on logits of all sizes."""
    random = np.random.default_rng(0)
    n = 1 if described.kind == "binary" else len(estimator.classes_)
    sizes = np.geomspace(0.03, 300, 60)
    z = np.concatenate([random.normal(size=(20, n)) * size for size in sizes])
    rows = z[:, 0] if described.kind == "binary" else z
    for steps, found in (
        (described.posterior, estimator._log_scores(rows)),
        (described.shown, estimator._shown_scores(rows, None)),
    ):
        expected, made = found.reshape(len(z), n), scores(steps, z, NumpyOperations())
        to_probability = np.exp if described.kind == "classes" else expit
        apart = np.abs(to_probability(made) - to_probability(expected)).max()
        if not apart < _NEAR_ENOUGH:
            raise ValueError(
                f"The export's probabilities would be up to {apart:.2g} from the estimator's, "
                f"which is more than {_NEAR_ENOUGH:g}: this posterior cannot be exported. Fit with "
                "calibrate='sigmoid', or with another loss."
            )
