"""Spectral angle and information divergence, which compare shapes whatever the scale.

For two spectra x and y, and p, q the same divided by their sums:

- SAM, the spectral angle (Kruse et al. 1993, the spectral angle mapper): `arccos(x.y / |x||y|)`;
- SID, the spectral information divergence (Chang 2000): `sum p log(p/q) + sum q log(q/p)`;
- SID-SAM (Du et al. 2004): their product, which is larger where both say so.

Smaller is better for each; 0 for spectra of one shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float64

from lineshape_training.validation.metrics.blocks import Pairs, Real, Synthetic, blocks, comparable, squared_norms

Measure: TypeAlias = Callable[[Synthetic, Real], Pairs]

FLOOR = 1e-3  # of a spectrum's largest value: noise about zero must not rule a logarithm


def sam(a: Synthetic, b: Real) -> Pairs:
    """Spectral angle of every pair, in radians: 0 to pi, at most pi/2 where nothing is negative.

    A spectrum of zeros has no direction and stands at pi/2 from all.
    """
    cosines: Pairs = _directions(a) @ _directions(b).T
    np.clip(cosines, -1, 1, out=cosines)
    np.arccos(cosines, out=cosines)
    return cosines


def sid(a: Synthetic, b: Real) -> Pairs:
    """Spectral information divergence of every pair, in nats: from 0, unbounded.

    Values below `FLOOR` times their spectrum's largest are lifted to it, for logarithms need them positive.
    """
    p, q = _shares(a), _shares(b)
    log_p, log_q = np.log(p), np.log(q)
    divergence: Pairs = p @ log_q.T
    divergence += log_p @ q.T
    np.subtract((p * log_p).sum(axis=1)[:, None], divergence, out=divergence)
    divergence += (q * log_q).sum(axis=1)
    np.maximum(divergence, 0, out=divergence)
    return divergence


def sid_sam(a: Synthetic, b: Real, combine: Literal["geomean", "tan", "sin"] = "geomean") -> Pairs:
    """SID and SAM of every pair in one figure, both of the spectra with their small values lifted as in `sid`.

    `geomean` is `sqrt(SID * SAM)`; `tan` and `sin` are `SID * tan(SAM)` and `SID * sin(SAM)` as in Du et al. 2004
    (Optical Engineering 43, 1777). From 0; only `sin` and `geomean` stay small where spectra are orthogonal.
    """
    angle, divergence = sam(_shares(a), _shares(b)), sid(a, b)
    turned: Pairs = {"geomean": np.positive, "tan": np.tan, "sin": np.sin}[combine](angle)
    turned *= divergence
    return np.sqrt(turned) if combine == "geomean" else turned


def matched(synthetic: Synthetic, real: Real, measure: Measure = sam) -> Float64[np.ndarray, " n"]:
    """Each synthetic spectrum's smallest `measure` to a real one: a distribution, to be summarised by its quantiles.

    Smaller is more alike, but compare it with that of held-out real spectra: a copied training set has the smallest.
    """
    synthetic, real = comparable(synthetic, real)
    return np.concatenate([measure(synthetic[rows], real).min(axis=1) for rows in blocks(len(synthetic), len(real))])


def _directions(spectra: Float[np.ndarray, "n L"]) -> Float64[np.ndarray, "n L"]:
    norms = np.sqrt(squared_norms(spectra))[:, None]
    unit: Float64[np.ndarray, "n L"] = spectra / np.where(norms > 0, norms, 1)
    return unit


def _shares(spectra: Float[np.ndarray, "n L"]) -> Float64[np.ndarray, "n L"]:
    """Positive, and adding up to 1; all alike where a spectrum has nothing above zero."""
    largest = spectra.max(axis=1, keepdims=True).astype(np.float64)
    lifted = np.where(largest > 0, np.maximum(spectra, FLOOR * largest), 1.0)
    shares: Float64[np.ndarray, "n L"] = lifted / lifted.sum(axis=1, keepdims=True)
    return shares
