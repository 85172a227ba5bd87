"""A Pipeline in MLflow: logged in one process, loaded and scored in another."""

import json
import os
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from wbce import WeightedKerasClassifier

pytest.importorskip("mlflow")
pd = pytest.importorskip("pandas")

_LOG = """
import json, sys
import joblib, mlflow
from mlflow.models import infer_signature

pipeline, X = joblib.load("pipeline.joblib"), joblib.load("X.joblib")
found = {}
for name, options in json.loads(sys.argv[1]).items():
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            pipeline,
            name=name,
            signature=infer_signature(X, pipeline.predict(X)),
            input_example=X[:2],
            pip_requirements=["wbce"],  # or MLflow looks for them in one more process
            **options,
        )
    found[name] = info.model_uri
print(json.dumps(found))
"""

_LOAD = """
import json, sys
import joblib, mlflow, numpy as np

X, found = joblib.load("X.joblib"), {}
for name, uri in json.loads(sys.argv[1]).items():
    pipeline = mlflow.sklearn.load_model(uri)
    scored = mlflow.pyfunc.load_model(uri)
    try:
        scored.predict(X.drop(columns="length"))
    except mlflow.exceptions.MlflowException as error:
        refused = str(error)
    found[name] = [pipeline.predict_proba(X), scored.predict(X), refused]
joblib.dump(found, "found.joblib")
"""

# MLflow's own default is skops, which wants to be told which classes to trust; without skops
# there are the two others.
FORMATS = {
    "cloudpickle": {
        "serialization_format": "cloudpickle",
        "pyfunc_predict_fn": "predict_proba",
    }
}
try:
    import skops  # noqa: F401
except ImportError:
    pass
else:
    FORMATS["default"] = {"skops_trusted_types": ["wbce.classifier.WeightedKerasClassifier"]}


def run(program, argument, folder):
    quiet = {
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_TRACKING_URI": (folder / "store").as_uri(),
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(argument)],
        env={**os.environ, **quiet},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_pipeline_is_logged_and_loaded_and_scored_in_another_process(abalone, tmp_path):
    X, y = abalone
    X = pd.DataFrame(X[:, :3], columns=["length", "width", "height"])
    pipeline = make_pipeline(
        StandardScaler(),
        WeightedKerasClassifier("mlp", class_weight="balanced", epochs=2, random_state=0),
    ).fit(X, y)
    joblib.dump(pipeline, tmp_path / "pipeline.joblib")
    joblib.dump(X, tmp_path / "X.joblib")
    uris = json.loads(run(_LOG, FORMATS, tmp_path).splitlines()[-1])
    run(_LOAD, uris, tmp_path)
    found = joblib.load(tmp_path / "found.joblib")
    assert set(found) == set(FORMATS)
    for name, (probabilities, scored, refused) in found.items():
        np.testing.assert_array_equal(probabilities, pipeline.predict_proba(X))
        by_pyfunc = getattr(pipeline, FORMATS[name].get("pyfunc_predict_fn", "predict"))
        np.testing.assert_array_equal(scored, by_pyfunc(X))
        assert "length" in refused  # by the signature
