"""The steps of classical augmentation: changes that a measurement could have made, to a whole batch at once.

Each step draws its strength for every spectrum from a range of its own, and leaves a spectrum alone with probability
1 - `probability`. Offset, slope and scale are those of Bjerrum, Glahder and Skov (2017, arXiv:1710.01927).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Float
from numpy.random import Generator

from lineshape.errors import UsageError
from lineshape_training.resampling.batch import Batch

Range: TypeAlias = tuple[float | int, float | int]


@dataclass(frozen=True)
class Step(ABC):
    """One change, made to a spectrum with a probability.

    A step of its own kind adds one field, the range of its strength, and writes `changed`.
    """

    _: KW_ONLY
    probability: float | int = 0.5

    def __post_init__(self) -> None:
        low, high = self._range
        if not -np.inf < low <= high < np.inf:
            raise UsageError(f"{self!r}: its range must run from low to high")
        if not 0 <= self.probability <= 1:
            raise UsageError(f"{self!r}: a probability lies between 0 and 1")

    def __call__(self, batch: Batch, rng: Generator) -> Batch:
        """The batch with the change made to those spectra that chance picks."""
        chosen = rng.random(len(batch)) < self.probability
        return batch.put(chosen, self.changed(batch.at(chosen), rng))

    @abstractmethod
    def changed(self, batch: Batch, rng: Generator) -> Batch:
        """The change made to every spectrum of a batch."""

    @property
    def _range(self) -> Range:
        low, high = next(getattr(self, field.name) for field in fields(self) if field.name != "probability")
        return low, high

    def _strength(self, batch: Batch, rng: Generator) -> Float[np.ndarray, "n 1"]:
        return rng.uniform(*self._range, size=(len(batch), 1)).astype(batch.values.dtype)


@dataclass(frozen=True)
class Blend(Step):
    """Mix a spectrum with another of its class, of another group where there is one.

    The amount of an analyte is mixed by the same weight, for spectra add as amounts do (Beer and Lambert).

    Parameters
    ----------
    weight : (low, high), between 0 and 1
        Share of the first spectrum.
    """

    weight: Range = (0.1, 0.9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.weight[0] <= self.weight[1] <= 1:
            raise UsageError(f"{self!r}: a weight lies between 0 and 1")

    def changed(self, batch: Batch, rng: Generator) -> Batch:
        """Mixtures with real spectra of the pool."""
        pool, partner = batch.pool, batch.pool.partners(batch.rows, rng)
        weight = self._strength(batch, rng)
        values = weight * batch.values + (1 - weight) * pool.values[partner]
        if batch.amounts is None or pool.amounts is None:
            return replace(batch, values=values)
        share = weight[:, 0].astype(np.float64)
        return replace(batch, values=values, amounts=share * batch.amounts + (1 - share) * pool.amounts[partner])


@dataclass(frozen=True)
class Shift(Step):
    """Move a spectrum along its axis by a part of a point, as a calibration that drifts does.

    Between points by cubic convolution (Keys 1981, IEEE Trans. Acoust. Speech 29, 1153); the end values are held.

    Parameters
    ----------
    points : (low, high)
        Above 0 towards the end of the axis.
    """

    points: Range = (-2, 2)

    def changed(self, batch: Batch, rng: Generator) -> Batch:
        """Shifted spectra."""
        length = batch.values.shape[1]
        shift = self._strength(batch, rng)
        whole = np.floor(-shift)
        start = np.arange(length) + whole.astype(np.intp)
        values = np.zeros_like(batch.values)
        for step, weight in zip((-1, 0, 1, 2), _keys(-shift - whole), strict=True):
            values += weight * np.take_along_axis(batch.values, np.clip(start + step, 0, length - 1), axis=1)
        return replace(batch, values=values)


def _keys(t: Float[np.ndarray, "n 1"]) -> tuple[Float[np.ndarray, "n 1"], ...]:
    """Weights of the points at -1, 0, 1 and 2 for a place at t between 0 and 1."""
    before = ((2 - t) * t - 1) * t / 2
    after = (t - 1) * t * t / 2
    return before, ((3 * t - 5) * t * t + 2) / 2, ((4 - 3 * t) * t + 1) * t / 2, after


@dataclass(frozen=True)
class Scale(Step):
    """Multiply a spectrum, as laser power and focus do. The amount of an analyte stays: see `ClassicalAugmentation`.

    Parameters
    ----------
    factor : (low, high)
    """

    factor: Range = (0.9, 1.1)

    def changed(self, batch: Batch, rng: Generator) -> Batch:
        """Scaled spectra."""
        return replace(batch, values=self._strength(batch, rng) * batch.values)


@dataclass(frozen=True)
class Intensify(Step):
    """Raise a spectrum above its own floor, its lowest value, which stays. The amount of an analyte stays.

    After SNV the floor lies below 0, where `Scale` would push it down as it pulls the lines up.

    Parameters
    ----------
    factor : (low, high)
    """

    factor: Range = (1.01, 1.15)

    def changed(self, batch: Batch, rng: Generator) -> Batch:
        """Intensified spectra."""
        floor = batch.values.min(axis=1, keepdims=True)
        return replace(batch, values=floor + self._strength(batch, rng) * (batch.values - floor))


@dataclass(frozen=True)
class Offset(Step):
    """Lift or lower a spectrum, as a background that was not quite taken off does.

    Parameters
    ----------
    height : (low, high)
        In parts of the spectrum's range from its lowest to its highest value.
    """

    height: Range = (-0.05, 0.05)

    def changed(self, batch: Batch, rng: Generator) -> Batch:
        """Lifted or lowered spectra."""
        return replace(batch, values=batch.values + self._strength(batch, rng) * _extent(batch))


@dataclass(frozen=True)
class Slope(Step):
    """Tilt a spectrum about the middle of its axis.

    Parameters
    ----------
    rise : (low, high)
        From the first point to the last, in parts of the spectrum's range from its lowest to its highest value.
    """

    rise: Range = (-0.05, 0.05)

    def changed(self, batch: Batch, rng: Generator) -> Batch:
        """Tilted spectra."""
        ramp = np.linspace(-0.5, 0.5, batch.values.shape[1], dtype=batch.values.dtype)
        return replace(batch, values=batch.values + self._strength(batch, rng) * _extent(batch) * ramp)


@dataclass(frozen=True)
class Noise(Step):
    """Add white Gaussian noise at a signal-to-noise ratio.

    The ratio is 10 log10 of the variance of the spectrum over its points to the variance of the noise; a constant
    offset is no signal. Made to every spectrum unless told otherwise, so that none leaves as a copy of a real one.

    Parameters
    ----------
    snr_db : (low, high)
        In decibels.
    """

    snr_db: Range = (20, 40)
    _: KW_ONLY
    probability: float | int = 1.0

    def changed(self, batch: Batch, rng: Generator) -> Batch:
        """Noisier spectra."""
        sigma = batch.values.std(axis=1, keepdims=True) * 10 ** (-self._strength(batch, rng) / 20)
        noise = rng.standard_normal(batch.values.shape, dtype=batch.values.dtype)
        return replace(batch, values=batch.values + sigma * noise)


def _extent(batch: Batch) -> Float[np.ndarray, "n 1"]:
    return np.asarray(np.ptp(batch.values, axis=1, keepdims=True))
