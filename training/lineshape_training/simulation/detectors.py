"""The noise of a detector around the intensities that it would record on average.

Counting detectors (Raman, MALDI, XRD) have Poisson counts and a normal read-out noise. An absorbance (IR, NIR) comes
from light with normal noise, A = -log10(T + noise), which weighs more where a specimen absorbs more. `noise` scales
all standard deviations and leaves the means alone; at 0 a detector answers what it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Draws one measurement of an expected spectrum, float64 [L] both, at `noise` times the usual standard deviation.
Detector: TypeAlias = Callable[[Floats, float, np.random.Generator], Floats]

DARKEST = 1e-4  # transmittance that a detector still tells from none


def count(expected: Floats, noise: float, rng: np.random.Generator, *, read: float) -> Floats:
    """Poisson counts of variance `noise**2 * expected`, and normal noise of `noise * read` counts."""
    if noise == 0:
        return expected
    shot = rng.poisson(np.maximum(expected, 0) / noise**2) * noise**2
    return np.asarray(shot + noise * read * rng.standard_normal(len(expected)), np.float64)


def absorb(expected: Floats, noise: float, rng: np.random.Generator, *, light: float) -> Floats:
    """Absorbance from a transmittance with normal noise of `noise * light`."""
    if noise == 0:
        return expected
    transmitted = 10**-expected + noise * light * rng.standard_normal(len(expected))
    return np.asarray(-np.log10(np.maximum(transmitted, DARKEST)), np.float64)
