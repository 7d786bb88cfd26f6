"""What all studies of one population share, and what can be known of its classes.

The concentrations c of a spectrum are 1 for the reference, an amount for each analyte, and for the markers

    c = 1 + SPREAD (m_class + s + REPLICATE r),    s, r ~ N(0, I)

with s drawn once for each subject and r once for each spectrum. The class means m_j are the corners of a regular
simplex: any two lie `effect` apart, so that every pair of classes is told apart equally well. For k equally frequent
classes the optimal rule picks the nearest mean, and it is right with the probability of M-ary orthogonal signalling
(Proakis, Digital Communications, on orthogonal signals),

    P = integral of phi(z - d / sqrt 2) Phi(z)^(k - 1) dz,    d = effect / sqrt(1 + REPLICATE^2 / replicates)

which for two classes is Phi(d / 2). No classifier of spectra can do better, since spectra depend on the class through
the concentrations alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.linalg import helmert
from scipy.special import ndtr, softmax

from lineshape.axis import SpectralAxis
from lineshape_training.minerals.streams import stream
from lineshape_training.simulation.components import Component, Instrument, draw_component, reference, render
from lineshape_training.simulation.design import Design
from lineshape_training.simulation.techniques import TECHNIQUES, Technique

MARKERS = 6  # components that carry the class; more where there are more classes
SPREAD = 0.1  # standard deviation of a marker's concentration between subjects
REPLICATE = 0.5  # the same between replicates of a subject, relative to SPREAD
AMOUNTS = (5.0, 15.0)  # of an analyte, uniform between these
TILT = 0.05  # standard deviation of the tilt of an instrument's response
NODES = 128  # of the Gauss-Hermite rule


@dataclass(frozen=True, eq=False)
class Population:
    """Lines, class means and instruments.

    Parameters
    ----------
    design : Design
    axis : SpectralAxis [L]
    components : tuple of Component
        The reference, the markers, the analytes.
    responses : float64 [instruments, c, L]
        What each instrument shows of each component at unit concentration; the first shows the pure spectra.
    baselines : float64 [b, L]
        Mean baselines; a spectrum has a positive multiple of each.
    shift : float64 [classes, markers]
        The class means m_j.
    """

    design: Design
    axis: SpectralAxis
    components: tuple[Component, ...]
    responses: Float64[np.ndarray, "instruments c L"]
    baselines: Float64[np.ndarray, "b L"]
    shift: Float64[np.ndarray, "classes markers"]

    @classmethod
    def of(cls, design: Design) -> Population:
        """The population that a design draws from; the design's `seed` and `subjects` play no part."""
        technique = TECHNIQUES[design.modality]
        axis = _axis(technique, design.points)
        components = _components(design, technique, axis)
        instruments = [_instrument(design, technique, number) for number in range(design.instruments)]
        responses = np.stack([render(components, axis, technique, instrument) for instrument in instruments])
        u = np.linspace(0, 1, len(axis))
        baselines = np.stack([technique.full * mean * shape(u) for mean, shape in technique.baselines])
        return cls(design, axis, components, responses, design.background * baselines, _shift(design))

    @property
    def pure(self) -> Float64[np.ndarray, "c L"]:
        """The components at unit concentration."""
        return np.asarray(self.responses[0])

    @property
    def mean_concentrations(self) -> Float64[np.ndarray, "classes c"]:
        """Mean concentrations of the classes."""
        marked = 1 + SPREAD * self.shift
        amounts = np.full((len(marked), len(self.design.analytes)), np.mean(AMOUNTS))
        return np.concatenate([np.ones((len(marked), 1)), marked, amounts], axis=1)

    @property
    def class_means(self) -> Float64[np.ndarray, "classes L"]:
        """Mean spectra of the classes, every instrument used equally often."""
        return np.asarray(self.mean_concentrations @ self.responses.mean(axis=0) + self.baselines.sum(axis=0))

    def best_accuracy(self, replicates: int = 1) -> float:
        """Balanced accuracy of the optimal classifier of a new subject by the mean of that many replicates."""
        distance = self.design.effect / np.sqrt(_variance(replicates))
        z, weight = np.polynomial.hermite_e.hermegauss(NODES)
        right = ndtr(z + distance / np.sqrt(2)) ** (self.design.classes - 1)
        return float(weight @ right / weight.sum())

    def posterior(
        self, concentrations: Float64[np.ndarray, "n c"], replicates: int = 1
    ) -> Float64[np.ndarray, "n classes"]:
        """Probability of each class, given the concentrations of one spectrum or their mean over replicates."""
        markers = (concentrations[:, 1 : 1 + self.shift.shape[1]] - 1) / SPREAD
        squared = ((markers[:, None] - self.shift) ** 2).sum(axis=2)
        return np.asarray(softmax(-squared / (2 * _variance(replicates)), axis=1))

    def unmix(self, values: Float64[np.ndarray, "n L"], instrument: int = 0) -> Float64[np.ndarray, "n c"]:
        """Concentrations of spectra that one instrument measured, by least squares; exact where there is no noise.

        The reference's amount, which is known, takes out whatever multiplied the whole spectrum.
        """
        model = np.concatenate([self.responses[instrument], self.baselines])
        amounts = np.linalg.lstsq(model.T, values.T)[0].T[:, : len(self.components)]
        return np.asarray(amounts / amounts[:, :1])


def _variance(replicates: int) -> float:
    """Of a marker within a class, in units of SPREAD squared."""
    return 1 + REPLICATE**2 / replicates


def _axis(technique: Technique, points: int | None) -> SpectralAxis:
    usual = technique.axis
    return SpectralAxis.regular(usual.modality, usual.first, usual.last, points or len(usual), usual.unit,
                                laser_nm=usual.laser_nm, xray_angstrom=usual.xray_angstrom)  # fmt: skip


def _markers(design: Design) -> int:
    return max(MARKERS, design.classes - 1)


def _components(design: Design, technique: Technique, axis: SpectralAxis) -> tuple[Component, ...]:
    units = {f"marker {k}": 1.0 for k in range(_markers(design))}
    units |= {f"analyte {name}": float(np.mean(AMOUNTS)) for name in design.analytes}
    drawn = (draw_component(technique, axis, name, unit, design.population) for name, unit in units.items())
    return (reference(technique, axis), *drawn)


def _instrument(design: Design, technique: Technique, number: int) -> Instrument:
    if number == 0:
        return Instrument()
    rng = stream(design.population, "simulation", design.modality, "instrument", number)
    return Instrument(resolution=rng.uniform(*technique.resolution), offset=rng.normal(0, technique.calibration),
                      tilt=rng.normal(0, TILT))  # fmt: skip


def _shift(design: Design) -> Float64[np.ndarray, "classes markers"]:
    """Corners of a regular simplex of edge `effect` about 0, turned in a direction of the population's own."""
    if design.classes == 1:
        return np.zeros((1, _markers(design)))
    corners = helmert(design.classes).T * design.effect / np.sqrt(2)
    rng = stream(design.population, "simulation", "classes")
    turn, _ = np.linalg.qr(rng.standard_normal((_markers(design), design.classes - 1)))
    return np.asarray(corners @ turn.T)
