"""Pictures of docs/benchmarks.md, from the committed figures in benchmarks/results alone.

    python benchmarks/pictures.py [--folder docs]

Nothing is fitted. Intervals and means are those that ``quality.py report`` prints. Colours are
told apart by everybody and in grey, and marks differ in form as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from imbalanced_tables import TABLES, is_for_choices
from quality import ABLATED, PEERS, QUALITY, by_table, complete_models, paired_interval

OURS, OTHER, FAINT = "#D55E00", "#0072B2", "#999999"
REPORTED = [table for table in TABLES if not is_for_choices(table)]
WITH_AND_WITHOUT = [
    ("logistic regression", "logistic regression, balanced", "logistic regression"),
    ("random forest", "balanced random forest", "random forest (undersampled)"),
    ("CatBoost", "CatBoost, balanced", "CatBoost"),
    ("LightGBM", "LightGBM, balanced", "LightGBM"),
    ("wbce", 'wbce: class_weight="balanced"', "wbce"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("docs"))
    folder = parser.parse_args().folder
    figures = QUALITY.read()
    for name, draw in {
        "benchmarks_differences": differences,
        "benchmarks_tables": beside_catboost,
        "benchmarks_weights": weights_and_log_loss,
    }.items():
        draw(figures)
        plt.savefig(folder / f"{name}.png", dpi=110)
        plt.close()


def differences(figures):
    """The default minus each peer, with intervals; a mark without filling includes zero."""
    _, axes = plt.subplots(1, 2, figsize=(9, 4.6), sharey=True, layout="constrained")
    for axis, metric, better in zip(
        axes, ("average precision", "log loss"), ("more is better", "less is better"), strict=True
    ):
        models = complete_models(figures, PEERS, REPORTED, metric)
        peers = [name for name in models if name != "wbce"]
        for place, peer in enumerate(reversed(peers)):
            mean, low, high = paired_interval(figures, "wbce", peer, metric, REPORTED)
            sure = low > 0 or high < 0
            axis.plot([low, high], [place, place], color=OTHER, linewidth=1.5)
            axis.plot(mean, place, "o", color=OTHER, markerfacecolor=OTHER if sure else "white")
        axis.axvline(0, color="black", linewidth=1)
        axis.set_yticks(range(len(peers)), list(reversed(peers)))
        axis.set_xlabel(f"{metric}, wbce minus the other:\n{better}")
        bare(axis)


def beside_catboost(figures):
    """A point a table: the default beside CatBoost's, and on which side of the line."""
    means = by_table(figures, ["wbce", "CatBoost"], REPORTED, "average precision")
    ours = means["wbce"] > means["CatBoost"]
    _, axis = plt.subplots(figsize=(5, 5), layout="constrained")
    axis.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    axis.plot(means["CatBoost"][ours], means["wbce"][ours], "D", color=OURS, alpha=0.9)
    axis.plot(means["CatBoost"][~ours], means["wbce"][~ours], "o", color=OTHER, alpha=0.9)
    axis.text(0.03, 0.95, f"wbce higher: {ours.sum()} tables", color=OURS)
    axis.text(0.97, 0.05, f"CatBoost higher or equal: {(~ours).sum()}", color=OTHER, ha="right")
    axis.set(xlim=(0, 1.02), ylim=(0, 1.02), aspect="equal")
    axis.set_xlabel("average precision of CatBoost's default")
    axis.set_ylabel("average precision of wbce's default")
    bare(axis, grid="both")


def weights_and_log_loss(figures):
    """What balancing does to the log loss, of each kind of model, on the same tables."""
    names = [name for before, after, _ in WITH_AND_WITHOUT for name in (before, after)]
    means = by_table(figures, names, ABLATED, "log loss").mean()
    _, axis = plt.subplots(figsize=(8, 3), layout="constrained")
    for place, (before, after, label) in enumerate(reversed(WITH_AND_WITHOUT)):
        colour = OURS if label == "wbce" else OTHER
        axis.plot([means[before], means[after]], [place, place], color=FAINT, zorder=0)
        axis.plot(means[before], place, "o", color=colour, markerfacecolor="white")
        axis.plot(means[after], place, "D" if label == "wbce" else "o", color=colour)
        right = max(means[before], means[after])
        told = f"{means[before]:.3f} to {means[after]:.3f}"
        axis.annotate(told, (right, place), (8, -4), textcoords="offset points", fontsize=9)
    axis.set_yticks(range(len(WITH_AND_WITHOUT)), [x[2] for x in reversed(WITH_AND_WITHOUT)])
    axis.set(ylim=(-0.6, len(WITH_AND_WITHOUT) - 0.4), xlim=(None, means.max() * 1.2))
    axis.set_xlabel(f"mean log loss on {len(ABLATED)} tables: as it is (ring), balanced (filled)")
    bare(axis)


def bare(axis, grid="x"):
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis=grid, alpha=0.3)
    axis.set_axisbelow(True)


if __name__ == "__main__":
    main()
