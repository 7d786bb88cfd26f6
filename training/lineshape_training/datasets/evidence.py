"""What was measured of the thresholds that the field goes by: a learning curve over independent groups.

`curve.json` is made from `docs/results` by `scripts/readme_tables.py`: Raman spectra of the saliva of 84 patients,
fitted on 5, 10, 20, 40 and all patients of each fold, judged on others. One set of one technique: a hint, not a law.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec


class Measured(msgspec.Struct, frozen=True):
    """What adding as many synthetic spectra again did to the balanced accuracy, mean of five probes.

    Parameters
    ----------
    method : str
        `vae` or an augmentation.
    groups : int
        Independent groups of the fit, all classes together.
    gain, low, high : float
        Paired difference to real spectra only, with its 95 % interval over groups.
    """

    method: str
    groups: int
    gain: float
    low: float
    high: float

    @property
    def verdict(self) -> Literal["helped", "made no difference", "hurt"]:
        """By the interval."""
        return "helped" if self.low > 0 else "hurt" if self.high < 0 else "made no difference"


@cache
def curve() -> tuple[Measured, ...]:
    """Every point of the learning curve."""
    content = (files("lineshape_training.datasets") / "curve.json").read_bytes()
    return msgspec.json.decode(content, type=tuple[Measured, ...])


def nearest(method: str, groups: int) -> Measured | None:
    """The point of a method whose number of groups is nearest, by ratio; None for a method that was not measured."""
    points = [point for point in curve() if point.method == method]
    return min(points, key=lambda point: max(point.groups / groups, groups / point.groups), default=None)
