"""What an instrument makes of a spectrum: resolution, calibration, background and detector noise.

Each specimen is measured on one of `INSTRUMENTS` instruments of a modality, so that spectra carry the shared traits
of an instrument as measured ones do. All noise is that of the detector: Poisson counts and normal read-out noise for
Raman, Poisson counts for XRD, and for IR normal noise of the transmitted light, which weighs more where a specimen
absorbs more: A = -log10(T + noise).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineshape_training.minerals.library import Modality
from lineshape_training.minerals.streams import stream

INSTRUMENTS = 4
READ_NOISE = 8.0  # counts

Floats = NDArray[np.float64]

# Range of the Gaussian resolution (FWHM) and spread of the calibration error, in the axis's unit. The library's
# vibrational widths hold the resolution of the instrument that measured them; this comes on top.
RESOLUTION: dict[Modality, tuple[float, float]] = {"raman": (0.5, 4.0), "ir": (0.5, 4.0), "xrd": (0.07, 0.14)}
CALIBRATION: dict[Modality, float] = {"raman": 0.5, "ir": 0.3, "xrd": 0.015}


@dataclass(frozen=True)
class Instrument:
    """Traits of one instrument: `resolution` (FWHM) and calibration error `offset`, in the axis's unit."""

    resolution: float
    offset: float


def instrument_of(modality: Modality, rng: np.random.Generator, seed: int) -> Instrument:
    """One of the seed's instruments, chosen by `rng`."""
    own = stream(seed, "instrument", modality, int(rng.integers(INSTRUMENTS)))
    return Instrument(own.uniform(*RESOLUTION[modality]), own.normal(0, CALIBRATION[modality]))


def detect(modality: Modality, signal: Floats, x: Floats, rng: np.random.Generator) -> Floats:
    """Measured intensities of an ideal spectrum.

    Parameters
    ----------
    modality : str
    signal : float64 [L]
        Sum of the lines, in any scale.
    x : float64 [L]
        The axis.
    rng : numpy Generator

    Returns
    -------
    float64 [L]
        Raman and XRD: counts; IR: absorbance.
    """
    return _DETECTORS[modality](signal / signal.max(), x, rng)


def _raman(signal: Floats, x: Floats, rng: np.random.Generator) -> Floats:
    exposure = np.exp(rng.normal(np.log(6000), 0.5))
    fluorescence = np.minimum(np.exp(rng.normal(np.log(0.06), 0.7)), 0.4)
    center, width = rng.uniform(400, 1600), rng.uniform(500, 1200)
    hump = fluorescence * np.exp(-(((x - center) / width) ** 2))
    slope = rng.normal(0, 0.01) * np.linspace(-1, 1, len(x))
    expected = exposure * np.clip(signal + hump + slope + rng.uniform(0.02, 0.05), 0, None)
    return np.asarray(rng.poisson(expected) + rng.normal(0, READ_NOISE, len(x)), np.float64)


def _ir(signal: Floats, x: Floats, rng: np.random.Generator) -> Floats:
    tilt = rng.normal(0, 0.01) * np.linspace(-1, 1, len(x))
    absorbance = rng.uniform(0.15, 0.7) * (signal + tilt + rng.uniform(0, 0.02))
    light = 10**-absorbance + rng.normal(0, rng.uniform(5e-4, 2e-3), len(x))
    return np.asarray(-np.log10(np.maximum(light, 1e-4)), np.float64)


def _xrd(signal: Floats, x: Floats, rng: np.random.Generator) -> Floats:
    strongest = np.exp(rng.normal(np.log(4000), 0.6))
    air_scatter = rng.uniform(0.5, 3) * np.exp(-(x - x[0]) / rng.uniform(5, 12))
    background = rng.uniform(0.008, 0.03) * (1 + air_scatter)
    return np.asarray(rng.poisson(strongest * (signal + background)), np.float64)


_DETECTORS: dict[Modality, Callable[[Floats, Floats, np.random.Generator], Floats]] = {
    "raman": _raman,
    "ir": _ir,
    "xrd": _xrd,
}
