"""What a conditional family is told of each spectrum: its class, and amounts of analytes.

Whatever is told stands in one row of numbers: an indicator for each class (all 0 where the class is not known), then
for each analyte its standardised amount and whether it is known. A linear layer without bias over such a row is the
usual embedding of a label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from msgspec import Struct
from torch import Tensor

from lineshape.bundle import TensorSpec
from lineshape.errors import DataError
from lineshape_training.density import Density
from lineshape_training.spectra import SpectraTable

if TYPE_CHECKING:
    from lineshape_training.recipe import DataSpec


class Analyte(Struct, frozen=True, forbid_unknown_fields=True):
    """An analyte as the spectra of the fit had it, in the user's units."""

    name: str
    mean: float
    deviation: float
    low: float
    high: float


class Conditions(Struct, frozen=True, forbid_unknown_fields=True):
    """The classes and analytes that a network knows; none for an unconditional one.

    Parameters
    ----------
    classes : tuple of str
    analytes : tuple of Analyte
    density : Density or None
        Of the amounts of all analytes together; None where there are none, and in runs older than it.
    """

    classes: tuple[str, ...] = ()
    analytes: tuple[Analyte, ...] = ()
    density: Density | None = None

    @classmethod
    def of(cls, table: SpectraTable, spec: DataSpec) -> Conditions:
        """What a table can tell.

        Raises
        ------
        DataError
            If there is nothing to tell spectra apart by, or an analyte is missing or always the same.
        """
        classes = tuple(np.unique(table.labels[table.labels != ""]).tolist())
        analytes = tuple(_analyte(table, name) for name in spec.analytes)
        if len(classes) < 2 and not analytes:
            found = f"the one class {classes[0]!r}" if classes else "no class ([data] label names their column)"
            raise DataError(f"a conditional family needs two classes or an analyte; the spectra have {found}; use an "
                            "unconditional family")  # fmt: skip
        density = Density.of(_amounts(table, analytes)) if analytes else None
        return cls(classes, analytes, density)

    @property
    def size(self) -> int:
        """Numbers in a row."""
        return len(self.classes) + 2 * len(self.analytes)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors by which a contract is told."""
        label = TensorSpec("label", "INT64", (-1, 1), "label", "index of the class")
        analyte = TensorSpec("analyte", "FP32", (-1, len(self.analytes)), "analyte", "of the fit's amounts")
        return (*[label][: len(self.classes)], *[analyte][: len(self.analytes)])

    def rows(self, table: SpectraTable) -> Float[Tensor, "n c"]:
        """What is known of each spectrum of a table."""
        index = {name: k for k, name in enumerate(self.classes)}
        label = torch.tensor([index.get(name, -1) for name in table.labels.tolist()])
        told = [label[:, None]][: len(self.classes)]
        amounts = [torch.from_numpy(_amounts(table, self.analytes)).float()] if self.analytes else []
        return self.told(*told, *amounts, like=torch.zeros(len(table), 1))

    def told(
        self, *inputs: Int[Tensor, "n 1"] | Float[Tensor, "n k"], like: Float[Tensor, "n d"]
    ) -> Float[Tensor, "n c"]:
        """The rows for labels (-1: not known) and amounts (NaN: not known); without either, as many as in `like`."""
        left, parts = list(inputs), []
        if self.classes:
            label = left.pop(0)
            parts.append((label == torch.arange(len(self.classes), device=label.device)).float())
        if self.analytes:
            amount = left.pop(0)
            known = torch.isfinite(amount)
            mean, deviation = (
                torch.tensor([getattr(a, name) for a in self.analytes], device=amount.device)
                for name in ("mean", "deviation")
            )
            parts += [torch.where(known, (amount - mean) / deviation, torch.zeros_like(amount)), known.float()]
        return torch.cat(parts, dim=1) if parts else like[:, :0]

    def chances(self, table: SpectraTable) -> Float[Tensor, " n"]:
        """How often each spectrum is drawn for a batch: every class (those without one are one more) equally often."""
        _, index, counts = np.unique(table.labels, return_inverse=True, return_counts=True)
        return torch.from_numpy((1 / counts)[index]).float()


def _amounts(table: SpectraTable, analytes: tuple[Analyte, ...]) -> Float64[np.ndarray, "n k"]:
    return np.stack([table.analytes[analyte.name] for analyte in analytes], axis=1)


def _analyte(table: SpectraTable, name: str) -> Analyte:
    if name not in table.analytes:
        raise DataError(f"no analyte {name!r} in the table; it has {', '.join(table.analytes) or 'none'}")
    known = table.analytes[name][np.isfinite(table.analytes[name])]
    if len(known) < 2 or known.min() == known.max():
        raise DataError(f"analyte {name!r} does not vary over {len(known)} spectra; a condition needs two amounts")
    return Analyte(name, float(known.mean()), float(known.std()), float(known.min()), float(known.max()))
