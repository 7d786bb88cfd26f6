"""A specimen of a mineral, and its lines before any instrument sees them.

Specimens differ in composition and strain, in crystallinity and in orientation. A lattice stretched by the linear
strain e moves all modalities together: Bragg's law gives sin(theta') = sin(theta) / (1 + e), and a vibration of
Grueneisen parameter gamma moves from nu to nu (1 - 3 gamma e), 3 e being the change of volume. Small crystallites
broaden XRD lines as K lambda / (size cos theta) (Scherrer, K = .9) and microstrain as 4 strain tan theta (Stokes and
Wilson), FWHM in radians of two-theta. Orientation multiplies each line by a random factor: a stand-in for the
polarisation of Raman light and for texture of a powder, not a model of either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lineshape.axis import CU_K_ALPHA
from lineshape_training.lineshapes import area, widths
from lineshape_training.minerals.library import Computed, Fitted, Mineral, Modality
from lineshape_training.minerals.streams import stream

SCHERRER = 0.9
STRAIN = 8e-4  # standard deviation of the linear lattice strain, about that of a few per cent of solid solution
ORIENTATION = {"raman": 0.30, "ir": 0.10, "xrd": 0.20}  # standard deviation of the logarithm of a line's area
LINE_SCATTER = 0.3  # cm-1, what strain does not explain of a vibration's position

Floats = NDArray[np.float64]


class Lines(NamedTuple):
    """Lines of a specimen: positions, areas and both widths (FWHM), float64 [n] each, in the axis's unit."""

    position: Floats
    area: Floats
    fwhm_gauss: Floats
    fwhm_lorentz: Floats


@dataclass(frozen=True)
class Specimen:
    """One specimen, the same in every modality.

    Parameters
    ----------
    mineral : Mineral
    number, seed : int
        Specimen `number` of this mineral under `seed`.
    strain : float
        Linear strain of the lattice against the library's.
    disorder : float
        Factor of all vibrational widths.
    crystallite : float
        Size of the crystallites, angstrom.
    microstrain : float
        Spread of strain within a crystallite.
    """

    mineral: Mineral
    number: int
    seed: int
    strain: float
    disorder: float
    crystallite: float
    microstrain: float

    def lines(self, modality: Modality) -> Lines:
        """The specimen's lines in a modality that its mineral has."""
        if modality == "xrd":
            return _diffracted(self, self.mineral.xrd)
        fitted = self.mineral.raman if modality == "raman" else self.mineral.ir
        assert fitted is not None
        return _vibrational(self, fitted, modality)

    def stream(self, purpose: str) -> np.random.Generator:
        """The specimen's own random stream for one purpose."""
        return stream(self.seed, "specimen", self.mineral.name, self.number, purpose)


def draw_specimen(mineral: Mineral, number: int, seed: int) -> Specimen:
    """Specimen `number` of a mineral; it depends on nothing but these three."""
    rng = stream(seed, "specimen", mineral.name, number)
    return Specimen(mineral, number, seed,
                    strain=float(rng.normal(0, STRAIN)),
                    disorder=float(np.exp(rng.normal(0.03, 0.10))),
                    crystallite=float(np.exp(rng.normal(np.log(1000), 0.4))),
                    microstrain=float(rng.uniform(0, 6e-4)))  # fmt: skip


def _vibrational(specimen: Specimen, fitted: Fitted, modality: Modality) -> Lines:
    position, height, fwhm, eta = np.array([[x.position, x.height, x.fwhm, x.eta] for x in fitted.lines]).T
    # A property of the vibration, so it is drawn once for the mineral, whatever the seed.
    grueneisen = stream(0, "grueneisen", specimen.mineral.name, modality).uniform(0.5, 1.5, len(position))
    rng = specimen.stream(modality)
    moved = position * (1 - 3 * grueneisen * specimen.strain) + rng.normal(0, LINE_SCATTER, len(position))
    gauss, lorentz = widths(torch.from_numpy(fwhm * specimen.disorder), torch.from_numpy(eta))
    areas = height * area(torch.from_numpy(fwhm), torch.from_numpy(eta)).numpy()
    return Lines(moved, areas * _orientation(rng, modality, len(position)), gauss.numpy(), lorentz.numpy())


def _diffracted(specimen: Specimen, computed: Computed) -> Lines:
    two_theta, areas = np.array([[x.two_theta, x.area] for x in computed.lines]).T
    theta = np.arcsin(np.sin(np.radians(two_theta / 2)) / (1 + specimen.strain))
    size = SCHERRER * CU_K_ALPHA / (specimen.crystallite * np.cos(theta))
    strain = 4 * specimen.microstrain * np.tan(theta)
    areas = areas * _orientation(specimen.stream("xrd"), "xrd", len(areas))
    return Lines(np.degrees(2 * theta), areas, np.degrees(strain), np.degrees(size))


def _orientation(rng: np.random.Generator, modality: Modality, n: int) -> Floats:
    return np.exp(rng.normal(0, ORIENTATION[modality], n))
