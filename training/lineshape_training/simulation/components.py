"""Pure components: their lines, and the spectra that an instrument shows of them at unit concentration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from lineshape.axis import SpectralAxis
from lineshape_training.lineshapes import area, profile, thompson, widths
from lineshape_training.minerals.streams import stream
from lineshape_training.simulation.techniques import Technique

FINEST = 2.0  # FWHM of the narrowest line, in steps of the axis; a narrower one would slip between the points
MARGIN = 0.03  # share of the axis at either end that stays free of line centres


@dataclass(frozen=True, eq=False)
class Component:
    """A pure substance.

    Parameters
    ----------
    name : str
    position, fwhm, eta, height : float64 [lines]
        Of its pseudo-Voigt lines at unit concentration: centre and full width at half maximum in the axis's unit,
        Lorentzian fraction, height in the detector's unit.
    """

    name: str
    position: Float64[np.ndarray, " lines"]
    fwhm: Float64[np.ndarray, " lines"]
    eta: Float64[np.ndarray, " lines"]
    height: Float64[np.ndarray, " lines"]


@dataclass(frozen=True)
class Instrument:
    """How an instrument differs from the reference: Gaussian `resolution` (FWHM), `offset`, `tilt` of its response.

    For MALDI `resolution` and `offset` are relative to the position, else in units of the axis. The response is
    ``1 - tilt`` at the start of the axis and ``1 + tilt`` at its end.
    """

    resolution: float = 0.0
    offset: float = 0.0
    tilt: float = 0.0


def reference(technique: Technique, axis: SpectralAxis) -> Component:
    """The first component, whose concentration is always 1."""
    position, fwhm, eta, height = np.array(technique.reference, np.float64).T
    return Component("reference", position, _resolved(fwhm, axis), eta, height * technique.full)


def draw_component(technique: Technique, axis: SpectralAxis, name: str, unit: float, population: int) -> Component:
    """A component of a population with lines of its own, drawn by its name.

    Parameters
    ----------
    technique : Technique
    axis : SpectralAxis
    name : str
    unit : float
        Concentration at which it is about as strong as the technique's `bands` say.
    population : int
    """
    bands, rng = technique.bands, stream(population, "simulation", axis.modality, "component", name)
    n = int(rng.integers(bands.number[0], bands.number[1] + 1))
    edge = MARGIN * (axis.high - axis.low)
    position = np.sort(rng.uniform(axis.low + edge, axis.high - edge, n))
    fwhm = rng.uniform(*bands.width, n) * bands.growth(position)
    eta = rng.uniform(*bands.eta, n)
    height = bands.height * np.exp(0.6 * rng.standard_normal(n) - (position - axis.low) / bands.decay)
    return Component(name, position, _resolved(fwhm, axis), eta, height * technique.full / unit)


def _resolved(fwhm: Float64[np.ndarray, " lines"], axis: SpectralAxis) -> Float64[np.ndarray, " lines"]:
    return np.asarray(np.maximum(fwhm, FINEST * (axis.high - axis.low) / (len(axis) - 1)))


def render(
    components: tuple[Component, ...], axis: SpectralAxis, technique: Technique, instrument: Instrument
) -> Float64[np.ndarray, "c L"]:
    """What an instrument shows of each component at unit concentration, without noise.

    Broadening keeps each line's area; the instrument's Gaussian adds to the line's in quadrature.
    """
    columns = ("position", "fwhm", "eta", "height")
    lines = (torch.from_numpy(np.concatenate([getattr(c, name) for c in components]))[:, None] for name in columns)
    position, fwhm, eta, height = lines
    scale = torch.from_numpy(technique.scaled(position.numpy()))
    if instrument.resolution > 0:
        gauss, lorentz = widths(fwhm, eta)
        before = area(fwhm, eta)
        fwhm, eta = thompson((gauss**2 + (instrument.resolution * scale) ** 2).sqrt(), lorentz)
        height = height * before / area(fwhm, eta)
    x = torch.tensor(axis.values)
    shapes = (height * profile(x, position + instrument.offset * scale, fwhm, eta)).numpy()
    first = np.cumsum([0, *(len(c.position) for c in components[:-1])])
    response = 1 + instrument.tilt * np.linspace(-1, 1, len(axis))
    return np.asarray(np.add.reduceat(shapes, first, axis=0) * response, np.float64)
