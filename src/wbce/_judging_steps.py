"""The steps of a fit that find the rows that judge: held back, passed in, or out of fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.base import clone

from wbce import validation
from wbce._decision_steps import DecisionSteps
from wbce._errors import DivergenceError
from wbce._numbers import is_whole
from wbce._rows import Judged, Rows, as_labels, check_sample_weight
from wbce.decisions import check_both_classes
from wbce.inference import HeldOutLogits
from wbce.losses import BatchLoss
from wbce.networks import N_MEMBERS, members_of
from wbce.progress import FitProgress
from wbce.streams import StreamRows

PassedRows = tuple[Any, Any, Any]


class JudgingSteps(DecisionSteps):
    """Which rows judge, and what the networks that were not trained on them say of them."""

    best_epoch_: int
    validation_score_: float
    _left_checkpoints: list[Any] | None = None  # of a fold's network: files for the whole fit

    # ------------------------------------------------------------------ rows passed to fit

    def _passed_rows(
        self, X_val: Any, y_val: Any, sample_weight_val: Any, arguments: dict[str, Any]
    ) -> PassedRows | None:
        """Gather validation rows from whichever way they were passed."""
        data = self._pop_fit_argument("validation_data", arguments)
        if data is not None:
            if X_val is not None:
                raise ValueError("Pass X_val and y_val, or validation_data, not both.")
            if not isinstance(data, list | tuple) or len(data) not in (2, 3):
                raise ValueError(
                    "validation_data is (X_val, y_val) or (X_val, y_val, sample_weight_val)."
                )
            X_val, y_val, sample_weight_val = (*data, None)[:3]
        if X_val is None and y_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val was passed without X_val and y_val.")
            return None
        if X_val is None or y_val is None:
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val go together; {missing} is missing.")
        if self._tunes() and self.threshold_cv not in (None, False):
            raise ValueError(
                f"threshold_cv={self.threshold_cv!r} chooses the threshold out of fold, and rows "
                "to choose it on were passed as well. Leave one of the two out."
            )
        return X_val, y_val, sample_weight_val

    def _validated(
        self, passed: PassedRows, names: tuple[str, str] = ("y_val", "sample_weight_val")
    ) -> Rows:
        """Check labelled rows beside those of the fit."""
        y = as_labels(passed[1], names[0])
        try:
            X, y = self._validate_data(passed[0], y)
        except (TypeError, ValueError) as error:
            if names[0] == "y":
                raise
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"Of the rows passed as X_val and y_val: {error}") from error
        population = check_sample_weight(passed[2], X, names[1])
        kept = population > 0
        X, y, population = X[kept], y[kept], population[kept]
        codes = None
        if self._has_one_label_a_row():
            self._check_labels_are_known(y, names[0])
            codes = self._codes(y)
        elif self._has_several_labels():
            codes = self._indicators(y)
        return Rows(X, y, codes, population)

    # ------------------------------------------------------------------ who trains, who judges

    def _divide(
        self,
        rows: Rows,
        passed: PassedRows | None,
        validation_split: Any,
        seed: int,
        epochs: int,
        arguments: dict[str, Any],
    ) -> tuple[Rows, Rows | None, Judged | None, int | None]:
        """Find the rows that train and those that judge.

        Out of fold all rows train, and with them comes what the folds' networks say, and when to
        stop; but a network that must be calibrated keeps rows for it.
        """
        if isinstance(rows, StreamRows):
            return (*self._split(rows, passed, validation_split, seed, None), None, None)
        if passed is None:
            held_out = self._held_out_by_members(rows, validation_split, seed, arguments)
            if held_out is not None:
                rows = replace(rows, held_out=held_out)
                return rows, rows, None, None
        folds = self._threshold_folds(rows, passed, validation_split, seed, arguments)
        if folds is None:
            return (*self._split(rows, passed, validation_split, seed, folds), None, None)
        split = None
        if self._must_calibrate():  # before training, as it may be refused
            split = self._split(rows, passed, validation_split, seed, folds)
        judged, last_epoch = self._out_of_fold(rows, folds, seed, epochs, arguments)
        if last_epoch is not None:
            return rows, None, judged, last_epoch
        split = split or self._split(rows, passed, validation_split, seed, folds)
        return (*split, judged, None)

    def _split(
        self,
        rows: Rows,
        passed: PassedRows | None,
        validation_split: Any,
        seed: int,
        folds: list[validation.Split] | None,
    ) -> tuple[Rows, Rows | None]:
        """Set aside the rows that judge, or that calibrate where the threshold is out of fold."""
        for_threshold = self._tunes() and folds is None
        if passed is not None:
            judge = self._validated(passed)
            if self._tunes() and self._positive is not None:
                check_both_classes(judge.codes == self._positive, judge.sample_weight)
            return rows, judge
        without_map = isinstance(self._named_loss(), BatchLoss)
        demanded = {
            f'threshold="{self.threshold}"': for_threshold,
            "early_stopping=True": self._stops_early() is True and folds is None,
            f"calibrate={self.calibrate!r}": isinstance(self.calibrate, str),
            f"calibrate=True with loss={self.loss!r}, which has no posterior of its own,": (
                without_map and bool(self.calibrate)
            ),
        }
        if not (any(demanded.values()) or without_map) and self._stops_early() is False:
            return rows, None
        try:
            kept, held = self._hold_out(rows, validation_split, seed)
        except validation.CannotSplitError:
            if any(demanded.values()):
                raise
            return rows, None
        counted = self._counted(rows) if for_threshold else _of_classes(rows)
        n_classes = 1 if counted is None else len(self.classes_)
        if not validation.enough_rows(counted, n_classes, (kept, held)):
            for why in (name for name, wanted in demanded.items() if wanted):
                raise ValueError(self._too_few_rows(why, validation_split, rows, counted, held))
            return rows, None
        return rows.divided(kept, held)

    def _stops_early(self) -> bool | None:
        """What `early_stopping` wants; None for "auto"."""
        return None if isinstance(self.early_stopping, str) else bool(self.early_stopping)

    def _hold_out(self, rows: Rows, validation_split: Any, seed: int) -> validation.Split:
        if isinstance(rows, StreamRows):
            return rows.hold_out(validation_split)
        n_classes = 1 if rows.codes is None else len(self.classes_)
        return validation.hold_out(
            validation_split, rows.X, rows.codes, n_classes, rows.groups, seed, rows.everything
        )

    def _counted(self, rows: Rows) -> Any:
        """Codes of the classes, or of the labels that some rows have and some have not."""
        if rows.codes is None or rows.codes.ndim == 1:
            return rows.codes
        return rows.codes[:, ~(self._empty_labels | self._full_labels)]

    def _too_few_rows(
        self, why: str, validation_split: Any, rows: Rows, codes: Any, held: Any
    ) -> str:
        if codes is None:
            counts, held_counts, names = np.array([len(rows)]), np.array([len(held)]), ["any"]
        elif codes.ndim == 1:
            counts, held_counts = (
                np.bincount(of, minlength=len(self.classes_)) for of in (codes, codes[held])
            )
            names = self.classes_.tolist()
        else:
            counts, held_counts = (
                np.minimum(of.sum(axis=0), len(of) - of.sum(axis=0)) for of in (codes, codes[held])
            )
            names = [
                f"label {k}" for k in np.flatnonzero(~(self._empty_labels | self._full_labels))
            ]
        in_memory = not isinstance(rows, StreamRows)
        return validation.too_few_rows_message(
            why, validation_split, counts, held_counts, names, in_memory
        )

    def _judged(self, judge: Rows | None, among: Rows | None) -> Judged | None:
        """What the network, now trained, says of rows that it was not trained on."""
        if judge is None or among is None or self._posterior is None:
            return None
        z = self._judging_logits(judge)()
        return Judged(judge.codes, judge.sample_weight, among.n_rows, z)

    def _judging_logits(self, judge: Rows) -> HeldOutLogits | Callable[[], NDArray[np.float64]]:
        """What gives the logits of rows that judge, by networks that were not trained on them."""
        X = self._encode(judge.X)
        if judge.held_out is not None:
            return HeldOutLogits(self.model_, X, judge.held_out)
        return lambda: self._logit_function(X)

    # ------------------------------------------------------------------ members that judge

    def _held_out_by_members(
        self, rows: Rows, validation_split: Any, seed: int, arguments: dict[str, Any]
    ) -> list[NDArray[np.intp]] | None:
        """Which rows each member of the built-in network judges, and does not train on.

        As many folds as `validation_split` says, of which each member holds out one: together
        they judge all rows, and train on all of them. None where rows must be held back from
        all members, or there are none to hold back.
        """
        n_folds = self._n_folds_of_members(validation_split, arguments)
        if n_folds is None or rows.codes is None:
            return None
        n_classes, codes, every = len(self.classes_), self._counted(rows), np.arange(len(rows))
        rarest = validation.rows_of_rarest(codes, n_classes, every)
        if rarest < validation.MIN_ROWS_PER_CLASS:
            return None
        if rows.groups is not None:
            n_folds = min(n_folds, len(np.unique(rows.groups)))
        n_folds, n_members = min(n_folds, rarest), self._n_members()
        if n_folds < 2:
            return None
        held_out: list[NDArray[np.intp]] = []
        while len(held_out) < n_members:
            try:
                splits = validation.folds(n_folds, rows.X, codes, n_classes, rows.groups, seed)
            except ValueError:  # all rows of a class in one group
                return None
            held_out += [held for _, held in splits]
            seed += 1
        return held_out[:n_members]

    def _n_folds_of_members(self, validation_split: Any, arguments: dict[str, Any]) -> int | None:
        """How many parts of the rows members hold out in turn; None where they do not."""
        judges = self._stops_early() is not False or self._tunes()
        if (
            self._n_members() < 2
            or not judges
            or not isinstance(validation_split, float)
            or validation_split == 0
            or self.threshold_cv not in (None, False)
            or self._must_calibrate()  # the mean of members, and not members
            or self._asks_keras(arguments)
        ):
            return None
        return min(self._n_members(), max(2, round(1 / validation_split)))

    def _asks_keras(self, arguments: dict[str, Any]) -> bool:
        """Whether something is asked for that needs Keras' own fit, or its validation."""
        routed = {
            name.removeprefix("fit__") for name in vars(self) if name.startswith("fit__")
        } | set(arguments)
        compiled = any(name.startswith("compile__") for name in vars(self))
        plain = {"batch_size", "epochs", "initial_epoch", "shuffle", "validation_split", "verbose"}
        heard = bool(self.metrics) or self._has_callbacks(None)
        return heard or bool(routed - plain) or compiled or hasattr(self, "run_eagerly")

    def _has_callbacks(self, passed: Any) -> bool:
        return any((self.callbacks, getattr(self, "fit__callbacks", None), passed))

    def _n_members(self) -> int:
        """How many members the network has, or will have; 1 for all but the ensemble."""
        if hasattr(self, "model_"):  # training goes on
            return members_of(self.model_)
        if self._built_in() != "ensemble":
            return 1
        n_members = getattr(self, "model__n_members", N_MEMBERS)
        if not is_whole(n_members) or n_members < 1:
            raise ValueError(f"model__n_members={n_members!r}: pass a whole number above zero.")
        return n_members

    # ------------------------------------------------------------------ out of fold

    def _threshold_folds(
        self,
        rows: Rows,
        passed: PassedRows | None,
        validation_split: Any,
        seed: int,
        arguments: dict[str, Any],
    ) -> list[validation.Split] | None:
        """The splits to choose the threshold out of fold; None to choose it on validation rows."""
        cv = validation.check_threshold_cv(self.threshold_cv)
        if not self._tunes() or cv is False or rows.codes is None or passed is not None:
            return None
        n_classes, codes = len(self.classes_), self._counted(rows)
        rarest = validation.rows_of_rarest(codes, n_classes, np.arange(len(rows)))
        if cv is None:
            if not self._is_better_out_of_fold(rows, validation_split, seed, arguments):
                return None
            cv = validation.N_FOLDS
        if self.warm_start:
            raise ValueError(
                f"threshold_cv={cv!r} trains new networks, and warm_start=True goes on with an old "
                "one. Pass threshold_cv=False, or warm_start=False."
            )
        if rarest < validation.MIN_ROWS_PER_CLASS:
            which = "class" if codes.ndim == 1 else "label, with and without it"
            raise ValueError(
                f'threshold="{self.threshold}" is chosen out of fold where rows are few, and needs '
                f"{validation.MIN_ROWS_PER_CLASS} rows of every {which}, but of the rarest there "
                f"are {rarest}. Pass labelled rows to fit as X_val and y_val, or a number as "
                "threshold, or None for as the weights imply."
            )
        return validation.folds(cv, rows.X, codes, n_classes, rows.groups, seed, rows.everything)

    def _must_calibrate(self) -> bool:
        """Whether the network that is kept needs validation rows, whoever chooses the threshold."""
        return isinstance(self.calibrate, str) or isinstance(self._named_loss(), BatchLoss)

    def _is_better_out_of_fold(
        self, rows: Rows, validation_split: Any, seed: int, arguments: dict[str, Any]
    ) -> bool:
        """Whether validation rows would be few, and nothing stands against more networks."""
        if (
            not isinstance(validation_split, float)
            or self.warm_start
            or self._has_callbacks(arguments.get("callbacks"))
            or self._must_calibrate()
        ):
            return False
        if rows.groups is not None and len(np.unique(rows.groups)) < validation.N_FOLDS:
            return False
        try:
            _, held = self._hold_out(rows, validation_split, seed)
        except validation.CannotSplitError:
            return True
        few = validation.rows_of_rarest(self._counted(rows), len(self.classes_), held)
        return few < validation.FEW_ROWS

    def _out_of_fold(
        self, rows: Rows, folds: list[validation.Split], seed: int, epochs: int, arguments: Any
    ) -> tuple[Judged, int | None]:
        """Fit a network for each fold; say what they say of the others' rows, and when to stop.

        In threads, side by side, if joblib is told so. None for when to stop says that the network
        that is kept needs validation rows itself, to be calibrated.
        """
        left: list[Any] = []
        try:
            parts = Parallel(prefer="threads", require="sharedmem")(
                delayed(self._judged_in_fold)(
                    rows.take(kept),
                    rows.take(held),
                    seed + number,
                    epochs,
                    arguments,
                    left,
                    self._progress.of_fold(number, len(folds)),
                )
                for number, (kept, held) in enumerate(folds, start=1)
            )
        except DivergenceError:
            for checkpoint in left:
                checkpoint.remove()
            raise
        self._fold_checkpoints = left
        judged, best_epochs, losses = zip(*parts, strict=True)
        codes, weight, z, scores = (
            np.concatenate([getattr(part, name) for part in judged])
            for name in ("codes", "sample_weight", "z", "scores")
        )
        pooled = Judged(codes, weight, len(rows), z, scores)
        if None in best_epochs:
            return pooled, None
        self.validation_score_ = float(np.mean(losses))
        return pooled, round(np.median(best_epochs)) - arguments.get("initial_epoch", 0)

    def _judged_in_fold(
        self,
        train: Rows,
        judge: Rows,
        seed: int,
        epochs: int,
        arguments: Any,
        left: list[Any],
        progress: FitProgress,
    ) -> tuple[Judged, int | None, float]:
        """What a network that was trained on some rows says of others; its epochs and its score.

        One that is calibrated gives no number of epochs. Its checkpoints are left to the caller.
        """
        network = clone(self)
        network._left_checkpoints, network._progress = left, progress
        network.set_params(threshold=None, threshold_cv=None, random_state=seed)
        if self._positive is not None:
            network.set_params(pos_label=self.pos_label_)
        if self._built_in() is not None and not self._sparse_rows:
            network._told_categories = self._input_columns[0]
        try:
            network.fit(
                train.X,
                train.y,
                sample_weight=train.sample_weight,
                X_val=judge.X,
                y_val=judge.y,
                sample_weight_val=judge.sample_weight,
                epochs=epochs,
                **arguments,
            )
        except DivergenceError as error:
            raise error.keeping(None) from None
        if network._posterior is None:  # such a network says nothing of classes
            self.model_ = network.model_
            self._refuse_class_decisions()
        judge = network._rebased(judge)
        z = network._logit_function(network._encode(judge.X))
        judged = Judged(judge.codes, judge.sample_weight, len(judge), z, network._log_scores(z))
        best_epoch = network.best_epoch_ if network._calibration is None else None
        return judged, best_epoch, network.validation_score_


def _of_classes(rows: Rows) -> Any:
    """Class codes; None for labels, of which rows are held back whatever they have."""
    return rows.codes if rows.codes is not None and rows.codes.ndim == 1 else None
