import numpy as np
import pandas as pd
import pytest

from wbce.cli._columns import Columns, describe
from wbce.cli._errors import CommandError
from wbce.cli._table import Table


def table(**columns):
    return Table(pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()}), "x.csv")


def described(values, **options):
    """What one column of texts is; a second column keeps the table from being empty."""
    rows = table(column=values, other=[str(i % 3) for i in range(len(values))])
    columns, remarks = describe(rows, unused=[], **options)
    used = {column.name: column for column in columns.used}
    return used.get("column"), remarks


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.5", "-3e4", None], "number"),
        ([" 1", "2 ", "+3", "1"], "number"),
        (["01", "02", "10", "10"], "category"),
        (["0", "0.5", "-0.5", "1"], "number"),
        (["true", "FALSE", None, "True"], "boolean"),
        (["yes", "no", "no", "yes"], "category"),
        (["1", "x", "1", "x"], "category"),
        (["2024-01-31", "2024-02-01", None, "2024-02-01"], "date"),
        (["2024-01-31T10:00:00+02:00", "2024-02-01", None, "2024-02-01"], "date"),
        (["31.01.2024", "01.02.2024", "01.02.2024", None], "date"),
        (["01/31/2024 10:15", "02/01/2024 10:15"] * 2, "date"),
        (["2024", "2023", "2024", None], "number"),
        ([f"some words {i}" for i in range(60)], "text"),
        ([f"c{i % 25}" for i in range(60)], "category"),
    ],
)
def test_what_a_column_is(values, kind):
    column, remarks = described(values)
    assert column.kind == kind
    assert remarks == []


@pytest.mark.parametrize("form", ["{}%", "{} %", "€ {}.50", "{},20 €"])
def test_amounts_with_a_sign_are_named(form):
    column, remarks = described([form.format(i % 9) for i in range(60)])
    assert column.kind == "category"
    assert "has numbers with a sign, such as" in remarks[0]


def test_dates_in_messages_are_written_as_people_write_them():
    columns, _ = describe(table(when=["31.01.2024 10:15", "01.02.2024 11:00"] * 6), unused=[])
    with pytest.raises(CommandError, match=r"dates written as 31\.12\.2026 23:59, as it had"):
        columns.features(table(when=["2024-01-31", None]))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None] * 12, "it is empty"),
        (["7"] * 12, "it is '7' in every row"),
        ([str(i) for i in range(5, 17)], "as row numbers have"),
        ([f"u{i}" for i in range(60)], "as names and numbers of rows have"),
    ],
)
def test_what_nothing_can_be_learned_of_is_left_out(values, reason):
    column, remarks = described(values)
    assert column is None
    assert reason in remarks[0]


def test_one_value_and_gaps_is_something():
    column, _ = described(["7", None] * 6)
    assert column.kind == "number"


def test_numbers_that_are_names():
    column, remarks = described([str(i) for i in range(12)], categories=["column"])
    assert (column.kind, remarks) == ("category", [])


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (["1,5", "2,5"] * 6, "--decimal ,"),
        (["1", "2", "3", "4"] * 6 + ["x"], "but for 1 values such as 'x' (row 25)"),
        (["01/02/2024", "03/04/2024"] * 6, "day, month, year"),
    ],
)
def test_what_is_doubtful_is_said(values, part):
    _, remarks = described(values)
    assert part in remarks[0]


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ([f"{i},5" for i in range(40)], "pass --decimal ,"),
        ([*map(str, range(40)), "12 kg"], r"but for 1 values such as '12 kg' \(row 41\)"),
        ([f"20{i}-01-01" for i in range(10, 70)] + ["0000-00-00"], "has dates, but for 1"),
    ],
)
def test_numbers_and_dates_with_a_few_other_values_are_an_error(values, part):
    with pytest.raises(CommandError, match=part):
        described(values)
    assert described(values, categories=["column"])[0].kind == "category"


def features(values, then=None, **options):
    """A column's features at the fit, or at prediction, as lists by name."""
    rows = table(column=values)
    columns, _ = describe(rows, unused=[], **options)
    columns = Columns.from_document(columns.document())
    frame = columns.features(rows if then is None else then)
    return {name: frame[name].astype(object).where(frame[name].notna(), None).tolist()
            for name in frame}  # fmt: skip


def test_numbers_stay_numbers():
    seen = ["1", "2", "2"]
    assert features(seen)["column"] == [1.0, 2.0, 2.0]
    for later in (
        table(column=["1.0", None, "3"]),
        Table(pd.DataFrame({"column": pd.array([1, None, 3], dtype="Int64")}), "x.parquet"),
        Table(pd.DataFrame({"column": [1.0, np.nan, 3.0]}), "x.parquet"),
    ):
        assert features(seen, later)["column"] == [1.0, None, 3.0]
    comma = table(column=["1,5", "2"])
    comma.decimal = ","
    assert features(seen, comma)["column"] == [1.5, 2.0]
    thousands = table(column=["1,5", "1.234"])
    thousands.decimal = ","
    with pytest.raises(CommandError, match=r"must have numbers, as it had at the fit.*'1\.234'"):
        features(seen, thousands)


def test_codes_stay_texts():
    """Whole numbers that pandas made floats of, because one is missing, are the same codes."""
    seen = ["0123", "45", "45"]
    assert features(seen)["column"] == seen
    for later in (
        table(column=["0123", "45.0", None]),
        Table(pd.DataFrame({"column": ["0123", "45", None]}), "x.parquet"),
    ):
        assert features(seen, later)["column"] == ["0123", "45", None]
    later = Table(pd.DataFrame({"column": [45.0, np.nan]}), "x.parquet")
    assert features(seen, later)["column"] == ["45", None]


def test_booleans_of_any_spelling():
    seen = ["True", "False", "True"]
    assert features(seen)["column"] == ["true", "false", "true"]
    for later in (
        table(column=["TRUE", "0", None]),
        Table(pd.DataFrame({"column": pd.array([True, False, None], dtype="boolean")}), "x"),
    ):
        assert features(seen, later)["column"] == ["true", "false", None]


def test_dates_become_days_weekdays_months_and_hours():
    seen = ["2021-01-01 06:00", "2023-06-30 12:00", None]
    given = features(seen)
    days = np.array(["2021-01-01", "2023-06-30"], "datetime64[D]") - np.datetime64("1970-01-01")
    assert given == {
        "column (days)": [days[0].astype(int) + 0.25, days[1].astype(int) + 0.5, None],
        "column (month)": ["01", "06", None],
        "column (weekday)": ["Friday", "Friday", None],
        "column (hour)": [6.0, 12.0, None],
    }
    short = features(["2021-01-01", "2021-06-30", "2021-06-30"])
    assert list(short) == ["column (days)", "column (weekday)"]  # months came once, or not
    ordering = features(seen, time_column="column")
    assert list(ordering) == ["column (month)", "column (weekday)", "column (hour)"]


def test_dates_of_any_type_and_zone():
    seen = ["2021-01-01 06:00", "2023-06-30 12:00", None]
    expected = features(seen)
    zoned = pd.to_datetime(["2021-01-01 07:00+01:00", "2023-06-30 13:00+01:00", None], utc=True)
    for later in (
        Table(pd.DataFrame({"column": zoned.tz_convert("Europe/Berlin")}), "x.parquet"),
        Table(pd.DataFrame({"column": zoned.tz_localize(None)}), "x.parquet"),
        table(column=["2021-01-01T06:00:00Z", "2023-06-30T14:00+02:00", None]),
    ):
        assert features(seen, later) == expected


def test_dates_by_type_are_found_in_texts_later():
    seen = table(column=["2021-01-01 06:00", "2023-06-30 12:00", None])
    typed = Table(seen.frame.astype({"column": "datetime64[us]"}), "x.parquet")
    columns, _ = describe(typed, unused=[])
    assert columns.features(seen).equals(columns.features(typed))


@pytest.mark.parametrize("decimal", [".", ","])
def test_columns_that_are_all_missing_later(decimal):
    seen = table(
        number=["1", "2", "2"], flag=["true", "false", "true"], name=["a", "b", "b"],
        day=["2024-01-31", "2024-02-01", "2024-02-01"],
    )  # fmt: skip
    columns, _ = describe(seen, unused=[])
    nothing = seen.frame.copy()
    nothing[:] = None
    features = columns.features(Table(nothing, "x.csv", decimal=decimal))
    assert list(features.columns) == ["number", "flag", "name", "day (days)", "day (weekday)"]
    assert features.isna().all(axis=None)


def test_dates_are_written_as_at_the_fit():
    seen = ["31.01.2024", "01.02.2024", "01.02.2024"]
    with pytest.raises(CommandError, match=r"'2024-02-01' \(row 2\)"):
        features(seen, table(column=["01.02.2024", "2024-02-01"]))


@pytest.mark.parametrize(
    ("seen", "then", "part"),
    [
        (["1", "2", "2"], ["1", "x"], "must have numbers, as it had at the fit, and has 'x'"),
        (["1", "2", "2"], ["1", "inf"], "finite numbers"),
        (["true", "false", "true"], ["true", "2"], "true or false"),
        (["2024-01-31", "2024-02-01", "2024-02-01"], ["2024-02-30"], "must have dates"),
    ],
)
def test_values_of_another_kind_name_their_row(seen, then, part):
    with pytest.raises(CommandError, match=part):
        features(seen, table(column=then))


def test_columns_that_are_missing_extra_or_in_another_order():
    rows = table(amount=["1", "2", "3", "4"], kind=["a", "b", "a", "b"], y=["0", "1", "0", "1"])
    columns, _ = describe(rows, unused=["y"])
    later = table(more=["1"], kind=["a"], amount=["2"])
    assert list(columns.features(later).columns) == ["amount", "kind"]
    assert columns.strangers(later) == ["more"]
    assert columns.strangers(rows) == []
    with pytest.raises(CommandError, match=r"lacks 1 of the 2 .*'kind'.* Did you mean 'Kind'\?"):
        columns.features(table(amount=["1"], Kind=["a"]))


def test_names_of_dates_are_not_taken():
    rows = table(day=["2024-01-31", "2024-02-01"] * 3, **{"day (days)": ["1", "2", "3"] * 2})
    with pytest.raises(CommandError, match="Rename"):
        describe(rows, unused=[])
