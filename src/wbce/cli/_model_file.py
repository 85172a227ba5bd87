"""A fitted model with what its table was: in a file that runs no code, or in one of joblib."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wbce.cli._columns import Columns
from wbce.cli._errors import CommandError, UsageError
from wbce.cli._reading import check_path
from wbce.cli._target import KINDS, Target

SAFE, PICKLED = ".wbce", ".joblib"
_FORM = 1
_KEY = "command_line"


@dataclass
class FittedModel:
    """What a model file holds.

    Attributes
    ----------
    estimator : WeightedKerasClassifier or Pipeline
    columns : Columns
    target : Target
    """

    estimator: Any
    columns: Columns
    target: Target

    @property
    def classifier(self) -> Any:
        """The classifier, the last step of a Pipeline."""
        return self.estimator[-1] if hasattr(self.estimator, "steps") else self.estimator

    def write(self, path: str) -> None:
        """Write the file, whole or not at all.

        Raises
        ------
        CommandError
            If it cannot be written.
        """
        from wbce._archive import written_whole
        from wbce.files import load
        from wbce.persistence import write_state

        document = {"form": _FORM, "columns": self.columns.document(), "target": vars(self.target)}
        try:
            if path.endswith(PICKLED):
                import joblib

                with written_whole(path) as file:
                    joblib.dump({_KEY: document, "estimator": self.estimator}, file)
            else:
                write_state(path, {**self.estimator.__getstate__(), _KEY: document}, check=load)
        except OSError as error:
            raise CommandError(f"{path!r} cannot be written: {error.strerror or error}.") from error

    @classmethod
    def read(cls, path: str, trust: bool) -> FittedModel:
        """Read a file.

        Raises
        ------
        CommandError
            If it is no model, or it runs code and is not trusted.
        """
        check_path(path, "a model that wbce fit wrote")
        try:
            with open(path, "rb") as file:
                start = file.read(4)
        except OSError as error:
            raise CommandError(f"{path!r} cannot be read: {error.strerror or error}.") from error
        if start[:2] == b"PK":
            return cls._read_safe(path)
        if start[:1] == b"\x80":
            return cls._read_pickled(path, trust)
        raise CommandError(
            f"{path!r} is no model: it begins with {start!r}. Pass a file that wbce fit wrote; the "
            "model comes first, then the data."
        )

    @classmethod
    def _read_safe(cls, path: str) -> FittedModel:
        from wbce._archive import ArchiveError, read_archive
        from wbce.files import load

        try:
            estimator = load(path)
            document = read_archive(path)[0].get(_KEY)
        except ArchiveError as error:
            raise CommandError(str(error)) from error
        if document is None:
            raise CommandError(
                f"{path!r} was saved from Python, and does not say how columns are read. Load it "
                "with wbce.load(path), or fit with wbce fit."
            )
        return cls._made_of(estimator, document, path)

    @classmethod
    def _read_pickled(cls, path: str, trust: bool) -> FittedModel:
        if not trust:
            raise CommandError(
                f"{path!r} is a joblib file, which can run any code when it is loaded. If you know "
                "who wrote it, pass --trust. Models in .wbce files run none."
            )
        import joblib

        try:
            held = joblib.load(path)
        except Exception as error:  # of code and bytes of any kind
            raise CommandError(
                f"{path!r} cannot be loaded ({type(error).__name__}: {error}). It needs the "
                "versions of the libraries that it was written with, skrub among them."
            ) from error
        if not isinstance(held, dict) or _KEY not in held:
            raise CommandError(
                f"{path!r} holds a {type(held).__name__} that wbce fit did not write, and does not "
                "say how columns are read. Use it in Python."
            )
        return cls._made_of(held["estimator"], held[_KEY], path)

    @classmethod
    def _made_of(cls, estimator: Any, document: Any, path: str) -> FittedModel:
        try:
            form = document["form"]
            if type(form) is int and form > _FORM:
                raise CommandError(
                    f"{path!r} was written by a later version of wbce. Upgrade: pip install "
                    "--upgrade wbce"
                )
            columns = Columns.from_document(document["columns"])
            target = Target(document["target"]["name"], document["target"]["kind"])
            if type(target.name) is not str or target.kind not in KINDS:
                raise ValueError("its target is not described")
        except CommandError:
            raise
        except Exception as error:  # of data of any form
            raise CommandError(
                f"{path!r} does not say how columns are read ({error}): it has been changed. Fit "
                "anew, or take another copy."
            ) from error
        return cls(estimator, columns, target)


def check_model_path(path: str, force: bool) -> None:
    """Check that a model can be written, before hours are spent on it.

    Raises
    ------
    UsageError, CommandError
        If its name does not say what it is, it is there already, or its folder is not.
    """
    if not path.endswith((SAFE, PICKLED)):
        raise UsageError(
            f"--out {path} is not allowed: name it {Path(path).stem or 'model'}{SAFE} (a file that "
            f"runs no code when it is loaded) or {Path(path).stem or 'model'}{PICKLED} (a pickle, "
            "which columns of free text need)."
        )
    check_out_path(path, force)


def check_out_path(path: str, force: bool) -> None:
    """Check that a file can be written.

    Raises
    ------
    CommandError
        If it is there already, or its folder is not, or may not be written to.
    """
    file, folder = Path(path), Path(path).resolve().parent
    if file.is_dir():
        raise CommandError(f"--out {path} is a folder. Pass the name of a file.")
    if file.exists() and not force:
        raise CommandError(f"--out {path} exists. Pass --force to replace it, or another name.")
    if not folder.is_dir():
        raise CommandError(f"--out {path}: there is no folder {str(folder)!r}. Make it first.")
    if not os.access(folder, os.W_OK):
        raise CommandError(f"--out {path}: the folder {str(folder)!r} may not be written to.")
