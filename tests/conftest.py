"""Real tables, and warnings that are shown anew in every test."""

import gc
import os

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris

import wbce._warnings
from tables import table


def pytest_collection_finish():
    """Have the garbage collector look less often, and not at the million objects of imports."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(autouse=True)
def fresh_warnings():
    wbce._warnings._shown.clear()
    yield
    wbce._warnings._shown.clear()


@pytest.fixture(autouse=True)
def environment_as_it_was():
    """Clusters set variables for their workers in this process too."""
    variables = dict(os.environ)
    yield
    for name in {*os.environ} - {*variables}:
        del os.environ[name]
    os.environ.update(variables)


@pytest.fixture(scope="session")
def abalone():
    """731 rows, 42 positive (1 in 17)."""
    return table("abalone9_18")


@pytest.fixture(scope="session")
def float_rows():
    """731 rows of abalone, 42 positive, 7 columns of float32, shuffled."""
    X, y = table("abalone9_18")
    order = np.random.default_rng(0).permutation(len(y))
    return np.ascontiguousarray(X[order, :7], dtype=np.float32), y[order]


@pytest.fixture(scope="session")
def cancer():
    """Breast cancer, thinned to 357 benign and 60 malignant rows (1 in 7); 1 is malignant."""
    X, y = load_breast_cancer(return_X_y=True)
    y = 1 - y
    rows = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:60]])
    return X[rows], y[rows]


@pytest.fixture(scope="session")
def iris():
    """Three classes of 50, 25 and 12 rows."""
    X, y = load_iris(return_X_y=True)
    rows = np.concatenate([np.arange(50), np.arange(50, 75), np.arange(100, 112)])
    return X[rows], y[rows]
