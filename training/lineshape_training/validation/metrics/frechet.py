"""Discrete Frechet distance: how far two curves stray from each other when both are walked from end to end."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Int

from lineshape.errors import DataError
from lineshape_training.validation.metrics.blocks import Real, Synthetic, comparable

Curve: TypeAlias = Float[np.ndarray, " L"]
Diagonal: TypeAlias = Float64[np.ndarray, " L"]


def frechet_distance(synthetic: Synthetic, real: Real, axis: Curve) -> float:
    """Discrete Frechet distance of the mean synthetic spectrum from the mean real one; see `discrete_frechet`.

    Smaller is better, from 0. It sees the means only: class means score best of all.
    """
    synthetic, real = comparable(synthetic, real)
    return discrete_frechet(synthetic.mean(axis=0), real.mean(axis=0), axis)


def discrete_frechet(a: Curve, b: Curve, axis: Curve) -> float:
    """The shortest leash on which curve `a` and curve `b` can be walked, point by point and never backwards.

    Eiter and Mannila 1994 ("Computing discrete Frechet distance", Technical Report CD-TR 94/64, TU Wien):
    `c(i, j) = max(min(c(i-1, j), c(i-1, j-1), c(i, j-1)), d(i, j))`, filled here one anti-diagonal at a time.

    Smaller is better; from 0. The axis' span and the range of `b` both count as 1, so that a peak which has moved by
    one hundredth of the axis is as far off as one whose height is wrong by one hundredth of the range.

    Raises
    ------
    DataError
        If `b` is constant and so has no range to measure by.
    """
    height = float(np.ptp(b))
    if height == 0:
        raise DataError("the reference curve is constant: it has no range to measure distances by")
    x = (axis / np.ptp(axis)).astype(np.float64)
    ya, yb = a.astype(np.float64) / height, b.astype(np.float64) / height
    length = len(x)
    before, last = np.full((2, length), np.inf)  # c on the two anti-diagonals before this one, by i
    last[0] = abs(ya[0] - yb[0])
    for diagonal in range(1, 2 * length - 1):
        i = np.arange(max(0, diagonal - length + 1), min(diagonal, length - 1) + 1)
        here = np.hypot(x[i] - x[diagonal - i], ya[i] - yb[diagonal - i])
        before, last = last, _step(before, last, i, here)
    return float(last[-1])


def _step(before: Diagonal, last: Diagonal, i: Int[np.ndarray, " k"], here: Float64[np.ndarray, " k"]) -> Diagonal:
    """One anti-diagonal: a cell is reached from (i-1, j), (i, j-1) or (i-1, j-1), whichever leash was shortest."""
    above = np.where(i > 0, last[i - 1], np.inf)
    corner = np.where(i > 0, before[i - 1], np.inf)
    cells = np.full(len(before), np.inf)
    cells[i] = np.maximum(np.minimum(np.minimum(above, last[i]), corner), here)
    return cells
