"""Parquet in and out, through pyarrow (the extra 'parquet'): a column for the axis, then one for each spectrum."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshape.errors import ReadError

MEDIA_TYPE = "application/vnd.apache.parquet"
_OTHERS = (b"ARROW:", b"pandas")  # what other programs write there for themselves
MAGIC = b"PAR1"
MOST_CELLS = 3_000_000  # whatever they are packed into
BATCH = 1 << 12  # rows that are unpacked at a time


def is_installed() -> bool:
    """Whether pyarrow is there."""
    return find_spec("pyarrow") is not None


def encode(columns: Mapping[str, NDArray[Any]], entries: Mapping[str, str]) -> bytes:
    """A file with these columns; `entries` become the metadata of its schema."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({name: np.asarray(values) for name, values in columns.items()})
    file = io.BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata(dict(entries)), file)
    return file.getvalue()


def to_csv(content: bytes, name: str) -> bytes:
    """The same table as our own writer's CSV, so that one reader understands both.

    Raises
    ------
    ReadError
        If it is damaged, too large unpacked, or holds anything but numbers.
    """
    import pyarrow.csv
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content))
        _check(file, name)
        text = io.BytesIO()
        with pyarrow.csv.CSVWriter(text, file.schema_arrow) as writer:
            for batch in _batches(file, name):
                writer.write(batch)
    except (pyarrow.ArrowException, OSError) as error:
        raise ReadError(f"{name}: a damaged Parquet file ({type(error).__name__}); write it again") from error
    entries = (file.schema_arrow.metadata or {}).items()
    head = [f"# {_line(key)}: {_line(value)}\n" for key, value in entries if not key.startswith(_OTHERS)]
    return "".join(head).encode() + text.getvalue()


def _check(file: Any, name: str) -> None:  # noqa: ANN401 (pyarrow has no types)
    import pyarrow.types

    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    _check_cells(sum(group.num_rows * group.num_columns for group in groups), name)
    _check_cells(sum(group.column(j).num_values for group in groups for j in range(group.num_columns)), name)
    for field in file.schema_arrow:
        if not (pyarrow.types.is_floating(field.type) or pyarrow.types.is_integer(field.type)):
            raise ReadError(f"{name}: column {field.name!r} holds {field.type}; send numbers")


def _batches(file: Any, name: str) -> Iterator[Any]:  # noqa: ANN401 - as above
    """What is there, counted as it comes: what the file says of itself need not be true."""
    cells = 0
    for batch in file.iter_batches(BATCH):
        cells += batch.num_rows * batch.num_columns
        _check_cells(cells, name)
        yield batch


def _check_cells(cells: int, name: str) -> None:
    if cells > MOST_CELLS:
        raise ReadError(f"{name}: more than {MOST_CELLS} numbers; send fewer spectra a file")


def _line(text: bytes) -> str:
    return " ".join(text.decode("utf-8", "replace").split())
