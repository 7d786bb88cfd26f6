"""How far the synthetic spectra's lines stand from where they were measured."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64, Int, Shaped
from scipy.fft import irfft, next_fast_len, rfft

from lineshape.preprocessing import SavitzkyGolay, forward
from lineshape.results import Interval
from lineshape_training.validation.metrics.blocks import comparable
from lineshape_training.validation.metrics.snv import snv

SLOPE = SavitzkyGolay(window=7, degree=2, derivative=1)
REACH = 0.25
"""Share of the spectrum within which the displacement is looked for, on either side."""

DRAWS = 200


def line_shift(
    synthetic: Float[np.ndarray, "n L"],
    real: Float[np.ndarray, "m L"],
    real_group: Shaped[np.ndarray, " m"] | None = None,
) -> Interval:
    """Displacement in points at which the synthetic mean agrees best with the real one.

    The means of the spectra after SNV are differentiated, which leaves lines and takes backgrounds away, and
    correlated over the points where both are measured, at every displacement up to a quarter of the spectrum; a
    parabola through the best displacement and its neighbours places it between points. 0 is right; positive where the
    synthetic lines stand at later points. -L/4 to L/4.

    Parameters
    ----------
    synthetic, real : float [n, L], [m, L]
    real_group : str [m] or None
        Independent unit of each real spectrum; each by itself if None.

    Returns
    -------
    Interval
        With the 95 % interval of two means of real spectra with resampled groups against each other: the precision to
        which the real spectra know their own lines. Where 0 lies inside, the lines stand where they were measured.
    """
    synthetic, real = comparable(synthetic, real)
    sums, sizes = _group_sums(snv(real), real_group)
    known, ours = _slope(sums.sum(0, keepdims=True) / sizes.sum()), _slope(snv(synthetic).mean(0, keepdims=True))
    steepest = np.abs(known).max()
    ours = ours.clip(-steepest, steepest)  # a jump that no real line makes (spectra rolled round) must not decide
    rng = np.random.default_rng(0)
    one, other = (rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=DRAWS) @ sums for _ in "ab")
    spread = np.quantile(displacement(_slope(one), _slope(other)), [0.025, 0.975])
    points = float(displacement(ours, known)[0])
    return Interval(points, points + float(spread[0]), points + float(spread[1]))


def displacement(moved: Float64[np.ndarray, "b L"], fixed: Float64[np.ndarray, "b L"]) -> Float64[np.ndarray, " b"]:
    """Points by which each row of slopes in `moved` stands later than that in `fixed`, by normalised cross-correlation.

    The correlation at lag k is the cosine of `moved[k:]` with `fixed[:-k]`, so that a shorter overlap is no penalty.
    """
    inside = _known(np.ones_like(fixed))
    moved, fixed = _known(moved), _known(fixed)
    energy = _correlated(moved**2, inside) * _correlated(inside, fixed**2)
    size = np.sqrt(np.maximum(energy, 0))
    correlation = _correlated(moved, fixed) / np.where(size > 1e-9 * size.max(), size, np.inf)
    best = correlation.argmax(1)
    middle = best.clip(1, correlation.shape[1] - 2)
    before, here, after = (correlation[np.arange(len(moved)), middle + step] for step in (-1, 0, 1))
    curvature = before - 2 * here + after
    refined = (middle == best) & (curvature < 0)
    vertex = np.where(refined, (before - after) / np.where(refined, 2 * curvature, 1), 0)
    points: Float64[np.ndarray, " b"] = best + vertex - correlation.shape[1] // 2
    return points


def _correlated(moved: Float64[np.ndarray, "b L"], fixed: Float64[np.ndarray, "b L"]) -> Float64[np.ndarray, "b lags"]:
    """Sum over points of moved[i + k] fixed[i] at every lag k from -L/4 to L/4."""
    length, reach = moved.shape[1], int(REACH * moved.shape[1])
    size = next_fast_len(length + reach, real=True)  # room for the lags: nothing wraps round into another
    products = irfft(rfft(moved, size) * rfft(fixed, size).conj(), size)
    lags: Float64[np.ndarray, "b lags"] = products[:, np.arange(-reach, reach + 1)]
    return lags


def _known(slope: Float64[np.ndarray, "b L"]) -> Float64[np.ndarray, "b L"]:
    """0 at the ends, where the window of the derivative leaves the spectrum."""
    known, half = slope.copy(), SLOPE.window // 2
    known[:, :half] = known[:, -half:] = 0
    return known


def _slope(means: Float64[np.ndarray, "b L"]) -> Float64[np.ndarray, "b L"]:
    """First derivative, less its mean: a straight background is none."""
    slope: Float64[np.ndarray, "b L"] = forward([SLOPE], np, means, np.ones(means.shape))[0]
    half = SLOPE.window // 2
    slope -= slope[:, half:-half].mean(1, keepdims=True)
    return slope


def _group_sums(
    values: Float64[np.ndarray, "m L"], group: Shaped[np.ndarray, " m"] | None
) -> tuple[Float64[np.ndarray, "g L"], Int[np.ndarray, " g"]]:
    """Sum and number of the spectra of each group."""
    if group is None:
        return values, np.ones(len(values), int)
    _, code, sizes = np.unique(group, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    return np.add.reduceat(values[order], np.r_[0, np.cumsum(sizes)[:-1]]), sizes
