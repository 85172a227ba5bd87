"""The line that shows how far a fit or a prediction is: where, when, and without effect."""

import importlib.util
import io
import os
import pty
import re
import signal
import subprocess
import sys
import types

import joblib
import keras
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

import killed_fits
import wbce.progress._fit
import wbce.progress._rows
from test_checkpoint import Killed, dying
from wbce import WeightedKerasClassifier
from wbce.inference import _logits
from wbce.progress import FitProgress, _line, is_one_of_many, rows_shown
from wbce.streams import _arrays, _pools
from wbce.training import _epochs
from wbce.training._compiled import CompiledTraining
from wbce.training._compiled_loss import CompiledLoss

NOTEBOOKS = all(map(importlib.util.find_spec, ("nbclient", "nbformat", "ipykernel")))


def clf(**parameters):
    defaults = {
        "model": "mlp",
        "model__hidden_layer_sizes": (4,),
        "class_weight": "balanced",
        "validation_split": 0.2,
        "epochs": 6,
        "random_state": 0,
        "verbose": 1,
    }
    return WeightedKerasClassifier(**{**defaults, **parameters})


class Terminal(io.StringIO):
    """A terminal that remembers all that was written to it."""

    def isatty(self):
        return True

    def clear(self):
        self.seek(0)
        self.truncate()

    @property
    def frames(self):
        """What the line was, one after the other."""
        return [frame.rstrip() for frame in re.split("[\r\n]+", self.getvalue()) if frame.strip()]

    @property
    def screen(self):
        """What is to be seen in the end."""
        lines, column = [""], 0
        for character in self.getvalue():
            if character == "\n":
                lines, column = [*lines, ""], 0
            elif character == "\r":
                column = 0
            else:
                line = lines[-1].ljust(column)
                lines[-1] = line[:column] + character + line[column + 1 :]
                column += 1
        return [line.rstrip() for line in lines if line.strip()]


class Clock:
    """One whose every look takes some time."""

    def __init__(self, step):
        self.time, self.step = 0.0, step

    def __call__(self):
        self.time += self.step
        return self.time


def look(monkeypatch, stream):
    """Have a stream in place of standard error, which pytest puts in place before every test."""
    monkeypatch.setattr(_line, "sys", types.SimpleNamespace(stderr=stream))


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "121")
    monkeypatch.setattr(_line, "clock", Clock(0.2))  # so that all is shown
    screen = Terminal()
    look(monkeypatch, screen)
    yield screen
    assert _line._live == {}


@pytest.fixture
def log(monkeypatch):
    written = io.StringIO()
    look(monkeypatch, written)
    return written


# ---------------------------------------------------------------------- the line of a fit


def test_epochs_are_shown_in_one_line_and_the_outcome_stays(float_rows, terminal):
    model = clf(early_stopping=True).fit(*float_rows)
    *epochs, last = terminal.frames
    assert epochs[0] == "epoch 1/6"
    assert [frame.split("  ")[0] for frame in epochs[1:]] == [f"epoch {i}/6" for i in range(1, 7)]
    score = model.history_["val_average_precision"]
    log_loss, loss = model.history_["val_log_loss"], model.history_["loss"]
    for i, frame in enumerate(epochs[1:]):
        best = int(np.argmin(log_loss[: i + 1])) + 1
        said = f"loss {loss[i]:.3f}  val_log_loss {log_loss[i]:.3f}  "
        assert f"{said}val_average_precision {score[i]:.3f}  best epoch {best}" in frame
    assert re.search(r"  at most \d+ s left$", epochs[3])
    best = model.best_epoch_
    assert re.fullmatch(
        rf"6 of 6 epochs in \d+(\.\d)? s; best epoch {best}: val_log_loss "
        rf"{model.validation_score_:.4f}, val_average_precision {score[best - 1]:.4f}",
        last,
    )
    assert terminal.screen == [last]


def test_time_left_is_that_of_the_epochs_before(float_rows, terminal, monkeypatch):
    clock = Clock(0.0)
    monkeypatch.setattr(_line, "clock", clock)
    run = CompiledTraining.run

    def slowly(self, orders):
        clock.time += 30.0 * len(orders)
        return run(self, orders)

    monkeypatch.setattr(CompiledTraining, "run", slowly)
    clf(early_stopping=False).fit(*float_rows)
    left = [re.search("  (.+ left)$", frame) for frame in terminal.frames]
    assert [found and found[1].split("  ")[-1] for found in left] == [
        None,
        None,
        "2 min 0 s left",
        "1 min 30 s left",
        "1 min 0 s left",
        "30 s left",
        None,
        None,
    ]
    assert "6 of 6 epochs in 3 min 0 s" in terminal.frames[-1]


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_the_line_fits_into_the_terminal(columns, float_rows, terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    clf(early_stopping=True).fit(*float_rows)
    *epochs, last = terminal.frames
    assert max(map(len, epochs)) < columns < len(last)
    assert terminal.screen == [last]
    shown = {20: "epoch 6/6", 40: "val AP", 80: "val_average_precision"}
    assert shown[columns] in epochs[-1]


def test_what_there_is_instead_of_average_precision(iris, float_rows, terminal):
    clf(early_stopping=True, validation_split=0.4).fit(*iris)
    assert "  val_log_loss " in terminal.frames[-2]
    assert "precision" not in terminal.getvalue()
    X, y = float_rows
    clf(early_stopping=True).fit(X, np.column_stack([y, 1 - y]))
    assert re.search("best epoch .: val_log_loss [0-9.]+$", terminal.frames[-1])
    terminal.clear()
    clf(early_stopping=False).fit(X, y)
    assert re.fullmatch(r"epoch 6/6  loss 0\.\d{3}", terminal.frames[-2])
    assert re.fullmatch(r"6 of 6 epochs in .+ s; loss 0\.\d{4}", terminal.frames[-1])


def test_it_says_why_training_ended(float_rows, terminal):
    model = clf(early_stopping=True, n_iter_no_change=2, epochs=60, optimizer__learning_rate=0.1)
    model.fit(*float_rows)
    assert model.n_iter_ < 60
    assert f"{model.n_iter_} of 60 epochs in " in terminal.frames[-1]
    assert ", the last 2 no better; " in terminal.frames[-1]

    def stop(epoch, logs):
        logs["note"] = "no number"
        callback.model.stop_training = True

    callback = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    clf(early_stopping=False).fit(*float_rows, callbacks=[callback])
    assert ", stopped by a callback; " in terminal.frames[-1]


def test_the_ensemble_is_shown_with_the_middle_of_its_members(float_rows, terminal):
    model = clf(model=None, model__n_members=4, epochs=3).fit(*float_rows)
    assert (
        f"best epoch {model.best_epoch_}: val_log_loss {model.validation_score_:.4f}"
        in (terminal.frames[-1])
    )
    assert "val_average_precision 0." in terminal.frames[-1]
    assert "best epoch " in terminal.frames[-2]


def test_keras_own_fit_has_the_same_line(float_rows, terminal, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "180")
    monkeypatch.setattr(wbce.progress._fit, "_SECONDS_OF_A_LONG_EPOCH", 0.0)
    model = clf(early_stopping=True, epochs=3, batch_size=256, metrics=["accuracy"])
    model.fit(*float_rows)
    *epochs, last = terminal.frames
    assert any(re.match(r"epoch 2/3  512/\d+ rows  loss ", frame) for frame in epochs)
    assert any("epoch 3/3  loss " in frame and "  accuracy 0." in frame for frame in epochs)
    assert "3 of 3 epochs in " in last
    assert f"val_log_loss {model.validation_score_:.4f}" in last
    assert capsys.readouterr().out == ""


def test_folds_share_the_line(float_rows, terminal):
    model = clf(threshold="auto", threshold_cv=3, epochs=3).fit(*float_rows)
    of_folds = [frame.split("  ")[0] for frame in terminal.frames if frame.startswith("fold")]
    assert list(dict.fromkeys(of_folds)) == ["fold 1/3", "fold 2/3", "fold 3/3"]
    assert not any("left" in frame for frame in terminal.frames if "fold 1/3" in frame)
    assert any(re.search(r"fold 2/3 .* about \d+ s left$", frame) for frame in terminal.frames)
    last = terminal.frames[-1]
    assert re.search(r"(\d) of \1 epochs, after 3 folds, in ", last)
    assert last.endswith(f"; mean val_log_loss of the folds {model.validation_score_:.4f}")
    assert terminal.screen == [last]


def test_folds_side_by_side_take_turns(float_rows, terminal):
    with joblib.parallel_config("threading", n_jobs=2):
        clf(threshold="auto", threshold_cv=4, epochs=3).fit(*float_rows)
    of_folds = [int(frame[5]) for frame in terminal.frames if frame.startswith("fold")]
    assert of_folds
    assert all(
        re.match(r"(fold \d/4  )?epoch \d/3|3 of 3|2 of 2|1 of 1", f) for f in terminal.frames
    )
    assert len(terminal.screen) == 1


def test_the_first_fold_of_those_that_run_is_shown(terminal):
    whole = FitProgress.here()
    folds = [whole.of_fold(number, 3) for number in (1, 2, 3)]
    for fold in folds[:2]:
        fold.begin(0, 9, n_rows=10)
    for epoch in (1, 2):
        for fold in reversed(folds[:2]):
            fold.ended_epoch(epoch, {"loss": 1.0})
    folds[0].close(True)
    folds[1].ended_epoch(3, {"loss": 1.0})
    folds[2].begin(0, 9, n_rows=10)
    whole.close(True)
    assert [" ".join(frame.split()[:4]) for frame in terminal.frames] == [
        "fold 1/3 epoch 1/9",
        "fold 1/3 epoch 1/9",
        "fold 1/3 epoch 2/9",
        "fold 2/3 epoch 3/9",
    ]


def test_a_resumed_fit_goes_on_counting(tmp_path, terminal, monkeypatch):
    killed_fits.in_haste(monkeypatch.setattr)
    X, y = killed_fits.X, killed_fits.Y
    with monkeypatch.context() as patch:
        dying(patch, n_files=2)
        with pytest.raises(Killed):
            clf(checkpoint=tmp_path, early_stopping=False).fit(X, y)
    assert terminal.screen == []
    terminal.clear()
    clf(checkpoint=tmp_path, early_stopping=False).fit(X, y)
    first = int(re.match(r"epoch (\d)/6", terminal.frames[0])[1])
    assert first > 1
    assert f"6 of 6 epochs ({first - 1} of them from the checkpoint) in " in terminal.frames[-1]


def test_only_the_chief_shows(float_rows, terminal):
    X, y = float_rows

    class Worker(type(_epochs.ALONE)):
        is_chief = False

    model = clf(verbose=0, epochs=1).fit(X, y)
    arguments = {"batch_size": 64, "epochs": 2, "verbose": 0}
    progress = FitProgress.here()
    rows = (model._encode(X), y[:, None].astype(np.float32), arguments)
    training = _epochs.NetworkTraining(
        model.model_, *rows, keep_state=False, replicas=Worker(), progress=progress
    )
    training.run(0)
    progress.close(True)
    assert terminal.getvalue() == ""


# ---------------------------------------------------------------------- it changes nothing


@pytest.mark.parametrize(
    "parameters",
    [
        {"early_stopping": True},
        {"early_stopping": False, "epochs": 20},
        {"metrics": ["accuracy"], "epochs": 3},
        {"threshold": "auto", "threshold_cv": 2, "epochs": 2},
    ],
    ids=["scored", "epochs in one call", "by Keras", "folds"],
)
def test_results_are_the_same_to_the_bit(parameters, float_rows, terminal):
    X, y = float_rows
    quiet, *others = (clf(verbose=v, **parameters).fit(X, y) for v in (0, 1, "auto", 2))
    for model in others:
        for a, b in zip(quiet.model_.get_weights(), model.model_.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(quiet.predict_proba(X), model.predict_proba(X))
        assert quiet.history_ == model.history_
        assert quiet.threshold_ == model.threshold_


def test_nothing_is_validated_only_to_be_seen(float_rows, terminal, monkeypatch):
    def refused(*_):
        raise AssertionError("Keras validates")

    monkeypatch.setattr(CompiledLoss, "__init__", refused)
    for verbose in (1, 2):
        model = clf(early_stopping=True, verbose=verbose).fit(*float_rows)
        assert "val_log_loss" in model.history_
        assert "val_loss" not in model.history_


def test_epochs_run_in_one_call_still_while_the_line_moves(float_rows, terminal, monkeypatch):
    calls, run, step = [], CompiledTraining.run, 0.01
    clock = Clock(0.0)

    def timed(self, orders):
        calls.append(len(orders))
        clock.time += step * len(orders)
        return run(self, orders)

    monkeypatch.setattr(CompiledTraining, "run", timed)
    monkeypatch.setattr(_line, "clock", clock)
    model = clf(early_stopping=False, epochs=60)
    model.fit(*float_rows)
    assert calls == [1, 1, 20, 20, 18]  # 0.2 s each, as soon as it is known how many that are
    for verbose, stream in ((1, io.StringIO()), (0, terminal)):
        look(monkeypatch, stream)
        calls.clear()
        model.set_params(verbose=verbose).fit(*float_rows)
        assert calls == [60]


# ---------------------------------------------------------------------- where nobody looks


def test_a_log_has_one_plain_line(float_rows, log, capsys):
    model = clf(early_stopping=True).fit(*float_rows)
    assert re.fullmatch(r"6 of 6 epochs in .+; best epoch \d: .+\n", log.getvalue())
    model.predict(float_rows[0])
    assert log.getvalue().count("\n") == 1
    assert capsys.readouterr().out == ""


def test_a_terminal_that_cannot_rewrite_is_a_log(float_rows, terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    clf().fit(*float_rows)
    assert terminal.getvalue().count("\n") == 1
    assert "\r" not in terminal.getvalue()


def test_zero_says_nothing_and_two_says_what_keras_says(float_rows, terminal, capsys):
    clf(verbose=0).fit(*float_rows)
    assert capsys.readouterr().out == terminal.getvalue() == ""
    clf(verbose=2, early_stopping=True, epochs=2).fit(*float_rows)
    shown = capsys.readouterr().out
    assert shown.count("Epoch") == 2
    assert shown.count("val_log_loss: ") == 2
    assert terminal.getvalue() == ""


def test_an_argument_of_fit_has_the_last_word(float_rows, terminal):
    clf().fit(*float_rows, verbose=0)
    clf(fit__verbose=0).fit(*float_rows)
    assert terminal.getvalue() == ""
    clf(verbose=0).fit(*float_rows, verbose=1)
    assert "6 of 6 epochs" in terminal.screen[0]


@pytest.mark.parametrize("jobs", [None, 2])
def test_searches_are_quiet(jobs, float_rows, terminal, capsys):
    X, y = float_rows
    with joblib.parallel_config("threading", n_jobs=jobs):
        cross_val_score(clf(epochs=2), X, y, cv=2, scoring="average_precision", error_score="raise")
        search = GridSearchCV(
            clf(epochs=2, threshold="auto", threshold_cv=2),
            {"gamma": [1.0, 2.0]},
            scoring="average_precision",
            cv=2,
        )
        search.fit(X, y)
    assert terminal.getvalue() == capsys.readouterr().out == ""


def test_processes_are_quiet(float_rows, capfd):
    X, y = float_rows
    with joblib.parallel_config("loky", n_jobs=2):
        cross_val_score(clf(epochs=2), X, y, cv=2, scoring="average_precision", error_score="raise")
    shown = "".join(capfd.readouterr())
    assert "epoch" not in shown


def test_a_function_that_joblib_remembers_is_not_one_of_many(tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    assert not memory.cache(is_one_of_many)()
    assert joblib.Parallel(2, "threading")([joblib.delayed(is_one_of_many)()] * 2) == [True] * 2


def test_parts_of_a_stream_are_counted_by_their_caller(float_rows, terminal, capsys):
    model = clf(class_weight=None)
    for _ in range(3):
        model.partial_fit(*float_rows)
    assert terminal.getvalue() == capsys.readouterr().out == ""
    assert "_progress" not in vars(model)


# ---------------------------------------------------------------------- errors and interrupts


def test_an_error_leaves_no_half_of_a_line(float_rows, terminal):
    def fail(epoch, logs):
        if epoch == 2:
            raise OSError("disk full")

    callback = keras.callbacks.LambdaCallback(on_epoch_end=fail)
    with pytest.raises(OSError, match="disk full"):
        clf().fit(*float_rows, callbacks=[callback])
    assert len(terminal.frames) > 2
    assert terminal.screen == []
    with pytest.raises(ValueError, match="epochs"):
        clf(epochs=-1).fit(*float_rows)


def test_what_diverged_says_so(float_rows, terminal):
    from test_faults import X, Y, breaking
    from test_faults import clf as breakable
    from wbce import DivergenceError

    for parameters in ({"early_stopping": False}, {"metrics": ["accuracy"]}):
        model = breakable(verbose=1, **parameters, **breaking(10))
        with pytest.raises(DivergenceError):
            model.fit(X, Y)
        said = f"{model.n_iter_} of 8 epochs in "
        assert said in terminal.screen[-1]
        assert ", stopped as the loss was no longer a number; " in terminal.screen[-1]


def test_a_closed_stream_does_not_stop_a_fit(float_rows, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(_line, "clock", Clock(0.2))
    screen = Terminal()
    look(monkeypatch, screen)
    closing = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: screen.close())
    model = clf().fit(*float_rows, callbacks=[closing])
    assert model.n_iter_ == 6
    look(monkeypatch, None)
    assert clf().fit(*float_rows).n_iter_ == 6


def test_odd_streams_do_not_stop_a_fit(float_rows, monkeypatch):
    class OnlyWrites(list):
        write = list.append

    class Unsure(Terminal):
        def isatty(self):
            raise OSError("no such device")

    written, unsure = OnlyWrites(), Unsure()
    for stream in (written, unsure):
        look(monkeypatch, stream)
        assert clf().fit(*float_rows).n_iter_ == 6
    for said in ("".join(written), unsure.getvalue()):
        assert re.fullmatch(r"6 of 6 epochs in .*\n", said)


def test_ctrl_c_while_the_last_words_are_written_leaves_room_for_later_lines(terminal):
    line = _line.line_here()

    def interrupted(text):
        raise KeyboardInterrupt

    line._write = interrupted
    with pytest.raises(KeyboardInterrupt):
        line.close("6 of 6 epochs")
    later = _line.line_here()
    assert later.is_live
    later.close()


def test_nothing_is_written_beyond_the_terminals_width(terminal, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    line = _line.line_here()
    line.show({"all": "x" * 50}, [("all",)])
    monkeypatch.setenv("COLUMNS", "15")  # made narrower meanwhile
    line.show({"all": "y"}, [("all",)])
    line.show({"all": "z" * 50}, [("all",)])
    written = terminal.getvalue()
    line.close()
    assert [len(part) for part in written.split("\r") if part] == [19, 14, 14]
    assert len(terminal.getvalue()[len(written) :].strip("\r")) == 14


def test_a_second_fit_at_the_same_time_leaves_the_line_alone(float_rows, terminal):
    done = []

    def fit_another(epoch, logs):
        if epoch == 3 and not done:
            done.append(clf(epochs=2, early_stopping=False).fit(*float_rows))

    callback = keras.callbacks.LambdaCallback(on_epoch_end=fit_another)
    clf().fit(*float_rows, callbacks=[callback])
    assert not any(frame.startswith("epoch") and "/2" in frame for frame in terminal.frames)
    inner, outer = terminal.screen
    assert re.fullmatch(r"2 of 2 epochs in \S+ s; loss \S+", inner)
    assert outer.startswith("6 of 6 epochs in ")


FIT = """
import numpy as np
from wbce import WeightedKerasClassifier
generator = np.random.default_rng(0)
X = generator.normal(size=(200, 3))
y = (X[:, 0] + generator.normal(size=200) > 1).astype(int)
model = WeightedKerasClassifier(
    "linear", epochs=5, n_iter_no_change=500, validation_split=0.3, verbose=1, random_state=0
).fit(X, y)
"""
FIT_AND_BE_INTERRUPTED = """
import keras, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
slowly = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.12))
model.set_params(epochs=500).fit(X, y, callbacks=[slowly])
"""


def on_a_terminal(code, interrupt_at):
    """Run a program on a terminal of the system's; what it wrote there, and how it ended."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    for name in ("COLUMNS", "TF_CPP_MIN_LOG_LEVEL"):
        environment.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    written, interrupted = b"", False
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        written += piece
        if interrupt_at in written and not interrupted:
            interrupted = True
            process.send_signal(signal.SIGINT)
    os.close(ours)
    terminal = Terminal()
    terminal.write(written.decode())
    return terminal, process.wait()


def test_a_process_on_a_terminal_and_ctrl_c():
    terminal, code = on_a_terminal(FIT + FIT_AND_BE_INTERRUPTED, interrupt_at=b"epoch 3/500")
    assert code != 0
    assert any(re.match(r"epoch \d+/500  loss ", frame) for frame in terminal.frames)
    assert max(len(f) for f in terminal.frames if f.startswith("epoch")) < 80
    first, second, traceback, *_ = terminal.screen
    assert re.match(r"5 of 5 epochs in .* s; best epoch \d: val_log_loss ", first)
    assert re.match(r"\d+ of 500 epochs in .* s, stopped by Ctrl-C; best epoch ", second)
    assert traceback.startswith("Traceback ")


# ---------------------------------------------------------------------- streams and predictions


def test_streams_show_rows_of_the_survey_and_of_epochs(float_rows, terminal, monkeypatch, tmp_path):
    X, y = float_rows
    monkeypatch.setattr(_arrays, "LARGE", 1)
    monkeypatch.setattr(_arrays, "_BYTES_OF_A_PART", 2**11)
    monkeypatch.setattr(_pools, "_BYTES", 2**12)
    monkeypatch.setattr(wbce.progress._fit, "_SECONDS_OF_A_LONG_EPOCH", 0.0)
    rows = np.memmap(tmp_path / "X", X.dtype, "w+", shape=X.shape)
    rows[:] = X
    model = clf(epochs=3, batch_size=32, early_stopping=True).fit(rows, y)
    surveyed = [f for f in terminal.frames if f.startswith("looking at all rows once: ")]
    assert re.search(r": \d+/731 rows  \d+ s left", surveyed[2])
    assert surveyed[-1] == "looking at all rows once: 731/731 rows"
    of_rows = [f for f in terminal.frames if re.match(r"epoch 2/3  \d+/\d+ rows  loss ", f)]
    counts = [int(re.search(r"(\d+)/", f[11:])[1]) for f in of_rows]
    assert len(counts) > 2
    assert counts == sorted(counts)
    assert counts[-1] == int(re.search(r"/(\d+) rows", of_rows[0])[1])
    assert "val_average_precision 0." in terminal.screen[-1]
    terminal.clear()
    quiet = clf(verbose=0, epochs=3, batch_size=32, early_stopping=True).fit(rows, y)
    np.testing.assert_array_equal(quiet.predict_proba(X), model.predict_proba(X))
    said = quiet.set_params(verbose=1).predict(rows)
    assert re.match(r"predicting  \d+/731 rows  \d+ s left", terminal.frames[-2])
    assert terminal.screen == []
    np.testing.assert_array_equal(said, quiet.set_params(verbose=0).predict(X))


def test_rows_of_parquet_are_counted_to_their_end(float_rows, terminal, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    X, y = float_rows
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    for part in range(3):
        some = slice(250 * part, 250 * (part + 1))
        frame.assign(y=y)[some].to_parquet(tmp_path / f"{part}.parquet", row_group_size=50)
    model = clf(epochs=1).fit(tmp_path, "y")
    assert any(re.search(r"once: 250/731 rows  \d+ s left", frame) for frame in terminal.frames)
    terminal.clear()
    model.predict(tmp_path)
    assert terminal.frames[-1] == "predicting  731/731 rows"


def test_rows_of_an_iterator_are_counted_without_an_end(float_rows, terminal):
    X, y = float_rows
    batches = ((X[i : i + 100], y[i : i + 100]) for i in range(0, len(X), 100))
    clf(epochs=1).fit(batches)
    assert "looking at all rows once: 700 rows" in terminal.frames


@pytest.mark.parametrize("model", ["mlp", "ensemble"])
def test_long_predictions_show_rows_and_leave_nothing(model, float_rows, terminal, monkeypatch):
    X, y = float_rows
    fitted = clf(model=model, epochs=1, early_stopping=False, verbose=0).fit(X, y)
    expected = fitted.predict_proba(X)
    monkeypatch.setattr(_logits, "_ROWS_AT_ONCE", 64)
    fitted.verbose = 1
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    assert re.match(r"predicting  \d+/731 rows  \d+ s left$", terminal.frames[0])
    assert terminal.frames[-1] == "predicting  731/731 rows"
    assert terminal.screen == []
    terminal.clear()
    monkeypatch.setattr(_line, "clock", Clock(0.01))
    fitted.predict_proba(X)
    assert terminal.getvalue() == ""


def test_predictions_by_keras_are_shown_as_keras_is_asked_to(float_rows, log, capsys):
    X, y = float_rows
    fitted = clf(epochs=1).fit(X, y, verbose=0)
    fitted.predict(X, batch_size=512)
    assert capsys.readouterr().out == log.getvalue() == ""
    fitted.predict(X, batch_size=512, verbose=1)
    assert "2/2" in capsys.readouterr().out
    fitted.set_params(predict__verbose=1).predict(X)
    assert "1/1" in capsys.readouterr().out


def test_rows_that_keras_predicts_are_shown(float_rows, terminal, capsys):
    X, y = float_rows
    fitted = clf(epochs=1, verbose=0, early_stopping=False).fit(X, y)
    expected = fitted.predict_proba(X, batch_size=64, verbose=0)
    fitted.verbose = 1
    np.testing.assert_array_equal(fitted.predict_proba(X, batch_size=64), expected)
    assert re.match(r"predicting  \d+/731 rows  \d+ s left$", terminal.frames[0])
    assert terminal.frames[-1] == "predicting  731/731 rows"
    assert terminal.screen == []
    assert capsys.readouterr().out == ""


def test_a_prediction_within_another_is_not_shown(terminal):
    with rows_shown(1, 10) as outer:
        for _ in range(9):
            outer(1)
        with rows_shown(1, 500) as inner:
            for _ in range(9):
                inner(50)
    assert terminal.frames
    assert not any("500" in frame for frame in terminal.frames)


def test_it_is_written_ten_times_a_second_at_most(terminal, monkeypatch):
    monkeypatch.setattr(_line, "clock", Clock(0.001))
    line = _line.line_here()
    for number in range(1000):
        if line.is_due():
            line.show({"n": str(number)}, [("n",)])
    line.close()
    assert 5 < len(terminal.frames) <= 10


# ---------------------------------------------------------------------- notebooks


def test_a_notebook_has_one_display(float_rows, monkeypatch, capsys):
    monkeypatch.setattr(_line, "clock", Clock(0.2))
    published = []

    class Publisher:
        def publish(self, data, *, transient, update):
            published.append((data["text/plain"], transient["display_id"], update))

    shell = types.SimpleNamespace(kernel=object(), display_pub=Publisher())
    module = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", module)
    clf().fit(*float_rows)
    texts, displays, updates = zip(*published, strict=True)
    assert len(set(displays)) == 1
    assert updates == (False, *[True] * (len(texts) - 1))
    assert texts[0] == "epoch 1/6"
    assert texts[-1].startswith("6 of 6 epochs in ")
    assert "".join(capsys.readouterr()) == ""
    del shell.kernel  # IPython in a terminal, or here in a log
    clf().fit(*float_rows)
    assert len(published) == len(texts)
    assert "6 of 6 epochs in " in capsys.readouterr().err


@pytest.mark.skipif(not NOTEBOOKS, reason="needs nbclient, nbformat and ipykernel")
def test_a_real_notebook():
    import nbclient
    import nbformat

    cells = [nbformat.v4.new_code_cell(FIT)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    shown = [o for o in outputs if o.output_type == "display_data"]
    assert len(shown) == 1
    assert shown[0]["data"]["text/plain"].startswith("5 of 5 epochs in ")
    assert "epoch" not in "".join(o.get("text", "") for o in outputs)
