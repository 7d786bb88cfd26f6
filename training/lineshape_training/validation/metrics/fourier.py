"""Fourier distance: do synthetic spectra hold the same frequencies as real ones?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import rel_entr

from lineshape_training.validation.metrics.blocks import Real, Synthetic, comparable

TINY = 1e-12  # the share of a frequency that no real spectrum has: a finite penalty


def fourier_distance(synthetic: Synthetic, real: Real) -> float:
    """Mean Kullback-Leibler divergence of synthetic spectra's Fourier magnitudes from the mean of the real ones'.

    `mean_i sum_f p_i(f) log(p_i(f) / q(f))`, where `p_i` are the magnitudes of one synthetic spectrum's discrete
    Fourier transform (constant term included), divided by their sum, and `q` is the mean of the same of all real ones.

    Smaller is better; from 0, in nats. Real spectra do not reach 0 against other real ones, for each differs from the
    mean, so it must be read beside its real-vs-real floor.

    Blind to where the peaks are: a magnitude has no phase, so spectra that are shifted (cyclically) score exactly as
    before. Where spectra vary about one shape it rewards copies of their mean, which lies closer to the mean than any
    real spectrum does.
    """
    synthetic, real = comparable(synthetic, real)
    mean = np.maximum(_magnitudes(real).mean(axis=0), TINY)
    return float(rel_entr(_magnitudes(synthetic), mean).sum(axis=1).mean())


def _magnitudes(spectra: Float64[np.ndarray, "n L"]) -> Float[np.ndarray, "n f"]:
    """Fourier magnitudes that add up to 1; all alike for a spectrum of zeros."""
    magnitudes = np.maximum(np.abs(np.fft.rfft(spectra)), np.finfo(np.float64).tiny)
    shares: Float[np.ndarray, "n f"] = magnitudes / magnitudes.sum(axis=1, keepdims=True)
    return shares
