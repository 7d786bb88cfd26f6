"""Spectra drawn from a fitted run, without a bundle: what resampling and validation use."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64

from lineshape.errors import UnsupportedBundle, UsageError
from lineshape.noise import seeds
from lineshape_training.conditions import Analyte
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
        If the run draws no spectra.
    """

    def __init__(self, run: Run) -> None:
        family, recipe = family_of(run.recipe.family), run.recipe
        if family.task != "sample":
            raise UnsupportedBundle(
                f"{run.folder}: a {family.task} model draws no spectra; `lineshape bench` measures those"
            )
        conditions = run.spec.conditions
        self.classes, self.analytes, self._density = conditions.classes, conditions.analytes, conditions.density
        self._contract = Seeded(family.contract(run.network(), recipe)).eval()

    @torch.no_grad()
    def draw(self, n: int, seed: int, label: str | None = None, amounts: Float[np.ndarray, "n k"] | None = None,
             extrapolate: bool = False) -> Float32[np.ndarray, "n L"]:  # fmt: skip
        """Samples 0 to n - 1 of a seed, of the class `label` where the run has classes.

        Parameters
        ----------
        n, seed : int
        label : str, optional
        amounts : float [n, k], optional
            Of the run's analytes, in its order and units; by default those that `amounts` says.
        extrapolate : bool
            Allow amounts beyond those of the fit.

        Raises
        ------
        UsageError
            If the class is not one of the run's, or the amounts do not fit its analytes or lie beyond those of the fit.
        """
        inputs = [torch.from_numpy(seeds(seed, n))]
        if self.classes:
            inputs.append(torch.full((n, 1), self._index(label)))
        if self.analytes or amounts is not None:
            asked = self.amounts(n, seed) if amounts is None else self._checked(amounts, n, extrapolate)
            inputs.append(torch.from_numpy(asked).float())
        if self._contract.detector:
            inputs.append(torch.ones(n, 1))  # as measured
        batches = zip(*(torch.split(rows, BATCH) for rows in inputs), strict=True)
        return np.concatenate([self._contract(*batch)[0].numpy() for batch in batches])

    def amounts(self, n: int, seed: int) -> Float64[np.ndarray, "n k"]:
        """The amounts that samples 0 to n - 1 of a seed are asked for where nobody says others; like those of the fit.

        Raises
        ------
        UsageError
            If the run has no analytes, or does not know how their amounts are distributed.
        """
        if self._density is None:
            raise UsageError("the run does not say how amounts are distributed; give amounts, or fit it again"
                             if self.analytes else "the run draws no spectra of asked-for amounts")  # fmt: skip
        return self._density.sample(seed, n)

    def _index(self, label: str | None) -> int:
        if label not in self.classes:
            raise UsageError(f"the run draws spectra of {', '.join(self.classes)}; got class {label!r}")
        return self.classes.index(label)

    def _checked(self, amounts: Float[np.ndarray, "n k"], n: int, extrapolate: bool) -> Float64[np.ndarray, "n k"]:
        asked = np.asarray(amounts, np.float64)
        if not self.analytes or asked.shape != (n, len(self.analytes)):
            names = ", ".join(analyte.name for analyte in self.analytes) or "no analyte"
            raise UsageError(f"the run takes amounts of {names} for each of {n} spectra; got {list(asked.shape)}")
        for analyte, column in zip(self.analytes, asked.T, strict=True):
            _check_amounts(analyte, column, extrapolate)
        return asked


def _check_amounts(analyte: Analyte, amounts: Float64[np.ndarray, " n"], extrapolate: bool) -> None:
    """Refuse what is no amount, and unless it is asked for what lies outside the fit."""
    if not np.isfinite(amounts).all():
        raise UsageError(f"analyte {analyte.name}: {amounts[~np.isfinite(amounts)][0]} is no amount")
    outside = amounts[(amounts < analyte.low) | (amounts > analyte.high)]
    if len(outside) and not extrapolate:
        raise UsageError(f"analyte {analyte.name}: {outside[0]:g} is outside {analyte.low:g} to {analyte.high:g}, "
                         "where the run was fitted; ask for extrapolation to draw it all the same")  # fmt: skip
