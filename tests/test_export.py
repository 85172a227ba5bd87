"""Exports: what a server says of rows is what the estimator says."""

import os
import pickle
import sys
import warnings
from functools import cache

import keras
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import polars as pl
import pytest
import skl2onnx
import tensorflow as tf
from scipy.special import expit
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from tables import table
from wbce import WeightedKerasClassifier, losses
from wbce.export import rows_as_inputs, to_litert, to_onnx, to_saved_model
from wbce.export._graph import Graph
from wbce.export._maps import after_logits
from wbce.export._scores import NumpyOperations, codes, probabilities, scores
from wbce.export._tables import TOLERANCE, table_of
from wbce.export._to_onnx import _check_with_rows

COSTS = [[0, 1, 5], [2, 0, 3], [9, 1, 0]]
LOGITS = np.concatenate([np.linspace(-40, 40, 4001), np.linspace(-1e3, 1e3, 401)])


def clf(model="linear", **parameters):
    return WeightedKerasClassifier(model, **{"epochs": 3, "random_state": 0, **parameters})


def run(model, feed):
    """A model's labels and probabilities."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert [output.name for output in session.get_outputs()] == ["label", "probabilities"]
    return session.run(None, feed)


def assert_agrees(estimator, X, label, proba, atol=1e-5, sure_share=0.9):
    np.testing.assert_allclose(proba, estimator.predict_proba(X), rtol=0, atol=atol)
    expected = estimator.predict(X)
    assert label.shape == expected.shape
    sure = is_sure(estimator, X)
    assert sure.mean() > sure_share
    np.testing.assert_array_equal(label[sure], expected[sure])


def is_sure(estimator, X):
    """Rows, or labels of rows, that are not within rounding of the decision."""
    margin = estimator.decision_function(X)
    if margin.ndim == 2 and margin.shape != estimator.predict(X).shape:
        best = np.sort(margin, axis=1)
        margin = best[:, -1] - best[:, -2]
    return np.abs(margin) > 1e-4


def iris_rows():
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    kept = np.r_[:75, 100:140]
    return X[kept], y[kept]


@cache
def rows(kind):
    """A real table: X of float64 and a target of two classes, of three, or of three labels."""
    if kind == "classes":
        return iris_rows()
    X, y = table("ecoli3")
    if kind == "labels":
        return X, np.column_stack([y, *(X[:, [0, 5]] > np.median(X[:, [0, 5]], axis=0)).T]).astype(
            int
        )
    return X, y


def iris_named():
    X, y = iris_rows()
    return X, np.array(["setosa", "versicolor", "virginica"])[y]


# ------------------------------------------------------------------ the way from logits

CASES = {
    "binary": [
        {},
        {"class_weight": "balanced", "threshold": 0.2},
        {"loss": "focal", "class_weight": "balanced", "threshold": "auto"},
        {"loss": "focal", "gamma": 5, "prior": 0.3},
        {"loss": "focal", "calibrate": False},
        {"label_smoothing": 0.1, "class_weight": "balanced"},
        {"loss": "focal", "label_smoothing": 0.05, "pos_weight": 25},
        {"loss": "asymmetric", "pos_weight": 4},
        {"loss": "poly1", "cost_matrix": [[0, 1], [9, 0]]},
        {"loss": "ldam", "loss__scale": 10},
        {"calibrate": "sigmoid", "validation_split": 0.3},
        {"calibrate": "isotonic", "validation_split": 0.3, "prior": 0.2},
        {"loss": "tversky", "validation_split": 0.3},
        {"loss": "mean_squared_error"},
    ],
    "classes": [
        {},
        {"class_weight": "balanced", "prior": [0.2, 0.3, 0.5]},
        {"loss": "focal", "gamma": [1, 2, 3], "class_weight": "balanced"},
        {"loss": "focal", "calibrate": False, "threshold": [0.2, 0.3, 0.5]},
        {"label_smoothing": 0.1, "class_weight": "balanced"},
        {"loss": "focal", "label_smoothing": 0.05},
        {"loss": "ldam", "loss__scale": 10, "threshold": "auto", "validation_split": 0.3},
        {"loss": "poly1", "cost_matrix": COSTS},
        {"loss": "logit_adjusted"},
        {"loss": "cost_sensitive", "cost_matrix": COSTS},
        {"loss": "mean_squared_error"},
        {"calibrate": "sigmoid", "validation_split": 0.3, "prior": [0.2, 0.3, 0.5]},
        {"calibrate": "isotonic", "validation_split": 0.3},
    ],
    "labels": [
        {"pos_weight": "balanced", "threshold": [0.1, 0.5, 0.9]},
        {"loss": "focal", "gamma": [1, 2, 3], "pos_weight": "balanced"},
        {"label_smoothing": 0.1, "pos_weight": [2, 3, 4]},
        {"loss": "asymmetric"},
        {"calibrate": "isotonic", "validation_split": 0.4},
        {"loss": "soft_fbeta", "validation_split": 0.4},
    ],
}
EVERY_CASE = [(kind, parameters) for kind, cases in CASES.items() for parameters in cases]
NAMED = [f"{kind}-{'-'.join(map(str, p.values()))}" for kind, p in EVERY_CASE]
every_case = pytest.mark.parametrize(("kind", "parameters"), EVERY_CASE, ids=NAMED)
_fitted = {}


def fitted(kind, parameters):
    key = kind, str(parameters)
    if key not in _fitted:
        _fitted[key] = clf(**parameters).fit(*rows(kind))
    return _fitted[key]


@every_case
def test_the_described_way_is_the_estimators_far_out_too(kind, parameters):
    estimator = fitted(kind, parameters)
    described = after_logits(estimator)
    n = 1 if kind == "binary" else 3
    z = np.random.default_rng(0).permuted(np.tile(LOGITS[:, None], n), axis=0)
    given = z[:, 0] if n == 1 else z
    xp = NumpyOperations()
    posterior = scores(described.posterior, z, xp)
    expected = estimator._log_scores(given).reshape(z.shape)
    near = np.abs(expected) < 30
    np.testing.assert_allclose(posterior[near], expected[near], atol=3e-6)
    shown = probabilities(kind, scores(described.shown, z, xp), xp)
    scored = estimator._shown_scores(given, None)
    right = np.exp(scored) if kind == "classes" else expit(scored)
    right = np.column_stack([1 - right, right]) if kind == "binary" else right
    np.testing.assert_allclose(shown, right, atol=1e-6)
    decision = estimator._decision(given)
    found = codes(kind, described.decision, posterior, xp)
    if kind == "classes":
        best = np.sort(decision, axis=1)
        sure = best[:, -1] - best[:, -2] > 1e-4
        np.testing.assert_array_equal(found[sure], np.argmax(decision, axis=1)[sure])
    else:
        sure = np.abs(decision) > 1e-4
        np.testing.assert_array_equal(found[sure], (decision > 0)[sure])


@every_case
def test_onnx_says_what_the_estimator_says(kind, parameters):
    estimator, X = fitted(kind, parameters), rows(kind)[0].astype(np.float32)
    label, proba = run(to_onnx(estimator), {"X": X})
    if (
        parameters.get("calibrate") == "isotonic"
    ):  # flat, and between rows as steep as they are near
        assert_agrees(estimator, X, label, proba, atol=1e-3, sure_share=0.7)
    else:
        assert_agrees(estimator, X, label, proba)
    assert proba.dtype == np.float32
    assert label.dtype == np.int64


def test_tables_are_within_their_tolerance_and_go_straight_on():
    made = table_of(lambda x: np.column_stack([np.logaddexp(0, x), np.abs(x - 0.3)]))
    x = np.random.default_rng(0).uniform(-60, 60, 20_000)[:, None].repeat(2, axis=1)
    expected = np.column_stack([np.logaddexp(0, x[:, 0]), np.abs(x[:, 0] - 0.3)])
    assert np.abs(made(x) - expected).max() <= TOLERANCE
    np.testing.assert_allclose(made(np.array([[1e5, 1e5]])), [[1e5, 1e5 - 0.3]], rtol=1e-9)
    assert made(np.array([[np.inf, np.nan]]))[0, 0] == np.inf
    assert np.isnan(made(np.array([[np.inf, np.nan]]))[0, 1])


def test_a_straight_line_is_one_line():
    assert len(table_of(lambda x: 2.5 * x[:, None] - 1).slopes) == 1


def test_a_map_that_no_table_holds_is_an_error():
    with pytest.raises(ValueError, match="too steep or too rugged"):
        table_of(lambda x: np.sin(1e4 * x)[:, None])


# ------------------------------------------------------------------ networks


def wide_and_deep(meta, activation="silu"):
    given = keras.Input((meta["n_features_in_"],))
    x = keras.layers.Dense(8, activation=activation)(given)
    x = keras.layers.LayerNormalization()(x)
    x = keras.layers.Add()([x, keras.layers.Dense(8, activation="leaky_relu")(x)])
    return keras.Model(given, keras.layers.Dense(2, activation="softmax")(x))


def chain(*activations):
    def build(meta):
        layers = keras.layers
        between = [layers.BatchNormalization(), layers.Dropout(0.2), layers.Activation("tanh")]
        dense = [layers.Dense(8, activation=name) for name in activations]
        network = keras.Sequential([keras.Input((meta["n_features_in_"],)), dense[0], *between])
        for layer in [*dense[1:], layers.Dense(4, use_bias=False), layers.ReLU()]:
            network.add(layer)
        network.add(layers.Dense(2, activation="softmax"))
        return network

    return build


@pytest.mark.parametrize("model", ["ensemble", "mlp"])
@pytest.mark.parametrize("kind", ["binary", "classes", "labels"])
def test_built_in_networks_are_inside_with_missing_values(model, kind):
    X, y = rows(kind)
    X = X.copy()
    X[::7, 1], X[3::11, 0] = np.nan, np.nan
    estimator = clf(model, epochs=2, validation_split=0).fit(X, y)
    X = X.astype(np.float32)
    X[0], X[1] = np.nan, 1e30
    assert_agrees(estimator, X, *run(to_onnx(estimator), {"X": X}))


@pytest.mark.parametrize(
    "activations", [("relu", "tanh", "sigmoid", "silu"), ("elu", "selu", "gelu", "linear")]
)
def test_chains_of_layers_need_no_tensorflow_to_be_turned(activations, monkeypatch, cancer):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    X, y = cancer
    pipeline = make_pipeline(StandardScaler(), clf(chain(*activations))).fit(X, y)
    estimator, X = pipeline[-1], pipeline[0].transform(X).astype(np.float32)
    assert_agrees(estimator, X, *run(to_onnx(estimator), {"X": X}))


@pytest.mark.parametrize("activation", ["silu", "gelu"])
def test_other_networks_go_through_tf2onnx(activation, cancer):
    X, y = cancer
    estimator = clf(wide_and_deep, loss="focal", model__activation=activation)
    pipeline = make_pipeline(StandardScaler(), estimator).fit(X, y)
    assert_agrees(pipeline, X, *run(to_onnx(pipeline, X), {"X": X}))
    X = pipeline[0].transform(X).astype(np.float32)
    assert_agrees(pipeline[-1], X, *run(to_onnx(pipeline[-1]), {"X": X}))


def test_tf2onnx_leaves_tensorflow_as_loud_as_it_was(cancer, monkeypatch):
    estimator, logger = clf(wide_and_deep).fit(*cancer), tf.get_logger()
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.setattr(logger, "level", 17)
    to_onnx(estimator)
    assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    assert logger.level == 17
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    to_onnx(estimator)
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "1"


def test_what_tf2onnx_cannot_do_is_named(cancer):
    X, y = cancer
    estimator = clf(wide_and_deep, model__activation=lambda x: tf.math.digamma(1 + x * x))
    estimator.fit(X / X.max(axis=0), y)
    with pytest.raises(ValueError, match=r"Digamma.*to_saved_model"):
        to_onnx(estimator)


def test_probabilities_of_unknown_origin_are_read_as_the_estimator_reads_them(cancer):
    X, y = cancer

    def build(meta):
        given = keras.Input((meta["n_features_in_"],))
        halves = [keras.layers.Dense(1, activation="sigmoid")(given) for _ in range(2)]
        return keras.Model(given, keras.layers.Average()(halves))

    pipeline = make_pipeline(StandardScaler(), clf(build, from_logits=False)).fit(X, y)
    assert_agrees(pipeline, X, *run(to_onnx(pipeline, X), {"X": X}))


def test_without_tf2onnx_it_is_named(monkeypatch, cancer):
    estimator = clf(wide_and_deep).fit(*cancer)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"pip install wbce\[export\]"):
        to_onnx(estimator)


def test_images_are_rows_too(cancer):
    X, y = cancer
    X = StandardScaler().fit_transform(X)[:, :24].reshape(-1, 4, 6).astype(np.float32)

    def build():
        layers = [keras.Input((4, 6)), keras.layers.Flatten(), keras.layers.Dense(1)]
        return keras.Sequential(layers)

    estimator = clf(build).fit(X, y)
    assert_agrees(estimator, X, *run(to_onnx(estimator), {"X": X}))


# ------------------------------------------------------------------ rows and labels


def test_any_number_of_rows(cancer):
    X, y = cancer
    estimator = clf("mlp", epochs=1).fit(X, y)
    X, model = X.astype(np.float32), to_onnx(estimator)
    for n in (1, 2, 33):
        assert_agrees(estimator, X[:n], *run(model, {"X": X[:n]}))


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [(["legit", "fraud"], object), ([False, True], np.int64), ([1.0, 2.0], np.float64)],
)
def test_labels_are_the_estimators_own(labels, dtype, tmp_path):
    X, y = rows("binary")
    estimator = clf(class_weight="balanced", threshold=0.1).fit(X, np.array(labels)[y])
    assert 20 < (estimator.predict(X) == labels[1]).sum() < len(X) - 20
    X = X.astype(np.float32)
    label, proba = run(to_onnx(estimator), {"X": X})
    assert label.dtype == dtype
    assert_agrees(estimator, X, label, proba)
    to_saved_model(estimator, tmp_path)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](X=tf.constant(X))
    assert_agrees(estimator, X, plain(served["label"]), served["probabilities"].numpy())


def plain(tensor):
    values = tensor.numpy()
    return values if values.dtype != object else np.char.decode(values.astype(bytes), "utf-8")


def test_three_names():
    X, y = iris_named()
    estimator = clf("ensemble", loss="focal", cost_matrix=COSTS, validation_split=0).fit(X, y)
    X = X.astype(np.float32)
    label, proba = run(to_onnx(estimator), {"X": X})
    assert set(label) <= {"setosa", "versicolor", "virginica"}
    assert_agrees(estimator, X, label, proba)


def test_labels_that_onnx_has_no_type_for_are_an_error():
    X, y = rows("binary")
    estimator = clf().fit(X, y)
    estimator.classes_ = np.array([1 + 2j, 3])
    with pytest.raises(ValueError, match="cannot be exported"):
        to_onnx(estimator)


def test_offsets_that_float32_cannot_hold_are_subtracted_inside():
    X, y = rows("binary")
    X = X.copy()
    X[:, 0] = 1.7e9 + 100 * X[:, 0]
    estimator = clf("mlp").fit(X, y)
    assert estimator.feature_encoder_.offset_ is not None
    model = to_onnx(estimator)
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    assert_agrees(estimator, X, *run(model, {"X": X}))
    with pytest.raises(ValueError, match="float32, which cannot hold X"):
        to_litert(estimator)


def test_rows_of_nothing_but_a_threshold_decide_alike_at_the_threshold():
    X, y = rows("binary")
    estimator = clf().fit(X, y)
    X = X[:1].astype(np.float32)
    estimator.set_params(threshold=float(estimator.predict_proba(X)[0, 1]))
    estimator._choose_threshold(None)
    assert estimator.predict(X)[0] == 0
    for moved, expected in ((-1e-4, 1), (1e-4, 0)):
        at = float(estimator.predict_proba(X)[0, 1]) + moved
        estimator.set_params(threshold=at)._choose_threshold(None)
        assert run(to_onnx(estimator), {"X": X})[0] == expected


def test_a_threshold_tuned_later_and_a_moved_prior_are_inside():
    X, y = rows("binary")
    estimator = clf(class_weight="balanced").fit(X, y)
    estimator.tune_threshold(X, y, objective={"max_alarms": 20}, prior=0.3)
    X = X.astype(np.float32)
    label, proba = run(to_onnx(estimator), {"X": X})
    assert_agrees(estimator, X, label, proba)
    assert label.sum() == estimator.predict(X).sum()


# ------------------------------------------------------------------ frames


def frame_with_categories(n=300):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": random.normal(size=n),
            "kind": random.choice(["a", "b", "ü", "d"], n),
            "code": pd.Categorical(random.integers(3, 7, n)),
            "level": pd.Categorical(random.choice([0.5, 1.5], n)),
            "flag": random.random(n) > 0.5,
            "time": 1.7e9 + random.normal(size=n),
        }
    )
    frame["kind"] = frame["kind"].astype(object)
    y = np.where((frame["kind"] == "b") & (frame["amount"] > 0), "yes", "no")
    frame.loc[::9, "amount"] = np.nan
    frame.loc[5::10, "kind"] = None
    return frame, y


def test_frames_with_categories_have_an_input_a_column():
    frame, y = frame_with_categories()
    estimator = clf("mlp", epochs=10).fit(frame, y)
    frame["kind"] = frame["kind"].where(np.arange(len(frame)) % 13 > 0, "never seen")
    model = to_onnx(estimator)
    assert [given.name for given in model.graph.input] == list(frame)
    types = [given.type.tensor_type.elem_type for given in model.graph.input]
    of = onnx.TensorProto
    assert types == [of.DOUBLE, of.STRING, of.INT64, of.FLOAT, of.BOOL, of.DOUBLE]
    feed = rows_as_inputs(frame, model)
    assert feed["kind"][5] == ""
    assert feed["kind"].shape == (len(frame), 1)
    assert_agrees(estimator, frame, *run(model, feed))
    with pytest.raises(ValueError, match=r"inputs \['kind'\], and X has \['amount'"):
        rows_as_inputs(frame.drop(columns="kind"), model)


def test_frames_with_categories_are_for_onnx_alone(tmp_path):
    estimator = clf("mlp", epochs=1).fit(*frame_with_categories())
    for export in (lambda: to_saved_model(estimator, tmp_path), lambda: to_litert(estimator)):
        with pytest.raises(ValueError, match="only to_onnx"):
            export()


def test_a_column_named_as_an_output_is_an_error():
    frame, y = frame_with_categories()
    estimator = clf("mlp", epochs=1).fit(frame.rename(columns={"amount": "label"}), y)
    with pytest.raises(ValueError, match=r"\['label'\].*Rename"):
        to_onnx(estimator)


def test_a_frame_of_numbers_is_one_matrix():
    X, y = rows("binary")
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    estimator = clf("mlp").fit(frame, y)
    model = to_onnx(estimator)
    assert_agrees(estimator, frame, *run(model, rows_as_inputs(frame, model)))


def test_columns_of_dates_are_an_error():
    frame = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=3)})
    with pytest.raises(ValueError, match=r"'day' .*\['Timestamp'\]"):
        rows_as_inputs(frame)


# ------------------------------------------------------------------ Pipelines


def mixed_pipeline(frame, y, numbers):
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
    )
    pipeline = make_pipeline(encode, clf("mlp", loss="focal", class_weight="balanced"))
    return pipeline.fit(frame, y)


@pytest.mark.parametrize("dtype", [object, "category", "str"])
def test_a_pipeline_of_columns_takes_them_by_name(dtype):
    frame, y = frame_with_categories()
    frame = frame[["time", "amount", "kind"]].fillna({"kind": "none"}).astype({"kind": dtype})
    frame["amount"] = frame["amount"].astype(np.float32)
    pipeline = mixed_pipeline(frame, y, ["amount"])
    for given in (frame, frame[["kind", "amount"]]):  # what is dropped may be left out
        label, proba = run(to_onnx(pipeline, given), rows_as_inputs(given))
        assert_agrees(pipeline, frame, label, proba)
    assert set(label) <= {"yes", "no"}


def test_a_step_that_skl2onnx_cannot_convert_is_said(cancer):
    X, y = cancer
    X = np.where(np.arange(len(X))[:, None] % 9 == 0, np.nan, X)
    impute = SimpleImputer(add_indicator=True)
    pipeline = make_pipeline(impute, StandardScaler(), clf(epochs=1)).fit(X, y)
    with pytest.raises(ValueError, match=r"cannot convert a step.*add_indicator.*exported alone"):
        to_onnx(pipeline, X)


def test_a_pipeline_on_polars_frames():
    frame, y = frame_with_categories()
    frame = frame[["amount", "kind"]].fillna({"kind": "none"})
    frame["amount"] = frame["amount"].astype(np.float32)
    pipeline = mixed_pipeline(frame, y, ["amount"])
    model = to_onnx(pipeline, pl.DataFrame({name: frame[name].to_numpy() for name in frame}))
    assert_agrees(pipeline, frame, *run(model, rows_as_inputs(frame)))


def test_a_step_that_onnxruntime_has_no_float64_for_is_an_error_that_says_so(cancer):
    X, y = cancer
    pipeline = make_pipeline(SimpleImputer(), clf(epochs=1)).fit(X, y)
    with pytest.raises(ValueError, match=r"onnxruntime .* cannot run.*X\.astype\('float32'\)"):
        to_onnx(pipeline, X)
    X = X.astype(np.float32)
    assert_agrees(pipeline, X, *run(to_onnx(pipeline, X), {"X": X}))


def test_a_step_that_skl2onnx_understands_otherwise_is_an_error(cancer):
    X, y = cancer
    X = X.astype(np.float32)
    X[::3, 0] = np.nan
    imputer = SimpleImputer(strategy="constant", fill_value=0.0, add_indicator=True)
    select = make_column_transformer((imputer, [0, 1]))
    pipeline = make_pipeline(select, clf(epochs=1)).fit(X, y)
    with pytest.raises(ValueError, match="skl2onnx made of this Pipeline"):
        to_onnx(pipeline, X)
    plain = make_pipeline(FunctionTransformer(), clf(epochs=1)).fit(X[:, 1:], y)
    model = to_onnx(plain, X[:, 1:])
    plain[-1].model_.variables[0].assign(plain[-1].model_.variables[0] + 1)
    with pytest.raises(ValueError, match=r"up to .* from its probabilities, on the rows passed"):
        _check_with_rows(model, plain, X[:, 1:])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_pipeline_takes_rows_of_the_type_of_X(dtype, cancer):
    X, y = cancer
    pipeline = make_pipeline(StandardScaler(), clf("mlp")).fit(X, y)
    X = X.astype(dtype)
    assert_agrees(pipeline, X, *run(to_onnx(pipeline, X[:1]), {"X": X}))


def test_skl2onnx_itself_converts_the_classifier(cancer):
    X, y = cancer
    for y_kind in (y, np.column_stack([y, X[:, 0] > 14]).astype(int)):
        pipeline = make_pipeline(StandardScaler(), clf("mlp", epochs=1)).fit(X, y_kind)
        for options in ({}, {"options": {"zipmap": False}}):
            model = skl2onnx.to_onnx(pipeline, X[:1], target_opset=17, **options)
            assert_agrees(pipeline, X, *run(model, {"X": X}))


def test_two_classifiers_in_one_graph_keep_their_names_apart(cancer):
    X, y = cancer
    first, second = (clf("mlp", epochs=1, random_state=s).fit(X, y) for s in (0, 1))
    graph = Graph(17)
    names = [graph.array(np.zeros(1)).name for _ in range(3)]
    assert len(set(names)) == 3
    assert to_onnx(first) != to_onnx(second)


@pytest.mark.parametrize("opset", [15, 21])
def test_other_versions_of_the_operators(opset):
    X, y = rows("classes")
    estimator = clf("ensemble", loss="focal", epochs=1, validation_split=0).fit(X, y)
    model = to_onnx(estimator, target_opset=opset)
    assert model.opset_import[0].version == opset
    X = X.astype(np.float32)
    assert_agrees(estimator, X, *run(model, {"X": X}))


# ------------------------------------------------------------------ TensorFlow's files


def lite(model, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own, that it will move
        interpreter = tf.lite.Interpreter(model_content=model)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], X.shape)
    found = interpreter.get_signature_runner()(X=X)
    return found["label"], found["probabilities"]


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("binary", {"model": "ensemble", "loss": "focal", "threshold": 0.2}),
        ("binary", {"model": wide_and_deep, "calibrate": "sigmoid", "validation_split": 0.3}),
        ("classes", {"model": "mlp", "loss": "cost_sensitive", "cost_matrix": COSTS}),
        ("classes", {"model": "ensemble", "loss": "focal", "validation_split": 0}),
        ("labels", {"model": "mlp", "loss": "asymmetric"}),
    ],
)
def test_tensorflows_files_say_what_the_estimator_says(kind, parameters, tmp_path):
    X, y = rows(kind)
    estimator = clf(**{"epochs": 2, **parameters}).fit(X, y)
    X = X.astype(np.float32)
    if parameters["model"] is not wide_and_deep:
        X[0] = np.nan
        estimator._input_columns[1][0] = False
    to_saved_model(estimator, tmp_path)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"](X=tf.constant(X))
    assert_agrees(estimator, X, served["label"].numpy(), served["probabilities"].numpy())
    path = tmp_path / "model.tflite"
    model = to_litert(estimator, path)
    assert path.read_bytes() == model
    label, proba = lite(model, X)
    assert_agrees(estimator, X, label if kind == "labels" else estimator.classes_[label], proba)


def test_an_export_holds_no_part_of_the_estimator(tmp_path):
    X, y = rows("binary")
    estimator = clf("mlp").fit(X, y)
    X = X.astype(np.float32)
    to_saved_model(estimator, tmp_path)
    before, expected = to_onnx(estimator), estimator.predict_proba(X)
    for variable in estimator.model_.variables:
        variable.assign(variable * 0)
    np.testing.assert_allclose(run(before, {"X": X})[1], expected, atol=1e-5)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    np.testing.assert_allclose(served(X=tf.constant(X))["probabilities"], expected, atol=1e-5)


# ------------------------------------------------------------------ files and bad cases


@pytest.mark.parametrize("built", [False, True])
def test_a_loaded_estimator_is_exported_like_the_one_that_was_stored(built, tmp_path):
    X, y = rows("binary")
    estimator = clf("mlp", loss="focal").fit(X, y)
    loaded = pickle.loads(pickle.dumps(estimator))
    if built:
        assert loaded.model_.built
    X = X.astype(np.float32)
    for expected, found in zip(
        run(to_onnx(estimator), {"X": X}), run(to_onnx(loaded), {"X": X}), strict=True
    ):
        np.testing.assert_array_equal(expected, found)


def test_the_model_is_written_to_path(tmp_path):
    X, y = rows("binary")
    estimator = clf().fit(X, y)
    model = to_onnx(estimator, path=tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == model
    assert os.listdir(tmp_path) == ["model.onnx"]


@pytest.mark.parametrize("export", [to_onnx, to_litert, lambda e: to_saved_model(e, "never")])
def test_not_fitted(export):
    with pytest.raises(NotFittedError):
        export(clf())


@pytest.mark.parametrize("export", [to_onnx, to_litert])
def test_other_estimators_are_refused(export):
    X, y = rows("binary")
    for other in (LogisticRegression().fit(X, y), GridSearchCV(clf(), {"epochs": [1]})):
        with pytest.raises(TypeError, match=r"Only a WeightedKerasClassifier.*best_estimator_"):
            export(other)


def test_a_pipeline_needs_a_classifier_rows_and_a_fit():
    X, y = rows("binary")
    with pytest.raises(NotFittedError):
        to_onnx(make_pipeline(StandardScaler(), clf()), X)
    with pytest.raises(TypeError, match="got LogisticRegression"):
        to_onnx(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y), X)
    with pytest.raises(ValueError, match="A Pipeline needs X"):
        to_onnx(make_pipeline(StandardScaler(), clf()).fit(X, y))


def test_targets_without_a_posterior_are_an_error():
    X, y = rows("labels")

    def build(meta):
        network = keras.Sequential([keras.Input((7,)), keras.layers.Dense(3, "sigmoid")])
        network.compile(loss="binary_crossentropy")
        return network

    estimator = clf(build, loss="binary_crossentropy").fit(X, y)
    with pytest.raises(ValueError, match=r"targets of type 'multilabel-indicator'.*model_\.export"):
        to_onnx(estimator)


class Uneven(losses.PointwiseLoss):
    """Cross-entropy whose posterior, it says, mixes the classes."""

    def class_losses(self, z):
        return -keras.ops.log_softmax(z, axis=-1)

    def class_log_odds(self, z):
        return z + 0.2 * np.tanh(np.roll(z, 1, axis=1) * z)


def test_a_posterior_without_a_closed_form_is_an_error_that_says_what_has_one():
    estimator = clf(loss=Uneven()).fit(*rows("classes"))
    with pytest.raises(ValueError, match=r"Uneven.*calibrate='sigmoid'"):
        to_onnx(estimator)
    calibrated = clf(loss=Uneven(), calibrate="sigmoid", validation_split=0.3)
    X = rows("classes")[0].astype(np.float32)
    calibrated.fit(*rows("classes"))
    assert_agrees(calibrated, X, *run(to_onnx(calibrated), {"X": X}))


class Doubled(WeightedKerasClassifier):
    @property
    def feature_encoder(self):
        from sklearn.preprocessing import FunctionTransformer

        return FunctionTransformer(lambda X: 2 * X)


def test_an_encoder_of_ones_own_is_an_error():
    X, y = rows("binary")
    estimator = Doubled("linear", epochs=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="feature_encoder is a FunctionTransformer"):
        to_onnx(estimator)


def test_an_input_type_that_is_none_of_onnx_is_an_error():
    X, y = rows("binary")

    def build(meta):
        return keras.Sequential([keras.Input((7,), dtype="float16"), keras.layers.Dense(1)])

    estimator = clf(build).fit(X, y)
    with pytest.raises(ValueError, match="takes float16"):
        to_onnx(estimator)


@pytest.mark.parametrize("opset", [14, 1000, "17", True])
def test_versions_that_are_none(opset):
    estimator = fitted("binary", {})
    with pytest.raises(ValueError, match="target_opset="):
        to_onnx(estimator, target_opset=opset)


@pytest.mark.parametrize("missing", ["onnx", "skl2onnx"])
def test_what_is_missing_is_named(missing, monkeypatch):
    X, y = rows("binary")
    estimator = make_pipeline(StandardScaler(), clf()).fit(X, y)
    for name in [n for n in sys.modules if n.startswith("wbce.export._")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r"pip install wbce\[export\]"):
        to_onnx(estimator, X)
