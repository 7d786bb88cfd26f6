"""Out-of-fold answers beside what was measured, scaled alike: what every study here starts from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.preprocessing import MinMax, Step
from lineshape_training.preprocess import prepared, tensor_of
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import Names, PairTable, SpectraTable

SCALED: tuple[Step, ...] = (MinMax(),)


@runtime_checkable
class Answered(Protocol):
    """What a network says of pairs that were held out of its fit; every pair once.

    Parameters
    ----------
    rows : int [m]
        Of the pairs.
    spectrum : float32 [m, L]
        In prepared intensities.
    """

    @property
    def rows(self) -> NDArray[np.intp]: ...  # noqa: D102

    @property
    def spectrum(self) -> NDArray[np.float32]: ...  # noqa: D102


@dataclass(frozen=True, eq=False)
class Transferred:
    """Pairs with their transfers.

    Parameters
    ----------
    source : float32 [n, L_in]
        Measured; each scaled to 0 to 1.
    measured, generated : float32 [n, L]
        The target as it was measured and as it was made of the source.
    mineral, specimen : str [n]
    axis : SpectralAxis [L]
        Of the target.
    """

    source: Float32[np.ndarray, "n L_in"]
    measured: Float32[np.ndarray, "n L"]
    generated: Float32[np.ndarray, "n L"]
    mineral: Names
    specimen: Names
    axis: SpectralAxis

    @classmethod
    def of(cls, recipe: Recipe, table: PairTable, answers: Answered) -> Transferred:
        """Lay the answers beside their pairs.

        The source is scaled as targets are, not as the network prepares it, so that a comparison of the two is one of
        their spectra alone.
        """
        asked = table.rows(answers.rows)
        target = scaled(asked.target, recipe.intensity_half.get("spectrum", ()))
        return cls(scaled(asked.source), target, answers.spectrum, asked.group, asked.source.identity,
                   asked.target.axis)  # fmt: skip


def scaled(table: SpectraTable, steps: tuple[Step, ...] = SCALED) -> Float32[np.ndarray, "n L"]:
    """The spectra of a table after these steps."""
    return prepared(steps, tensor_of(table.values), tensor_of(table.mask)).numpy()
