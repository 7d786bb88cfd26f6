"""High-frequency power: are synthetic spectra as noisy as real ones, or smoother?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from lineshape.errors import DataError
from lineshape_training.validation.metrics.blocks import Real, Synthetic, comparable


def high_frequency_power(spectra: Float[np.ndarray, "n L"]) -> Float64[np.ndarray, " n"]:
    """Mean square of each spectrum's second difference, in squared units of intensity.

    A second difference passes `16 sin(w/2)^4` of the power at frequency `w`: all but nothing of baselines and of lines
    many points wide, and six times the variance of noise that is independent from point to point.
    """
    second = np.diff(spectra.astype(np.float64), n=2, axis=1)
    power: Float64[np.ndarray, " n"] = (second**2).mean(axis=1)
    return power


def high_frequency_power_ratio(synthetic: Synthetic, real: Real) -> float:
    """Mean high-frequency power of synthetic spectra over that of real ones.

    1 is right; below 1 the synthetic spectra are too smooth, above it too rough; from 0. A few rough spectra can hide
    many smooth ones in a mean.

    Raises
    ------
    DataError
        If the real spectra have no high-frequency power at all.
    """
    synthetic, real = comparable(synthetic, real)
    usual = float(high_frequency_power(real).mean())
    if usual <= 0:
        raise DataError("real spectra hold no high-frequency power: they are straight lines, or shorter than 3 points")
    return float(high_frequency_power(synthetic).mean()) / usual
