"""Two files of the same specimens, measured in different modalities, as one file of pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshape.errors import DataError
from lineshape_training.datasets.columns import AXIS, Columns, read_columns


def join(first: Path, second: Path, by: str) -> dict[str, NDArray[np.generic]]:
    """Every specimen that both files have, once, with the columns of both.

    Parameters
    ----------
    first, second : Path
        Files of named columns, each with spectra that the other lacks; where both have a column, the first one's is
        kept.
    by : str
        The column that names the specimen.

    Returns
    -------
    dict of arrays
        For `numpy.savez`: a row for each specimen, by its first row in either file, in the first file's order; axes as
        they were.

    Raises
    ------
    ReadError
        If a file cannot be read.
    DataError
        If either has no such column, they have no specimen in common, or the spectra have the same names.
    """
    tables = [_one_a_specimen(path, by) for path in (first, second)]
    _check_spectra(tables, (first, second))
    left, right = (table[by] for table in tables)
    common = left[np.isin(left, right)]
    if not len(common):
        raise DataError(f"{first} and {second} have no {by} in common; the first begins with {left[0]}, the second "
                        f"with {right[0]}")  # fmt: skip
    joined: dict[str, NDArray[np.generic]] = {}
    for table in reversed(tables):
        place = {name: row for row, name in enumerate(table[by].tolist())}
        rows = np.array([place[name] for name in common.tolist()])
        joined |= {name: values if AXIS in name else values[rows] for name, values in table.items()}
    return joined


def _check_spectra(tables: list[Columns], paths: tuple[Path, Path]) -> None:
    """Each file must bring spectra that the other does not have."""
    spectra = [{name for name, values in table.items() if values.ndim == 2} for table in tables]
    for path, own, others in zip(paths, spectra, reversed(spectra), strict=True):
        if not own - others:
            what = (
                f"its spectra are named {', '.join(sorted(own))}, as those of the other file" if own else "no spectra"
            )
            raise DataError(f"{path}: {what}; name each file's arrays by their modality (raman and raman_axis, ir and "
                            "ir_axis, ...)")  # fmt: skip


def _one_a_specimen(path: Path, by: str) -> Columns:
    """The columns of a file, with the first row of each specimen."""
    columns = read_columns(path)
    if by not in columns:
        raise DataError(f"{path} has no column {by!r}; it has {', '.join(sorted(columns))}")
    names = columns[by]
    if names.ndim != 1:
        raise DataError(f"{path}: {by!r} is an array of {names.ndim} dimensions; a specimen's name is one of a column")
    _, rows = np.unique(names, return_index=True)
    rows = np.sort(rows)
    if wrong := [name for name, values in columns.items() if AXIS not in name and len(values) != len(names)]:
        raise DataError(f"{path}: {wrong[0]} has {len(columns[wrong[0]])} rows, and {by} has {len(names)}")
    return {name: values if AXIS in name else values[rows] for name, values in columns.items()}
