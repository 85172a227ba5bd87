"""scikit-learn's contract: its own checks, and its meta-estimators around the classifier."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import estimator_checks_generator

from wbce import ImbalanceWarning, WeightedKerasClassifier

# Compares at 1e-7 what float32 training holds to about 1e-5; test_classifier.py holds that
# (test_a_weight_of_two_is_a_row_repeated).
_NOT_IN_FLOAT32 = {
    f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")
}


def _name(check):
    return getattr(check, "func", check).__name__


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(estimator, check, id=f"{_name(check)}-{number}")
        for number, (estimator, check) in enumerate(
            estimator_checks_generator(WeightedKerasClassifier())
        )
        if _name(check) not in _NOT_IN_FLOAT32
    ],
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def clf(**parameters):
    return WeightedKerasClassifier(**{"model": "mlp", "epochs": 2, "random_state": 0, **parameters})


FOLDS = StratifiedKFold(2)


def test_clone_and_parameters():
    model = clf(pos_weight=3, optimizer__learning_rate=0.1, threshold="auto")
    twin = clone(model)
    assert twin is not model
    assert twin.get_params() == model.get_params()
    assert twin.set_params(pos_weight=7, model__units=3).get_params()["pos_weight"] == 7
    assert model.pos_weight == 3


def test_every_parameter_is_written_out_and_reported():
    parameters = WeightedKerasClassifier().get_params()
    for name in ("loss", "class_weight", "pos_weight", "gamma", "alpha", "threshold", "epochs"):
        assert name in parameters
    assert not any(name.startswith("_") for name in parameters)


def test_repr_names_what_differs_from_the_default():
    assert repr(clf(pos_weight=3)) == (
        "WeightedKerasClassifier(epochs=2, model='mlp', pos_weight=3, random_state=0)"
    )
    assert repr(WeightedKerasClassifier()) == "WeightedKerasClassifier()"
    assert "optimizer__learning_rate=0.1" in repr(clf(optimizer__learning_rate=0.1))


def test_html_diagram(abalone):
    pipeline = make_pipeline(StandardScaler(), clf())
    assert "WeightedKerasClassifier" in estimator_html_repr(pipeline)
    assert "WeightedKerasClassifier" in pipeline.fit(*abalone)._repr_html_()


def test_grid_search_over_weights_and_gamma(abalone):
    search = GridSearchCV(
        make_pipeline(StandardScaler(), clf(loss="focal")),
        {
            "weightedkerasclassifier__pos_weight": [1, 20],
            "weightedkerasclassifier__gamma": [0.0, 2.0],
        },
        scoring="average_precision",
        cv=FOLDS,
    ).fit(*abalone)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict_proba(abalone[0]).shape == (731, 2)


@pytest.mark.slow
def test_grid_search_in_processes_gives_what_one_process_gives(abalone):
    def build(meta):
        import keras

        return keras.Sequential(
            [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(1, "sigmoid")]
        )

    for model in (None, build):
        results = [
            GridSearchCV(
                clf(model=model), {"pos_weight": [1, 9]}, scoring="roc_auc", cv=FOLDS, n_jobs=n
            )
            .fit(*abalone)
            .cv_results_["mean_test_score"]
            for n in (1, 2)
        ]
        np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("kind", ["random", "halving"])
def test_other_searches(abalone, kind):
    grid = {"pos_weight": [1, 5, 20]}
    if kind == "random":
        search = RandomizedSearchCV(clf(), grid, n_iter=2, cv=FOLDS, scoring="f1", random_state=0)
    else:
        search = HalvingGridSearchCV(
            clf(), grid, cv=FOLDS, scoring="roc_auc", random_state=0, min_resources=200
        )
    assert search.fit(*abalone).best_params_["pos_weight"] in grid["pos_weight"]


def test_cross_validation(abalone):
    X, y = abalone
    scores = cross_val_score(clf(), X, y, cv=FOLDS, scoring="average_precision")
    assert scores.shape == (2,)
    p = cross_val_predict(clf(), X, y, cv=FOLDS, method="predict_proba")
    np.testing.assert_allclose(p.sum(1), 1)
    with pytest.warns(ImbalanceWarning):
        cross_val_score(clf(epochs=1), X, y, cv=FOLDS)


def test_calibration_and_threshold_wrappers(abalone):
    X, y = abalone
    calibrated = CalibratedClassifierCV(clf(), cv=FOLDS).fit(X, y)
    assert calibrated.predict_proba(X).shape == (731, 2)
    tuned = TunedThresholdClassifierCV(clf(), scoring="f1", cv=FOLDS).fit(X, y)
    assert set(tuned.predict(X)) <= {0, 1}


def test_ensembles(abalone):
    X, y = abalone
    members = [("a", clf()), ("b", LogisticRegression(max_iter=2000))]
    for ensemble in (
        VotingClassifier(members, voting="soft"),
        VotingClassifier(members),
        StackingClassifier(members, cv=FOLDS),
    ):
        assert ensemble.fit(X, y).predict(X).shape == y.shape


def test_inspection(abalone):
    X, y = abalone
    model = clf().fit(X, y)
    importance = permutation_importance(
        model, X[:100], y[:100], scoring="neg_log_loss", n_repeats=2, random_state=0
    )
    assert importance.importances_mean.shape == (X.shape[1],)
    assert partial_dependence(model, X[:50], [0])["average"].shape[0] == 1


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_and_feature_names(abalone, frame):
    X, y = abalone
    names = [f"column {i}" for i in range(X.shape[1])]
    table = frame(dict(zip(names, X.T, strict=True)))
    series = pd.Series(y) if frame is pd.DataFrame else pl.Series(y)
    model = clf().fit(table, series, sample_weight=pd.Series(np.ones(len(y))))
    assert model.feature_names_in_.tolist() == names
    np.testing.assert_array_equal(model.predict_proba(table), clf().fit(X, y).predict_proba(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame(dict(zip(names[::-1], X.T, strict=True))))


def test_pandas_types_of_labels_and_columns(abalone):
    X, y = abalone
    table = pd.DataFrame(X).astype("Float64")
    table["flag"] = pd.array(y[::-1] == 1, dtype="boolean")
    table["count"] = np.arange(len(y), dtype="uint8")
    table["text of numbers"] = [str(v % 200) for v in range(len(y))]
    table.columns = table.columns.astype(str)
    for labels in (
        pd.Series(np.array(["ok", "defect"])[y], dtype="category"),
        pd.Series(np.array(["ok", "defect"])[y], dtype="string"),
        pd.Series(np.array(["ok", "defect"])[y], dtype=object),
    ):
        model = clf(epochs=1).fit(table, labels)
        assert model.pos_label_ == "defect"
        assert set(model.predict(table)) <= {"ok", "defect"}


def test_labels_of_any_kind_in_any_order(abalone):
    X, y = abalone
    expected = clf().fit(X, y)
    for labels in ([False, True], [-1, 1], [0.0, 1.0], [10, 20], ["n", "p"], ["0", "1"]):
        array = np.array(labels)
        model = clf().fit(X, array[y])
        np.testing.assert_array_equal(model.classes_, array)
        np.testing.assert_array_equal(model.predict(X), array[expected.predict(X)])
        assert model.predict(X).dtype == array.dtype


def test_smote_before_the_classifier(abalone):
    pipeline = make_imblearn_pipeline(StandardScaler(), SMOTE(random_state=0), clf())
    pipeline.fit(*abalone)
    assert pipeline.predict(abalone[0]).shape == (731,)
    assert abs(pipeline[-1].pos_weight_ - 1) < 1e-12


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_sample_weight_is_routed(abalone, routing):
    X, y = abalone
    w = np.random.default_rng(0).random(len(y))
    model = clf().set_fit_request(sample_weight=True)
    scale = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = Pipeline([("scale", scale), ("clf", model)])
    routed = pipeline.fit(X, y, sample_weight=w).predict_proba(X)
    Z = StandardScaler().fit_transform(X)
    np.testing.assert_array_equal(routed, clf().fit(Z, y, sample_weight=w).predict_proba(Z))
    assert not np.allclose(routed, clf().fit(Z, y).predict_proba(Z))
    scores = cross_val_score(
        model.set_score_request(sample_weight=False),
        X,
        y,
        cv=FOLDS,
        scoring=get_scorer("roc_auc").set_score_request(sample_weight=False),
        params={"sample_weight": w},
    )
    assert np.isfinite(scores).all()


def test_validation_rows_pass_through_a_pipeline(abalone, routing):
    X, y = abalone
    X, X_val, y, y_val = X[::2], X[1::2], y[::2], y[1::2]
    model = clf(threshold="auto").set_fit_request(X_val=True, y_val=True)
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("clf", model)], transform_input=["X_val"]
    ).fit(X, y, X_val=X_val, y_val=y_val)
    scale = StandardScaler().fit(X)
    direct = clf(threshold="auto").fit(
        scale.transform(X), y, X_val=scale.transform(X_val), y_val=y_val
    )
    assert pipeline[-1].threshold_ == direct.threshold_
    assert pipeline[-1].validation_score_ == direct.validation_score_


def test_no_warnings_but_our_own(abalone):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf(class_weight="balanced").fit(*abalone).predict(abalone[0])
