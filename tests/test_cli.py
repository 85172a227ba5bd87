import subprocess
import sys

import numpy as np
import pytest

from wbce.cli import main
from wbce.demo import imbalanced_digits


def run(*arguments, timeout=120):
    return subprocess.run(
        [sys.executable, "-m", "wbce", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_the_digits_are_one_in_twenty_and_real():
    X, y = imbalanced_digits()
    assert X.shape[1] == 64
    assert y.mean() == pytest.approx(1 / 20, rel=0.01)
    assert set(np.unique(X)) <= set(range(17))


@pytest.mark.slow
def test_the_demonstration(tmp_path):
    out = run("demo", "--save", str(tmp_path / "pipeline.joblib"))
    assert out.returncode == 0
    assert out.stderr == ""  # none of TensorFlow's messages
    parts = "1 in 20", "at 0.5", "at the tuned", "average precision", "ROC AUC", "log loss"
    for part in (*parts, "wbce fit data.csv"):
        assert part in out.stdout
    assert "the same, bit for bit" in out.stdout
    assert (tmp_path / "pipeline.joblib").stat().st_size > 10_000


def test_help_does_not_start_tensorflow():
    script = (
        "import sys\n"
        "from wbce.cli import main\n"
        "import wbce, wbce.weights, wbce.validation\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert out.returncode == 0, out.stderr
    assert "demo" in out.stdout


@pytest.mark.parametrize("arguments", [[], ["dmeo"], ["demo", "--seve", "x"]])
def test_wrong_usage_is_an_error(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert "usage: wbce" in capsys.readouterr().err


@pytest.mark.parametrize("level", [None, "3"])
def test_importing_is_quiet_and_keeps_the_environment(level, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    if level is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    script = (
        "import os\n"
        "before = dict(os.environ)\n"
        "from wbce import WeightedKerasClassifier\n"
        "import keras, numpy as np\n"
        "WeightedKerasClassifier(epochs=1).fit(np.eye(8), [0, 1] * 4)\n"
        "changed = {k for k in {*before, *os.environ} if before.get(k) != os.environ.get(k)}\n"
        "assert not {k for k in changed if k.startswith('TF_')}, changed\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert out.returncode == 0, out.stderr
    assert out.stderr == ""
