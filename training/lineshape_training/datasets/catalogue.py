"""Public sets of spectra that Lineshape is measured on: where their files stand, and what their columns mean.

The files themselves are not part of Lineshape. `LINESHAPE_DATA` names the folder that holds them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lineshape.axis import CU_K_ALPHA
from lineshape.errors import UsageError
from lineshape_training.datasets.columns import Columns, read_columns
from lineshape_training.datasets.layout import EACH, Layout, to_table
from lineshape_training.spectra import PairTable, SpectraTable

FOLDER = "LINESHAPE_DATA"


@dataclass(frozen=True)
class DataSet:
    """A set of spectra in one file, or in one file for each instrument.

    Parameters
    ----------
    files : tuple of str
        Below the folder of data.
    layout : Layout
    about : str
        What was measured, and on whom.
    instruments : tuple of str
        One for each file, where each holds the same specimens in the same order.
    beside : str, optional
        A file with further columns of the same rows.
    """

    files: tuple[str, ...]
    layout: Layout
    about: str
    instruments: tuple[str, ...] = ()
    beside: str | None = None

    def paths(self, folder: Path) -> list[Path]:
        """Every file of it."""
        return [folder / file for file in (*self.files, *filter(None, [self.beside]))]

    def columns(self, folder: Path) -> list[Columns]:
        """The columns of each of its files."""
        more = read_columns(folder / self.beside) if self.beside else {}
        return [{**read_columns(folder / file), **more} for file in self.files]

    def load(self, folder: Path) -> SpectraTable:
        """All its spectra."""
        columns = zip(self.columns(folder), self.files, strict=True)
        return self.joined([to_table(one, self.layout, file) for one, file in columns])

    def joined(self, tables: list[SpectraTable]) -> SpectraTable:
        """The tables of its files as one, with what measured them."""
        if not self.instruments:
            return tables[0]
        named = [
            replace(table, instrument=np.full(len(table), name))
            for table, name in zip(tables, self.instruments, strict=True)
        ]
        return stacked(named)


def stacked(tables: list[SpectraTable]) -> SpectraTable:
    """Tables on one axis, one below the other.

    Raises
    ------
    UsageError
        If their axes differ.
    """
    if any(table.axis != tables[0].axis for table in tables):
        raise UsageError("tables on different axes cannot be stacked; bring them onto one grid first")
    first = tables[0]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(table, name) for table in tables])
        for name in ("values", "mask", "group", "identity", "label", "instrument")
        if getattr(first, name) is not None
    }
    analytes = {name: np.concatenate([table.analytes[name] for table in tables]) for name in first.analytes}
    return replace(first, analytes=analytes, **columns)


_SALIVA = Layout("raman", group=("patient",), label="label")
_MINERALS = Layout("raman", group=("mineral",), identity=("rruff_id",), label="family", instrument="laser_nm")
_ISOLATES = Layout("maldi", group=("isolate", "biological_replicate"), label="isolate")
_CORN = Layout("nir", group=(EACH,), analytes=("Moisture", "Oil", "Protein", "Starch"))
_TECATOR = Layout("nir", group=(EACH,), analytes=("moisture", "fat", "protein"), prefix="absorbance_", ends=(850, 1050))

CATALOGUE: dict[str, DataSet] = {
    "saliva-covid": DataSet(("clinical/saliva_covid.npz",), _SALIVA, "Raman of saliva, 84 patients in 3 classes"),
    "rruff-raman": DataSet(("rruff/raman_minerals.npz",), _MINERALS, "Raman spectra of minerals, 15 chemical families"),
    "rruff-xrd": DataSet(
        ("rruff/xrd_patterns.npz",),
        Layout("xrd", group=("mineral",), label="crystal_system7", xray_angstrom=CU_K_ALPHA),
        "powder patterns in 6 crystal systems",
    ),
    "maldi-isolates": DataSet(
        ("maldi/isolates.npz",), _ISOLATES, "MALDI-TOF spectra of 20 bacterial isolates, 5 biological replicates each"
    ),
    "maldi-species": DataSet(
        ("maldi/species.npz",), Layout("maldi", group=("species", "spot"), label="species"), "MALDI-TOF of 4 species"
    ),
    "soil": DataSet(
        ("nir/soil.npz",), Layout("nir", group=(EACH,), analytes=("Nt", "Ciso", "CEC")), "NIR spectra of 825 soils"
    ),
    "tablets": DataSet(
        ("nir/tablets_instrument1.csv",),
        Layout("nir", group=(EACH,), analytes=("assay", "weight", "hardness")),
        "NIR spectra of 655 tablets",
    ),
    "corn": DataSet(
        ("nir/corn_m5.csv", "nir/corn_mp5.csv"), _CORN, "NIR spectra of 80 corn samples on two instruments",
        ("m5", "mp5"), "nir/corn_properties.csv",
    ),
    "tecator": DataSet(("nir/tecator.csv",), _TECATOR, "NIR spectra of 240 meats"),
    "fruit-puree": DataSet(
        ("ftir/fruit_puree.csv",), Layout("ir", group=(EACH,), label="label"), "IR of 983 purees in 2 classes"
    ),
    "fresh-meats": DataSet(
        ("ftir/fresh_meats.csv",), Layout("ir", group=("meat", "supplier", "sample"), label="meat"),
        "IR of 3 meats, 60 samples in duplicate",
    ),
    "instant-coffee": DataSet(
        ("ftir/instant_coffee.csv",), Layout("ir", group=(EACH,), label="Varietal"), "IR of 56 coffees, 2 varieties"
    ),
}  # fmt: skip

# Two modalities of the same specimens.
PAIRS: dict[str, tuple[str, str, Layout, Layout]] = {
    "rruff-raman-ir": (
        "rruff/raman_ir_pairs.npz", "Raman and IR of 45 minerals",
        Layout("raman", group=("mineral",), identity=("rruff_id",), laser_nm=514),
        Layout("ir", group=("mineral",), identity=("rruff_id",)),
    ),
    "rruff-raman-xrd": (
        "rruff/raman_xrd_pairs.npz", "Raman and powder XRD of 250 minerals",
        Layout("raman", group=("mineral",), identity=("rruff_id",), instrument="laser"),
        Layout("xrd", group=("mineral",), identity=("rruff_id",), xray_angstrom=CU_K_ALPHA),
    ),
}  # fmt: skip


def load_dataset(name: str, folder: Path | None = None) -> SpectraTable | PairTable:
    """A set of the catalogue.

    Parameters
    ----------
    name : str
    folder : Path, optional
        Of the data; by default what the environment variable LINESHAPE_DATA says.

    Raises
    ------
    UsageError
        If there is no such set, or no folder is named.
    """
    where = Path(folder or _folder(name))
    if name in CATALOGUE:
        return CATALOGUE[name].load(where)
    if name in PAIRS:
        file, _, source, target = PAIRS[name]
        columns = read_columns(where / file)
        return PairTable(to_table(columns, source, file), to_table(columns, target, file))
    raise UsageError(f"no data set {name!r}; there are {', '.join([*CATALOGUE, *PAIRS])}, or give a file")


def find_dataset(data: str) -> tuple[DataSet, Path]:
    """The set of the catalogue of that name, with the folder of its files; or a file, as a set of its own.

    The layout is for the catalogue's own use: whoever reads a file by other names brings another.

    Raises
    ------
    UsageError
        If no folder is named for a set of the catalogue.
    """
    if Path(data).exists() or data not in {*CATALOGUE, *PAIRS}:
        return DataSet((data,), Layout(""), "a file"), Path()
    if data in CATALOGUE:
        return CATALOGUE[data], Path(_folder(data))
    file, about, _, target = PAIRS[data]
    return DataSet((file,), target, about), Path(_folder(data))


def _folder(name: str) -> str:
    if FOLDER not in os.environ:
        raise UsageError(f"{name}: set {FOLDER} to the folder that holds the public data sets, or give a file")
    return os.environ[FOLDER]
