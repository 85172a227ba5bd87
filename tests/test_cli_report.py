"""What the commands pass to ``wbce.report``, and what they do with what it returns."""

import json

import numpy as np
import pandas as pd
import pytest

import wbce
from cli_tables import credit, run


class Report:
    """Stands for the report: keeps what it was made of."""

    def __init__(self, clf, X, y, **arguments):
        self.clf, self.X, self.y, self.arguments = clf, X, y, arguments

    def __str__(self):
        return "a text"

    def to_dict(self):
        return {"n_rows": len(self.y), "recall": 0.5}

    def save(self, path):
        with open(path, "w") as file:
            file.write("<html>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    table = credit(200)[["x1", "x4", "zip", "x7", "risk"]]
    table.to_csv(folder / "rows.csv", index=False)
    fit = ("--target", "risk", "--out", folder / "m.wbce", "--model", "linear", "--epochs", 2)
    assert run("fit", folder / "rows.csv", *fit).status == 0
    return folder


@pytest.fixture
def made(monkeypatch):
    made = []

    def report(*arguments, **named):
        made.append(Report(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(wbce, "report", report, raising=False)
    return made


def test_evaluate_prints_the_text(folder, made):
    done = run("evaluate", folder / "m.wbce", folder / "rows.csv")
    assert (done.status, done.out, done.err) == (0, "a text\n", "")
    (report,) = made
    assert (report.y == pd.read_csv(folder / "rows.csv")["risk"]).all()
    assert report.clf.predict(report.X).shape == (200,)
    assert report.arguments == {}


def test_of_two_classes_the_positive_one_is_looked_at(folder, made):
    done = run("evaluate", folder / "m.wbce", folder / "rows.csv", "--label", "good")
    assert done.status == 2
    assert "Leave --label out, or fit with --pos-label good." in done.err


def test_weights_costs_and_rows_a_day_reach_the_report(folder, made):
    done = run(
        *("evaluate", folder / "m.wbce", folder / "rows.csv", "--target", "risk", "--json"),
        *("--weights", "x7", "--per-day", 50, "--cost-fp", 1, "--cost-fn", 7),
    )
    assert json.loads(done.out) == {"n_rows": 200, "recall": 0.5}
    arguments = made[0].arguments
    np.testing.assert_array_equal(
        arguments.pop("sample_weight"), pd.read_csv(folder / "rows.csv")["x7"]
    )
    assert arguments == {"per_day": 50.0, "cost_matrix": [[0.0, 7.0], [1.0, 0.0]]}


def test_report_writes_a_page(folder, made, tmp_path):
    page = tmp_path / "page.html"
    done = run("report", folder / "m.wbce", folder / "rows.csv", "--out", page)
    assert (done.status, done.out) == (0, "")
    assert page.read_text() == "<html>"
    again = run("report", folder / "m.wbce", folder / "rows.csv", "--out", page)
    assert "exists. Pass --force" in again.err


@pytest.mark.parametrize(
    ("change", "options", "status", "part"),
    [
        (lambda t: t.assign(risk="unheard of"), [], 1, "the model knows 'bad', 'good'"),
        (lambda t: t.assign(risk="bad"), [], 1, "is bad in all 200 rows"),
        (lambda t: t.assign(risk=t["risk"].where(t.index > 0)), [], 1, "is missing in 1 of 200"),
        (lambda t: t.drop(columns="risk"), [], 1, "There is no column 'risk'"),
        (lambda t: t, ["--target", "rsik"], 1, "Did you mean 'risk'?"),
        (lambda t: t, ["--cost-fn", "1"], 2, "belong together"),
        (lambda t: t, ["--per-day", "0"], 2, "above 0"),
    ],
)
def test_wrong_labels_and_options(folder, made, tmp_path, change, options, status, part):
    change(pd.read_csv(folder / "rows.csv", dtype={"zip": str})).to_csv(
        tmp_path / "x.csv", index=False
    )
    done = run("evaluate", folder / "m.wbce", tmp_path / "x.csv", *options)
    assert done.status == status
    assert part in done.err
    assert made == []


def test_more_than_two_classes_need_a_label(folder, made, tmp_path):
    fit = ("--target", "x7", "--out", tmp_path / "k.wbce", "--model", "linear", "--epochs", 1)
    table = pd.read_csv(folder / "rows.csv", dtype={"zip": str})
    table["x7"] = np.arange(200) % 3
    table.to_csv(tmp_path / "k.csv", index=False)
    assert run("fit", tmp_path / "k.csv", *fit).status == 0
    done = run("evaluate", tmp_path / "k.wbce", tmp_path / "k.csv")
    assert done.status == 2
    assert "Pass --label, the one that is compared with the rest: 0, 1, 2." in done.err
    done = run("evaluate", tmp_path / "k.wbce", tmp_path / "k.csv", "--label", "3")
    assert "--label 3 is none of the values of 'x7'" in done.err
    assert run("evaluate", tmp_path / "k.wbce", tmp_path / "k.csv", "--label", "2").status == 0
    assert made[0].arguments == {"label": 2}


def test_labels_of_the_other_type_are_the_same_labels(tmp_path, made):
    """0 and 1 in a CSV file, true and false in Parquet, floats where a row was missing."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=100), "y": (np.arange(100) % 5 == 0).astype(int)})
    table.to_csv(tmp_path / "x.csv", index=False)
    fit = ("--target", "y", "--out", tmp_path / "m.wbce", "--model", "linear", "--epochs", 1)
    assert run("fit", tmp_path / "x.csv", *fit).status == 0
    for i, dtype in enumerate((float, bool)):
        table.astype({"y": dtype}).to_parquet(tmp_path / "x.parquet")
        done = run("evaluate", tmp_path / "m.wbce", tmp_path / "x.parquet")
        assert done.status == 0, done.err
        assert made[i].y.tolist() == table["y"].tolist()
