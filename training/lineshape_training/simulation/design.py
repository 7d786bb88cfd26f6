"""What to simulate: how many of what, how far the classes lie apart, and two seeds."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import isfinite

from lineshape.errors import UsageError
from lineshape_training.simulation.techniques import TECHNIQUES

LARGEST_EFFECT = 10.0  # beyond it a marker's amount could fall below 0
NOISE = (1e-3, 100.0)  # of the detector, if there is any; outside, Poisson counts leave the range of their generator
FEWEST_POINTS = 32
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]*")


@dataclass(frozen=True)
class Design:
    """A simulated study.

    Parameters
    ----------
    modality : str
        ``raman``, ``ir``, ``nir``, ``maldi`` or ``xrd``.
    classes, subjects, replicates : int
        Classes, subjects of each class, spectra of each subject.
    instruments : int
        Instrument 0 is the reference, the others differ from it; subject k is measured for the r-th time on instrument
        ``(k + r) mod instruments``, so that instruments are no hint of the class.
    analytes : tuple of str
        Substances of known amount that say nothing of the class.
    effect : float
        Distance between the means of any two classes in units of the standard deviation between subjects, 0 to 10.
    points : int, optional
        Of the axis; the modality's usual number unless given.
    noise : float
        Detector noise relative to the usual one: 0 for none, or .001 to 100.
    background : float
        Baselines and multiplicative scatter relative to the usual ones; 0 for none.
    population, seed : int
        At least 0. `population` decides what all studies of one population share: lines, class means, instruments.
        `seed` decides which subjects are drawn from it, and every noise.

    Raises
    ------
    UsageError
        For a number outside its range, an unknown modality or an analyte's name that is no plain name or comes twice.
    """

    modality: str
    classes: int = 2
    subjects: int = 20
    replicates: int = 5
    instruments: int = 1
    analytes: tuple[str, ...] = ()
    effect: float = 1.0
    points: int | None = None
    noise: float = 1.0
    background: float = 1.0
    population: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.modality not in TECHNIQUES:
            raise UsageError(f"no simulation of modality {self.modality!r}; choose from {', '.join(TECHNIQUES)}")
        least = {"classes": 1, "subjects": 1, "replicates": 1, "instruments": 1, "population": 0, "seed": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UsageError(f"{name} must be at least {low}; got {getattr(self, name)}")
        if self.points is not None and self.points < FEWEST_POINTS:
            raise UsageError(f"points must be at least {FEWEST_POINTS}; got {self.points}")
        self._check_scales()
        self._check_analytes()

    def _check_scales(self) -> None:
        if not 0 <= self.effect <= LARGEST_EFFECT:
            raise UsageError(f"effect must lie between 0 and {LARGEST_EFFECT:g}; got {self.effect}")
        if self.noise != 0 and not NOISE[0] <= self.noise <= NOISE[1]:
            raise UsageError(f"noise must be 0, or lie between {NOISE[0]:g} and {NOISE[1]:g}; got {self.noise}")
        if not (self.background >= 0 and isfinite(self.background)):
            raise UsageError(f"background must be 0 or more; got {self.background}")

    def _check_analytes(self) -> None:
        for name in self.analytes:
            if not _NAME.fullmatch(name):
                raise UsageError(f"analyte {name!r}: a name is a letter, then letters, digits, spaces, '-' and '_'")
        if len(set(self.analytes)) < len(self.analytes):
            raise UsageError(f"an analyte is named twice: {', '.join(self.analytes)}")

    def another(self, seed: int) -> Design:
        """The same study on other subjects of the same population."""
        return replace(self, seed=seed)
