"""``wbce tune``: pos_weight and gamma by cross-validation, then the best of them as a model."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.cli._errors import CommandError
from wbce.cli._estimator import STEP, check_decision, make_classifier, with_vectorizer
from wbce.cli._fit import fit_and_write, say_rows
from wbce.cli._model_file import check_model_path
from wbce.cli._reading import check_path
from wbce.cli._training_rows import TrainingRows, read_training_rows

_OF_PROBABILITIES = ("average_precision", "roc_auc", "neg_log_loss", "neg_brier_score")


def run(options: Namespace) -> int:
    """Search, print what came of it, fit the best on all rows and write it.

    Returns
    -------
    int
        Exit status.

    Raises
    ------
    CommandError
    """
    check_decision(options)
    check_path(options.data, "a CSV or Parquet file, or - for standard input")
    check_model_path(options.out, options.force)
    rows = read_training_rows(options)
    say_rows(rows, options.data)
    classes = np.unique(rows.y)
    if len(classes) > 2:
        raise CommandError(
            f"{rows.target.name!r} has {len(classes)} classes, and wbce tune searches pos_weight, "
            "which is for two. Use wbce fit."
        )
    pos_label = rows.positive(options.pos_label)
    positive = rows.y == pos_label
    ratio = float((~positive).sum() / positive.sum())
    pos_weights = options.pos_weights or default_pos_weights(ratio)
    settings = [(weight, gamma) for weight in pos_weights for gamma in options.gammas]
    splits = _splits(rows, positive, options)
    _estimator(options, rows, *settings[0], classes.tolist(), pos_label)  # may need another --out
    print(
        f"\nSearching {len(settings)} settings in {len(splits)} folds "
        f"({len(settings) * len(splits)} fits), scored by {options.scoring}\n"
    )
    print(f"{'pos_weight':>10} {'gamma':>6} {'mean':>9} {'std':>8}", flush=True)
    scores = []
    for weight, gamma in settings:
        estimator = _estimator(options, rows, weight, gamma, [0, 1], 1)
        scores.append(_scores(estimator, rows, positive.astype(int), splits, options))
        _check_scores(scores[-1], options)
        mean, spread = scores[-1].mean(), scores[-1].std()
        print(f"{weight:>10.4g} {gamma:>6.3g} {mean:>9.4f} {spread:>8.4f}", flush=True)
    best = int(np.argmax([score.mean() for score in scores]))
    weight, gamma = settings[best]
    print(f"\nBest: pos_weight {weight:.4g}, gamma {gamma:.3g}, {scores[best].mean():.4f}.")
    close = within_one_error(scores, best)
    if close:
        print(
            f"{close} of the {len(scores) - 1} others are within one standard error of it, fold by "
            "fold:\ntake the choice between them as open."
        )
    estimator = _estimator(options, rows, weight, gamma, classes.tolist(), pos_label)
    return fit_and_write(estimator, rows, options)


def default_pos_weights(ratio: float) -> list[float]:
    """Weights to try: none, the root of the imbalance, and the imbalance itself.

    Examples
    --------
    >>> default_pos_weights(16.4)
    [1.0, 4.05, 16.4]
    >>> default_pos_weights(0.9)
    [1.0]
    """
    return sorted({float(f"{max(1.0, weight):.3g}") for weight in (1.0, ratio**0.5, ratio)})


def within_one_error(scores: list[NDArray[np.float64]], best: int) -> int:
    """How many other settings are no worse than the best by more than a standard error.

    Examples
    --------
    >>> within_one_error([np.array([0.5, 0.7]), np.array([0.6, 0.6]), np.array([0.1, 0.2])], 0)
    1
    """
    count = 0
    for i, score in enumerate(scores):
        differences = scores[best] - score
        error = differences.std(ddof=1) / len(differences) ** 0.5
        count += i != best and bool(differences.mean() <= error)
    return count


def _estimator(
    options: Namespace,
    rows: TrainingRows,
    pos_weight: float,
    gamma: float,
    classes: list[Any],
    pos_label: Any,
) -> Any:
    said = {"pos_weight": pos_weight, "gamma": gamma or None, "class_weight": None}
    loss = "focal" if gamma else "weighted_bce"
    options = Namespace(**{**vars(options), **said, "loss": loss})
    classifier = make_classifier(options, classes, pos_label)
    return with_vectorizer(classifier, rows.columns, list(rows.X.columns), options)


def _splits(rows: TrainingRows, positive: NDArray[np.bool_], options: Namespace) -> list[Any]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, TimeSeriesSplit

    if min(positive.sum(), (~positive).sum()) < options.cv:
        raise CommandError(
            f"--cv {options.cv} needs {options.cv} rows of either class, and there are "
            f"{positive.sum()} positive and {(~positive).sum()} negative ones."
        )
    if options.time_column is not None:
        splitter: Any = TimeSeriesSplit(options.cv)
    elif rows.groups is not None:
        splitter = StratifiedGroupKFold(options.cv, shuffle=True, random_state=options.seed)
    else:
        splitter = StratifiedKFold(options.cv, shuffle=True, random_state=options.seed)
    try:
        splits = list(splitter.split(rows.X, positive, rows.groups))
    except ValueError as error:
        raise CommandError(f"--cv {options.cv}: {error}") from error
    for number, (train, test) in enumerate(splits, start=1):
        if len({*positive[train]}) < 2 or len({*positive[test]}) < 2:
            raise CommandError(
                f"--cv {options.cv}: fold {number} has rows of one class only. Pass fewer folds."
            )
    return splits


def _scores(
    estimator: Any, rows: TrainingRows, y: NDArray[Any], splits: list[Any], options: Namespace
) -> NDArray[np.float64]:
    import joblib
    from sklearn import config_context
    from sklearn.metrics import get_scorer
    from sklearn.model_selection import cross_val_score

    with config_context(enable_metadata_routing=True):
        classifier = estimator.named_steps[STEP] if hasattr(estimator, "steps") else estimator
        if options.scoring in _OF_PROBABILITIES:
            classifier.set_params(threshold=None, threshold_objective="f1")
        scorer, requested = get_scorer(options.scoring), rows.fit_arguments
        classifier.set_fit_request(**dict.fromkeys(requested, True))
        if rows.sample_weight is not None:
            scorer = scorer.set_score_request(sample_weight=True)
        with joblib.parallel_config("threading", n_jobs=options.jobs):
            scores = cross_val_score(
                estimator,
                rows.X,
                y,
                cv=splits,
                scoring=scorer,
                params=requested,
                error_score="raise",
            )
    return np.asarray(scores, dtype=np.float64)


def _check_scores(scores: NDArray[np.float64], options: Namespace) -> None:
    if not np.isfinite(scores).all():
        raise CommandError(f"--scoring {options.scoring} is not defined on these rows: {scores}.")
