"""The steps of a fit, each a method with the name of what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce import weights
from wbce._rows import Everything, Judged, Rows, check_groups, check_sample_weight
from wbce._stream_steps import StreamSteps
from wbce._warnings import ClassWeightWarning, warn_once
from wbce.decisions import average_precision
from wbce.inference import HeldOutLogits
from wbce.losses import DeferredReweighting, OwnLoss, check_cost_matrix
from wbce.losses._posterior import label_log_loss, less_confident, log_loss, two_columns
from wbce.networks import InputColumns, SparseColumns
from wbce.progress import Outcome
from wbce.streams import StreamRows
from wbce.training import (
    CheckpointWish,
    Ended,
    MemberScores,
    ValidationScore,
    batch_size_for,
    nothing_kept,
)

# By which share of its log-odds a member alone is too confident, to say when it should stop.
_OVERCONFIDENCE = 0.2


class FitSteps(StreamSteps):
    """What `fit` does, step by step, and most of `partial_fit`."""

    checkpoint: Any
    distribute: str | None
    history_: Any
    class_weight_: Any  # a dict; one a label for several labels
    pos_weight_: Any
    _weight_so_far: tuple[float, int]
    _keeps_optimizer: bool  # beyond the fit, and in pickles

    # ------------------------------------------------------------------ the steps of a fit

    def _fit_rows(
        self, X: Any, y: Any, sample_weight: Any, groups: Any = None, *, reset: bool
    ) -> Rows:
        """Validate rows, drop those without weight, learn the labels."""
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} requires y to be passed, but the target y is None."
            )
        if X is None:
            raise ValueError("X is None: pass rows to train on.")
        X, y = self._validate_data(X, y, reset=reset, same_dtype=not reset)
        population, groups = check_sample_weight(sample_weight, X), check_groups(groups, X)
        everything = None
        if not population.all():
            kept = population > 0
            everything = Everything(kept, y, groups)
            X, y, population = X[kept], y[kept], population[kept]
            groups = None if groups is None else groups[kept]
            if reset and self._built_in() is not None and not self._sparse_rows:
                self._input_columns = self._columns_of(X)
        if reset:
            self._fit_encoders(X, y)
        if self._has_several_labels():
            self._check_label_parameters()
            return Rows(X, y, self._indicators(y), population, groups, everything)
        if not self._has_one_label_a_row():
            return Rows(X, y, None, population, groups, everything)
        if len(self.classes_) < 2:
            if self._built_in() is not None:
                self._refuse_one_class(y)
            return Rows(X, y, None, population, groups, everything)
        self._check_two_class_parameters()
        self._check_costs()
        self._check_labels_are_known(y)
        return Rows(X, y, self._codes(y), population, groups, everything)

    def _check_two_class_parameters(self) -> None:
        """Refuse what has a meaning for two classes only."""
        if self.pos_label is not None and len(self.classes_) > 2:
            raise ValueError(
                f"pos_label={self.pos_label!r} needs two classes, but y has {len(self.classes_)}: "
                f"{self.classes_.tolist()}. For more, leave it None."
            )

    def _check_label_parameters(self) -> None:
        """Refuse what has no meaning for several labels a row."""
        for name, instead in (
            ("pos_label", "a label is there or not"),
            ("cost_matrix", "pass pos_weight, a weight for every label"),
            ("prior", "leave it None"),
        ):
            value = getattr(self, name)
            if value is not None:
                raise ValueError(
                    f"{name}={value!r} is for classes that exclude each other, but y has "
                    f"{len(self.classes_)} labels a row: {instead}."
                )

    def _check_costs(self) -> None:
        if self.cost_matrix is None:
            return
        costs = check_cost_matrix(self.cost_matrix)
        if len(costs) != len(self.classes_):
            raise ValueError(
                f"cost_matrix has the shape {costs.shape}, but y has {len(self.classes_)} classes, "
                f"{self.classes_.tolist()}: pass a row for each, and a column for each decision."
            )

    def _indicators(self, y: NDArray[Any]) -> NDArray[np.intp]:
        if y.shape[1] != len(self.classes_):
            raise ValueError(
                f"y has {y.shape[1]} columns, but this {type(self).__name__} was fitted on "
                f"{len(self.classes_)} labels: pass a column for each."
            )
        if not np.isin(y, (0, 1)).all():
            raise ValueError(
                "y with several labels a row must be 0 or 1, a column for every label; got values "
                f"{np.unique(y)[:5].tolist()}."
            )
        return np.asarray(y).astype(np.intp)

    def _codes(self, y: NDArray[Any]) -> NDArray[np.intp]:
        encoded = np.asarray(self.target_encoder_.transform(y))
        if encoded.ndim == 2 and encoded.shape[1] > 1:
            return encoded.argmax(axis=1)
        return encoded.ravel().astype(np.intp)

    def _weigh(self, train: Rows) -> NDArray[np.float64]:
        """Find the positive class and the weight of every class."""
        if train.codes is None:
            self._refuse_class_decisions()
            return np.ones(0)
        counts = self._class_counts(train)
        if self._has_several_labels():
            if not counts[:, 1].all():
                raise ValueError(
                    f"Label {int(np.argmin(counts[:, 1]))} has no row left to train on: all that "
                    "have it are held back. Pass a smaller validation_split, or X_val and y_val."
                )
            pairs = weights.label_weight_pairs(
                counts, class_weight=self.class_weight, pos_weight=self.pos_weight, alpha=self.alpha
            )
            self._note_weights(pairs)
            return pairs
        if not counts.all():
            raise ValueError(
                f"y has no rows of class {self.classes_.tolist()[int(np.argmin(counts))]!r}, which "
                "the last fit had; warm_start goes on with the same classes."
            )
        positive = self._positive
        class_weights = weights.class_weight_vector(
            counts,
            self.classes_.tolist(),
            class_weight=self.class_weight,
            pos_weight=self.pos_weight,
            alpha=self.alpha,
            positive=positive,
        )
        if weights.favours_majority(class_weights, counts):
            rare, frequent = (self.classes_.tolist()[f(counts)] for f in (np.argmin, np.argmax))
            warn_once(
                f"The class weights favour the more frequent class {frequent!r} over {rare!r}: "
                "rare rows count even less than without weights. To favour the rare class use "
                'class_weight="balanced", a pos_weight above 1, or an alpha above 0.5.',
                ClassWeightWarning,
            )
        self._note_weights(class_weights)
        return class_weights

    def _note_weights(self, class_weights: NDArray[np.float64]) -> None:
        if class_weights.ndim == 2:
            self.class_weight_ = [dict(enumerate(pair)) for pair in class_weights.tolist()]
            self.pos_weight_ = class_weights[:, 1] / class_weights[:, 0]
            return
        self.class_weight_ = dict(zip(self.classes_.tolist(), class_weights.tolist(), strict=True))
        if self._positive is not None:
            ratio = class_weights[self._positive] / class_weights[1 - self._positive]
            self.pos_weight_ = float(ratio)

    def _find_positive(self, rows: Rows) -> None:
        """Find the code of the positive class, None for more than two; labels that no row has."""
        self._positive = self._empty_labels = self._full_labels = None
        if rows.codes is None:
            return
        if rows.codes.ndim > 1:
            self._empty_labels = self._full_labels = np.zeros(len(self.classes_), dtype=bool)
            return
        counts = weights.class_counts(rows.codes, len(self.classes_), rows.sample_weight)
        labels = self.classes_.tolist()
        if len(labels) > 2:
            return
        if self.pos_label is not None:
            if self.pos_label not in labels:
                raise ValueError(
                    f"pos_label={self.pos_label!r} is not a label of y; those are {labels}."
                )
            self._positive = labels.index(self.pos_label)
        elif set(labels) in ({0, 1}, {-1, 1}):
            self._positive = 1
        else:
            self._positive = 0 if counts[0] < counts[1] else 1
        self.pos_label_ = self.classes_[self._positive]

    def _skip_empty_labels(self, rows: Rows) -> None:
        """Find labels that no row has: there is nothing to learn about them."""
        if not self._has_several_labels():
            return
        empty = ~rows.codes.any(axis=0)
        if empty.any() and self.empty_labels == "error":
            raise ValueError(
                f"No row has the labels {np.flatnonzero(empty).tolist()}: the columns of y are 0 "
                "throughout, and there is nothing to learn about them. Drop the columns, or pass "
                "empty_labels='skip' never to predict them."
            )
        self._empty_labels, self._full_labels = empty, rows.codes.all(axis=0)

    def _build(self, train: Rows, copied: bool = True) -> None:
        """Build the network and compile it."""
        held_back: dict[str, Any] = {
            name: self.__dict__.pop(name)
            for name in ("pos_label_", "pos_weight_", "class_weight_")
            if name in self.__dict__
        }  # the metadata that network functions see is SciKeras', no more
        network = self._new_network(copied)
        self.__dict__.update(held_back)
        self._check_model_compatibility(train.y)
        for layer in network.layers if self._built_in() is not None else []:
            if isinstance(layer, InputColumns | SparseColumns):
                X = self._encode(train.X)
                X = X.reshape(X.shape[0], -1)
                if isinstance(layer, InputColumns):
                    layer.fit(X, train.sample_weight, self._surveyed_moments())
                else:
                    layer.fit(X, train.sample_weight)

    def _train(
        self,
        train: Rows,
        judge: Rows | None,
        *,
        seed: int,
        epochs: int,
        arguments: dict[str, Any],
        initial_epoch: int = 0,
        last_epoch: int | None = None,
        in_parts: bool = False,
    ) -> Ended:
        """Train the network, watched by the validation rows, or up to an epoch known before.

        What is stopped keeps its last good weights, if it has learned what it should.
        """
        self._ensure_compiled_model()
        self._keeps_optimizer = in_parts or bool(self.warm_start)
        slots = getattr(self, "_optimizer_slots", None)
        if slots is not None:
            slots.restore(self.model_)
            self._optimizer_slots = None
        for name in ("validation_score_", "best_epoch_") if last_epoch is None else ():
            self.__dict__.pop(name, None)  # of the training before
        arguments = dict(arguments)
        passed_callbacks = arguments.pop("callbacks", None)
        initial_epoch = arguments.pop("initial_epoch", initial_epoch)
        batch_size = self._pop_fit_argument("batch_size", arguments)
        arguments["batch_size"] = batch_size_for(train.n_rows, batch_size)
        out_of_member = judge is not None and judge.held_out is not None
        if judge is not None and not out_of_member and self._keras_validates(passed_callbacks):
            arguments["validation_data"] = self._encoded(judge, judge.sample_weight)
        X, y, row_weights = self._encoded(train, self._training_weights(train))
        pools = None
        if isinstance(train, StreamRows):
            row_weights = train.sample_weight
            pools = self._pools(train, (X, y, row_weights), arguments["batch_size"])
        logits = None
        if judge is not None and self._posterior is not None:
            logits = self._judging_logits(judge)
        scorer = self._validation_scorer(judge, logits)
        ours = [scorer] if scorer else []
        useful_from = initial_epoch
        if self._defers_weights():
            useful_from += int(self.model_.loss.deferral * epochs)
            ours.append(DeferredReweighting(self.model_.loss, useful_from))
            if scorer is not None:  # before, the weights to undo are others
                scorer.first_epoch = useful_from
        with self._callbacks_around(ours, passed_callbacks):
            ended = self._fit_network(
                X,
                y,
                sample_weight=row_weights,
                seed=seed,
                keep_state=self._keeps_optimizer,
                rows_of_members=train.trained_on(),
                checkpoint=None if in_parts else self._checkpoint_wish(),
                depends_on=self._depends_on(train, judge),
                pools=pools,
                epochs=initial_epoch + (last_epoch or epochs),
                initial_epoch=initial_epoch,
                validation_split=0.0,
                **arguments,
            )
        n_epochs = len(ended.history["loss"])
        if ended.fault is not None and (in_parts or initial_epoch + n_epochs <= useful_from):
            raise nothing_kept(ended.fault)
        self._note_history(ended.history, going_on=initial_epoch > 0)
        self.n_iter_ = n_epochs
        self.best_epoch_ = initial_epoch + self.n_iter_
        if scorer is not None:
            scorer.restore_best_weights()  # after all callbacks, some of which restore their own
            self.best_epoch_ = scorer.best_epoch
        self.stopped_by_ = ended.stopped_by
        scores: dict[str, float] = {}
        if isinstance(scorer, ValidationScore):
            self.validation_score_ = scorer.best_score
            scores = scorer.said_of_best(initial_epoch + n_epochs, ended.history)
        elif judge is not None and logits is not None:
            scores = self._validation_scores(judge, logits())
            self.validation_score_ = scores["val_log_loss"]
        elif last_epoch is not None:
            scores = {"mean val_log_loss of the folds": self.validation_score_}
        self._progress.trained(
            Outcome(
                n_epochs,
                None if scorer is None else scorer.best_epoch,
                scores or {"loss": ended.history["loss"][-1]},
                ended.why(scorer, initial_epoch + n_epochs, last_epoch or epochs),
            )
        )
        return self._with_those_of_folds(ended.keeping(self.best_epoch_))

    def _checkpoint_wish(self) -> CheckpointWish | None:
        if self.checkpoint is None:
            return None
        return CheckpointWish(self.checkpoint, stays=self._left_checkpoints is not None)

    def _depends_on(self, train: Rows, judge: Rows | None) -> dict[str, Any]:
        """What the training depends on beside what it is handed, by name, if anybody asks."""
        if self.checkpoint is None and self.distribute is None:
            return {}
        parameters = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in ("checkpoint", "verbose")
        }
        judging = judge and [judge.X, judge.codes, judge.y, judge.sample_weight, judge.held_out]
        weights_of_classes = getattr(self, "class_weight_", None)
        found: dict[str, Any] = {
            "parameters": parameters,
            "rows that judge": judging,
            "class weights": weights_of_classes,
        }
        if isinstance(train, StreamRows):
            found["the stream"] = train.identity
        return found

    def _with_those_of_folds(self, ended: Ended) -> Ended:
        """Have the files of the folds' networks removed with that of the last one."""
        if self._left_checkpoints is not None:
            self._left_checkpoints += ended.checkpoints
            return replace(ended, checkpoints=())
        of_folds = self.__dict__.pop("_fold_checkpoints", ())
        return replace(ended, checkpoints=(*ended.checkpoints, *of_folds))

    def _training_weights(self, train: Rows) -> NDArray[np.float64]:
        if train.codes is None or train.codes.ndim > 1 or self._weights_in_loss:
            return train.sample_weight / train.sample_weight.mean()
        class_weights = np.array([self.class_weight_[k] for k in self.classes_.tolist()])
        if hasattr(self, "_weight_so_far"):  # parts of a stream share one scale
            return train.sample_weight * class_weights[train.codes]
        return weights.row_weights(train.codes, class_weights, train.sample_weight)

    def _keras_validates(self, passed_callbacks: Any) -> bool:
        """Whether anything looks at Keras' own validation: it takes as long as the training."""
        ours = self._posterior is not None and isinstance(self.model_.loss, OwnLoss)
        return not ours or self._has_callbacks(passed_callbacks) or bool(self.metrics)

    def _encoded(self, rows: Rows, row_weights: NDArray[np.float64]) -> tuple[Any, Any, Any]:
        """Rows as Keras takes them; weights that are all one are left out."""
        X = self._encode(rows.X)
        y = self._targets(rows.y)
        return X, y, None if not self._says_weights() and (row_weights == 1).all() else row_weights

    def _validation_scorer(
        self, judge: Rows | None, logits: HeldOutLogits | Callable[[], Any] | None
    ) -> ValidationScore | MemberScores | None:
        if judge is None or self._stops_early() is False:
            return None
        if logits is None:
            return ValidationScore(None, self.n_iter_no_change)
        if isinstance(logits, HeldOutLogits):
            return MemberScores(lambda: self._member_scores(judge, logits), self.n_iter_no_change)
        return ValidationScore(
            lambda: self._validation_scores(judge, logits()), self.n_iter_no_change
        )

    def _member_scores(
        self, judge: Rows, logits: HeldOutLogits
    ) -> tuple[dict[str, float], NDArray[np.float64]]:
        """What the history says of the rows that members hold out; the log loss of each member.

        What counts is the members' mean, which is less confident than each of them.
        """
        z = logits.of_members()
        codes, weight = judge.codes[logits.rows], judge.sample_weight[logits.rows]
        scores = self._log_scores_so_far(z, Judged(codes, weight, len(judge), z))
        parts = (less_confident(scores, codes, weight, _OVERCONFIDENCE), codes, weight)
        losses = [
            self._log_loss(*of_member)
            for of_member in zip(*(logits.by_member(part) for part in parts), strict=True)
        ]
        return self._validation_scores(judge, logits.mixed(z)), np.array(losses)

    def _log_loss(
        self, scores: NDArray[np.float64], codes: NDArray[np.intp], weight: NDArray[np.float64]
    ) -> float:
        if self._has_several_labels():
            return label_log_loss(scores, codes, weight)
        log_proba = scores if scores.ndim == 2 else two_columns(scores)
        return log_loss(log_proba, codes, weight)

    def _validation_scores(self, judge: Rows, z: NDArray[np.float64]) -> dict[str, float]:
        """What the history says of the validation rows; the log loss is what counts."""
        found = self._log_scores_so_far(z, judge)
        scores = {"val_log_loss": float(self._log_loss(found, judge.codes, judge.sample_weight))}
        if (
            self._positive is not None
            and z.ndim == 1
            and np.isfinite(z).all()
            and len(np.unique(judge.codes)) == 2
        ):
            log_odds = self._sign() * found
            positive = judge.codes == self._positive
            scores["val_average_precision"] = float(
                average_precision(log_odds, positive, judge.sample_weight)
            )
        return scores
