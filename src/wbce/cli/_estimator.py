"""From options to an estimator, with skrub's vectoriser before it where columns need one."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from wbce._numbers import is_number
from wbce.cli._columns import Columns
from wbce.cli._errors import CommandError, UsageError, listed
from wbce.cli._kinds import MOST_CATEGORIES
from wbce.cli._model_file import PICKLED, SAFE
from wbce.cli._reading import check_installed

STEP = "classifier"
LOSSES_OF_SEVERAL = ("weighted_bce", "focal", "poly1", "logit_adjusted", "ldam")


def check_loss(options: Namespace) -> None:
    """Check what is said of weights and the loss.

    Raises
    ------
    UsageError
    """
    if options.class_weight is not None and options.pos_weight is not None:
        raise UsageError(
            "--class-weight and --pos-weight are two ways to say one thing. Pass one of them."
        )
    if options.gamma is not None and options.loss != "focal":
        raise UsageError(
            f"--gamma is the focal loss's, and --loss is {options.loss}. Pass --loss focal, or no "
            "--gamma."
        )
    if options.loss == "cost_sensitive" and options.cost_fp is None:
        raise UsageError("--loss cost_sensitive needs --cost-fp and --cost-fn.")


def check_decision(options: Namespace) -> None:
    """Check what is said of the threshold.

    Raises
    ------
    UsageError
    """
    check_costs(options)
    costs = (options.cost_fp, options.cost_fn)
    if options.objective == "cost" and None in costs:
        raise UsageError("--threshold-objective cost needs --cost-fp and --cost-fn.")
    if None not in costs and options.objective not in (None, "cost"):
        raise UsageError(
            "--cost-fp and --cost-fn choose the threshold by cost, and --threshold-objective by "
            "something else. Pass one of them."
        )
    trains = getattr(options, "loss", None) == "cost_sensitive"  # costs also serve the loss
    if options.threshold not in ("auto", "exact") and not trains:
        for name, said in (("--threshold-objective", options.objective), ("--cost-fp", costs[0])):
            if said is not None:
                raise UsageError(
                    f"--threshold {options.threshold} is not chosen, and {name} says what to "
                    "choose it for. Pass one of them."
                )


def check_costs(options: Namespace) -> None:
    """Check that both costs are there, or none.

    Raises
    ------
    UsageError
    """
    if (options.cost_fp is None) != (options.cost_fn is None):
        raise UsageError("--cost-fp and --cost-fn belong together: pass both, or neither.")
    if options.cost_fp == options.cost_fn == 0:
        raise UsageError("--cost-fp and --cost-fn are both 0: one of the mistakes must cost.")


def check_several_classes(options: Namespace, n_classes: int) -> None:
    """Check that nothing is said that is for two classes only.

    Raises
    ------
    UsageError
    """
    if n_classes == 2:
        return
    objective = options.objective
    for said, name, instead in (
        (options.prior is not None, "--prior", "Leave it out"),
        (options.pos_weight is not None, "--pos-weight", "Pass --class-weight balanced"),
        (is_number(options.threshold), "--threshold with a number", "Pass auto, exact or none"),
        (isinstance(objective, dict), "a bound as --threshold-objective", "Pass f1 or mcc"),
        (objective == "youden", "--threshold-objective youden", "Pass balanced_accuracy"),
        (
            options.loss not in LOSSES_OF_SEVERAL,
            f"--loss {options.loss}",
            f"Pass {listed(LOSSES_OF_SEVERAL)}",
        ),
    ):
        if said:
            raise UsageError(f"{name} is for two classes, and there are {n_classes}. {instead}.")


def pos_of_two(classes: Sequence[Any], pos_label: Any) -> int:
    """Which of two classes is positive.

    Raises
    ------
    UsageError
        If there are more.
    """
    if len(classes) != 2:
        raise UsageError(
            f"--cost-fp and --cost-fn are for two classes, and there are {len(classes)}."
        )
    return list(classes).index(pos_label)


def cost_matrix(cost_fp: float, cost_fn: float, pos_is_second: bool) -> list[list[float]]:
    """The estimator's matrix: rows are true classes, columns decisions, in the classes' order.

    Examples
    --------
    >>> cost_matrix(1.0, 20.0, pos_is_second=True)
    [[0.0, 1.0], [20.0, 0.0]]
    >>> cost_matrix(1.0, 20.0, pos_is_second=False)
    [[0.0, 20.0], [1.0, 0.0]]
    """
    return [[0.0, cost_fp], [cost_fn, 0.0]] if pos_is_second else [[0.0, cost_fn], [cost_fp, 0.0]]


def make_classifier(options: Namespace, classes: Sequence[Any], pos_label: Any) -> Any:
    """Make the classifier that options say.

    Parameters
    ----------
    options : Namespace
    classes : sequence of labels
        In their order.
    pos_label : label or None
        Which is positive; None for more than two.

    Raises
    ------
    UsageError
        If there are more, and options say something of two classes only.
    """
    from wbce import WeightedKerasClassifier

    check_several_classes(options, len(classes))
    split = options.validation_split
    if options.time_column is not None and split != "last":
        split = ("last", 0.1 if split is None else split)
    parameters = {
        "model": options.model,
        "loss": options.loss,
        "class_weight": options.class_weight,
        "pos_weight": options.pos_weight,
        "gamma": options.gamma,
        "pos_label": pos_label,
        "threshold": None if options.threshold == "none" else options.threshold,
        "threshold_objective": options.objective,
        "validation_split": split,
        "prior": options.prior,
        "epochs": options.epochs,
    }
    if options.cost_fp is not None:
        pos_is_second = pos_of_two(classes, pos_label) == 1
        parameters["cost_matrix"] = cost_matrix(options.cost_fp, options.cost_fn, pos_is_second)
        if options.threshold in ("auto", "exact"):
            parameters["threshold_objective"] = "cost"
    said = {name: value for name, value in parameters.items() if value is not None}
    return WeightedKerasClassifier(**said, random_state=options.seed, verbose=int(options.verbose))


def with_vectorizer(classifier: Any, columns: Columns, names: list[str], options: Namespace) -> Any:
    """Put skrub's vectoriser before a classifier, where columns need it.

    Parameters
    ----------
    classifier : WeightedKerasClassifier
    columns : Columns
    names : list of str
        Of the features: all but free text pass it by as they are, unless it is for all.
    options : Namespace

    Raises
    ------
    CommandError
        If it is needed, and the model's file may not hold it, or it is not installed.
    """
    if options.vectorizer == "native" or (options.vectorizer == "auto" and not columns.texts):
        return classifier
    if not options.out.endswith(PICKLED):
        name = columns.texts[0] if columns.texts else ""
        why = f"column {name!r} is free text" if name else "--vectorizer skrub"
        drop = f"--drop {name!r}; or " if name else ""
        raise CommandError(
            f"{why}, which skrub's vectoriser turns into numbers; that is code, and no {SAFE} file "
            f"can hold it. Pass --out {options.out.removesuffix(SAFE)}{PICKLED}; or {drop}"
            f"--vectorizer native, which tells the {MOST_CATEGORIES} most frequent values apart."
        )
    check_installed("skrub")
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline
    from skrub import TableVectorizer

    native = [] if options.vectorizer == "skrub" else [n for n in names if n not in columns.texts]
    vectorizer = TableVectorizer(specific_transformers=[("passthrough", native)] if native else ())
    encoder = clone(vectorizer.high_cardinality)  # whichever is skrub's own choice; most draw
    if "random_state" in encoder.get_params():
        vectorizer.set_params(high_cardinality=encoder.set_params(random_state=options.seed))
    return Pipeline([("vectorizer", vectorizer), (STEP, classifier)])
