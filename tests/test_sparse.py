"""Sparse rows: the same networks as of dense ones, and nothing of the size of the whole matrix."""

import pickle
import subprocess
import sys

import joblib
import keras
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

import wbce
from wbce import WeightedKerasClassifier
from wbce._sparse import canonical
from wbce.networks import SparseColumns, sparse_columns_in_numpy

N, WIDTH = 400, 60


def clf(**kwargs):
    return WeightedKerasClassifier(**{"epochs": 3, "random_state": 0, **kwargs})


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    X = sparse.random_array((N, WIDTH), density=0.1, rng=generator, format="lil")
    X[5, :] = 0  # a row without entries
    X[:, 7] = 0  # a column without
    X = X.tocsr()
    score = X @ generator.normal(size=WIDTH)
    return X, (score > np.quantile(score, 0.85)).astype(int)


@pytest.fixture(scope="module")
def fitted(rows):
    return clf(class_weight="balanced").fit(*rows)


def dense_network(meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(1),
        ]
    )


def sparse_network(meta):
    inputs = keras.Input((meta["n_features_in_"],), sparse=True)
    hidden = keras.layers.Dense(8, "relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.end = keras.layers.Dense(8, "relu"), keras.layers.Dense(1)

    def call(self, inputs):
        return self.end(self.hidden(inputs - 0.0))


class TestTraining:
    @pytest.mark.parametrize("network", [dense_network, sparse_network, lambda: Subclassed()])
    def test_is_that_of_dense_rows(self, rows, network):
        X, y = rows
        args = {"model": network, "class_weight": "balanced", "batch_size": 64}
        sparsely, densely = clf(**args).fit(X, y), clf(**args).fit(X.toarray(), y)
        np.testing.assert_allclose(sparsely.history_["loss"], densely.history_["loss"], rtol=1e-5)
        np.testing.assert_allclose(
            sparsely.predict_proba(X), densely.predict_proba(X.toarray()), rtol=1e-4
        )

    @pytest.mark.parametrize("name", ["mlp", "linear"])
    def test_of_built_in_networks_goes_on_as_that_of_dense_rows(self, rows, name):
        X, y = rows
        sparsely = clf(model=name, warm_start=True).fit(X, y)
        densely = pickle.loads(pickle.dumps(sparsely))
        sparsely.fit(X, y)
        densely.fit(X.toarray(), y)
        np.testing.assert_allclose(sparsely.history_["loss"], densely.history_["loss"], rtol=1e-5)
        np.testing.assert_allclose(sparsely.predict_proba(X), densely.predict_proba(X), rtol=1e-4)

    def test_goes_on_with_sparse_rows_after_dense_ones(self, rows):
        X, y = rows
        first = clf(model="mlp", warm_start=True).fit(X.toarray(), y)
        other = pickle.loads(pickle.dumps(first))
        first.fit(X, y)
        other.fit(X.toarray(), y)
        np.testing.assert_allclose(first.predict_proba(X), other.predict_proba(X), rtol=1e-4)

    def test_in_parts(self, rows):
        X, y = rows
        sparsely, densely = (clf(model=dense_network, pos_weight=3.0) for _ in range(2))
        for some in (slice(200), slice(200, 400)):
            sparsely.partial_fit(X[some], y[some], classes=[0, 1])
            densely.partial_fit(X[some].toarray(), y[some], classes=[0, 1])
        np.testing.assert_allclose(sparsely.predict_proba(X), densely.predict_proba(X), rtol=1e-4)

    def test_by_keras_own_fit(self, rows):
        X, y = rows
        model = clf(model=dense_network, metrics=["AUC"], epochs=1).fit(X, y)
        assert any("auc" in name.lower() for name in model.history_)
        proba = model.predict_proba(X)
        asked = model.set_params(predict__batch_size=200).predict_proba(X)
        np.testing.assert_allclose(proba, asked, rtol=1e-4, atol=1e-6)

    def test_with_what_looks_on(self, rows, capsys):
        X, y = rows
        heard = []
        callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: heard.append(logs))
        model = clf(model="mlp", callbacks=[callback]).fit(X, y, X_val=X[:90], y_val=y[:90])
        again = clf(model="mlp").fit(X, y, X_val=X[:90].toarray(), y_val=y[:90])
        assert "val_loss" in heard[0]
        assert model.history_["loss"] == again.history_["loss"]


class TestPredictions:
    @pytest.mark.parametrize("network", ["mlp", "linear", dense_network, sparse_network])
    def test_do_not_depend_on_the_form_of_rows(self, rows, network):
        X, y = rows
        for fit_rows in (X, X.toarray()):
            model = clf(model=network, epochs=1).fit(fit_rows, y)
            np.testing.assert_allclose(
                model.predict_proba(X), model.predict_proba(X.toarray()), rtol=1e-5, atol=1e-7
            )

    def test_of_the_ensemble(self, rows):
        X, y = rows
        model = clf(epochs=1).fit(X.toarray(), y)
        np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X.toarray()))

    def test_do_not_depend_on_other_rows(self, fitted, rows):
        X = rows[0]
        alone = np.concatenate([fitted.predict_proba(X[i : i + 1]) for i in range(40)])
        np.testing.assert_array_equal(alone, fitted.predict_proba(X)[:40])

    def test_are_those_of_the_network_itself(self, fitted, rows):
        X = rows[0]
        outputs = fitted.model_.predict(X.toarray(), verbose=0).ravel()
        raw = clone(fitted)
        raw.__dict__.update(fitted.__dict__, calibrate=False)
        np.testing.assert_allclose(raw.predict_proba(X)[:, 1], outputs, rtol=1e-4, atol=1e-6)

    def test_of_all_kinds(self, fitted, rows):
        X, y = rows
        dense = X.toarray()
        for name in ("predict", "predict_log_proba", "decision_function", "estimate_prior"):
            np.testing.assert_allclose(getattr(fitted, name)(X), getattr(fitted, name)(dense))
        with pytest.warns(wbce.ImbalanceWarning):
            assert fitted.score(X, y) == fitted.score(dense, y)
        twin = pickle.loads(pickle.dumps(fitted))
        fitted.tune_threshold(X, y)
        assert fitted.threshold_ == twin.tune_threshold(dense, y).threshold_


FORMS = {
    "matrix": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "coo": sparse.coo_matrix,
    "lil": sparse.lil_array,
    "integers": lambda X: X.astype(np.int64),
    "float32": lambda X: X.astype(np.float32),
    "booleans": lambda X: X.astype(bool),
}


def with_long_indices(X):
    return sparse.csr_array(
        (X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), X.shape
    )


def in_disorder(X):
    """Every entry as two halves, in no order, with zeros between."""
    coo = X.tocoo()
    order = np.random.default_rng(1).permutation(3 * X.nnz)
    row, column = (np.tile(at, 3)[order] for at in coo.coords)
    data = np.concatenate([X.data / 2, X.data / 2, 0 * X.data])[order]
    starts = np.searchsorted(np.sort(row), np.arange(N + 1))
    by_row = np.argsort(row, kind="stable")
    return sparse.csr_array((data[by_row], column[by_row], starts), X.shape)


@pytest.mark.parametrize("form", [*FORMS.values(), with_long_indices, in_disorder])
def test_forms_are_one_matrix(rows, form):
    X, y = rows[0].copy(), rows[1]
    X.data = np.ceil(4 * X.data)  # the same numbers in every type
    if form is FORMS["booleans"]:
        X.data[:] = 1
    given = form(X)
    before = given.copy()
    expected = clf(model="linear", epochs=1).fit(X, y).predict_proba(X)
    found = clf(model="linear", epochs=1).fit(given, y).predict_proba(given)
    np.testing.assert_array_equal(found, expected)
    assert (before != given).nnz == 0
    if given.format == "csr":
        np.testing.assert_array_equal(given.data, before.data)


class TestNetworks:
    def test_of_none_is_linear(self, fitted):
        assert fitted.model_.name == "linear"
        assert isinstance(fitted.model_.layers[1], SparseColumns)

    def test_the_ensemble_is_refused(self, rows):
        with pytest.raises(ValueError, match=r'sparse.*model="linear".*"mlp".*toarray'):
            clf(model="ensemble").fit(*rows)

    def test_a_failed_fit_changes_nothing(self, rows):
        X, y = rows
        model = clf(model="ensemble", epochs=1).fit(X.toarray(), y)
        before = model.predict_proba(X)
        with pytest.raises(ValueError, match="sparse"):
            model.fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), before)

    def test_rows_have_length_one(self, rows):
        X, weight = rows[0], np.arange(N) % 3
        layer = SparseColumns()
        layer.build((None, WIDTH))
        layer.fit(X, weight.astype(float))
        some = sparse.csr_array(np.repeat(X.toarray(), weight, axis=0).astype(np.float32))
        found = sparse_columns_in_numpy(some, *map(np.asarray, layer.fitted))
        assert np.mean(found.power(2).sum(axis=1)) == pytest.approx(1.0, rel=1e-5)

    def test_a_column_that_comes_later_is_learnt(self, rows):
        X, y = rows
        later = sparse.csr_array(np.column_stack([X.toarray()[:, :7], y]))  # column 7
        model = clf(epochs=1)
        model.partial_fit(sparse.csr_array(X[:, :8]), y, classes=[0, 1])
        for _ in range(20):
            model.partial_fit(later, y)
        assert average_precision_score(y, model.predict_proba(later)[:, 1]) > 0.99

    def test_columns_in_numpy_are_those_of_the_layer(self, rows):
        X = rows[0].astype(np.float32)
        X.data[:3] = [1e30, -1e36, 1e-30]
        layer = SparseColumns()
        layer.build((None, WIDTH))
        layer.fit(X, np.ones(N))
        expected = np.asarray(layer(X.toarray()))
        found = sparse_columns_in_numpy(X, *map(np.asarray, layer.fitted)).toarray()
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert np.abs(found).max() <= 10.001 / float(layer.length)

    @pytest.mark.parametrize("name", ["mlp", "linear"])
    def test_take_labels_and_classes(self, rows, name):
        X, y = rows
        classes = y + (np.arange(N) % 3 == 0)
        assert clf(model=name, epochs=1).fit(X, classes).predict_proba(X).shape == (N, 3)
        labels = np.column_stack([y, 1 - y, np.arange(N) % 2])
        assert clf(model=name, epochs=1).fit(X, labels).predict(X).shape == (N, 3)


class TestAroundIt:
    def test_out_of_fold_and_weights(self, rows):
        X, y = rows
        weight = np.where(np.arange(N) % 9, 1.0, 0.0)
        arguments = {"threshold": "auto", "threshold_cv": 3, "epochs": 2}
        model = clf(**arguments).fit(X, y, sample_weight=weight)
        kept = weight > 0
        again = clf(**arguments).fit(X[kept], y[kept])
        np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))
        assert 0 < model.threshold_ < 1

    def test_searches_and_folds(self, rows):
        X, y = rows
        search = GridSearchCV(
            clf(epochs=1), {"pos_weight": [1, 5]}, cv=2, scoring="average_precision"
        )
        search.set_params(error_score="raise")
        assert search.fit(X, y).predict(X).shape == (N,)
        proba = cross_val_predict(clf(epochs=1), X, y, cv=2, method="predict_proba")
        assert np.isfinite(proba).all()

    @pytest.mark.parametrize("how", ["pickle", "joblib", "save"])
    def test_stored(self, fitted, rows, how, tmp_path):
        path = tmp_path / "stored"
        if how == "save":
            fitted.save(path)
            again = wbce.load(path)
        elif how == "joblib":
            joblib.dump(fitted, path)
            again = joblib.load(path)
        else:
            again = pickle.loads(pickle.dumps(fitted))
        X = rows[0]
        expected = fitted.predict_proba(X)
        np.testing.assert_array_equal(again.predict_proba(X), expected)
        assert isinstance(again.model_.layers[1], SparseColumns)

    def test_exported(self, fitted, rows, tmp_path):
        onnxruntime = pytest.importorskip("onnxruntime")
        from wbce.export import to_onnx

        X = rows[0].astype(np.float32)
        session = onnxruntime.InferenceSession(to_onnx(fitted).SerializeToString())
        (first, *_), names = session.get_inputs(), [o.name for o in session.get_outputs()]
        outputs = dict(zip(names, session.run(None, {first.name: X.toarray()}), strict=True))
        assert len(outputs) >= 2
        found = next(v for v in outputs.values() if np.shape(v) == (N, 2))
        np.testing.assert_allclose(found, fitted.predict_proba(X), atol=1e-5)

    def test_a_checkpoint_knows_its_rows(self):
        from wbce.training._digest import digest

        one = sparse.csr_array(np.eye(3))
        other = one.copy()
        other.data[1] = 2
        assert digest(one) == digest(one.copy()) != digest(other)


class TestHostile:
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_what_is_no_number(self, fitted, rows, value):
        X, y = rows[0].copy(), rows[1]
        X.data[3] = value
        for call in (lambda: clf().fit(X, y), lambda: fitted.predict(X)):
            with pytest.raises(ValueError, match="sparse and contains NaN or infinity: 1 entries"):
                call()

    def test_missing_values_in_dense_rows_after_sparse_ones(self, fitted, rows):
        X = rows[0].toarray()
        X[0, 0] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            fitted.predict(X)

    def test_shapes(self, fitted, rows):
        X, y = rows
        with pytest.raises(ValueError, match="60 features"):
            fitted.predict(X[:, :59])
        with pytest.raises(ValueError, match="0 feature"):
            clf().fit(X[:, :0], y)
        with pytest.raises(ValueError, match="0 sample"):
            fitted.predict(X[:0])
        with pytest.raises(ValueError, match="inconsistent"):
            clf().fit(X, y[1:])
        with pytest.raises(ValueError, match="inconsistent"):
            clf().fit(X, y, sample_weight=np.ones(3))
        with pytest.raises(ValueError, match="inconsistent"):
            clf().fit(X, y, groups=np.ones(3))

    def test_a_number_too_large(self, rows):
        X, y = rows[0].copy(), rows[1]
        X.data[3] = 1e39
        with pytest.raises(ValueError, match=r"1e\+39, a value too large for float32"):
            clf().fit(X, y)

    def test_rows_without_any_entry(self):
        X, y = sparse.csr_array((100, 5)), np.repeat([0, 1], 50)
        model = clf(epochs=1).fit(X, y)
        assert np.isfinite(model.predict_proba(X[:1])).all()

    def test_canonical_leaves_what_is_passed_alone(self):
        X = sparse.csr_matrix(([1.0, 2.0, 0.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
        found = canonical(X)
        assert found.nnz == 1
        assert X.nnz >= 2


def test_text_in_a_pipeline():
    words = ["refund", "invoice", "hello", "thanks", "parcel", "late", "angry", "fine"]
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(words, 6)) for _ in range(300)]
    y = np.array(["refund" in text and "angry" in text for text in texts])
    pipeline = make_pipeline(
        TfidfVectorizer(),
        WeightedKerasClassifier(epochs=40, random_state=0, class_weight="balanced"),
    )
    pipeline.fit(texts, y)
    assert average_precision_score(y, pipeline.predict_proba(texts)[:, 1]) > 0.9
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict(texts), pipeline.predict(texts))


def test_real_rows_are_learnt_as_well_as_from_a_dense_table(cancer):
    X, y = cancer
    model = WeightedKerasClassifier(epochs=30, random_state=0, class_weight="balanced")
    proba = cross_val_predict(model, sparse.csr_array(X), y, cv=3, method="predict_proba")[:, 1]
    linear = make_pipeline(MaxAbsScaler(), LogisticRegression(class_weight="balanced"))
    other = cross_val_predict(linear, X, y, cv=3, method="predict_proba")[:, 1]
    assert average_precision_score(y, proba) > average_precision_score(y, other) - 0.02


_LARGE = """
import numpy as np
from scipy import sparse
from wbce import WeightedKerasClassifier


def peak():  # ru_maxrss would count the memory of the process that started this one
    with open("/proc/self/status") as status:
        return int(status.read().split("VmHWM:")[1].split()[0]) // 1024


rng = np.random.default_rng(0)
n_rows, entries = 10_000, 5
columns = rng.integers(0, 50_000, (n_rows, entries))
starts = np.arange(n_rows + 1) * entries
X = sparse.csr_array((np.ones(columns.size), columns.ravel(), starts), (n_rows, 50_000))
y = (columns < 2000).any(axis=1).astype(int)
model = WeightedKerasClassifier("linear", epochs=1, batch_size=1000, random_state=0)
before = peak()
model.fit(X, y)
model.predict_proba(X)
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read as Linux says it")
def test_nothing_of_the_size_of_the_whole_is_made():
    """Of 1,907 MiB as dense float32 rows."""
    command = [sys.executable, "-c", _LARGE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) < 600
