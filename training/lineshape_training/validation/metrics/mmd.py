"""Maximum mean discrepancy: are two sets of spectra drawn from one distribution?"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np
from jaxtyping import Float64, Int

from lineshape.errors import DataError
from lineshape_training.validation.metrics.blocks import Real, RealGroups, Synthetic, SyntheticGroups, blocks
from lineshape_training.validation.metrics.kernels import Gram, Kernel, rbf_mixture

Units: TypeAlias = Int[np.ndarray, " N"]  # which independent unit each row of the pooled set belongs to
ROUNDING = 1e-12  # statistics closer than this are ties


class MMDTest(msgspec.Struct, frozen=True):
    """Squared MMD, and the share of permutations (the observed one included) that reach it."""

    value: float
    p_value: float


def mmd(
    synthetic: Synthetic,
    real: Real,
    kernel: Kernel = rbf_mixture,
    groups: RealGroups | None = None,
    synthetic_groups: SyntheticGroups | None = None,
) -> float:
    """Squared maximum mean discrepancy, unbiased.

    The U-statistic of Gretton et al. 2012 (Journal of Machine Learning Research 13, equation 3): the mean kernel of
    different synthetic spectra, plus that of different real ones, less twice the mean across. The plain statistic also
    counts each spectrum with itself and is never below 0, however alike the sets are; spectra of one patient are as
    little independent as a spectrum is of itself, so pairs within a group are left out in the same way.

    Smaller is better; at most 2, about 0 (and as often below it as above) where nothing tells the two sets apart.

    Parameters
    ----------
    synthetic, real : float [n, L], [m, L]
    kernel : Kernel
        `rbf_mixture`, or `pike` for MALDI-TOF.
    groups, synthetic_groups : str [m], str [n], optional
        The independent unit of each real and each synthetic spectrum; each stands for itself where not given.

    Raises
    ------
    DataError
        If a side has fewer than two independent units.
    """
    unit = _units(len(synthetic), len(real), groups, synthetic_groups)
    observed = (np.arange(len(unit)) < len(synthetic)).astype(np.float64)[:, None]
    return float(_u_statistics(kernel(synthetic, real), unit, observed)[0])


def mmd_test(
    synthetic: Synthetic,
    real: Real,
    kernel: Kernel = rbf_mixture,
    permutations: int = 200,
    seed: int = 0,
    groups: RealGroups | None = None,
    synthetic_groups: SyntheticGroups | None = None,
) -> MMDTest:
    """Squared MMD as in `mmd`, with the p-value of a permutation test.

    Whole units are dealt out to the two sides anew, which keep their numbers of spectra as nearly as units allow. The
    p-value `(1 + permutations that reach the value) / (1 + permutations)` is exact where units are exchangeable
    (single spectra on both sides, or groups on both); single synthetic spectra against groups of real ones are not
    quite, and the p-value is then approximate. Larger is better; below .05 the sets differ.

    Raises
    ------
    DataError
        If a side has fewer than two independent units.
    """
    unit = _units(len(synthetic), len(real), groups, synthetic_groups)
    observed = (np.arange(len(unit)) < len(synthetic)).astype(np.float64)[:, None]
    dealt = _dealt(unit, len(synthetic), permutations, np.random.default_rng(seed))
    values = _u_statistics(kernel(synthetic, real), unit, np.concatenate([observed, dealt], axis=1))
    reached = int((values[1:] >= values[0] - ROUNDING).sum())
    return MMDTest(float(values[0]), (1 + reached) / (1 + permutations))


def _units(n: int, m: int, groups: RealGroups | None, synthetic_groups: SyntheticGroups | None) -> Units:
    """Numbers from 0 for the independent units of the pooled rows; none is on both sides."""
    first = np.arange(n) if synthetic_groups is None else np.unique(synthetic_groups, return_inverse=True)[1]
    second = np.arange(m) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(first) != n or len(second) != m or min(first.max(), second.max()) < 1:
        raise DataError("MMD needs two independent units on each side, and a group for every spectrum or for none")
    return np.concatenate([first, second + first.max() + 1])


def _dealt(unit: Units, n: int, permutations: int, rng: np.random.Generator) -> Float64[np.ndarray, "N P"]:
    """Who is on the synthetic side (1), in each permutation: random units until about `n` spectra are there."""
    sizes = np.bincount(unit)
    columns = np.empty((len(unit), permutations))
    for column in columns.T:
        order = rng.permutation(len(sizes))
        nearest = int(np.argmin(np.abs(np.cumsum(sizes[order]) - n))) + 1
        taken = order[: min(max(nearest, 2), len(sizes) - 2)]
        column[:] = np.isin(unit, taken)
    return columns


def _u_statistics(gram: Gram, unit: Units, chosen: Float64[np.ndarray, "N P"]) -> Float64[np.ndarray, " P"]:
    """The U-statistic of each division of the pooled rows (1: first side), all in one pass over the kernel.

    With `z` the column of a division and `K` the kernel without pairs of one unit, the sums over pairs are `z'Kz` on
    the first side, `(1-z)'K(1-z)` on the second, and half of what is left of the total across.
    """
    total, first, second = 0.0, np.zeros(chosen.shape[1]), np.zeros(chosen.shape[1])
    for rows in blocks(len(unit), len(unit)):
        rest, height = slice(rows.start, len(unit)), rows.stop - rows.start
        block = gram(rows, rest)
        block[unit[rows, None] == unit[None, rest]] = 0
        block[:, height:] *= 2  # the kernel is symmetric: what lies below the diagonal is counted here
        across = block @ chosen[rest]
        both = (chosen[rows] * across).sum(axis=0)
        total += block.sum()
        first += both
        second += block.sum() - block.sum(axis=1) @ chosen[rows] - across.sum(axis=0) + both
    size, n = np.bincount(unit)[unit].astype(np.float64), chosen.sum(axis=0)
    m = len(unit) - n
    pairs_first, pairs_second = n**2 - size @ chosen, m**2 - size @ (1 - chosen)
    statistics: Float64[np.ndarray, " P"] = (
        first / pairs_first + second / pairs_second - (total - first - second) / (n * m)
    )
    return statistics
