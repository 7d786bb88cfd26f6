"""Spectra that any other tool made, in the place of a generator's own."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np

from lineshape.errors import DataError, LeakError
from lineshape_training.datasets.layout import EACH
from lineshape_training.datasets.opening import Columned, open_table
from lineshape_training.spectra import SpectraTable
from lineshape_training.validation.evidence import Evidence, Side


def evidence_from_files(synthetic: str, real: str, train: str, said: Columned) -> Evidence:
    """Three files on one axis; classes count where all three have them.

    Raises
    ------
    DataError
        If their axes differ, or a group stands in `real` and in `train`.
    """
    made = open_table(synthetic, msgspec.structs.replace(said, group=(EACH,), instrument=None))
    tables = made, open_table(real, said), open_table(train, said)
    for name, table in zip((real, train), tables[1:], strict=True):
        if not _on_one_axis(table, made):
            raise DataError(f"{name} and {synthetic} are not on one axis ({_range(table)} and {_range(made)}); bring "
                            "them onto one grid first")  # fmt: skip
    if shared := sorted(set(tables[1].group.tolist()) & set(tables[2].group.tolist())):
        raise LeakError(f"{real} and {train} share {len(shared)} groups ({', '.join(shared[:3])} ...): what a "
                        "generator was fitted on cannot judge it; take them out of one file")  # fmt: skip
    labelled = all(table.label is not None for table in tables)
    ours, unseen, fitted = (Side.of(table if labelled else replace(table, label=None)) for table in tables)
    some = any(table.label is not None for table in tables)
    remarks = ("classes were not judged: not all three files have labels",) if some and not labelled else ()
    return Evidence(ours, unseen, fitted, made.axis, remarks)


def _on_one_axis(a: SpectraTable, b: SpectraTable) -> bool:
    """To a hundredth of a point, as files round their axes."""
    step = (a.axis.high - a.axis.low) / (len(a.axis) - 1)
    return len(a.axis) == len(b.axis) and np.allclose(a.axis.values, b.axis.values, rtol=0, atol=step / 100)


def _range(table: SpectraTable) -> str:
    return f"{table.axis.low:g} to {table.axis.high:g} {table.axis.unit}, {len(table.axis)} points"
