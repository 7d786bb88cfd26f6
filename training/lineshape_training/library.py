"""The library that a transfer's fit leaves beside its network: the source spectra, as the network sees them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineshape.library import Library, encode_library, line_width
from lineshape.preprocessing import forward
from lineshape_training.family import Table
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import PairTable, SpectraTable


def library_of(recipe: Recipe, table: Table) -> bytes:
    """`library.npz` of a fit: every source spectrum of its pairs.

    Parameters
    ----------
    recipe : Recipe
    table : PairTable
        On the recipe's grids.
    """
    assert isinstance(table, PairTable)
    source = table.source
    prepared, _ = forward(recipe.intensity_half.get("source", ()), np, source.values, source.mask)
    widths = [line_width(values, mask, source.axis) for values, mask in zip(source.values, source.mask, strict=True)]
    return encode_library(
        Library.of(source.group.tolist(), source.identity.tolist(), prepared, source.mask,
                   lasers(source), np.array(widths))
    )  # fmt: skip


def lasers(source: SpectraTable) -> NDArray[np.float64]:
    """Excitation wavelength of every spectrum in nm, by the axis or else by its own column; NaN where not known."""
    if source.axis.laser_nm is not None:
        return np.full(len(source), float(source.axis.laser_nm))
    if source.instrument is None:
        return np.full(len(source), np.nan)
    return np.array([_wavelength(name) for name in source.instrument.tolist()])


def _wavelength(name: str) -> float:
    try:
        found = float(name.removesuffix("nm"))
    except ValueError:
        return float("nan")
    return found if 0 < found < float("inf") else float("nan")
