"""The rows of a stream that are kept, standing for all."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._rows import Rows
from wbce.streams._stream import Block, Stream
from wbce.streams._survey import Survey, level_of
from wbce.streams._uniform import uniforms
from wbce.validation import Split, validation_counts

_MOST_TO_TRAIN = 2**15  # rows that stand for those of training
_MOST_OF_SOME = 0.8  # that judge, where not all rows of a class were kept


@dataclass(frozen=True)
class StreamRows(Rows):
    """Some rows of a stream, weighted so that every class weighs what it does in all of it.

    They are in the order of the numbers by which they were kept, see `Survey`.

    Attributes
    ----------
    stream : Stream
    seed : int
        Of those numbers.
    u : ndarray of shape (n_samples,)
        Those numbers.
    n_in_all : int
        Rows of the whole stream.
    n_training : int
        Of them, how many train.
    of_classes : ndarray of shape (n_classes,)
        How many rows of each class the stream has.
    cutoffs : ndarray of shape (n_classes,)
        Rows train whose number is above that of their class.
    factors : ndarray of shape (n_classes,)
        How many rows each of them stands for, as others of its class judge.
    identity : tuple
        What was found of the whole stream, to know it again by.
    """

    stream: Stream = field(kw_only=True)
    seed: int = field(kw_only=True)
    u: NDArray[np.float64] = field(kw_only=True)
    n_in_all: int = field(kw_only=True)
    n_training: int = field(kw_only=True)
    of_classes: NDArray[Any] = field(kw_only=True)
    cutoffs: NDArray[np.float64] = field(kw_only=True)
    factors: NDArray[np.float64] = field(kw_only=True)
    identity: tuple[Any, ...] = field(kw_only=True)

    @classmethod
    def of(
        cls, rows: Rows, stream: Stream, survey: Survey, seed: int, n_classes: int
    ) -> StreamRows:
        """The rows that a survey kept, as validated."""
        code_of = np.zeros(len(survey.labels), dtype=np.intp)
        code_of[survey.kept_codes] = rows.codes
        counts, of_classes = np.zeros(n_classes), np.zeros(n_classes, dtype=np.int64)
        counts[code_of], of_classes[code_of] = survey.counts, survey.rows
        moments = survey.moments
        return cls(
            **_plain(rows, sample_weight=_rescaled(rows, counts)),
            stream=stream,
            seed=seed,
            u=survey.kept_u,
            n_in_all=survey.n_rows,
            n_training=survey.n_rows,
            of_classes=of_classes,
            cutoffs=np.full(n_classes, -1.0),
            factors=np.ones(n_classes),
            identity=(counts, of_classes, moments and [moments.mean, moments.deviation]),
        )

    @property
    def n_rows(self) -> int:
        """How many rows these stand for."""
        return self.n_in_all

    def hold_out(self, fraction: float) -> Split:
        """Which rows judge: a fraction of each class, or as many as were kept."""
        n_classes = len(self.of_classes)
        kept = np.bincount(self.codes, minlength=n_classes)
        most = np.where(kept < self.of_classes, _MOST_OF_SOME * kept, kept).astype(np.intp)
        n_held = np.minimum(validation_counts(self.of_classes, fraction), most)
        held = np.zeros(len(self), dtype=bool)
        for k in range(n_classes):
            held[np.flatnonzero(self.codes == k)[: n_held[k]]] = True
        return np.flatnonzero(~held), np.flatnonzero(held)

    def divided(self, train: NDArray[np.intp], held: NDArray[np.intp]) -> tuple[Rows, Rows]:
        """Those that stand for the rows of training, and those that judge."""
        n_classes = len(self.of_classes)
        counts = np.bincount(self.codes, self.sample_weight, minlength=n_classes)
        judge = self.take(held)
        judge = replace(judge, sample_weight=_rescaled(judge, counts * (len(held) / self.n_rows)))
        cutoffs = self.cutoffs.copy()
        np.maximum.at(cutoffs, judge.codes, self.u[held])
        n_judging = np.bincount(judge.codes, minlength=n_classes)
        n_left = np.maximum(self.of_classes - n_judging, 1)
        shown = train[_first_of_each(self.codes[train], _MOST_TO_TRAIN)]
        rows = self.take(shown)
        left = replace(
            self,
            **_plain(rows, sample_weight=_rescaled(rows, counts)),
            u=self.u[shown],
            n_training=self.n_rows - len(held),
            cutoffs=cutoffs,
            factors=self.of_classes / n_left,
        )
        return left, judge

    def of_training(
        self, block: Block, there: NDArray[np.intp], codes: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Whether rows of a block, by number and class, train."""
        u = uniforms(self.seed, block.part, block.start, len(block.y))
        return u[there] > self.cutoffs[codes]


def _plain(rows: Rows, **other: Any) -> dict[str, Any]:
    """The attributes that all rows have."""
    return {of.name: getattr(rows, of.name) for of in fields(Rows)} | other


def _first_of_each(codes: NDArray[np.intp], at_most: int) -> NDArray[np.intp]:
    """The first rows of every class, equally many or all that there are."""
    counts = np.bincount(codes)
    level = level_of(counts, at_most)
    return np.sort(np.concatenate([np.flatnonzero(codes == k)[:level] for k in range(len(counts))]))


def _rescaled(rows: Rows, totals: NDArray[Any]) -> NDArray[np.float64]:
    """Weights that have these sums over the classes."""
    sums = np.bincount(rows.codes, rows.sample_weight, minlength=len(totals))
    factors = np.divide(totals, sums, out=np.ones(len(totals)), where=sums > 0)
    return rows.sample_weight * factors[rows.codes]
