"""The default network and its peers, all with their defaults, on real imbalanced tables.

    python benchmarks/quality.py fit [--models ...] [--tables ...] [--folds 3] [--threads 2]
    python benchmarks/quality.py time [--models ...]
    python benchmarks/quality.py report [--write docs/quality.md]

``fit`` adds what is missing to benchmarks/results/quality.csv, so that it goes on where it
stopped; ``time`` fits every model once a table, one after the other on two cores, and nothing
else should run then; ``report`` reads both files. The tables, and which of them choices were made
on, are in imbalanced_tables.py. Columns of type category go as they are to the models that take
them, one-hot encoded to all others; missing numbers are imputed by the median where a model does
not take them. The threshold is tuned for F1: by ``threshold="auto"`` here, by scikit-learn's
TunedThresholdClassifierCV around every peer.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, studentized_range
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    log_loss,
    matthews_corrcoef,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from imbalanced_tables import TABLES, is_for_choices, load

RESULTS = Path(__file__).parent / "results"
METRICS = ["average precision", "ROC AUC", "log loss", "Brier", "F1", "MCC"]
SEED = 0


def encoded(estimator):
    """Numbers imputed and standardised, categories one-hot, and then the estimator."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    is_category = make_column_selector(dtype_include="category")
    is_number = make_column_selector(dtype_include="number")
    return make_pipeline(
        make_column_transformer((numbers, is_number), (categories, is_category)), estimator
    )


def catboost(threads, **parameters):
    from catboost import CatBoostClassifier
    from sklearn.base import BaseEstimator, ClassifierMixin

    class CatBoost(ClassifierMixin, BaseEstimator):
        """CatBoost told which columns are categories; a missing one is a category."""

        def fit(self, X, y):
            named = [c for c in X if isinstance(X[c].dtype, pd.CategoricalDtype)]
            self.named_, self.classes_ = named, np.unique(y)
            self.model_ = CatBoostClassifier(
                verbose=0,
                thread_count=threads,
                random_seed=SEED,
                allow_writing_files=False,
                cat_features=named,
                **parameters,
            ).fit(self._texts(X), y)
            return self

        def _texts(self, X):
            return X.assign(**{c: X[c].astype(object).fillna("missing") for c in self.named_})

        def predict_proba(self, X):
            return self.model_.predict_proba(self._texts(X))

        def predict(self, X):
            return self.classes_[self.predict_proba(X).argmax(axis=1)]

    return CatBoost()


def lightgbm(threads, **parameters):
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_jobs=threads, verbose=-1, random_state=SEED, **parameters)


def xgboost(threads):
    from xgboost import XGBClassifier

    return XGBClassifier(n_jobs=threads, enable_categorical=True, random_state=SEED)


def balanced_forest(threads):
    from imblearn.ensemble import BalancedRandomForestClassifier

    return encoded(BalancedRandomForestClassifier(n_jobs=threads, random_state=SEED))


def pytabkit(threads, name):
    import logging

    import pytabkit

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    numbers = (SimpleImputer(strategy="median"), make_column_selector(dtype_include="number"))
    imputed = make_column_transformer(
        numbers, remainder="passthrough", verbose_feature_names_out=False
    ).set_output(transform="pandas")
    network = getattr(pytabkit, name)
    return make_pipeline(
        imputed, network(device="cpu", random_state=SEED, n_threads=threads, verbosity=0)
    )


def scikeras(threads):
    import keras
    from scikeras.wrappers import KerasClassifier

    def network(meta):
        keras.utils.set_random_seed(SEED)
        return keras.Sequential(
            [
                keras.Input((meta["n_features_in_"],)),
                keras.layers.Dense(64, "relu"),
                keras.layers.Dense(32, "relu"),
                keras.layers.Dense(1, "sigmoid"),
            ]
        )

    return encoded(
        KerasClassifier(network, loss="binary_crossentropy", optimizer="adam", epochs=30, verbose=0)
    )


def wbce(threads, **parameters):
    from wbce import WeightedKerasClassifier

    return WeightedKerasClassifier(random_state=SEED, **parameters)


MODELS = {
    "wbce": wbce,
    "CatBoost": catboost,
    "CatBoost, balanced": lambda t: catboost(t, auto_class_weights="Balanced"),
    "LightGBM": lightgbm,
    "LightGBM, balanced": lambda t: lightgbm(t, class_weight="balanced"),
    "XGBoost": xgboost,
    "HistGradientBoosting": lambda t: HistGradientBoostingClassifier(random_state=SEED),
    "random forest": lambda t: encoded(RandomForestClassifier(n_jobs=t, random_state=SEED)),
    "balanced random forest": balanced_forest,
    "logistic regression": lambda t: encoded(LogisticRegression(max_iter=1000)),
    "logistic regression, balanced": lambda t: encoded(
        LogisticRegression(max_iter=1000, class_weight="balanced")
    ),
    "MLPClassifier (64, 32)": lambda t: encoded(MLPClassifier((64, 32), random_state=SEED)),
    "SciKeras (64, 32)": scikeras,
    "RealMLP (pytabkit)": lambda t: pytabkit(t, "RealMLP_TD_Classifier"),
    "TabM (pytabkit)": lambda t: pytabkit(t, "TabM_D_Classifier"),
}
SLOW = ("RealMLP", "TabM", "SciKeras", "CatBoost, balanced")  # without a tuned threshold
ABLATIONS = {
    "one network of the members' kind": {"model__n_members": 1},
    "four members": {"model__n_members": 4},
    "no ranks": {"model__n_knots": 0},
    "no periodic features": {"model__n_frequencies": 0},
    "frequencies equally fast": {"model__slowest": 1.0},
    "one hidden layer": {"model__hidden_layer_sizes": (64,)},
    "relu in place of silu": {"model__activation": "relu"},
    "half of the rows held out": {"validation_split": 0.5},
    'optimizer="adam"': {"optimizer": "adam"},
    'class_weight="balanced"': {"class_weight": "balanced"},
    'loss="focal"': {"loss": "focal"},
    'model="mlp"': {"model": "mlp"},
    'model="linear"': {"model": "linear"},
}
for _name, _parameters in ABLATIONS.items():
    MODELS[f"wbce: {_name}"] = lambda t, p=_parameters: wbce(t, **p)


def scores(y, proba, predicted):
    p = proba[:, 1]
    figures = [
        average_precision_score(y, p),
        roc_auc_score(y, p),
        log_loss(y, np.clip(p, 1e-7, 1 - 1e-7)),
        brier_score_loss(y, p),
    ]
    if predicted is None:
        return [*figures, np.nan, np.nan]
    return [*figures, f1_score(y, predicted), matthews_corrcoef(y, predicted)]


def fit(name, X, y, train, test, threads):
    estimator = MODELS[name](threads)
    X_train, X_test = X.iloc[train], X.iloc[test]
    if name.startswith("wbce"):
        tuned = estimator.set_params(threshold="auto").fit(X_train, y[train])
        return scores(y[test], tuned.predict_proba(X_test), tuned.predict(X_test))
    if name.startswith(SLOW):
        estimator.fit(X_train, y[train])
        return scores(y[test], estimator.predict_proba(X_test), None)
    tuned = TunedThresholdClassifierCV(estimator, scoring="f1").fit(X_train, y[train])
    return scores(y[test], tuned.estimator_.predict_proba(X_test), tuned.predict(X_test))


def folds(X, y, n_folds):
    return list(StratifiedKFold(n_folds, shuffle=True, random_state=SEED).split(X, y))


class Results:
    """A file of figures by table, fold and model, which grows row by row."""

    def __init__(self, name, columns):
        self.path, self.columns = RESULTS / name, columns

    def read(self):
        if not self.path.exists():
            return pd.DataFrame(columns=["table", "fold", "model", *self.columns])
        return pd.read_csv(self.path)

    def done(self):
        return set(self.read()[["table", "fold", "model"]].itertuples(index=False, name=None))

    def add(self, table, fold, model, figures):
        RESULTS.mkdir(exist_ok=True)
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["table", "fold", "model", *self.columns])
            writer.writerow([table, fold, model, *(f"{figure:.6g}" for figure in figures)])


LARGE = (
    "nursery-very_recom",
    "nursery-very_recom-rare",
    "satimage",
    "satimage-rare",
    "sylva",
    "abalone19",
)
ABLATED = [t for t in TABLES if is_for_choices(t) and t not in LARGE]  # 3,000 rows at most
PEERS = [name for name in MODELS if not name.startswith("wbce:")]
QUALITY = Results("quality.csv", METRICS)
SECONDS = Results("quality_seconds.csv", ["fit", "predict"])


def run_fits(arguments):
    done = QUALITY.done()
    for model in arguments.models:
        for table in arguments.tables:
            X, y = load(table)
            for fold, (train, test) in enumerate(folds(X, y, arguments.folds)):
                if (table, fold, model) in done:
                    continue
                start = time.perf_counter()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    figures = fit(model, X, y, train, test, arguments.threads)
                QUALITY.add(table, fold, model, figures)
                print(
                    f"{model:30} {table:30} {fold} {figures[0]:.3f} {figures[2]:.3f} "
                    f"{figures[4]:.3f} {time.perf_counter() - start:6.1f} s",
                    flush=True,
                )


def run_times(arguments):
    done = SECONDS.done()
    for table in arguments.tables:
        X, y = load(table)
        train, test = folds(X, y, arguments.folds)[0]
        for model in arguments.models:
            if (table, 0, model) in done:
                continue
            estimator = MODELS[model](arguments.threads)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                start = time.perf_counter()
                estimator.fit(X.iloc[train], y[train])
                fitted = time.perf_counter()
                estimator.predict_proba(X.iloc[test])
                SECONDS.add(table, 0, model, (fitted - start, time.perf_counter() - fitted))


# ---------------------------------------------------------------------- the report


def by_table(figures, models, tables, metric):
    """Mean over folds: a row a table, a column a model; only tables that all models have."""
    wanted = figures[figures.model.isin(models) & figures.table.isin(tables)]
    means = wanted.pivot_table(index="table", columns="model", values=metric)
    return means.reindex(columns=models).dropna()


def paired_interval(figures, ours, peer, metric, tables, n_samples=2000):
    """Mean difference and its 90 % interval over samples of tables and, within them, of folds."""
    pairs = figures[figures.table.isin(tables)].pivot_table(
        index=["table", "fold"], columns="model", values=metric
    )
    difference = (pairs[ours] - pairs[peer]).dropna().unstack("fold").to_numpy()
    rng = np.random.default_rng(SEED)
    n_tables, n_folds = difference.shape
    samples = [
        difference[
            rng.integers(n_tables, size=n_tables)[:, None],
            rng.integers(n_folds, size=(n_tables, n_folds)),
        ].mean()
        for _ in range(n_samples)
    ]
    return difference.mean(), *np.quantile(samples, [0.05, 0.95])


def critical_difference(n_models, n_tables, alpha=0.05):
    """Nemenyi's: mean ranks nearer than this could be chance (Demsar 2006)."""
    q = studentized_range.ppf(1 - alpha, n_models, np.inf) / np.sqrt(2)
    return q * np.sqrt(n_models * (n_models + 1) / (6 * n_tables))


def complete_models(figures, models, tables, metric):
    found = figures[figures.table.isin(tables)].dropna(subset=[metric])
    return [m for m in models if set(tables) <= set(found[found.model == m].table)]


def overview(figures, seconds, tables):
    models = complete_models(figures, PEERS, tables, "average precision")
    columns = {metric: by_table(figures, models, tables, metric).mean() for metric in METRICS[:4]}
    tuned = complete_models(figures, PEERS, tables, "F1")
    columns |= {metric: by_table(figures, tuned, tables, metric).mean() for metric in METRICS[4:]}
    precision = by_table(figures, models, tables, "average precision")
    columns["rank"] = precision.rank(axis=1, ascending=False).mean()
    columns["tables won"] = (precision.eq(precision.max(axis=1), axis=0)).sum()
    times = seconds[seconds.table.isin(tables)].groupby("model")[["fit", "predict"]].median()
    columns["s a fit"], columns["s a prediction"] = times["fit"], times["predict"]
    table = pd.DataFrame(columns).reindex(models)
    return table, precision


def markdown(table, digits):
    lines = ["| | " + " | ".join(table.columns) + " |", "| --- |" + " --- |" * table.shape[1]]
    for name, row in table.iterrows():
        cells = ["" if np.isnan(v) else f"{v:.{d}f}" for v, d in zip(row, digits, strict=True)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def differences(figures, tables):
    lines = ["| against | " + " | ".join(METRICS[:1] + METRICS[2:3] + METRICS[4:]) + " |"]
    lines.append("| --- |" + " --- |" * 4)
    for peer in complete_models(figures, PEERS[1:], tables, "average precision"):
        cells = []
        for metric in (METRICS[0], METRICS[2], *METRICS[4:]):
            if peer not in complete_models(figures, PEERS, tables, metric):
                cells.append("")
                continue
            mean, low, high = paired_interval(figures, "wbce", peer, metric, tables)
            cells.append(f"{mean:+.4f} ({low:+.4f} to {high:+.4f})")
        lines.append(f"| {peer} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def partly_run(figures, tables):
    """Peers too slow for all tables, beside ours and CatBoost on those that they were run on."""
    lines = [
        "| | tables | average precision: its own | wbce | CatBoost "
        "| log loss: its own | wbce | CatBoost |",
        "| --- |" + " --- |" * 7,
    ]
    complete = complete_models(figures, PEERS, tables, METRICS[0])
    for peer in (p for p in PEERS if p not in complete):
        trio = [peer, "wbce", "CatBoost"]
        found = [by_table(figures, trio, tables, METRICS[i]) for i in (0, 2)]
        if len(found[0]):
            cells = [f"{mean:.4f}" for columns in found for mean in columns.mean()]
            lines.append(f"| {peer} | {len(found[0])} | " + " | ".join(cells) + " |")
    return "\n".join(lines) if len(lines) > 2 else None


def rare_tables(tables):
    shares = {name: load(name)[1] for name in tables}
    return [n for n, y in shares.items() if y.mean() <= 0.01 and y.sum() < 50]


def report(figures, seconds):
    text = []
    for title, half in (("Reporting half", False), ("Half that choices were made on", True)):
        tables = [t for t in TABLES if is_for_choices(t) == half]
        table, precision = overview(figures, seconds, tables)
        text += [f"### {title}: {len(tables)} tables, three folds", ""]
        text += [markdown(table, [4, 4, 4, 4, 4, 4, 2, 0, 2, 4]), ""]
        if not half:
            statistic = friedmanchisquare(*(precision[m] for m in precision))
            text += [
                f"Friedman's test of the ranks in average precision: p = {statistic.pvalue:.1e}. "
                "Mean ranks nearer than "
                f"{critical_difference(precision.shape[1], len(precision)):.2f} could be chance "
                "(Nemenyi, 5 %).",
                "",
                "`wbce` minus each peer, with 90 % intervals over tables and folds:",
                "",
                differences(figures, tables),
                "",
            ]
            partly = partly_run(figures, tables)
            if partly:
                text += ["On those of these tables that slower ones were run on:", "", partly, ""]
            earlier = ["wbce", *sorted(set(figures.model[figures.model.str.startswith("wbce (")]))]
            looks = pd.DataFrame(
                {m: by_table(figures, earlier, tables, m).mean() for m in METRICS}
            ).reindex(earlier)
            text += ["Earlier networks on this half:", "", markdown(looks, [4] * 6), ""]
            rare = rare_tables(tables)
            asked = ["wbce", "logistic regression, balanced", "CatBoost"]
            low = by_table(figures, asked, rare, METRICS[0]).mean()
            text += [
                f"1 in 100 or rarer with fewer than 50 positives ({', '.join(rare)}), average "
                f"precision: wbce {low['wbce']:.3f}, balanced logistic regression "
                f"{low['logistic regression, balanced']:.3f}, CatBoost {low['CatBoost']:.3f}.",
                "",
            ]
    names = ["wbce", *(f"wbce: {name}" for name in ABLATIONS)]
    names = complete_models(figures, names, ABLATED, METRICS[0])
    pieces = pd.DataFrame({m: by_table(figures, names, ABLATED, m).mean() for m in METRICS})
    pieces = pieces.reindex(names).rename(lambda name: name.removeprefix("wbce: "))
    text += [
        f"### What each piece brings: the {len(ABLATED)} of these tables with at most 3,000 rows",
        "",
        markdown(pieces, [4] * 6),
        "",
    ]
    return "\n".join(text)


def plot(figures, seconds, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    tables = [t for t in TABLES if not is_for_choices(t)]
    table, _ = overview(figures, seconds, tables)
    _, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for axis, metric in zip(axes, ("average precision", "log loss"), strict=True):
        for name, row in table.dropna(subset=["s a fit"]).iterrows():
            ours = name.startswith("wbce")
            axis.plot(
                row["s a fit"], row[metric], "D" if ours else "o", color="C1" if ours else "C0"
            )
            axis.annotate(
                name,
                (row["s a fit"], row[metric]),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=7,
                fontweight="bold" if ours else "normal",
            )
        axis.margins(x=0.2)
        axis.set(xscale="log", xlabel="median seconds a fit", ylabel=f"mean {metric}")
        axis.grid(alpha=0.3)
    plt.savefig(path, dpi=120)


def run_report(arguments):
    figures, seconds = QUALITY.read(), SECONDS.read()
    text = report(figures, seconds)
    print(text)
    if arguments.write:
        before = arguments.write.read_text().split("<!-- figures -->")[0]
        arguments.write.write_text(f"{before}<!-- figures -->\n\n{text}")
        plot(figures, seconds, arguments.write.with_suffix(".png"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["fit", "time", "report"])
    parser.add_argument("--models", nargs="+", default=PEERS, choices=list(MODELS))
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--half", choices=["choices", "report"])
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count()))
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    if arguments.half:
        wanted = arguments.half == "choices"
        arguments.tables = [t for t in arguments.tables if is_for_choices(t) == wanted]
    {"fit": run_fits, "time": run_times, "report": run_report}[arguments.action](arguments)


if __name__ == "__main__":
    main()
