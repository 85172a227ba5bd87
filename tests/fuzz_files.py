"""Changed files, loaded one after the other: each is refused, or it predicts.

    python tests/fuzz_files.py --minutes 15 --keep findings

Files are changed in their bytes and in what they say, beginning with those in ``tests/golden`` and
a few of other kinds. One that reaches lines of the package that none before it did is changed
further. Prints what became of them, and ends with an error if any ended otherwise than allowed:
with another exception, a crash, more than 20 seconds or 3 GiB, or NaN for a probability. Those
files are kept.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import faulthandler
import io
import json
import multiprocessing
import pickle
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

import wbce
from wbce._archive import read_archive, write_archive
from wbce._storable import kinds_by_name
from wbce.persistence._codec import _DECODERS
from wbce.persistence._keras_config import _PLAIN, _built

GOLDEN = Path(__file__).parent / "golden"
SECONDS_A_FILE = 20
_MEMORY = 3 * 2**30
_SECONDS_A_PROCESS = 150  # TensorFlow keeps what it has traced
_PACKAGE = str(Path(wbce.__file__).parent)


class Finding(Exception):
    """A file that ended otherwise than is allowed."""


class TooSlow(BaseException):
    """More than a file may take."""


# ---------------------------------------------------------------------- what becomes of a file


def outcome(path, everything=True):
    """Load a file, and use the estimator if there is one.

    Returns
    -------
    str
        What became of it.

    Raises
    ------
    Finding
        If that is not allowed.
    """
    try:
        estimator = wbce.load(path)
    except wbce.ArchiveError as error:
        if isinstance(error.__cause__, NameError | MemoryError | AssertionError | SystemError):
            raise Finding(f"refused for the wrong reason: {error.__cause__!r}") from error
        return "refused"
    if not estimator._has_network():
        return _used(estimator, "loaded, not fitted")
    said = _predicted(estimator)
    if everything:
        try:
            _ = estimator.model_
        except ValueError as error:
            _check_says_something(error)
            return _used(estimator, "predicts, and says why it cannot be trained")
        said = _predicted(estimator)
    return _used(estimator, said)


def _predicted(estimator):
    rows = _rows_for(estimator)
    try:
        proba = estimator.predict_proba(rows)
        estimator.predict(rows)
    except ValueError as error:
        _check_says_something(error)
        return "says why it cannot predict"
    if not np.isfinite(proba).all() and estimator._posterior is not None:
        raise Finding("NaN for a probability")
    return "predicts"


def _rows_for(estimator):
    shape = (3, *estimator.X_shape_[1:])
    rows = np.random.default_rng(0).normal(size=shape)
    columns = getattr(estimator, "_frame_columns", None)
    if columns is None or not columns.categorical:
        return rows
    import pandas as pd

    frame = pd.DataFrame(rows, columns=columns.names)
    return frame.assign(**{name: "a" for name in columns.categorical})


def _used(estimator, said):
    estimator.get_params()
    repr(estimator)
    pickle.dumps(estimator)
    return said


def _check_says_something(error):
    if len(str(error)) < 20:
        raise Finding(f"{error!r} says nothing") from error


# ---------------------------------------------------------------------- changes of bytes


def changed_bytes(data, rng, others):
    """A file with some of its bytes changed; often so that the archive's checks still hold."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        rng.choice([_flip, _cut, _splice, _repeat, _field, _header])(data, rng, others)
        if not data:
            break
    return _resealed(bytes(data)) if rng.random() < 0.5 else bytes(data)


def _flip(data, rng, others):
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(data, rng, others):
    start = rng.randrange(len(data))
    length = rng.choice([1, 2, 8, 64, len(data)])
    del data[start : start + length]


def _splice(data, rng, others):
    other = rng.choice(others)
    start, length = rng.randrange(len(other)), rng.choice([1, 8, 100, 2000])
    place = rng.randrange(len(data))
    data[place : place + length] = other[start : start + length]


def _repeat(data, rng, others):
    start, length = rng.randrange(len(data)), rng.choice([1, 8, 100, 2000])
    data[start:start] = data[start : start + length]


def _field(data, rng, others):
    """A number of the archive's own."""
    marks = [m.start() for m in re.finditer(rb"PK(\x01\x02|\x03\x04|\x05\x06)", data)]
    if marks:
        place, width = rng.choice(marks) + rng.randrange(4, 46), rng.choice([2, 4])
        number = rng.choice([0, 1, 2**16 - 1, 2**31, 2**32 - 1, rng.getrandbits(32)])
        data[place : place + width] = struct.pack("<I", number)[:width]


def _header(data, rng, others):
    """A word in the header of an array."""
    marks = [m.start() for m in re.finditer(rb"\x93NUMPY", data)]
    if marks:
        start = rng.choice(marks)
        head = bytes(data[start : start + 128])
        word = rng.choice([*re.findall(rb"\d+|<f\d|<i\d|True|False|\(|\)|,", head), b"{"])
        to = rng.choice([b"0", b"-1", b"9" * 30, b"<f2", b"|O", b"<U9", b"True", b"(", b"", b"1L"])
        data[start : start + 128] = head.replace(word, to, 1).ljust(128)[:128]


def _resealed(data):
    """The same parts in an archive whose checksums and sizes are right."""
    sealed = io.BytesIO()
    marks = [m.start() for m in re.finditer(rb"PK\x03\x04", data)]
    with contextlib.suppress(struct.error), zipfile.ZipFile(sealed, "w") as archive:
        for i, start in enumerate(marks):
            end = marks[i + 1] if i + 1 < len(marks) else data.find(b"PK\x01\x02", start)
            n_name, n_extra = struct.unpack_from("<HH", data, start + 26)
            name = "document.json" if not i else f"arrays/{i - 1}.npy"
            archive.writestr(name, data[start + 30 + n_name + n_extra : end if end > 0 else None])
    return sealed.getvalue()


# ---------------------------------------------------------------------- changes of what it says


def _words():
    kinds = [*kinds_by_name, *_DECODERS, "array", "number"]
    classes = [name for names in _built().values() for name in names]
    plain = ["Lambda", "TFSMLayer", "function", "__lambda__", "__typespec__", *_PLAIN]
    modules = [*_built(), "builtins", "os", "wbce.networks._inputs"]
    dtypes = ["<f8", "<f4", "|O", "<U5", "<U99999999", "|V9", "float16", "int8", "string", "i4,i4"]
    keys = ["$", "state", "items", "config", "class_name", "registered_name", "model_", "chain"]
    said = ["softmax", "linear", "relu", "auto", "exact", "f1", "nan", "inf", "-inf", "", "\ud800"]
    registered = ["wbce>InputColumns", "wbce>Focal", "wbce>MemberDense", "Custom>None"]
    return [kinds, classes, plain, modules, dtypes, keys, said, registered]


WORDS = _words()
NUMBERS = [0, 1, -1, 2, 3, 7, 64, 625, 1000, 2**16, 2**20, 2**31, 2**63, 10**30, 10**400]
REALS = [0.0, -0.0, 0.5, 1.0, -1.0, 1e-300, 1e300, -1e38, 3.4e38, 0.1]


def odd_value(rng):
    """Any value that JSON can say, and the package reads in its own way."""
    word = rng.choice(rng.choice(WORDS))
    return rng.choice(
        [
            None,
            rng.random() < 0.5,
            rng.choice(NUMBERS),
            rng.choice(REALS),
            word,
            [],
            {},
            [[]],
            [rng.choice(NUMBERS)] * rng.choice([1, 3, 100]),
            {"$": word},
            {"$": "number", "text": rng.choice(["nan", "inf", "-inf"])},
            {"$": "tuple", "items": [word, rng.choice(NUMBERS)]},
            {"$": "array", "at": rng.randrange(30)},
            {"$": "zeros", "dtype": "<f8", "shape": [rng.choice(NUMBERS), 3]},
            {"$": "items", "dtype": "<U5", "shape": [2], "items": ["a", word]},
            {"$": "dtype", "name": rng.choice(WORDS[4])},
            {"$": "class", "name": f"{rng.choice(WORDS[3])}.{rng.choice(WORDS[1])}"},
            {"$": "scalar", "dtype": rng.choice(WORDS[4]), "value": rng.choice(NUMBERS)},
            {"$": "keras", "config": _odd_object(rng)},
            {"$": "missing function", "name": word, "module": "m", "registered": word},
            _odd_object(rng),
        ]
    )


def _odd_object(rng):
    module = rng.choice(list(_built()))
    names = sorted(_built()[module])
    return {
        "module": module,
        "class_name": rng.choice(names),
        "config": {},
        "registered_name": None,
    }


def _places(data):
    """Every list and dict, with each of its keys."""
    level = [data]
    while level:
        held = level.pop()
        keys = list(held) if isinstance(held, dict) else range(len(held))
        for key in keys:
            yield held, key
            if isinstance(held[key], list | dict):
                level.append(held[key])


def _place(document, rng):
    """A place: of all, or, so that few words are found beside many, by going down from the top."""
    if rng.random() < 0.5:
        return rng.choice(list(_places(document)))
    held = document.get("attributes", document)
    held = held if isinstance(held, dict) and held else document
    while True:
        key = rng.choice(list(held) if isinstance(held, dict) else range(len(held)))
        inner = held[key]
        if not isinstance(inner, list | dict) or not inner or rng.random() < 0.15:
            return held, key
        held = inner


def changed_document(document, rng, others):
    """A document with one thing changed."""
    if not isinstance(document, dict) or not document:
        return document
    held, key = _place(document, rng)
    value = held[key]
    change = rng.randrange(9)
    if change == 0:
        held[key] = odd_value(rng)
    elif change == 1:
        del held[key]
    elif change == 2 and isinstance(held, list):
        held.insert(key, copy.deepcopy(value))
    elif change == 3:
        there, its = _place(document, rng)
        moved = copy.deepcopy(there[its])
        held[key] = moved
    elif change == 4:
        there, its = _place(copy.deepcopy(rng.choice(others)), rng)
        held[key] = there[its]
    elif change == 5 and isinstance(held, dict):
        held[rng.choice([*held, *rng.choice(WORDS)])] = value
    elif change == 6:
        held[key] = [value] if rng.random() < 0.5 else {"$": "tuple", "items": [value]}
    elif isinstance(value, bool) or value is None:
        held[key] = not value
    elif isinstance(value, int):
        held[key] = value + rng.choice([-1, 1, *NUMBERS])
    elif isinstance(value, float):
        held[key] = rng.choice(REALS) * (value or 1.0)
    elif isinstance(value, str):
        held[key] = rng.choice(next((w for w in WORDS if value in w), rng.choice(WORDS)))
    return document


def changed_arrays(arrays, rng):
    """Arrays, one of them changed."""
    if not arrays:
        return arrays
    i = rng.randrange(len(arrays))
    array = arrays[i]
    change = rng.randrange(7)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if change == 0 and array.size:
            array = array.copy()
            array.flat[rng.randrange(array.size)] = rng.choice(
                [0, 1] if array.dtype.kind in "biu" else [np.nan, np.inf, -1.0, 0.0, 1e30, 3e38]
            )
        elif change == 1:
            array = array.astype(rng.choice(["<f8", "<f4", "<i8", "|u1", "|b1", "<f2"]))
        elif change == 2:
            array = array.reshape(rng.choice([(-1,), (1, *array.shape), (*array.shape, 1)]))
        elif change == 3:
            array = array[:0] if array.ndim else array
        elif change == 4 and array.ndim:
            array = np.concatenate([array, array])
        elif change == 5:
            array = array.T
        elif change == 6:
            array = arrays[rng.randrange(len(arrays))]
    return [*arrays[:i], array, *arrays[i + 1 :]]


def changed_file(path, rng, corpus, to):
    """Write a changed file; True if it is changed in what it says, and can be changed further."""
    if rng.random() < 0.2:
        others = [other.read_bytes() for other in rng.sample(corpus, min(2, len(corpus)))]
        to.write_bytes(changed_bytes(path.read_bytes(), rng, others))
        return False
    document, arrays = read_archive(path)
    others = [read_archive(rng.choice(corpus))[0]]
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        if rng.random() < 0.25:
            arrays = changed_arrays(arrays, rng)
        else:
            document = changed_document(document, rng, others)
    try:
        write_archive(to, document, arrays)
    except (ValueError, RecursionError):
        return False
    return True


# ---------------------------------------------------------------------- which lines were reached


class Arcs:
    """Which line of the package came after which."""

    def __init__(self):
        self.seen = set()

    def __enter__(self):
        sys.settrace(self._of_call)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def _of_call(self, frame, event, arg):
        name = frame.f_code.co_filename
        if not name.startswith(_PACKAGE):
            return None
        before = 0

        def of_line(frame, event, arg):
            nonlocal before
            if event == "line":
                self.seen.add((name, before, frame.f_lineno))
                before = frame.f_lineno
            return of_line

        return of_line

    def lines(self):
        """Lines that were reached."""
        return {(name, line) for name, _, line in self.seen}


# ---------------------------------------------------------------------- the loop


@contextlib.contextmanager
def within(seconds):
    """Interrupt what takes longer."""

    def interrupt(*_):
        raise TooSlow

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def tried(path, everything=True, arcs=None):
    """What became of a file, or ``Finding`` with what it was."""
    try:
        with warnings.catch_warnings(), within(SECONDS_A_FILE), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            with arcs or contextlib.nullcontext():
                return outcome(path, everything)
    except Finding:
        raise
    except TooSlow as error:
        raise Finding(f"more than {SECONDS_A_FILE} seconds") from error
    except Exception as error:
        raise Finding(f"{type(error).__name__}: {error}") from error


def _run(seed, seconds, folder):
    """Try changed files for some time, and note what became of them."""
    faulthandler.enable()
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + _MEMORY, in_use + _MEMORY))
    rng, arcs, current = random.Random(seed), Arcs(), folder / "current.wbce"
    note = json.loads((folder / "note.json").read_text())
    arcs.seen = {tuple(arc) for arc in note["arcs"]}
    ended, kept = Counter(note["ended"]), note["kept"]
    corpus = sorted(folder.glob("corpus/*.wbce"))
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        path = rng.choice(corpus[-40:] if rng.random() < 0.5 else corpus)
        may_go_on = changed_file(path, rng, corpus, current)
        n_arcs = len(arcs.seen)
        try:
            ended[tried(current, rng.random() < 0.3, arcs)] += 1
        except Finding as finding:
            ended["not allowed"] += 1
            kept += 1
            shutil.copy(current, folder / f"finding_{kept}.wbce")
            (folder / f"finding_{kept}.txt").write_text(
                "".join(traceback.format_exception(finding))
            )
            print(f"finding_{kept}: {str(finding)[:300]}", flush=True)
        if may_go_on and len(arcs.seen) > n_arcs and current.stat().st_size < 10**5:
            corpus.append(folder / "corpus" / f"{len(corpus):05}.wbce")
            shutil.copy(current, corpus[-1])
        if sum(ended.values()) % 20 == 0:
            _note(folder, arcs, ended, kept)
    _note(folder, arcs, ended, kept)


def _note(folder, arcs, ended, kept):
    note = {"arcs": sorted(arcs.seen), "ended": ended, "kept": kept}
    new = folder / "note.json.new"
    new.write_text(json.dumps(note))
    new.replace(folder / "note.json")


def fuzz(folder, minutes, seed=0):
    """Try changed files in processes of their own; return what became of them."""
    _note(folder, Arcs(), {}, 0)
    start, spawn = time.monotonic(), multiprocessing.get_context("spawn")
    while (left := minutes * 60 - (time.monotonic() - start)) > 0:
        seconds = min(left, _SECONDS_A_PROCESS)
        process = spawn.Process(target=_run, args=(seed, seconds, folder))
        process.start()
        process.join(seconds + 120 + 2 * SECONDS_A_FILE)
        seed += 1
        if process.exitcode != 0:
            note = json.loads((folder / "note.json").read_text())
            note["kept"] += 1
            note["ended"]["not allowed"] = note["ended"].get("not allowed", 0) + 1
            (folder / "note.json").write_text(json.dumps(note))
            shutil.copy(folder / "current.wbce", folder / f"finding_{note['kept']}.wbce")
            print(f"finding_{note['kept']}: ended with {process.exitcode}", flush=True)
            process.kill()
            process.join()
    return json.loads((folder / "note.json").read_text())


def write_seeds(folder):
    """Golden files of the newest form, and kinds that are not among them."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(GOLDEN.glob("*/*.wbce")):
        shutil.copy(path, folder / f"{path.parent.name}_{path.name}")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] + rng.normal(size=200) > 1).astype(int)
    frame = pd.DataFrame({"x": X[:, 0], "kind": np.where(X[:, 1] > 0, "a", "b")})
    common = {"epochs": 1, "random_state": np.random.RandomState(0), "validation_split": 0.3}
    small = {"model": "mlp", "model__hidden_layer_sizes": (2,), **common}
    several = np.stack([y, X[:, 2] > 0], axis=1).astype(int)
    kinds = {
        "isotonic": ({"loss": "focal", "calibrate": "isotonic", "threshold": "auto"}, X, y),
        "frame": ({"threshold": "auto", "class_weight": "balanced"}, frame, y),
        "keras_loss": ({"loss": "mse", "prior": 0.1}, X, y),
        "labels": ({"threshold": "auto"}, X, several),
        "costs": ({"cost_matrix": [[0.0, 1.0], [9.0, 0.0]]}, X, np.where(y, "yes", "no")),
    }
    for name, (parameters, rows, labels) in kinds.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator = wbce.WeightedKerasClassifier(**{**small, **parameters}).fit(rows, labels)
        estimator.save(folder / f"{name}.wbce")
    wbce.WeightedKerasClassifier(gamma=3.0, model__units=4).save(folder / "not_fitted.wbce")


def table(note):
    """What became of the files, as it is printed."""
    n = sum(note["ended"].values())
    lines = {(name, line) for name, _, line in note["arcs"]}
    shown = [f"{'files':50} {n:9,}"]
    shown += [f"  {said:48} {count:9,}" for said, count in sorted(note["ended"].items())]
    shown += [f"{'lines of wbce that they reached':50} {len(lines):9,}"]
    shown += [f"{'pairs of lines, one after the other':50} {len(note['arcs']):9,}"]
    return "\n".join(shown)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for findings, and for the corpus")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="wbce-fuzz-"))
    folder.mkdir(parents=True, exist_ok=True)
    write_seeds(folder / "corpus")
    note = fuzz(folder, arguments.minutes, arguments.seed)
    print(table(note))
    sys.exit(1 if note["kept"] else 0)


if __name__ == "__main__":
    main()
