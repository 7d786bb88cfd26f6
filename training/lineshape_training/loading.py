"""Tables of spectra from files: npz with one array of spectra per modality, its axis, and columns for groups.

For a modality `raman` the arrays are `raman` [n, L] (or `spectra`, `patterns`), `raman_axis` [L] (or `axis` with any
ending) and, where not everything was measured, `raman_mask` [n, L].
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.bundle import AxisSpec
from lineshape.errors import AxisError, DataError, ReadError
from lineshape.npz import read_npz
from lineshape.preprocessing import to_grid
from lineshape.spectrum import Spectrum
from lineshape_training.family import Table
from lineshape_training.minerals import mineral_pairs, mineral_spectra
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import PairTable, SpectraTable

EMBEDDED = "embedded"  # stands for the simulated mineral library in the place of a file
SPECIMENS = 6  # of each simulated mineral
MOST_BYTES = 1 << 33  # of a data set, unpacked

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


def load_table(data: str, recipe: Recipe, seed: int = 0) -> Table:
    """The spectra that a recipe asks for, on its grids.

    Parameters
    ----------
    data : str
        An npz file, or ``embedded`` for the simulated minerals.
    recipe : Recipe
    seed : int
        Of the simulation.

    Raises
    ------
    ReadError
        If the file is not an npz of plain arrays.
    DataError
        If an array is missing or does not fit; the message names it.
    """
    spec = recipe.data
    if data == EMBEDDED:
        if spec.source:
            return _on_grids(mineral_pairs(spec.source, spec.spectrum, SPECIMENS, seed), recipe, data)
        return _on_grids(mineral_spectra(spec.spectrum, SPECIMENS, seed), recipe, data)
    arrays = _arrays(Path(data))
    spectrum = _table(arrays, spec.spectrum, recipe, data)
    if spec.source is None:
        return _on_grids(spectrum, recipe, data)
    return _on_grids(PairTable(_table(arrays, spec.source, recipe, data), spectrum), recipe, data)


def fingerprint(data: str) -> str:
    """sha256 of the file, or what stands for the embedded library."""
    return data if data == EMBEDDED else hashlib.sha256(Path(data).read_bytes()).hexdigest()


def _arrays(path: Path) -> Arrays:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not content.startswith(b"PK"):
        raise ReadError(f"{path}: not an npz file; save the spectra, their axis and their groups with numpy.savez")
    return read_npz(content, str(path), MOST_BYTES)


def _table(arrays: Arrays, modality: str, recipe: Recipe, data: str) -> SpectraTable:
    spec = recipe.data
    values = _numbers(_first(arrays, [modality, "spectra", "patterns"], data), modality, data)
    axis_names = [f"{modality}_axis", *(name for name in arrays if name.startswith(("axis", "twotheta")))]
    grid = recipe.axes["source" if modality == spec.source else "spectrum"]
    axis = SpectralAxis(_first(arrays, axis_names, data), modality, grid.unit,
                        laser_nm=grid.laser_nm, xray_angstrom=grid.xray_angstrom)  # fmt: skip
    mask = _numbers(arrays.get(f"{modality}_mask", np.ones(values.shape)), f"{modality}_mask", data)
    if values.ndim != 2 or values.shape[1] != len(axis) or mask.shape != values.shape:
        raise DataError(f"{data}: {modality} {list(values.shape)}, its mask {list(mask.shape)} and an axis of "
                        f"{len(axis)} points do not belong together; spectra are rows")  # fmt: skip
    group = _first(arrays, [spec.group], data).astype(str)
    identity = _first(arrays, [spec.identity, spec.group], data).astype(str)
    label = _first(arrays, [spec.label], data).astype(str) if spec.label else None
    return SpectraTable(np.where(mask > 0, values, 0), mask, axis, group, identity, label)


def _numbers(array: NDArray[Any], name: str, data: str) -> NDArray[np.float32]:
    if array.dtype.kind not in "fiub":
        raise DataError(f"{data}: {name} holds {array.dtype}, not numbers")
    return array.astype(np.float32)


def _first(arrays: Arrays, names: list[str], data: str) -> NDArray[Any]:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise DataError(f"{data}: no array named {' or '.join(dict.fromkeys(names))}; it holds {', '.join(arrays)}")


def _on_grids(table: Table, recipe: Recipe, data: str) -> Table:
    """Bring every spectrum through the axis half, and leave out what was measured on too small a share of the grid."""
    if isinstance(table, PairTable):
        source = _on_grid(table.source, recipe.axes["source"], recipe, "source")
        target = _on_grid(table.target, recipe.axes["spectrum"], recipe, "spectrum")
        return PairTable(source, target).rows(_kept(recipe, data, source, target))
    spectrum = _on_grid(table, recipe.axes["spectrum"], recipe, "spectrum")
    return spectrum.rows(_kept(recipe, data, spectrum))


def _kept(recipe: Recipe, data: str, *tables: SpectraTable) -> NDArray[np.intp]:
    """Rows that were measured on enough of every grid, and are not constant there."""
    good = np.ones(len(tables[0]), bool)
    for table in tables:
        varied = np.ptp(np.where(table.mask > 0, table.values, table.values.max(1, keepdims=True)), axis=1) > 0
        good &= (table.mask.mean(axis=1) >= recipe.data.measured) & varied
    if not good.any():
        ranges = " and ".join(f"{t.axis.low:g} to {t.axis.high:g} {t.axis.unit}" for t in tables)
        raise DataError(f"{data}: none of the {len(good)} spectra varies and is measured on {recipe.data.measured:.0%} "
                        f"of recipe {recipe.name}'s range ({ranges}); look at axis, unit and mask")  # fmt: skip
    return np.flatnonzero(good)


def _on_grid(table: SpectraTable, spec: AxisSpec, recipe: Recipe, role: str) -> SpectraTable:
    grid, steps = spec.axis(), recipe.axis_half.get(role, ())
    gridded = np.zeros((2, len(table), len(grid)), np.float32)
    for row in range(len(table)):  # once for each measured spectrum of a data set, before the fit
        measured = table.mask[row] > 0
        try:
            axis = SpectralAxis(
                table.axis.values[measured], grid.modality, table.axis.unit, grid.laser_nm, grid.xray_angstrom
            )
            gridded[:, row] = to_grid(Spectrum(table.values[row, measured], axis), steps, grid)
        except AxisError:
            continue  # measured outside the grid altogether: its mask stays 0, and it is left out
    return SpectraTable(gridded[0], gridded[1], grid, table.group, table.identity, table.label)
