"""What the built-in networks do to columns before anything is learned."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import ndtri
from sklearn.base import BaseEstimator, TransformerMixin

from wbce._backend import keras
from wbce._storable import storable
from wbce.networks._moments import Moments
from wbce.tracing import aligned_empty

ops = keras.ops

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_FAR, _NEAR = 1e37, 1e-37  # float32 has room to subtract and to divide
_TAIL = 0.003  # the share below the least normal score
_AT_MOST = 2**27  # bytes of columns made once, for those who train and for those who judge
_ROWS_AT_ONCE = 2**12


@storable("offset remover")
class OffsetRemover(TransformerMixin, BaseEstimator):
    """Take away from columns an offset so large that float32 would swallow their variation.

    Columns whose mean is more than 10,000 standard deviations from zero, such as timestamps, are
    centred in float64; all others pass as they are.
    """

    def fit(self, X: NDArray[Any], y: Any = None) -> OffsetRemover:
        """Find the columns and their offsets."""
        self.offset_: Float64 | None = None
        if not issparse(X) and X.dtype.kind in "iuf" and X.dtype.itemsize > 2 and len(X):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # a column without a value
                mean = np.nanmean(X, axis=0, dtype=np.float64)
                deviation = np.nanstd(X, axis=0, dtype=np.float64)
            far = (deviation > 0) & (np.abs(mean) > 1e4 * deviation)
            if far.any():
                self.offset_ = np.where(far, mean, 0.0)
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """Subtract the offsets."""
        if self.offset_ is not None and issparse(X):
            raise ValueError(
                "X is sparse, but the fit had columns with a large offset, which is taken away "
                "from all rows: pass dense rows, X.toarray()."
            )
        return X if self.offset_ is None else X.astype(np.float64) - self.offset_


@keras.saving.register_keras_serializable("wbce")
class InputColumns(keras.layers.Layer):
    """Numbers scaled, and their ranks; categories one-hot; and what is missing said.

    A number is centred and divided by its column's standard deviation, then mapped by
    ``x / sqrt(1 + (x / 3)**2)``: nearly the identity within one standard deviation, never beyond
    three (Holzmüller et al. 2024, "Better by default"). Its rank among the rows of the fit is
    given as the normal distribution's quantile there (a normal score, van der Waerden 1952),
    linear between knots. A constant column becomes zero, a missing number too. A category is a
    whole number from zero; one that is missing, or not among those of the fit, has no one in its
    columns. The result has the numbers first, then their normal scores, then a column for each
    where values were missing, then the categories'.

    Parameters
    ----------
    n_categories : sequence of int
        For every column how many categories it has; 0 for numbers.
    may_miss : sequence of bool
        For every column whether missing values are told from others.
    n_knots : int, default=0
        Between how many knots ranks are linear; 0 for no ranks.
    """

    def __init__(
        self,
        n_categories: Sequence[int],
        may_miss: Sequence[bool],
        n_knots: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.n_knots = n_knots
        self.n_categories = [int(n) for n in n_categories]
        self.may_miss = [bool(m) for m in may_miss]
        self.numbers = [i for i, n in enumerate(self.n_categories) if not n]
        self.missing = [i for i, m in enumerate(self.may_miss) if m]
        self.categories = [i for i, n in enumerate(self.n_categories) if n]

    @property
    def n_numeric(self) -> int:
        """How many of the result's first columns are numbers and their scores."""
        return len(self.numbers) * (2 if self.n_knots else 1)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make room for a centre and a scale for every number."""
        shape = (len(self.numbers),)
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones", trainable=False)
        if self.n_knots:
            of_ranks = {"shape": (*shape, self.n_knots), "initializer": "zeros"}
            self.knots = self.add_weight(name="knots", trainable=False, **of_ranks)
            self.scores = self.add_weight(name="scores", trainable=False, **of_ranks)

    def call(self, inputs: Any) -> Any:
        """Scale, squash, and spread categories."""
        all_numbers = len(self.numbers) == len(self.n_categories)
        numbers = inputs if all_numbers else _take(inputs, self.numbers)
        x = (numbers - self.mean) * self.scale
        x = ops.where(ops.isnan(x), 0.0, x)
        # Clipped, or the square of a value far out would overflow; and not rsqrt, which rounds
        # differently at the end of an array.
        x = ops.clip(x, -1e18, 1e18)
        parts = [x / ops.sqrt(1.0 + ops.square(x / 3.0))] if self.numbers else []
        if self.numbers and self.n_knots:
            parts.append(self._normal_scores(numbers))
        if self.missing:
            is_missing = ops.isnan(_take(inputs, self.missing))
            parts.append(ops.cast(is_missing, x.dtype))
        for column in self.categories:
            levels = ops.arange(self.n_categories[column], dtype=x.dtype)
            parts.append(ops.cast(ops.equal(inputs[..., column : column + 1], levels), x.dtype))
        return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)

    @property
    def fitted(self) -> list[Any]:
        """What `fit` finds, as variables: mean, scale, and knots and their scores if any."""
        ranks = [self.knots, self.scores] if self.n_knots else []
        return [self.mean, self.scale, *ranks]

    def _normal_scores(self, numbers: Any) -> Any:
        x = ops.expand_dims(ops.clip(numbers, -_FAR, _FAR), -1)
        left, width = self.knots[:, :-1], self.knots[:, 1:] - self.knots[:, :-1]
        passed = ops.clip((x - left) / ops.maximum(width, _NEAR), 0.0, 1.0)
        rises = self.scores[:, 1:] - self.scores[:, :-1]
        z = self.scores[:, 0] + ops.sum(passed * rises, axis=-1)
        return ops.where(ops.isnan(numbers), 0.0, z)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """As many columns as there are numbers, missing ones told, and categories."""
        n_columns = self.n_numeric + len(self.missing) + sum(self.n_categories)
        return (*input_shape[:-1], n_columns)

    def get_config(self) -> dict[str, Any]:
        """Config to make the layer anew."""
        names = ("n_categories", "may_miss", "n_knots")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def fit(
        self,
        X: NDArray[Any],
        sample_weight: Float64,
        moments: tuple[Float64, Float64] | None = None,
    ) -> None:
        """Take mean, standard deviation and ranks of the numbers from rows, weighted.

        Mean and deviation may be those of more rows, of all columns.
        """
        if moments is None:
            found = Moments(X.shape[1])
            for start in range(0, len(X), _ROWS_AT_ONCE):
                some = slice(start, start + _ROWS_AT_ONCE)
                found.add(X[some].astype(np.float64), sample_weight[some])
            moments = found.mean, found.deviation
        mean, deviation = (of_all[self.numbers] for of_all in moments)
        # What is left of a constant column after rounding is not variation.
        constant = deviation <= 1e-7 * np.abs(mean) + np.finfo(np.float32).tiny
        self.mean.assign(mean)
        self.scale.assign(np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation)))
        if self.n_knots:
            ranks = []
            for number in self.numbers:
                x = X[:, number].astype(np.float64)
                known = ~np.isnan(x) & (sample_weight > 0)
                ranks.append(normal_score_knots(x[known], sample_weight[known], self.n_knots))
            knots, scores = np.reshape(ranks, (-1, 2, self.n_knots)).transpose(1, 0, 2)
            self.knots.assign(np.clip(knots, -_FAR, _FAR))
            self.scores.assign(scores)


def columns_made_once(
    network: keras.Model, X: NDArray[Any]
) -> tuple[NDArray[Any], InputColumns | None]:
    """What a network first makes of rows, to be made once and not anew in every step.

    Returns
    -------
    rows : ndarray
        Columns as they leave the layer; ``X`` where the network does not begin with one, or where
        they would take more memory than `_AT_MOST`.
    layer : InputColumns or None
        The layer whose output they are; see :func:`after_columns`.
    """
    plain = isinstance(X, np.ndarray) and X.ndim == 2 and len(network.layers) > 1
    first = network.layers[1] if plain else None
    if not isinstance(first, InputColumns) or first.output.dtype != "float32":
        return X, None
    shape = len(X), int(first.output.shape[-1])
    if 4 * shape[0] * shape[1] > _AT_MOST or not _is_chain(network):
        return X, None
    step = columns_in_numpy(first.n_categories, first.may_miss)
    values = [variable.numpy() for variable in first.fitted]
    rows = aligned_empty(shape, np.float32)
    for start in range(0, len(X), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        rows[some] = step(X[some].astype(np.float32), *values)
    return rows, first


def columns_in_numpy(
    n_categories: Sequence[int], may_miss: Sequence[bool]
) -> Callable[..., Float32]:
    """`InputColumns` in NumPy: a function of float32 rows and of the values of what was fitted."""
    numbers = [i for i, n in enumerate(n_categories) if not n]
    missing = [i for i, m in enumerate(may_miss) if m]
    all_numbers = len(numbers) == len(n_categories)
    levels = [(i, np.arange(n, dtype=np.float32)) for i, n in enumerate(n_categories) if n]

    def step(inputs: Float32, mean: Float32, scale: Float32, *ranks: Float32) -> Float32:
        values = inputs if all_numbers else inputs[..., numbers]
        with np.errstate(over="ignore"):  # what overflows is clipped
            x = (values - mean) * scale
        x = np.where(np.isnan(x), np.float32(0), np.clip(x, np.float32(-1e18), np.float32(1e18)))
        parts = [x / np.sqrt(1 + np.square(x / 3))] if numbers else []
        if numbers and ranks:
            parts.append(_normal_scores(values, *ranks))
        if missing:
            parts.append(np.isnan(inputs[..., missing]).astype(np.float32))
        parts += [(inputs[..., i : i + 1] == some).astype(np.float32) for i, some in levels]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    return step


def after_columns(network: keras.Model, layer: InputColumns) -> Callable[[Any], Any]:
    """What of a chain of layers comes after one."""
    rest = network.layers[network.layers.index(layer) + 1 :]

    def body(x: Any) -> Any:
        for following in rest:
            x = following(x)
        return x

    return body


def _is_chain(network: keras.Model) -> bool:
    try:
        pairs = zip(network.layers, network.layers[1:], strict=False)
        return all(after.input is before.output for before, after in pairs)
    except (AttributeError, ValueError):  # a layer that is used twice
        return False


def _take(inputs: Any, columns: list[int]) -> Any:
    return ops.take(inputs, ops.convert_to_tensor(columns, dtype="int32"), axis=-1)


def _normal_scores(values: Float32, knots: Float32, scores: Float32) -> Float32:
    x = np.clip(values, np.float32(-1e37), np.float32(1e37))[..., np.newaxis]
    width = np.maximum(knots[:, 1:] - knots[:, :-1], np.float32(1e-37))
    with np.errstate(over="ignore"):  # what overflows is clipped
        passed = np.clip((x - knots[:, :-1]) / width, np.float32(0), np.float32(1))
    z = scores[:, 0] + (passed * (scores[:, 1:] - scores[:, :-1])).sum(axis=-1)
    return np.where(np.isnan(values), np.float32(0), z)


def normal_score_knots(x: Float64, weight: Float64, n_knots: int) -> tuple[Float64, Float64]:
    """Values at evenly spaced ranks, and the normal distribution's quantiles of those ranks.

    Parameters
    ----------
    x : ndarray of shape (n_samples,)
        Numbers, none missing.
    weight : ndarray of shape (n_samples,)
        Above zero.
    n_knots : int
        At least two.

    Returns
    -------
    knots, scores : ndarray of shape (n_knots,)
        Neither decreases. A value that takes several knots has the score of its middle rank; fewer
        different ones repeat the last.

    Examples
    --------
    >>> x = np.array([0.0, 10.0, 20.0, 1000.0, 30.0])
    >>> knots, scores = normal_score_knots(x, np.ones(5), 5)
    >>> knots.round(1).tolist(), scores.round(2).tolist()
    ([0.0, 7.5, 20.0, 272.5, 1000.0], [-2.75, -0.67, 0.0, 0.67, 2.75])
    """
    if not len(x):
        return np.zeros(n_knots), np.zeros(n_knots)
    order = np.argsort(x, kind="stable")
    x, weight = x[order], weight[order]
    ranks = (np.cumsum(weight) - weight / 2) / weight.sum()
    shares = np.linspace(0, 1, n_knots)
    values = np.interp(shares, ranks, x)
    knots, first, counts = np.unique(values, return_index=True, return_counts=True)
    middle = (shares[first] + shares[first + counts - 1]) / 2
    scores = ndtri(np.clip(middle, _TAIL, 1 - _TAIL))
    if len(knots) == 1:
        scores = np.zeros(1)
    more = n_knots - len(knots)
    return np.pad(knots, (0, more), "edge"), np.pad(scores, (0, more), "edge")
