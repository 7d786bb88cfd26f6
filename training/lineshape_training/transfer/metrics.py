"""How like a measured spectrum an answer is, pair by pair; both from 0 to 1, judged where the target was measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float32, Float64
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lineshape.axis import SpectralAxis
from lineshape.peaks import Peaks, find_peaks
from lineshape_training.preprocess import tensor_of
from lineshape_training.scores import pearson
from lineshape_training.spectra import Names, PairTable
from lineshape_training.validation.metrics.consensus import Consensus, tolerance_of
from lineshape_training.validation.metrics.peak_match import matched

Spectra: TypeAlias = Float32[np.ndarray, "n L"]
Figures: TypeAlias = dict[str, Float64[np.ndarray, " n"]]

BLURS = {"xrd": 0.2}  # in the axis's unit: standard deviation of the Gaussian under which two patterns are compared
WINDOW = 1.5  # points: standard deviation of the Gaussian window of SSIM (Wang et al. 2004, section III B)
LUMINANCE, CONTRAST = 0.01**2, 0.03**2  # its constants, for intensities from 0 to 1
CLEAREST = 60.0  # decibels: measured spectra of one specimen may be the same file, without any noise between them
FIRST = {"top1": 1, "top5": 5}  # minerals of the library that may be looked at


@dataclass(frozen=True, eq=False)
class Measured:
    """Measured targets, and what an answer is held against of them.

    Parameters
    ----------
    spectra, mask : float32 [n, L]
        In prepared intensities; 0 where not measured.
    axis : SpectralAxis [L]
    group : str [n]
        The mineral of each pair.
    peaks : Peaks
    """

    spectra: Spectra
    mask: Spectra
    axis: SpectralAxis
    group: Names
    peaks: Peaks

    @classmethod
    def of(cls, spectra: Spectra, table: PairTable) -> Measured:
        """The targets of a table, prepared."""
        return cls(spectra, table.target.mask, table.target.axis, table.group, find_peaks(spectra))

    @property
    def tolerance(self) -> float:
        """Points within which a peak is in its place: a quarter of the measured peaks' median FWHM, at least 2."""
        return tolerance_of(self.peaks)

    @property
    def point(self) -> float:
        """Distance of two points of the axis, in its unit."""
        return float(np.median(np.abs(np.diff(self.axis.values))))

    def figures(self, answer: Spectra) -> Figures:
        """Every figure of each pair.

        ``pearson``, ``rmse``, ``r2``, ``psnr`` (decibels, of a largest intensity of 1, at most `CLEAREST`), ``ssim``
        (one dimension, Gaussian window), ``spectral_angle`` (radians), ``peak_f1`` (within `tolerance`),
        ``pearson_blurred`` where `BLURS` has the modality, and ``top1`` and ``top5``: whether the mineral is among the
        first that a search for the answer finds in the library of all measured targets, those that were held out
        included, each mineral by its most similar spectrum (smallest spectral angle).

        Parameters
        ----------
        answer : float32 [n, L]
        """
        answer, truth, mask = answer * self.mask, self.spectra, self.mask
        squares = _mean(np.square(answer.astype(np.float64) - truth), mask)
        angle = angles(answer, truth, mask)
        places = place(angle, self.group)
        return {
            "pearson": correlation(answer, truth, mask),
            "rmse": np.sqrt(squares),
            "r2": 1 - squares / _variance(truth, mask),
            "psnr": (-10 * np.log10(squares.clip(min=1e-12))).clip(max=CLEAREST),
            "ssim": ssim(answer, truth, mask),
            "spectral_angle": np.diagonal(angle).copy(),
            "peak_f1": peak_f1(find_peaks(answer), self.peaks, len(truth), self.tolerance),
            **{name: (places <= first).astype(np.float64) for name, first in FIRST.items()},
            **self._blurred(answer),
        }

    def _blurred(self, answer: Spectra) -> Figures:
        if self.axis.modality not in BLURS:
            return {}
        points = BLURS[self.axis.modality] / self.point
        a, b = (gaussian_filter1d(spectra, points, axis=1) for spectra in (answer, self.spectra))
        return {"pearson_blurred": correlation(a, b, self.mask)}


def correlation(answer: Spectra, truth: Spectra, mask: Spectra) -> Float64[np.ndarray, " n"]:
    """Pearson correlation of each pair of rows; 0 where one of them is constant."""
    found: Float64[np.ndarray, " n"] = pearson(*map(tensor_of, (answer, truth, mask))).double().numpy()
    return found


def peak_f1(ours: Peaks, theirs: Peaks, rows: int, tolerance: float) -> Float64[np.ndarray, " n"]:
    """Harmonic mean of the shares of peaks that stand at a measured one, and of measured peaks that are found."""
    pairs = zip(_by_row(ours, rows), _by_row(theirs, rows), strict=True)
    return np.array([matched(a, b, np.empty(0), tolerance).f1 for a, b in pairs])


def ssim(answer: Spectra, truth: Spectra, mask: Spectra) -> Float64[np.ndarray, " n"]:
    """Structural similarity (Wang et al. 2004, equation 13) along one dimension, mean over the measured points."""
    a, b = (spectra.astype(np.float64) for spectra in (answer, truth))
    (mean_a, mean_b), (square_a, square_b, product) = (
        [gaussian_filter1d(spectra, WINDOW, axis=1) for spectra in group] for group in ((a, b), (a * a, b * b, a * b))
    )
    var_a, var_b, covariance = square_a - mean_a**2, square_b - mean_b**2, product - mean_a * mean_b
    alike = (2 * mean_a * mean_b + LUMINANCE) * (2 * covariance + CONTRAST)
    alike /= (mean_a**2 + mean_b**2 + LUMINANCE) * (var_a + var_b + CONTRAST)
    return _mean(alike, mask)


def angles(answer: Spectra, library: Spectra, mask: Spectra) -> Float64[np.ndarray, "n n"]:
    """Spectral angle of every answer to every library spectrum, over the points where the latter was measured."""
    a, b = (spectra.astype(np.float64) for spectra in (answer, library * mask))
    norms = np.sqrt((a * a) @ mask.T.astype(np.float64) * (b * b).sum(axis=1))
    found: Float64[np.ndarray, "n n"] = np.arccos((a @ b.T / norms.clip(min=1e-12)).clip(-1, 1))
    return found


def place(angle: Float64[np.ndarray, "n n"], group: Names) -> NDArray[np.intp]:
    """Which place [n], from 1, the asked mineral takes among all, each mineral by its smallest angle."""
    names, own = np.unique(group, return_inverse=True)
    nearest = np.stack([angle[:, group == name].min(axis=1) for name in names], axis=1)
    mine = nearest[np.arange(len(own)), own][:, None]
    # A tie with another mineral counts against the answer: the mean spectrum must not find all of them.
    places: NDArray[np.intp] = (nearest <= mine).sum(axis=1)
    return places


def _mean(values: Float64[np.ndarray, "n L"], mask: Spectra) -> Float64[np.ndarray, " n"]:
    """Over the measured points."""
    mean: Float64[np.ndarray, " n"] = (values * mask).sum(axis=1) / mask.sum(axis=1).clip(min=1)
    return mean


def _variance(truth: Spectra, mask: Spectra) -> Float64[np.ndarray, " n"]:
    spectra = truth.astype(np.float64)
    return _mean(np.square(spectra - _mean(spectra, mask)[:, None]), mask).clip(min=1e-12)


def _by_row(peaks: Peaks, rows: int) -> list[Consensus]:
    """The peaks of each spectrum."""
    ends = np.searchsorted(peaks.row, np.arange(rows + 1))
    positions: list[Float[np.ndarray, " k"]] = [peaks.position[a:b] for a, b in pairwise(ends.tolist())]
    return [Consensus(position, np.ones(len(position))) for position in positions]
