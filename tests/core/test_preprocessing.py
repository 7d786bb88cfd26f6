"""Each step does what its paper says, undoes itself where it can, and is the same text for numpy and torch."""

from __future__ import annotations

import array_api_compat.torch as torch_namespace
import msgspec
import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lineshape.axis import SpectralAxis
from lineshape.errors import AxisError, UsageError
from lineshape.preprocessing import (
    MSC,
    SNV,
    Area,
    Baseline,
    Crop,
    Log1p,
    MinMax,
    SavitzkyGolay,
    SquareRoot,
    Step,
    TopHat,
    Vector,
    forward,
    inverse,
    to_grid,
)  # fmt: skip
from lineshape.spectrum import Spectrum

L = 31
REFERENCE = tuple(np.sin(np.arange(L) / 4).tolist())
STEPS: list[Step] = [
    SNV(),
    MinMax(),
    Area(),
    Vector(),
    MSC(REFERENCE),
    SquareRoot(),
    Log1p(),
    SavitzkyGolay(7, 2),
    TopHat(9),
]

spectra = hnp.arrays(np.float64, (3, L), elements=st.floats(-1e4, 1e4).map(lambda x: round(x, 3)))
masks = hnp.arrays(np.float64, (3, L), elements=st.sampled_from([0.0, 1.0]))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
@settings(deadline=None)
@given(x=spectra, mask=masks)
def test_numpy_and_torch_are_one_text(step: Step, x: np.ndarray, mask: np.ndarray) -> None:
    with_numpy, _ = forward([step], np, x, mask)
    with_torch, _ = forward([step], torch_namespace, torch.from_numpy(x), torch.from_numpy(mask))
    # The same float64 operations, summed in another order.
    np.testing.assert_allclose(with_torch.numpy(), with_numpy, rtol=1e-6, atol=1e-8)
    assert np.isfinite(with_numpy).all()
    assert not with_numpy[mask == 0].any()


@settings(deadline=None)
@given(x=spectra, mask=masks, order=st.permutations([s for s in STEPS if s.invertible and not isinstance(s, MSC)]))
def test_an_inverse_brings_the_measured_points_back(x: np.ndarray, mask: np.ndarray, order: list[Step]) -> None:
    steps = order[:3]
    y, states = forward(steps, np, x, mask)
    back = inverse(steps, np, y, states)
    # Scaling by up to 1e4 and back through a logarithm or a root: six digits are left of sixteen, at worst.
    np.testing.assert_allclose(back * mask, x * mask, rtol=1e-6, atol=1e-4)


def test_statistics_are_those_of_the_measured_points() -> None:
    x = np.random.default_rng(0).normal(5, 2, (4, L))
    mask = np.ones((4, L))
    mask[:, 20:] = 0
    seen = slice(0, 20)
    snv = forward([SNV()], np, x, mask)[0][:, seen]
    np.testing.assert_allclose([snv.mean(1), snv.std(1)], [np.zeros(4), np.ones(4)], atol=1e-12)
    scaled = forward([MinMax()], np, x, mask)[0][:, seen]
    np.testing.assert_allclose([scaled.min(1), scaled.max(1)], [np.zeros(4), np.ones(4)], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(forward([Vector()], np, x, mask)[0], axis=1), 1)
    np.testing.assert_allclose(np.abs(forward([Area()], np, x, mask)[0][:, seen]).mean(1), 1)


def test_msc_takes_offset_and_slope_away() -> None:
    reference = np.array([REFERENCE])
    scattered = np.array([[0.5], [3.0]]) * reference + np.array([[10.0], [-2.0]])
    corrected, _ = forward([MSC(REFERENCE)], np, scattered, np.ones((2, L)))
    # The reference is held in float32, as in the graph.
    np.testing.assert_allclose(corrected, np.repeat(reference, 2, 0), atol=1e-6)


@pytest.mark.parametrize(("window", "degree", "derivative"), [(5, 2, 0), (11, 3, 0), (7, 2, 1), (9, 4, 2)])
def test_savitzky_golay_equals_scipy(window: int, degree: int, derivative: int) -> None:
    x = np.random.default_rng(1).normal(size=(2, L))
    ours, _ = forward([SavitzkyGolay(window, degree, derivative)], np, x, np.ones_like(x))
    theirs = scipy.signal.savgol_filter(x, window, degree, derivative, mode="constant")
    half = window // 2
    np.testing.assert_allclose(ours[:, half:-half], theirs[:, half:-half], atol=1e-10)
    edge = x[:, :half] if derivative == 0 else np.zeros((2, half))
    np.testing.assert_array_equal(ours[:, :half], edge)


@pytest.mark.parametrize("window", [3, 5, 13, 29])
def test_the_top_hat_equals_scipy(window: int) -> None:
    x = np.random.default_rng(2).normal(size=(2, L)).cumsum(1)
    ours, _ = forward([TopHat(window)], np, x, np.ones_like(x))
    for row in range(2):
        eroded = scipy.ndimage.minimum_filter1d(x[row], window, mode="constant", cval=1e38)
        opened = scipy.ndimage.maximum_filter1d(eroded, window, mode="constant", cval=-1e38)
        assert np.array_equal(ours[row], x[row] - opened)


def test_the_top_hat_takes_a_background_and_leaves_a_line() -> None:
    points = np.arange(400.0)
    line = 5 * np.exp(-(((points - 200) / 4) ** 2))
    lifted = line + 100 + 0.2 * points
    hat, _ = forward([TopHat(101)], np, lifted[None], np.ones((1, 400)))
    # A slope leaves at most its rise over the window; the line keeps its height but for that.
    assert np.abs(hat[0] - line).max() < 0.2 * 101
    flat, _ = forward([TopHat(101)], np, line[None] + 100, np.ones((1, 400)))
    np.testing.assert_allclose(flat[0], line, atol=1e-6)


def test_a_smoothed_spectrum_has_no_way_back() -> None:
    y, states = forward([SavitzkyGolay(5)], np, np.ones((1, L)), np.ones((1, L)))
    with pytest.raises(UsageError, match="SavitzkyGolay has no inverse"):
        inverse([SavitzkyGolay(5)], np, y, states)
    with pytest.raises(UsageError, match="odd window"):
        SavitzkyGolay(4)
    with pytest.raises(UsageError, match="odd window"):
        TopHat(10)


def test_a_constant_spectrum_becomes_finite_numbers() -> None:
    for step in STEPS:
        assert np.isfinite(forward([step], np, np.full((1, L), 7.0), np.ones((1, L)))[0]).all()


def test_a_list_of_steps_survives_json() -> None:
    content = msgspec.json.encode(STEPS)
    assert msgspec.json.decode(content, type=list[Step]) == STEPS


def test_the_axis_half_runs_in_order_and_ends_on_the_grid() -> None:
    grid = SpectralAxis.regular("ir", 400, 1800, 701)
    x = np.linspace(4000, 300, 3701)
    spectrum = Spectrum(np.exp(-(((x - 1000) / 20) ** 2)) + 1 + x / 4000, SpectralAxis.of(x, "ir"))
    values, mask = to_grid(spectrum, [Crop(500, 1500), Baseline("arpls", {"lam": 1e5})], grid)
    assert mask.tolist() == ((grid.values >= 500) & (grid.values <= 1500)).astype(float).tolist()
    assert values.max() == pytest.approx(1, abs=0.05)  # the band of height 1 stands on nothing
    assert np.median(values[mask > 0]) == pytest.approx(0, abs=0.02)
    with pytest.raises(UsageError, match=r"baseline arpls with .*no_such"):
        to_grid(spectrum, [Baseline("arpls", {"no_such": 1})], grid)
    with pytest.raises(AxisError, match="fewer than 2 points"):
        to_grid(spectrum, [Crop(5000, 6000)], grid)
