"""Searches on threads, processes and clusters: the scores of the serial search, and clear ends."""

import multiprocessing
import os
import pickle
import re
import signal
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV

from wbce import WeightedKerasClassifier
from wbce._cores import n_threads

PAGE = Path(__file__).parents[1] / "docs" / "searching.md"
GRID = {"pos_weight": [1, 9]}


def clf(**parameters):
    defaults = {"model": "mlp", "epochs": 3, "early_stopping": False, "random_state": 0}
    return WeightedKerasClassifier(**{**defaults, **parameters})


def grid(estimator=None, scoring="average_precision", **options):
    return GridSearchCV(estimator or clf(), GRID, scoring=scoring, cv=2, refit=False, **options)


def scores(search):
    results = search.cv_results_
    return np.array([results[name] for name in sorted(results) if name.endswith("test_score")])


@pytest.fixture(scope="module")
def serial(abalone):
    return scores(grid().fit(*abalone))


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as workers,
        distributed.Client(workers) as client,
    ):
        yield client


def recipe(heading, number=0, **names):
    """Run a block of the page, and return what it defines."""
    chapter = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    block = re.findall(r"```python\n(.*?)```", chapter, re.DOTALL)[number]
    exec(compile(block, PAGE, "exec"), names)
    return names


def killed(estimator, X, y):
    """A scorer that takes its process along."""
    assert multiprocessing.parent_process() is not None, "in a worker only"
    os.kill(os.getpid(), signal.SIGKILL)


# ------------------------------------------------------------------ threads and processes


@pytest.mark.parametrize(("backend", "n_jobs"), [("threading", 2), ("threading", -1), ("loky", 2)])
def test_the_scores_of_the_serial_search_also_the_second_time(abalone, serial, backend, n_jobs):
    with joblib.parallel_config(backend, n_jobs=n_jobs):
        first, second = grid().fit(*abalone), grid().fit(*abalone)
    assert np.array_equal(scores(first), serial)
    assert np.array_equal(scores(second), serial)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_other_searches(abalone, backend):
    options = {"cv": 2, "scoring": "average_precision", "random_state": 0}
    searches = [
        lambda: RandomizedSearchCV(clf(), {"pos_weight": [1, 4, 9]}, n_iter=2, **options),
        lambda: HalvingGridSearchCV(clf(), GRID, min_resources=300, **options),
    ]
    for search in searches:
        here = search().fit(*abalone)
        with joblib.parallel_config(backend, n_jobs=2):
            there = search().fit(*abalone)
        assert np.array_equal(scores(here), scores(there))
        assert np.array_equal(here.predict_proba(abalone[0]), there.predict_proba(abalone[0]))


def test_folds_of_a_threshold_within_a_search(abalone):
    search = grid(clf(threshold="auto", threshold_cv=2, early_stopping=True))
    expected = scores(search.fit(*abalone))
    with joblib.parallel_config("threading", n_jobs=2):
        assert np.array_equal(scores(search.fit(*abalone)), expected)


def test_parts_of_an_ensemble_stay_in_the_thread_of_a_worker(abalone, monkeypatch):
    X, y = (np.concatenate([rows, rows]) for rows in abalone)  # enough to be divided
    search = grid(clf(model=None, epochs=1))
    used = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, *arguments):
            used.append(self)
            super().__init__(*arguments)

    monkeypatch.setattr("wbce.training._parts.ThreadPoolExecutor", Pool)
    monkeypatch.setattr("wbce._cores.cpu_count", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    expected = scores(search.fit(X, y))
    assert len(used) == 4  # fits
    with joblib.parallel_config("threading", n_jobs=2):
        assert np.array_equal(scores(search.fit(X, y)), expected)
    assert len(used) == 4


def test_searches_side_by_side_in_a_thread_pool(abalone, serial):
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(grid(n_jobs=n).fit, *abalone) for n in (None, 2)]
    assert all(np.array_equal(scores(future.result()), serial) for future in futures)


def test_a_worker_has_one_thread_where_others_have_the_rest(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert n_threads() == joblib.cpu_count()
    for backend in "threading", "loky":
        with joblib.parallel_config(backend, n_jobs=joblib.cpu_count() + 1):
            assert joblib.Parallel()(joblib.delayed(n_threads)() for _ in range(2)) == [1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert n_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")  # OpenMP's form for nested regions
    assert n_threads() == joblib.cpu_count()


# ------------------------------------------------------------------ what breaks


def test_a_killed_process_is_an_error_and_the_next_search_works(abalone, serial):
    estimator = clf()
    with joblib.parallel_config("loky", n_jobs=2):
        with pytest.raises(TerminatedWorkerError, match="terminated"):
            grid(estimator, scoring=killed).fit(*abalone)
        assert not hasattr(estimator, "model_")
        assert np.array_equal(scores(grid(estimator).fit(*abalone)), serial)


def test_callables_of_a_search(abalone):
    with joblib.parallel_config("loky", n_jobs=2):
        assert np.all(scores(grid(scoring=lambda clf, X, y: 0.5).fit(*abalone))[0] == 0.5)
        lock = threading.Lock()
        with pytest.raises(pickle.PicklingError, match="Could not pickle the task"):
            grid(scoring=lambda clf, X, y: lock.locked()).fit(*abalone)


# ------------------------------------------------------------------ clusters


def test_dasks_recipe(abalone, serial):
    pytest.importorskip("distributed")
    X, y = abalone
    search = grid()
    recipe("Dask", search=search, X=X, y=y)
    assert np.array_equal(scores(search), serial)
    with pytest.raises(ValueError, match="first create a Dask Client"):
        joblib.parallel_config("dask")


@pytest.mark.slow
def test_a_killed_dask_worker_is_an_error_and_the_next_search_works(abalone, serial, cluster):
    from distributed import KilledWorker

    estimator = clf()
    with (
        joblib.parallel_config("dask", scatter=list(abalone)),
        pytest.raises((CancelledError, KilledWorker)),
    ):
        grid(estimator, scoring=killed).fit(*abalone)
    assert not hasattr(estimator, "model_")
    cluster.restart()
    with joblib.parallel_config("dask", scatter=list(abalone)):
        assert np.array_equal(scores(grid(estimator).fit(*abalone)), serial)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_rays_recipe(abalone, serial):
    pytest.importorskip("ray")
    search = grid()
    recipe("Ray", search=search, X=abalone[0], y=abalone[1])
    assert np.array_equal(scores(search), serial)


# ------------------------------------------------------------------ Optuna


@pytest.fixture
def quiet_optuna():
    optuna = pytest.importorskip("optuna")
    pytest.importorskip("optuna_integration")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield optuna
    optuna.logging.set_verbosity(optuna.logging.INFO)


def test_optunas_study_prunes_by_epoch(abalone, quiet_optuna):
    study = recipe("Optuna", 0, X=abalone[0], y=abalone[1])["study"]
    states = [trial.state.name for trial in study.trials]
    assert "PRUNED" in states
    for trial in study.trials:
        if trial.state.name == "COMPLETE":
            assert trial.value == min(trial.intermediate_values.values())


@pytest.mark.filterwarnings("ignore")  # Optuna's own
def test_optunas_search_prunes_by_epoch(abalone, quiet_optuna):
    search = recipe("Optuna", 1, X=abalone[0], y=abalone[1])["optuna_search"]
    assert search.best_estimator_.threshold_ == 0.3
    assert search.best_estimator_.pos_weight_ == pytest.approx(
        search.study_.best_params["pos_weight"]
    )
    assert {len(trial.intermediate_values) for trial in search.study_.trials} <= set(range(1, 9))
    search.estimator.set_params(threshold="auto")
    with pytest.raises(ValueError, match='threshold="auto" is chosen on validation rows'):
        search.fit(*abalone)
