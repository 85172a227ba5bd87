import io
import json
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest

import wbce
from cli_tables import credit, notes, run
from wbce import WeightedKerasClassifier
from wbce._archive import read_archive, write_archive
from wbce.cli import main
from wbce.cli._estimator import LOSSES_OF_SEVERAL
from wbce.cli._parser import LOSSES, MODELS, STRATEGIES
from wbce.losses._registry import LOSSES as LOSSES_BY_NAME
from wbce.networks import BUILT_IN
from wbce.weights import STRATEGIES as STRATEGIES_BY_NAME

QUICK = ("--model", "linear", "--epochs", 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table in two parts, as CSV and Parquet, and a model fitted on the first."""
    folder = tmp_path_factory.mktemp("credit")
    table = credit()
    for name, part in (("train", table[:300]), ("new", table[300:])):
        part = part.reset_index(drop=True)
        part.to_csv(folder / f"{name}.csv", index=False)
        part.to_parquet(folder / f"{name}.parquet")
    done = run("fit", folder / "train.csv", "--target", "risk", "--out", folder / "m.wbce", *QUICK)
    assert done.status == 0, done.err
    (folder / "said.txt").write_text(done.out)
    return folder


def predictions(path, *arguments):
    done = run("predict", path, *arguments)
    assert done.status == 0, done.err
    return pd.read_csv(io.StringIO(done.out), dtype={"zip": str})


def test_options_know_the_names_of_the_library():
    assert set(LOSSES) == set(LOSSES_BY_NAME)
    assert set(MODELS) == set(BUILT_IN)
    assert set(STRATEGIES) == set(STRATEGIES_BY_NAME)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--prior", 0.1), "--prior is for two classes, and there are 3"),
        (("--pos-weight", 3), "Pass --class-weight balanced"),
        (("--threshold", 0.3), "--threshold with a number is for two classes"),
        (("--threshold-objective", "min_precision=0.9"), "a bound as --threshold-objective"),
        (("--threshold-objective", "youden"), "Pass balanced_accuracy"),
        (("--loss", "asymmetric"), "Pass weighted_bce, focal, poly1, logit_adjusted, ldam"),
    ],
)
def test_what_is_for_two_classes_is_refused_before_the_fit(tmp_path, options, said):
    table = pd.DataFrame({"x": np.arange(60) % 7, "kind": np.repeat(["a", "b", "c"], 20)})
    table.to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "m.wbce"
    done = run("fit", tmp_path / "t.csv", "--target", "kind", "--out", out, *QUICK, *options)
    assert done.status == 2
    assert said in done.err
    assert "Fitting" not in done.out


@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"cost_sensitive"}))
def test_losses_of_several_classes_are_those_that_fit_them(loss):
    clf = WeightedKerasClassifier("linear", loss=loss, epochs=1, early_stopping=False)
    X, y = np.arange(60.0).reshape(-1, 1) % 7, np.repeat([0, 1, 2], 20)
    if loss in LOSSES_OF_SEVERAL:
        clf.fit(X, y)
    else:
        with pytest.raises(ValueError, match=r"class|binary|logit"):
            clf.fit(X, y)


def test_messages_of_the_estimator_name_options(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=90), "ill": np.repeat([1, 0], [12, 78])})
    table.to_csv(tmp_path / "t.csv", index=False)
    said = ("--target", "ill", "--out", tmp_path / "m.wbce", *QUICK, "--validation-split", 0.1)
    done = run("fit", tmp_path / "t.csv", *said, "--loss", "smooth_ap")
    assert done.status == 1
    assert "Pass --validation-split 0.375 or more" in done.err
    assert "--threshold 0.5" in done.err
    done = run("fit", tmp_path / "t.csv", *said, "--pos-weight", 0.01)
    assert done.status == 0
    assert "use --class-weight balanced, or a --pos-weight above 1." in done.err
    for name in ("threshold_cv", "X_val", "validation_split", "class_weight", "alpha"):
        assert name not in done.err


def test_names_and_values_of_any_alphabet_on_any_terminal(folder, tmp_path, monkeypatch):
    table = pd.read_csv(folder / "train.csv").rename(columns={"x1": "列"}).assign(city="東京")
    table.to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "m.wbce"

    def written(*arguments):
        content = io.BytesIO()
        stream = io.TextIOWrapper(content, encoding="cp1252")
        monkeypatch.setattr(sys, "stdout", stream)
        assert main([str(argument) for argument in arguments]) == 0
        stream.flush()
        assert (stream.encoding, stream.errors) == ("cp1252", "strict")
        return content.getvalue()

    said = written("fit", tmp_path / "t.csv", "--target", "risk", "--out", out, *QUICK)
    assert b"\\u5217" in said
    rows = pd.read_csv(io.BytesIO(written("predict", out, tmp_path / "t.csv", "--keep", "city")))
    assert {*rows["city"]} == {"東京"}


def test_costs_of_nothing_are_refused(folder, tmp_path):
    costs = ("--cost-fp", 0, "--cost-fn", 0)
    for command in (
        ("fit", folder / "train.csv", "--target", "risk", "--out", tmp_path / "m.wbce"),
        ("evaluate", folder / "m.wbce", folder / "new.csv"),
    ):
        done = run(*command, *costs)
        assert done.status == 2
        assert "one of the mistakes must cost" in done.err


def test_the_line_of_a_fit_is_on_standard_error_and_of_no_prediction(folder, tmp_path):
    out = tmp_path / "m.wbce"
    said = ("--target", "risk", "--out", out, *QUICK)
    quiet = run("fit", folder / "train.csv", *said)
    done = run("fit", folder / "train.csv", *said, "--force", "--verbose")
    assert "3 of 3 epochs" in done.err
    assert quiet.err == ""
    assert done.out == quiet.out
    assert wbce.load(out).verbose == 0


def test_fit_says_what_it_did(folder):
    said = (folder / "said.txt").read_text()
    for part in (
        "train.csv: 300 rows, 25 columns.",
        "2 classes: 1 'bad' to",
        "pos_weight",
        "1 boolean    member",
        "1 date       opened (days, month, weekday)",
        "not used: row_id",
        "'row_id' is left out: it has another whole number in every row",
        "bad is said where its probability is above",
        "chosen for f1",
        "m.wbce",
        "wbce predict",
    ):
        assert part in said, part


def test_the_model_is_the_estimator_of_the_options(folder):
    clf = wbce.load(folder / "m.wbce")
    assert clf.class_weight is None
    assert clf.threshold == "auto"
    assert clf.pos_label_ == "bad"
    assert clf.model == "linear"
    assert "opened (weekday)" in clf.feature_names_in_.tolist()
    assert not {"risk", "row_id"} & {*clf.feature_names_in_.tolist()}


def test_what_is_said_of_the_threshold_is_of_its_cut(folder):
    clf = wbce.load(folder / "m.wbce")
    table = clf.threshold_curve_.columns()
    place = np.flatnonzero(np.isclose(table["threshold"], clf.threshold_, rtol=1e-9))[0]
    said = (folder / "said.txt").read_text()
    assert f"recall {table['recall'][place]:.3f}" in said
    assert f"precision {table['precision'][place]:.3f}" in said
    assert f"{table['alarms'][place]:.0f} alarms" in said


def test_predictions_are_those_of_the_estimator(folder):
    table = predictions(folder / "m.wbce", folder / "new.csv")
    clf = wbce.load(folder / "m.wbce")
    assert list(table.columns) == ["probability", "prediction"]
    positive = table["probability"] > clf.threshold_
    assert positive.any()
    assert not positive.all()
    assert (table["prediction"] == np.where(positive, "bad", "good")).all()


def test_csv_and_parquet_predict_the_same(folder):
    from_csv = run("predict", folder / "m.wbce", folder / "new.csv").out
    assert run("predict", folder / "m.wbce", folder / "new.parquet").out == from_csv
    done = run(
        "fit", folder / "train.parquet", "--target", "risk", "--out", folder / "p.wbce", *QUICK
    )
    assert done.status == 0, done.err
    assert run("predict", folder / "p.wbce", folder / "new.csv").out == from_csv


def test_types_at_prediction_are_those_of_the_fit(folder, tmp_path):
    """Gaps make floats of whole numbers, flags change case, columns their order."""
    expected = run("predict", folder / "m.wbce", folder / "new.csv").out
    table = pd.read_csv(folder / "new.csv", dtype={"zip": str})
    table["x1"] = table["x1"].astype(float).map("{:.1f}".format)
    table["zip"] = table["zip"] + " "
    table["member"] = table["member"].map({True: "TRUE", False: "0"})
    table["opened"] = table["opened"] + "T00:00:00Z"
    table = table.drop(columns="risk")[sorted(table.columns.drop("risk"), reverse=True)]
    table["unheard_of"] = 1
    table.to_csv(tmp_path / "odd.tsv", sep="\t", index=False)
    done = run("predict", folder / "m.wbce", tmp_path / "odd.tsv")
    assert done.err == (
        "wbce predict: note: columns that were not there at the fit are ignored: unheard_of.\n"
    )
    assert done.out == expected


def test_a_gap_is_a_missing_value(folder, tmp_path):
    table = pd.read_csv(folder / "new.csv", dtype=str)
    table.loc[0, ["x0", "x1", "opened", "member"]] = None
    table.to_csv(tmp_path / "gaps.csv", index=False)
    before = predictions(folder / "m.wbce", folder / "new.csv")
    after = predictions(folder / "m.wbce", tmp_path / "gaps.csv")
    assert after["probability"][0] != before["probability"][0]
    assert after["probability"].notna().all()
    assert after[1:].equals(before[1:])


def test_kept_columns_are_as_they_were(folder):
    table = predictions(folder / "m.wbce", folder / "new.csv", "--keep", "zip", "row_id")
    assert list(table.columns) == ["zip", "row_id", "probability", "prediction"]
    assert (table["zip"] == pd.read_csv(folder / "new.csv", dtype=str)["zip"]).all()
    only = predictions(folder / "m.wbce", folder / "new.csv", "--proba-only")
    assert list(only.columns) == ["probability"]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_predictions_in_a_file(folder, tmp_path, ending):
    out = tmp_path / f"p{ending}"
    done = run("predict", folder / "m.wbce", folder / "new.csv", "--out", out)
    assert (done.status, done.out) == (0, "")
    read = pd.read_parquet if ending == ".parquet" else pd.read_csv
    table = read(out, sep="\t") if ending == ".tsv" else read(out)
    expected = predictions(folder / "m.wbce", folder / "new.csv")
    np.testing.assert_allclose(table["probability"], expected["probability"], rtol=1e-12)
    again = run("predict", folder / "m.wbce", folder / "new.csv", "--out", out)
    assert again.status == 1
    assert "exists. Pass --force" in again.err
    assert list(tmp_path.iterdir()) == [out]


def test_several_classes(folder, tmp_path):
    table = pd.read_csv(folder / "train.csv", dtype={"zip": str})
    table = table[table["x2"].isin(["A32", "A33", "A34"])]
    table.to_csv(tmp_path / "three.csv", index=False)
    out = tmp_path / "k.wbce"
    done = run("fit", tmp_path / "three.csv", "--target", "x2", "--out", out, *QUICK)
    assert done.status == 0, done.err
    said = predictions(out, folder / "new.csv")
    assert list(said.columns) == [
        "probability_A32", "probability_A33", "probability_A34", "prediction",
    ]  # fmt: skip
    np.testing.assert_allclose(said.iloc[:, :3].sum(axis=1), 1.0, rtol=1e-9)


def test_costs_are_those_of_the_positive_class(folder, tmp_path):
    """The rare class comes first in the alphabet: the matrix must be turned round."""
    out = tmp_path / "c.wbce"
    costs = ("--cost-fp", 1, "--cost-fn", 7)
    done = run("fit", folder / "train.csv", "--target", "risk", "--out", out, *QUICK, *costs)
    assert done.status == 0, done.err
    clf = wbce.load(out)
    assert clf.classes_.tolist() == ["bad", "good"]
    assert clf.cost_matrix == [[0.0, 7.0], [1.0, 0.0]]  # [true, said]: a missed bad costs 7
    assert clf.threshold_objective == "cost"


@pytest.mark.parametrize("target", ["text", "boolean"])
def test_the_positive_class_is_the_estimators(folder, tmp_path, target):
    """The rarer of two texts, by weight; of booleans the true ones."""
    table = pd.read_csv(folder / "train.csv", dtype={"zip": str})
    rows = np.arange(len(table))
    table["y"] = np.where(rows % 3, "few", "many") if target == "text" else rows % 3 > 0
    table["n"] = np.where(rows % 3, 1, 10)
    table.to_csv(tmp_path / "y.csv", index=False)
    out = tmp_path / "y.wbce"
    options = ("--weights", "n", "--cost-fp", 1, "--cost-fn", 9, "--threshold", "auto")
    done = run("fit", tmp_path / "y.csv", "--target", "y", "--out", out, *QUICK, *options)
    assert done.status == 0, done.err
    clf = wbce.load(out)
    assert clf.pos_label_ == ("few" if target == "text" else True)
    positive = clf.classes_.tolist().index(clf.pos_label_)
    assert clf.cost_matrix[positive][1 - positive] == 9
    said = predictions(out, tmp_path / "y.csv")
    above = said["probability"] > clf.threshold_
    assert (said["prediction"] == np.where(above, *clf.classes_[[positive, 1 - positive]])).all()
    again = run("evaluate", out, tmp_path / "y.csv", "--cost-fp", 1)
    assert (again.status, "belong together" in again.err) == (2, True)


def test_options_for_two_classes(folder, tmp_path):
    fit = ("fit", folder / "train.csv", "--target", "x7", "--out", tmp_path / "k.wbce")
    done = run(*fit, "--pos-label", "1")
    assert (done.status, "is for two classes" in done.err) == (2, True)
    done = run(*fit, "--cost-fp", 1, "--cost-fn", 9)
    assert (done.status, "are for two classes" in done.err) == (2, True)


def test_options_arrive_at_the_estimator(folder, tmp_path):
    out = tmp_path / "o.wbce"
    done = run(
        *("fit", folder / "train.csv", "--target", "risk", "--out", out, *QUICK),
        *("--loss", "focal", "--gamma", 1, "--pos-weight", 3, "--pos-label", "GOOD"),
        *(
            "--objective",
            "min_precision=0.5",
            "--validation-split",
            0.25,
            "--seed",
            7,
            "--prior",
            0.6,
        ),
        *("--drop", "x0", "--drop", "x1", "x2", "--category", "x4"),
    )
    assert done.status == 0, done.err
    said = wbce.load(out).get_params()
    wanted = {
        "loss": "focal", "gamma": 1.0, "pos_weight": 3.0, "class_weight": None,
        "pos_label": "good", "threshold_objective": {"min_precision": 0.5},
        "validation_split": 0.25, "random_state": 7, "epochs": 3, "verbose": 0, "prior": 0.6,
    }  # fmt: skip
    assert {name: said[name] for name in wanted} == wanted
    clf = wbce.load(out)
    assert not {"x0", "x1", "x2"} & {*clf.feature_names_in_}
    assert "x4" in clf._frame_columns.categorical


def test_weights_groups_and_time_reach_the_fit(folder, tmp_path, monkeypatch):
    given = {}
    fit = WeightedKerasClassifier.fit

    def spy(self, X, y, **arguments):
        given.update(arguments, X=X, y=y, split=self.validation_split)
        return fit(self, X, y, **arguments)

    monkeypatch.setattr(WeightedKerasClassifier, "fit", spy)
    done = run(
        *("fit", folder / "train.csv", "--target", "risk", "--out", tmp_path / "t.wbce", *QUICK),
        *("--weights", "x7", "--groups", "zip", "--time-column", "opened"),
    )
    assert "opened" not in done.err
    table = pd.read_csv(folder / "train.csv", dtype={"zip": str})
    table = table.sort_values("opened", kind="stable")
    assert given["split"] == ("last", 0.1)
    assert (given["y"] == table["risk"]).all()
    assert (given["sample_weight"] == table["x7"]).all()
    assert (given["groups"] == table["zip"]).all()
    assert not {"x7", "zip", "opened (days)"} & {*given["X"].columns}
    assert "opened (weekday)" in given["X"].columns


def test_free_text_needs_a_joblib_file(folder, tmp_path):
    table = pd.read_csv(folder / "train.csv", dtype={"zip": str})
    table["note"] = notes(len(table))
    table.to_csv(tmp_path / "notes.csv", index=False)
    fit = ("fit", tmp_path / "notes.csv", "--target", "risk", *QUICK)
    done = run(*fit, "--out", tmp_path / "n.wbce")
    assert done.status == 1
    assert "column 'note' is free text" in done.err
    assert "--vectorizer native" in done.err
    assert not (tmp_path / "n.wbce").exists()
    assert run(*fit, "--out", tmp_path / "n.wbce", "--vectorizer", "native").status == 0

    pytest.importorskip("skrub")
    weighed = ("--weights", "x7")
    done = run(*fit, "--out", tmp_path / "n.joblib", *weighed)
    assert done.status == 0, done.err
    done = run("predict", tmp_path / "n.joblib", tmp_path / "notes.csv")
    assert done.status == 1
    assert "can run any code" in done.err
    assert "--trust" in done.err
    trusted = predictions(tmp_path / "n.joblib", tmp_path / "notes.csv", "--trust")
    assert len(trusted) == len(table)
    assert run(*fit, "--out", tmp_path / "again.joblib", *weighed).status == 0
    again = predictions(tmp_path / "again.joblib", tmp_path / "notes.csv", "--trust")
    assert again.equals(trusted)  # skrub's encoder draws, and has the seed
    clf = joblib.load(tmp_path / "n.joblib")["estimator"][-1]
    assert {"x0", "zip"} <= {*clf._frame_columns.categorical}  # as they are, not one-hot
    assert any("note" in name for name in clf.feature_names_in_)


def test_warnings_are_one_line_each(folder, tmp_path):
    table = pd.read_csv(folder / "new.csv", dtype={"zip": str})
    table["x0"] = "unheard of"
    table.to_csv(tmp_path / "x.csv", index=False)
    done = run("predict", folder / "m.wbce", tmp_path / "x.csv")
    assert done.status == 0
    assert done.err.count("\n") == 1
    assert done.err.startswith("wbce predict: warning: Of X column 'x0'")


def test_a_model_file_holds_no_code_and_says_how_columns_are_read(folder):
    document, arrays = read_archive(folder / "m.wbce")
    said = document["command_line"]
    assert json.loads(json.dumps(said)) == said
    kinds = {column["name"]: column["kind"] for column in said["columns"]["used"]}
    assert kinds["zip"] == "category"
    assert kinds["x1"] == "number"
    assert kinds["opened"] == "date"
    assert said["target"] == {"name": "risk", "kind": "text"}
    assert arrays


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda said: said.update(form=99), "later version"),
        (lambda said: said.update(columns={}), "how columns are read"),
        (lambda said: said["columns"]["used"][0].update(kind="magic"), "how columns are read"),
        (lambda said: said["columns"]["used"][0].update(more=1), "how columns are read"),
        (lambda said: said["target"].update(kind=3), "how columns are read"),
        (lambda said: said["columns"]["used"].pop(), "feature names"),
    ],
)
def test_a_model_file_that_was_changed(folder, tmp_path, change, part):
    document, arrays = read_archive(folder / "m.wbce")
    change(document["command_line"])
    write_archive(tmp_path / "x.wbce", document, arrays)
    done = run("predict", tmp_path / "x.wbce", folder / "new.csv")
    assert done.status == 1
    assert part in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_other_files_are_no_models(folder, tmp_path):
    clf = wbce.load(folder / "m.wbce")
    clf.save(tmp_path / "python.wbce")
    cut = (folder / "m.wbce").read_bytes()[:5000]
    (tmp_path / "cut.wbce").write_bytes(cut)
    joblib.dump([1], tmp_path / "list.joblib")
    for name, part in (
        ("python.wbce", "was saved from Python"),
        ("cut.wbce", "was cut off"),
        ("list.joblib", "which can run any code"),
        ("none.wbce", "There is no file"),
    ):
        done = run("predict", tmp_path / name, folder / "new.csv")
        assert done.status == 1
        assert part in done.err
    done = run("predict", tmp_path / "list.joblib", folder / "new.csv", "--trust")
    assert "holds a list that wbce fit did not write" in done.err
    done = run("predict", folder / "new.csv", folder / "m.wbce")
    assert "the model comes first" in done.err


def test_an_interrupted_fit_writes_its_last_good_weights(folder, tmp_path, monkeypatch):
    fit = WeightedKerasClassifier.fit

    def interrupted(self, X, y, **arguments):
        fit(self, X, y, **arguments)
        self.stopped_by_ = "interrupt"
        raise KeyboardInterrupt

    monkeypatch.setattr(WeightedKerasClassifier, "fit", interrupted)
    arguments = ("fit", folder / "train.csv", "--target", "risk", "--threshold", 0.4, *QUICK)
    done = run(*arguments, "--out", tmp_path / "i.wbce")
    assert done.status == 130
    assert "has the weights of epoch" in done.err
    assert len(predictions(tmp_path / "i.wbce", folder / "new.csv"))

    def at_once(self, X, y, **arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(WeightedKerasClassifier, "fit", at_once)
    done = run(*arguments, "--out", tmp_path / "j.wbce")
    assert done.status == 130
    assert "No file was written" in done.err
    assert not (tmp_path / "j.wbce").exists()


def test_a_fault_of_ours_is_one_line_and_a_traceback_with_debug(folder, tmp_path, monkeypatch):
    def broken(self, X, y, **arguments):
        raise KeyError("x")

    monkeypatch.setattr(WeightedKerasClassifier, "fit", broken)
    arguments = ("fit", folder / "train.csv", "--target", "risk", "--out", tmp_path / "x.wbce")
    done = run(*arguments)
    assert done.status == 1
    assert done.err == (
        "wbce fit: error: KeyError: 'x'. This should not be: --debug shows where it is.\n"
    )
    with pytest.raises(KeyError):
        run(*arguments, "--debug")


def test_a_table_from_standard_input(folder):
    command = [sys.executable, "-m", "wbce", "predict", str(folder / "m.wbce"), "-"]
    with open(folder / "new.csv", "rb") as table:
        out = subprocess.run(command, stdin=table, capture_output=True, check=False)
    assert (out.returncode, out.stderr) == (0, b"")
    assert out.stdout.decode() == run("predict", folder / "m.wbce", folder / "new.csv").out


@pytest.mark.slow
def test_a_reader_that_goes_away(folder):
    """No traceback, no messages."""
    command = [sys.executable, "-m", "wbce", "predict", str(folder / "m.wbce"), "-"]
    with open(folder / "new.csv", "rb") as table:
        process = subprocess.Popen(
            command, stdin=table, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process.stdout.close()
        said = process.stderr.read()
        process.stderr.close()
        assert (process.wait(), said) == (141, b"")
