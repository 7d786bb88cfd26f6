"""Tables for tests of the study, and a way into its outcome."""

from __future__ import annotations

import numpy as np

from lineshape.axis import SpectralAxis
from lineshape_training.simulation import Design
from lineshape_training.spectra import SpectraTable
from lineshape_training.study import Outcome, Row
from lineshape_training.study.table import ALL_PROBES

DESIGN = Design("ir", classes=2, subjects=8, replicates=2, analytes=("sugar",), effect=4.0, points=64)
QUICK = ("PLS-DA", "logistic regression")  # two probes of five, for what does not depend on which they are


def bare(label: str | list[str], group: list[str], instrument: list[str] | None = None) -> SpectraTable:
    """A table of which only the columns count."""
    values = np.random.default_rng(0).random((len(group), 3)).astype(np.float32)
    axis = SpectralAxis.regular("raman", 400, 500, 3, "cm-1")
    names = None if instrument is None else np.array(instrument)
    return SpectraTable(
        values, np.ones_like(values), axis, np.array(group), np.array(group), np.array(list(label)), names
    )


def of_class(sizes: dict[str, int], replicates: int = 2) -> SpectraTable:
    """So many groups of each class, on two instruments in turn."""
    rows = [
        (label, f"{label}{g}", r) for label, groups in sizes.items() for g in range(groups) for r in range(replicates)
    ]
    return bare([a for a, _, _ in rows], [b for _, b, _ in rows], [f"i{r % 2}" for _, _, r in rows])


def row(outcome: Outcome, protocol: str, method: str, arm: str, probe: str = ALL_PROBES) -> Row:
    found = [
        one for one in outcome.rows if (one.protocol, one.method, one.arm, one.probe) == (protocol, method, arm, probe)
    ]
    assert len(found) == 1, (protocol, method, arm, probe)
    return found[0]
