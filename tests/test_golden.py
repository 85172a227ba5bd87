"""Files of every released version load, and predict what they predicted when they were written."""

import json
import pickle
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from wbce import WeightedKerasClassifier, load

HERE = Path(__file__).parent / "golden"
STORED = sorted(p for p in HERE.glob("*/*") if p.suffix in (".pkl", ".wbce"))


def test_every_release_has_its_files():
    versions = {path.parent.name for path in STORED}
    assert "0.1.0" in versions
    assert len(STORED) == 12 * len(versions)


@pytest.mark.parametrize("path", STORED, ids=lambda path: "-".join(path.parts[-2:]))
def test_a_stored_estimator_predicts_what_it_did(path):
    estimator = load(path) if path.suffix == ".wbce" else pickle.loads(path.read_bytes())
    expected = json.loads(path.with_suffix(".json").read_text())
    rows = pd.DataFrame(**expected["rows"])
    X = rows if "kind" in rows else rows.to_numpy()
    np.testing.assert_allclose(estimator.predict_proba(X), expected["predict_proba"], atol=1e-5)
    assert estimator.predict(X).tolist() == expected["predict"]
    assert isinstance(estimator.model_, keras.Model)
    np.testing.assert_allclose(estimator.predict_proba(X), expected["predict_proba"], atol=1e-5)
    assert set(WeightedKerasClassifier().get_params()) <= set(clone(estimator).get_params())
