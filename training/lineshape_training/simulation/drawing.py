"""Subjects and replicates drawn from a population, and measured.

Every subject and every replicate has a random stream of its own, so that subject 3 of a class is the same whatever
their number. The expected spectrum is

    scatter * (concentrations @ responses of the instrument) + amounts @ baselines

and the detector's noise comes on top. Nine tenths of the variance of a baseline's (log-normal) amount lie between
subjects: a spectrum gives its subject away, as measured ones do. Concentrations are drawn before anything that belongs
to a modality, so that designs that differ in their modality alone describe the same subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from lineshape_training.minerals.streams import stream
from lineshape_training.simulation.components import Component
from lineshape_training.simulation.design import Design
from lineshape_training.simulation.population import AMOUNTS, REPLICATE, SPREAD, Population
from lineshape_training.simulation.techniques import TECHNIQUES
from lineshape_training.spectra import SpectraTable

BETWEEN = 0.9  # share of a baseline's variance that lies between subjects


@dataclass(frozen=True, eq=False)
class Simulated:
    """A simulated study and the truth about it.

    Parameters
    ----------
    table : SpectraTable
        Row by row: label the class, group the subject, identity the replicate; subjects of another seed are others.
    population : Population
        Where it was drawn from; it unmixes spectra and knows the classes' probabilities.
    concentrations : float64 [n, c]
        Of each component; those of an analyte stand in `table.analytes` too.
    expected : float64 [n, L]
        The spectra before the detector's noise, after the instrument and with their baselines.
    """

    table: SpectraTable
    population: Population
    concentrations: Float64[np.ndarray, "n c"]
    expected: Float64[np.ndarray, "n L"]

    @property
    def components(self) -> tuple[Component, ...]:
        """The reference, the markers and the analytes, with their lines."""
        return self.population.components

    @property
    def pure(self) -> Float64[np.ndarray, "c L"]:
        """The components at unit concentration on the reference instrument."""
        return self.population.pure

    @property
    def class_means(self) -> Float64[np.ndarray, "classes L"]:
        """Mean spectra of the classes in the population."""
        return self.population.class_means

    @property
    def best_accuracy(self) -> float:
        """Highest balanced accuracy that a classifier of single spectra of new subjects can reach."""
        return self.population.best_accuracy()


def simulate(design: Design) -> Simulated:
    """Draw a study; equal designs give equal bytes.

    Parameters
    ----------
    design : Design

    Returns
    -------
    Simulated
        Rows by class, then subject, then replicate.
    """
    population = Population.of(design)
    rows = np.indices((design.classes, design.subjects, design.replicates)).reshape(3, -1).T
    streams = [stream(design.seed, "simulation", "replicate", *row) for row in rows.tolist()]
    concentrations, unevenness = _subjects(population)
    concentrations[:, _markers(population)] += SPREAD * REPLICATE * _normals(streams, population.shift.shape[1])
    instrument = (rows[:, 1] + rows[:, 2]) % design.instruments
    expected = _expected(population, concentrations, unevenness, instrument, streams)
    detect = TECHNIQUES[design.modality].detector
    values = np.stack([detect(row, design.noise, rng) for row, rng in zip(expected, streams, strict=True)])
    table = _table(population, rows, instrument, concentrations, values.astype(np.float32))
    return Simulated(table, population, concentrations, expected)


def _normals(streams: list[np.random.Generator], width: int) -> Float64[np.ndarray, "n width"]:
    return np.stack([rng.standard_normal(width) for rng in streams])


def _markers(population: Population) -> slice:
    return slice(1, 1 + population.shift.shape[1])


def _subjects(population: Population) -> tuple[Float64[np.ndarray, "n c"], Float64[np.ndarray, "n b"]]:
    """Concentrations of each spectrum's subject, and normals that say how uneven its baselines are."""
    design = population.design
    keys = np.ndindex(design.classes, design.subjects)
    streams = [stream(design.seed, "simulation", "subject", *key) for key in keys]
    concentrations = np.repeat(population.mean_concentrations, design.subjects, axis=0)
    concentrations[:, _markers(population)] += SPREAD * _normals(streams, population.shift.shape[1])
    first = concentrations.shape[1] - len(design.analytes)
    concentrations[:, first:] = np.stack([rng.uniform(*AMOUNTS, len(design.analytes)) for rng in streams])
    unevenness = _normals(streams, len(population.baselines))
    return np.repeat(concentrations, design.replicates, axis=0), np.repeat(unevenness, design.replicates, axis=0)


def _expected(
    population: Population,
    concentrations: Float64[np.ndarray, "n c"],
    unevenness: Float64[np.ndarray, "n b"],
    instrument: Int64[np.ndarray, " n"],
    streams: list[np.random.Generator],
) -> Float64[np.ndarray, "n L"]:
    technique = TECHNIQUES[population.design.modality]
    scatter = _around_one(_normals(streams, 1), technique.scatter * population.design.background)
    own = _normals(streams, len(population.baselines))
    uneven = np.sqrt(BETWEEN) * unevenness + np.sqrt(1 - BETWEEN) * own
    expected = _around_one(uneven, technique.uneven) @ population.baselines
    for number, response in enumerate(population.responses):
        on = instrument == number
        expected[on] += scatter[on] * concentrations[on] @ response
    return np.asarray(expected)


def _around_one(normals: Float64[np.ndarray, "n k"], spread: float) -> Float64[np.ndarray, "n k"]:
    """Log-normal factors of mean 1."""
    return np.asarray(np.exp(spread * normals - spread**2 / 2))


def _table(
    population: Population,
    rows: Int64[np.ndarray, "n 3"],
    instrument: Int64[np.ndarray, " n"],
    concentrations: Float64[np.ndarray, "n c"],
    values: Float32[np.ndarray, "n L"],
) -> SpectraTable:
    design = population.design
    label = np.array([f"class-{c}" for c, _, _ in rows])
    group = np.array([f"class-{c}/seed-{design.seed}/subject-{k}" for c, k, _ in rows])
    identity = np.array([f"{subject}/replicate-{r}" for subject, r in zip(group, rows[:, 2], strict=True)])
    number = np.array([f"instrument-{i}" for i in instrument]) if design.instruments > 1 else None
    amounts = concentrations.T[concentrations.shape[1] - len(design.analytes) :].copy()
    analytes = dict(zip(design.analytes, amounts, strict=True))
    return SpectraTable(values, np.ones_like(values), population.axis, group, identity, label, number, analytes)
