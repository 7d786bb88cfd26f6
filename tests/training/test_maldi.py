"""MALDI pre-treatment: bins that do not depend on the axis, a known SNIP, and inputs that will not do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pybaselines import Baseline

from lineshape.errors import DataError
from lineshape_training.maldi import SNIP_REACH, WIDTH, bin_centres, in_bins, pretreated, snip

MZ = np.arange(2000.0, 20000.0, 1.5)


def spectra(mz: np.ndarray, n: int = 3, seed: int = 0) -> np.ndarray:
    """Counts with a falling background and lines as wide as a linear instrument's (resolution 500)."""
    rng = np.random.default_rng(seed)
    centres = np.linspace(2500, 19000, 40)
    lines = np.exp(-(((mz - centres[:, None]) / (centres[:, None] / 850)) ** 2) / 2)
    heights = rng.gamma(2, 300, size=(n, len(centres)))
    counts: np.ndarray = rng.poisson(heights @ lines + 800 * np.exp(-(mz - 2000) / 4000)).astype(np.float32)
    return counts


def test_the_default_range_gives_6000_bins_from_0_to_1() -> None:
    treated = pretreated(spectra(MZ), MZ)
    assert treated.shape == (3, 6000)
    assert len(bin_centres()) == 6000
    assert bin_centres()[[0, -1]].tolist() == [2001.5, 19998.5]
    assert (treated.min(1) == 0).all()
    assert (treated.max(1) == 1).all()


def test_a_bin_holds_the_mean_of_its_points_and_an_empty_one_lies_between_its_neighbours() -> None:
    mz = np.array([0.0, 1.0, 2.9, 3.0, 9.0, 13.5])
    counts = np.array([[3.0, 6.0, 9.0, 8.0, 2.0, 20.0]])
    # three points, one, none (its middle, 7.5, is 3/4 of the way from 3 to 9), one, one
    assert in_bins(counts, mz, np.arange(0.0, 16.0, 3)).tolist() == [[6.0, 8.0, 8 - 6 * 0.75, 2.0, 20.0]]


@given(step=st.floats(0.2, 9.0), slope=st.floats(-1, 1))
def test_bins_of_a_straight_line_lie_on_it_whatever_the_axis(step: float, slope: float) -> None:
    mz = np.arange(90.0, 300.0, step)
    edges = np.arange(99.0, 280.0, WIDTH)
    line = in_bins((5 + slope * mz)[None], mz, edges)[0]
    # a bin's points may all stand at one end of it: at most half a bin from its middle
    assert np.abs(line - (5 + slope * (edges[:-1] + WIDTH / 2))).max() <= abs(slope) * WIDTH / 2 + 1e-9


def test_snip_is_that_of_pybaselines() -> None:
    rows = np.sqrt(spectra(MZ).astype(np.float64))
    padded = np.pad(rows, [(0, 0), (SNIP_REACH, SNIP_REACH)], mode="edge")
    ours = snip(padded)[:, SNIP_REACH:-SNIP_REACH]
    for row, baseline in zip(rows, ours, strict=True):
        known, _ = Baseline(MZ).snip(row, max_half_window=SNIP_REACH, decreasing=True, pad_kwargs={"mode": "edge"})
        np.testing.assert_allclose(baseline, known, rtol=1e-12)  # the same additions in another order


@given(st.lists(st.lists(st.floats(-10, 100), min_size=30, max_size=30), min_size=1, max_size=4))
def test_snip_stays_below_the_spectrum_and_leaves_a_straight_line(rows: list[list[float]]) -> None:
    assert (snip(np.array(rows)) <= np.array(rows)).all()
    line = np.linspace(3, 7, 30)[None]
    np.testing.assert_allclose(snip(line), line, rtol=1e-12)


def test_a_spectrum_without_signal_is_0_and_negative_counts_are_none() -> None:
    counts = spectra(MZ)
    counts[0], counts[1] = 0, 7
    counts[2, ::7] = -50
    treated = pretreated(counts, MZ)
    assert (treated[:2] == 0).all()
    assert np.array_equal(treated[2], pretreated(np.maximum(counts[2:], 0), MZ)[0])


def test_brightness_hardly_matters_after_the_pretreatment() -> None:
    counts = spectra(MZ)
    once, fourfold = pretreated(counts, MZ), pretreated(4 * counts, MZ)
    # all but log1p scale: the square root doubles, and the logarithm's bend moves what is between 0 and 1
    assert np.abs(once - fourfold).max() < 0.15
    assert np.corrcoef(once.ravel(), fourfold.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(
    ("mz", "message"),
    [
        (MZ[::-1].copy(), "must rise"),
        (np.r_[MZ[:5], MZ[4:-1]], "2006 Da is followed by 2006"),
        (MZ + 5, "does not cover 2000 to 20000"),
        (MZ - 8, "does not cover 2000 to 20000"),
        (np.where(np.arange(len(MZ)) == 3, np.nan, MZ), "axis point 3"),
        (MZ[1:], "the axis has"),
    ],
)
def test_an_axis_that_will_not_do_is_refused_with_its_reason(mz: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        pretreated(spectra(MZ), mz)


def test_a_count_that_is_no_number_and_half_a_bin_are_refused() -> None:
    counts = spectra(MZ)
    counts[1, 5] = np.nan
    with pytest.raises(DataError, match="spectrum 1 "):
        pretreated(counts, MZ)
    with pytest.raises(DataError, match="whole number of bins"):
        pretreated(spectra(MZ), MZ, 2000.0, 2010.0)


def test_real_isolates_with_an_axis_coarser_than_the_bins(shared_data: object) -> None:
    with np.load(f"{shared_data}/maldi/isolates.npz") as data:
        counts, mz = data["spectra"], data["axis_mz"]
    treated = pretreated(counts, mz, 2501.0, 12992.0)
    assert treated.shape == (400, 3497)
    assert np.isfinite(treated).all()
    with pytest.raises(DataError, match="set low and high"):
        pretreated(counts, mz)
