"""What a transfer model must beat: the mean, look-up, and kernel ridge regression.

Sources and targets are scaled from 0 to 1. Kernel ridge regression with a Gaussian kernel is given twice, on the source
as it is and with its background removed and its weak lines raised by a fourth root, which is worth more than any other
choice about it. Its numbers are the same for all folds and protocols; a target of few narrow lines takes a narrower
kernel, and there is asked once more with its answer blurred, for a line that is a little off is worth nothing.
They were chosen with the held-out pairs in sight, which favours the baselines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float32, Float64
from scipy.linalg import solve
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.distance import cdist

from lineshape.preprocessing import MinMax, SavitzkyGolay, SquareRoot, Step, TopHat, forward
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import PairTable, SpectraTable
from lineshape_training.splits import Rows

Known: TypeAlias = Float64[np.ndarray, "n F"]
Targets: TypeAlias = Float64[np.ndarray, "n L"]
Asked: TypeAlias = Float64[np.ndarray, "m F"]
Answered: TypeAlias = Float64[np.ndarray, "m L"]

MEAN, NEAREST, RIDGE = "mean spectrum", "nearest neighbour", "kernel ridge"
ROOTED, BLURRED = f"{RIDGE}, fourth root", f"{RIDGE}, blurred"

PENALTY = 0.1  # of the ridge, where the kernel of a spectrum with itself is 1
WIDTH, NARROW = 0.5, 0.25  # of the kernel, in median distances of the known sources
NARROW_LINES = ("xrd",)  # target modalities with them
BLUR = 4.0  # points: standard deviation of the Gaussian, .17 degree on the grid of 2,048 points from 5 to 90
SMOOTHED = 5.0  # points, likewise, of the fourth root: weak noise is raised with the weak lines
FOURTH_ROOT: tuple[Step, ...] = (
    SavitzkyGolay(window=7), TopHat(window=401), MinMax(), SquareRoot(), SquareRoot(),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Spectra:
    """All pairs as the baselines see them; nothing here is learned from more than the spectrum itself.

    Parameters
    ----------
    plain, rooted : float64 [n, F]
        Sources from 0 to 1, and the smoothed fourth root of what stands above their background.
    targets : float64 [n, L]
        Prepared as the recipe says.
    narrow : bool
        Whether the targets are of few narrow lines.
    """

    plain: Known
    rooted: Known
    targets: Targets
    narrow: bool

    @classmethod
    def of(cls, recipe: Recipe, table: PairTable) -> Spectra:
        """The spectra of a table."""
        rooted = gaussian_filter1d(_prepared(FOURTH_ROOT, table.source), SMOOTHED, axis=1)
        targets = _prepared(recipe.intensity_half.get("spectrum", ()), table.target)
        narrow = table.target.axis.modality in NARROW_LINES
        return cls(_prepared((MinMax(),), table.source), rooted, targets, narrow)


def answers(spectra: Spectra, known: Rows, asked: Rows) -> Mapping[str, Float32[np.ndarray, "m L"]]:
    """What every baseline, given the known pairs, says of the asked sources."""
    plain, rooted, targets = spectra.plain, spectra.rooted, spectra.targets[known]
    width = NARROW if spectra.narrow else WIDTH
    found = {
        MEAN: mean_spectrum(targets, len(asked)),
        NEAREST: nearest_neighbour(plain[known], targets, plain[asked]),
        RIDGE: kernel_ridge(plain[known], targets, plain[asked], width),
        ROOTED: kernel_ridge(rooted[known], targets, rooted[asked], width),
    }
    if spectra.narrow:
        found[BLURRED] = gaussian_filter1d(found[ROOTED], BLUR, axis=1)
    return {name: answer.astype(np.float32) for name, answer in found.items()}


def mean_spectrum(targets: Targets, asked: int) -> Answered:
    """The mean target of the fit, whatever is asked."""
    return np.repeat(targets.mean(axis=0, keepdims=True), asked, axis=0)


def nearest_neighbour(known: Known, targets: Targets, asked: Asked) -> Answered:
    """The target of the known source with the largest cosine similarity."""
    nearest: Answered = targets[cosines(known, asked).argmax(axis=1)]
    return nearest


def cosines(known: Known, asked: Asked) -> Float64[np.ndarray, "m n"]:
    """Cosine similarity of every asked source with every known one."""
    similar: Float64[np.ndarray, "m n"] = _directions(asked) @ _directions(known).T
    return similar


def kernel_ridge(known: Known, targets: Targets, asked: Asked, width: float) -> Answered:
    """Ridge regression of the difference from the mean target, with a Gaussian kernel.

    Parameters
    ----------
    known, targets, asked : float64 [n, F], [n, L], [m, F]
    width : float
        Standard deviation of the kernel, in median distances of the known sources.
    """
    apart = cdist(known, known)
    scale = width * float(np.median(apart[np.triu_indices(len(known), 1)]))
    kernel, towards = (np.exp(-0.5 * (distance / scale) ** 2) for distance in (apart, cdist(asked, known)))
    middle = targets.mean(axis=0)
    weights = solve(kernel + PENALTY * np.eye(len(known)), targets - middle, assume_a="pos")
    answer: Answered = middle + towards @ weights
    return answer


def _directions(spectra: Float[np.ndarray, "n F"]) -> Float64[np.ndarray, "n F"]:
    directions: Float64[np.ndarray, "n F"] = spectra / np.linalg.norm(spectra, axis=1, keepdims=True).clip(min=1e-12)
    return directions


def _prepared(steps: tuple[Step, ...], table: SpectraTable) -> Float64[np.ndarray, "n L"]:
    spectra: Float64[np.ndarray, "n L"] = forward(steps, np, table.values.astype(np.float64), table.mask)[0]
    return spectra
