"""Tables of spectra to fit on: values on one grid, a mask, and the groups that must never be split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float32, Float64, Shaped
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import DataError

Names: TypeAlias = Shaped[np.ndarray, " n"]  # strings, one for each spectrum
Amounts: TypeAlias = Float64[np.ndarray, " n"]  # of an analyte, one for each spectrum; NaN where not measured


@dataclass(frozen=True, eq=False)
class SpectraTable:
    """Spectra on one axis.

    Parameters
    ----------
    values : float32 [n, L]
        Measured intensities, 0 where not measured.
    mask : float32 [n, L]
        1 where measured.
    axis : SpectralAxis [L]
    group : str [n]
        The independent unit (patient, biological replicate, mineral); never on both sides of a split.
    identity : str [n]
        The specimen, at most as wide as its group (a RRUFF id, say).
    label : str [n] or None
        The class, where there is one.
    instrument : str [n] or None
        What measured it, where that is known and more than one did.
    analytes : mapping of name to float64 [n]
        Amounts in the user's units; NaN where not measured.
    """

    values: Float32[np.ndarray, "n L"]
    mask: Float32[np.ndarray, "n L"]
    axis: SpectralAxis
    group: Names
    identity: Names
    label: Names | None = None
    instrument: Names | None = None
    analytes: Mapping[str, Amounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.values)
        if self.values.shape != (n, len(self.axis)) or self.mask.shape != self.values.shape:
            raise DataError(
                f"values {self.values.shape} and mask {self.mask.shape} do not fit an axis of {len(self.axis)}"
            )
        for name, column in self._columns().items():
            if column.shape != (n,):
                raise DataError(f"{name} has {len(column)} entries for {n} spectra")
        if not np.isfinite(self.values).all():
            row = int(np.argmin(np.isfinite(self.values).all(axis=1)))
            raise DataError(f"spectrum {row} ({self.identity[row]}) holds a value that is not a finite number")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def labels(self) -> Names:
        """The class of every spectrum, "" where it has none."""
        return np.full(len(self), "") if self.label is None else self.label

    def _columns(self) -> dict[str, Names | Amounts]:
        """Every column that is there, by name."""
        named = {name: getattr(self, name) for name in ("group", "identity", "label", "instrument")}
        return {name: column for name, column in named.items() if column is not None} | dict(self.analytes)

    def rows(self, index: NDArray[np.intp]) -> SpectraTable:
        """The spectra at `index`, in that order."""
        columns: dict[str, Any] = {name: column[index] for name, column in self._columns().items()}
        analytes = {name: columns.pop(name) for name in self.analytes}
        return replace(self, values=self.values[index], mask=self.mask[index], analytes=analytes, **columns)


@dataclass(frozen=True, eq=False)
class PairTable:
    """Spectra of the same specimens in two modalities: row i of `source` belongs to row i of `target`.

    Parameters
    ----------
    source, target : SpectraTable
    references : SpectraTable, optional
        Unpaired spectra of the source's modality, on its axis, whose composition is known: the class is the `label`,
        the amounts of constituents (0 to 1) are the `analytes`.
    """

    source: SpectraTable
    target: SpectraTable
    references: SpectraTable | None = None

    def __post_init__(self) -> None:
        if not np.array_equal(self.source.identity, self.target.identity):
            raise DataError("source and target must list the same specimens in the same order")

    def __len__(self) -> int:
        return len(self.source)

    @property
    def group(self) -> Names:
        """The independent unit of each pair."""
        return self.source.group

    @property
    def label(self) -> None:
        """Pairs have no classes."""
        return None

    def rows(self, index: NDArray[np.intp]) -> PairTable:
        """The pairs at `index`, in that order, without the references of any group that a pair left out belongs to."""
        left = np.setdiff1d(np.arange(len(self)), index)
        known = self.references
        if known is not None:
            known = known.rows(np.flatnonzero(~np.isin(known.group, self.group[left])))
        return PairTable(self.source.rows(index), self.target.rows(index), known)
