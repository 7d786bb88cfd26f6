"""The table that a recipe is fitted to: the columns that it names, brought onto its grids.

For a modality `raman` the arrays are `raman` [n, L] (or `spectra`, `patterns`), `raman_axis` [L] (or `axis` with any
ending) and, where not everything was measured, `raman_mask` [n, L]. A column `laser_nm` or `laser` says with which
laser each source spectrum of a transfer was taken.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.bundle import AxisSpec
from lineshape.errors import AxisError, DataError, ReadError, UsageError
from lineshape.preprocessing import to_grid
from lineshape.spectrum import Spectrum
from lineshape_training.datasets.catalogue import DataSet, find_dataset
from lineshape_training.datasets.checks import in_large_classes, united
from lineshape_training.datasets.columns import Columns
from lineshape_training.datasets.layout import Layout, axis_name, first, to_table, unit_of
from lineshape_training.family import Table
from lineshape_training.minerals import mineral_pairs, mineral_spectra
from lineshape_training.minerals.formulas import constituents
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import Names, PairTable, SpectraTable

LASERS = ("laser_nm", "laser")  # columns that say with which laser each source spectrum was taken
EMBEDDED = "embedded"  # stands for the simulated mineral library in the place of a file
SPECIMENS = 6  # of each simulated mineral


def load_table(data: str, recipe: Recipe, seed: int = 0, references: str | None = None) -> Table:
    """The spectra that a recipe asks for, on its grids.

    Groups that hold the same spectrum bit for bit on these grids are one group in the table.

    Parameters
    ----------
    data : str
        An npz, CSV or Parquet file; a data set of the catalogue, read as the recipe says; or ``embedded`` for the
        simulated minerals.
    recipe : Recipe
    seed : int
        Of the simulation.
    references : str, optional
        A file or data set of unpaired source spectra, for a recipe that has [references].

    Raises
    ------
    ReadError
        If a file cannot be read.
    DataError
        If an array is missing or does not fit, or no spectrum is left; the message names it.
    UsageError
        If nothing says where the catalogue's files are.
    """
    table = _simulated(recipe, seed) if data == EMBEDDED else _read(data, recipe)
    gridded = _on_grids(table, recipe, data)
    if references:
        gridded = _beside(gridded, references, recipe)
    if isinstance(gridded, SpectraTable):
        gridded = in_large_classes(gridded, recipe.data.class_size, data)
    return _in_united_groups(gridded)


def _beside(table: Table, references: str, recipe: Recipe) -> PairTable:
    """The pairs with the unpaired spectra that are learned from beside them."""
    spec = recipe.references
    if spec is None or not isinstance(table, PairTable):
        raise UsageError(f"recipe {recipe.name} has no [references], so there is nothing to learn from {references}")
    dataset, folder = find_dataset(references)
    grid = recipe.axes["source"]
    columns, *more = dataset.columns(folder)
    if more:
        raise UsageError(f"{references} has several files; references stand in one")
    unit = unit_of(axis_name(columns, grid.modality, dataset.files[0])) or grid.unit
    layout = Layout(grid.modality, unit, (spec.group,), label=spec.label, analytes=spec.analytes,
                    laser_nm=grid.laser_nm)  # fmt: skip
    known = to_table(columns, layout, references)
    if spec.formula:
        formulas = first(columns, [spec.formula], references)
        known = replace(known, analytes={**known.analytes, **constituents(formulas.tolist())})
    known = _on_grid(known, grid, recipe, "source")
    return replace(table, references=known.rows(_kept(recipe, references, known)))


def fingerprint(*data: str) -> str:
    """sha256 of the file or, one after the other, the files; or what stands for the embedded library alone."""
    if data == (EMBEDDED,):
        return EMBEDDED
    digest = hashlib.sha256()
    for one in data:
        for path in _paths(one):
            try:
                digest.update(path.read_bytes())
            except OSError as error:
                raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()


def _paths(data: str) -> list[Path]:
    if data == EMBEDDED:
        return []
    dataset, folder = find_dataset(data)
    return dataset.paths(folder)


def _simulated(recipe: Recipe, seed: int) -> Table:
    spec = recipe.data
    if spec.source:
        pairs = mineral_pairs(spec.source, spec.spectrum, SPECIMENS, seed)
        laser = pairs.source.axis.laser_nm
        own = np.full(len(pairs), f"{laser:g}") if laser else None
        return replace(pairs, source=replace(pairs.source, instrument=own))
    return mineral_spectra(spec.spectrum, SPECIMENS, seed)


def _read(data: str, recipe: Recipe) -> Table:
    dataset, folder = find_dataset(data)
    columns = dataset.columns(folder)
    spectrum = _table(columns, "spectrum", recipe, dataset)
    if recipe.data.source is None:
        return spectrum
    if len(columns) > 1:
        raise UsageError(f"{data} holds one modality; recipe {recipe.name} needs pairs of two")
    return PairTable(_table(columns, "source", recipe, dataset), spectrum)


def _table(parts: list[Columns], role: str, recipe: Recipe, dataset: DataSet) -> SpectraTable:
    """The files of a set, laid out as the recipe says; only how their columns are numbered is the set's own."""
    spec, grid = recipe.data, recipe.axes[role]
    modality = (spec.source or "") if role == "source" else spec.spectrum
    identity = (spec.identity,) if all(spec.identity in columns for columns in parts) else ()
    unit = None if dataset.layout.prefix else unit_of(axis_name(parts[0], modality, dataset.files[0]))
    laser = next((name for name in LASERS if role == "source" and all(name in columns for columns in parts)), None)
    layout = Layout(modality, unit or grid.unit, spec.groups, identity, spec.label, laser, spec.analytes,
                    prefix=dataset.layout.prefix, ends=dataset.layout.ends,
                    laser_nm=grid.laser_nm, xray_angstrom=grid.xray_angstrom)  # fmt: skip
    return dataset.joined([to_table(columns, layout, file) for columns, file in zip(parts, dataset.files, strict=True)])


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


def _in_united_groups(table: Table) -> Table:
    """Groups that share a spectrum in either modality made one, in both alike."""
    if isinstance(table, SpectraTable):
        return united(table)
    source = united(table.source)
    target = united(replace(table.target, group=source.group))
    return PairTable(replace(source, group=target.group), target, _renamed(table, target.group))


def _renamed(table: PairTable, group: Names) -> SpectraTable | None:
    """The references, whose groups take the names that those of the pairs have taken."""
    if table.references is None:
        return None
    now = dict(zip(table.group.tolist(), group.tolist(), strict=True))
    renamed = np.array([now.get(name, name) for name in table.references.group.tolist()])
    return replace(table.references, group=renamed)
