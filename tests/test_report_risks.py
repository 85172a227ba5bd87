"""Each risk of the report: where it is said, and where it is not."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tables import table
from wbce import WeightedKerasClassifier, report
from wbce._scored_rows import ScoredRows
from wbce.reporting import _risks as risks
from wbce.reporting._findings import _figure_within
from wbce.reporting._leaks import Copies, copies_of, counters, separations
from wbce.reporting._table import table_of


def names(told):
    return [risk.name for risk in told.risks]


@pytest.fixture(scope="module")
def pima():
    X, y = table("pima")
    order = np.random.default_rng(0).permutation(len(y))
    return X[order], y[order]


def logistic(X, y, **said):
    return make_pipeline(StandardScaler(), LogisticRegression(**said)).fit(X, y)


def test_a_sound_classifier_has_none(pima):
    X, y = pima
    told = report(logistic(X[:384], y[:384]), X[384:], y[384:])
    assert told.risks == []
    assert "None was found" in str(told)
    assert "None was found" in told.to_html()


@pytest.mark.parametrize(
    ("risk", "healthy"),
    [
        (risks.few_positives(29, (0.6, 0.9)), risks.few_positives(30, (0.6, 0.9))),
        (risks.answers_only_one_way(0, 50, "1"), risks.answers_only_one_way(1, 50, "1")),
        (risks.answers_only_one_way(50, 50, "1"), risks.answers_only_one_way(49, 50, "1")),
        (
            risks.no_better_than_base_rate((0.49, 0.51), 0.1, 0.2),
            risks.no_better_than_base_rate((0.51, 0.6), 0.1, 0.2),
        ),
        (
            risks.no_better_than_base_rate((0.8, 0.9), 0.3, 0.2),
            risks.no_better_than_base_rate((None, None), 0.1, 0.2),
        ),
        (risks.too_good(0.9995, 10), risks.too_good(0.998, 100)),
        (risks.too_good(1.0, 10), risks.too_good(1.0, 9)),
        (
            risks.separating_columns(["a", "b"], [0.6, 0.995], 40),
            risks.separating_columns(["a", "b"], [0.6, 0.985], 40),
        ),
        (risks.row_numbers(["id"]), risks.row_numbers([])),
        (risks.copies(Copies(4, 5, False), 900, 40), risks.copies(Copies(4, 3, True), 900, 40)),
        (risks.copies(Copies(90, 0, True), 900, 40), risks.copies(Copies(90, 0, False), 900, 40)),
        (
            risks.other_base_rate(0.1, (0.08, 0.12), 0.05),
            risks.other_base_rate(0.1, (0.08, 0.12), 0.09),
        ),
        (
            risks.other_base_rate(0.1, (0.08, 0.12), 0.2),
            risks.other_base_rate(0.1, (0.04, 0.2), 0.05),
        ),
        (risks.untrue_sum(20, 40, (30, 52)), risks.untrue_sum(35, 40, (30, 52))),
        (risks.untrue_sum(80, 40, (30, 52)), risks.untrue_sum(55, 45, (34, 56))),
        (risks.untrue_spread(0.5, (0.3, 0.8), 30), risks.untrue_spread(0.5, (0.1, 1.1), 30)),
        (risks.untrue_spread(1.6, (1.2, 2.0), 30), risks.untrue_spread(1.2, (1.1, 1.3), 30)),
        (risks.untrue_spread(0.79, (0.6, 0.99), 30), risks.untrue_spread(0.5, (0.3, 0.8), 29)),
        (
            risks.noisy_threshold((0.1, 0.4), (0.4, 0.6)),
            risks.noisy_threshold((0.1, 0.4), (0.57, 0.6)),
        ),
        (
            risks.noisy_threshold((0.1, 0.26), (0.4, 0.6)),
            risks.noisy_threshold((0.1, 0.24), (0.4, 0.6)),
        ),
        (
            risks.noisy_threshold((0.1, 0.4), (-0.6, -0.5), "minus the mean cost of a row"),
            risks.noisy_threshold((0.1, 0.4), (-0.6, -0.55), "minus the mean cost of a row"),
        ),
        (
            risks.noisy_threshold((0.0, 0.2), (0.4, 0.6)),
            risks.noisy_threshold((0.0, 0.0), (0.4, 0.6)),
        ),
        (risks.default_threshold(0.3, 0.6, -2, 0.2), risks.default_threshold(0.5, 0.6, -2, 0.4)),
        (
            risks.untrue_spread(0.5, (0.3, 0.8), 30),
            risks.untrue_spread(None, (None, None), 30),
        ),
        (risks.accuracy_misleads(0.9, 0.9), risks.accuracy_misleads(0.91, 0.9)),
        (risks.raw_probabilities(False, 0.1), risks.raw_probabilities(True, 0.1)),
        (risks.raw_probabilities(False, 0.1), risks.raw_probabilities(False, 0.001)),
    ],
)
def test_each_is_said_where_it_is_and_only_there(risk, healthy):
    assert healthy is None
    assert risk.severity in risks.SEVERITIES
    for said in (risk.words, risk.advice):
        assert said[0].isupper() or said[0] in "'0123456789p"
        assert said.endswith((".", "?"))
    assert "nan" not in str(risk)


def test_the_worst_come_first():
    found = [risks.accuracy_misleads(0, 1), None, risks.few_positives(3, (0, 1))]
    assert [risk.severity for risk in risks.in_order(found)] == ["serious", "note"]


def test_other_peoples_classifiers_get_advice_that_they_can_follow():
    for risk in (
        risks.untrue_spread(0.5, (0.3, 0.8), 30, ours=False),
        risks.untrue_sum(20, 40, (30, 52), ours=False),
        risks.answers_only_one_way(0, 50, "1", ours=False),
        risks.no_better_than_base_rate((0.8, 0.9), 0.3, 0.2, ours=False),
    ):
        assert "scikit-learn" in risk.advice
        assert "calibrate=" not in risk.advice


def test_scores_that_are_all_the_same_rank_nothing(pima):
    X, y = pima
    told = report(DummyClassifier().fit(X, y), X, y)
    assert {"one_answer", "no_better_than_base_rate"} <= {*names(told)}
    assert "default_threshold" not in names(told)
    assert "may still be good" not in str(told)


def test_few_positives_are_counted_as_they_are():
    assert str(risks.few_positives(1, (0, 0.7))).startswith("Only 1 positive row is here: ")
    assert "and 1 is here" in str(risks.untrue_sum(7.5, 1, (0, 4)))
    weighted = str(risks.few_positives(25.3, (0.1, 0.7), 32))
    assert weighted.startswith("32 positive rows are here, whose weights differ: they say as much")


def test_scores_the_wrong_way_round_are_no_matter_of_confidence(pima):
    X, y = pima
    told = report(logistic(X[:384], 1 - y[:384]), X[384:], y[384:])
    assert "worse_than_chance" in names(told)
    assert not {"overconfident", "no_better_than_base_rate"} & {*names(told)}
    assert "wrong way round" in str(told)


@pytest.mark.parametrize(
    ("objective", "figure"),
    [("f2", "F2"), ({"max_fpr": 0.1}, "recall"), ("cost", "minus the mean cost of a row")],
)
def test_a_threshold_is_noise_by_what_it_was_tuned_for(pima, objective, figure):
    X, y = pima
    clf = WeightedKerasClassifier(
        "linear",
        epochs=5,
        threshold="auto",
        threshold_objective=objective,
        cost_matrix=[[0, 1], [9, 0]] if objective == "cost" else None,
        random_state=0,
    ).fit(X[:60], y[:60])
    rows = ScoredRows.of_estimator(clf, X[384:], y[384:])
    low, high = rows.interval.threshold
    least, most = _figure_within(rows)
    far = (rows.log_odds.min() - 1, rows.log_odds.max() + 1)
    cuts = expit(np.linspace(*np.clip(logit([low, high]), *far), 50))
    values = []
    for cut in cuts:
        _, fp, fn, tp = confusion_matrix(rows.positive, rows.proba > cut).ravel()
        values.append(
            {
                "F2": 5 * tp / (5 * tp + 4 * fn + fp),
                "recall": tp / (tp + fn),
                "minus the mean cost of a row": -(fp + 9 * fn) / len(rows.positive),
            }[figure]
        )
    assert (least, most) == pytest.approx((min(values), max(values)))
    noisy = [risk for risk in report(clf, X[384:], y[384:]).risks if "noisy" in risk.name]
    assert all(f"and {figure} here is between" in risk.words for risk in noisy)


def test_columns_that_were_not_looked_at_are_said_to_be_none(pima):
    X, y = pima
    clf = logistic(X[:384], y[:384])
    wide = np.hstack([np.zeros((384, 300)), X[384:]])
    last = make_pipeline(FunctionTransformer(lambda rows: rows[:, -X.shape[1] :]), clf)
    last.fit(np.hstack([np.zeros((384, 300)), X[:384]]), y[:384])
    for rows in (wide, csr_matrix(wide)):
        told = report(last if rows is wide else _Dense(last), rows, y[384:])
        # equal in the columns that were looked at is no copy
        assert not {"contradictions", "copies"} & {*names(told)}
        for said in (str(told), told.to_html()):
            assert "Only the first 300 columns were looked at" in " ".join(said.split())
        assert told.to_dict()["columns"] == {"looked_at": 300, "left_out": X.shape[1]}
    assert "first 300" not in str(report(clf, X[384:], y[384:]))


class _Dense(ClassifierMixin, BaseEstimator):
    """An estimator that takes sparse rows."""

    def __init__(self, estimator):
        self._estimator, self.classes_ = estimator, estimator.classes_

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self._estimator.predict(X.toarray())

    def predict_proba(self, X):
        return self._estimator.predict_proba(X.toarray())


def test_an_overconfident_classifier_is_found(pima):
    X, y = pima
    overfitted = logistic(X[:40], y[:40], C=1e4)
    overfitted[-1].coef_ *= 3
    assert "overconfident" in names(report(overfitted, X[384:], y[384:]))


def test_a_column_that_holds_the_label_is_found_whatever_its_type(pima):
    X, y = pima
    generator = np.random.default_rng(1)
    missing = np.where(y == 1, np.nan, 5.0)
    frame = pd.DataFrame(
        {
            "number": y + generator.normal(scale=0.1, size=len(y)),
            "falling": -y + generator.normal(scale=0.1, size=len(y)),
            "missing": missing,
            "category": np.where(y == 1, "desk", "none"),
            "fine": X[:, 1],
            "city": generator.choice(list("abcdefghij"), len(y)),
            "name": [f"n {i}" for i in range(len(y))],
        }
    )
    found = table_of(frame, np.arange(len(y)))
    separation = dict(zip(found.names, separations(found, y == 1), strict=True))
    for name in ("number", "falling", "missing", "category"):
        assert separation[name] > 0.99, name
    for name in ("fine", "city", "name"):
        assert 0.5 <= separation[name] < 0.85, name
    told = report(logistic(X[:384], y[:384]), X[384:], y[384:])
    assert "leakage" not in names(told)
    leaky = np.column_stack([X, frame["number"]])
    told = report(logistic(leaky[:384], y[:384]), leaky[384:], y[384:])
    assert names(told)[0] == "leakage"
    assert "'column 8'" in told.risks[0].words


def test_separation_is_the_area_under_the_roc_curve(pima):
    from sklearn.metrics import roc_auc_score

    X, y = pima
    found = separations(table_of(X, np.arange(len(y))), y == 1)
    for column, area in zip(X.T, found, strict=True):
        direct = roc_auc_score(y, column)
        assert area == pytest.approx(max(direct, 1 - direct))


def test_columns_that_number_the_rows_are_found(pima):
    X, y = pima
    n = len(y)
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "id": generator.permutation(10 * n)[:n],
            "key": [f"k{i}" for i in generator.permutation(n)],
            "amount": generator.integers(0, 10 * n, n),
            "measured": generator.normal(size=n),
            "note": [f"note no {i}" for i in range(n)],
            "when": pd.date_range("2024-01-01", periods=n, freq="s"),
        }
    )
    assert counters(table_of(frame, np.arange(n))) == ["id", "key"]
    assert counters(table_of(X, np.arange(n))) == []
    told = report(logistic(X, y), pd.DataFrame(X).assign(x=1).to_numpy()[:, :8], y)
    assert "row_number" not in names(told)


def test_copies_and_contradictions_are_counted(pima):
    X, y = pima
    X, positive = X[:300], y[:300] == 1
    assert copies_of(table_of(X, np.arange(300)), positive) == Copies(0, 0, True)
    twice = np.concatenate([X, X[:30]])
    same = np.concatenate([positive, positive[:30]])
    assert copies_of(table_of(twice, np.arange(330)), same) == Copies(60, 0, True)
    other = np.concatenate([positive, ~positive[:30]])
    assert copies_of(table_of(twice, np.arange(330)), other) == Copies(60, 30, True)
    rough = (X[:, :2] > X[:, :2].mean(axis=0)).astype(float)
    assert not copies_of(table_of(rough, np.arange(300)), positive).from_measurements


def test_rows_of_another_base_rate_are_noticed(pima):
    X, y = pima
    classifier = WeightedKerasClassifier("linear", epochs=5, random_state=0, calibrate=False)
    classifier.set_params(class_weight={0: 1, 1: 8}).fit(X[:384], y[:384])
    rare = np.r_[np.flatnonzero(y[384:] == 0), np.flatnonzero(y[384:] == 1)[:32]] + 384
    found = names(report(classifier, X[rare], y[rare]))
    assert "base_rate" in found
    assert "untrue_sum" not in found
    assert "raw_probabilities" in found


def test_a_cut_that_nobody_chose_is_noticed_and_one_that_costs_ask_for_is_not():
    generator = np.random.default_rng(0)
    y = (generator.random(4000) < 0.04).astype(int)
    X = generator.normal(size=(4000, 3)) + 0.6 * y[:, None]
    classifier = LogisticRegression().fit(X[:2000], y[:2000])
    X, y = X[2000:], y[2000:]
    assert "default_threshold" in names(report(classifier, X, y))
    assert "default_threshold" not in names(report(classifier, X, y, cost_matrix=[[0, 1], [1, 0]]))
