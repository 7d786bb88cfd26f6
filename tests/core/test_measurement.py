"""Cosmic rays, saturation and calibration against spectra whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.axis import SpectralAxis
from lineshape.errors import DataError, UsageError
from lineshape.measurement import SILICON, calibrate_shift, remove_cosmic_rays, saturated
from lineshape.readers import read_spectrum
from lineshape.spectrum import Spectrum

AXIS = SpectralAxis.regular("raman", 100, 1800, 851)  # 2 cm-1 a pixel


def lines(x: np.ndarray, width: float = 10.0) -> np.ndarray:
    """Background, and five Lorentzian lines of a full width at half maximum in cm-1."""
    y = 200 + 0.05 * x
    for centre, height in [(213.3, 800), (465.2, 4000), (809.1, 300), (1086.7, 9000), (1437.9, 1500)]:
        y = y + height / (1 + (2 * (x - centre) / width) ** 2)
    return y


def measured(seed: int, width: float = 10.0) -> np.ndarray:
    """Counts with shot noise."""
    return np.random.default_rng(seed).poisson(lines(AXIS.values, width)).astype(float)


@given(seed=st.integers(0, 10_000), width=st.sampled_from([8.0, 10.0, 30.0]))
def test_lines_survive(seed, width):
    spectrum = Spectrum(measured(seed, width), AXIS)
    cleaned = remove_cosmic_rays(spectrum)
    changed = np.abs(cleaned.intensities - spectrum.intensities)
    # 8 deviations let hardly a pixel through; what passes by chance moves by noise, not by a line
    assert (changed > 8 * np.sqrt(lines(AXIS.values, width))).sum() == 0


def _residual_of_a_spike(seed: int, at: int, height: float, pixels: int) -> float:
    """The largest error left around a spike that was added to a spectrum with lines 10 pixels wide."""
    y = measured(seed, 20.0)
    y[at : at + pixels] += height
    cleaned = remove_cosmic_rays(Spectrum(y, AXIS))
    assert "cosmic ray" in cleaned.notes[0]
    return np.abs(cleaned.intensities - lines(AXIS.values, 20.0))[at - 2 : at + pixels + 2].max()


seeds, spike_widths = st.integers(0, 10_000), st.integers(1, 2)


@given(seed=seeds, at=st.integers(230, 330), height=st.floats(500, 60000), pixels=spike_widths)
def test_a_small_spike_between_lines_is_removed_and_noted(seed, at, height, pixels):
    assert _residual_of_a_spike(seed, at, height, pixels) < 150  # six deviations of the shot noise of 600 counts


def test_most_spikes_of_300_counts_are_found():
    found = 0
    for seed in range(200):
        y = measured(seed, 20.0)
        y[230 + seed % 100] += 300.0  # half of the 600 counts there, twelve deviations of their shot noise
        found += bool(remove_cosmic_rays(Spectrum(y, AXIS)).notes)
    assert found >= 190


@given(seed=seeds, at=st.integers(5, 845), height=st.floats(15000, 60000), pixels=spike_widths)
def test_a_spike_higher_than_the_lines_is_removed_anywhere(seed, at, height, pixels):
    # a straight line over four pixels of the strongest line is off by up to a fifth of its 9000 counts
    assert _residual_of_a_spike(seed, at, height, pixels) < 1800


def test_a_spectrum_without_spikes_is_itself():
    spectrum = Spectrum(lines(AXIS.values, 10.0), AXIS)
    assert remove_cosmic_rays(spectrum) is spectrum


def test_cosmic_rays_refuse_nonsense():
    short = Spectrum(np.ones(10), SpectralAxis.regular("raman", 1, 10, 10))
    with pytest.raises(DataError, match="too few"):
        remove_cosmic_rays(short)
    with pytest.raises(UsageError, match="positive"):
        remove_cosmic_rays(short, threshold=0)


def test_a_flat_top_is_saturation_and_a_sharp_one_is_not():
    y = lines(AXIS.values, 30.0)
    assert not saturated(Spectrum(y, AXIS)).any()
    clipped = np.minimum(y, 4000.0)
    np.testing.assert_array_equal(saturated(Spectrum(clipped, AXIS)), clipped == 4000)
    assert saturated(Spectrum(np.full(851, 65535.0), AXIS)).all()
    with pytest.raises(UsageError):
        saturated(Spectrum(y, AXIS), run=0)


def silicon(shift: float, seed: int, step: float = 1.0, gauss: bool = False) -> Spectrum:
    axis = SpectralAxis.of(np.arange(100, 1000, step), "raman", laser_nm=532)
    t = (axis.values - SILICON - shift) / 2.5
    shape = np.exp(-(t**2) * np.log(2)) if gauss else 1 / (1 + t**2)
    y = np.random.default_rng(seed).poisson(100 + 0.1 * axis.values + 3000 * shape)
    return Spectrum(y.astype(float), axis)


@given(shift=st.floats(-13, 13), seed=st.integers(0, 999), step=st.sampled_from([0.5, 1.0, 1.7]), gauss=st.booleans(),
       falling=st.booleans())  # fmt: skip
def test_calibration_recovers_a_known_shift(shift, seed, step, gauss, falling):
    reference = silicon(shift, seed, step, gauss)
    if falling:
        reference = Spectrum(reference.intensities[::-1], reference.axis.reversed())
    sample = Spectrum(measured(seed), SpectralAxis.of(AXIS.values + shift, "raman", laser_nm=532))
    calibrated = calibrate_shift(sample, reference)
    # One deviation is .02 to .04 cm-1; the unluckiest of the many draws that are tried here may be five of them out.
    np.testing.assert_allclose(calibrated.axis.values, AXIS.values, atol=0.2)
    assert "Shifted the axis by" in calibrated.notes[0]
    assert calibrated.axis.laser_nm == 532


def test_calibration_is_right_to_a_tenth_of_a_wavenumber():
    draws = np.random.default_rng(0)
    wrong = 0
    for seed in range(200):
        shift, step = draws.uniform(-13, 13), draws.choice([0.5, 1.0, 1.7])
        sample = Spectrum(measured(seed), SpectralAxis.of(AXIS.values + shift, "raman", laser_nm=532))
        calibrated = calibrate_shift(sample, silicon(shift, seed, step, gauss=bool(seed % 2)))
        wrong += bool(abs(calibrated.axis.first - AXIS.first) > 0.1)
    # One deviation is .02 to .04 cm-1, the larger on the coarsest grid; there 1 to 2 % of the draws are beyond .1.
    assert wrong <= 4


def test_without_a_line_there_is_no_calibration():
    sample = Spectrum(measured(1), AXIS)
    far = silicon(40.0, 1)
    with pytest.raises(DataError, match="no line within"):
        calibrate_shift(sample, far)
    with pytest.raises(DataError, match="it needs 5"):
        calibrate_shift(sample, Spectrum(np.ones(20), SpectralAxis.regular("raman", 600, 700, 20)))
    with pytest.raises(UsageError, match="in cm-1"):
        calibrate_shift(Spectrum(np.ones(5), SpectralAxis.regular("ir", 1, 5, 5)), far)
    other = Spectrum(measured(1), SpectralAxis.of(AXIS.values, "raman", laser_nm=785))
    with pytest.raises(UsageError, match="measure both alike"):
        calibrate_shift(other, silicon(0, 1))


def test_measured_silicon(shared_data: Path):
    reference = read_spectrum(shared_data / "vendor" / "labspec" / "532nm-191216-Si_200mu.txt", "raman")
    calibrated = calibrate_shift(reference, reference)
    shift = calibrated.axis.first - reference.axis.first
    assert abs(shift) < 5
    assert calibrate_shift(calibrated, calibrated).axis.first == pytest.approx(calibrated.axis.first, abs=1e-3)
