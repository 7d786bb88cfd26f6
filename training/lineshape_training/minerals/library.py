"""The table of lines: what was fitted to measured spectra and computed from crystal structures, with citations."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

import msgspec

Modality: TypeAlias = Literal["raman", "ir", "xrd"]


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A fitted line.

    Parameters
    ----------
    position : float
        Raman shift or wavenumber, cm-1.
    height : float
        Relative to the strongest line of the spectrum.
    fwhm : float
        Full width at half maximum, cm-1.
    eta : float
        Lorentzian fraction of its pseudo-Voigt shape, 0 to 1.
    """

    position: float
    height: float
    fwhm: float
    eta: float


class Stick(msgspec.Struct, frozen=True, array_like=True):
    """A computed powder line.

    Parameters
    ----------
    two_theta : float
        Degrees, for Cu K-alpha 1 (1.5406 angstrom).
    area : float
        Integrated intensity relative to the strongest line.
    """

    two_theta: float
    area: float


class Fitted(msgspec.Struct, frozen=True):
    """Lines fitted to one measured spectrum.

    Parameters
    ----------
    source : str
        RRUFF id of the specimen and, for Raman, the laser.
    r2 : float
        Share of the spectrum's variance about a straight baseline that the lines explain.
    lines : tuple of Line
        By rising position.
    """

    source: str
    r2: float
    lines: tuple[Line, ...]


class Computed(msgspec.Struct, frozen=True):
    """Powder lines computed from one published structure.

    Parameters
    ----------
    source : str
        Database number and publication of the structure.
    lines : tuple of Stick
        By rising angle.
    """

    source: str
    lines: tuple[Stick, ...]


class Mineral(msgspec.Struct, frozen=True):
    """A mineral: Raman lines and XRD sticks, and IR bands where a usable spectrum was measured."""

    name: str
    formula: str
    raman: Fitted
    xrd: Computed
    ir: Fitted | None = None

    def has(self, modality: Modality) -> bool:
        """Whether the library knows this mineral in that modality."""
        return modality != "ir" or self.ir is not None


class Library(msgspec.Struct, frozen=True):
    """The whole file: how it was made, where its numbers come from, and the minerals."""

    about: str
    sources: str
    minerals: tuple[Mineral, ...]


@cache
def load_library() -> Library:
    """The embedded library; read once."""
    return msgspec.json.decode(files(__package__).joinpath("library.json").read_bytes(), type=Library)


def load_minerals() -> tuple[Mineral, ...]:
    """All minerals of the embedded library, by name."""
    return load_library().minerals
