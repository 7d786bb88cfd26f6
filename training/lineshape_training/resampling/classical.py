"""Classical augmentation: real spectra, changed as a measurement could have changed them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from numpy.random import Generator

from lineshape.errors import UsageError
from lineshape_training.resampling.batch import Batch, Pool
from lineshape_training.resampling.draws import Drawn, block_size, in_blocks
from lineshape_training.resampling.sampler import Ratio, SpectralSampler
from lineshape_training.resampling.steps import Blend, Intensify, Noise, Offset, Scale, Shift, Slope, Step

STEPS: tuple[Step, ...] = (Blend(), Shift(), Scale(), Intensify(), Offset(), Slope(), Noise())


class ClassicalAugmentation(SpectralSampler):
    """Blend, shift, scale, intensify, offset, slope and noise, in the order in which a measurement meets them.

    Every real spectrum of a class is the start of equally many samples of a block (see `draws.block_size`). Blending
    keeps to a class and, where `groups` are given, mixes spectra of different groups as long as the class has more than
    one; otherwise any two different spectra.

    With a continuous analyte any two spectra may be blended, and the analyte is blended with them. Scale and intensify
    leave it as it is: spectra are preprocessed, so their intensities are relative, and a brighter spectrum holds
    no more of anything. Where intensities are absolute, leave those two steps out.

    Parameters
    ----------
    steps : sequence of Step
    ratio, random_state
        See `SpectralSampler`.
    """

    def __init__(self, steps: Sequence[Step] = STEPS, ratio: Ratio = 1.0, random_state: int = 0) -> None:
        super().__init__(ratio, random_state)
        self.steps = steps

    def _fit(
        self, X: Float[np.ndarray, "n L"], y: Shaped[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"] | None
    ) -> None:
        if wrong := [step for step in self.steps if not isinstance(step, Step)]:
            raise UsageError(f"steps holds {wrong[0]!r}, which is no step; use Noise(), Shift() and the like")
        self._pools = {
            label: Pool.of(
                X[rows], None if label is not None else y.astype(np.float64), None if groups is None else groups[rows]
            )
            for label, rows in self._members(y)
        }

    def _draw(self, label: Any, n: int, rng: Generator) -> Drawn:  # noqa: ANN401
        pool = self._pools[label]
        return in_blocks(n, rng, lambda rng: self._block(pool, rng))

    def _block(self, pool: Pool, rng: Generator) -> Drawn:
        """Each spectrum of the pool equally often, in random order, through all steps."""
        turns = np.tile(np.arange(len(pool)), (block_size(len(pool)) // len(pool), 1))
        batch = Batch.of(pool, rng.permuted(turns, axis=1).ravel())
        for step in self.steps:
            batch = step(batch, rng)
        return batch.values, batch.amounts
