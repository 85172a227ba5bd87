"""The estimator's parameters, each checked on its own before any data is looked at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state

from wbce._backend import keras
from wbce._numbers import as_numbers, is_number, is_whole
from wbce._rows import shortened
from wbce._scikeras import check_routed_arguments
from wbce.decisions import binary_objective, class_objective
from wbce.losses import PointwiseLoss, check_cost_matrix
from wbce.losses._arguments import checked_numbers
from wbce.networks import BUILT_IN
from wbce.training import WAYS
from wbce.validation import check_threshold_cv, check_validation_split

_TUNED = ("auto", "exact")
_NEVER_NONE = [f"optimizer__{n}" for n in ("learning_rate", "beta_1", "beta_2", "momentum", "rho")]
_LARGEST = float(np.finfo(np.float32).max)


def check_parameters(estimator: Any) -> None:
    """Check every parameter that can be judged without the data.

    Raises
    ------
    ValueError
        That names the parameter, its value and what is allowed.
    """
    _check_model(estimator.model)
    _check_kind("loss", estimator.loss, "a loss by name, class or instance, or a function")
    _check_kind("optimizer", estimator.optimizer, "an optimizer by name, class or instance")
    _check_reduction(estimator._checked_loss())  # which checks its own: gamma, from_logits
    _check_gamma(estimator.gamma)
    _check_label_smoothing(estimator)
    check_validation_split(estimator.validation_split)
    _check_threshold(estimator.threshold)
    check_threshold_cv(estimator.threshold_cv)
    _check_calibrate(estimator.calibrate)
    if estimator.cost_matrix is not None:
        check_cost_matrix(estimator.cost_matrix)
    _check_objective(estimator.threshold_objective, estimator.cost_matrix)
    empty = estimator.empty_labels
    if not isinstance(empty, str) or empty not in ("error", "skip"):
        raise ValueError(
            f"empty_labels={estimator.empty_labels!r} is not allowed: pass 'error' or 'skip'."
        )
    wish = estimator.early_stopping
    if not isinstance(wish, bool | np.bool_) and not (isinstance(wish, str) and wish == "auto"):
        raise ValueError(
            f"early_stopping={estimator.early_stopping!r} is not allowed: pass True, False or "
            "'auto'."
        )
    check_routed_arguments(vars(estimator))
    _check_optimizer_numbers(estimator)
    _check_random_state(estimator.random_state)
    if not isinstance(estimator.warm_start, bool | np.bool_):
        raise ValueError(f"warm_start={estimator.warm_start!r} is not allowed: pass True or False.")
    check_count("n_iter_no_change", estimator.n_iter_no_change)
    check_count("epochs", estimator.epochs)
    _check_checkpoint(estimator.checkpoint, estimator.random_state)
    _check_distribute(estimator.distribute, estimator.random_state)


def _check_model(model: Any) -> None:
    if isinstance(model, str) and model not in BUILT_IN:
        near = get_close_matches(model, BUILT_IN, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"model={model!r} is not a built-in network; those are {list(BUILT_IN)}.{hint} "
            "Or pass a function that returns a Keras model, or a Keras model."
        )


def _check_kind(name: str, value: Any, allowed: str) -> None:
    """Check what Keras takes as a loss or an optimizer; what else it is, Keras judges."""
    structures = str | dict | list | tuple | keras.optimizers.Optimizer
    if value is not None and not isinstance(value, structures) and not callable(value):
        raise ValueError(f"{name}={shortened(value)} is not allowed: pass {allowed}.")


def _check_reduction(loss: Any) -> None:
    if loss is not None and loss.reduction in (None, "none"):
        raise ValueError(
            f"{loss!r} has reduction={loss.reduction!r}, and training needs one number for a "
            "batch: leave out reduction (loss__reduction)."
        )


def _check_gamma(gamma: Any) -> None:
    checked_numbers(
        "gamma",
        gamma,
        "a finite number, gamma >= 0 (0 is cross-entropy, 2 the usual choice), or one for every "
        "class or label",
        lambda g: g >= 0,
        (0, 1, 2),
    )


def _check_label_smoothing(estimator: Any) -> None:
    smoothing = estimator.label_smoothing
    if not is_number(smoothing) or not 0 <= smoothing < 1:
        raise ValueError(
            f"label_smoothing={smoothing!r} is not allowed: pass the share of a label that is "
            "spread over all classes, 0 <= label_smoothing < 1."
        )
    loss = estimator.loss
    ours_by_name = isinstance(loss, str | type) and isinstance(
        estimator._checked_loss(), PointwiseLoss
    )
    if smoothing != 0 and loss is not None and not ours_by_name:
        raise ValueError(
            f"label_smoothing={smoothing!r} is for the pointwise losses of this package by name or "
            f"class, and would be ignored by loss={loss!r}. Give it to the loss itself, or pass it "
            "as loss__label_smoothing."
        )


def _check_threshold(threshold: Any) -> None:
    if threshold is None or (isinstance(threshold, str) and threshold in _TUNED):
        return
    allowed = (
        "a number in [0, 1], one for each label or class, 'auto' or 'exact' (chosen for "
        "threshold_objective on rows that judge), or None (as the weights imply)"
    )
    if isinstance(threshold, str):
        near = get_close_matches(threshold, _TUNED, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"threshold={threshold!r} is not known.{hint} Known: {allowed}.")
    numbers = as_numbers(threshold)
    is_bool = numbers is not None and np.asarray(threshold).dtype == bool
    if (
        numbers is None
        or is_bool
        or numbers.ndim > 1
        or not ((numbers >= 0) & (numbers <= 1)).all()
    ):
        raise ValueError(f"threshold={threshold!r} is not allowed: pass {allowed}.")


def _check_objective(said: Any, cost_matrix: Any) -> None:
    """Check that it means something, for two classes or for more: which it is, the rows say."""
    try:
        binary_objective(said, cost_matrix)
    except ValueError as error:
        try:
            class_objective(said, cost_matrix)
        except ValueError as of_classes:
            scorer = isinstance(said, str) and said in get_scorer_names()
            raise (of_classes if scorer else error) from None


def _check_calibrate(value: Any) -> None:
    named = isinstance(value, str) and value in ("sigmoid", "isotonic")
    if not isinstance(value, bool | np.bool_) and not named:
        raise ValueError(
            f"calibrate={value!r} is not allowed: pass True (the posterior that the loss implies), "
            "'sigmoid' or 'isotonic' (calibrated on the validation rows), or False (the network's "
            "own output)."
        )


def _check_checkpoint(folder: Any, random_state: Any) -> None:
    if folder is None:
        return
    path = os.fspath(folder) if isinstance(folder, str | os.PathLike) else ""
    if not path or "\0" in path:
        raise ValueError(
            f"checkpoint={folder!r} is not allowed: pass the path of a folder, or None."
        )
    if random_state is None:
        raise ValueError(
            f"checkpoint={os.fspath(folder)!r} needs random_state: with None every fit has another "
            "seed, and none could go on from the file of one that was killed. Pass a number."
        )


def _check_distribute(way: Any, random_state: Any) -> None:
    if way is None:
        return
    if not isinstance(way, str) or way not in WAYS:
        raise ValueError(
            f"distribute={shortened(way)} is not allowed: pass 'mirrored' (all devices of this "
            "process), 'multi_worker' (the processes of TF_CONFIG) or None. A name, and no "
            "tf.distribute.Strategy, which could not be cloned or stored."
        )
    if way == "multi_worker" and random_state is None:
        raise ValueError(
            "distribute='multi_worker' needs random_state: with None every worker has another "
            "seed, and would train another network. Pass a number, the same everywhere."
        )


def _check_random_state(random_state: Any) -> None:
    try:
        if not isinstance(random_state, np.random.RandomState):
            check_random_state(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"random_state={shortened(random_state)} is not allowed: pass a whole number from 0 to "
            "2**32 - 1, a numpy.random.RandomState, or None."
        ) from error


def _check_optimizer_numbers(estimator: Any) -> None:
    """Check the numbers among the optimizer's arguments; Keras takes them as they are."""
    for name, value in vars(estimator).items():
        if not name.startswith("optimizer__") or name == "optimizer__name":
            continue
        switched_off = value is None and name not in _NEVER_NONE
        schedule = callable(value) or (isinstance(value, Mapping) and "class_name" in value)
        if switched_off or schedule or isinstance(value, bool):
            continue
        number = as_numbers(value)
        too_large = isinstance(value, np.longdouble) or (is_whole(value) and abs(value) >= 2**31)
        if number is None or number.shape or too_large or not abs(number) <= _LARGEST:
            raise ValueError(
                f"{name}={shortened(value)} is not allowed: pass a finite number, a whole one "
                "below 2**31, and no long double."
            )


def check_count(name: str, value: Any) -> None:
    """Check a positive whole number."""
    if not is_whole(value) or value < 1:
        raise ValueError(f"{name}={value!r} is not allowed: pass a whole number, at least 1.")
