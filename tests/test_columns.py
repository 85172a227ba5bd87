"""Frames with categories and missing values, as users of CatBoost and HistGradientBoosting have."""

import pickle
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from wbce import CategoryWarning, WeightedKerasClassifier
from wbce.columns import MAX_CATEGORIES, FrameColumns, is_frame
from wbce.networks import InputColumns

RNG = np.random.default_rng(0)
N = 400
KIND = RNG.choice(["a", "b", "c"], N)
NUMBER = RNG.normal(size=N)
Y = ((KIND == "b") & (NUMBER > 0)).astype(int)


def clf(**parameters):
    return WeightedKerasClassifier(
        **{"model": "mlp", "epochs": 30, "random_state": 0, "batch_size": 32, **parameters}
    )


def pandas_frame(dtype="category", missing=()):
    table = pd.DataFrame({"kind": pd.Series(KIND).astype(dtype), "number": NUMBER})
    table.loc[list(missing), ["kind", "number"]] = [None, np.nan]
    return table


# ------------------------------------------------------------------ frames to numbers


@pytest.mark.parametrize("dtype", ["category", "str", "string", "object"])
def test_text_and_categories_become_numbers(dtype):
    columns = FrameColumns(pandas_frame(dtype))
    assert columns.n_categories == [3, 0]
    numbers = columns.numbers(pandas_frame(dtype))
    np.testing.assert_array_equal(numbers["kind"], np.searchsorted(["a", "b", "c"], KIND))
    np.testing.assert_array_equal(numbers["number"], NUMBER)


def test_polars_frames_are_the_same():
    as_text = pl.DataFrame({"kind": KIND, "number": NUMBER})
    for frame in (as_text, as_text.with_columns(pl.col("kind").cast(pl.Categorical))):
        columns = FrameColumns(frame)
        assert columns.n_categories == [3, 0]
        np.testing.assert_array_equal(
            columns.numbers(frame).to_numpy(), FrameColumns(pandas_frame()).numbers(pandas_frame())
        )


def test_booleans_are_categories_and_objects_of_numbers_are_not():
    table = pd.DataFrame(
        {
            "flag": [True, False, True, False],
            "nullable": pd.array([True, None, False, True], dtype="boolean"),
            "count": pd.Series([1, 2.5, 3, 4], dtype=object),
            "few": pd.Series([3, 1, 2, 3]).astype("category"),
        }
    )
    columns = FrameColumns(table)
    assert columns.n_categories == [2, 2, 0, 3]
    numbers = columns.numbers(table).to_numpy()
    np.testing.assert_array_equal(numbers[:, 1], [1, np.nan, 0, 1])
    np.testing.assert_array_equal(numbers[:, 2], [1, 2.5, 3, 4])
    np.testing.assert_array_equal(numbers[:, 3], [2, 0, 1, 2])


def test_unknown_and_missing_categories_are_nan():
    columns = FrameColumns(pandas_frame(missing=[0, 1]))
    assert columns.n_categories == [3, 0]
    new = pd.DataFrame({"kind": ["z", None, "c"], "number": [0.0, np.nan, 1.0]})
    np.testing.assert_array_equal(
        columns.numbers(new).to_numpy(), [[np.nan, 0], [np.nan, np.nan], [2, 1]]
    )


def test_the_rarest_of_very_many_categories_are_one():
    names = [f"c{i}" for i in range(1000) for _ in range(3 + (i < MAX_CATEGORIES - 1))]
    columns = FrameColumns(pd.DataFrame({"c": names}))
    assert columns.n_categories == [MAX_CATEGORIES]
    numbers = columns.numbers(pd.DataFrame({"c": ["c3", "c998", "c999", "new"]})).to_numpy()
    assert numbers[0, 0] < MAX_CATEGORIES - 1
    assert numbers[1, 0] == numbers[2, 0] == MAX_CATEGORIES - 1
    assert np.isnan(numbers[3, 0])


def test_a_column_of_several_types_says_which():
    with pytest.raises(ValueError, match=r"Column 'c'.*\['int', 'str'\].*all strings"):
        FrameColumns(pd.DataFrame({"c": pd.Series([1, "a", 2], dtype=object)}))


def test_what_a_frame_is():
    assert is_frame(pandas_frame())
    assert is_frame(pl.DataFrame({"a": [1]}))
    assert not is_frame(np.ones((2, 2)))
    assert not is_frame(pandas_frame()["kind"])


# ------------------------------------------------------------------ the layer


def test_the_layer_spreads_categories_and_says_what_is_missing():
    layer = InputColumns([0, 3, 0], [True, True, False])
    X = np.array([[1, 0, 5], [3, 2, 5], [np.nan, np.nan, 5]])
    layer.build(X.shape)
    layer.fit(X, np.ones(3))
    scaled = 1 / np.sqrt(1 + 1 / 9)
    expected = [
        [-scaled, 0, 0, 0, 1, 0, 0],
        [scaled, 0, 0, 0, 0, 0, 1],
        [0, 0, 1, 1, 0, 0, 0],
    ]
    np.testing.assert_allclose(np.asarray(layer(X.astype("float32"))), expected, atol=1e-6)
    assert layer.compute_output_shape((None, 3)) == (None, 7)


def test_scaling_is_of_the_values_that_are_there():
    layer = InputColumns([0], [True])
    X = np.array([[2.0], [np.nan], [4.0], [8.0]])
    layer.build(X.shape)
    layer.fit(X, np.array([1, 5, 2, 0]))
    assert np.asarray(layer.mean)[0] == pytest.approx(10 / 3)
    assert np.asarray(layer.scale)[0] == pytest.approx(1 / np.std([2, 4, 4]))


# ------------------------------------------------------------------ the estimator


@pytest.mark.parametrize("model", ["ensemble", "mlp"])
def test_categories_are_learnt_and_kept(model):
    table = pandas_frame(missing=[3, 4, 5])
    fitted = clf(model=model).fit(table, Y)
    p = fitted.predict_proba(table)[:, 1]
    assert p[Y == 1].min() > p[(KIND == "a") & (np.arange(N) > 5)].max()
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict_proba(table)[:, 1], p)
    as_text = table.assign(kind=table["kind"].astype(object))
    np.testing.assert_array_equal(fitted.predict_proba(as_text)[:, 1], p)


def test_unseen_and_missing_values_at_prediction():
    fitted = clf().fit(pandas_frame(), Y)
    new = pd.DataFrame({"kind": ["new", None, "b", "b"], "number": [1.0, 1.0, np.nan, 1.0]})
    p = fitted.predict_proba(new)[:, 1]
    assert np.isfinite(p).all()
    assert p[0] == p[1]  # no missing kind at the fit: the same as one that it never saw
    assert p[3] > p[2]


def test_missing_numbers_in_arrays():
    X = np.column_stack([NUMBER, RNG.normal(size=N)])
    X[::3, 0] = np.nan
    y = np.isnan(X[:, 0]).astype(int)
    fitted = clf().fit(X, y)
    assert fitted.score(X, y) == 1
    np.testing.assert_array_equal(fitted.predict(X[:1]), y[:1])
    with pytest.raises(ValueError, match="infinity"):
        fitted.predict(np.full((1, 2), np.inf))


def test_the_order_of_frames_and_names_is_checked():
    fitted = clf(epochs=1).fit(pandas_frame(), Y)
    with pytest.raises(ValueError, match=r"categorical columns \['kind'\].*ndarray"):
        fitted.predict(np.ones((2, 2)))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(pandas_frame()[["number", "kind"]])
    with pytest.raises(ValueError, match=r"'number' of X has numbers in the fit"):
        fitted.predict(pandas_frame().assign(number="many"))


def test_names_that_are_numbers_are_names():
    table = pandas_frame().set_axis([0, 1], axis=1)
    fitted = clf(epochs=1).fit(table, Y)
    with pytest.raises(ValueError, match=r"categorical columns \[0\]"):
        fitted.predict(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"same order: \[0, 1\]. Got \[1, 0\]"):
        fitted.predict(table[[1, 0]])
    with pytest.raises(ValueError, match=r"several columns of the names \['a'\]"):
        clf().fit(table.set_axis(["a", "a"], axis=1), Y)


@pytest.mark.parametrize(
    "dates",
    [
        pd.date_range("2026-01-01", periods=N),
        pd.to_timedelta(np.arange(N), "s"),
        [d.date() for d in pd.date_range("2026-01-01", periods=N)],
    ],
    ids=["dates", "durations", "objects"],
)
def test_dates_say_what_to_do(dates):
    for table in (pandas_frame(), pandas_frame()[["number"]]):
        with pytest.raises(ValueError, match=r"Column 'when'.*such as days since a day"):
            clf().fit(table.assign(when=dates), Y)


def test_what_is_said_of_dates_makes_numbers_of_them():
    dates = pd.date_range("2020-01-03", periods=N)
    for X in (pd.DataFrame({"when": dates}), pd.DataFrame({"when": list(dates.date)})):
        with pytest.raises(ValueError, match="into numbers first") as refused:
            clf().fit(X, Y)
        days = re.search(r"days are (.*?\.dt\.days)", str(refused.value)).group(1)
        assert eval(days, {"pandas": pd, "X": X}).tolist() == list(range(2, N + 2))


def test_other_columns_are_named():
    fitted = clf(epochs=1).fit(pandas_frame(), Y)
    with pytest.raises(ValueError, match=r"Missing: \['kind'\]. Pass all"):
        fitted.predict(pandas_frame().drop(columns="kind"))
    with pytest.raises(
        ValueError, match=r"Missing: \['kind'\]; not known from the fit: \['sort'\]"
    ):
        fitted.predict(pandas_frame().rename(columns={"kind": "sort"}))
    with pytest.raises(ValueError, match=r"Not known from the fit: \['sort'\]. Pass X\[list"):
        fitted.predict(pandas_frame().assign(sort=1.0))


def test_columns_that_name_rows_are_said():
    n = 600
    rows = np.arange(n)
    X = pd.DataFrame(
        {
            "number": rows % 7,
            "customer": [f"C{i}" for i in rows],
            "day": [f"day {i // 2}" for i in rows],
            "shop": [f"shop {i % 200}" for i in rows],  # 200 are told apart
        }
    )
    y = (rows % 7 == 0).astype(int)
    match = r"'customer' \(600 different values in 600 rows\), 'day' \(300 .* 600 rows\)\. Taken"
    with pytest.warns(CategoryWarning, match=match) as said:
        fitted = clf(epochs=1).fit(X, y)
    assert said[0].filename == __file__
    with pytest.warns(CategoryWarning, match="None of these values is a category of the fit"):
        fitted.predict(X.assign(shop="Shop 1"))  # the one does not silence the other


def test_decimals_are_numbers():
    table = pd.DataFrame({"price": [Decimal(i) / 7 for i in range(N)]})
    assert FrameColumns(table).n_categories == [0]


def test_a_threshold_is_tuned_anew_on_frames():
    fitted = clf(epochs=3).fit(pandas_frame(), Y)
    fitted.tune_threshold(pandas_frame(), Y)
    assert fitted.threshold_score_ > 0


def test_rows_without_weight_do_not_shape_the_network():
    X = np.column_stack([NUMBER, RNG.normal(size=N)])
    X[350:, 1] = np.nan
    weight = np.ones(N)
    weight[300:] = 0
    fitted = clf(epochs=2).fit(X, Y, sample_weight=weight)
    without = clf(epochs=2).fit(X[:300], Y[:300])
    np.testing.assert_array_equal(fitted.predict_proba(X), without.predict_proba(X))


def test_the_users_network_gets_no_categories():
    import keras

    def build(meta):
        return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    with pytest.raises(ValueError, match="OneHotEncoder"):
        clf(model=build).fit(pandas_frame(), Y)
    with pytest.raises(ValueError, match="NaN"):
        clf(model=build).fit(np.full((N, 2), np.nan), Y)


def test_folds_know_the_categories():
    fitted = clf(threshold="auto", threshold_cv=3, epochs=5).fit(pandas_frame(), Y)
    assert fitted.threshold_score_ > 0.9


def test_polars_in_and_out():
    frame = pl.DataFrame({"kind": KIND, "number": NUMBER})
    fitted = clf(epochs=5).fit(frame, Y)
    as_pandas = clf(epochs=5).fit(pandas_frame("str"), Y)
    np.testing.assert_array_equal(
        fitted.predict_proba(frame), as_pandas.predict_proba(pandas_frame("str"))
    )


def test_columns_of_strangers_are_said():
    def table(kind):
        return pd.DataFrame({"kind": kind, "number": NUMBER, "other": kind}).astype(
            {"kind": "category", "other": "category"}
        )

    fitted = clf(epochs=1).fit(table(KIND), Y)
    changed = table(np.searchsorted(["a", "b", "c"], KIND))
    match = r"column 'kind' has \d \(int\) and others where the fit had 'a' \(str\).*'other'"
    with pytest.warns(CategoryWarning, match=match) as said:
        fitted.predict(changed)
    assert said[0].filename == __file__


def test_single_strangers_and_missing_values_are_not():
    fitted = clf(epochs=1).fit(pandas_frame(), Y)
    few = pandas_frame().head(9).assign(kind=pd.Series(["new"] * 9, dtype="category"))
    fitted.predict(few)
    fitted.predict(pandas_frame().assign(kind=pd.Series([None] * N, dtype="category")))
    fitted.predict(pandas_frame().assign(kind=["new"] * (N - 1) + ["a"]))
