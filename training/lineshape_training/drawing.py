"""Spectra drawn from a fitted run, without a bundle: what resampling and validation use."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32

from lineshape.errors import UnsupportedBundle, UsageError
from lineshape.noise import seeds
from lineshape_training.contract import Seeded
from lineshape_training.families import family_of
from lineshape_training.run import Run

BATCH = 1024


class RunSampler:
    """The sampler of a run over seeds: sample i of a seed is the same as that of the run's bundle.

    Parameters
    ----------
    run : Run
        Ended, of a family that draws spectra.

    Raises
    ------
    UnsupportedBundle
        If the run draws no spectra, or none without the amount of an analyte.
    """

    def __init__(self, run: Run) -> None:
        family, recipe = family_of(run.recipe.family), run.recipe
        if family.task != "sample":
            raise UnsupportedBundle(
                f"{run.folder}: a {family.task} model draws no spectra; `lineshape bench` measures those"
            )
        if run.spec.conditions.analytes:
            raise UnsupportedBundle(f"{run.folder}: draws spectra of asked-for amounts; only classes can be drawn here")
        self.classes = run.spec.conditions.classes
        self._contract = Seeded(family.contract(run.network(), recipe)).eval()

    @torch.no_grad()
    def draw(self, n: int, seed: int, label: str | None = None) -> Float32[np.ndarray, "n L"]:
        """Samples 0 to n - 1 of a seed, of the class `label` where the run has classes.

        Raises
        ------
        UsageError
            If the class is not one of the run's.
        """
        inputs = [torch.from_numpy(seeds(seed, n))]
        if self.classes:
            inputs.append(torch.full((n, 1), self._index(label)))
        if self._contract.detector:
            inputs.append(torch.ones(n, 1))  # as measured
        batches = zip(*(torch.split(rows, BATCH) for rows in inputs), strict=True)
        return np.concatenate([self._contract(*batch)[0].numpy() for batch in batches])

    def _index(self, label: str | None) -> int:
        if label not in self.classes:
            raise UsageError(f"the run draws spectra of {', '.join(self.classes)}; got class {label!r}")
        return self.classes.index(label)
