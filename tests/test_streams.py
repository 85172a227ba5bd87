"""Rows that are not in memory."""

import gc
import tracemalloc

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedKFold

from tables import table
from wbce import BlockError, DivergenceError, WeightedKerasClassifier
from wbce.streams import _arrays, _pools, _survey, stream_of
from wbce.training import _checkpoint

NAMES = [f"x{i}" for i in range(7)]


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """What is large for these tests."""
    monkeypatch.setattr(_arrays, "LARGE", 1)
    monkeypatch.setattr(_arrays, "_BYTES_OF_A_PART", 2**12)
    monkeypatch.setattr(_pools, "_BYTES", 2**14)


@pytest.fixture(scope="module")
def rows(float_rows):
    return float_rows


@pytest.fixture(scope="module")
def folder(rows, tmp_path_factory):
    """The rows as files."""
    X, y = rows
    place = tmp_path_factory.mktemp("rows")
    np.save(place / "X.npy", X)
    frame = pd.DataFrame(X, columns=NAMES).assign(y=y)
    (place / "parquet").mkdir()
    for i, piece in enumerate((frame[:300], frame[300:])):
        pq.write_table(
            pa.Table.from_pandas(piece), place / "parquet" / f"{i}.parquet", row_group_size=100
        )
    return place


def batches(X, y, *weight, size=100):
    for i in range(0, len(X), size):
        yield tuple(a[i : i + size] for a in (X, y, *weight))


class Batches(keras.utils.PyDataset):
    def __init__(self, X, y):
        super().__init__()
        self._rows = list(batches(X, y))

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, i):
        return self._rows[i]


def mapped(folder):
    return np.load(folder / "X.npy", mmap_mode="r")


def as_source(kind, folder, X, y):
    """X and y as `fit` takes them."""
    return {
        "memory map": lambda: (mapped(folder), y),
        "parquet": lambda: (folder / "parquet", "y"),
        "pyarrow dataset": lambda: (pa.dataset.dataset(folder / "parquet"), "y"),
        "pyarrow in memory": lambda: (pa.dataset.dataset(pq.read_table(folder / "parquet")), "y"),
        "tf.data": lambda: (tf.data.Dataset.from_tensor_slices((X, y)).batch(100), None),
        "callable": lambda: (lambda: batches(X, y), None),
        "iterator": lambda: (batches(X, y), None),
        "PyDataset": lambda: (Batches(X, y), None),
    }[kind]()


SOURCES = [
    "memory map",
    "parquet",
    "pyarrow dataset",
    "tf.data",
    "callable",
    "iterator",
    "PyDataset",
]


def clf(**parameters):
    given = {"model": "mlp", "epochs": 2, "batch_size": 32, "random_state": 0, **parameters}
    return WeightedKerasClassifier(**given)


IN_ORDER = {"shuffle": False, "early_stopping": False, "validation_split": 0.0}


@pytest.mark.parametrize("kind", SOURCES)
def test_it_is_the_fit_of_the_same_rows_in_memory(kind, rows, folder):
    X, y = rows
    parameters = {"class_weight": "balanced", **IN_ORDER}
    expected = clf(**parameters).fit(X, y)
    model = clf(**parameters).fit(*as_source(kind, folder, X, y))
    assert model.class_weight_ == pytest.approx(expected.class_weight_)
    np.testing.assert_allclose(model.prior_, expected.prior_)
    for found, variable in zip(model.model_.variables, expected.model_.variables, strict=True):
        np.testing.assert_allclose(found.numpy(), variable.numpy(), rtol=1e-3, atol=1e-5)
    shown = pd.DataFrame(X, columns=NAMES) if "p" in kind[:2] else X
    shown = shown if hasattr(model, "feature_names_in_") else X
    np.testing.assert_allclose(
        model.predict_proba(shown), expected.predict_proba(X), rtol=1e-3, atol=1e-5
    )
    np.testing.assert_allclose(model.history_["loss"], expected.history_["loss"], rtol=1e-4)


def test_weights_are_those_of_the_fit_in_memory(rows, folder):
    X, y = rows
    weight = np.random.default_rng(1).integers(0, 4, len(y)).astype(float)
    expected = clf(pos_weight=5, **IN_ORDER).fit(X, y, sample_weight=weight)
    by_map = clf(pos_weight=5, **IN_ORDER).fit(mapped(folder), y, sample_weight=weight)
    by_batch = clf(pos_weight=5, **IN_ORDER).fit(lambda: batches(X, y, weight))
    for model in (by_map, by_batch):
        np.testing.assert_allclose(model.prior_, expected.prior_)
        np.testing.assert_allclose(
            model.predict_proba(X), expected.predict_proba(X), rtol=1e-3, atol=1e-5
        )


def test_rows_without_weight_are_not_there(rows):
    X, y = rows
    weight = (np.arange(len(y)) % 10 > 0).astype(float)
    labels = np.where(weight > 0, y, 7)  # a class that no row with weight has
    expected = clf(**IN_ORDER).fit(X, labels, sample_weight=weight)
    model = clf(**IN_ORDER).fit(lambda: batches(X, labels, weight))
    assert model.classes_.tolist() == [0, 1]
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(X), rtol=1e-3, atol=1e-5
    )


def trained_and_judged(model, monkeypatch, *arguments):
    """Which rows, told by their first column, a fit trains on in each epoch, and judges by."""
    epochs, judges = [], []
    own = _pools.Pools.of_epoch

    def of_epoch(self, generator):
        epochs.append([])
        for pool in own(self, generator):
            epochs[-1] += pool[0][:, 0].tolist()
            yield pool

    own_judges = WeightedKerasClassifier._judging_logits

    def judging(self, judge):
        judges[:] = np.asarray(judge.X, dtype=float)[:, 0].tolist()
        return own_judges(self, judge)

    monkeypatch.setattr(_pools.Pools, "of_epoch", of_epoch)
    monkeypatch.setattr(WeightedKerasClassifier, "_judging_logits", judging)
    model.fit(*arguments)
    return epochs, judges


@pytest.mark.parametrize("kind", ["memory map", "parquet", "tf.data", "iterator"])
@pytest.mark.parametrize("n_kept", [10_000, 200])
def test_every_row_trains_or_judges_in_every_epoch(
    kind, n_kept, rows, folder, monkeypatch, tmp_path
):
    X, y = rows
    X = np.column_stack([np.arange(len(X)), X[:, 1:]]).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "parquet").mkdir()
    frame = pd.DataFrame(X, columns=NAMES).assign(y=y)
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "parquet/0.parquet", row_group_size=64)
    monkeypatch.setattr(_survey, "_ROWS_KEPT", (n_kept, n_kept))
    source = as_source(kind, tmp_path, X, y)
    epochs, judges = trained_and_judged(
        clf(validation_split=0.3, threshold="auto"), monkeypatch, *source
    )
    assert len(epochs) == 2
    assert epochs[0] != epochs[1] or kind == "tf.data"  # shuffled anew
    for epoch in epochs:
        assert sorted([*epoch, *judges]) == list(range(len(y)))
    positives = y[np.array(judges, dtype=int)].sum()
    assert positives == 13  # of 42, 0.3
    assert len(judges) == (220 if n_kept > 1000 else 13 + int(0.8 * 158))


def test_judges_of_few_kept_rows_have_the_base_rate_of_all(rows, folder, monkeypatch):
    X, y = rows
    monkeypatch.setattr(_survey, "_ROWS_KEPT", (200, 200))
    model = clf(validation_split=0.3, threshold="auto", epochs=10).fit(mapped(folder), y)
    assert model.prior_[1] == pytest.approx(y.mean())
    curve = model.threshold_curve_
    assert curve.precision.min() == pytest.approx(y.mean(), rel=0.02)
    assert abs(model.predict_proba(X)[:, 1].mean() - y.mean()) < 0.03


def test_a_whole_fit_on_real_rows_is_as_good_as_in_memory(tmp_path):
    X, y = table("page_blocks0")
    X = X.astype(np.float32)
    train = np.arange(len(y)) % 3 > 0
    np.save(tmp_path / "X.npy", X[train])
    np.save(tmp_path / "y.npy", y[train])
    parameters = {"epochs": 20, "threshold": "auto", "class_weight": "balanced"}
    scores = []
    for mode in ("r", None):
        files = [np.load(tmp_path / f"{name}.npy", mmap_mode=mode) for name in ("X", "y")]
        model = clf(**parameters).fit(*files)
        p = model.predict_proba(X[~train])[:, 1]
        scores.append((log_loss(y[~train], p), average_precision_score(y[~train], p)))
    assert scores[0][0] < scores[1][0] + 0.02
    assert scores[0][1] > scores[1][1] - 0.03


def test_the_built_in_ensemble_takes_streams(rows, folder):
    X, y = rows
    model = WeightedKerasClassifier(epochs=2, random_state=0).fit(mapped(folder), y)
    assert model.model_.name == "ensemble"
    assert model.best_epoch_ in (1, 2)
    twice = WeightedKerasClassifier(epochs=2, random_state=0).fit(mapped(folder), y)
    np.testing.assert_array_equal(model.predict_proba(X), twice.predict_proba(X))


def test_categories_and_missing_values_of_all_blocks_count(tmp_path):
    generator = np.random.default_rng(0)
    n = 600
    frame = pd.DataFrame(
        {
            "kind": np.array(["a", "b", "c"])[generator.integers(0, 3, n)],
            "amount": generator.normal(size=n),
        }
    )
    frame.loc[n - 1, "kind"] = "late"
    frame.loc[n - 2, "amount"] = np.nan
    frame.loc[n - 3, "kind"] = None
    y = ((frame["kind"] == "a") & (frame["amount"] > 0)).astype(int).to_numpy()
    for i in range(3):
        piece = frame[i * 200 : (i + 1) * 200].assign(fraud=y[i * 200 : (i + 1) * 200])
        piece.to_parquet(tmp_path / f"{i}.parquet")
    stream = clf(**IN_ORDER).fit(str(tmp_path), "fraud")
    memory = clf(**IN_ORDER).fit(frame, y)
    assert stream._input_columns == memory._input_columns == ([4, 0], [True, True])
    np.testing.assert_allclose(
        stream.predict_proba(frame), memory.predict_proba(frame), rtol=1e-3, atol=1e-5
    )
    np.testing.assert_array_equal(stream.predict(str(tmp_path)), stream.predict(frame))


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_predictions_block_by_block_are_those_of_all_rows(method, rows, folder):
    X, y = rows
    model = clf().fit(X, y)
    np.testing.assert_array_equal(getattr(model, method)(mapped(folder)), getattr(model, method)(X))


def test_a_fit_needs_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(_survey, "_BYTES_KEPT", 2**18)
    monkeypatch.setattr(_arrays, "_BYTES_OF_A_PART", 2**17)
    monkeypatch.setattr(_pools, "_BYTES", 2**18)
    n = 100_000
    X = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (n, 50))
    generator = np.random.default_rng(0)
    for i in range(0, n, 10_000):
        X[i : i + 10_000] = generator.standard_normal((10_000, 50))
    y = (np.arange(n) % 20 == 0).astype(np.int8)
    X.flush()
    rows = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = clf(model="linear", epochs=1, batch_size=1000)
    clf(model="linear", epochs=1, batch_size=1000).fit(rows[:5000], y[:5000])  # traces
    gc.collect()
    tracemalloc.start()
    try:
        model.fit(rows, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2


def test_checkpoints_go_on_in_a_stream(rows, tmp_path, monkeypatch):
    X, y = rows
    monkeypatch.setattr(_checkpoint, "SECONDS_BETWEEN", 0)
    reads = []

    def some():
        reads.append(1)
        for number, batch in enumerate(batches(X, y)):
            if len(reads) == 4 and number == 3:  # in the third epoch
                raise OSError("gone")
            yield batch

    whole = clf(epochs=4).fit(lambda: batches(X, y))
    with pytest.raises(BlockError):
        clf(epochs=4, checkpoint=tmp_path).fit(some)
    reads[:] = [1] * 10
    again = clf(epochs=4, checkpoint=tmp_path).fit(some)
    assert len(reads) == 10 + 1 + 2  # the pass before training, and two epochs
    np.testing.assert_array_equal(again.predict_proba(X), whole.predict_proba(X))
    assert len(again.history_["loss"]) == 4


def test_a_block_without_positives_is_no_error(rows):
    X, y = rows
    order = np.argsort(y, kind="stable")
    model = clf().fit(lambda: batches(X[order], y[order]))
    assert model.prior_[1] == pytest.approx(y.mean())


def test_training_goes_on_with_another_stream(rows, folder):
    X, y = rows
    model = clf(warm_start=True).fit(mapped(folder), y)
    before = model.predict_proba(X)
    model.fit(lambda: batches(X, y))
    assert not np.array_equal(before, model.predict_proba(X))
    with pytest.raises(BlockError, match="labels"):
        model.fit(lambda: batches(X, np.where(np.arange(len(y)) > 500, 7, y)))


# ---------------------------------------------------------------------- what cannot be used


def wide(X, y):
    yield from batches(X[:300], y[:300])
    yield X[300:400, :5], y[300:400]


def other_type(X, y):
    yield from batches(X[:300], y[:300])
    yield X[300:400].astype(str), y[300:400]


def infinite(X, y):
    yield from batches(X[:300], y[:300])
    yield np.where(X[300:400] > 0, np.inf, X[300:400]), y[300:400]


def labels_of_two_kinds(X, y):
    yield from batches(X[:300], y[:300])
    yield X[300:400], y[300:400].astype(str)


def frame_among_arrays(X, y):
    yield from batches(X[:300], y[:300])
    yield pd.DataFrame(X[300:400]), y[300:400]


def too_few_labels(X, y):
    yield from batches(X[:300], y[:300])
    yield X[300:400], y[300:350]


def missing_label(X, y):
    yield from batches(X[:300], y[:300])
    yield X[300:400], np.where(np.arange(100) == 3, np.nan, y[300:400])


def negative_weight(X, y):
    yield from batches(X[:300], y[:300], np.ones(300))
    yield X[300:400], y[300:400], -np.ones(100)


def raises(X, y):
    yield from batches(X[:300], y[:300])
    raise OSError("disk on fire")


def no_pair(X, y):
    yield from batches(X[:300], y[:300])
    yield X[300:400]


@pytest.mark.parametrize(
    ("some", "said"),
    [
        (wide, r"shape \(5,\).*shape \(7,\)"),
        (other_type, "type <U"),
        (infinite, "infinity"),
        (labels_of_two_kinds, "strings, or all numbers"),
        (frame_among_arrays, "DataFrame"),
        (too_few_labels, r"\[100, 50\]"),
        (missing_label, "missing"),
        (negative_weight, "negative"),
        (raises, "disk on fire"),
        (no_pair, r"\(X, y\)"),
    ],
)
def test_a_bad_block_is_named_and_the_estimator_is_as_it_was(some, said, rows):
    X, y = rows
    model = clf().fit(X, y)
    before = {name: value for name, value in vars(model).items()}
    with pytest.raises(BlockError, match=rf"(?s)batch 3 of the callable.*{said}") as caught:
        model.fit(lambda: some(X, y))
    assert caught.value.block == "batch 3 of the callable"
    assert vars(model) == before


def test_streams_that_change_between_passes_are_refused(rows):
    X, y = rows
    shuffled = tf.data.Dataset.from_tensor_slices((X, y)).shuffle(1000, seed=0).batch(100)
    with pytest.raises(BlockError, match="reshuffle_each_iteration=False"):
        clf().fit(shuffled)
    passes = []

    def shorter():
        passes.append(1)
        return batches(X[: 600 if len(passes) > 1 else 700], y)

    with pytest.raises(BlockError, match="other rows than the first time"):
        clf().fit(shorter)


def test_batches_of_nothing(rows):
    with pytest.raises(ValueError, match="no rows"):
        clf().fit(iter([]))


def damaged(folder, tmp_path, kind):
    for i in range(3):
        file = tmp_path / f"{i}.parquet"
        frame = pd.read_parquet(folder / "parquet" / "0.parquet")
        if i == 2 and kind == "another type":
            frame["x1"] = frame["x1"].astype(str)
        if i == 2 and kind == "a column less":
            frame = frame.drop(columns="x1")
        frame.to_parquet(file)
        if i == 2 and kind == "cut off":
            file.write_bytes(file.read_bytes()[:-100])
        if i == 2 and kind == "damaged inside":
            data = bytearray(file.read_bytes())
            data[200:2000] = bytes(1800)
            file.write_bytes(data)


@pytest.mark.parametrize("kind", ["another type", "a column less", "cut off", "damaged inside"])
def test_an_unreadable_file_is_named(kind, folder, tmp_path):
    damaged(folder, tmp_path, kind)
    with pytest.raises(BlockError, match=r"2\.parquet"):
        clf().fit(tmp_path, "y")


def test_what_is_not_there(folder, rows):
    X, y = rows
    with pytest.raises(ValueError, match="no file or folder"):
        clf().fit(folder / "nothing", "y")
    with pytest.raises(ValueError, match=r"y='label' is no column.*'x0'"):
        clf().fit(folder / "parquet", "label")
    with pytest.raises(ValueError, match="pass the name of the column"):
        clf().fit(folder / "parquet")
    with pytest.raises(ValueError, match="leave out y"):
        clf().fit(lambda: batches(X, y), y)
    with pytest.raises(ValueError, match="give each batch its own"):
        clf().fit(lambda: batches(X, y), sample_weight=np.ones(len(y)))
    with pytest.raises(ValueError, match="never ends"):
        clf().fit(tf.data.Dataset.from_tensor_slices((X, y)).batch(10).repeat())
    with pytest.raises(BlockError, match=r"\.batch\(1024\)"):
        clf().fit(tf.data.Dataset.from_tensor_slices((X, y)))


@pytest.mark.parametrize(
    ("parameters", "arguments", "said"),
    [
        ({}, {"groups": True}, "groups"),
        ({"threshold": "auto", "threshold_cv": 3}, {}, "threshold_cv=3"),
        ({"validation_split": "last"}, {}, "validation_split"),
        ({"validation_split": StratifiedKFold(3)}, {}, "validation_split"),
        ({"metrics": ["accuracy"]}, {}, "Keras' own fit"),
        ({"threshold": "auto", "validation_split": 0.01}, {}, "as X_val and y_val.$"),
    ],
)
def test_what_needs_all_rows_at_once_is_refused(parameters, arguments, said, rows, folder):
    _, y = rows
    arguments = {name: y for name in arguments}
    with pytest.raises(ValueError, match=said):
        clf(**parameters).fit(mapped(folder), y, **arguments)


def test_labels_in_a_stream_are_classes(rows):
    X, y = rows
    with pytest.raises(BlockError, match="one label a row"):
        clf().fit(lambda: batches(X, np.column_stack([y, 1 - y])))
    with pytest.raises(ValueError, match="one class"):
        clf().fit(lambda: batches(X, np.zeros(len(y), int)))


def test_a_diverging_stream_says_so(rows, folder):
    _, y = rows
    with pytest.raises(DivergenceError):
        clf(optimizer="sgd", optimizer__learning_rate=1e30).fit(mapped(folder), y)


def test_ctrl_c_is_heard_between_pools(rows, monkeypatch):
    X, y = rows
    monkeypatch.setattr(_pools, "_BYTES", 2**10)
    reads = []

    def some():
        reads.append(1)
        for number, batch in enumerate(batches(X, y)):
            if len(reads) == 3 and number == 3:
                _pools_interrupt()
            yield batch

    def _pools_interrupt():
        raise KeyboardInterrupt

    model = clf(epochs=50, early_stopping=False)
    with pytest.raises(KeyboardInterrupt):
        model.fit(some)
    assert model.n_iter_ == 1
    assert model.stopped_by_ == "interrupt"
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_stream_that_drifts_is_followed_by_partial_fit(rows):
    X, y = rows
    model = clf(pos_weight=5)
    shares = []
    for part in range(6):
        kept = (y == 1) | (np.arange(len(y)) % (part + 1) == 0)  # positives are ever more frequent
        model.partial_fit(X[kept], y[kept], classes=[0, 1])
        shares.append(y[kept].sum() / kept.sum())
    assert shares[-1] > 2 * shares[0]
    assert shares[0] < model.prior_[1] < shares[-1]
    assert log_loss(y, model.predict_proba(X, prior=y.mean())[:, 1]) < log_loss(
        y, np.full(len(y), 0.5)
    )


def test_small_memory_maps_are_read_whole(folder, rows, monkeypatch):
    monkeypatch.setattr(_arrays, "LARGE", 2**29)
    assert stream_of(mapped(folder), rows[1], None) is None
