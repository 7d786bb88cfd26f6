"""The intensity half of preprocessing: what happens to the numbers, inside the model's graph.

Each step is written once, against the array API that numpy and torch share, so that the graph, the fit and a
notebook cannot drift apart: pass ``numpy`` or ``array_api_compat.torch`` as `xp`. Steps see rows of spectra [n, L]
and their mask, and leave 0 where nothing was measured. A step returns what its inverse needs, if it has one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import msgspec
import numpy as np

from lineshape.errors import UsageError

Array: TypeAlias = Any  # numpy array or torch tensor of floats
Namespace: TypeAlias = Any  # the module whose functions act on it
State: TypeAlias = tuple[Array, ...]  # rank 2, one row for each spectrum


class IntensityStep(msgspec.Struct, frozen=True, tag_field="step"):
    """One step: `forward`, and `inverse` where `invertible`; `pointwise` if each point is changed by itself."""

    invertible: ClassVar[bool] = True
    pointwise: ClassVar[bool] = False

    def forward(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, State]:
        """Apply the step to x [n, L]; the state undoes it."""
        raise NotImplementedError

    def inverse(self, xp: Namespace, y: Array, state: State) -> Array:
        """Undo the step."""
        raise UsageError(f"{type(self).__name__} has no inverse")


class _Affine(IntensityStep, frozen=True, tag_field="step"):
    """y = (x - offset) / scale, with an offset and a scale for each spectrum."""

    def affinity(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, Array]:
        """Offset and scale [n, 1] of each spectrum."""
        raise NotImplementedError

    def forward(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, State]:
        """Shift and scale each spectrum; one without any spread is only shifted."""
        offset, scale = self.affinity(xp, x, mask)
        scale = xp.where(xp.abs(scale) > _SMALLEST, scale, xp.ones_like(scale))
        return (x - offset) / scale * mask, (offset, scale)

    def inverse(self, xp: Namespace, y: Array, state: State) -> Array:
        """Back to measured intensities."""
        offset, scale = state
        return y * scale + offset


class SNV(_Affine, frozen=True, tag="snv", tag_field="step"):
    """Standard normal variate: mean 0 and standard deviation 1 over the measured points (Barnes et al., 1989)."""

    def affinity(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, Array]:
        """Mean and standard deviation."""
        mean = _mean(xp, x, mask)
        return mean, xp.sqrt(_mean(xp, (x - mean) ** 2, mask))


class MinMax(_Affine, frozen=True, tag="min-max", tag_field="step"):
    """Smallest measured intensity to 0, largest to 1."""

    def affinity(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, Array]:
        """Minimum and range."""
        unmeasured = xp.full_like(x, _LARGEST)
        low = xp.min(xp.where(mask > 0, x, unmeasured), axis=-1, keepdims=True)
        high = xp.max(xp.where(mask > 0, x, -unmeasured), axis=-1, keepdims=True)
        anything = low <= high
        return xp.where(anything, low, xp.zeros_like(low)), xp.where(anything, high - low, xp.zeros_like(low))


class Area(_Affine, frozen=True, tag="area", tag_field="step"):
    """Mean absolute intensity of the measured points to 1: an area that does not depend on how much was measured."""

    def affinity(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, Array]:
        """0 and the mean absolute intensity."""
        scale = _mean(xp, xp.abs(x), mask)
        return xp.zeros_like(scale), scale


class Vector(_Affine, frozen=True, tag="vector", tag_field="step"):
    """Euclidean length to 1."""

    def affinity(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, Array]:
        """0 and the length."""
        scale = xp.sqrt(xp.sum(x * x * mask, axis=-1, keepdims=True))
        return xp.zeros_like(scale), scale


class MSC(_Affine, frozen=True, tag="msc", tag_field="step"):
    """Multiplicative scatter correction: each spectrum regressed on a reference (Geladi et al., 1985).

    Parameters
    ----------
    reference : floats [L]
        Usually the mean of the training spectra.
    """

    reference: tuple[float, ...]

    def affinity(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, Array]:
        """Intercept and slope of the least-squares line of the spectrum on the reference."""
        reference = xp.asarray(np.array([self.reference], np.float32), device=x.device) + xp.zeros_like(x)
        centre = reference - _mean(xp, reference, mask)
        variance = _mean(xp, centre * centre, mask)
        slope = _mean(xp, centre * x, mask) / xp.where(variance > _SMALLEST, variance, xp.ones_like(variance))
        return _mean(xp, x, mask) - slope * _mean(xp, reference, mask), slope


class SavitzkyGolay(IntensityStep, frozen=True, tag="savitzky-golay", tag_field="step"):
    """Least-squares polynomial smoothing or derivative (Savitzky and Golay, 1964).

    A point whose window reaches beyond what was measured keeps its value, or has derivative 0.

    Parameters
    ----------
    window : int
        Odd number of points.
    degree, derivative : int
        Of the polynomial; the derivative is by grid point.
    """

    window: int
    degree: int = 2
    derivative: int = 0
    invertible: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.window % 2 == 0 or not 0 <= self.derivative <= self.degree < self.window:
            raise UsageError("Savitzky-Golay needs an odd window > degree >= derivative >= 0; "
                             f"got {self.window}, {self.degree}, {self.derivative}")  # fmt: skip

    def coefficients(self) -> list[float]:
        """Weights of the window's points, first to last."""
        half = self.window // 2
        powers = np.vander(np.arange(-half, half + 1), self.degree + 1, increasing=True)
        factorial = float(np.prod(np.arange(1, self.derivative + 1)))
        weights: list[float] = (np.linalg.pinv(powers)[self.derivative] * factorial).tolist()
        return weights

    def forward(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, State]:
        """Slide the window; no state, for there is no inverse."""
        half, length = self.window // 2, x.shape[-1]
        edge = xp.zeros_like(x[:, :half])
        padded, measured = xp.concat([edge, x, edge], axis=-1), xp.concat([edge, mask, edge], axis=-1)
        filtered = sum(w * padded[:, i : i + length] for i, w in enumerate(self.coefficients()))
        whole = sum(measured[:, i : i + length] for i in range(self.window)) > self.window - 0.5
        return xp.where(whole, filtered, x if self.derivative == 0 else xp.zeros_like(x)), ()


class TopHat(IntensityStep, frozen=True, tag="top-hat", tag_field="step"):
    """Subtract what is wider than a window: the morphological white top-hat (Perez-Pueyo et al., 2010).

    A background of fluorescence goes, lines narrower than the window stay. It is made of minima and maxima alone, so
    it runs inside the graph and needs no library at the edge. What was not measured ends the window.

    Parameters
    ----------
    window : int
        Odd number of points, some three times the widest line.
    """

    window: int
    invertible: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.window % 2 == 0 or self.window < 3:
            raise UsageError(f"a top-hat needs an odd window of at least 3 points; got {self.window}")

    def forward(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, State]:
        """x less its opening (the maximum over the window of the minimum over the window)."""
        unmeasured = xp.full_like(x, _LARGEST)
        eroded = self._lowest(xp, xp.where(mask > 0, x, unmeasured))
        opened = -self._lowest(xp, -xp.where(mask > 0, eroded, -unmeasured))
        return xp.where(mask > 0, x - opened, xp.zeros_like(x)), ()

    def _lowest(self, xp: Namespace, x: Array) -> Array:
        """Minimum over the window around each point, in a logarithmic number of passes."""
        half, length = self.window // 2, x.shape[-1]
        edge = xp.full_like(x[:, :1], _LARGEST) + xp.zeros_like(x[:, :half])
        lowest, covered = xp.concat([edge, x, edge], axis=-1), 1
        while covered < self.window:
            step = min(covered, self.window - covered)
            lowest = xp.minimum(lowest[:, :-step], lowest[:, step:])
            covered += step
        return lowest[:, :length]


class SquareRoot(IntensityStep, frozen=True, tag="square-root", tag_field="step"):
    """Signed square root: evens out the variance of counts; a negative intensity keeps its sign."""

    pointwise: ClassVar[bool] = True

    def forward(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, State]:
        """sign(x) sqrt|x|."""
        return _signed(xp, xp.sqrt(xp.abs(x)), x), ()

    def inverse(self, xp: Namespace, y: Array, state: State) -> Array:
        """y|y|."""
        return y * xp.abs(y)


class Log1p(IntensityStep, frozen=True, tag="log1p", tag_field="step"):
    """Signed logarithm of 1 + |x|."""

    pointwise: ClassVar[bool] = True

    def forward(self, xp: Namespace, x: Array, mask: Array) -> tuple[Array, State]:
        """sign(x) ln(1 + |x|)."""
        return _signed(xp, xp.log1p(xp.abs(x)), x), ()

    def inverse(self, xp: Namespace, y: Array, state: State) -> Array:
        """sign(y) (e^|y| - 1)."""
        return _signed(xp, xp.expm1(xp.abs(y)), y)


Step: TypeAlias = SNV | MinMax | Area | Vector | MSC | SavitzkyGolay | TopHat | SquareRoot | Log1p

_SMALLEST = 1e-12  # a spread below this is none: dividing by it would blow up rounding errors
_LARGEST = 1e38  # above any intensity; the difference of two still fits float32


def forward(steps: Sequence[Step], xp: Namespace, x: Array, mask: Array) -> tuple[Array, list[State]]:
    """Apply the steps in order to x [n, L]; unmeasured points become 0."""
    x, states = x * mask, []
    for step in steps:
        x, state = step.forward(xp, x, mask)
        x = x * mask
        states.append(state)
    return x, states


def inverse(steps: Sequence[Step], xp: Namespace, y: Array, states: Sequence[State]) -> Array:
    """Undo the steps, last one first.

    Raises
    ------
    UsageError
        If a step has no inverse.
    """
    for step, state in zip(reversed(steps), reversed(states), strict=True):
        y = step.inverse(xp, y, state)
    return y


def _signed(xp: Namespace, size: Array, sign: Array) -> Array:
    return xp.where(sign < 0, -size, size)


def _mean(xp: Namespace, x: Array, mask: Array) -> Array:
    points = xp.sum(mask, axis=-1, keepdims=True)
    return xp.sum(x * mask, axis=-1, keepdims=True) / xp.where(points > 0, points, xp.ones_like(points))
