"""Is a generated spectrum as sharp and as noisy as a measured one?

Networks that average over what a source could mean draw lines that are too wide, and no noise at all. A generated
spectrum's width and signal-to-noise ratio are divided by those of the measured spectrum of the same pair.
"""

from __future__ import annotations

import msgspec
import numpy as np
from jaxtyping import Float32, Float64

from lineshape.peaks import find_peaks, noise
from lineshape.results import Interval, bootstrapped
from lineshape_training.transfer_studies.pairs import Transferred

CLEAR = 0.1  # prominence of a clear line, as a share of the spectrum's largest
LEAST_NOISE = 1e-6  # of the largest intensity: what float32 leaves

Spectra = Float32[np.ndarray, "n L"]


class Resolution(msgspec.Struct, frozen=True):
    """Medians over the pairs that have clear lines in both spectra, with intervals over minerals.

    Parameters
    ----------
    pairs : int
    fwhm_measured, fwhm_generated : Interval
        Median width of the clear lines of a spectrum, in the target axis' unit.
    fwhm_ratio, lines_ratio, snr_ratio : Interval
        Generated over measured, pair by pair: width, number of clear lines, signal-to-noise ratio.
    snr_measured : Interval
        Largest intensity over the standard deviation of the point-to-point noise.
    """

    pairs: int
    fwhm_measured: Interval
    fwhm_generated: Interval
    fwhm_ratio: Interval
    lines_ratio: Interval
    snr_measured: Interval
    snr_ratio: Interval


def resolution(pairs: Transferred) -> Resolution:
    """Widths and noise of generated spectra against measured ones."""
    (width, lines), (own_width, own_lines) = (lines_of(side) for side in (pairs.measured, pairs.generated))
    both = np.isfinite(width) & np.isfinite(own_width)
    step, mineral = float(np.median(np.abs(np.diff(pairs.axis.values)))), pairs.mineral[both]
    snr, own_snr = (signal_to_noise(side[both]) for side in (pairs.measured, pairs.generated))
    figures = (step * width[both], step * own_width[both], own_width[both] / width[both], own_lines[both] / lines[both],
               snr, own_snr / snr)  # fmt: skip
    found = (bootstrapped(values, mineral, lambda drawn: float(np.median(drawn))) for values in figures)
    return Resolution(int(both.sum()), *found)


def lines_of(spectra: Spectra) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Median FWHM of each spectrum's clear lines, in points and NaN where there is none; and how many there are."""
    peaks = find_peaks(spectra, least_share=CLEAR)
    widths = [peaks.fwhm[peaks.row == row] for row in range(len(spectra))]  # a spectrum's peaks, not its points
    median = [float(np.median(of_row)) if len(of_row) else np.nan for of_row in widths]
    return np.array(median), np.array([len(of_row) for of_row in widths], np.float64)


def signal_to_noise(spectra: Spectra) -> Float64[np.ndarray, " n"]:
    """Largest intensity of each spectrum over its noise."""
    largest = spectra.max(1).astype(np.float64)
    return np.asarray(largest / np.maximum(noise(spectra), LEAST_NOISE * largest))
