"""Rows of Dask, on processes of their own."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster

from wbce import BlockError, WeightedKerasClassifier

NAMES = [f"x{i}" for i in range(7)]
IN_ORDER = {"shuffle": False, "early_stopping": False, "validation_split": 0.0}


@pytest.fixture(scope="module")
def rows(float_rows):
    return float_rows


@pytest.fixture(scope="module")
def client():
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "5s"}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def clf(**parameters):
    given = {"model": "mlp", "epochs": 2, "batch_size": 32, "random_state": 0, **parameters}
    return WeightedKerasClassifier(**given)


def collections(kind, X, y):
    frame = pd.DataFrame(X, columns=NAMES).assign(y=y)
    if kind == "array":
        return da.from_array(X, chunks=(200, 3)), da.from_array(y, chunks=150)
    if kind == "array and labels in memory":
        return da.from_array(X, chunks=(200, 7)), y
    parts = dd.from_pandas(frame, npartitions=4, sort=False)
    return (parts, "y") if kind == "frame with labels" else (parts[NAMES], parts["y"])


@pytest.mark.parametrize(
    "kind", ["array", "array and labels in memory", "frame", "frame with labels"]
)
def test_a_fit_is_that_of_the_rows_in_memory(kind, rows):
    X, y = rows
    expected = clf(**IN_ORDER).fit(X, y)
    model = clf(**IN_ORDER).fit(*collections(kind, X, y))
    shown = X if kind.startswith("array") else pd.DataFrame(X, columns=NAMES)
    np.testing.assert_allclose(
        model.predict_proba(shown), expected.predict_proba(X), rtol=1e-3, atol=1e-5
    )


def test_on_a_cluster_blocks_are_computed_and_predicted_by_workers(client, rows):
    X, y = rows
    model = clf(threshold="auto", validation_split=0.2).fit(*collections("array", X, y))
    lazy = {
        name: getattr(model, name)(da.from_array(X, chunks=(200, 7)))
        for name in ("predict", "predict_proba", "predict_log_proba", "decision_function")
    }
    for name, found in lazy.items():
        expected = getattr(model, name)(X)
        assert isinstance(found, da.Array)
        assert found.chunks[0] == (200, 200, 200, 131)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    for name, found in zip(lazy, dask.compute(*lazy.values()), strict=True):
        np.testing.assert_allclose(found, getattr(model, name)(X), rtol=1e-5, atol=1e-6)
    keys = {str(key) for key in dict(lazy["predict_proba"].dask)}
    assert sum("WeightedKerasClassifier" in key for key in keys) == 1  # the network goes once
    frame = pd.DataFrame(X, columns=NAMES)
    of_frames = clf().fit(frame, y)
    parts = dd.from_pandas(frame, npartitions=3, sort=False)
    np.testing.assert_allclose(
        of_frames.predict_proba(parts).compute(), of_frames.predict_proba(frame), rtol=1e-5
    )


def test_a_bad_partition_is_named_and_the_estimator_is_as_it_was(rows):
    X, y = rows
    model = clf().fit(X, y)
    before = dict(vars(model))

    def failing(block, block_info=None):
        if block_info[0]["chunk-location"][0] == 2:
            raise OSError("disk on fire")
        return block

    bad = da.from_array(X, chunks=(200, 7)).map_blocks(failing, meta=X[:0])
    with pytest.raises(BlockError, match=r"(?s)partition 2 of X.*disk on fire"):
        model.fit(bad, y)
    widths = da.concatenate(
        [
            da.from_delayed(dask.delayed(lambda n: np.ones((n, 7)))(300), (300, 7), float),
            da.from_delayed(dask.delayed(lambda n: np.ones((n, 5)))(431), (431, 7), float),
        ]
    )
    with pytest.raises(BlockError, match=r"(?s)partition 1 of X.*\(5,\)"):
        model.fit(widths, y)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.fit(da.from_array(X, chunks=200), y[:-1])
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        model.fit(dd.from_pandas(pd.DataFrame(X), npartitions=2), y)
    with pytest.raises(ValueError, match="no column of X"):
        model.fit(collections("frame", X, y)[0], "label")
    assert vars(model) == before


def test_a_worker_that_is_lost_is_said(client, rows):
    X, y = rows

    def dying(block, block_info=None):
        if block_info[0]["chunk-location"][0] == 1:
            import os

            os._exit(1)
        return block

    bad = da.from_array(X, chunks=(200, 7)).map_blocks(dying, meta=X[:0])
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        pytest.raises(BlockError, match=r"(?s)partition 1 of X.*worker .* was lost"),
    ):
        clf().fit(bad, y)


def test_a_cluster_that_has_gone_is_said(rows):
    X, y = rows
    with LocalCluster(n_workers=1, processes=False, dashboard_address=":0") as cluster:
        client = Client(cluster)
        future = client.scatter(X)
        lazy = da.from_delayed(dask.delayed(lambda a: a)(future), X.shape, X.dtype)
    try:
        with pytest.raises(BlockError, match=r"(?s)partition 0 of X.*cluster has gone"):
            clf().fit(lazy, y)
    finally:
        client.close()
