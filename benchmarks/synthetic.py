"""Rows whose truth is known, for timing."""

from __future__ import annotations

from typing import Any

import numpy as np


def rows(n_samples: int, n_features: int, seed: int = 0) -> tuple[Any, Any]:
    """Columns of noise, one positive in ten, told by four of them."""
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((n_samples, n_features), dtype=np.float32)
    signal = X[:, 0] + X[:, 1] * X[:, 2] + np.abs(X[:, 3])
    noise = generator.standard_normal(n_samples, dtype=np.float32)
    return X, (signal + noise > 3.2).astype(int)
