"""The steps of a fit on rows that are not in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._judging_steps import JudgingSteps
from wbce.progress import rows_shown
from wbce.streams import (
    Block,
    Pools,
    Prepared,
    Stream,
    StreamRows,
    Survey,
    is_dask,
    lazily,
    rows_of,
    rows_of_pool,
    stream_to_predict,
)


class StreamSteps(JudgingSteps):
    """From a stream to rows that stand for it, and from its blocks to what a network takes."""

    _check_fitted: Any
    _weights_in_loss: bool
    class_weight_: Any

    def _check_stream_suffices(self, validation_split: Any, groups: Any) -> None:
        """Refuse what needs all rows at once."""
        if groups is not None:
            raise ValueError(
                "groups are told apart among rows in memory, and X is a stream. Pass rows of "
                "other groups as X_val and y_val, with validation_split=0."
            )
        if not isinstance(validation_split, float):
            raise ValueError(
                f"validation_split={validation_split!r} divides rows in memory, and X is a stream. "
                "Pass a fraction, or the rows that judge as X_val and y_val."
            )
        if self.threshold_cv not in (None, False):
            raise ValueError(
                f"threshold_cv={self.threshold_cv!r} divides rows in memory, and X is a stream, "
                "whose validation rows are many. Leave threshold_cv=None."
            )

    def _surveyed(self, stream: Stream, seed: int, reset: bool) -> StreamRows:
        """Look at all rows once; validate those that stand for them."""
        known = None if reset else self.classes_.tolist()
        numbers = reset and self._built_in() is not None
        survey = Survey(stream, seed, numbers, known, self._progress.surveyed)
        self._survey = survey
        rows = self._fit_rows(survey.kept_X, survey.kept_y, survey.kept_weight, reset=reset)
        if rows.codes is None or rows.codes.ndim > 1:
            self._refuse_class_decisions()
            raise ValueError(
                f"y is of type {self.target_type_!r}: a stream has one label a row, of two classes "
                "or more. For other targets pass arrays in memory."
            )
        return StreamRows.of(rows, stream, survey, seed, len(self.classes_))

    def _surveyed_moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Means and deviations of all columns, as the network sees them."""
        if self._survey is None or self._survey.moments is None:
            return None
        moments = self._survey.moments
        offset = getattr(self.feature_encoder_, "offset_", None)
        return (moments.mean if offset is None else moments.mean - offset), moments.deviation

    def _said_of_blocks(self, method: str, X: Any, arguments: dict[str, Any]) -> Any:
        """What a method says of rows that are not in memory, block by block; None for others.

        Of Dask's rows nothing is computed yet.
        """
        names = getattr(self, "feature_names_in_", None)
        stream = None if is_dask(X) else stream_to_predict(X, names)
        if stream is None and not is_dask(X):
            return None
        self._check_fitted()
        arguments = {name: value for name, value in arguments.items() if value is not None}
        if np.ndim(arguments.get("cost_matrix", 0)) > 2:
            raise ValueError(
                "cost_matrix has costs for every row, and X comes in blocks: pass the rows of "
                "each block with their costs."
            )
        if stream is not None:
            said = []
            with rows_shown(self.verbose, stream.n_rows) as saw:
                for block in stream.blocks():
                    said.append(getattr(self, method)(block.X, **arguments))
                    saw(len(block.X))
            return np.concatenate(said)
        decides = method == "decision_function" and len(self.classes_) == 2
        one_number = method == "predict" or decides
        columns = None if one_number and not self._has_several_labels() else len(self.classes_)
        dtype = np.float64
        if method == "predict":
            dtype = self.y_dtype_ if self._has_several_labels() else self.classes_.dtype
        return lazily(self, method, X, columns, dtype, arguments)

    def _pools(self, train: StreamRows, like: Prepared, batch_size: int) -> Pools:
        """The stream's rows as the network takes them."""
        of_classes = np.asarray(self._targets(self.classes_))
        weights = np.ones(len(self.classes_))
        if not self._weights_in_loss:
            weights = np.array([self.class_weight_[k] for k in self.classes_.tolist()])
        counts = np.bincount(train.codes, train.sample_weight, minlength=len(weights))
        weights = weights * train.factors * (train.n_training / (weights @ counts))
        known = {label: code for code, label in enumerate(self.classes_.tolist())}

        def prepare(block: Block) -> Prepared:
            there = np.arange(len(block.y))
            if block.sample_weight is not None:
                there = np.flatnonzero(np.asarray(block.sample_weight))
            codes = _codes(np.asarray(block.y)[there], known)
            trains = train.of_training(block, there, codes)
            there, codes = there[trains], codes[trains]
            if not len(codes):
                return rows_of_pool(like, slice(0))
            X = self._validate_X(rows_of(block.X, there), reset=False, same_dtype=False)
            row_weights = weights[codes]
            if block.sample_weight is not None:
                row_weights = row_weights * np.asarray(block.sample_weight, np.float64)[there]
            return self._encode(X), of_classes[codes], row_weights

        return Pools(train.stream, prepare, train.n_training, like, batch_size)


def _codes(y: NDArray[Any], known: dict[Any, int]) -> NDArray[np.intp]:
    """Class codes of labels."""
    labels, inverse = np.unique(y, return_inverse=True)
    unknown = [label for label in labels.tolist() if label not in known]
    if unknown:
        raise ValueError(
            f"y has labels that the pass before training did not have: {unknown}. The labels are "
            f"{list(known)}"
        )
    return np.array([known[label] for label in labels.tolist()], dtype=np.intp)[inverse.ravel()]
