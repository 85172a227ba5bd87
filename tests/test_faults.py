"""Trainings that diverge or are interrupted, and what they leave."""

import pickle
import signal
import subprocess
import sys
import textwrap
import threading

import keras
import numpy as np
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

from wbce import DivergenceError, WeightedKerasClassifier
from wbce.training import _parts
from wbce.training._compiled import CompiledTraining

generator = np.random.default_rng(0)
X = generator.normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] + generator.normal(size=60) > 0.5).astype(int)
X_VAL = generator.normal(size=(80, 3)).astype("float32")
Y_VAL = (X_VAL[:, 0] + generator.normal(size=80) > 0.5).astype(int)
STEPS = 3  # an epoch
PLAIN = {"early_stopping": False}
SCORED = {"early_stopping": "auto"}
BY_KERAS = {"metrics": ["accuracy"]}
WAYS = {
    "together": PLAIN,
    "scored": SCORED,
    "by Keras": {**PLAIN, **BY_KERAS},
    "by Keras and scored": {**SCORED, **BY_KERAS},
}


def network(meta):
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
    )


def clf(**parameters):
    defaults = {
        "model": network,
        "epochs": 8,
        "batch_size": 20,
        "optimizer": "sgd",
        "class_weight": "balanced",
        "random_state": 0,
    }
    return WeightedKerasClassifier(**{**defaults, **parameters})


def breaking(step, rate=1e38):
    """A learning rate that breaks the network in a step, counted from 1."""
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([step - 2], [0.1, rate])
    return {"optimizer__learning_rate": schedule}


def fit(model, **arguments):
    if model.early_stopping is False:
        return model.fit(X, Y, **arguments)
    return model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL, **arguments)


def assert_same(model, twin):
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))
    np.testing.assert_array_equal(model.threshold_, twin.threshold_)
    assert model.history_ == twin.history_
    assert (model.n_iter_, model.best_epoch_) == (twin.n_iter_, twin.best_epoch_)


# ---------------------------------------------------------------------- divergence


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", [1, STEPS])
def test_a_diverging_fit_keeps_the_epochs_before(way, step):
    rate = breaking(4 * STEPS + step)
    model = clf(**WAYS[way], **rate)
    with pytest.raises(DivergenceError, match=r"epoch 5.*weights of epoch \d are kept") as raised:
        fit(model)
    assert model.stopped_by_ == "divergence"
    assert model.n_iter_ == len(model.history_["loss"]) == 4
    assert raised.value.epoch == 5
    assert raised.value.kept_epoch == model.best_epoch_
    if step == STEPS:
        assert np.isfinite(raised.value.loss)
    assert_same(model, fit(clf(**WAYS[way], **rate, epochs=4)))


@pytest.mark.parametrize("way", WAYS)
def test_divergence_in_the_first_epoch_leaves_the_estimator_as_it_was(way):
    model = clf(**WAYS[way], **breaking(2))
    with pytest.raises(DivergenceError, match=r"epoch 1\b.*as it was"):
        fit(model)
    assert not hasattr(model, "model_")
    model.set_params(**breaking(10**6))
    fit(model)
    before = vars(model).copy()
    with pytest.raises(DivergenceError):
        fit(model.set_params(**breaking(2)))
    assert all(vars(model)[name] is value for name, value in before.items() if name[-1] == "_")


def test_the_best_weights_are_kept_where_epochs_are_scored():
    model = clf(early_stopping=True, threshold="auto", **breaking(3 * STEPS + 1, 3.0), epochs=20)
    model.set_params(model=lambda meta: network(meta), optimizer="sgd")
    fit(model)
    scores = model.history_["val_log_loss"]
    diverging = clf(early_stopping=True, threshold="auto", epochs=20)
    rates = keras.optimizers.schedules.PiecewiseConstantDecay(
        [3 * STEPS - 1, 6 * STEPS - 1], [0.1, 3.0, 1e38]
    )
    with pytest.raises(DivergenceError):
        fit(diverging.set_params(optimizer__learning_rate=rates))
    assert diverging.history_["val_log_loss"] == scores[:6]
    assert diverging.best_epoch_ == 1 + int(np.argmin(scores[:6])) < 6
    judged = log_loss(Y_VAL, diverging.predict_proba(X_VAL))
    assert judged == pytest.approx(diverging.validation_score_, rel=1e-6)
    assert diverging.threshold_curve_ is not None


def test_members_in_two_threads_go_back_to_the_last_good_epoch(monkeypatch):
    monkeypatch.setattr(_parts, "_WORTH_DIVIDING", 0)
    settings = {
        "model": "ensemble",
        "model__n_members": 4,
        "model__hidden_layer_sizes": (8,),
        "early_stopping": False,
        "optimizer": "adam",
    }
    rate = breaking(4 * STEPS + 2, 1e38)
    model = clf(**settings, **rate)
    with pytest.raises(DivergenceError, match="epoch 5"):
        fit(model)
    assert_same(model, fit(clf(**settings, **rate, epochs=4)))


def test_a_diverging_partial_fit_leaves_network_and_optimizer():
    for first in ("fit", "partial_fit"):
        twin, model = (
            getattr(clf(optimizer="adam", class_weight=None, **PLAIN), first)(X, Y) for _ in "ab"
        )
        assert model.stopped_by_ is None
        model.model_.optimizer.learning_rate = 1e38
        with pytest.raises(DivergenceError, match="as it was"):
            model.partial_fit(X, Y)
        model.model_.optimizer.learning_rate = 1e-3
        assert model.stopped_by_ is None
        for _ in range(2):
            model.partial_fit(X, Y)
            twin.partial_fit(X, Y)
        assert_same(model, twin)


@pytest.mark.parametrize("way", WAYS)
def test_training_goes_on_after_a_divergence(way):
    def rectified(meta):  # whose gradients become NaN with the weights, and Adam's moments too
        return keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)]
        )

    rate = breaking(2 * STEPS + 1)
    model = clf(**WAYS[way], model=rectified, optimizer="adam", warm_start=True, **rate)
    with pytest.raises(DivergenceError):
        fit(model)
    before = model.predict_proba(X)
    model.model_.optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.01, 9, 0.9)
    fit(model)
    assert model.stopped_by_ is None
    after = model.predict_proba(X)
    assert np.isfinite(after).all()
    assert not (after == before).all()


def test_a_callback_that_breaks_the_network_leaves_nothing_to_keep():
    def spoil(epoch, logs):
        kernel = model.model_.trainable_variables[0]
        kernel.assign(np.full(kernel.shape, np.nan))

    model = clf(**PLAIN)
    with pytest.raises(DivergenceError, match="as it was"):
        fit(model, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=spoil)])
    assert not hasattr(model, "model_")


def test_a_diverging_fold_leaves_the_estimator_as_it_was():
    model = clf(threshold="auto", threshold_cv=3, **breaking(2 * STEPS + 1))
    with pytest.raises(DivergenceError, match="as it was") as raised:
        model.fit(X, Y)
    assert raised.value.kept_epoch is None
    assert not hasattr(model, "model_")


def test_divergence_before_deferred_weights_have_come_leaves_the_estimator_as_it_was():
    for step, kept in ((3 * STEPS, False), (6 * STEPS, True)):
        model = clf(loss="ldam", loss__deferral=0.5, **PLAIN, **breaking(step))
        with pytest.raises(DivergenceError, match="are kept" if kept else "as it was"):
            fit(model)
        assert hasattr(model, "model_") is kept


def test_what_cannot_be_settled_leaves_the_estimator_as_it_was():
    def never(tp, fp, fn, tn):
        raise RuntimeError("no such objective")

    model = clf(threshold="auto", threshold_objective=never, **breaking(4 * STEPS + 1))
    with pytest.raises(DivergenceError, match="as it was") as raised:
        fit(model)
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert not hasattr(model, "model_")


def test_a_search_passes_over_candidates_that_diverge():
    rates = [breaking(10**6), breaking(2 * STEPS + 1)]
    grid = {"optimizer__learning_rate": [rate["optimizer__learning_rate"] for rate in rates]}
    with (
        pytest.warns(FitFailedWarning, match="DivergenceError"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search = GridSearchCV(clf(**PLAIN, epochs=4), grid, scoring="neg_log_loss", cv=2).fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_the_error_survives_the_way_between_processes():
    error = DivergenceError(3, float("nan"), 0.5, 2)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.epoch, again.kept_epoch, again.learning_rate) == (3, 2, 0.5)


# ---------------------------------------------------------------------- Ctrl-C


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C as an interpreter starts with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def pressing(epoch, times=1, hook="on_epoch_end"):
    """A callback during which Ctrl-C is pressed, in an epoch counted from 1."""

    def press(at, logs=None):
        for _ in range(times if at == epoch - 1 else 0):
            signal.raise_signal(signal.SIGINT)

    return keras.callbacks.LambdaCallback(**{hook: press})


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_keeps_the_epochs_that_were_run(way):
    model = clf(**WAYS[way], threshold="auto" if "scored" in way else None)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[pressing(5)])
    assert model.stopped_by_ == "interrupt"
    assert model.n_iter_ == len(model.history_["loss"]) == 5
    assert_same(model, fit(clone_of(model, epochs=5), callbacks=[pressing(9)]))


def clone_of(model, **parameters):
    return WeightedKerasClassifier(**{**model.get_params(deep=False), **parameters})


def test_ctrl_c_within_an_epoch_of_keras_goes_back_to_its_start():
    batches = []

    def press(batch, logs=None):
        batches.append(batch)
        if len(batches) == 4 * STEPS + 2:
            signal.raise_signal(signal.SIGINT)

    model = clf(**PLAIN)
    listener = keras.callbacks.LambdaCallback(on_train_batch_end=press)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[listener])
    assert len(batches) == 4 * STEPS + 2
    assert_same(
        model,
        fit(
            clf(**PLAIN, epochs=4),
            callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)],
        ),
    )


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c_before_the_first_epoch_is_complete_leaves_the_estimator_as_it_was(way):
    model = clf(**WAYS[way])
    for callback in (pressing(1, hook="on_epoch_begin"), pressing(3, times=2)):
        if "Keras" in way and callback.on_epoch_begin.__name__ != "press":
            continue
        with pytest.raises(KeyboardInterrupt):
            fit(model, callbacks=[callback])
        assert not hasattr(model, "model_")


def test_ctrl_c_while_what_was_run_is_settled_leaves_the_estimator_as_it_was(monkeypatch):
    model = fit(clf(threshold="auto"))
    before = vars(model).copy()
    choose = WeightedKerasClassifier._choose_threshold

    def press(self, judged):
        signal.raise_signal(signal.SIGINT)
        choose(self, judged)

    monkeypatch.setattr(WeightedKerasClassifier, "_choose_threshold", press)
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[pressing(4)])
    assert all(vars(model)[name] is value for name, value in before.items() if name[-1] == "_")


def press_in_calls(monkeypatch, *numbers):
    """Press Ctrl-C while the compiled training runs, in calls counted from 1."""
    calls = []
    run = CompiledTraining.run

    def pressed(self, orders):
        calls.append(len(orders))
        if len(calls) in numbers:
            signal.raise_signal(signal.SIGINT)
        return run(self, orders)

    monkeypatch.setattr(CompiledTraining, "run", pressed)
    return calls


@pytest.mark.parametrize("parts", [1, 2])
def test_ctrl_c_while_several_epochs_run_in_one_call(monkeypatch, parts):
    from wbce.training import _epochs

    settings = {
        "model": "ensemble",
        "model__n_members": 4,
        "model__hidden_layer_sizes": (8,),
        "early_stopping": False,
    }
    monkeypatch.setattr(_parts, "_WORTH_DIVIDING", 0 if parts == 2 else 2**62)
    monkeypatch.setattr(_epochs, "_ROW_NUMBERS_AT_ONCE", 3 * 4 * len(X))
    model = clf(**settings)
    with monkeypatch.context() as patch:
        calls = press_in_calls(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            fit(model)
    assert calls == [3, 3]
    assert_same(model, fit(clf(**settings, epochs=6)))


def test_ctrl_c_in_partial_fit_leaves_the_estimator_as_it_was(monkeypatch):
    model, twin = (clf(class_weight=None, **PLAIN).partial_fit(X, Y) for _ in "ab")
    with monkeypatch.context() as patch:
        press_in_calls(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(X, Y)
    assert_same(model.partial_fit(X, Y), twin.partial_fit(X, Y))


def test_ctrl_c_while_folds_are_trained_leaves_the_estimator_as_it_was(monkeypatch):
    model = clf(threshold="auto", threshold_cv=3)
    calls = press_in_calls(monkeypatch, 12)  # in the second fold
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert len(calls) == 12
    assert not hasattr(model, "model_")


def test_ctrl_c_stops_a_search(monkeypatch):
    calls = press_in_calls(monkeypatch, 2)
    search = GridSearchCV(clf(**SCORED), {"pos_weight": [1, 2, 3]}, cv=2, scoring="roc_auc")
    with pytest.raises(KeyboardInterrupt):
        search.set_params(estimator__class_weight=None).fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    assert len(calls) == 2


@pytest.mark.parametrize("way", WAYS)
def test_a_callback_may_raise_it_too(way):
    def stop(epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    model = clf(**WAYS[way])
    with pytest.raises(KeyboardInterrupt):
        fit(model, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=stop)])
    assert_same(model, fit(clone_of(model, epochs=4), callbacks=[pressing(9)]))


def test_ctrl_c_is_heard_while_two_threads_train(monkeypatch):
    run = _parts.Parts.run

    def pressed(self, train):
        def press_and_train(part):
            if part == 1:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            return train(part)

        return run(self, press_and_train)

    settings = {"model": "ensemble", "model__n_members": 4, "model__hidden_layer_sizes": (8,)}
    monkeypatch.setattr(_parts, "_WORTH_DIVIDING", 0)
    model = clf(**settings)
    with monkeypatch.context() as patch:
        patch.setattr(_parts.Parts, "run", pressed)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y)
    assert (model.n_iter_, model.stopped_by_) == (1, "interrupt")
    assert_same(model, clf(**settings, epochs=1).fit(X, Y))


def test_a_handler_of_the_users_is_left_alone():
    heard = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    model = fit(clf(**PLAIN), callbacks=[pressing(2)])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [signal.SIGINT]
    assert (model.n_iter_, model.stopped_by_) == (8, None)


def test_ctrl_c_from_outside(tmp_path):
    script = textwrap.dedent(
        """
        import sys
        import numpy as np
        from wbce import WeightedKerasClassifier
        from wbce.training._compiled import CompiledTraining

        run, calls = CompiledTraining.run, []

        def told(self, orders):
            losses = run(self, orders)
            calls.append(len(orders))
            if len(calls) == 2:
                print("training", flush=True)
            return losses

        CompiledTraining.run = told
        X = np.random.default_rng(0).normal(size=(60, 3))
        y = (X[:, 0] > 0.5).astype(int)
        model = WeightedKerasClassifier(
            "linear", early_stopping=False, epochs=10**8, random_state=0
        )
        try:
            model.fit(X, y)
        except KeyboardInterrupt:
            assert model.n_iter_ == sum(calls) == len(model.history_["loss"]) < 10**8
            assert np.isfinite(model.predict_proba(X)).all()
            print(model.stopped_by_)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == "training\n"
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=100)
    assert (said, process.returncode) == ("interrupt\n", 0), errors


def test_large_statistics_are_no_divergence(abalone):
    """A column's variance may be beyond what float32 can square."""
    X, y = abalone

    def build(meta):
        layers = [keras.Input((X.shape[1],)), keras.layers.BatchNormalization()]
        return keras.Sequential([*layers, keras.layers.Dense(1)])

    model = WeightedKerasClassifier(build, epochs=2, early_stopping=False, random_state=0)
    assert model.fit(X * 1e11, y).stopped_by_ is None
    assert np.isfinite(model.predict_proba(X * 1e11)).all()
