"""The table that a recipe is fitted to: the columns that it names, brought onto its grids.

For a modality `raman` the arrays are `raman` [n, L] (or `spectra`, `patterns`), `raman_axis` [L] (or `axis` with any
ending) and, where not everything was measured, `raman_mask` [n, L].
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.bundle import AxisSpec
from lineshape.errors import AxisError, DataError
from lineshape.preprocessing import to_grid
from lineshape.spectrum import Spectrum
from lineshape_training.datasets.columns import Columns, read_columns
from lineshape_training.datasets.layout import Layout, to_table
from lineshape_training.family import Table
from lineshape_training.minerals import mineral_pairs, mineral_spectra
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import Names, PairTable, SpectraTable

EMBEDDED = "embedded"  # stands for the simulated mineral library in the place of a file
SPECIMENS = 6  # of each simulated mineral


def load_table(data: str, recipe: Recipe, seed: int = 0) -> Table:
    """The spectra that a recipe asks for, on its grids.

    Parameters
    ----------
    data : str
        An npz, CSV or Parquet file, or ``embedded`` for the simulated minerals.
    recipe : Recipe
    seed : int
        Of the simulation.

    Raises
    ------
    ReadError
        If the file cannot be read.
    DataError
        If an array is missing or does not fit; the message names it.
    """
    spec = recipe.data
    if data == EMBEDDED:
        if spec.source:
            return _on_grids(mineral_pairs(spec.source, spec.spectrum, SPECIMENS, seed), recipe, data)
        return _on_grids(mineral_spectra(spec.spectrum, SPECIMENS, seed), recipe, data)
    columns = read_columns(data)
    spectrum = _table(columns, spec.spectrum, recipe, data)
    if spec.source is None:
        return _on_grids(spectrum, recipe, data)
    return _on_grids(PairTable(_table(columns, spec.source, recipe, data), spectrum), recipe, data)


def label_of(table: Table) -> Names | None:
    """The classes of a table, if it has any; pairs have none."""
    return table.label if isinstance(table, SpectraTable) else None


def fingerprint(data: str) -> str:
    """sha256 of the file, or what stands for the embedded library."""
    return data if data == EMBEDDED else hashlib.sha256(Path(data).read_bytes()).hexdigest()


def _table(columns: Columns, modality: str, recipe: Recipe, data: str) -> SpectraTable:
    spec = recipe.data
    grid = recipe.axes["source" if modality == spec.source else "spectrum"]
    identity = (spec.identity,) if spec.identity in columns else ()
    layout = Layout(modality, grid.unit, (spec.group,), identity, spec.label,
                    laser_nm=grid.laser_nm, xray_angstrom=grid.xray_angstrom)  # fmt: skip
    return to_table(columns, layout, data)


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
    return replace(table, values=gridded[0], mask=gridded[1], axis=grid)
