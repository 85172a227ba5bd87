"""Draw docs/readme.png: what the first example of README does, on a real table.

``python benchmarks/readme_picture.py``
"""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot as plt
from sklearn.model_selection import train_test_split

import imbalanced_tables
from wbce import WeightedKerasClassifier
from wbce.plotting import (
    CalibrationMapDisplay,
    PrecisionRecallThresholdDisplay,
    ThresholdObjectiveDisplay,
)

PATH = Path(__file__).parents[1] / "docs" / "readme.png"
TABLE = "hypothyroid"


def main() -> None:
    X, y = imbalanced_tables.load(TABLE)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, stratify=y, test_size=0.5, random_state=0
    )
    classifier = WeightedKerasClassifier(class_weight="balanced", threshold="auto", random_state=0)
    classifier.fit(X_train, y_train)
    _, axes = plt.subplots(1, 3, figsize=(13.5, 4), layout="constrained")
    rows = classifier, X_test, y_test
    CalibrationMapDisplay.from_estimator(*rows, ax=axes[0], name="network", n_bins=6)
    axes[0].set_title("Probabilities: class weights undone")
    ThresholdObjectiveDisplay.from_estimator(*rows, ax=axes[1], objectives=["f1", "f2", "mcc"])
    axes[1].set_title("Threshold: chosen on validation rows")
    axes[1].legend(loc="lower center", frameon=False)
    PrecisionRecallThresholdDisplay.from_estimator(*rows, ax=axes[2], name="test rows")
    axes[2].set_title("Decisions: where that is on the test rows")
    plt.savefig(PATH, dpi=80)
    print(f"{TABLE}: {len(y_test)} test rows, {y_test.sum()} positive; {PATH.name} drawn")


if __name__ == "__main__":
    main()
