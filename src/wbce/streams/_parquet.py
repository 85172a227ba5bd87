"""Folders and files of Parquet, by pyarrow."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wbce._errors import BlockError
from wbce.streams._stream import PartedStream, reading

_ROWS_AT_ONCE = 2**14
_BUFFER = 2**16


def is_dataset(X: Any) -> bool:
    """Whether X is a path, or a dataset of pyarrow."""
    dataset = getattr(sys.modules.get("pyarrow.dataset"), "Dataset", None)
    is_path = isinstance(X, os.PathLike) or (isinstance(X, str) and X.strip() != "")
    return is_path or (dataset is not None and isinstance(X, dataset))


class ParquetStream(PartedStream):
    """The row groups of a dataset, as frames.

    Parameters
    ----------
    source : path or pyarrow.dataset.Dataset
    y : str or None
        The column of labels; None for none.
    sample_weight : str, optional
        The column of weights.
    columns : list of str, optional
        All that are read, where they are there.
    """

    read_at_once = 4  # files are often sorted

    def __init__(self, source: Any, y: Any, sample_weight: Any = None, columns: Any = None) -> None:
        self._dataset = _opened(source)
        names = self._dataset.schema.names
        for role, name in (("y", y), ("sample_weight", sample_weight)):
            if name is not None and (not isinstance(name, str) or name not in names):
                raise ValueError(
                    f"{role}={name!r} is no column of the Parquet data: pass the name of one, of "
                    f"{names}."
                )
        self._y, self._weight = y, sample_weight
        self._columns = None if columns is None else [n for n in columns if n in names]
        self._parts = [part for file in self._dataset.get_fragments() for part in self._of(file)]
        if not self._parts:
            raise ValueError(f"X={source!r} has no rows: there is no file that can be read.")
        groups = [getattr(fragment, "row_groups", None) for _, fragment in self._parts]
        if all(groups):  # other formats do not count
            self.n_rows = sum(group.num_rows for some in groups for group in some or ())

    def _of(self, file: Any) -> list[tuple[str, Any]]:
        """A file's row groups."""
        from pyarrow.dataset import get_partition_keys

        name = getattr(file, "path", "") or "the dataset"
        with reading(name):
            expected, found = self._dataset.schema, file.physical_schema
            for field in expected:
                if field.name in found.names and found.field(field.name).type != field.type:
                    raise BlockError(
                        name,
                        f"column {field.name!r} is {found.field(field.name).type} here and "
                        f"{field.type} elsewhere. Write the files with one schema",
                    )
            in_the_path = get_partition_keys(file.partition_expression)
            other = set(found.names) ^ {n for n in expected.names if n not in in_the_path}
            if other:
                raise BlockError(
                    name,
                    f"its columns are not those of the other files: {sorted(other)} are here or "
                    "there alone. Write the files with one schema",
                )
            groups = getattr(file, "row_groups", None)
            if groups is None:
                return [(name, file)]
            return [
                (f"{name}, row group {group.id}", file.subset(row_group_ids=[group.id]))
                for group in groups
                if group.num_rows
            ]

    @property
    def n_parts(self) -> int:
        """How many row groups there are."""
        return len(self._parts)

    def where(self, part: int) -> str:
        """The file and the row group."""
        return self._parts[part][0]

    def read(self, part: int) -> Iterator[tuple[Any, Any, Any]]:
        """Some rows after the other."""
        fragment = self._parts[part][1]
        for frame in self._frames(fragment):
            y, weight = (None if n is None else frame.pop(n) for n in (self._y, self._weight))
            yield frame, frame.index if y is None else y, weight

    def _frames(self, fragment: Any) -> Iterator[Any]:
        from pyarrow.dataset import ParquetFileFormat, get_partition_keys
        from pyarrow.parquet import ParquetFile

        if not isinstance(getattr(fragment, "format", None), ParquetFileFormat):
            batches = fragment.to_batches(
                schema=self._dataset.schema, columns=self._columns, batch_size=_ROWS_AT_ONCE
            )
            yield from (batch.to_pandas() for batch in batches if batch.num_rows)
            return
        # A dataset's own way of reading has whole row groups in memory.
        with fragment.filesystem.open_input_file(fragment.path) as source:
            file = ParquetFile(source, buffer_size=_BUFFER, pre_buffer=False)
            of_the_path = get_partition_keys(fragment.partition_expression)
            names = self._columns or self._dataset.schema.names
            groups = [group.id for group in fragment.row_groups]
            stored = [name for name in names if name not in of_the_path]
            for batch in file.iter_batches(_ROWS_AT_ONCE, groups, stored, use_threads=False):
                frame = batch.to_pandas()
                for name in names:
                    if name in of_the_path:
                        frame[name] = of_the_path[name]
                yield frame[names]


def _opened(source: Any) -> Any:
    if not isinstance(source, str | os.PathLike):
        return source
    try:
        import pandas  # noqa: F401  # rows come as its frames
        import pyarrow.dataset
    except ImportError as error:
        raise ImportError(
            "Parquet is read by pyarrow, and its rows are frames of pandas: pip install "
            "wbce[scale], or pip install pyarrow pandas."
        ) from error
    path = Path(source)
    if not _exists(path):
        raise ValueError(
            f"X={str(source)!r} is no file or folder. Pass the path of Parquet data, or an array."
        )
    with reading(f"X={str(path)!r}"):
        return pyarrow.dataset.dataset(path, format="parquet")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False
