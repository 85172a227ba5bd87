"""Estimators at work: threads, forked and spawned processes, and examples/serve.py."""

import http.client
import importlib.util
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

import joblib
import keras
import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from wbce import WeightedKerasClassifier

EXAMPLE = Path(__file__).parents[1] / "examples" / "serve.py"
posix = pytest.mark.skipif(os.name != "posix", reason="needs fork and signals")


def convolution():
    return lambda meta: keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Reshape((-1, 1)),
            keras.layers.Conv1D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


@pytest.fixture(scope="module")
def fitted(abalone):
    X, y = abalone
    networks = {"ensemble": None, "mlp": "mlp", "convolution": convolution()}
    return {
        name: WeightedKerasClassifier(
            network, class_weight="balanced", threshold="auto", epochs=2, random_state=0
        ).fit(X, y)
        for name, network in networks.items()
    }


@pytest.fixture(scope="module")
def serve():
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("serve", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["serve"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["serve"]


# ---------------------------------------------------------------------- threads and processes


@pytest.mark.parametrize("name", ["ensemble", "mlp", "convolution"])
def test_many_threads_may_share_an_estimator_from_its_first_prediction_on(fitted, abalone, name):
    X, _ = abalone
    expected = fitted[name].predict_proba(X)
    loaded = pickle.loads(pickle.dumps(fitted[name]))
    together = threading.Barrier(16)

    def predict(i):
        together.wait(timeout=30)
        rows = slice(i, None, 1 + i % 5)
        if i % 4 == 0:
            _ = loaded.model_.count_params()
        return [np.array_equal(loaded.predict_proba(X[rows]), expected[rows]) for _ in range(5)]

    with ThreadPoolExecutor(16) as pool:
        assert all(all(same) for same in pool.map(predict, range(16)))


_PARENT = """
import json, os, pickle, signal, sys
import numpy as np
import wbce

X = np.load("X.npy")
y = (np.arange(len(X)) % 9 == 0).astype(int)
models = {name: pickle.load(open(name + ".pkl", "rb")) for name in sys.argv[1:]}
expected = {name: np.load(name + ".npy") for name in models}

def children(what, name):
    found = []
    for i in range(2):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(60)  # what hangs is ended
            try:
                said = what(name)
            except RuntimeError as error:
                said = str(error)
            os.write(writing, said.encode())
            os._exit(0)
        os.close(writing)
        os.waitpid(child, 0)
        found.append(os.read(reading, 10_000).decode() or "hangs")
    return found

def predicts(name):
    one_by_one = np.concatenate([models[name].predict_proba(x[None]) for x in X[:3]])
    same = np.array_equal(models[name].predict_proba(X), expected[name])
    return "same" if same and np.array_equal(one_by_one, expected[name][:3]) else "different"

def trains(name):
    models[name].set_params(epochs=1, threshold=None).fit(X, y)
    return "trained"

outcomes = {"loaded": {name: children(predicts, name) for name in models}}
outcomes["loaded"]["fit"] = children(trains, "mlp")
for name in ("mlp", "ensemble"):
    models[name] = wbce.load(name + ".wbce")
    assert predicts(name) == "same"
outcomes["plain networks have predicted"] = {name: children(predicts, name) for name in models}
for name in models:
    assert predicts(name) == "same"
models["mlp"].set_params(epochs=1).fit(X, y)
expected["mlp"] = models["mlp"].predict_proba(X)
outcomes["fitted"] = {name: children(predicts, name) for name in models}
outcomes["fitted"]["fit"] = children(trains, "mlp")
print(json.dumps(outcomes))
"""


@posix
def test_forked_processes_predict_or_say_why_they_cannot(fitted, abalone, tmp_path):
    X, _ = abalone
    np.save(tmp_path / "X.npy", X)
    for name, model in fitted.items():
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(model))
        np.save(tmp_path / f"{name}.npy", model.predict_proba(X))
    for name in ("mlp", "ensemble"):
        fitted[name].save(tmp_path / f"{name}.wbce")
    run = subprocess.run(
        [sys.executable, "-c", _PARENT, *fitted],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    outcomes = json.loads(run.stdout.splitlines()[-1])
    every_network = {name: ["same", "same"] for name in fitted}
    assert outcomes["loaded"] == {**every_network, "fit": ["trained", "trained"]}
    assert outcomes["plain networks have predicted"] == every_network
    after = outcomes["fitted"]
    assert after["ensemble"] == after["mlp"] == ["same", "same"]
    for said in [*after["convolution"], *after["fit"]]:
        assert "forked from one in which TensorFlow was running" in said
        assert "'spawn'" in said


@pytest.mark.filterwarnings("ignore")
def test_spawned_processes_predict_the_same(fitted, abalone):
    X, _ = abalone
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        answers = {n: pool.submit(m.predict_proba, X) for n, m in fitted.items()}
        for name, answer in answers.items():
            np.testing.assert_array_equal(answer.result(timeout=120), fitted[name].predict_proba(X))


# ---------------------------------------------------------------------- the service


@pytest.fixture(scope="module")
def models(abalone):
    """Two models of the same columns, whose answers differ."""
    X, y = abalone
    return [
        WeightedKerasClassifier("mlp", threshold=0.3, epochs=2, random_state=seed).fit(X, y)
        for seed in (0, 1)
    ]


class Running:
    """The example as a process of its own, on loopback."""

    def __init__(self, model, *options, port=0):
        command = [sys.executable, EXAMPLE, model, "--port", str(port), *options]
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("listening on http://127.0.0.1:"):
                self.port = int(line.rpartition(":")[2])
                break
        else:
            raise AssertionError("".join(self.lines))

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method, path, body=None, connection=None):
        if connection is None:
            with closing(self.connect()) as connection:
                return self.ask(method, path, body, connection)
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def until(self, holds):
        end = time.monotonic() + 60
        while not holds(self.ask("GET", "/health")[1]):
            assert time.monotonic() < end, self.ask("GET", "/health")
            time.sleep(0.02)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        said = self.process.communicate(timeout=30)[0]
        return self.process.returncode, said


@contextmanager
def running(*arguments, **options):
    service = Running(*arguments, **options)
    try:
        yield service
    finally:
        service.process.kill()
        service.process.communicate(timeout=30)


def version_of(path):
    import hashlib

    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


class Load:
    """Clients that ask without a pause and check every answer."""

    def __init__(self, service, X, expected, n_clients=4):
        self.service, self.X, self.expected = service, X, expected
        self.right, self.wrong, self.errors, self.versions = 0, [], [], []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(n_clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error):
        self._end.set()
        for thread in self._threads:
            thread.join(timeout=60)
            assert not thread.is_alive()

    def wait(self, holds):
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, (self.right, self.wrong[:1], self.errors[:1])
            time.sleep(0.02)

    def wait_for(self, n):
        """Until there are so many more right answers."""
        enough = self.right + n
        self.wait(lambda: self.right >= enough)

    def _ask(self, seed):
        with closing(self.service.connect()) as connection:
            self._ask_on(connection, seed)

    def _ask_on(self, connection, seed):
        generator = np.random.default_rng(seed)
        while not self._end.is_set():
            rows = generator.integers(len(self.X), size=generator.integers(1, 4))
            if seed % 2:  # these clients knock anew for every request
                connection.close()
            try:
                body = json.dumps(self.X[rows].tolist())
                status, answer = self.service.ask("POST", "/predict", body, connection)
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(error)
                connection.close()
                time.sleep(0.05)
                continue
            model = self.expected.get(answer.get("model"))
            if status == 200 and model is not None and answer == answer_of(model, self.X[rows]):
                self.right += 1
                self.versions.append(answer["model"])
            else:
                self.wrong.append((status, answer))


def answer_of(model, X):
    version, estimator = model
    return {
        "labels": estimator.predict(X).tolist(),
        "probabilities": estimator.predict_proba(X).tolist(),
        "classes": [0, 1],
        "threshold": estimator.threshold_,
        "model": version,
    }


@posix
def test_the_service_swaps_restarts_and_stops_under_load_without_a_wrong_or_lost_answer(
    models, abalone, tmp_path
):
    X, _ = abalone
    path, other = tmp_path / "model.wbce", tmp_path / "other.wbce"
    models[0].save(path)
    models[1].save(other)
    versions = [version_of(path), version_of(other)]
    expected = {v: (v, m) for v, m in zip(versions, models, strict=True)}
    with running(path, "--watch", "0.1") as service, Load(service, X, expected) as load:
        load.wait_for(100)
        os.replace(other, path)  # the watcher finds it
        service.until(lambda health: health["model"] == versions[1])
        load.wait_for(100)
        assert set(load.versions[-50:]) == {versions[1]}

        path.write_bytes(path.read_bytes()[:-100])
        service.until(lambda health: health["problem"])
        status, refused = service.ask("POST", "/reload")
        assert (status, "model.wbce" in refused["error"]) == (409, True)
        load.wait_for(100)
        assert set(load.versions[-50:]) == {versions[1]}

        models[0].save(path)
        assert service.ask("POST", "/reload") == (200, {"model": versions[0]})
        load.wait_for(100)
        assert service.ask("GET", "/health")[1]["problem"] is None
        assert load.wrong == load.errors == []

        service.stop(signal.SIGKILL)
        load.wait(lambda: load.errors)
        with running(path, port=service.port) as again:
            load.wait_for(50)
            load.errors.clear()
            load.wait_for(100)
            assert load.errors == []
            status, said = again.stop()
            load.wait(lambda: load.errors)  # nobody is there any more
            assert (status, "stopped in" in said) == (0, True)
    assert load.wrong == []
    # One may have knocked in the very moment in which the door was shut.
    assert sum(type(error) is not ConnectionRefusedError for error in load.errors) <= 1


@posix
def test_what_the_service_refuses_and_that_it_goes_on(models, abalone, tmp_path):
    X, _ = abalone
    path = tmp_path / "model.wbce"
    models[0].save(path)
    with pytest.raises(ValueError, match="expecting 9 features") as of_the_estimator:
        models[0].predict(X[:1, :3])
    good = json.dumps(X[:1].tolist())
    with running(path, "--largest-request", "10000") as service:
        for body, status, said in [
            (json.dumps(X[:1, :3].tolist()), 400, re.escape(str(of_the_estimator.value))),
            ('[["a", 1, 1, 1, 1, 1, 1, 1, 1]]', 400, "not numbers"),
            ("[[1], [1, 2]]", 400, "same length"),
            ('[{"length": 1}]', 400, "without feature names"),
            ("[]", 400, "at least one"),
            ("7", 400, "at least one"),
            ("[[1, 2", 400, "no JSON"),
            ("[" * 9000, 400, "no JSON"),
            ("[[1" + "0" * 400 + ", 1, 1, 1, 1, 1, 1, 1, 1]]", 400, ""),
            ("x" * 10_001, 413, "10000 bytes"),
        ]:
            found, answer = service.ask("POST", "/predict", body)
            assert found == status, (body[:50], answer)
            assert re.search(said, answer["error"]), (body[:50], answer)
            assert service.ask("POST", "/predict", good)[0] == 200
        assert service.ask("GET", "/predict")[0] == 405
        assert service.ask("GET", "/")[0] == 404

        # Half of a request, and the rest after the order to stop.
        with closing(service.connect()) as slow:
            slow.putrequest("POST", "/predict")
            slow.putheader("Content-Length", str(len(good)))
            slow.endheaders(good[:10].encode())
            assert service.ask("GET", "/health")[0] == 200
            service.process.send_signal(signal.SIGTERM)
            time.sleep(2)  # longer than what is not begun is waited for
            slow.send(good[10:].encode())
            answer = json.loads(slow.getresponse().read())
        assert answer == answer_of((version_of(path), models[0]), X[:1])
        assert service.process.wait(timeout=30) == 0


@posix
def test_gunicorn_forks_a_loaded_service(models, abalone, tmp_path):
    pytest.importorskip("gunicorn")
    X, _ = abalone
    path = tmp_path / "model.wbce"
    models[0].save(path)
    command = [
        *(sys.executable, "-m", "gunicorn", "--preload", "--workers", "2"),
        *("--bind", "127.0.0.1:0", "--chdir", EXAMPLE.parent, f"serve:wsgi({str(path)!r})"),
    ]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True)
    try:
        listening = next(line for line in process.stderr if "Listening at" in line)
        service = object.__new__(Running)
        service.port = int(re.search(r"127\.0\.0\.1:(\d+)", listening)[1])
        expected = {version_of(path): (version_of(path), models[0])}
        with Load(service, X, expected) as load:
            load.wait_for(100)
        assert load.wrong == load.errors == []
        assert service.ask("POST", "/predict", "[[1]]")[0] == 400
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate(timeout=30)


# ---------------------------------------------------------------------- the service, without HTTP


@pytest.fixture(scope="module")
def frame(abalone):
    pd = pytest.importorskip("pandas")
    X, y = abalone
    return pd.DataFrame({"length": X[:, 1], "sex": np.resize(["M", "F", "I"], len(y))}), y


def of_frame(way, frame):
    X, y = frame
    classifier = WeightedKerasClassifier("mlp", epochs=2, random_state=0)
    if way == "pipeline":
        columns = make_column_transformer(
            (StandardScaler(), ["length"]), (OneHotEncoder(), ["sex"])
        )
        return make_pipeline(columns, classifier).fit(X, y)
    return classifier.fit(X, y)


@pytest.mark.parametrize("way", ["pipeline", "classifier"])
def test_rows_by_feature_name_in_any_order(serve, frame, tmp_path, way):
    model = of_frame(way, frame)
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    service = serve.Service(path)

    def ask(rows):
        return service.answer("POST", "/predict", json.dumps(rows).encode)

    X = frame[0][:5]
    lists = X.to_numpy().tolist()
    by_name = [{"sex": sex, "length": length} for length, sex in lists]
    for rows in (lists, by_name):
        status, answer = ask(rows)
        assert status == 200, answer
        assert answer["probabilities"] == model.predict_proba(X).tolist()
        assert answer["labels"] == model.predict(X).tolist()
    status, answer = ask([{"sex": "M", "width": 1}])
    assert (status, answer["error"]) == (
        400,
        "A row lacks the features ['length'], and has unknown ['width'].",
    )


def test_a_missing_value_is_null(serve, frame, tmp_path):
    model = of_frame("classifier", frame)
    model.save(tmp_path / "model.wbce")
    service = serve.Service(tmp_path / "model.wbce")
    X = frame[0][:1].assign(length=np.nan)
    status, answer = service.answer("POST", "/predict", lambda: b'[{"length": null, "sex": "M"}]')
    X["sex"] = "M"
    assert (status, answer["probabilities"]) == (200, model.predict_proba(X).tolist())


def test_a_model_that_cannot_answer_the_last_request_is_not_taken(serve, models, abalone, tmp_path):
    X, y = abalone
    path = tmp_path / "model.joblib"
    joblib.dump(models[0], path)
    service = serve.Service(path)
    row = json.dumps(X[:1].tolist()).encode
    assert service.answer("POST", "/predict", row)[0] == 200
    joblib.dump(make_pipeline(StandardScaler(), models[1]).fit(X[:, :3], y), path)
    status, answer = service.answer("POST", "/reload", lambda: b"")
    assert (status, "expecting 3 features" in answer["error"]) == (409, True)
    assert service.answer("POST", "/predict", row)[0] == 200
    assert "not taken" in service.answer("GET", "/health", lambda: b"")[1]["problem"]


def test_a_failure_of_the_service_itself_is_no_secret_and_no_traceback(serve, models, tmp_path):
    models[0].save(tmp_path / "model.wbce")
    service = serve.Service(tmp_path / "model.wbce")

    def broken():
        raise RuntimeError("of the disk")

    status, answer = service.answer("POST", "/predict", broken)
    assert status == 500
    assert "disk" not in answer["error"]


def test_the_service_as_a_wsgi_application(serve, models, abalone, tmp_path):
    X, _ = abalone
    models[0].save(tmp_path / "model.wbce")
    application = serve.wsgi(tmp_path / "model.wbce")
    said = []

    def ask(body, length=None):
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/predict",
            "CONTENT_LENGTH": str(length or len(body)),
            "wsgi.input": BytesIO(body),
        }
        return json.loads(b"".join(application(environ, lambda status, _: said.append(status))))

    expected = answer_of((version_of(tmp_path / "model.wbce"), models[0]), X[:2])
    assert ask(json.dumps(X[:2].tolist()).encode()) == expected
    assert "bytes" in ask(b"", 10**10)["error"]
    assert said == ["200 OK", "413 Request Entity Too Large"]
