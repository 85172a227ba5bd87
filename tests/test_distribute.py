"""One fit in several processes, or on several devices."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone

import distributed_fits
from distributed_fits import FITS, X, Y, fitted, result
from wbce import WeightedKerasClassifier
from wbce._archive import read_archive
from wbce.training import _cluster, _distributed
from wbce.training._checkpoint import as_progress

CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def free_ports(n):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("", 0))) for _ in range(n)]
        return [own.getsockname()[1] for own in sockets]


def started(folder, becomes, task=None, ports=()):
    environment = dict(os.environ)
    if task is not None:
        cluster = {"worker": [f"localhost:{port}" for port in ports]}
        said = {"cluster": cluster, "task": {"type": "worker", "index": task}}
        environment["TF_CONFIG"] = json.dumps(said)
    return subprocess.Popen(
        [sys.executable, distributed_fits.__file__, str(folder), becomes],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(processes):
    """Exit codes, and what went wrong; a process that hangs is killed."""
    try:
        errors = [process.communicate(timeout=150)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [process.returncode for process in processes], errors


def both(folder, becomes):
    ports = free_ports(2)
    return [started(folder, becomes, task, ports) for task in (0, 1)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def workers(folder):
    """What two workers found, and what they were told."""
    codes, errors = ended(both(folder, "all"))
    assert codes == [0, 0], errors
    found = [np.load(folder / f"all {i}.npz") for i in (0, 1)]
    return found, [json.loads((folder / f"all {i}.json").read_text()) for i in (0, 1)]


@pytest.fixture(scope="module")
def killed(folder, workers):
    """Two workers of which one was killed, beside a process with two devices."""
    processes = [*both(folder, "killed"), started(folder, "mirrored")]
    codes, errors = ended(processes)
    assert codes == [-signal.SIGKILL, 0, 0], errors
    return json.loads((folder / "killed 1.json").read_text())


@pytest.fixture(scope="module")
def on_devices(folder, killed):
    return np.load(folder / "mirrored.npz")


# ---------------------------------------------------------------------- the same network


def test_all_workers_end_with_the_same_estimator_to_the_last_bit(workers):
    first, second = workers[0]
    assert set(first.files) == set(second.files)
    for name in first.files:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("name", FITS)
def test_two_workers_train_the_network_that_one_process_trains(workers, name):
    found = workers[0][0]
    for part, values in result(fitted(name, None)).items():
        np.testing.assert_allclose(found[f"{name}/{part}"], values, **CLOSE, err_msg=part)


def test_two_devices_of_a_process_train_the_network_that_one_trains(workers, on_devices):
    assert on_devices["n_replicas"] == 2
    for name in (name for name in workers[0][0].files if name.startswith("ensemble/")):
        own = on_devices[name.removeprefix("ensemble/")]
        np.testing.assert_allclose(own, workers[0][0][name], **CLOSE, err_msg=name)


def test_moving_statistics_are_those_of_each_replica_averaged(on_devices):
    mean, variance = np.zeros(3), np.ones(3)
    halves = X[:64].reshape(2, 2, 16, 3)  # steps, replicas, rows
    for step in [*halves, *halves]:
        mean = (mean + step.mean(axis=1).mean(axis=0)) / 2
        variance = (variance + step.var(axis=1).mean(axis=0)) / 2
    np.testing.assert_allclose(on_devices["means"], mean, rtol=1e-5)
    np.testing.assert_allclose(on_devices["variances"], variance, rtol=1e-5)


@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("n_replicas", [2, 3, 5])
def test_replicas_divide_each_members_rows_among_them(n_members, n_replicas):
    for n_rows in range(1, 12):
        batch = tf.range(n_members * n_rows)
        seen, weights = [], []
        for number in range(n_replicas):
            replicas = object.__new__(_distributed._Mirrored)
            replicas.n_replicas, replicas._number = n_replicas, number
            rows, weight = replicas.share(batch, n_members, 0)
            assert len(rows) >= n_members  # so that a mean over them is a number
            weights.append(float(weight))
            if weight > 0:
                seen += rows.numpy().tolist()
                np.testing.assert_allclose(weight, len(rows) / len(batch))
        assert sorted(seen) == list(range(n_members * n_rows))
        np.testing.assert_allclose(sum(weights), 1)


# ---------------------------------------------------------------------- killed


def test_who_is_gone_is_named_to_the_others(killed):
    assert killed.startswith("RuntimeError: worker 0 (localhost:")
    assert "is gone" in killed
    assert "checkpoint=folder" in killed


def test_workers_that_start_again_go_on_from_the_chiefs_file_bit_for_bit(folder, killed, workers):
    (path,) = (folder / "files of 0").iterdir()
    assert as_progress(*read_archive(path)).n_epochs == 3
    assert not list((folder / "files of 1").iterdir())
    codes, errors = ended(both(folder, "resumed"))
    assert codes == [0, 0], errors
    assert not list((folder / "files of 0").iterdir())
    for number in (0, 1):
        assert json.loads((folder / f"resumed {number}.json").read_text()) is None
        found = np.load(folder / f"resumed {number}.npz")
        for name in found.files:
            np.testing.assert_array_equal(found[name], workers[0][0][f"to be killed/{name}"])


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("other rows", ["worker 1 (localhost:", "differs from worker 0", "in: X"]),
        ("other seeds", ["worker 1 (localhost:", "in: random_state"]),
        ("no seed", ["needs random_state"]),
        ("a loss of batches", ["Tversky compares the rows of a batch"]),
        ("metrics", ["Keras' own fit", "metrics. Pass distribute=None"]),
        ("a sum", ["reduction='sum'"]),
        ("parts", ["partial_fit trains in this process alone"]),
    ],
)
def test_what_cannot_be_divided_is_an_error_in_every_worker(workers, case, words):
    for told in workers[1]:
        for word in words:
            assert word in (told[case] or "no error")


def clf(way="multi_worker", **parameters):
    return WeightedKerasClassifier("linear", distribute=way, random_state=0, **parameters)


def test_a_name_is_data_and_a_strategy_is_refused():
    assert clone(clf()).distribute == pickle.loads(pickle.dumps(clf())).distribute == "multi_worker"
    for way in (tf.distribute.get_strategy(), "mirror", 2):
        with pytest.raises(ValueError, match=r"distribute=.*A name, and no tf.distribute.Strategy"):
            clf(way).fit(X, Y)


CLUSTER = {"worker": ["localhost:9", "localhost:10"]}


@pytest.mark.parametrize(
    "said",
    [
        None,
        "{",
        json.dumps({"cluster": CLUSTER}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "ps", "index": 0}}),
        json.dumps({"cluster": {"worker": ["nowhere"]}, "task": {"type": "worker", "index": 0}}),
    ],
)
def test_a_missing_or_wrong_tf_config_is_an_error_that_shows_a_right_one(monkeypatch, said):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if said is not None:
        monkeypatch.setenv("TF_CONFIG", said)
    with pytest.raises(ValueError, match=r"TF_CONFIG.*such as \{.*; it is"):
        clf().fit(X, Y)


def cluster(ports):
    places = {"worker": [f"localhost:{port}" for port in ports]}
    said = {"cluster": places, "task": {"type": "worker", "index": 0}}
    return _cluster.Cluster(json.dumps(said))


def test_workers_that_do_not_come_are_named(monkeypatch):
    monkeypatch.setattr(_cluster, "PATIENCE", 0)
    ports = free_ports(3)
    with (
        socket.create_server(("localhost", ports[1])),
        pytest.raises(RuntimeError, match=rf"Waited 0 seconds for worker 2 \(localhost:{ports[2]}"),
    ):
        cluster(ports).meet()


def test_a_port_that_is_taken_is_an_error():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"cannot listen at its port {port}"):
            cluster([port, 9]).meet()


def test_it_is_too_late_when_tensorflow_has_computed_something(monkeypatch):
    tf.constant(1)
    said = {"cluster": CLUSTER, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(said))
    with pytest.raises(RuntimeError, match="must meet before"):
        clf().fit(X, Y)


def test_a_worker_that_trains_something_else_is_waited_for_no_longer_than_said():
    late = tf.errors.DeadlineExceededError(None, None, "Collective has timed out")
    assert "does something else" in str(cluster([7, 8]).explained(late))
    other = tf.errors.InvalidArgumentError(None, None, "a bad row")
    assert cluster([7, 8]).explained(other) is other
