"""Rows with an estimator's scores and decisions, as displays and reports see them."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wbce import WeightedKerasClassifier
from wbce._scored_rows import ScoredRows, fitted_classifier


def small(**parameters):
    return WeightedKerasClassifier(
        "mlp", class_weight="balanced", epochs=15, random_state=0, **parameters
    )


@pytest.fixture(scope="module")
def tuned(cancer):
    X, y = cancer
    return small(threshold="auto", threshold_cv=False).fit(X, y)


def test_scores_and_decisions_are_the_estimators(tuned, cancer):
    X, y = cancer
    rows = ScoredRows.of_estimator(tuned, X, y)
    np.testing.assert_allclose(rows.proba, tuned.predict_proba(X)[:, 1], rtol=1e-12)
    tn, fp, fn, tp = confusion_matrix(y, tuned.predict(X)).ravel()
    assert rows.counts == (tp, fp, fn, tn)
    assert rows.threshold == tuned.threshold_
    assert rows.interval == tuned.threshold_interval_
    assert rows.base_rate == y.mean()
    raw = tuned.set_params(calibrate=False).predict_proba(X)[:, 1]
    tuned.set_params(calibrate=True)
    np.testing.assert_allclose(rows.raw_proba, raw, rtol=1e-6)


def test_the_positive_class_is_the_estimators_where_it_sorts_first(cancer):
    X, y = cancer
    names = np.where(y == 1, "bad", "good")
    classifier = small().fit(X, names)
    rows = ScoredRows.of_estimator(classifier, X, names)
    assert rows.pos_label == "bad"
    np.testing.assert_allclose(rows.proba, classifier.predict_proba(X)[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(rows.positive, names == "bad")
    np.testing.assert_array_equal(rows.called, classifier.predict(X) == "bad")
    np.testing.assert_allclose(rows.raw_log_odds, -classifier._logits(X, {}))
    with pytest.raises(ValueError, match="fit with pos_label='good'"):
        ScoredRows.of_estimator(classifier, X, names, label="good")


def test_pipelines_and_searches_are_looked_into(cancer):
    X, y = cancer
    pipeline = make_pipeline(StandardScaler(), small())
    grid = {"weightedkerasclassifier__epochs": [2]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="average_precision").fit(X, y)
    rows = ScoredRows.of_estimator(search, X, y)
    np.testing.assert_allclose(rows.proba, search.predict_proba(X)[:, 1], rtol=1e-12)
    assert fitted_classifier(search) is search.best_estimator_[-1]
    assert rows.name == "WeightedKerasClassifier"
    with pytest.raises(ValueError, match="refit=False"):
        ScoredRows.of_estimator(search.set_params(refit=False).fit(X, y), X, y)


def test_weightless_rows_are_left_out(tuned, cancer):
    X, y = cancer
    weight = np.ones(len(y))
    weight[::3] = 0
    rows = ScoredRows.of_estimator(tuned, X, y, sample_weight=weight)
    np.testing.assert_array_equal(rows.kept, np.flatnonzero(weight))
    np.testing.assert_allclose(rows.proba, tuned.predict_proba(X[rows.kept])[:, 1], rtol=1e-12)
    np.testing.assert_array_equal(rows.positive, y[rows.kept] == 1)


def test_one_class_of_several_is_compared_with_the_rest(iris):
    X, y = iris
    classifier = small().fit(X, y)
    rows = ScoredRows.of_estimator(classifier, X, y, label=2)
    np.testing.assert_allclose(rows.proba, classifier.predict_proba(X)[:, 2], rtol=1e-9)
    np.testing.assert_array_equal(rows.called, classifier.predict(X) == 2)
    assert rows.threshold is None
    with pytest.raises(ValueError, match=r"pass label=.*\[0, 1, 2\]"):
        ScoredRows.of_estimator(classifier, X, y)
    with pytest.raises(ValueError, match="label=7 is unknown"):
        ScoredRows.of_estimator(classifier, X, y, label=7)


def test_one_label_of_several(iris):
    X, y = iris
    labels = np.column_stack([y == 1, y > 0]).astype(int)
    classifier = small(threshold=[0.3, 0.6]).fit(X, labels)
    rows = ScoredRows.of_estimator(classifier, X, labels, label=1)
    np.testing.assert_allclose(rows.proba, classifier.predict_proba(X)[:, 1], rtol=1e-12)
    assert rows.threshold == 0.6
    np.testing.assert_array_equal(rows.positive, labels[:, 1] == 1)
    with pytest.raises(ValueError, match="0 to 1"):
        ScoredRows.of_estimator(classifier, X, labels, label=2)
    with pytest.raises(ValueError, match="a column for each of the 2 labels"):
        ScoredRows.of_estimator(classifier, X, y, label=1)


def test_other_peoples_classifiers(cancer):
    X, y = cancer
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    rows = ScoredRows.of_estimator(classifier, X, y)
    np.testing.assert_allclose(rows.proba, classifier.predict_proba(X)[:, 1], rtol=1e-9)
    assert rows.threshold == 0.5
    assert rows.raw_proba is None
    assert rows.classifier is None


@pytest.mark.parametrize("names", [(0, 1), ("bad", "good")])
def test_thresholds_of_scikit_learn_are_those_of_the_label(cancer, names):
    X, y = StandardScaler().fit_transform(cancer[0]), np.asarray(names)[cancer[1]]
    tuned = TunedThresholdClassifierCV(LogisticRegression(), cv=3, store_cv_results=True).fit(X, y)
    fixed = FixedThresholdClassifier(LogisticRegression(), threshold=0.2).fit(X, y)
    for classifier, cut in ((tuned, tuned.best_threshold_), (fixed, 0.2)):
        for k, threshold in ((1, cut), (0, 1 - cut)):
            rows = ScoredRows.of_estimator(classifier, X, y, label=names[k])
            assert rows.threshold == pytest.approx(threshold)
            np.testing.assert_array_equal(rows.proba > rows.threshold, rows.called)
            np.testing.assert_array_equal(rows.called, classifier.predict(X) == names[k])


def test_a_threshold_of_other_scores_is_no_probability(cancer):
    X, y = StandardScaler().fit_transform(cancer[0]), cancer[1]
    for classifier in (
        TunedThresholdClassifierCV(LogisticRegression(), response_method="decision_function"),
        FixedThresholdClassifier(
            LogisticRegression(), threshold=0.3, response_method="decision_function"
        ),
    ):
        rows = ScoredRows.of_estimator(classifier.fit(X, y), X, y)
        assert rows.threshold is None
        np.testing.assert_array_equal(rows.called, classifier.predict(X) == 1)


def test_pipelines_with_samplers_show_rows_as_they_predict_them(cancer):
    over_sampling = pytest.importorskip("imblearn.over_sampling")
    from imblearn.pipeline import make_pipeline as with_samplers

    X, y = cancer
    for steps in (
        [StandardScaler(), over_sampling.RandomOverSampler(random_state=0)],
        [over_sampling.RandomOverSampler(random_state=0), "passthrough"],
    ):
        pipeline = with_samplers(*steps, small()).fit(X, y)
        rows = ScoredRows.of_estimator(pipeline, X, y)
        np.testing.assert_allclose(rows.proba, pipeline.predict_proba(X)[:, 1], rtol=1e-12)
        assert rows.classifier is pipeline[-1]


def test_optunas_search_is_looked_into(cancer):
    optuna = pytest.importorskip("optuna")
    integration = pytest.importorskip("optuna_integration")
    X, y = cancer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna's own
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        space = {"pos_weight": optuna.distributions.FloatDistribution(1, 2)}
        classifier = small(threshold=0.3).set_params(class_weight=None)
        search = integration.OptunaSearchCV(classifier, space, cv=2, n_trials=1).fit(X, y)
        optuna.logging.set_verbosity(optuna.logging.INFO)
    rows = ScoredRows.of_estimator(search, X, y)
    assert rows.classifier is search.best_estimator_
    assert rows.threshold == 0.3


@pytest.mark.parametrize("form", [sparse.coo_matrix, sparse.csc_array, sparse.dok_matrix])
def test_weightless_rows_of_any_sparse_form_are_left_out(cancer, form):
    X, y = cancer
    classifier = LogisticRegression(max_iter=10_000).fit(X, y)
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    rows = ScoredRows.of_estimator(classifier, form(X), y, sample_weight=weight)
    np.testing.assert_allclose(rows.proba, classifier.predict_proba(X[weight > 0])[:, 1])


def test_several_labels_of_others_are_refused(cancer):
    X, y = cancer
    labels = np.column_stack([y, 1 - y])
    classifier = OneVsRestClassifier(LogisticRegression(max_iter=10_000)).fit(X, labels)
    with pytest.raises(ValueError, match="probabilities of one label to from_predictions"):
        ScoredRows.of_estimator(classifier, X, labels, label=0)


def test_probabilities_that_are_there_already():
    y, proba = np.array([0, 0, 1, 1]), np.array([0.0, 0.4, 0.35, 1.0])
    rows = ScoredRows.of_predictions(y, proba, threshold=0.38)
    np.testing.assert_allclose(rows.proba, proba, atol=1e-12)
    assert rows.counts == (1, 1, 1, 1)
    assert np.isfinite(rows.log_odds).all()
    assert len(rows.curve) == 5
    rare = ScoredRows.of_predictions(["b", "b", "a"], [0.1, 0.2, 0.9])
    assert rare.pos_label == "a"
    assert ScoredRows.of_predictions(["b", "a"], [0.1, 0.9], pos_label="b").pos_label == "b"


@pytest.mark.parametrize(
    ("y", "proba", "said", "words"),
    [
        ([0, 1], [0.2, 1.2], {}, "from 0.2 to 1.2"),
        ([0, 1], [0.2, np.nan], {}, "none is missing"),
        ([0, 1], [0.2], {}, "each of the 2 rows"),
        ([0, 1], [[0.2, 0.8], [0.1, 0.9]], {}, r"predict_proba\(X\)\[:, 1\]"),
        ([0, 1], ["a", "b"], {}, "no numbers"),
        ([0, 1, 2], [0.2, 0.3, 0.4], {}, "two classes are expected"),
        ([1, 1], [0.2, 0.3], {}, "two classes are expected"),
        ([0, 1], [0.2, 0.3], {"threshold": 2}, "threshold=2 is not allowed"),
        ([0, 1], [0.2, 0.3], {"pos_label": 5}, "pos_label=5 is not one"),
    ],
)
def test_what_is_no_probability_is_refused(y, proba, said, words):
    with pytest.raises(ValueError, match=words):
        ScoredRows.of_predictions(y, proba, **said)


def test_rows_of_one_class_or_of_unknown_ones_say_nothing(tuned, cancer):
    X, y = cancer
    with pytest.raises(ValueError, match="no rows of 1"):
        ScoredRows.of_estimator(tuned, X[y == 0], y[y == 0])
    with pytest.raises(ValueError, match=r"labels \[7\]"):
        ScoredRows.of_estimator(tuned, X, np.where(y == 0, 7, y))


def test_rows_and_labels_that_do_not_fit_are_refused(tuned, cancer):
    X, y = cancer
    for rows, labels in ((X, y[:-1]), (X[:-1], y), (X.tolist(), y[:-1])):
        with pytest.raises(ValueError, match=f"X has {len(rows)} rows and y has {len(labels)}"):
            ScoredRows.of_estimator(tuned, rows, labels)


def test_what_has_no_probabilities_is_refused(cancer):
    X, y = cancer
    for wrong in (WeightedKerasClassifier, "clf", StandardScaler().fit(X)):
        with pytest.raises(TypeError, match=r"estimator|predict_proba"):
            ScoredRows.of_estimator(wrong, X, y)


def test_extreme_scores_stay_finite():
    rows = ScoredRows.of_predictions([0, 1], [0.0, 1.0])
    np.testing.assert_array_equal(rows.proba, expit(rows.log_odds))
    assert rows.curve.f1.max() == 1
