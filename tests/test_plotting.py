"""Displays: what they show is what scikit-learn computes, and can be read."""

import pickle
import sys

import matplotlib
import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    fbeta_score,
    log_loss,
    matthews_corrcoef,
    precision_recall_curve,
)
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from wbce import WeightedKerasClassifier, plotting
from wbce._scored_rows import ScoredRows
from wbce.decisions import ThresholdInterval
from wbce.plotting import (
    CalibrationMapDisplay,
    ConfusionAtThresholdDisplay,
    PrecisionRecallThresholdDisplay,
    SearchGridDisplay,
    ThresholdObjectiveDisplay,
    TrainingHistoryDisplay,
)
from wbce.plotting._style import percent

OF_ROWS = [
    PrecisionRecallThresholdDisplay,
    ThresholdObjectiveDisplay,
    CalibrationMapDisplay,
    ConfusionAtThresholdDisplay,
]


@pytest.fixture(autouse=True)
def figures_are_closed():
    matplotlib.use("agg")
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="module")
def tuned(cancer):
    X, y = cancer
    return WeightedKerasClassifier(
        "mlp",
        class_weight="balanced",
        threshold="auto",
        threshold_cv=False,
        validation_split=0.3,
        threshold_objective="f0.5",
        cost_matrix=[[0, 1], [8, 0]],
        epochs=15,
        random_state=0,
    ).fit(X[::2], y[::2])


@pytest.fixture(scope="module")
def unseen(cancer):
    X, y = cancer
    return X[1::2], y[1::2]


def some_predictions(n=400, seed=0):
    rng = np.random.default_rng(seed)
    proba = rng.beta(0.4, 3, n)
    return (rng.random(n) < proba).astype(int), proba


# ---------------------------------------------------------------------- precision and recall


def test_the_precision_recall_curve_is_scikit_learns(tuned, unseen):
    X, y = unseen
    display = PrecisionRecallThresholdDisplay.from_estimator(tuned, X, y)
    proba = tuned.predict_proba(X)[:, 1]
    precision, recall, _ = precision_recall_curve(y, proba)
    np.testing.assert_allclose(display.precision[1:], precision[:-1][::-1])
    np.testing.assert_allclose(display.recall[1:], recall[:-1][::-1])
    assert display.average_precision == pytest.approx(average_precision_score(y, proba))
    np.testing.assert_array_equal(display.line_.get_xdata(), display.recall)


def test_the_point_is_where_the_estimator_decides(tuned, unseen):
    X, y = unseen
    display = PrecisionRecallThresholdDisplay.from_estimator(tuned, X, y)
    _, fp, fn, tp = confusion_matrix(y, tuned.predict(X)).ravel()
    assert display.chosen_.get_xdata() == pytest.approx(tp / (tp + fn))
    assert display.chosen_.get_ydata() == pytest.approx(tp / (tp + fp))
    assert f"{tuned.threshold_:.3g}" in display.chosen_.get_label()
    assert display.chance_level_.get_ydata()[0] == y.mean()
    low, high = tuned.threshold_interval_.threshold
    proba = tuned.predict_proba(X)[:, 1]
    ends = [((proba > cut) & (y == 1)).sum() / y.sum() for cut in (high, low)]
    drawn = display.interval_.get_xdata()
    assert ends[0] <= drawn.min() + 1e-9
    assert drawn.max() <= ends[1] + 1e-9


def test_parts_can_be_left_out_and_restyled(tuned, unseen):
    display = PrecisionRecallThresholdDisplay.from_estimator(
        tuned, *unseen, plot_threshold=False, plot_chance_level=False, color="black", name="mine"
    )
    assert display.chosen_ is display.interval_ is display.chance_level_ is None
    assert display.line_.get_color() == "black"
    assert "mine" in display.line_.get_label()


def test_without_a_threshold_there_is_the_point_of_the_decisions(iris):
    X, y = iris
    classifier = WeightedKerasClassifier("mlp", epochs=5, random_state=0).fit(X, y)
    display = PrecisionRecallThresholdDisplay.from_estimator(classifier, X, y, label=2)
    called, is_it = classifier.predict(X) == 2, y == 2
    assert display.chosen_.get_xdata() == pytest.approx((called & is_it).sum() / is_it.sum())
    assert display.chosen_.get_label() == "decisions"


# ---------------------------------------------------------------------- objectives and costs


def test_objectives_are_scikit_learns_at_every_threshold():
    y, proba = some_predictions(60)
    display = ThresholdObjectiveDisplay.from_predictions(y, proba, cost_matrix=[[0, 2], [7, 1]])
    for i, threshold in enumerate(display.thresholds):
        called = proba > threshold
        of_scikit_learn = {
            "f1": fbeta_score(y, called, beta=1, zero_division=0),
            "f2": fbeta_score(y, called, beta=2, zero_division=0),
            "mcc": matthews_corrcoef(y, called),
        }
        for name, value in of_scikit_learn.items():
            assert display.objectives[name][i] == pytest.approx(value)
        _, fp, fn, tp = confusion_matrix(y, called).ravel()
        assert display.objectives["cost"][i] == pytest.approx((2 * fp + 7 * fn + tp) / len(y))
    assert set(display.lines_) >= {"balanced_accuracy", "youden", "g_mean", "cost"}


def test_the_best_of_each_is_marked():
    y, proba = some_predictions()
    display = ThresholdObjectiveDisplay.from_predictions(y, proba, cost_matrix=[[0, 1], [5, 0]])
    f1, cost = display.objectives["f1"], display.objectives["cost"]
    assert display.best_["f1"].get_xdata() == display.thresholds[np.argmax(f1)]
    assert display.best_["cost"].get_xdata() == display.thresholds[np.argmin(cost)]


def test_the_estimators_own_objective_and_costs_are_shown(tuned, unseen):
    display = ThresholdObjectiveDisplay.from_estimator(tuned, *unseen)
    assert {"f0.5", "cost"} <= set(display.lines_)
    assert display.threshold_line_.get_xdata()[0] == tuned.threshold_
    assert display.cost_ax_ is not None
    low, high = tuned.threshold_interval_.threshold
    ends = display.interval_.get_extents().transformed(display.ax_.transData.inverted())
    assert (ends.x0, ends.x1) == (pytest.approx(low), pytest.approx(high))


def test_costs_follow_the_positive_class_where_it_sorts_first(cancer):
    X, y = cancer
    names = np.where(y == 1, "bad", "good")
    costs = [[0, 8], [1, 0]]  # a "bad" one called "good" costs 8
    classifier = WeightedKerasClassifier("mlp", cost_matrix=costs, epochs=3, random_state=0)
    display = ThresholdObjectiveDisplay.from_estimator(classifier.fit(X, names), X, names)
    assert display.objectives["cost"][0] == pytest.approx(8 * y.mean())  # none is called bad
    assert display.objectives["cost"][-1] == pytest.approx((1 - y).mean())


def test_every_objective_has_a_line_and_a_name():
    names = [f"f{beta}" for beta in range(1, 18)]
    functions = [lambda tp, fp, fn, tn: tp, lambda tp, fp, fn, tn: tn]
    display = ThresholdObjectiveDisplay.from_predictions(
        *some_predictions(), objectives=[*names, *functions]
    )
    assert list(display.lines_) == [*names, "<lambda>", "<lambda> (2)"]
    assert np.argmax(display.objectives["<lambda>"]) > 0
    assert np.argmax(display.objectives["<lambda> (2)"]) == 0


@pytest.mark.parametrize("threshold", [1e-4, 0.3, 0.9999])
def test_the_threshold_lies_in_the_picture(threshold):
    y, proba = some_predictions()
    display = ThresholdObjectiveDisplay.from_predictions(
        y, np.clip(proba, 0.01, 0.9), threshold=threshold
    )
    low, high = display.ax_.get_xlim()
    assert low <= threshold <= high


def test_own_objectives_bounds_and_functions():
    y, proba = some_predictions()

    def hits(tp, fp, fn, tn):
        return tp / tp.max()

    display = ThresholdObjectiveDisplay.from_predictions(
        y, proba, objectives=["f1", {"min_precision": 0.5}, hits]
    )
    assert list(display.lines_) == ["f1", "min_precision 0.5", "hits"]
    assert list(ThresholdObjectiveDisplay.from_predictions(y, proba, objectives="mcc").lines_) == [
        "mcc"
    ]


# ---------------------------------------------------------------------- calibration


def test_raw_probabilities_are_the_networks_and_mapped_ones_the_estimators(tuned, unseen):
    X, y = unseen
    display = CalibrationMapDisplay.from_estimator(tuned, X, y)
    mapped = log_loss(y, tuned.predict_proba(X)[:, 1])
    raw = log_loss(y, tuned.model_.predict(X, verbose=0).ravel())
    words = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert words == [
        f"WeightedKerasClassifier, raw (log loss {raw:.3f})",
        f"WeightedKerasClassifier, mapped (log loss {mapped:.3f})",
    ]
    assert display.raw.predicted.mean() > display.mapped.predicted.mean()


def test_other_classifiers_have_one_curve(unseen):
    X, y = unseen
    pipeline = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])
    display = CalibrationMapDisplay.from_estimator(pipeline.fit(X, y), X, y, scale="linear")
    assert display.raw is display.raw_ is None
    assert display.ax_.get_xscale() == "linear"


@pytest.mark.parametrize("scale", ["log_odds", "linear"])
def test_every_bin_lies_in_the_picture(unseen, scale):
    X, y = StandardScaler().fit_transform(unseen[0]), unseen[1]
    sure = LogisticRegression(C=100).fit(X, y)
    display = CalibrationMapDisplay.from_estimator(sure, X, y, scale=scale)
    assert display.mapped.predicted[0] < 1e-6  # surer than the axis is long
    low, high = display.ax_.get_xlim()
    drawn = display.mapped_.lines[0].get_xdata()
    assert len(drawn) == len(display.mapped.predicted)
    assert low <= drawn.min() < drawn.max() <= high
    within = display.mapped.predicted > low
    np.testing.assert_allclose(drawn[within], display.mapped.predicted[within], rtol=1e-5)


@pytest.mark.parametrize(("said", "words"), [({"scale": "log"}, "log_odds"), ({"n_bins": 0}, "1")])
def test_what_calibration_does_not_know(said, words):
    with pytest.raises(ValueError, match=words):
        CalibrationMapDisplay.from_predictions(*some_predictions(), **said)


# ---------------------------------------------------------------------- confusion


@pytest.mark.parametrize("at", [None, 0.05, 0.4])
def test_confusion_is_scikit_learns(tuned, unseen, at):
    X, y = unseen
    display = ConfusionAtThresholdDisplay.from_estimator(tuned, X, y, at=at)
    called = tuned.predict(X) if at is None else tuned.predict_proba(X)[:, 1] > at
    np.testing.assert_array_equal(display.confusion_matrix, confusion_matrix(y, called))
    words = display.text_[1, 1].get_text().split("\n")
    assert words[0] == str(confusion_matrix(y, called)[1, 1])


def test_both_classes_have_their_names():
    display = ConfusionAtThresholdDisplay.from_predictions(["ok", "ok", "bad"], [0.1, 0.2, 0.7])
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["ok", "bad"]


def test_a_probability_that_equals_the_threshold_is_negative():
    display = ConfusionAtThresholdDisplay.from_predictions([0, 1, 1], [0.3, 0.3, 0.7], at=0.3)
    assert display.confusion_matrix.tolist() == [[1, 0], [1, 1]]


# ---------------------------------------------------------------------- training


def test_the_history_is_drawn_with_the_epoch_that_was_kept(tuned):
    display = TrainingHistoryDisplay.from_estimator(tuned)
    for name in ("loss", "val_log_loss", "val_average_precision"):
        np.testing.assert_array_equal(display.lines_[name].get_ydata(), tuned.history_[name])
    assert len(display.axes_) == 3
    assert {line.get_xdata()[0] for line in display.best_epoch_lines_} == {tuned.best_epoch_}


def test_panels_fit_into_given_axes_of_a_grid(tuned):
    figure, (left, _) = matplotlib.pyplot.subplots(1, 2)
    display = TrainingHistoryDisplay.from_estimator(tuned, ax=left)
    assert display.figure_ is figure
    assert all(ax.get_position().x1 < 0.5 for ax in display.axes_)
    with pytest.raises(ValueError, match=r"plt\.subplots"):
        TrainingHistoryDisplay.from_estimator(tuned, ax=figure.add_axes([0, 0, 1, 1]))


def test_metrics_of_keras_have_panels_of_their_own():
    history = {"loss": [0.9, 0.5], "auc": [0.6, 0.7]}
    display = TrainingHistoryDisplay(history).plot()
    assert [ax.get_ylabel() for ax in display.axes_] == ["Training loss", "auc"]
    assert display.best_epoch_lines_ == []


@pytest.mark.parametrize("history", [{}, {"loss": []}])
def test_no_history_is_an_error(history):
    with pytest.raises(ValueError, match="no epoch was run"):
        TrainingHistoryDisplay(history)


def test_other_classifiers_have_no_history(unseen):
    with pytest.raises(TypeError, match="has no history_"):
        TrainingHistoryDisplay.from_estimator(LogisticRegression(max_iter=10_000).fit(*unseen))


# ---------------------------------------------------------------------- searches


@pytest.fixture(scope="module")
def search(cancer):
    X, y = cancer
    network = WeightedKerasClassifier("mlp", loss="focal", epochs=2, random_state=0)
    grid = {"clf__pos_weight": [5, 1, "balanced"], "clf__gamma": [2.0, 0.0]}
    pipeline = Pipeline([("scale", StandardScaler()), ("clf", network)])
    return GridSearchCV(pipeline, grid, scoring="average_precision", cv=2).fit(X, y)


def test_the_grid_is_the_searchs(search):
    display = SearchGridDisplay.from_estimator(search)
    assert (display.x_values, display.y_values) == ([1, 5, "balanced"], [0.0, 2.0])
    for i, parameters in enumerate(search.cv_results_["params"]):
        place = (
            display.y_values.index(parameters["clf__gamma"]),
            display.x_values.index(parameters["clf__pos_weight"]),
        )
        assert display.scores[place] == search.cv_results_["mean_test_score"][i]
        assert display.spread[place] == search.cv_results_["std_test_score"][i]
    assert display.scores[display.best] == search.best_score_
    assert display.metric == "average precision"
    row, column = display.best
    assert display.frame_.get_xy() == (column - 0.5, row - 0.5)


def test_the_frame_is_around_what_the_search_chose(cancer):
    X, y = StandardScaler().fit_transform(cancer[0]), cancer[1]
    grid = {"C": [0.001, 0.1, 10.0], "tol": [1e-4, 1e-2]}
    simplest = GridSearchCV(
        LogisticRegression(), grid, cv=2, refit=lambda results: 1, scoring="roc_auc"
    ).fit(X, y)
    shown = {"x": "C", "y": "tol"}
    display = SearchGridDisplay.from_estimator(simplest, **shown)
    assert display.best == (1, 0)
    assert display.frame_.get_xy() == (-0.5, 0.5)
    assert SearchGridDisplay.from_results(simplest.cv_results_, **shown).best != (1, 0)
    halving = HalvingGridSearchCV(
        LogisticRegression(), grid, cv=2, min_resources=60, random_state=0
    ).fit(X, y)
    halving.cv_results_["mean_test_score"][0] = 2.0  # chance, on few rows
    display = SearchGridDisplay.from_estimator(halving, **shown)
    row, column = display.best
    assert halving.best_params_ == {
        "C": display.x_values[column],
        "tol": display.y_values[row],
    }
    assert display.scores[row, column] == halving.best_score_


def test_two_scores_have_a_frame_each(cancer):
    X, y = StandardScaler().fit_transform(cancer[0]), cancer[1]
    search = GridSearchCV(
        LogisticRegression(),
        {"C": [0.1, 10.0]},
        cv=2,
        refit="roc_auc",
        scoring=["recall", "roc_auc"],
    ).fit(X, y)
    search.cv_results_["mean_test_recall"] = np.array([0.9, 0.1])
    search.best_index_ = 1
    chosen, other = (
        SearchGridDisplay.from_estimator(search, x="C", y=None, metric=metric)
        for metric in (None, "recall")
    )
    assert chosen.best == (0, 1)
    assert other.best == (0, 0)


def test_differences_within_the_spread_have_nearly_the_same_colour():
    results = {
        "params": [{"pos_weight": w} for w in (1, 2, 3)],
        "mean_test_score": np.array([0.851, 0.853, 0.855]),
        "std_test_score": np.array([0.05, 0.06, 0.07]),
    }
    small = SearchGridDisplay.from_results(results, y=None)
    assert small.image_.get_clim() == pytest.approx((0.853 - 0.06, 0.853 + 0.06))
    results["std_test_score"] = results["std_test_score"] / 100
    large = SearchGridDisplay.from_results(results, y=None)
    assert large.image_.get_clim() == pytest.approx((0.851, 0.855))
    said = SearchGridDisplay.from_results(results, y=None, vmin=0, vmax=1)
    assert said.image_.get_clim() == (0, 1)


def test_one_parameter_is_one_row(search):
    display = SearchGridDisplay.from_estimator(search, y=None)
    best = [
        max(
            score
            for score, parameters in zip(
                search.cv_results_["mean_test_score"], search.cv_results_["params"], strict=True
            )
            if parameters["clf__pos_weight"] == value
        )
        for value in (1, 5, "balanced")
    ]
    np.testing.assert_allclose(display.scores, [best])


def test_pairs_that_were_not_tried_are_said_so():
    y, _ = some_predictions(120)
    X = np.random.default_rng(0).normal(size=(120, 3))
    grid = {"C": [0.1, 1.0, 10.0], "tol": [1e-3, 1e-2]}
    scoring = {"ap": "average_precision", "loss": "neg_log_loss"}
    search = RandomizedSearchCV(
        LogisticRegression(), grid, n_iter=3, cv=2, random_state=0, scoring=scoring, refit="ap"
    ).fit(X, y)
    display = SearchGridDisplay.from_estimator(search, x="C", y="tol")
    assert np.isnan(display.scores).sum() == sum(text is None for text in display.text_.ravel())
    assert np.isnan(display.scores).any()
    other = SearchGridDisplay.from_estimator(search, x="C", y="tol", metric="loss")
    assert np.nanmax(other.scores) < 0


def test_values_that_cannot_be_hashed_are_told_apart():
    results = {
        "params": [{"pos_weight": [1, 2]}, {"pos_weight": [1, 3]}, {"pos_weight": [1, 2]}],
        "mean_test_score": [0.1, 0.2, 0.3],
        "std_test_score": [0.0, 0.0, 0.0],
    }
    display = SearchGridDisplay.from_results(results, y=None)
    assert display.x_values == [[1, 2], [1, 3]]
    assert display.scores.tolist() == [[0.3, 0.2]]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"x": "pos_wieght"}, "Did you mean 'pos_weight'"),
        ({"y": "alpha"}, "not over 'alpha'"),
        ({"metric": "f1"}, r"one of \['score'\]"),
    ],
)
def test_what_a_search_did_not_search(search, said, words):
    with pytest.raises(ValueError, match=words):
        SearchGridDisplay.from_estimator(search, **said)


def test_what_is_no_search(tuned):
    with pytest.raises(ValueError, match="no cv_results_"):
        SearchGridDisplay.from_estimator(tuned)
    failed = {"params": [{"a": 1}], "mean_test_score": [np.nan], "std_test_score": [np.nan]}
    with pytest.raises(ValueError, match="error_score='raise'"):
        SearchGridDisplay.from_results(failed, x="a", y=None)


# ---------------------------------------------------------------------- all of them


@pytest.mark.parametrize("display", OF_ROWS)
def test_given_axes_are_drawn_on(display):
    _, ax = matplotlib.pyplot.subplots()
    drawn = display.from_predictions(*some_predictions(), threshold=0.3, ax=ax)
    assert drawn.ax_ is ax
    assert drawn.figure_ is ax.figure
    assert len(matplotlib.pyplot.get_fignums()) == 1
    again = drawn.plot()
    assert again is drawn
    assert drawn.ax_ is not ax


@pytest.mark.parametrize("display", OF_ROWS)
def test_few_rows_and_equal_probabilities_can_be_drawn(display):
    display.from_predictions([0, 1], [0.2, 0.7]).figure_.canvas.draw()
    display.from_predictions([0, 1, 1], [0.5, 0.5, 0.5], threshold=0.5).figure_.canvas.draw()
    display.from_predictions([0, 1, 0], [0.0, 1.0, 0.0], threshold=1.0).figure_.canvas.draw()


@pytest.mark.parametrize("display", OF_ROWS)
def test_a_million_rows_are_drawn_by_few_points(display):
    y, proba = some_predictions(1_000_000)
    drawn = display.from_predictions(y, proba, threshold=0.3)
    assert max([len(line.get_xdata()) for line in drawn.ax_.lines], default=0) <= 5_100


def test_thinning_does_not_lose_the_best():
    y, proba = some_predictions(100_000)
    display = ThresholdObjectiveDisplay.from_predictions(y, proba, objectives=["f1"])
    exact = display.rows.curve.f1.max()
    assert display.objectives["f1"].max() == pytest.approx(exact, abs=1e-3)


def test_the_thick_part_of_a_million_rows_has_few_points():
    rows = ScoredRows.of_predictions(*some_predictions(1_000_000), threshold=0.3)
    interval = ThresholdInterval((0.01, 0.9), (0.2, 0.3), 0.9)
    display = PrecisionRecallThresholdDisplay(ScoredRows(**{**vars(rows), "interval": interval}))
    drawn = display.plot().interval_.get_xydata()
    assert 1000 < len(drawn) <= 5000
    within = (rows.curve.threshold >= 0.01) & (rows.curve.threshold <= 0.9)
    assert drawn[0, 0] == rows.curve.recall[within][0]
    assert drawn[-1, 0] == rows.curve.recall[within][-1]


@pytest.mark.parametrize("display", OF_ROWS)
def test_displays_can_be_pickled(display):
    drawn = display.from_predictions(*some_predictions(), threshold=0.3)
    again = pickle.loads(pickle.dumps(drawn))
    again.figure_.canvas.draw()
    ticks = [[t.get_text() for t in ax.get_xticklabels()] for ax in (drawn.ax_, again.ax_)]
    assert ticks[0] == ticks[1]


@pytest.mark.parametrize("background", ["black", "white"])
def test_thresholds_can_be_seen_on_any_background(background):
    seen = {"black": "white", "white": "black"}[background]
    with matplotlib.rc_context({"axes.facecolor": "none", "figure.facecolor": background}):
        display = ThresholdObjectiveDisplay.from_predictions(
            *some_predictions(), threshold=0.3, cost_matrix=[[0, 1], [5, 0]]
        )
        history = TrainingHistoryDisplay({"loss": [2.0, 1.0]}, best_epoch=2).plot()
        results = {
            "params": [{"pos_weight": 1, "gamma": 2}, {"pos_weight": 3, "gamma": 0}],
            "mean_test_score": [0.5, 0.6],
            "std_test_score": [0.0, 0.0],
        }
        search = SearchGridDisplay.from_results(results)
    assert display.threshold_line_.get_color() == seen
    assert display.lines_["cost"].get_color() == seen
    assert history.best_epoch_lines_[0].get_color() == seen
    assert search.frame_.get_edgecolor() == matplotlib.colors.to_rgba(seen)
    assert {t.get_color() for t in search.ax_.texts if t.get_text() == "not tried"} == {seen}


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "wbce\[plots\]"'):
        ConfusionAtThresholdDisplay.from_predictions([0, 1], [0.1, 0.9])


def test_public_names():
    assert {display.__name__ for display in OF_ROWS} < set(plotting.__all__)
    assert all(hasattr(plotting, name) for name in plotting.__all__)


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0%"), (0.001, "0.1%"), (0.01, "1%"), (0.5, "50%"), (0.999, "99.9%"), (1e-5, "0.001%")],
)
def test_shares_near_one_are_as_exact_as_near_zero(share, words):
    assert percent(share) == words
