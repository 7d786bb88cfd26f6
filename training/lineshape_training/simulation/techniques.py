"""What each modality looks like: its axis, lines, baselines, instruments and detector.

The first component of every spectrum is its reference: what holds the sample or was added to it in one known amount.
It is the protein of a biofluid (Raman, IR), water and starch (NIR), Bruker's bacterial test standard (MALDI) or
corundum (XRD, the internal standard of Rietveld work; ICDD PDF 46-1212). Positions are textbook values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import CU_K_ALPHA, SpectralAxis
from lineshape_training.simulation import detectors
from lineshape_training.simulation.detectors import Detector

Floats = NDArray[np.float64]
Shape = Callable[[Floats], Floats]  # of a baseline, over the axis scaled to 0 (its start) to 1


@dataclass(frozen=True)
class Bands:
    """Where the lines of components other than the reference lie; uniform between two limits where there are two.

    Parameters
    ----------
    number : (int, int)
        Lines of a component.
    width : (float, float)
        FWHM, before `growth`.
    eta : (float, float)
        Lorentzian fraction.
    height : float
        Median height relative to the reference's strongest line.
    growth : function of position
        Factor of the FWHM.
    decay : float
        Distance along the axis over which heights fall to 1 / e; below 0 they rise, as those of lower overtones do.
    """

    number: tuple[int, int]
    width: tuple[float, float]
    eta: tuple[float, float]
    height: float
    growth: Shape = np.ones_like
    decay: float = np.inf


@dataclass(frozen=True)
class Technique:
    """One modality.

    Parameters
    ----------
    axis : SpectralAxis
        With the usual number of points.
    reference : tuple of (position, FWHM, eta, height)
        Lines of the first component.
    bands : Bands
    full : float
        Intensity of a line of height 1, in the detector's unit.
    baselines : tuple of (mean, shape)
        Mean amounts in units of `full`.
    uneven : float
        Standard deviation of the logarithm of a baseline's amount.
    scatter : float
        The same of the factor that multiplies a whole spectrum: path length, laser power, filling of the spot.
    resolution, calibration : (float, float), float
        Gaussian FWHM that instruments other than the first add, and the standard deviation of their shift, in units of
        the axis; for MALDI relative to the position.
    detector : Detector
    """

    axis: SpectralAxis
    reference: tuple[tuple[float, float, float, float], ...]
    bands: Bands
    full: float
    baselines: tuple[tuple[float, Shape], ...]
    uneven: float
    scatter: float
    resolution: tuple[float, float]
    calibration: float
    detector: Detector

    @property
    def scaled(self) -> Shape:
        """Factor of an instrument's shift and broadening at a position."""
        return _proportional if self.axis.modality == "maldi" else np.ones_like


def _proportional(position: Floats) -> Floats:
    return position


def _scherrer(two_theta: Floats) -> Floats:
    """Broadening by small crystallites: 1 / cos(theta)."""
    return np.asarray(1 / np.cos(np.radians(two_theta / 2)))


def _hump(center: float, width: float) -> Shape:
    return lambda u: np.exp(-(((u - center) / width) ** 2))


def _decline(length: float) -> Shape:
    return lambda u: np.exp(-u / length)


def _rise(power: float) -> Shape:
    return lambda u: u**power


_level: Shape = np.ones_like

RAMAN = Technique(
    axis=SpectralAxis.regular("raman", 400, 1800, 1001, laser_nm=785),
    reference=(
        (621.0, 10.0, 0.6, 0.20), (643.0, 10.0, 0.6, 0.20), (758.0, 14.0, 0.5, 0.30), (829.0, 18.0, 0.5, 0.35),
        (853.0, 18.0, 0.5, 0.45), (938.0, 30.0, 0.3, 0.40), (1003.0, 9.0, 0.7, 1.00), (1031.0, 11.0, 0.6, 0.35),
        (1126.0, 28.0, 0.3, 0.45), (1208.0, 24.0, 0.3, 0.30), (1250.0, 62.0, 0.2, 0.50), (1340.0, 38.0, 0.2, 0.50),
        (1449.0, 32.0, 0.3, 0.95), (1552.0, 20.0, 0.4, 0.20), (1660.0, 52.0, 0.2, 0.90),
    ),
    bands=Bands(number=(5, 9), width=(9.0, 28.0), eta=(0.2, 0.8), height=0.15),
    full=2500.0,
    baselines=((1.0, _level), (1.2, _decline(0.5)), (0.8, _hump(0.2, 0.5)), (0.5, _hump(0.68, 0.12))),
    uneven=0.4,
    scatter=0.08,
    resolution=(1.0, 6.0),
    calibration=1.0,
    detector=partial(detectors.count, read=8.0),
)  # fmt: skip

IR = Technique(
    axis=SpectralAxis.regular("ir", 900, 1800, 451),
    reference=(
        (1080.0, 90.0, 0.5, 0.30), (1168.0, 40.0, 0.5, 0.10), (1240.0, 62.0, 0.5, 0.30), (1312.0, 40.0, 0.5, 0.20),
        (1398.0, 48.0, 0.5, 0.38), (1454.0, 36.0, 0.5, 0.40), (1516.0, 14.0, 0.6, 0.12), (1545.0, 52.0, 0.5, 0.70),
        (1652.0, 56.0, 0.5, 1.00),
    ),
    bands=Bands(number=(4, 8), width=(14.0, 44.0), eta=(0.5, 1.0), height=0.16),
    full=0.45,
    baselines=((0.05, _level), (0.04, _rise(1.0)), (0.04, _decline(0.3))),
    uneven=0.4,
    scatter=0.05,
    resolution=(1.0, 6.0),
    calibration=0.5,
    detector=partial(detectors.absorb, light=5e-4),
)  # fmt: skip

NIR = Technique(
    axis=SpectralAxis.regular("nir", 1100, 2498, 700),
    reference=(
        (1200.0, 70.0, 0.1, 0.15), (1450.0, 105.0, 0.2, 0.62), (1580.0, 150.0, 0.1, 0.22), (1765.0, 90.0, 0.1, 0.20),
        (1935.0, 95.0, 0.2, 1.00), (2100.0, 170.0, 0.1, 0.75), (2310.0, 90.0, 0.1, 0.45), (2490.0, 150.0, 0.1, 0.80),
    ),
    bands=Bands(number=(4, 7), width=(45.0, 150.0), eta=(0.0, 0.3), height=0.05, decay=-1200.0),
    full=0.35,
    baselines=((0.25, _level), (0.45, _rise(1.5))),
    uneven=0.25,
    scatter=0.06,
    resolution=(4.0, 14.0),
    calibration=1.0,
    detector=partial(detectors.absorb, light=2e-4),
)  # fmt: skip

MALDI = Technique(
    axis=SpectralAxis.regular("maldi", 2000, 20000, 6001),
    reference=(
        (3637.8, 7.0, 0.4, 0.50), (5096.8, 10.0, 0.4, 0.70), (5381.4, 11.0, 0.4, 1.00), (6241.4, 12.0, 0.4, 0.70),
        (7274.0, 14.0, 0.4, 0.75), (10300.1, 20.0, 0.4, 0.40), (13683.2, 34.0, 0.4, 0.15), (16952.3, 45.0, 0.4, 0.08),
    ),
    bands=Bands(number=(6, 11), width=(1 / 650, 1 / 400), eta=(0.2, 0.6), height=0.45, growth=_proportional,
                decay=5000.0),
    full=4000.0,
    baselines=((0.03, _level), (0.35, _decline(0.08)), (0.35, _decline(0.3))),
    uneven=0.4,
    scatter=0.25,
    resolution=(1 / 2000, 1 / 800),
    calibration=3e-4,
    detector=partial(detectors.count, read=0.0),
)  # fmt: skip

XRD = Technique(
    axis=SpectralAxis.regular("xrd", 5, 90, 2048, xray_angstrom=CU_K_ALPHA),
    reference=(
        (25.578, 0.12, 0.5, 0.45), (35.152, 0.12, 0.5, 1.00), (37.776, 0.12, 0.5, 0.21), (43.355, 0.13, 0.5, 0.66),
        (52.549, 0.13, 0.5, 0.34), (57.496, 0.14, 0.5, 0.89), (61.298, 0.14, 0.5, 0.14), (66.519, 0.14, 0.5, 0.23),
        (68.212, 0.15, 0.5, 0.27), (76.869, 0.15, 0.5, 0.29),
    ),
    bands=Bands(number=(8, 16), width=(0.11, 0.2), eta=(0.3, 0.8), height=0.25, growth=_scherrer, decay=60.0),
    full=3000.0,
    baselines=((0.03, _level), (0.06, _decline(0.12)), (0.02, _hump(0.2, 0.2))),
    uneven=0.4,
    scatter=0.08,
    resolution=(0.05, 0.12),
    calibration=0.02,
    detector=partial(detectors.count, read=0.0),
)  # fmt: skip

TECHNIQUES: dict[str, Technique] = {"raman": RAMAN, "ir": IR, "nir": NIR, "maldi": MALDI, "xrd": XRD}
