"""Base rates: what share of a population each class has, and moving probabilities to another.

By Bayes' rule, with the same distribution of rows within every class, the posterior under the
shares ``q`` is proportional to that under ``p`` times ``q[k] / p[k]`` (Elkan 2001; Saerens et al.
2002).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wbce._numbers import as_numbers
from wbce._rows import check_sample_weight

Float64 = NDArray[np.float64]

_EXPLAINED = (
    "prior is the share of the positive class in the population, between 0 and 1 and neither; or, "
    "for several classes, one share for each that sum to one"
)


def class_shares(prior: Any, classes: list[Any], positive: int | None) -> Float64:
    """Check a base rate and give the share of every class.

    Parameters
    ----------
    prior : float, sequence of length n_classes, or dict or Series by label
        A number is the share of the positive class.
    classes : list
        The labels in the order of their codes.
    positive : int or None
        Code of the positive class; None for more than two classes.

    Returns
    -------
    ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> class_shares(0.01, ["fraud", "legit"], 0)
    array([0.01, 0.99])
    """
    if hasattr(prior, "to_dict"):  # a pandas Series: its index names the classes
        prior = prior.to_dict()
    if isinstance(prior, Mapping):
        if set(prior) != set(classes):
            raise ValueError(f"prior={prior!r} must name every class, which are {classes}.")
        prior = [prior[label] for label in classes]
    shares = None if isinstance(prior, bool | np.bool_) else as_numbers(prior)
    if shares is None:
        raise ValueError(f"prior={prior!r} is not allowed: {_EXPLAINED}.")
    if shares.ndim == 0 and positive is not None:
        shares = np.full(2, 1 - shares)
        shares[positive] = 1 - shares[positive]
    if shares.shape != (len(classes),):
        raise ValueError(
            f"prior={prior!r} is not allowed: {_EXPLAINED}. Here the classes are {classes}."
        )
    if not ((shares > 0) & (shares < 1)).all() or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(f"prior={prior!r} is not allowed: {_EXPLAINED}.")
    return shares


def estimate_prior(
    proba: ArrayLike, prior: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Float64:
    """Estimate the classes' shares among unlabelled rows, by EM (Saerens et al. 2002).

    It is the maximum of the likelihood of the rows, and as good as the probabilities are: they
    must be true ones under `prior`, and rows within a class must be distributed as they were.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_classes)
        Probabilities of the rows under `prior`.
    prior : array-like of shape (n_classes,)
        The classes' shares in the population that `proba` speaks of.
    sample_weight : array-like of shape (n_samples,), optional

    Returns
    -------
    ndarray of shape (n_classes,)
        Shares that sum to one.

    Raises
    ------
    ValueError
        If shapes do not match, or probabilities or shares are none.

    References
    ----------
    M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori
    probabilities: a simple procedure", Neural Computation 14, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce import estimate_prior
    >>> proba = np.array([[0.9, 0.1]] * 9 + [[0.1, 0.9]])  # by a model of a population with 50 %
    >>> estimate_prior(proba, [0.5, 0.5]).round(3)
    array([1., 0.])
    """
    proba, prior = _numbers("proba", proba), _numbers("prior", prior)
    if proba.ndim != 2 or prior.shape != proba.shape[1:] or not len(proba):
        raise ValueError(
            f"proba has shape {proba.shape} and prior {prior.shape}: pass a row for every sample "
            "with a column for every class, and one share for every class."
        )
    if not ((proba >= 0) & (proba <= 1)).all() or not proba.any(axis=1).all():
        raise ValueError("proba has rows that are not probabilities between 0 and 1.")
    if not (prior > 0).all() or abs(prior.sum() - 1) > 1e-6:
        raise ValueError(f"prior={prior.tolist()} is not shares above 0 that sum to one.")
    weight = check_sample_weight(sample_weight, proba)
    with np.errstate(divide="ignore"):
        log_likelihood = np.log(proba) - np.log(prior)
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    weight = weight / weight.sum()
    shares = prior / prior.sum()
    for _ in range(10_000):
        joint = likelihood * shares
        expected = weight @ (joint / joint.sum(axis=1, keepdims=True))
        moved = np.abs(expected - shares).max()
        shares = expected / expected.sum()
        if moved < 1e-10:
            break
    return shares


def _numbers(name: str, values: Any) -> Float64:
    numbers = as_numbers(values)
    if numbers is None:
        raise ValueError(f"{name} is not an array of numbers; got {values!r}.")
    return numbers
