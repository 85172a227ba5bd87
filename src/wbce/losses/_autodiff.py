"""The posterior behind a loss that somebody else wrote, from the slope of its own value.

At the logit z where the expected loss is least, ``eta * l1'(z) + (1 - eta) * l0'(z) = 0``; with
one logit a class, ``sum over k of eta_k * grad l_k(z) = 0``. Both slopes are taken by TensorFlow,
in float64 where the loss allows it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from wbce._backend import keras, tf
from wbce._storable import storable
from wbce.losses._base import Float64

# Logits at which a binary loss is looked at; closely enough that the table is the function.
_GRID = np.linspace(-40.0, 40.0, 8001)

# How far behind the largest logit a class is looked at, in the softmax form.
_FARTHEST = 12.0

# A map that covers less than these log-odds on either side is of no use.
_LEAST_REACH = 2.0


@storable("derived posterior")
class DerivedPosterior:
    """The posterior map of a binary loss with a strictly increasing one, as a table.

    It ends where the loss's slope is lost to rounding or to a clipping of its own.

    Parameters
    ----------
    z, log_odds : ndarray of shape (n,)
        Both strictly increasing.
    """

    label_smoothing = 0.0
    class_weight = None
    slopes_beyond = (1.0, 1.0)

    def __init__(self, z: Float64, log_odds: Float64) -> None:
        self._corners = z, log_odds
        self._ends = float(z[0]), float(z[-1])
        # An output that is itself the probability, under mean squared error, is undecided midway.
        self.tie = 0.0 if z[0] < 0 < z[-1] else float(z[0] + z[-1]) / 2
        self._table = PchipInterpolator(z, log_odds)

    def stored_state(self) -> dict[str, Any]:
        """The table."""
        return dict(zip(("z", "log_odds"), self._corners, strict=True))

    @classmethod
    def from_stored_state(cls, state: dict[str, Any]) -> DerivedPosterior:
        """Make it anew."""
        return cls(**state)

    def log_odds(self, z: Float64) -> Float64:
        """Log-odds of the posterior where the minimiser has the logit ``z``."""
        return self._table(z)

    def exact_logits(self, lowest: float) -> tuple[float, float]:
        """Logits of the table; ``lowest`` asks for less."""
        return self._ends


@storable("derived class posterior")
class DerivedClassPosterior:
    """The posterior map of a loss on one logit a class: the null vector of its slopes.

    Parameters
    ----------
    slopes : callable
        From logits (n, n_classes) to the slopes of every class's loss, (n, n_classes, n_classes).
    """

    label_smoothing = 0.0
    class_weight = None
    tie = 0.0

    def __init__(self, slopes: Callable[[Float64], Float64]) -> None:
        self._slopes = slopes

    def is_increasing(self, n_classes: int) -> bool:
        """Whether near a tie the shares are a distribution, and each rises with its logit."""
        z = np.random.default_rng(0).normal(size=(8, n_classes)) * 0.3
        shares = self.shares(z)
        steps = [
            self.shares(z + 0.1 * np.eye(n_classes)[k])[:, k] - shares[:, k]
            for k in range(n_classes)
        ]
        return bool((shares > 0).all() and (np.array(steps) > 1e-4).all())

    def class_log_odds(self, z: Float64) -> Float64:
        """Unnormalised log posterior of every class; where it is negative, next to nothing.

        Classes far behind are looked at nearer to the others, where the loss has a slope that
        rounding or a clipping of its own has not swallowed; from there their share falls with
        the logit.
        """
        near = _near(z)
        return np.log(np.maximum(self.shares(near), 1e-12)) + (z - near)

    def leaves_simplex(self, z: Float64) -> bool:
        """Whether some of these logits stand for no distribution over the classes."""
        return not (self.shares(_near(z)) > 0).all()

    def shares(self, z: Float64) -> Float64:
        """Shares of the classes that make the slopes cancel; they may leave the simplex.

        Parameters
        ----------
        z : ndarray of shape (n, n_classes)
        """
        slopes = self._slopes(z)
        # Slopes on each side of the equation differ by orders of magnitude: scaled by class.
        size = np.abs(slopes).max(axis=2)
        size = np.where(size > 0, size, 1.0)
        system = np.swapaxes(slopes / size[:, :, None], 1, 2)
        shares = np.linalg.svd(system)[2][:, -1] / size
        total = shares.sum(axis=1, keepdims=True)
        return shares / np.where(total == 0, 1.0, total)


def _near(z: Float64) -> Float64:
    return np.maximum(z, z.max(axis=1, keepdims=True) - _FARTHEST)


def derived_posterior(
    loss: Any, targets: NDArray[Any], n_outputs: int, output_is_logits: bool
) -> DerivedPosterior | DerivedClassPosterior | None:
    """Find the posterior map of a loss by differentiating it.

    Parameters
    ----------
    loss : keras.losses.Loss or callable
        Of ``(y_true, y_pred)``.
    targets : ndarray of shape (n_classes, ...)
        The target of a row of each class, as the network is trained with it.
    n_outputs : int
        Columns of the network's output.
    output_is_logits : bool
        Whether the loss is given logits or probabilities.

    Returns
    -------
    DerivedPosterior, DerivedClassPosterior or None
        None for a loss that is no sum over rows, or whose map is not increasing.
    """
    for dtype in ("float64", "float32"):
        try:
            slopes = _Slopes(loss, targets, n_outputs, output_is_logits, dtype)
            if not slopes.are_of_rows():
                return None
            if len(targets) > 2:
                classes = DerivedClassPosterior(slopes)
                return classes if classes.is_increasing(len(targets)) else None
            return _table_of(slopes)
        except Exception:  # whatever a loss of somebody else's raises outside a training
            continue
    return None


@storable("slopes of a loss")
class _Slopes:
    """Slopes of a loss with respect to logits."""

    def __init__(
        self, loss: Any, targets: NDArray[Any], n_outputs: int, output_is_logits: bool, dtype: str
    ) -> None:
        self._loss = loss
        self._targets = targets
        self._n_outputs = n_outputs
        self._output_is_logits = output_is_logits
        self._dtype = dtype

    def are_of_rows(self) -> bool:
        """Whether every row has a loss that is its own."""
        width = max(2, self._n_outputs) if len(self._targets) > 2 else 1
        rows = np.linspace(-1.5, 2.0, 6 * width).reshape(6, width)
        codes = np.arange(6) % len(self._targets)
        together = self._values(tf.constant(rows, self._dtype), codes)
        if together.shape != (6,):
            return False
        alone = [
            float(self._values(tf.constant(rows[i : i + 1], self._dtype), codes[i : i + 1])[0])
            for i in range(6)
        ]
        return bool(np.allclose(together.numpy(), alone, rtol=1e-5, atol=1e-7))

    def of_class(self, z: Float64, code: int) -> Float64:
        """Slope of the loss of rows of one class, one logit a row or one a class."""
        logits = tf.constant(z, self._dtype)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            total = tf.reduce_sum(self._values(logits, np.full(len(z), code)))
        slope = tape.gradient(total, logits)
        return np.zeros(z.shape) if slope is None else slope.numpy().astype(np.float64)

    def __call__(self, z: Float64) -> Float64:
        return np.stack([self.of_class(z, k) for k in range(len(self._targets))], axis=1)

    def _values(self, logits: Any, codes: NDArray[np.intp]) -> Any:
        if self._n_outputs == 2 and len(self._targets) == 2:
            logits = tf.concat([-logits / 2, logits / 2], axis=1)
        output = logits
        if not self._output_is_logits:
            output = tf.sigmoid(logits) if self._n_outputs == 1 else tf.nn.softmax(logits)
        y = tf.constant(self._targets[codes])
        if y.dtype.is_floating:
            y = tf.cast(y, self._dtype)
        # A Loss casts to its own dtype and takes a mean, its `call` does neither.
        has_call = isinstance(self._loss, keras.losses.Loss) and (
            type(self._loss).call is not keras.losses.Loss.call
        )
        loss = self._loss.call if has_call else self._loss
        values = tf.convert_to_tensor(loss(y, output))
        return values[:, 0] if values.shape.rank == 2 and values.shape[1] == 1 else values


def _table_of(slopes: _Slopes) -> DerivedPosterior | None:
    negative = slopes.of_class(_GRID[:, None], 0)[:, 0]
    positive = slopes.of_class(_GRID[:, None], 1)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_odds = np.log(negative) - np.log(-positive)
        rises = np.diff(log_odds) > 0
    rises &= np.isfinite(log_odds[1:]) & np.isfinite(log_odds[:-1])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], rises, [False]]).astype(int)))
    if not len(edges):
        return None
    runs = edges.reshape(-1, 2)
    # The run about zero: where a loss clips its probabilities there are others, of no meaning.
    zero = len(_GRID) // 2
    first, last = runs[np.argmin(np.maximum(runs[:, 0] - zero, zero - runs[:, 1]))]
    if log_odds[first] > -_LEAST_REACH or log_odds[last] < _LEAST_REACH:
        return None
    return DerivedPosterior(_GRID[first : last + 1], log_odds[first : last + 1])
