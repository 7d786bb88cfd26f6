"""The table that a command line names: a file with the meaning of its columns, or a set of the catalogue."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lineshape.axis import Unit
from lineshape.errors import DataError, UsageError
from lineshape_training.datasets.catalogue import CATALOGUE, load_dataset
from lineshape_training.datasets.columns import Columns, read_columns
from lineshape_training.datasets.layout import EACH, Layout, axis_name, to_table, unit_of
from lineshape_training.spectra import SpectraTable

_MODALITIES: dict[Unit, str] = {"nm": "nir", "m/z": "maldi", "deg 2theta": "xrd", "THz": "thz"}


class Columned(msgspec.Struct, frozen=True):
    """What a user says of a file; what is left out is looked for under its usual name.

    Parameters
    ----------
    modality : str, optional
        Needed where the axis is in cm-1, which Raman and infrared share.
    unit : str, optional
    group : tuple of str
        The columns that name the independent unit, or `each`.
    label, instrument : str, optional
    analytes : tuple of str
    class_size : int
        Classes of fewer spectra are left out.
    """

    modality: str | None = None
    unit: Unit | None = None
    group: tuple[str, ...] = ()
    label: str | None = None
    instrument: str | None = None
    analytes: tuple[str, ...] = ()
    class_size: int = 1


def open_table(data: str, said: Columned = Columned()) -> SpectraTable:  # noqa: B008 - frozen
    """The spectra of a file or of the catalogue.

    Raises
    ------
    UsageError
        If the file does not say what it holds; the message names the option that does.
    """
    if data in CATALOGUE and not Path(data).exists():
        table = load_dataset(data)
        assert isinstance(table, SpectraTable)
        return table
    columns = read_columns(data)
    return to_table(columns, _layout(columns, said, data), data)


def _layout(columns: Columns, said: Columned, where: str) -> Layout:
    unit = said.unit or unit_of(axis_name(columns, said.modality or "", where))
    modality = said.modality or (_MODALITIES.get(unit) if unit else None)
    if modality is None:
        raise UsageError(f"{where}: say what was measured, with --modality raman, ir, nir, maldi, xrd or another name")
    usual = {name: name for name in ("group", "label", "instrument") if name in columns}
    group = said.group or tuple(filter(None, [usual.get("group")]))
    if not group:
        raise DataError(f"{where}: name the column of the independent unit (patient, replicate, mineral) with --group, "
                        f"or say --group {EACH} if every spectrum is one; it holds {', '.join(columns)}")  # fmt: skip
    return Layout(modality, unit, group, label=said.label or usual.get("label"), analytes=said.analytes,
                  instrument=said.instrument or usual.get("instrument"))  # fmt: skip
