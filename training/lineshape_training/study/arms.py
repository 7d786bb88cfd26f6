"""What a probe is fitted on: real spectra, synthetic ones, or both, in fixed proportions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshape_training.resampling import SpectralSampler
from lineshape_training.resampling.sampler import Ratio

Spectra = NDArray[Any]
Targets = NDArray[Any]


@dataclass(frozen=True)
class Arm:
    """One mixture.

    Parameters
    ----------
    name : str
    real : float
        Share of the real spectra that stay.
    synthetic : float or "balance"
        Synthetic spectra for each real one of the fold, class by class; or as many as fill it up to the largest class.
    """

    name: str
    real: float | int
    synthetic: Ratio

    def count(self, size: int, largest: int) -> int:
        """Synthetic spectra of a class of `size` real ones."""
        return largest - size if self.synthetic == "balance" else round(self.synthetic * size)


REAL = Arm("real only", 1, 0)
ADDED = {ratio: Arm(f"real + {ratio:g}x", 1, ratio) for ratio in (0.5, 1, 3, 10)}
BALANCED = Arm("balanced", 1, "balance")
SYNTHETIC = Arm("synthetic only", 0, 1)
SUBSTITUTED = [Arm(f"{share:.0%} substituted", 1 - share, share) for share in (0.25, 0.5, 0.75)]

AUGMENTED = (ADDED[0.5], ADDED[1], ADDED[3])  # classical augmentation and interpolation
GENERATED = (*ADDED.values(), SYNTHETIC, *SUBSTITUTED)  # fitted generators
DECIDING = ADDED[1]  # named before anything is measured: the arm that decides whether a generator helps


class Pool:
    """All synthetic spectra that the arms of one fold need, drawn once; each arm takes the first of every class."""

    def __init__(self, sampler: SpectralSampler, y: Targets, arms: Sequence[Arm]) -> None:
        self.sizes = _sizes(y)
        most = {name: max(self._count(arm, size) for arm in arms) for name, size in self.sizes.items()}
        self.X, self.y = sampler.sample(most.get(None, most))
        self._rows = {name: np.flatnonzero(self.y == name) for name in self.sizes if name is not None}

    def first(self, arm: Arm) -> tuple[Spectra, Targets]:
        """The synthetic spectra of an arm."""
        if not self._rows:
            count = self._count(arm, self.sizes[None])
            return self.X[:count], self.y[:count]
        rows = np.concatenate([self._rows[name][: self._count(arm, size)] for name, size in self.sizes.items()])
        return self.X[rows], self.y[rows]

    def _count(self, arm: Arm, size: int) -> int:
        return arm.count(size, max(self.sizes.values()))


def mixed(arm: Arm, X: Spectra, y: Targets, pool: Pool | None, rng: np.random.Generator) -> tuple[Spectra, Targets]:
    """The spectra and targets of an arm."""
    kept = _kept(y, arm.real, rng)
    if pool is None or not arm.synthetic:
        return X[kept], y[kept]
    synthetic, targets = pool.first(arm)
    return np.concatenate([X[kept], synthetic.astype(X.dtype)]), np.concatenate([y[kept], targets.astype(y.dtype)])


def _kept(y: Targets, share: float | int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Rows of the real spectra that stay: the same share of every class, chosen at random."""
    order = rng.permutation(len(y))
    parts = [order[y[order] == name] if name is not None else order for name in _sizes(y)]
    return np.sort(np.concatenate([part[: round(share * len(part))] for part in parts]))


def _sizes(y: Targets) -> dict[Any, int]:
    """Spectra of each class; amounts count as one class without a name."""
    if y.dtype.kind == "f":
        return {None: len(y)}
    names, counts = np.unique(y, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))
