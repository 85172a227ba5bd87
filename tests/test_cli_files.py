import gzip
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli_tables import run
from wbce.cli._errors import CommandError
from wbce.cli._quiet_warnings import one_line_each
from wbce.cli._reading import read_table

TABLE = "amount;fraud\n1,5;0\n2,5;1\n"


def written(tmp_path, content, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def texts(path, **options):
    frame = read_table(str(path), **options).frame
    return frame.where(frame.notna(), None).to_dict("list")


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("a,b\n01,x\n,y\n", {}),
        ("a;b\n01;x\n;y\n", {}),
        ("a\tb\r\n01\tx\r\n\ty\r\n", {}),
        ("a|b\n01|x\n|y\n", {}),
        ("a!b\n01!x\n!y\n", {"sep": "!"}),
        ('"a","b"\n"01","x"\n\n"","y"\n', {}),
        ("\ufeffa,b\n01,x\nNA,y\n", {}),
        (gzip.compress(b"a,b\n01,x\n?,y\n", mtime=0), {}),
        ("a,b\n01,x\nnull,y\n".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_csv_is_texts_as_they_are(tmp_path, content, options):
    assert texts(written(tmp_path, content), **options) == {"a": ["01", None], "b": ["x", "y"]}


def test_points_are_no_decimals_where_commas_are(tmp_path):
    """1.234 is a thousand there, and must not become one and a quarter."""
    rows = "".join(f"1.{i:03d};{i % 2}\n" for i in range(40))
    path = written(tmp_path, "amount;fraud\n" + rows)
    out = tmp_path / "m.wbce"
    done = run("fit", path, "--target", "fraud", "--out", out, "--decimal", ",")
    assert done.status == 1
    assert "'1.000': pass --decimal ., or take out the points" in done.err
    assert not out.exists()


def test_lines_may_end_as_they_did_on_old_macs(tmp_path):
    assert texts(written(tmp_path, "a,b\r01,x\r,y\r")) == {"a": ["01", None], "b": ["x", "y"]}


def test_headers_of_any_length(tmp_path):
    """Longer than what is looked at to find the separator, and than csv takes for one value."""
    names = [f"column_{i}" for i in range(20_000)]
    path = written(tmp_path, ";".join(names) + "\n" + ";".join(["01"] * len(names)) + "\n")
    frame = read_table(str(path)).frame
    assert list(frame.columns) == names
    assert {*frame.iloc[0]} == {"01"}


def test_quoted_values_may_have_anything(tmp_path):
    path = written(tmp_path, 'a,b\n"x,\n""y""",1\n')
    assert texts(path) == {"a": ['x,\n"y"'], "b": ["1"]}


def test_line_breaks_in_values_of_a_long_file(tmp_path):
    """Longer than the blocks that are read at once, which end anywhere."""
    value = 40 * "x\n"
    path = written(tmp_path, "a,b\n" + f'"{value}",1\n' * 30_000)
    frame = read_table(str(path)).frame
    assert len(frame) == 30_000
    assert (frame["a"] == value).all()


def test_one_column_and_names_with_other_separators(tmp_path):
    assert texts(written(tmp_path, "a\n1\n2\n")) == {"a": ["1", "2"]}
    path = written(tmp_path, "when;a,b\n1;2\n3;4\n")
    assert texts(path) == {"when": ["1", "3"], "a,b": ["2", "4"]}


def test_encodings(tmp_path):
    path = written(tmp_path, "a,b\ncafé,1\n".encode("latin-1"))
    assert texts(path, encoding="latin-1")["a"] == ["café"]
    with pytest.raises(CommandError, match="byte 0xe9 in line 2"):
        read_table(str(path))


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        ("a,b\n", "has a header and no rows"),
        (b"a,b\n1,\x00\n", "is no text"),
        (bytes(range(256)), "is no text"),
        ("a,b\n1,2\n".encode("utf-16"), "Pass --encoding utf-16"),
        ("a,b,c\n1,2,3\n1,2\n", "Line 3 of"),
        ("a,b\n1,2\n1,2,3\n", "has 3 values, and the header 2 columns"),
        ("a,a\n1,2\n", "several columns of the name 'a'"),
        (",a\n1,2\n", "Column 1 of"),
        (b"PK\x03\x04more", "Excel file"),
        (b"\x1f\x8bmore", "damaged gzip file"),
        (b"PAR1more", "cannot be read as Parquet"),
    ],
)
def test_what_is_no_table_is_said(tmp_path, content, part):
    with pytest.raises(CommandError, match=part):
        read_table(str(written(tmp_path, content)))


def test_files_that_are_not_there(tmp_path):
    written(tmp_path, TABLE, "cards.csv")
    with pytest.raises(CommandError, match=r"Did you mean 'cards\.csv'"):
        read_table(str(tmp_path / "card.csv"))
    with pytest.raises(CommandError, match="folder without Parquet files"):
        read_table(str(tmp_path))
    with pytest.raises(CommandError, match="is not known"):
        read_table(str(tmp_path / "cards.csv"), encoding="utf-99")


@pytest.fixture
def columns():
    return {
        "whole": pa.array([1, None], pa.int32()),
        "part": pa.array([0.5, None], pa.float32()),
        "flag": pa.array([True, None]),
        "name": pa.array(["x", None]).dictionary_encode(),
        "day": pa.array([0, None], pa.date32()),
        "when": pa.array([0, None], pa.timestamp("us", tz="UTC")),
        "price": pa.array([None, None], pa.decimal128(5, 2)),
        "none": pa.nulls(2),
    }


def test_parquet_files_and_folders(tmp_path, columns):
    (tmp_path / "many").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "one.parquet")
    pq.write_table(pa.table(columns), tmp_path / "many" / "1.parquet")
    pq.write_table(pa.table(columns), tmp_path / "many" / "2.parquet")
    frame = read_table(str(tmp_path / "one.parquet")).frame
    kinds = [str(dtype).lower() for dtype in frame.dtypes]
    assert kinds[:3] == ["int64", "float64", "boolean"]
    assert kinds[4].startswith("datetime64")
    assert kinds[5].startswith("datetime64")
    assert frame.iloc[1].isna().all()
    assert frame["name"][0] == "x"
    assert len(read_table(str(tmp_path / "many")).frame) == 4


def test_folders_of_a_folder_are_a_column(tmp_path):
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(pa.table({"a": [year]}), tmp_path / f"year={year}" / "x.parquet")
    (tmp_path / "_SUCCESS").write_text("")
    frame = read_table(str(tmp_path)).frame
    assert frame.to_dict("list") == {"a": [2023, 2024], "year": [2023, 2024]}


def test_lists_and_structs_are_columns_that_can_be_left_out(tmp_path, columns):
    pq.write_table(pa.table({**columns, "tags": [["a"], []]}), tmp_path / "x.parquet")
    table = read_table(str(tmp_path / "x.parquet"))
    assert "tags" in table.names
    with pytest.raises(CommandError, match=r"'tags' of .* has the type list.*--drop"):
        table.column("tags")


def test_row_names_of_pandas_are_no_column(tmp_path):
    pd.DataFrame({"a": [1, 2]}, index=[5, 9]).to_parquet(tmp_path / "x.parquet")
    assert read_table(str(tmp_path / "x.parquet")).names == ["a"]


# ---------------------------------------------------------------------- as commands


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cards")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"amount": rng.normal(size=80).round(3), "kind": ["a", "b"] * 40})
    table["fraud"] = (np.arange(80) % 8 == 0).astype(int)
    table["same"], table["score"] = 1, rng.normal(size=80).round(4)
    table["weight"] = np.where(np.arange(80) == 5, -1, 1)
    table.to_csv(folder / "cards.csv", index=False)
    return folder


@pytest.mark.parametrize(
    ("options", "status", "part"),
    [
        (["--target", "fruad"], 1, "Did you mean 'fraud'? Its columns are: amount, kind"),
        (["--target", "score"], 1, "has 80 different values"),
        (["--target", "same"], 1, "is 1 in all 80 rows"),
        (["--drop", "amuont"], 1, "Did you mean 'amount'?"),
        (["--drop", "amount", "kind", "same", "score", "weight"], 1, "is left to predict from"),
        (["--drop", "fraud"], 2, "Every column has one part"),
        (["--weights", "weight"], 1, "row 6 of"),
        (["--weights", "kind"], 1, "a weight is a number"),
        (["--time-column", "kind"], 1, "a date or a number in every row"),
        (["--pos-label", "yes"], 1, "These are: 0, 1."),
        (["--gamma", "1"], 2, "--loss focal"),
        (["--cost-fp", "1"], 2, "belong together"),
        (["--objective", "cost"], 2, "needs --cost-fp"),
        (["--loss", "cost_sensitive"], 2, "needs --cost-fp"),
        (["--threshold", "0.2", "--objective", "f2"], 2, "is not chosen"),
        (["--pos-weight", "2", "--class-weight", "log"], 2, "two ways to say one thing"),
        (["--out", "model.pkl"], 2, "model.joblib"),
        (["--out", "nowhere/model.wbce"], 1, "there is no folder"),
        (["--sep", ";"], 1, "There is no column 'fraud'"),
        (["--epochs", "0"], 2, "at least 1"),
        (["--seed", "-1"], 2, "at least 0"),
        (["--threshold", "1.5"], 2, "a number from 0 to 1"),
        (["--pos-weight", "0"], 2, "above 0"),
        (["--gamma", "nan"], 2, "0 or more"),
        (["--validation-split", "1"], 2, "below 1"),
        (["--objective", "f1x"], 2, "Did you mean 'f1'?"),
        (["--objective", "min_precision=2"], 2, "between 0 and 1"),
        (["--objective", "max_alarms=many"], 2, "such as min_precision=0.9"),
        (["--sep", "::"], 2, "one character"),
        (["--vectorizer", "skrub"], 1, ".joblib"),
    ],
)
def test_wrong_columns_and_options(cards, monkeypatch, options, status, part):
    monkeypatch.chdir(cards)
    given = ["fit", "cards.csv", "--target", "fraud", "--out", "m.wbce", *options]
    done = run(*given)
    assert done.status == status, done.err
    assert part in done.err
    assert done.err.splitlines()[-1].startswith("wbce fit: error: ")
    assert not (cards / "m.wbce").exists()


def test_a_target_with_gaps_or_few_rows(cards, tmp_path):
    table = pd.read_csv(cards / "cards.csv", dtype=object)
    table.loc[3, "fraud"] = None
    table.to_csv(tmp_path / "gap.csv", index=False)
    fit = ("--target", "fraud", "--out", tmp_path / "m.wbce")
    assert "is missing in 1 of 80 rows" in run("fit", tmp_path / "gap.csv", *fit).err
    table["fraud"] = (np.arange(80) < 4).astype(int)
    table.to_csv(tmp_path / "few.csv", index=False)
    done = run("fit", tmp_path / "few.csv", *fit)
    assert "is 1 in 4 rows only" in done.err
    assert "--threshold 0.5" in done.err


def test_what_is_there_is_not_replaced(cards, tmp_path):
    (tmp_path / "m.wbce").write_text("mine")
    fit = ("fit", cards / "cards.csv", "--target", "fraud", "--out", tmp_path / "m.wbce")
    done = run(*fit)
    assert done.status == 1
    assert "exists. Pass --force" in done.err
    assert run(*fit, "--force", "--drop", "nothing").status == 1
    assert (tmp_path / "m.wbce").read_text() == "mine"


def test_warnings_are_said_once_in_one_line(capsys):
    with one_line_each("fit"):
        warnings.warn("one\nand two", UserWarning, stacklevel=1)
        warnings.warn("one\nand two", UserWarning, stacklevel=1)
        warnings.warn("for developers", FutureWarning, stacklevel=1)
    assert capsys.readouterr().err == "wbce fit: warning: one and two\n"


def test_help_needs_no_library():
    script = (
        "import sys\n"
        "from wbce.cli import main\n"
        "try:\n"
        "    main(['fit', '--help'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "assert not {'tensorflow', 'sklearn', 'pandas', 'pyarrow', 'skrub'} & {*sys.modules}\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert out.returncode == 0, out.stderr


def test_libraries_that_are_missing(cards, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = run("fit", cards / "cards.csv", "--target", "fraud", "--out", cards / "m.wbce")
    assert done.status == 1
    assert "needs pyarrow, which is not installed" in done.err
    assert 'pip install "wbce[cli]"' in done.err
