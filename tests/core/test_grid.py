"""Resampling tells the truth: values where something was measured, a mask of 0 where nothing was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.axis import SpectralAxis
from lineshape.errors import AxisError
from lineshape.grid import on_grid
from lineshape.spectrum import Spectrum

GRID = SpectralAxis.regular("raman", 100, 1100, 1001)


def measured(x: np.ndarray, y: np.ndarray, modality: str = "raman") -> Spectrum:
    return Spectrum(y, SpectralAxis.of(x, modality))


@given(low=st.floats(-500, 900), span=st.floats(150, 3000), n=st.integers(20, 4000))
def test_the_mask_is_the_measured_range(low: float, span: float, n: int) -> None:
    x = np.linspace(low, low + span, n)
    if x[-1] < 101 or x[0] > 1099:
        return
    values, mask = on_grid(measured(x, np.full(n, 5.0)), GRID)
    inside = (GRID.values >= x[0] - 1e-3) & (GRID.values <= x[-1] + 1e-3)
    deep = (GRID.values >= x[0] + 1e-3) & (GRID.values <= x[-1] - 1e-3)
    assert not mask[~inside].any()
    assert mask[deep].all()
    np.testing.assert_allclose(values, 5.0 * mask, rtol=1e-6)  # a constant stays the constant it was, in float32


@given(seed=st.integers(0, 99))
def test_the_grid_itself_changes_nothing_in_either_order(seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=1001)
    spectrum = measured(GRID.values, y)
    turned = Spectrum(y[::-1], GRID.reversed())
    for same in (spectrum, turned):
        values, mask = on_grid(same, GRID)
        assert mask.all()
        assert np.array_equal(values, y.astype(np.float32))


def test_a_narrow_line_on_dense_points_keeps_its_area() -> None:
    x = np.linspace(100, 1100, 50_001)  # 50 points for each of the grid's
    y = np.exp(-4 * np.log(2) * ((x - 500.37) / 0.3) ** 2)
    values, _ = on_grid(measured(x, y), GRID)
    # The cells tile the axis, so the sum over them is the integral; float32 sums cost 1e-6.
    assert values.sum() == pytest.approx(np.trapezoid(y, x), rel=1e-5)


def test_a_straight_line_stays_straight_on_either_path() -> None:
    for n in (60, 1001, 20_001):
        x = np.linspace(100, 1100, n)
        values, _ = on_grid(measured(x, 2 * x + 1), GRID)
        # End cells are half cells: their mean lies a quarter step inside.
        np.testing.assert_allclose(values[1:-1], 2 * GRID.values[1:-1] + 1, rtol=1e-6)


def test_a_hole_is_not_bridged() -> None:
    x = np.concatenate([np.arange(100, 400.0), np.arange(700, 1101.0)])
    values, mask = on_grid(measured(x, np.ones(len(x))), GRID)
    hole = (GRID.values > 399) & (GRID.values < 700)
    assert not mask[hole].any()
    assert not values[hole].any()
    assert mask[~hole].all()


def test_ranges_that_do_not_meet_and_wrong_modalities_are_refused() -> None:
    with pytest.raises(AxisError, match="does not reach the model's range"):
        on_grid(measured(np.linspace(2000, 3000, 50), np.ones(50)), GRID)
    with pytest.raises(AxisError, match="'ir' does not go onto a grid of 'raman'"):
        on_grid(measured(np.linspace(100, 3000, 50), np.ones(50), "ir"), GRID)
