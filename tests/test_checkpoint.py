"""Fits that are killed, and go on from their files."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import joblib
import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.model_selection import GridSearchCV

import killed_fits
from killed_fits import X_VAL, Y_VAL, X, Y, fitted
from wbce import ArchiveError, DivergenceError, WeightedKerasClassifier
from wbce.training import _checkpoint


@pytest.fixture
def in_haste(monkeypatch):
    killed_fits.in_haste(monkeypatch.setattr)


def clf(folder, **parameters):
    defaults = {
        "model": "mlp",
        "model__hidden_layer_sizes": (4,),
        "epochs": 6,
        "early_stopping": False,
        "random_state": 0,
    }
    return WeightedKerasClassifier(**{**defaults, "checkpoint": folder, **parameters})


class Killed(BaseException):
    """Ends a fit as if the process had gone."""


def dying(monkeypatch, n_files=1):
    """Have fits end when they have written so many files."""
    write, written = _checkpoint.Checkpoint.write, []

    def counted(self, progress):
        write(self, progress)
        written.append(self.path)
        if len(written) == n_files:
            raise Killed

    monkeypatch.setattr(_checkpoint.Checkpoint, "write", counted)
    return written


def killed(monkeypatch, model, *arguments, n_files=1, **more):
    """Begin a fit, and have it killed; the name of its file."""
    with monkeypatch.context() as patch:
        written = dying(patch, n_files)
        with pytest.raises(Killed):
            model.fit(*arguments or (X, Y), **more)
    assert not hasattr(model, "model_")
    return written[-1]


def resumed(monkeypatch, model, *arguments, **more):
    """Fit; from after which epoch it went on."""
    started, read = [], _checkpoint.Checkpoint.read

    def noted(self):
        found = read(self)
        started.append(0 if found is None else found.n_epochs)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(_checkpoint.Checkpoint, "read", noted)
        model.fit(*arguments or (X, Y), **more)
    return started


def assert_same(model, twin):
    for a, b in zip(model.model_.get_weights(), twin.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))
    np.testing.assert_array_equal(model.threshold_, twin.threshold_)
    assert model.history_ == twin.history_
    assert (model.n_iter_, model.best_epoch_) == (twin.n_iter_, twin.best_epoch_)
    assert model.stopped_by_ is twin.stopped_by_ is None


# ---------------------------------------------------------------------- killed


@pytest.fixture(scope="module")
def killed_twice(tmp_path_factory):
    """A folder with the files of all fits, from two processes that were killed."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for n_files in ("2", "1"):
        process = subprocess.run(
            [sys.executable, killed_fits.__file__, str(folder), n_files],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert process.returncode == -signal.SIGKILL, process.stderr
        assert process.stdout == "amid all of them\n"
        assert len(list(folder.iterdir())) == len(killed_fits.FITS)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", killed_fits.FITS)
def test_a_fit_that_was_killed_twice_ends_as_if_it_had_not_been(
    killed_twice, name, in_haste, monkeypatch
):
    n_files = len(list(killed_twice.iterdir()))
    found, read = [], _checkpoint.Checkpoint.read

    def noted(self):
        found.append(read(self))
        return found[-1]

    monkeypatch.setattr(_checkpoint.Checkpoint, "read", noted)
    model = fitted(name, killed_twice)
    assert found[0].n_epochs >= 3
    assert len(list(killed_twice.iterdir())) == n_files - 1
    assert_same(model, fitted(name, None))


def test_networks_of_folds_that_are_complete_are_not_trained_again(tmp_path, in_haste, monkeypatch):
    model = clf(tmp_path, threshold="auto", threshold_cv=3, epochs=4)
    killed(monkeypatch, model, n_files=7)  # two for each fold, at the end and when it is complete
    assert len(list(tmp_path.iterdir())) == 4
    assert resumed(monkeypatch, model) == [4, 4, 4, 3]
    assert_same(model, clf(None, threshold="auto", threshold_cv=3, epochs=4).fit(X, Y))
    assert not list(tmp_path.iterdir())


def test_ctrl_c_leaves_the_file_for_the_rest(tmp_path, in_haste, monkeypatch):
    write = _checkpoint.Checkpoint.write

    def pressed(self, progress):
        signal.raise_signal(signal.SIGINT)
        write(self, progress)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    model = clf(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(_checkpoint.Checkpoint, "write", pressed)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y)
    signal.signal(signal.SIGINT, before)
    assert (model.stopped_by_, model.n_iter_) == ("interrupt", 3)
    assert resumed(monkeypatch, model) == [3]
    assert_same(model, clf(None).fit(X, Y))


def test_going_on_with_a_fitted_estimator_is_resumed_too(tmp_path, in_haste, monkeypatch):
    settings = {"warm_start": True, "epochs": 4}
    model, twin, other = (clf(tmp_path, **settings).fit(X, Y) for _ in range(3))
    with monkeypatch.context() as patch:
        dying(patch)
        with pytest.raises(Killed):
            model.fit(X, Y)
    assert resumed(monkeypatch, twin) == [3]
    assert_same(twin, other.fit(X, Y))


# ---------------------------------------------------------------------- whose file it is


def scaled(layer_scale):
    class Scaled(keras.layers.Layer):
        def call(self, inputs):
            return inputs * layer_scale

    def build():
        return keras.Sequential([keras.Input((3,)), Scaled(), keras.layers.Dense(1)])

    return build


def test_a_file_is_that_of_one_fit_alone(tmp_path, in_haste, monkeypatch):
    other, weight = X.copy(), np.ones(len(X))
    other[7, 1] = np.nextafter(other[7, 1], np.float32(9))
    weight[3] = 2
    turned = np.where(np.arange(len(Y)) == 5, 1 - Y, Y)
    fits = [
        (clf(tmp_path), (X, Y)),
        (clf(tmp_path), (other, Y)),
        (clf(tmp_path), (X, turned)),
        (clf(tmp_path), (X, Y, weight)),
        (clf(tmp_path, random_state=1), (X, Y)),
        (clf(tmp_path, epochs=7), (X, Y)),
        (clf(tmp_path, pos_weight=2), (X, Y)),
        (clf(tmp_path, gamma=1.0, loss="focal"), (X, Y)),
        (clf(tmp_path, gamma=2.0, loss="focal"), (X, Y)),
        (clf(tmp_path, shuffle=False), (X, Y)),
        (clf(tmp_path, batch_size=16), (X, Y)),
        (clf(tmp_path, optimizer__learning_rate=0.002), (X, Y)),
        (clf(tmp_path, threshold=0.3), (X, Y)),
        (clf(tmp_path, model__hidden_layer_sizes=(4, 4)), (X, Y)),
        (clf(tmp_path, model=scaled(1.0)), (X, Y)),
        (clf(tmp_path, model=scaled(1.5)), (X, Y)),
        (clf(tmp_path, early_stopping="auto"), (X, Y, None, X_VAL, Y_VAL)),
        (clf(tmp_path, early_stopping="auto"), (X, Y, None, X_VAL[1:], Y_VAL[1:])),
        (clf(tmp_path, early_stopping="auto", n_iter_no_change=9), (X, Y, None, X_VAL, Y_VAL)),
    ]
    for model, _ in fits:
        if callable(model.model):
            del model.model__hidden_layer_sizes
    names = [killed(monkeypatch, model, *arguments) for model, arguments in fits]
    assert len(set(names)) == len(fits)
    assert killed(monkeypatch, clf(Path(tmp_path), verbose=0)) == names[0]


def test_a_search_and_its_fits_share_a_folder(tmp_path, in_haste):
    grid = {"pos_weight": [1, 3], "epochs": [4, 6]}
    with joblib.parallel_config("threading", n_jobs=2):
        scores = [
            GridSearchCV(clf(folder), grid, cv=2, scoring="neg_log_loss")
            .fit(X, Y)
            .cv_results_["mean_test_score"]
            for folder in (tmp_path, None)
        ]
    np.testing.assert_array_equal(*scores)
    assert not list(tmp_path.iterdir())


def test_short_fits_write_nothing_and_partial_fit_never_does(tmp_path, monkeypatch):
    written = dying(monkeypatch)
    clf(tmp_path).fit(X, Y)
    monkeypatch.setattr(_checkpoint, "SECONDS_BETWEEN", 0)
    clf(tmp_path).partial_fit(X, Y)
    assert not written


def test_a_diverging_fit_leaves_no_file(tmp_path, in_haste):
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([12], [0.1, 1e38])
    model = clf(tmp_path, optimizer="sgd", optimizer__learning_rate=rate)
    with pytest.raises(DivergenceError, match="are kept"):
        model.fit(X, Y)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("damage", ["cut off", "other", "empty", "another fit's"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, in_haste, monkeypatch, damage):
    path = killed(monkeypatch, clf(tmp_path))
    content = path.read_bytes()
    if damage == "another fit's":
        other = killed(monkeypatch, clf(tmp_path, model__hidden_layer_sizes=(5,)))
        content = other.read_bytes()
    if damage == "other":
        content = b"PK\x03\x04" + content[4:][::-1]
    path.write_bytes({"cut off": content[: len(content) // 2], "empty": b""}.get(damage, content))
    model = clf(tmp_path)
    with pytest.raises(ArchiveError, match=rf"{path.name}.*Delete the file"):
        model.fit(X, Y)
    assert not hasattr(model, "model_")
    path.unlink()
    model.fit(X, Y)


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path, in_haste, monkeypatch):
    path = killed(monkeypatch, clf(tmp_path))
    (tmp_path / f".{path.name}.0123abcd.new").write_bytes(b"PK")
    clf(tmp_path).fit(X, Y)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_does_not_end_the_training(tmp_path, in_haste, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_checkpoint, "write_archive", full)
    model = clf(tmp_path)
    with pytest.warns(RuntimeWarning, match="No space left"):
        model.fit(X, Y)
    assert_same(model, clf(None).fit(X, Y))


def test_a_folder_that_cannot_be_written_is_an_error_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"checkpoint=.* is no folder that can be written"):
        clf(tmp_path / "file" / "folder").fit(X, Y)
    made = tmp_path / "new" / "folder"
    clf(made).fit(X, Y)
    assert made.is_dir()


@pytest.mark.parametrize("folder", ["", 3, True, b"x"])
def test_what_is_no_folder(folder):
    with pytest.raises(ValueError, match="checkpoint="):
        clf(folder).fit(X, Y)


class Noise(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


CALLS = tf.Variable(0.0)


class Counts(keras.layers.Layer):
    def call(self, inputs):
        return inputs * CALLS.assign_add(1.0)


def with_layer(layer):
    return lambda: keras.Sequential([keras.Input((3,)), layer(), keras.layers.Dense(1)])


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"random_state": None}, "needs random_state"),
        ({"metrics": ["accuracy"]}, "Keras' own fit cannot do.*metrics"),
        ({"callbacks": [keras.callbacks.EarlyStopping(monitor="loss")]}, "EarlyStopping"),
        ({"model": with_layer(Noise)}, "random numbers"),
        ({"model": with_layer(Counts)}, "a variable that is none of"),
    ],
)
def test_what_cannot_go_on_exactly_is_refused(tmp_path, parameters, why):
    model = clf(tmp_path, **parameters)
    if callable(model.model):
        del model.model__hidden_layer_sizes
    with pytest.raises(ValueError, match=f"checkpoint=.*{why}"):
        model.fit(X, Y)
    assert not list(tmp_path.iterdir())
    assert not hasattr(model, "model_")
