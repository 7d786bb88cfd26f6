"""SMOTE and ADASYN: imbalanced-learn makes the samples; here they learn to draw any number for any class.

Chawla et al. (2002, JAIR 16, 321) and He et al. (2008, IEEE IJCNN, 1322).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from imblearn import over_sampling
from jaxtyping import Float, Int, Shaped
from numpy.random import Generator
from sklearn.neighbors import NearestNeighbors

from lineshape.errors import DataError, UsageError
from lineshape_training.resampling.draws import Drawn, block_size, in_blocks
from lineshape_training.resampling.sampler import Ratio, SpectralSampler


class SMOTE(SpectralSampler):
    """Points on the lines between a spectrum and its nearest neighbours of the same class.

    A class of up to `k_neighbors` spectra makes do with the neighbours that it has; a class of one is refused. So is a
    continuous analyte: `SpectralSMOTE` carries one along. Groups are not looked at.

    Parameters
    ----------
    k_neighbors : int
    ratio, random_state
        See `SpectralSampler`.
    """

    def __init__(self, k_neighbors: int = 5, ratio: Ratio = 1.0, random_state: int = 0) -> None:
        super().__init__(ratio, random_state)
        self.k_neighbors = k_neighbors

    def _fit(
        self, X: Float[np.ndarray, "n L"], y: Shaped[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"] | None
    ) -> None:
        _check("SMOTE", self.classes_, "k_neighbors", self.k_neighbors)
        self._spectra = {label: X[rows] for label, rows in self._members(y)}

    def _draw(self, label: Any, n: int, rng: Generator) -> Drawn:  # noqa: ANN401
        spectra = self._spectra[label]
        neighbours = _neighbours("SMOTE", label, len(spectra), self.k_neighbors)
        return in_blocks(n, rng, lambda rng: (_smote(spectra, neighbours, rng), None))


class ADASYN(SpectralSampler):
    """SMOTE that starts more often from spectra with neighbours of other classes.

    imbalanced-learn's counts are approximate; here whole draws of it follow each other, each shuffled, until there are
    enough. A class with no neighbour of another class, at which it gives up, is drawn by SMOTE and named in
    `separated_`: all its spectra are equally easy, so all stand equally often. Small classes and an analyte fare as
    with `SMOTE`.

    Parameters
    ----------
    n_neighbors : int
    ratio, random_state
        See `SpectralSampler`.

    Attributes
    ----------
    separated_ : tuple of labels
    """

    def __init__(self, n_neighbors: int = 5, ratio: Ratio = 1.0, random_state: int = 0) -> None:
        super().__init__(ratio, random_state)
        self.n_neighbors = n_neighbors

    def _fit(
        self, X: Float[np.ndarray, "n L"], y: Shaped[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"] | None
    ) -> None:
        _check("ADASYN", self.classes_, "n_neighbors", self.n_neighbors)
        self._spectra, self._rows = X, dict(self._members(y))
        self.separated_ = tuple(label for label, rows in self._rows.items() if self._is_separated(rows))

    def _is_separated(self, rows: Int[np.ndarray, " m"]) -> bool:
        neighbours = min(self.n_neighbors, len(rows) - 1)
        nearest = NearestNeighbors(n_neighbors=neighbours + 1).fit(self._spectra)
        near = nearest.kneighbors(self._spectra[rows], return_distance=False)[:, 1:]
        return bool(np.isin(near, rows).all())

    def _draw(self, label: Any, n: int, rng: Generator) -> Drawn:  # noqa: ANN401
        rows = self._rows[label]
        neighbours = _neighbours("ADASYN", label, len(rows), self.n_neighbors)
        if label in self.separated_:
            return in_blocks(n, rng, lambda rng: (_smote(self._spectra[rows], neighbours, rng), None))
        return in_blocks(n, rng, lambda rng: (_adasyn(self._spectra, rows, neighbours, rng), None))


def _smote(spectra: Float[np.ndarray, "m L"], neighbours: int, rng: Generator) -> Float[np.ndarray, "k L"]:
    """A block of samples.

    imbalanced-learn wants two classes and looks only at the one to be drawn: a spectrum of zeros is the other.
    """
    n = len(spectra)
    maker = over_sampling.SMOTE(
        sampling_strategy={1: n + block_size(n)}, k_neighbors=neighbours, random_state=_seed(rng)
    )
    table = np.concatenate([spectra, np.zeros_like(spectra[:1])])
    return np.asarray(maker.fit_resample(table, np.arange(n + 1) < n)[0][n + 1 :])


def _adasyn(
    spectra: Float[np.ndarray, "n L"], rows: Int[np.ndarray, " m"], neighbours: int, rng: Generator
) -> Float[np.ndarray, "k L"]:
    """A block of samples. They come in the order of their spectra, so they are shuffled before any are left out.

    Four samples for each spectrum, so that rounding leaves out only those that are far easier than the rest.
    """
    own = np.isin(np.arange(len(spectra)), rows)
    maker = over_sampling.ADASYN(
        sampling_strategy={True: len(rows) + 4 * block_size(len(rows))}, n_neighbors=neighbours, random_state=_seed(rng)
    )
    return np.asarray(rng.permutation(maker.fit_resample(spectra, own)[0][len(spectra) :]))


def _seed(rng: Generator) -> int:
    return int(rng.integers(2**31))


def _check(method: str, classes: Shaped[np.ndarray, " c"] | None, name: str, neighbours: int) -> None:
    if classes is None:
        raise DataError(
            f"{method} needs class labels, and y is a continuous analyte (floating-point); use SpectralSMOTE or "
            "ClassicalAugmentation, or give labels as text or whole numbers"
        )
    if neighbours < 1:
        raise UsageError(f"{name} must be at least 1; got {neighbours}")


def _neighbours(method: str, label: Any, members: int, asked: int) -> int:  # noqa: ANN401
    if members == 1:
        raise DataError(
            f"class {label!r} has one spectrum, which has no neighbour for {method}; "
            "use SpectralSMOTE or ClassicalAugmentation"
        )
    return min(asked, members - 1)
