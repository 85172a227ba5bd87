"""Thresholds in the estimator: where their scores come from, and what becomes of them."""

import copy
import pickle

import keras
import numpy as np
import pytest
from scipy.special import logit
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer, recall_score
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import wbce
from wbce import WeightedKerasClassifier
from wbce.decisions import ThresholdCurve, binary_objective, choose, threshold_curve


def clf(**parameters):
    return WeightedKerasClassifier(
        **{"model": "mlp", "epochs": 6, "random_state": 0, "threshold": "auto", **parameters}
    )


def spread(cancer, n=417):
    """Breast cancer, 60 of 417 malignant, in an order without meaning, two columns."""
    X, y = cancer
    order = np.random.default_rng(0).permutation(len(y))[:n]
    return X[order][:, [0, 6, 21, 27]], y[order]


@pytest.fixture(scope="module")
def data(cancer):
    return spread(cancer)


@pytest.fixture(scope="module")
def four_classes():
    """The classic case: 198, 436, 710 and 272 rows of four classes that overlap."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(4), [198, 436, 710, 272])
    rng.shuffle(y)
    centres = np.array([[0, 0, 1], [1.2, 0, 0], [0.6, 0.9, 0], [1.5, 1.5, 1]])
    return rng.normal(size=(len(y), 3)) + centres[y], y


@pytest.fixture(scope="module")
def labelled(data):
    """Three labels that do not exclude each other: malignant; large; and rough or malignant."""
    X, y = data
    rough = X[:, 2] > np.quantile(X[:, 2], 0.8)
    return X, np.column_stack([y, X[:, 0] > np.quantile(X[:, 0], 0.85), rough | (y == 1)]).astype(
        int
    )


# ---------------------------------------------------------------- rows that judge


def holding_out(monkeypatch, model, X, y, **arguments):
    """Fit, and return the row numbers of every training and of the rows that judged it.

    The last column of X numbers the rows.
    """
    seen = []
    train = wbce._fit_steps.FitSteps._train

    def recording(self, rows, judge, **given):
        seen.append((rows.X[:, -1].astype(int), None if judge is None else judge.X[:, -1]))
        return train(self, rows, judge, **given)

    monkeypatch.setattr(wbce._fit_steps.FitSteps, "_train", recording)
    numbered = np.column_stack([X, np.arange(len(X))])
    model.fit(numbered, y, **arguments)
    return [(a, None if b is None else b.astype(int)) for a, b in seen]


def test_the_last_rows_judge(monkeypatch, data):
    X, y = data
    ((train, judge),) = holding_out(
        monkeypatch, clf(validation_split=("last", 0.2), epochs=2), X, y
    )
    np.testing.assert_array_equal(judge, np.arange(334, 417))
    np.testing.assert_array_equal(np.sort(train), np.arange(334))


@pytest.mark.parametrize("splitter", [GroupKFold(4), GroupShuffleSplit(1, test_size=0.3), 0.25])
def test_groups_judge_whole(monkeypatch, data, splitter):
    X, y = data
    groups = np.arange(417) // 9
    model = clf(validation_split=splitter, threshold_cv=False, epochs=2)
    ((train, judge),) = holding_out(monkeypatch, model, X, y, groups=groups)
    assert not set(groups[train]) & set(groups[judge])
    assert len(train) + len(judge) == 417


def test_time_series_splitters_train_on_what_came_before(monkeypatch, data):
    X, y = data
    model = clf(validation_split=TimeSeriesSplit(4, gap=5), epochs=2)
    ((train, judge),) = holding_out(monkeypatch, model, X, y)
    assert train.max() + 5 < judge.min()
    assert judge.max() == 416


@pytest.mark.parametrize("cv", [4, StratifiedKFold(4, shuffle=True, random_state=1)])
def test_out_of_fold_every_row_is_judged_once_and_trained_on_last(monkeypatch, data, cv):
    X, y = data
    seen = holding_out(monkeypatch, clf(threshold_cv=cv, epochs=2), X, y)
    *folds, (last, nobody) = seen
    assert nobody is None
    np.testing.assert_array_equal(np.sort(last), np.arange(417))
    np.testing.assert_array_equal(np.sort(np.concatenate([j for _, j in folds])), np.arange(417))
    assert len(folds) == 4
    assert all(not np.intersect1d(t, j).size for t, j in folds)


def test_out_of_fold_groups_stay_together(monkeypatch, data):
    X, y = data
    groups = np.arange(417) // 9
    for cv in (4, GroupKFold(4)):
        model = clf(threshold_cv=cv, epochs=2)
        *folds, _ = holding_out(monkeypatch, model, X, y, groups=groups)
        assert all(not set(groups[t]) & set(groups[j]) for t, j in folds)
        monkeypatch.undo()


def test_few_positives_are_judged_out_of_fold_by_themselves(monkeypatch, data):
    X, y = data  # 60 positives: 6 of a tenth, 30 of a half
    assert len(holding_out(monkeypatch, clf(epochs=2), X, y)) == 6
    monkeypatch.undo()
    for parameters in (
        {"validation_split": 0.5},
        {"threshold_cv": False},
        {"threshold": 0.3},
        {"validation_split": ("last", 0.4)},
        {"callbacks": [keras.callbacks.TerminateOnNaN()]},
    ):
        assert len(holding_out(monkeypatch, clf(epochs=2, **parameters), X, y)) == 1
        monkeypatch.undo()
    with_rows = holding_out(
        monkeypatch, clf(epochs=2), X, y, X_val=np.column_stack([X, y]), y_val=y
    )
    assert len(with_rows) == 1


def test_the_last_network_trains_for_the_median_of_the_best_epochs(data):
    X, y = data
    model = clf(threshold_cv=5, epochs=40, n_iter_no_change=3, early_stopping=True).fit(X, y)
    best, scores = [], []
    folds = StratifiedKFold(5, shuffle=True, random_state=model._draw_seed())
    for number, (train, held) in enumerate(folds.split(X, y)):
        alone = clone(model).set_params(
            threshold=None, threshold_cv=None, random_state=model._draw_seed() + 1 + number
        )
        alone.fit(X[train], y[train], X_val=X[held], y_val=y[held])
        best.append(alone.best_epoch_)
        scores.append(alone.validation_score_)
    assert model.best_epoch_ == model.n_iter_ == round(np.median(best))
    assert model.validation_score_ == pytest.approx(np.mean(scores))
    plain = clf(threshold=None, early_stopping=False, epochs=model.n_iter_).fit(X, y)
    np.testing.assert_array_equal(plain.predict_proba(X), model.predict_proba(X))


def test_scores_out_of_fold_are_those_of_each_fold_s_posterior(data):
    X, y = data
    model = clf(threshold_cv=4, class_weight="balanced", early_stopping=False).fit(X, y)
    seed = model._draw_seed()
    scores = np.full(len(y), np.nan)
    folds = StratifiedKFold(4, shuffle=True, random_state=seed).split(X, y)
    for number, (train, held) in enumerate(folds):
        alone = clf(threshold=None, class_weight="balanced", early_stopping=False)
        alone.set_params(random_state=seed + 1 + number).fit(X[train], y[train])
        scores[held] = logit(alone.predict_proba(X[held])[:, 1])
    curve = threshold_curve(scores, y == 1, np.ones(len(y)))
    place, curve = choose(curve, binary_objective("f1"), exact=False)
    assert model.threshold_ == pytest.approx(curve.threshold[place], rel=1e-4)
    assert model.threshold_score_ == pytest.approx(curve.objective[place])


def test_a_fit_out_of_fold_is_the_same_twice_and_in_a_pipeline(data):
    X, y = data
    a, b = (make_pipeline(StandardScaler(), clf(threshold_cv=3)).fit(X, y) for _ in range(2))
    assert a[-1].threshold_ == b[-1].threshold_
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    assert pickle.loads(pickle.dumps(a))[-1].threshold_curve_.f1.max() > 0
    assert np.isfinite(cross_val_score(a, X, y, cv=2, scoring="f1")).all()


def test_folds_side_by_side_are_those_one_by_one(data):
    import joblib

    X, y = data
    alone = clf(threshold_cv=4).fit(X, y)
    with joblib.parallel_config("threading", n_jobs=2):
        together = clf(threshold_cv=4).fit(X, y)
    assert together.threshold_ == alone.threshold_
    np.testing.assert_array_equal(together.predict_proba(X), alone.predict_proba(X))


def test_groups_are_routed(data):
    import sklearn

    X, y = data
    groups = np.arange(417) // 9
    with sklearn.config_context(enable_metadata_routing=True):
        model = clf(epochs=2, validation_split=GroupKFold(2)).set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, y, groups=groups)
        assert pipeline[-1].threshold_ > 0
        scores = cross_val_score(
            make_pipeline(StandardScaler(), model),
            X,
            y,
            cv=GroupKFold(3),
            params={"groups": groups},
            scoring="f1",
        )
    assert np.isfinite(scores).all()


def test_sample_weight_out_of_fold_is_that_of_repeated_rows(data):
    X, y = data
    weight = np.where(y == 1, 3.0, 1.0)
    model = clf(threshold_cv=3).fit(X, y, sample_weight=weight)
    curve = model.threshold_curve_
    assert curve.tp[-1] == 3 * y.sum()
    assert curve.fp[-1] == (y == 0).sum()


def test_losses_without_a_posterior_are_calibrated_out_of_fold(data):
    X, y = data
    model = clf(loss="tversky", threshold_cv=3, epochs=20).fit(X, y)
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.1)
    assert model.predict_proba(X)[y == 1, 1].mean() > 0.5


def test_deferred_weights_come_when_they_came_in_the_folds(data):
    X, y = data
    model = clf(
        loss="ldam", loss__deferral=0.5, class_weight="balanced", threshold_cv=3, epochs=8
    ).fit(X, y)
    assert model.n_iter_ > 4
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.1)


# ---------------------------------------------------------------- what is chosen for


@pytest.mark.parametrize(
    "said",
    ["f2", "mcc", "g_mean", "cost", {"min_recall": 0.9}, {"max_fpr": 0.05}, {"max_alarms": 0.1}],
)
def test_objectives_of_the_estimator(data, said):
    X, y = data
    costs = [[0, 1], [7, 0]]
    parameters = {"threshold_objective": said, "cost_matrix": costs, "threshold": "exact"}
    model = clf(**parameters).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    z = logit(model.predict_proba(X[200:])[:, 1])
    curve = threshold_curve(z, y[200:] == 1, np.ones(217))
    _, curve = choose(curve, binary_objective(said, costs), exact=True)
    assert model.threshold_score_ == pytest.approx(np.nanmax(curve.objective))
    called = model.predict(X[200:]) == 1
    assert called.sum() in curve.alarms[curve.objective == np.nanmax(curve.objective)]


def test_costs_are_those_of_the_positive_class_wherever_it_sorts(data):
    X, y = data
    names = np.array(["legit", "fraud"])  # "fraud" sorts first
    costs = np.array([[0, 7], [1, 0]])  # rows and columns in the order of classes_
    named = clf(threshold_objective="cost", cost_matrix=costs, threshold_cv=3).fit(X, names[y])
    coded = clf(threshold_objective="cost", cost_matrix=costs.T, threshold_cv=3).fit(X, y)
    assert named.threshold_score_ == pytest.approx(coded.threshold_score_, abs=0.1)
    assert (named.predict(X) == "fraud").mean() > 0.15  # a missed fraud costs seven alarms


def test_auto_and_exact_differ_and_predict_does_what_the_curve_says(data):
    X, y = data
    models = {how: clf(threshold=how, threshold_cv=4).fit(X, y) for how in ("auto", "exact")}
    exact, auto = models["exact"], models["auto"]
    assert exact.threshold_score_ == np.nanmax(exact.threshold_curve_.objective)
    assert auto.threshold_score_ <= exact.threshold_score_
    for model in models.values():
        p = model.predict_proba(X)[:, 1]
        np.testing.assert_array_equal(model.predict(X) == 1, p > model.threshold_)
        interval = model.threshold_interval_
        assert interval.threshold[0] <= model.threshold_ <= interval.threshold[1]
        assert interval.objective[0] <= model.threshold_score_ <= interval.objective[1]


def test_what_has_no_interval():
    assert not hasattr(clf(), "threshold_interval_")


# ---------------------------------------------------------------- tuning after the fit


def test_tuning_again_leaves_the_network_alone(data):
    X, y = data
    model = clf(threshold_cv=False, validation_split=0.3).fit(X[:250], y[:250])
    p = model.predict_proba(X)
    weight = np.where(y == 1, 2.0, 1.0)
    assert model.tune_threshold(X, y, objective="f2", sample_weight=weight) is model
    np.testing.assert_array_equal(model.predict_proba(X), p)
    curve = model.threshold_curve_
    assert curve.tp[-1] == 2 * y.sum()
    _, expected = choose(curve, binary_objective("f2"), exact=True)
    np.testing.assert_array_equal(curve.objective, expected.objective)
    np.testing.assert_array_equal(model.predict(X) == 1, p[:, 1] > model.threshold_)
    by_default = copy.deepcopy(model).tune_threshold(X, y).threshold_curve_.objective
    np.testing.assert_allclose(by_default, model.tune_threshold(X, y).threshold_curve_.f1)


@pytest.mark.parametrize("threshold", [None, 0.3])
def test_any_fitted_estimator_can_be_tuned(data, threshold):
    X, y = data
    model = clf(threshold=threshold, cost_matrix=[[0, 1], [3, 0]]).fit(X[:250], y[:250])
    model.tune_threshold(X[250:], y[250:], objective={"max_alarms": 20})
    assert model.predict(X[250:]).sum() == 20
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.threshold_interval_ == model.threshold_interval_
    assert model.fit(X[:250], y[:250]).threshold_ == (threshold or pytest.approx(0.25))


BAD_TUNING = {
    "unknown": ({"objective": "f1_score"}, "is not known"),
    "infeasible": ({"objective": {"min_precision": 1.0, "min_recall": 1.0}}, "cannot be met"),
    "costs": ({"objective": "cost"}, "needs the costs"),
    "no positives": ({"y": 0}, "without a positive row"),
    "only positives": ({"y": 1}, "without a negative row"),
    "other labels": ({"y": 5}, r"y has labels that the fit did not have: \[5\]"),
    "weights": ({"sample_weight": -np.ones(417)}, "sample_weight has 417 negative"),
    "prior": ({"prior": 2}, "prior=2"),
}


@pytest.mark.parametrize("case", BAD_TUNING)
def test_bad_tuning_leaves_the_estimator_as_it_was(data, case):
    X, y = data
    arguments, message = BAD_TUNING[case]
    model = clf(threshold_cv=False, validation_split=0.3).fit(X, y)
    before = dict(vars(model))
    arguments = dict(arguments)
    labels = np.full(417, arguments.pop("y")) if "y" in arguments else y
    with pytest.raises(ValueError, match=message):
        model.tune_threshold(X, labels, **arguments)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


# ---------------------------------------------------------------- costs by row


def test_each_row_has_its_own_costs(data):
    X, y = data
    model = clf(threshold=None).fit(X, y)
    amount = np.random.default_rng(0).lognormal(1, 2, len(y))
    costs = np.zeros((len(y), 2, 2))
    costs[:, 0, 1] = costs[:, 1, 1] = 5.0  # an alarm is looked at, and that costs 5
    costs[:, 1, 0] = amount  # what is missed is lost
    p = model.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(model.predict(X, cost_matrix=costs) == 1, p * amount > 5)
    saved = model.decision_function(X, cost_matrix=costs)
    np.testing.assert_allclose(saved, p * amount - 5, rtol=1e-6, atol=1e-9)
    one = np.array([[0, 1.0], [9, 0]])
    np.testing.assert_array_equal(model.predict(X, cost_matrix=one) == 1, p > 0.1)
    np.testing.assert_array_equal(model.predict(X, cost_matrix=one, prior=y.mean()) == 1, p > 0.1)


def test_costs_by_row_go_through_a_pipeline(data):
    import sklearn

    X, y = data
    pipeline = make_pipeline(StandardScaler(), clf(threshold=None, epochs=2)).fit(X, y)
    costs = np.tile([[0, 1.0], [3, 0]], (len(y), 1, 1))
    decided = pipeline.predict(X, cost_matrix=costs, prior=0.2)
    p = pipeline.predict_proba(X, prior=0.2)[:, 1]
    np.testing.assert_array_equal(decided == 1, p > 0.25)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline[-1].set_predict_request(cost_matrix=True, prior=True)
        again = pipeline.predict(X, cost_matrix=costs, prior=0.2)
    np.testing.assert_array_equal(again, decided)


def test_costs_by_row_of_several_classes(four_classes):
    X, y = four_classes
    model = clf(threshold=None).fit(X, y)
    costs = np.random.default_rng(0).random((len(y), 4, 4))
    expected = np.einsum("ni,nij->nj", model.predict_proba(X), costs)
    np.testing.assert_array_equal(model.predict(X, cost_matrix=costs), expected.argmin(axis=1))
    np.testing.assert_allclose(model.decision_function(X, cost_matrix=costs), -expected, rtol=1e-6)


BAD_COSTS = {
    "shape": (np.ones((3, 2, 2)), r"shape \(3, 2, 2\).*\(417, 2, 2\)"),
    "classes": (np.ones((3, 3)), r"shape \(3, 3\): pass costs of shape \(2, 2\)"),
    "negative": ([[0, -1], [1, 0]], "negative"),
    "NaN": ([[0, np.nan], [1, 0]], "NaN"),
    "text": ("high", "not of numbers"),
}


@pytest.mark.parametrize("case", BAD_COSTS)
def test_costs_that_are_none(data, case):
    X, y = data
    costs, message = BAD_COSTS[case]
    with pytest.raises(ValueError, match=message):
        clf(threshold=None, epochs=1).fit(X, y).predict(X, cost_matrix=costs)


# ---------------------------------------------------------------- several classes


def test_four_classes_of_198_436_710_and_272_rows(four_classes):
    X, y = four_classes
    train, test = np.arange(1000), np.arange(1000, 1616)
    fixed = {"epochs": 40, "validation_split": 0.3}

    def fitted(**parameters):
        return clf(**{**fixed, **parameters}).fit(X[train], y[train])

    def macro_f1(model):
        return f1_score(y[test], model.predict(X[test]), average="macro")

    plain = fitted(threshold=None)
    np.testing.assert_allclose(plain.threshold_, np.full(4, 0.25))
    np.testing.assert_array_equal(plain.predict(X), plain.predict_proba(X).argmax(axis=1))
    weighted = fitted(threshold=None, class_weight="balanced")
    shares = np.bincount(y[train]) / 1000
    np.testing.assert_allclose(weighted.threshold_, shares, atol=0.003)
    for model in (weighted, fitted(), fitted(threshold="exact", threshold_objective="mcc")):
        ratios = model.predict_proba(X) / model.threshold_
        np.testing.assert_array_equal(model.predict(X), ratios.argmax(axis=1))
        np.testing.assert_array_equal(model.predict(X), model.decision_function(X).argmax(axis=1))
        assert model.threshold_.sum() == pytest.approx(1)
    auto = fitted()
    assert macro_f1(auto) > macro_f1(plain)
    recall = fitted(threshold_objective="balanced_accuracy", threshold_cv=4)
    assert balanced_accuracy_score(y[test], recall.predict(X[test])) > balanced_accuracy_score(
        y[test], plain.predict(X[test])
    )
    named = np.array(["a", "b", "c", "d"])
    assert set(clf(epochs=2).fit(X, named[y]).predict(X)) <= set(named)


@pytest.mark.parametrize(
    "said", ["accuracy", make_scorer(recall_score, average="macro"), "cost", "g_mean"]
)
def test_scorers_and_costs_of_several_classes(four_classes, said):
    X, y = four_classes
    costs = np.array([[0, 1, 1, 9], [1, 0, 1, 1], [1, 1, 0, 1], [3, 1, 1, 0]])
    model = clf(threshold_objective=said, cost_matrix=costs, threshold="exact")
    model.fit(X[:900], y[:900], X_val=X[900:], y_val=y[900:])
    decided = model.predict(X[900:])
    if said == "cost":
        assert model.threshold_score_ == pytest.approx(-costs[y[900:], decided].mean())
        by_cost = clf(threshold=None, cost_matrix=costs).fit(X[:900], y[:900])
        assert by_cost.threshold_ is None
        expected = by_cost.predict_proba(X) @ costs
        np.testing.assert_array_equal(by_cost.predict(X), expected.argmin(axis=1))
        by_cost.tune_threshold(X[900:], y[900:], objective="f1")
        assert by_cost.threshold_.shape == (4,)
    elif said == "accuracy":
        assert model.threshold_score_ == np.mean(decided == y[900:])
    elif said != "g_mean":
        expected = recall_score(y[900:], decided, average="macro")
        assert model.threshold_score_ == pytest.approx(expected)


def test_thresholds_of_classes_as_numbers(four_classes):
    X, y = four_classes
    model = clf(threshold=[0.1, 0.3, 0.4, 0.2], epochs=2).fit(X, y)
    ratios = model.predict_proba(X) / [0.1, 0.3, 0.4, 0.2]
    np.testing.assert_array_equal(model.predict(X), ratios.argmax(axis=1))
    np.testing.assert_allclose(model.threshold_, [0.1, 0.3, 0.4, 0.2])


WRONG_FOR_CLASSES = {
    "a number": ({"threshold": 0.3}, "one number for each is needed"),
    "length": ({"threshold": [0.3, 0.3, 0.4]}, r"4 classes, \[0, 1, 2, 3\]"),
    "zero": ({"threshold": [0.3, 0.3, 0.4, 0]}, "every threshold must be above 0"),
    "dict": ({"threshold_objective": {"min_precision": 0.9}}, "bounds the alarms of one class"),
    "youden": ({"threshold_objective": "youden"}, "is not known"),
    "prior": ({"prior": 0.3}, "one share for each"),
}


@pytest.mark.parametrize("case", WRONG_FOR_CLASSES)
def test_what_several_classes_do_not_take(four_classes, case):
    X, y = four_classes
    parameters, message = WRONG_FOR_CLASSES[case]
    with pytest.raises(ValueError, match=message):
        clf(**{"epochs": 1, **parameters}).fit(X, y)


def test_validation_rows_without_a_class(four_classes):
    X, y = four_classes
    kept = y[900:] != 3
    with pytest.raises(ValueError, match="validation rows of class 3, and have none"):
        clf(epochs=1).fit(X[:900], y[:900], X_val=X[900:][kept], y_val=y[900:][kept])


# ---------------------------------------------------------------- several labels


@pytest.mark.parametrize("cv", [False, 4])
def test_every_label_has_its_threshold_and_its_curve(labelled, cv):
    X, Y = labelled
    model = clf(threshold="exact", threshold_cv=cv, validation_split=0.3, epochs=20).fit(X, Y)
    assert model.threshold_.shape == model.threshold_score_.shape == (3,)
    p = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict(X), p > model.threshold_)
    np.testing.assert_array_equal(model.predict(X), model.decision_function(X) > 0)
    for label, curve in enumerate(model.threshold_curve_):
        assert isinstance(curve, ThresholdCurve)
        assert model.threshold_score_[label] == curve.f1.max()
        if cv:
            assert curve.tp[-1] == Y[:, label].sum()
    assert len(model.threshold_interval_) == 3
    model.tune_threshold(X, Y, objective={"max_alarms": 30})
    np.testing.assert_array_equal(model.predict(X).sum(axis=0), [30, 30, 30])


def test_labels_that_no_row_has(labelled):
    X, Y = labelled
    empty = Y.copy()
    empty[:, 1] = 0
    with pytest.raises(ValueError, match=r"No row has the labels \[1\].*empty_labels='skip'"):
        clf().fit(X, empty)
    for parameters in ({}, {"threshold": None}, {"pos_weight": "balanced"}, {"loss": "ldam"}):
        model = clf(empty_labels="skip", epochs=4, **parameters).fit(X, empty)
        assert not model.predict(X)[:, 1].any()
        assert model.threshold_[1] == 1
        assert model.predict(X)[:, [0, 2]].any()
        assert (model.decision_function(X)[:, 1] < 0).all()
        if parameters == {}:
            assert model.threshold_curve_[1] is None
            assert np.isnan(model.threshold_score_[1])
            assert model.threshold_interval_[1] is None


def test_labels_that_validation_rows_lack(labelled):
    X, Y = labelled
    without = Y[:100].copy()
    without[:, 2] = 0
    with pytest.raises(ValueError, match="without a positive row of label 2"):
        clf(epochs=1).fit(X, Y, X_val=X[:100], y_val=without)
    rare = Y.copy()
    rare[:, 1] = np.arange(len(Y)) < 3
    with pytest.raises(ValueError, match=r"5 rows of every label, .* of the rarest there are 3"):
        clf(epochs=1).fit(X, rare)
    with pytest.raises(ValueError, match=r"Label 0: .*cannot be met"):
        clf(epochs=1, threshold_objective={"max_fpr": 0.0, "min_recall": 1.0}).fit(X, Y)


# ---------------------------------------------------------------- bad input

BAD = {
    "objective": ({"threshold_objective": "mmc"}, "Did you mean 'mcc'"),
    "objective, unused": ({"threshold": None, "threshold_objective": "auc"}, "is not known"),
    "no costs": ({"threshold_objective": "cost"}, "pass cost_matrix"),
    "thresholds": ({"threshold": [0.2, 0.8]}, "y has two classes, and one number"),
    "thresholds out of range": ({"threshold": [0.2, 1.8]}, r"\[0, 1\]"),
    "threshold of text": ({"threshold": ["a", "b"]}, r"\[0, 1\]"),
    "threshold, nearly": ({"threshold": "exakt"}, "Did you mean 'exact'"),
    "threshold_cv": ({"threshold_cv": 1}, "threshold_cv=1 is not allowed"),
    "folds": (
        {"threshold_cv": 100},
        "100 folds need 100 rows of every class or more, and there are 60",
    ),
    "warm start": ({"threshold_cv": 3, "warm_start": True}, "warm_start=True goes on"),
    "validation_split": ({"validation_split": "first"}, "'last' or"),
    "empty_labels": ({"empty_labels": "drop"}, "'error' or 'skip'"),
    "infeasible": ({"threshold_objective": {"min_precision": 1.0, "min_recall": 1.0}}, "be met"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(data, case):
    X, y = data
    parameters, message = BAD[case]
    X = np.random.default_rng(0).normal(size=X.shape)  # nothing to learn
    model = clf(**{"epochs": 1, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "model_")


def test_rows_and_folds_are_two_ways(data):
    X, y = data
    with pytest.raises(ValueError, match="rows to choose it on were passed as well"):
        clf(threshold_cv=3).fit(X, y, X_val=X, y_val=y)


@pytest.mark.parametrize(
    ("groups", "message"),
    [(np.zeros((417, 2)), "one group for each"), (np.zeros(5), "inconsistent numbers")],
)
def test_groups_that_do_not_fit(data, groups, message):
    X, y = data
    with pytest.raises(ValueError, match=message):
        clf().fit(X, y, groups=groups)


def test_too_few_rows_even_out_of_fold(data):
    X, y = data
    few = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:4]]
    with pytest.raises(ValueError, match=r"5 rows of every class, but of the rarest there are 4"):
        clf().fit(X[few], y[few])


def test_targets_that_have_no_threshold(data):
    X, y = data

    def build(meta):
        network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        network.compile("adam", "mse")
        return network

    model = WeightedKerasClassifier(build, loss=None, epochs=1)
    model.fit(X, np.column_stack([y, 1 - y, y]))
    with pytest.raises(ValueError, match="A threshold is chosen for one label a row"):
        model.tune_threshold(X, np.column_stack([y, 1 - y, y]))


# ---------------------------------------------------------------- what once went wrong


def test_scorers_see_labels_and_not_codes(four_classes):
    X, y = four_classes
    names = np.array(["a", "b", "c", "d"])
    # scikit-learn 1.6 asks for the positive label even where there is none
    scorer = make_scorer(f1_score, labels=["a"], average="macro", pos_label=None)
    model = clf(threshold_objective=scorer, threshold="exact")
    model.fit(X[:900], names[y[:900]], X_val=X[900:], y_val=names[y[900:]])
    decided = model.predict(X[900:])
    expected = f1_score(names[y[900:]], decided, labels=["a"], average="macro")
    assert model.threshold_score_ == pytest.approx(expected)
    assert expected > 0.3


@pytest.mark.parametrize("name", ["f1_macro", "f1_weighted", "accuracy", "recall_macro"])
def test_scikit_learn_s_names_are_its_figures(four_classes, name):
    from sklearn.metrics import get_scorer

    X, y = four_classes
    model = clf(threshold_objective=name, threshold="exact", epochs=2)
    model.fit(X[:900], y[:900], X_val=X[900:], y_val=y[900:])
    assert model.threshold_score_ == pytest.approx(get_scorer(name)(model, X[900:], y[900:]))


@pytest.mark.parametrize("name", ["roc_auc_ovr", "neg_log_loss"])
def test_scorers_of_probabilities_are_refused_before_training(four_classes, name):
    X, y = four_classes
    with pytest.raises(ValueError, match="asks for more than decisions"):
        clf(threshold_objective=name).fit(X, y)


def test_scorers_are_not_for_two_classes(data):
    X, y = data
    with pytest.raises(ValueError, match="scorers are for three classes or more"):
        clf(threshold_objective=make_scorer(f1_score)).fit(X, y)


def test_scorers_without_weights(four_classes):
    X, y = four_classes
    scorer = make_scorer(lambda labels, decided: np.mean(labels == decided))
    clf(threshold_objective=scorer, epochs=2, validation_split=0.2).fit(X, y)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        clf(threshold_objective=scorer, epochs=2, validation_split=0.2).fit(
            X, y, sample_weight=1.0 + y
        )


def test_what_is_known_to_be_wrong_is_said_before_training(monkeypatch, data, four_classes):
    def never(*_, **__):
        raise AssertionError("it was trained")

    monkeypatch.setattr(wbce._fit_steps.FitSteps, "_train", never)
    for (X, y), parameters in (
        (data, {"threshold": [0.2, 0.2]}),
        (data, {"threshold_objective": "f1_macro"}),
        (four_classes, {"threshold": 0.3}),
        (four_classes, {"threshold_objective": "youden"}),
        (four_classes, {"threshold_objective": {"max_fpr": 0.1}}),
    ):
        with pytest.raises(ValueError, match="threshold"):
            clf(**parameters).fit(X, y)


def test_objectives_that_are_infinite(data, four_classes):
    X, y = data
    model = clf(threshold="exact", threshold_objective=lambda tp, fp, fn, tn: tp * tn / (fp * fn))
    model.fit(X, y)
    assert model.threshold_score_ == np.inf
    X, y = four_classes
    with pytest.raises(ValueError, match="NaN for every decision rule"):
        clf(threshold_objective=lambda tp, fp, fn, tn: tp * np.nan, epochs=1).fit(X, y)
    assert clf(threshold_objective=lambda tp, fp, fn, tn: tp / fp, epochs=1).fit(X, y)


def test_row_numbers_are_those_of_the_rows_passed(monkeypatch, data):
    from sklearn.model_selection import PredefinedSplit

    X, y = data
    weight = np.ones(417)
    weight[:100] = 0
    fold = np.where(np.arange(417) % 3 == 0, 0, -1)
    splits = [(np.flatnonzero(fold == -1), np.flatnonzero(fold == 0))]
    for parameters in (
        {"threshold_cv": splits},
        {"threshold_cv": PredefinedSplit(fold)},
        {"validation_split": PredefinedSplit(fold)},
    ):
        model = clf(epochs=1, **parameters)
        (train, judge), *_ = holding_out(monkeypatch, model, X, y, sample_weight=weight)
        np.testing.assert_array_equal(judge, np.flatnonzero((fold == 0) & (weight > 0)))
        np.testing.assert_array_equal(train, np.flatnonzero((fold == -1) & (weight > 0)))
        monkeypatch.undo()


def test_a_number_of_alarms_is_that_of_all_rows_passed(data):
    X, y = data
    said = {"max_alarms": 40}
    for parameters in ({"threshold_cv": 4}, {"threshold_cv": False, "validation_split": 0.5}):
        model = clf(threshold_objective=said, **parameters).fit(X, y)
        curve = model.threshold_curve_
        chosen = curve.alarms[np.argmin(np.abs(curve.threshold - model.threshold_))]
        assert chosen == np.floor(40 * curve.alarms[-1] / 417 + 1e-9)
    everything = clf(threshold_objective={"max_alarms": 5000}).fit(X, y)
    assert everything.threshold_ == 0
    # and none of the most suspicious rows need be positive
    model.tune_threshold(-X, y, objective={"max_alarms": 3})
    assert model.predict(-X).sum() == 3


def test_skipped_labels_are_never_predicted_whatever_the_threshold(labelled):
    X, Y = labelled
    empty, full = Y.copy(), Y.copy()
    empty[:, 1], full[:, 1] = 0, 1
    model = clf(threshold=0.0, empty_labels="skip", epochs=1).fit(X, empty)
    assert not model.predict(X)[:, 1].any()
    assert model.predict(X)[:, 0].all()
    for loss in ("soft_fbeta", "smooth_ap"):
        model = clf(loss=loss, empty_labels="skip", validation_split=0.3, epochs=2).fit(X, empty)
        assert not model.predict(X)[:, 1].any()
    assert clf(epochs=1).fit(X, full).predict(X)[:, 1].all()


def test_labels_as_a_sparse_matrix(labelled):
    from scipy.sparse import csr_array

    X, Y = labelled
    dense, sparse = (clf(epochs=2).fit(X, y) for y in (Y, csr_array(Y)))
    np.testing.assert_array_equal(dense.threshold_, sparse.threshold_)
    sparse.tune_threshold(X, csr_array(Y))


@pytest.mark.parametrize("columns", [2, 4])
def test_label_columns_of_another_number(labelled, columns):
    X, Y = labelled
    other = np.column_stack([Y, Y])[:, :columns]
    model = clf(epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match=rf"y has {columns} columns, .* on 3 labels"):
        model.tune_threshold(X, other)
    with pytest.raises(ValueError, match=rf"y has {columns} columns, .* on 3 labels"):
        clf(epochs=1).fit(X, Y, X_val=X, y_val=other)
    np.testing.assert_array_equal(model.predict(X).shape, Y.shape)


def test_the_interval_is_of_the_costs_that_were_tuned_for(data):
    X, y = data
    model = clf(threshold_objective="cost", cost_matrix=[[0, 1], [9, 0]], threshold_cv=3).fit(X, y)
    before = model.threshold_interval_
    assert model.set_params(cost_matrix=[[0, 9], [1, 0]]).threshold_interval_ == before
    assert model.set_params(cost_matrix=None).threshold_interval_ == before


def test_the_interval_of_several_classes(four_classes):
    X, y = four_classes
    model = clf(epochs=10, validation_split=0.3).fit(X, y)
    interval = pickle.loads(pickle.dumps(model)).threshold_interval_
    low, high = interval.threshold
    assert (low <= model.threshold_ + 1e-9).all()
    assert (model.threshold_ <= high + 1e-9).all()
    assert interval.objective[0] < model.threshold_score_ < interval.objective[1]


def test_groups_on_both_sides_are_refused(data):
    X, y = data
    groups = np.arange(417) % 7
    for parameters in (
        {"validation_split": ("last", 0.3)},
        {"threshold_cv": [(range(139, 417), range(139))]},
    ):
        with pytest.raises(ValueError, match=r"rows of 7 groups, such as 0, on both sides"):
            clf(**parameters).fit(X, y, groups=groups)


def test_groups_where_no_rows_need_to_judge(data):
    X, y = data
    few = np.r_[np.flatnonzero(y == 0)[:100], np.flatnonzero(y == 1)[:6]]
    for groups in (np.zeros(106), np.arange(106) // 3):
        clf(threshold=None, epochs=1).fit(X[few], y[few], groups=groups)
    with pytest.raises(ValueError, match="All rows are of one group"):
        clf(threshold_cv=False, epochs=1).fit(X, y, groups=np.zeros(417))
    with pytest.raises(ValueError, match="values are missing"):
        clf(epochs=1).fit(X, y, groups=np.array([None, "a", "b"] * 139))


def test_large_groups_do_not_leave_few_rows_to_judge(monkeypatch, data):
    X, y = data
    groups = np.where(np.arange(417) < 200, 0, np.arange(417))
    model = clf(threshold_cv=False, validation_split=0.2, epochs=1)
    ((_, judge),) = holding_out(monkeypatch, model, X, y, groups=groups)
    assert len(judge) == pytest.approx(0.2 * 417, abs=3)
    assert y[judge].mean() == pytest.approx(y.mean(), abs=0.03)


def test_callbacks_in_any_place_are_called_in_one_fit(data):
    X, y = data
    begun = []

    class Count(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            begun.append(1)

    clf(epochs=1, threshold_cv=None, validation_split=0.2).fit(X, y, callbacks=[Count()])
    clf(epochs=1, validation_split=0.2, fit__callbacks=[Count()]).fit(X, y)
    assert len(begun) == 2


def test_losses_that_are_calibrated_keep_rows_for_it_out_of_fold(monkeypatch, data):
    X, y = data
    model = clf(loss="tversky", threshold_cv=3, validation_split=0.2, epochs=2)
    *_, (train, judge) = holding_out(monkeypatch, model, X, y)
    assert len(judge) == 83
    assert not np.intersect1d(train, judge).size
    monkeypatch.undo()
    model = clf(calibrate="isotonic", validation_split=0.2, epochs=2)
    assert len(holding_out(monkeypatch, model, X, y)) == 1


def test_a_tuned_threshold_outlives_the_next_part_of_a_stream(data):
    X, y = data
    model = clf(threshold=None).fit(X[:200], y[:200])
    model.tune_threshold(X[:200], y[:200], prior=0.01)
    threshold = model.threshold_
    model.partial_fit(X[200:], y[200:])
    assert model.threshold_ == threshold
    np.testing.assert_allclose(model.prior_, [0.99, 0.01])
    assert model.fit(X, y).threshold_ == 0.5
    assert model.prior_[1] == pytest.approx(y.mean(), rel=0.01)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"threshold_cv": StratifiedKFold}, "threshold_cv="),
        ({"validation_split": GroupKFold}, "validation_split="),
        ({"threshold": [[0.2], [0.2, 0.3]]}, "threshold="),
        ({"calibrate": np.array([1, 2])}, "calibrate="),
    ],
)
def test_odd_values(data, parameters, message):
    X, y = data
    with pytest.raises(ValueError, match=message):
        clf(**parameters).fit(X, y)
    clf(validation_split=["last", 0.4], epochs=1).fit(X, y)


def test_labels_that_are_none(data):
    X, y = data
    with pytest.raises(ValueError, match="y is None"):
        clf(epochs=1, threshold=None).fit(X, y).tune_threshold(X, None)


def test_early_stopping_out_of_fold_needs_no_validation_rows_of_its_own(data):
    X, y = data
    few = np.r_[np.flatnonzero(y == 0)[:100], np.flatnonzero(y == 1)[:12]]
    model = clf(early_stopping=True, epochs=2).fit(X[few], y[few])
    assert 1 <= model.best_epoch_ <= 2


def test_epochs_are_counted_from_where_training_starts(data):
    X, y = data
    model = clf(threshold_cv=3, epochs=6, early_stopping=False).fit(X, y, initial_epoch=4)
    plain = clf(threshold=None, epochs=6, early_stopping=False).fit(X, y, initial_epoch=4)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("scale", [1e-3, 1 / 417, 1000])
def test_weights_of_any_scale_say_the_same(data, scale):
    X, y = data
    fixed = {"prior": 0.05, "validation_split": 0.3, "threshold_cv": False, "epochs": 5}
    for loss in ("weighted_bce", "tversky"):
        plain = clf(loss=loss, **fixed).fit(X, y)
        scaled = clf(loss=loss, **fixed).fit(X, y, sample_weight=np.full(417, scale))
        np.testing.assert_allclose(scaled.prior_, plain.prior_)
        np.testing.assert_allclose(scaled.predict_proba(X), plain.predict_proba(X), rtol=2e-3)
        assert scaled.threshold_ == pytest.approx(plain.threshold_, rel=2e-3)
    plain = clf(threshold=None, epochs=2).fit(X, y)
    scaled = clf(threshold=None, epochs=2).fit(X, y, sample_weight=np.full(417, scale))
    assert scaled.estimate_prior(X) == pytest.approx(plain.estimate_prior(X), rel=1e-3)


def test_splitters_see_rows_without_weight_as_they_are(monkeypatch, data):
    X, y = data
    weight = np.ones(417)
    weight[100:250] = 0
    groups = np.arange(417) % 20
    model = clf(validation_split=GroupKFold(2), epochs=1)
    ((train, judge),) = holding_out(monkeypatch, model, X, y, groups=groups, sample_weight=weight)
    assert not set(groups[train]) & set(groups[judge])
    assert len(train) + len(judge) == 267
    assert len(judge) == pytest.approx(133, abs=15)
    monkeypatch.undo()
    odd = y.copy()
    odd[weight == 0] = 2  # never seen, as no such row has weight
    clf(threshold_cv=StratifiedKFold(3), epochs=1).fit(X, odd, sample_weight=weight)
    clf(epochs=1).fit(X, y, X_val=X, y_val=odd, sample_weight_val=weight)


def test_a_bound_without_room_for_an_alarm_is_an_error(data):
    X, y = data
    model = clf(threshold_objective={"max_alarms": 1}, threshold_cv=False, validation_split=0.2)
    with pytest.raises(ValueError, match="lowest share of alarms of a cut that has an alarm"):
        model.fit(X, y)


def test_intervals_of_scorers_are_those_of_the_objective(four_classes):
    X, y = four_classes
    scorer = make_scorer(f1_score, average="macro")
    model = clf(threshold_objective=scorer, threshold="exact", epochs=2, validation_split=0.2)
    interval = model.fit(X, y).threshold_interval_
    assert np.isnan(interval.threshold[0]).all()
    assert interval.objective[0] < model.threshold_score_ < interval.objective[1]
    assert model.threshold_interval_ is interval
    assert model.tune_threshold(X, y, objective="mcc").threshold_interval_ is not interval


def test_too_few_rows_to_calibrate_is_said_before_training(monkeypatch, data):
    X, y = data

    def never(*_, **__):
        raise AssertionError("it was trained")

    monkeypatch.setattr(wbce._fit_steps.FitSteps, "_train", never)
    for parameters in ({"calibrate": "sigmoid"}, {"loss": "smooth_ap"}):
        with pytest.raises(ValueError, match=r"^calibrate=.* needs validation rows"):
            clf(threshold_cv=3, validation_split=0.05, **parameters).fit(X, y)


@pytest.mark.parametrize("bad", ["20", None, -3])
def test_bad_bounds_when_tuning(data, bad):
    X, y = data
    model = clf(threshold=None, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="max_alarms"):
        model.tune_threshold(X, y, objective={"max_alarms": bad})


def test_groups_that_are_missing(data):
    X, y = data
    with pytest.raises(ValueError, match="values are missing"):
        clf().fit(X, y, groups=np.where(np.arange(417) < 5, np.nan, 1.0))


def test_validation_rows_that_nobody_asks_are_not_looked_for(data):
    X, y = data
    groups = np.arange(417) // 9
    model = clf(threshold_cv=GroupKFold(3), validation_split=("last", 0.21), epochs=1)
    model.fit(X, y, groups=groups)  # the last rows would tear a group apart
    with pytest.raises(ValueError, match="on both sides"):
        model.set_params(threshold_cv=False).fit(X, y, groups=groups)
