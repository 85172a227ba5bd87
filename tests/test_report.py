"""The report: figures against scikit-learn, words against figures."""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tables import table
from wbce import WeightedKerasClassifier, report
from wbce._scored_rows import ScoredRows
from wbce.reporting._cuts import cuts_of
from wbce.reporting._samples import binned, redrawn


def small(**parameters):
    return WeightedKerasClassifier("mlp", epochs=15, random_state=0, **parameters)


@pytest.fixture(scope="module")
def halves(float_rows):
    X, y = float_rows
    return X[:365], y[:365], X[365:], y[365:]


@pytest.fixture(scope="module")
def tuned(halves):
    X, y, *_ = halves
    return small(
        class_weight="balanced", threshold="auto", validation_split=0.4, threshold_cv=False
    ).fit(X, y)


@pytest.fixture(scope="module")
def found(tuned, halves):
    *_, X, y = halves
    return report(tuned, X, y, per_day=10_000)


@pytest.fixture(scope="module")
def pima():
    X, y = table("pima")
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]


@pytest.fixture(scope="module")
def logistic(pima):
    X, y = pima
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:384], y[:384])


def of_scikit_learn(y, proba, called, weight):
    said = {"sample_weight": weight}
    rate = np.average(y, weights=weight)
    brier = metrics.brier_score_loss(y, proba, **said)
    return {
        "average_precision": metrics.average_precision_score(y, proba, **said),
        "roc_auc": metrics.roc_auc_score(y, proba, **said),
        "log_loss": metrics.log_loss(y, proba, **said),
        "brier": brier,
        "brier_skill": 1 - brier / metrics.brier_score_loss(y, np.full(len(y), rate), **said),
        "precision": metrics.precision_score(y, called, zero_division=0, **said),
        "recall": metrics.recall_score(y, called, **said),
        "f1": metrics.f1_score(y, called, **said),
        "mcc": metrics.matthews_corrcoef(y, called, **said),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, called, **said),
        "accuracy": metrics.accuracy_score(y, called, **said),
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_are_those_of_scikit_learn(tuned, halves, weighted):
    *_, X, y = halves
    weight = np.random.default_rng(0).uniform(0, 3, len(y)) if weighted else np.ones(len(y))
    weight[::7] *= not weighted
    said = report(tuned, X, y, sample_weight=weight, cost_matrix=[[0, 1], [9, 0.5]]).to_dict()
    proba, called = tuned.predict_proba(X)[:, 1], tuned.predict(X)
    expected = of_scikit_learn(y, proba, called, weight)
    for name, value in expected.items():
        assert said["metrics"][name]["value"] == pytest.approx(value), name
    (tn, fp), (fn, tp) = metrics.confusion_matrix(y, called, sample_weight=weight)
    assert said["confusion"] == pytest.approx({"tp": tp, "fp": fp, "fn": fn, "tn": tn})
    alarms = said["metrics"]["alarms"]["value"]
    assert alarms == pytest.approx(1000 * np.average(called, weights=weight))
    cost = said["metrics"]["cost"]["value"]
    assert cost == pytest.approx(1000 * (fp + 9 * fn + 0.5 * tp) / weight.sum())


def test_figures_of_equal_scores_are_those_of_scikit_learn(pima):
    X, y = pima
    for depth in (3, None):  # None gives probabilities of zero and one
        tree = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X[:384], y[:384])
        told = report(tree, X[384:], y[384:])
        said = told.to_dict()["metrics"]
        proba, called = tree.predict_proba(X[384:])[:, 1], tree.predict(X[384:])
        assert len(np.unique(proba)) < 10
        for name, value in of_scikit_learn(y[384:], proba, called, None).items():
            assert said[name]["value"] == pytest.approx(value), name
        assert told.to_html()


def test_baselines_are_those_of_scikit_learn(found, halves):
    *_, y = halves
    said = found.to_dict()["metrics"]
    nobody = of_scikit_learn(y, np.full(len(y), y.mean()), np.zeros(len(y)), None)
    everybody = of_scikit_learn(y, np.full(len(y), y.mean()), np.ones(len(y)), None)
    for name in ("average_precision", "roc_auc", "log_loss", "brier", "brier_skill"):
        assert said[name]["baselines"] == {"base_rate": pytest.approx(nobody[name])}, name
    for name in ("recall", "f1", "mcc", "balanced_accuracy", "accuracy"):
        both = {"never": pytest.approx(nobody[name]), "always": pytest.approx(everybody[name])}
        assert said[name]["baselines"] == both, name
    assert said["precision"]["baselines"] == {"never": None, "always": pytest.approx(y.mean())}
    assert said["alarms"]["baselines"] == {"never": 0, "always": pytest.approx(10_000)}


def test_intervals_are_those_of_rows_drawn_again(tuned, halves):
    *_, X, y = halves
    said = report(tuned, X, y).to_dict()["metrics"]
    proba, called = tuned.predict_proba(X)[:, 1], tuned.predict(X)
    generator = np.random.default_rng(1)
    again = []
    for _ in range(200):
        rows = generator.integers(0, len(y), len(y))
        again.append(of_scikit_learn(y[rows], proba[rows], called[rows], None))
    for name in again[0]:
        low, high = np.percentile([one[name] for one in again], [5, 95])
        for ours, theirs in zip(said[name]["interval"], (low, high), strict=True):
            assert ours == pytest.approx(theirs, abs=0.3 * (high - low)), name


def test_intervals_hold_the_figure_and_say_nothing_certain_of_few_rows(halves):
    *_, y = halves
    few = np.r_[np.flatnonzero(y == 1)[:4], np.flatnonzero(y == 0)[:6]]
    column = np.where(y == 1, 1.0, -1.0)[few, None]
    sure = LogisticRegression(C=100).fit(column, y[few])
    told = report(sure, column, y[few])
    said = told.to_dict()["metrics"]
    for name in ("precision", "recall", "f1", "mcc", "balanced_accuracy"):
        low, high = said[name]["interval"]
        assert said[name]["value"] == high == 1
        assert low < 0.9, name
    assert said["roc_auc"]["interval"] == [None, None]
    assert told.to_dict()["calibration"]["slope"] is None
    assert "No calibration slope" in " ".join(str(told).split())


def test_the_bins_of_many_rows_give_what_the_rows_give():
    generator = np.random.default_rng(0)
    y = (generator.random(30_000) < 0.02).astype(int)
    scores = generator.normal(size=len(y)) + 2 * y - 4
    rows = ScoredRows.of_predictions(y, 1 / (1 + np.exp(-scores)))
    bins, exact = binned(rows), binned(rows, exact=True)
    assert len(bins.scores) < 2100 < len(exact.scores)
    np.testing.assert_allclose(bins.mass.sum(axis=1), [np.sum(y == 0), y.sum()])
    np.testing.assert_allclose(
        (bins.mass * bins.log_loss).sum() / len(y), metrics.log_loss(y, rows.proba)
    )
    totals = redrawn(bins, 400).sum(axis=2)
    np.testing.assert_allclose(totals.std(axis=0), np.sqrt(bins.mass.sum(axis=1)), rtol=0.15)


def test_the_sentence_and_the_text_say_the_figures(found):
    said = found.to_dict()
    counts = {name: int(value) for name, value in said["confusion"].items()}
    sentence = said["sentence"]
    n_positive = counts["tp"] + counts["fn"]
    assert sentence.startswith(
        f"Of {n_positive} rows of class 1 among {said['rows']} it finds {counts['tp']} "
    )
    assert f"with {counts['tp'] + counts['fp']} alarms, of which {counts['tp']} are" in sentence
    a_day = 10_000 * (counts["tp"] + counts["fp"]) / said["rows"]
    assert f"On 10,000 rows a day that is {a_day:,.0f} alarms" in sentence
    text = str(found)
    assert text == repr(found)
    assert " ".join(text.split()).startswith(f"WeightedKerasClassifier: {sentence}")
    assert max(map(len, text.splitlines())) <= 110
    for risk in found.risks:
        assert risk.words[:40] in " ".join(text.split())
    low, high = (f"{end:.3g}" for end in said["threshold"]["interval"])
    assert f"between {low} and {high} (90 % interval)" in " ".join(text.split())
    assert "unseen" in text


def test_the_text_fits_a_terminal(found):
    assert max(map(len, str(found).splitlines())) <= 80


@pytest.mark.parametrize(("threshold", "said"), [(0, "above 0."), (1, "above 1."), (0.3, "0.3.")])
def test_a_threshold_is_said_as_it_is(halves, threshold, said):
    X, y, X_test, y_test = halves
    told = report(small(threshold=threshold).fit(X, y), X_test, y_test)
    assert f"where its probability is {said}" in str(told) or f"above {said}" in str(told)
    assert told.to_dict()["threshold"]["value"] == pytest.approx(threshold, abs=1e-12)


def test_both_of_two_classes_have_names_whoever_made_the_classifier(pima):
    X, y = pima
    y = np.where(y == 1, "ill", "well")
    clf = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:384], y[:384])
    for label, other in (("ill", "well"), ("well", "ill")):
        classes = report(clf, X[384:], y[384:], label=label).to_dict()["classes"]
        assert [(c["label"], c["is_rest"]) for c in classes] == [(label, False), (other, False)]
    assert ScoredRows.of_predictions(y, np.full(len(y), 0.5), pos_label="well").neg_label == "ill"


def test_values_cannot_command_a_terminal(pima):
    X, y = pima
    frame = pd.DataFrame({"glucose": X[:, 1], "note\x1b[31m": ["\x1b[2J\nred"] * len(y)})
    classifier = make_pipeline(
        FunctionTransformer(lambda frame: frame[["glucose"]]), LogisticRegression()
    )
    text = str(report(classifier.fit(frame, y), frame, y))
    assert "\x1b" not in text
    assert "?[2J red" in text


def test_what_was_trained_is_told(tuned, found):
    said = found.to_dict()
    rare, frequent = said["classes"]
    assert (rare["in_training"], frequent["in_training"]) == tuple(
        tuned.class_weight_[label] for label in (1, 0)
    )
    assert rare["prior"] == tuned.prior_[1]
    assert said["pos_weight"] == tuned.pos_weight_
    assert said["training"]["best_epoch"] == tuned.best_epoch_
    assert said["training"]["loss"] == tuned.history_["loss"]
    assert said["threshold"]["value"] == pytest.approx(tuned.threshold_)
    assert said["threshold"]["interval"] == list(tuned.threshold_interval_.threshold)


def test_the_worst_mistakes_are_the_most_confident_ones(tuned, halves):
    *_, X, y = halves
    frame = pd.DataFrame(X, columns=list("abcdefg"), index=[f"r{i}" for i in range(len(y))])
    named = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    named.fit(frame, y)
    said = report(named, frame, y).to_dict()["mistakes"]
    proba, called = named.predict_proba(frame)[:, 1], named.predict(frame)
    for kind, label, order in (("misses", 1, proba), ("false_alarms", 0, -proba)):
        wrong = np.flatnonzero((y == label) & (called != label))
        expected = wrong[np.argsort(order[wrong], kind="stable")][:5]
        assert [row["row"] for row in said[kind]] == expected.tolist()
        assert [row["index"] for row in said[kind]] == [f"r{i}" for i in expected]
        for row in said[kind]:
            assert row["log_odds"] == pytest.approx(logit(proba[row["row"]]))
            assert row["values"] == frame.loc[row["index"], said["columns"]].tolist()
    best = sorted(frame.columns, key=lambda name: -abs(metrics.roc_auc_score(y, frame[name]) - 0.5))
    assert said["columns"] == best[:4]
    assert said["typical_positive"] == frame.loc[y == 1, best[:4]].median().tolist()


def test_rows_without_weight_keep_their_numbers(logistic, pima):
    X, y = pima[0][384:], pima[1][384:]
    weight = np.ones(len(y))
    weight[:100] = 0
    said = report(logistic, X, y, sample_weight=weight).to_dict()
    assert said["rows"] == len(y) - 100
    for row in said["mistakes"]["misses"]:
        assert row["row"] >= 100
        assert y[row["row"]] == 1


def test_cuts_are_few_and_exact_and_hold_all_that_are_best(logistic, pima):
    X, y = pima[0][384:], pima[1][384:]
    rows = ScoredRows.of_estimator(logistic, X, y)
    cuts = cuts_of(rows)
    assert len(cuts.log_odds) <= 600
    assert (np.diff(cuts.log_odds) > 0).all()
    proba = rows.proba
    for place in range(len(cuts.log_odds)):
        called = logit(proba) > cuts.log_odds[place]
        assert cuts.tp[place] == np.sum(called & (y == 1))
        assert cuts.fp[place] == np.sum(called & (y == 0))
    for cost in (0.01, 0.2, 1, 3, 30, 400):
        best = np.min(rows.curve.fp + cost * rows.curve.fn)
        assert np.min(cuts.fp + cost * (cuts.tp[0] - cuts.tp)) == best
    f1 = 2 * cuts.tp / (cuts.tp + cuts.fp + cuts.tp[0])
    assert f1.max() == rows.curve.f1.max()
    assert cuts.chosen == cuts.half


def test_all_is_plain_data(found):
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert {"metrics", "risks", "cuts", "mistakes", "calibration"} < set(said)
    assert [risk["name"] for risk in said["risks"]] == [risk.name for risk in found.risks]


def test_a_page_is_saved_whole_and_under_a_name_that_browsers_know(found, tmp_path):
    path = tmp_path / "page.HTML"
    path.write_text("old")
    found.save(path)
    assert path.read_text(encoding="utf-8") == found.to_html()
    assert os.listdir(tmp_path) == ["page.HTML"]
    with pytest.raises(ValueError, match=r"End it in \.html"):
        found.save(tmp_path / "page.pdf")
    with pytest.raises(FileNotFoundError, match="choose a folder that exists") as raised:
        found.save(str(tmp_path / "nowhere" / "page.html"))
    assert raised.value.filename == str(tmp_path / "nowhere" / "page.html")


def test_an_old_page_stays_where_the_new_one_has_no_room(found, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        found.save(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["page.html"]


def test_one_class_of_several_and_one_label_of_several(iris):
    X, y = iris
    several = report(small().fit(X, y), X, y, label=2)
    assert "of class 2 among 87" in str(several)
    assert [row["is_rest"] for row in several.to_dict()["classes"]] == [False, True]
    assert several.to_html().count("<svg") >= 4
    labels = np.column_stack([y == 1, y > 0]).astype(int)
    one = report(small().fit(X, labels), X, labels, label=1)
    assert one.to_dict()["confusion"]["tp"] + one.to_dict()["confusion"]["fn"] == 37
    with pytest.raises(ValueError, match="pass label="):
        report(several._found.rows.classifier, X, y)


class Given(ClassifierMixin, BaseEstimator):
    """Rows are the probabilities of three classes."""

    classes_ = np.arange(3)

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return np.argmax(X, axis=1)

    def __sklearn_is_fitted__(self):
        return True


def test_decisions_that_are_no_cut_are_said_to_be_none():
    X = np.array([[0.4, 0.45, 0.15], [0.5, 0.48, 0.02], [0.3, 0.5, 0.2], [0.9, 0.1, 0.0]])
    told = report(Given(), X, [1, 1, 0, 2], label=1)
    assert told.to_dict()["threshold"]["value"] is None
    assert "no cut of this probability" in " ".join(str(told).split())
    assert told.to_dict()["confusion"] == {"tp": 1, "fp": 1, "fn": 1, "tn": 1}
    assert 'data-to="chosen"' not in told.to_html()


def test_costs_are_in_the_order_of_the_classes(halves):
    X, y, X_new, y_new = halves
    names, new = np.where(y == 1, "bad", "good"), np.where(y_new == 1, "bad", "good")
    # calling a bad one good costs 20, the other way 1; "bad" sorts first
    classifier = small(cost_matrix=[[0, 20], [1, 0]]).fit(X, names)
    said = report(classifier, X_new, new).to_dict()
    counts = said["confusion"]
    cost = 1000 * (counts["fp"] + 20 * counts["fn"]) / len(new)
    assert said["metrics"]["cost"]["value"] == pytest.approx(cost)
    assert said["threshold"]["value"] == pytest.approx(1 / 21)
    # of the two answers that need no model the one with fewer misses is cheaper or dearer
    base = said["metrics"]["cost"]["baselines"]
    assert base["never"] == pytest.approx(20_000 * np.mean(new == "bad"))


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"per_day": 0}, ValueError, "per_day=0 is not allowed"),
        ({"per_day": "many"}, ValueError, "a number above 0"),
        ({"per_day": True}, ValueError, "per_day=True"),
        ({"cost_matrix": [[0, 1, 2], [1, 0, 1], [1, 1, 0]]}, ValueError, r"\(3, 3\)"),
        ({"cost_matrix": [[5, 1], [1, 0]]}, ValueError, "dearer"),
        ({"label": 7}, ValueError, "label=7"),
    ],
)
def test_what_is_not_allowed_is_refused(tuned, halves, said, error, words):
    *_, X, y = halves
    with pytest.raises(error, match=words):
        report(tuned, X, y, **said)


def test_what_has_no_probabilities_is_refused(halves):
    *_, X, y = halves
    with pytest.raises(TypeError, match="no predict_proba"):
        report(LinearSVC().fit(X, y), X, y)


def test_rows_that_are_no_table_have_a_report_without_columns(halves):
    X, y, *_ = halves

    class Reads(ClassifierMixin, BaseEstimator):
        classes_ = np.array([0, 1])

        def fit(self, X, y):
            return self

        def predict_proba(self, X):
            p = np.array([float(text.split()[1]) for text in X])
            return np.column_stack([1 - p, p])

        def predict(self, X):
            return (self.predict_proba(X)[:, 1] > 0.5).astype(int)

        def __sklearn_is_fitted__(self):
            return True

    texts = [f"row {p:.3f}" for p in np.clip(0.2 + 0.5 * y + 0.01 * X[:, 0], 0, 1)]
    told = report(Reads(), texts, y)
    assert told.to_dict()["mistakes"]["columns"] == []
    assert told.to_html()


def test_sparse_rows_and_lists(logistic, pima):
    from scipy.sparse import csr_array

    X, y = pima
    classifier = LogisticRegression(max_iter=2000).fit(X, y)
    said = report(classifier, X, y).to_dict()
    for other in (csr_array(X), X.tolist()):
        assert report(classifier, other, y).to_dict()["mistakes"] == said["mistakes"]


def test_the_page_holds_the_figures_and_no_unfilled_place(found):
    page = found.to_html()
    said = found.to_dict()
    assert f'data-out="found">{said["confusion"]["tp"]:.0f}<' in page
    assert not re.search(r"\$\w", page)
    data = json.loads(re.search('id="data">(.*?)</script>', page)[1])
    assert data["cuts"]["tp"] == said["cuts"]["tp"]
    assert data["costs"][1][0] == pytest.approx(
        (1 - said["threshold"]["value"]) / said["threshold"]["value"], rel=0.01
    )
    for name in ("precision-recall", "threshold", "calibration", "learning"):
        svg = re.search(rf'<svg[^>]*data-plot="{name}".*?</svg>', page, re.S)[0]
        assert 'role="img"' in svg
        assert "<title" in svg
        assert "<desc" in svg
        assert not re.search("nan|inf", svg)


def test_the_function_is_not_hidden_by_a_module():
    import wbce.reporting

    assert wbce.report is wbce.reporting.report
    assert callable(wbce.report)
    assert "report" in dir(wbce)
