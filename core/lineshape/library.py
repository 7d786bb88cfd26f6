"""The spectra that a transfer model was fitted on, as they travel in its bundle (`library.npz`).

They answer three questions about a measured spectrum that the model itself cannot: which spectrum of the fit is nearest
to it, whether any of the fit was taken with its laser, and whether its lines are as wide as theirs. A bundle holds them
only if the recipe of its fit says so, for they are measurements: never of patients.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import ReadError, UnsupportedBundle
from lineshape.npz import read_npz
from lineshape.peaks import find_peaks

LIBRARY = "library.npz"
SAME_LASER = 5.0  # nm: lines of one laser that are rounded differently (514.5, 785) are one laser
OTHER_WIDTH = 1.25  # beyond the middle 98 % of the fit's widths by this factor: 1 in 60 Raman spectra of other minerals
FEWEST = 5  # points that a line needs
CLEAR = 0.1  # of a spectrum's largest prominence: what a width is measured on

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Match:
    """The spectrum of the fit that is nearest to a measured one.

    Parameters
    ----------
    name, identity : str
        Of its material and of its specimen.
    similarity : float
        Pearson's correlation of the two as the model sees them, over the points that both were measured at.
    intensities : float32 [L]
        As the model sees it, its largest magnitude 1; NaN where not measured.
    """

    name: str
    identity: str
    similarity: float
    intensities: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Library:
    """Source spectra of a fit on the model's grid.

    Parameters
    ----------
    name, identity : sequence of str [m]
        The material (the independent unit) and the specimen.
    source : float16 [m, L]
        After the intensity half, each scaled to a largest magnitude of 1; NaN where not measured.
    laser_nm : float32 [m]
        NaN where not known.
    fwhm : float32 [m]
        `line_width` of each, in the unit of the source's axis; NaN where it has no clear line.
    """

    name: Sequence[str]
    identity: Sequence[str]
    source: NDArray[np.float16]
    laser_nm: NDArray[np.float32]
    fwhm: NDArray[np.float32]

    @classmethod
    def of(cls, name: Sequence[str], identity: Sequence[str], prepared: Floats, mask: Floats, laser_nm: Floats,
           fwhm: Floats) -> Library:  # fmt: skip
        """The library of prepared spectra [m, L] and their masks."""
        largest = np.abs(prepared).max(axis=1, keepdims=True)
        scaled = np.where(mask > 0, prepared / np.where(largest > 0, largest, 1), np.nan).astype(np.float16)
        return cls(name, identity, scaled, laser_nm.astype(np.float32), fwhm.astype(np.float32))

    def __len__(self) -> int:
        return len(self.source)

    def nearest(self, prepared: Floats, mask: Floats) -> list[Match | None]:
        """For each spectrum the one of the fit with the largest correlation.

        The mean that is taken off each is that of all its measured points.

        Parameters
        ----------
        prepared, mask : float [n, L]
            After the intensity half; only points that both were measured at count.

        Returns
        -------
        list of Match
            None for a spectrum without any structure, which is near to nothing.
        """
        known, squared, measured = self._centred
        asked, inside = _centred(prepared, mask > 0)
        norms = (asked**2 @ measured.T) * (inside @ squared.T)
        correlation = asked @ known.T / np.sqrt(np.where(norms > 0, norms, np.inf))
        best = correlation.argmax(axis=1)
        return [self._match(row, float(correlation[n, row])) if asked[n].any() else None for n, row in enumerate(best)]

    def cautions(self, laser_nm: float | None, fwhm: float, unit: str) -> tuple[str, ...]:
        """What sets a spectrum apart from all of the fit, one sentence each.

        Parameters
        ----------
        laser_nm : float, optional
            Where its file says it.
        fwhm : float
            Its `line_width` on the model's grid, whose unit is `unit`.
        """
        return (*self._other_laser(laser_nm), *self._other_width(fwhm, unit))

    @cached_property
    def _centred(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Spectra less their means, the squares of these, and the masks."""
        known, measured = _centred(self.source, np.isfinite(self.source))
        return known, known**2, measured

    def _match(self, row: int, similarity: float) -> Match:
        return Match(self.name[row], self.identity[row], similarity, self.source[row].astype(np.float32))

    def _other_laser(self, laser_nm: float | None) -> tuple[str, ...]:
        known = np.unique(self.laser_nm[np.isfinite(self.laser_nm)])
        if laser_nm is None or not len(known) or np.abs(known - laser_nm).min() <= SAME_LASER:
            return ()
        listed = ", ".join(f"{one:g}" for one in known.tolist())
        return (f"Its laser ({laser_nm:g} nm) is none of the fit's ({listed} nm): lines may differ in height.",)

    def _other_width(self, fwhm: float, unit: str) -> tuple[str, ...]:
        known = self.fwhm[np.isfinite(self.fwhm)]
        if not len(known) or not np.isfinite(fwhm):
            return ()
        low, high = np.quantile(known, [0.01, 0.99]).tolist()
        if low / OTHER_WIDTH <= fwhm <= high * OTHER_WIDTH:
            return ()
        how = "wider" if fwhm > high else "narrower"
        own, narrow, wide = (f"{float(f'{width:.2g}'):g}" for width in (fwhm, low, high))  # 110 rather than 1.1e+02
        return (f"Its lines ({own} {unit}) are {how} than the fit's ({narrow} to {wide} {unit}): another resolution, "
                "or another kind of material.",)  # fmt: skip


def _centred(spectra: Floats, measured: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Spectra less their means, 0 where not measured, and their masks: float32 [n, L]."""
    mean = np.where(measured, spectra, 0).sum(1, dtype=np.float64) / np.maximum(measured.sum(1), 1)
    centred = np.where(measured, spectra - mean[:, None], 0).astype(np.float32)
    return centred, measured.astype(np.float32)


def line_width(values: Floats, mask: Floats, axis: SpectralAxis) -> float:
    """How wide the narrow ones among a spectrum's clear lines are: what its resolution lets one see.

    Parameters
    ----------
    values, mask : float [L]
        On a regular grid, before the intensity half.
    axis : SpectralAxis [L]

    Returns
    -------
    float
        Lower quartile of the FWHM of lines with at least `CLEAR` of the largest prominence, in the axis's unit; NaN
        where no line stands out of the noise.
    """
    points = np.arange(len(values))
    if not (mask > 0).any() or len(points) < FEWEST:
        return float("nan")
    bridged = np.interp(points, points[mask > 0], values[mask > 0])
    lines = find_peaks(bridged[None])
    clear = lines.fwhm[lines.height >= CLEAR * lines.height.max(initial=0)]
    step = float(np.median(np.abs(np.diff(axis.values))))
    return float(np.quantile(clear, 0.25)) * step if len(clear) else float("nan")


def encode_library(library: Library) -> bytes:
    """`library.npz`: the same library is always the same bytes."""
    file = io.BytesIO()
    np.savez_compressed(
        file, allow_pickle=False, name=np.array(library.name, np.str_), identity=np.array(library.identity, np.str_),
        source=library.source, laser_nm=library.laser_nm, fwhm=library.fwhm,
    )  # fmt: skip
    return file.getvalue()


def decode_library(content: bytes, points: int) -> Library:
    """Read `library.npz`, whose digest has been checked.

    Parameters
    ----------
    content : bytes
    points : int
        Of the model's source grid.

    Raises
    ------
    UnsupportedBundle
        If it is damaged, an array is missing or of another kind or shape, or a name is not one line of text.
    """
    try:
        arrays = read_npz(content, LIBRARY)
    except ReadError as error:
        raise UnsupportedBundle(str(error)) from None
    if missing := _KINDS.keys() - arrays.keys():
        raise UnsupportedBundle(f"{LIBRARY}: holds no {min(missing)}; export the bundle again")
    m = arrays["name"].size
    for name, kind in _KINDS.items():
        _check(name, arrays[name], kind, (m, points) if name == "source" else (m,))
    names, identities = _text(arrays["name"], "name"), _text(arrays["identity"], "identity")
    return Library(names, identities, arrays["source"], arrays["laser_nm"], arrays["fwhm"])


_KINDS: dict[str, type[np.generic]] = {
    "name": np.str_, "identity": np.str_, "source": np.float16, "laser_nm": np.float32, "fwhm": np.float32,
}  # fmt: skip


def _check(name: str, array: NDArray[Any], kind: type[np.generic], shape: tuple[int, ...]) -> None:
    if array.dtype.type is not kind or array.shape != shape or not array.size:
        raise UnsupportedBundle(f"{LIBRARY}: {name} is {array.dtype} {list(array.shape)}, not {kind.__name__} "
                                f"{list(shape)} and not empty; export the bundle again")  # fmt: skip
    if kind is not np.str_ and np.isinf(array).any():
        raise UnsupportedBundle(f"{LIBRARY}: {name} holds an infinite number; export the bundle again")


def _text(column: NDArray[Any], what: str) -> tuple[str, ...]:
    """A column that may be printed on a terminal."""
    try:
        text = tuple(str(one) for one in column.tolist())
    except (ValueError, SystemError) as error:  # numpy holds numbers that stand for no character
        raise UnsupportedBundle(f"{LIBRARY}: {what} is no text ({error}); export the bundle again") from None
    for one in text:
        if not one.isprintable():
            raise UnsupportedBundle(f"{LIBRARY}: {what} {one!r} is not one line of text; export the bundle again")
    return text
