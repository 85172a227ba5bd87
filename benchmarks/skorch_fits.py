"""Seconds and average precision of skorch's fits, for `speed.py`, which starts this.

A process of its own, because PyTorch's compiler crashes in one where TensorFlow runs.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from skorch import NeuralNetBinaryClassifier

from synthetic import rows


def fit(X, y, seed, batch_size, epochs):
    torch.manual_seed(seed)
    module = torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 1),
        torch.nn.Flatten(0),
    )
    share = float(y.mean())
    return NeuralNetBinaryClassifier(
        module,
        criterion__pos_weight=torch.tensor((1 - share) / share),
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=batch_size,
        max_epochs=epochs,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    ).fit(X, y.astype(np.float32))


def main(n_samples, n_features, batch_size, epochs, repeats):
    X, y = rows(n_samples, n_features)
    X_new, y_new = rows(20_000, n_features, seed=1)
    seconds, scores = [], []
    fit(X[:1000], y[:1000], 0, batch_size, 1)
    for seed in range(repeats):
        start = time.perf_counter()
        model = fit(X, y, seed, batch_size, epochs)
        seconds.append(time.perf_counter() - start)
        scores.append(average_precision_score(y_new, model.predict_proba(X_new)[:, 1]))
    print(json.dumps([seconds, scores]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
