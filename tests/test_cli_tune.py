import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold, cross_val_score

import wbce
from cli_tables import credit, run
from wbce import WeightedKerasClassifier
from wbce.cli._columns import describe
from wbce.cli._reading import read_table

QUICK = ("--model", "linear", "--epochs", 3, "--cv", 3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("tune") / "credit.csv"
    credit(240)[["x1", "x4", "zip", "opened", "x7", "risk"]].to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def tuned(data):
    out = data.parent / "t.wbce"
    done = run(
        *("tune", data, "--target", "risk", "--out", out, *QUICK),
        *("--pos-weight", "1,4", "--gamma", "0,2", "--jobs", 2),
    )
    assert done.status == 0, done.err
    return done, out


def scores_of(said):
    """Rows of the table: pos_weight, gamma, mean, spread."""
    lines = said.split("fits), scored by")[1].splitlines()[3:]
    rows = [line.split() for line in lines[: lines.index("")]]
    return np.array(rows, dtype=float)


def test_the_table_has_scikit_learns_scores(data, tuned):
    """Against cross_val_score on estimators written out by hand."""
    table = read_table(str(data))
    columns, _ = describe(table, unused=["risk"])
    X, y = columns.features(table), (table.frame["risk"] == "bad").to_numpy().astype(int)
    rows = scores_of(tuned[0].out)
    assert [tuple(row[:2]) for row in rows] == [(1, 0), (1, 2), (4, 0), (4, 2)]
    for pos_weight, gamma, mean, spread in rows[[0, 3]]:
        clf = WeightedKerasClassifier(
            "linear", loss="focal", pos_weight=pos_weight, gamma=gamma, epochs=3, random_state=0
        )
        folds = StratifiedKFold(3, shuffle=True, random_state=0)
        scores = cross_val_score(clf, X, y, cv=folds, scoring="average_precision")
        assert mean == pytest.approx(scores.mean(), abs=1e-4)
        assert spread == pytest.approx(scores.std(), abs=1e-4)


def test_the_best_is_fitted_with_a_threshold_and_written(data, tuned):
    done, out = tuned
    rows = scores_of(done.out)
    pos_weight, gamma = rows[np.argmax(rows[:, 2]), :2]
    assert f"Best: pos_weight {pos_weight:.4g}, gamma {gamma:.3g}" in done.out
    clf = wbce.load(out)
    assert clf.pos_weight == pos_weight
    assert clf.loss == ("focal" if gamma else "weighted_bce")
    assert clf.threshold == "auto"
    assert clf.pos_label_ == "bad"
    assert run("predict", out, data).status == 0


def test_weights_groups_and_time_order(data, tmp_path):
    """Weights reach fits and scores: rows of weight zero might as well not be there."""
    table = pd.read_csv(data, dtype={"zip": str})
    table["weight"] = 1
    spoilt = table.iloc[::4].assign(weight=0)
    spoilt["risk"] = np.where(spoilt["risk"] == "bad", "good", "bad")
    pd.concat([table, spoilt]).to_csv(tmp_path / "spoilt.csv", index=False)
    table.to_csv(tmp_path / "clean.csv", index=False)
    search = (*QUICK, "--pos-weight", "1", "--gamma", "0", "--time-column", "opened", "--weights")
    scores = {}
    for name in ("clean", "spoilt"):
        done = run(
            *("tune", tmp_path / f"{name}.csv", "--target", "risk"),
            *("--out", tmp_path / f"{name}.wbce", *search, "weight"),
        )
        assert done.status == 0, done.err
        scores[name] = scores_of(done.out)[0, 2]
    unweighted = run(
        *("tune", tmp_path / "spoilt.csv", "--target", "risk", "--out", tmp_path / "u.wbce"),
        *(*search[:-1], "--drop", "weight"),
    )
    assert abs(scores["clean"] - scores["spoilt"]) < 0.05
    assert scores_of(unweighted.out)[0, 2] != pytest.approx(scores["spoilt"], abs=1e-4)


@pytest.mark.parametrize(
    ("options", "status", "part"),
    [
        (["--cv", "200"], 1, "--cv 200 needs 200 rows of either class"),
        (["--cv", "1"], 2, "at least 2"),
        (["--pos-weight", "1,0"], 2, "above 0"),
        (["--gamma", "1;2"], 2, "0 or more"),
        (["--scoring", "accuracy"], 2, "average_precision"),
        (["--objective", "cost"], 2, "needs --cost-fp"),
        (["--target", "zip"], 1, "has 20 classes"),
    ],
)
def test_wrong_options(data, tmp_path, options, status, part):
    given = ["tune", data, "--target", "risk", "--out", tmp_path / "x.wbce", "--threshold", "0.5"]
    if "--objective" in options:
        given = given[:-2]
    done = run(*given, *options)
    assert done.status == status
    assert part in done.err
