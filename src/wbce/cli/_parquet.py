"""Parquet files and folders, as columns of numbers, booleans, dates and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wbce.cli._errors import CommandError
from wbce.cli._table import Table, check_header

_ENDINGS = (".parquet", ".parq", ".pq")


def read_parquet(content: bytes | str, source: str) -> Table:
    """Read Parquet.

    Parameters
    ----------
    content : bytes or str
        Of a file; or the path of a folder of files.
    source : str
        Its name, for messages.

    Returns
    -------
    Table
        Whole numbers are pandas' own, which may be missing; decimals are floats, times and
        durations numbers of their unit.

    Raises
    ------
    CommandError
        If it cannot be read.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import dataset, parquet

    try:
        if isinstance(content, str):
            paths = [str(p) for p in sorted(Path(content).rglob("*")) if p.suffix in _ENDINGS]
            if not paths:
                raise CommandError(
                    f"{source!r} is a folder without Parquet files. Pass a CSV or Parquet file, or "
                    "a folder of Parquet files."
                )
            files = dataset.dataset(
                paths, format="parquet", partitioning="hive", partition_base_dir=content
            )
            table = files.to_table()
        else:
            table = parquet.ParquetFile(pa.BufferReader(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise CommandError(
            f"{source!r} cannot be read as Parquet: {str(error).splitlines()[0]}. Pass a CSV or "
            "Parquet file, or a folder of Parquet files of the same columns."
        ) from error
    indices = [name for name in table.column_names if name.startswith("__index_level_")]
    table = table.drop_columns(indices)  # pandas' row names
    check_header(table.column_names, source)
    nullable = {
        pa.int64(): pd.Int64Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    columns, nested = {}, {}
    for name, values in zip(table.column_names, table.columns, strict=True):
        for kind in _plain_types(values.type):
            values = values.cast(kind)
        if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
            nested[name] = str(values.type)
        else:
            columns[name] = values.to_pandas(types_mapper=nullable.get)
    return Table(pd.DataFrame(columns, index=range(table.num_rows)), source, nested)


def _plain_types(kind: Any) -> list[Any]:
    """What to turn a column's values into, one type after the other."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return [kind.value_type, *_plain_types(kind.value_type)]
    if types.is_signed_integer(kind):
        return [pa.int64()]
    if types.is_unsigned_integer(kind):
        return [pa.uint64()]
    if types.is_floating(kind) or types.is_decimal(kind):
        return [pa.float64()]
    if types.is_date(kind):
        return [pa.timestamp("s")]
    if types.is_time(kind) or types.is_duration(kind):
        return [pa.int64(), pa.float64()] if kind.bit_width == 64 else [pa.int32(), pa.float64()]
    if types.is_null(kind) or types.is_large_string(kind):
        return [pa.string()]
    return []
