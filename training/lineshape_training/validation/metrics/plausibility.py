"""Could an instrument have measured it? Shares of what lies beyond nearly all of the real spectra.

Every share goes from 0 to 1, lower is better, and is .01 for the real spectra themselves by construction: beyond is
what 1 % of them are. Real spectra of other groups give the floor to read it by: pass them as `synthetic`.
"""

from __future__ import annotations

from itertools import combinations

import msgspec
import numpy as np
from jaxtyping import Float, Float64

from lineshape.peaks import Peaks, find_peaks, noise
from lineshape_training.validation.metrics.blocks import comparable
from lineshape_training.validation.metrics.consensus import at_consensus, consensus, tolerance_of
from lineshape_training.validation.metrics.snv import snv

RARE = 0.01
SIGMAS = 3  # of detector noise, within which a negative intensity is none
STRONGEST = 6
"""Recurring peaks whose ratios are looked at: 15 pairs."""


class Plausibility(msgspec.Struct, frozen=True):
    """Shares of implausible things, each 0 to 1, lower is better.

    Parameters
    ----------
    negative : float
        Of spectra with an intensity below 0 and below the lowest of 99 % of the real spectra.
    narrow : float
        Of peaks narrower (FWHM) than 99 % of the real peaks: narrower than the instrument can show. 0 without peaks.
    jumps : float
        Of spectra with a larger step from point to point, after SNV, than any in 99 % of the real spectra.
    ratios : float
        Of height ratios between the strongest recurring real peaks that lie outside the middle 99 % of the real ones.
    """

    negative: float
    narrow: float
    jumps: float
    ratios: float


def plausibility(synthetic: Float[np.ndarray, "n L"], real: Float[np.ndarray, "m L"]) -> Plausibility:
    """All four shares, of measured intensities (not of spectra scaled to mean 0, where negative means nothing)."""
    synthetic, real = comparable(synthetic, real)
    ours, theirs = find_peaks(synthetic), find_peaks(real)
    return Plausibility(
        negative_share(synthetic, real),
        narrow_share(ours, theirs),
        jump_share(synthetic, real),
        ratio_share(_ratios(ours, theirs, len(synthetic), real), _ratios(theirs, theirs, len(real), real)),
    )


def negative_share(synthetic: Float[np.ndarray, "n L"], real: Float[np.ndarray, "m L"]) -> float:
    """Share of spectra that fall below zero, and below nearly all real ones, by more than detector noise.

    Spectra that were scaled to start at zero have no negative intensities; a sample that dips under zero by less than
    the noise is no worse for it.
    """
    floor = min(0.0, float(np.quantile(real.min(axis=1), RARE))) - SIGMAS * float(np.median(noise(real)))
    return float((synthetic.min(axis=1) < floor).mean())


def narrow_share(ours: Peaks, theirs: Peaks) -> float:
    """Share of peaks narrower than the instrument's."""
    if not len(ours) or not len(theirs):
        return 0.0
    return float((ours.fwhm < np.quantile(theirs.fwhm, RARE)).mean())


def jump_share(synthetic: Float[np.ndarray, "n L"], real: Float[np.ndarray, "m L"]) -> float:
    """Share of spectra with a step that real ones do not make, whatever their brightness."""
    largest, allowed = (np.abs(np.diff(snv(spectra), axis=1)).max(axis=1) for spectra in (synthetic, real))
    return float((largest > np.quantile(allowed, 1 - RARE)).mean())


def ratio_share(ours: Float64[np.ndarray, "n pairs"], theirs: Float64[np.ndarray, "m pairs"]) -> float:
    """Share of ratios outside the real ones' range; 0 where there is no pair."""
    if not ours.size:
        return 0.0
    low, high = np.quantile(theirs, [RARE / 2, 1 - RARE / 2], axis=0)
    return float(((ours < low) | (ours > high)).mean())


def _ratios(
    peaks: Peaks, theirs: Peaks, spectra: int, real: Float[np.ndarray, "m L"]
) -> Float64[np.ndarray, "n pairs"]:
    """a / (a + b) for the heights a, b of each pair of the strongest recurring real peaks: 0 to 1, 1/2 for none."""
    tolerance = tolerance_of(theirs)
    position = consensus(theirs, len(real), real.shape[1], tolerance).position
    strength = at_consensus(theirs, len(real), position, tolerance)[0].mean(axis=0)
    strongest = np.sort(np.argsort(strength)[-STRONGEST:])
    height = at_consensus(peaks, spectra, position[strongest], tolerance)[0]
    pairs = np.array(list(combinations(range(len(strongest)), 2)), int).reshape(-1, 2)
    a, b = height[:, pairs[:, 0]], height[:, pairs[:, 1]]
    none = a + b == 0
    ratios: Float64[np.ndarray, "n pairs"] = np.where(none, 0.5, a / np.where(none, 1, a + b))
    return ratios
