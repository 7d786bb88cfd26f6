"""Line shapes: what their parameters mean, and how far the pseudo-Voigt is from the Voigt profile."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import voigt_profile

from lineshape_training.lineshapes import (
    LINE_SHAPE,
    VOIGT_ERROR,
    area,
    gaussian,
    lorentzian,
    profile,
    thompson,
    voigt,
    widths,
)

SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))  # standard deviation of a Gaussian of unit FWHM


def f64(value: float | list[float]) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@given(st.floats(-50, 50), st.floats(0.1, 100), st.floats(0, 1))
def test_a_profile_is_1_at_its_center_and_half_at_half_the_fwhm(center: float, fwhm: float, eta: float) -> None:
    x = f64([center - fwhm / 2, center, center + fwhm / 2])
    assert torch.allclose(profile(x, f64(center), f64(fwhm), eta), f64([0.5, 1.0, 0.5]), atol=1e-9)


def test_eta_runs_from_gaussian_to_lorentzian() -> None:
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    assert torch.equal(profile(x, f64(0.0), f64(1.0), 0.0), gaussian(x, f64(0.0), f64(1.0)))
    assert torch.equal(profile(x, f64(0.0), f64(1.0), 1.0), lorentzian(x, f64(0.0), f64(1.0)))
    assert LINE_SHAPE == {"raman": 0.0, "ir": 1.0, "xrd": 0.5}


def test_the_voigt_error_is_what_the_module_states() -> None:
    x = torch.linspace(-30, 30, 6001, dtype=torch.float64)
    worst = 0.0
    for ratio in np.concatenate([[0.0], np.logspace(-3, 3, 61), [np.inf]]):
        gauss, lorentz = (1.0, float(ratio)) if ratio < 1 else (1 / float(ratio), 1.0)
        exact = voigt_profile(x.numpy(), gauss * SIGMA, lorentz / 2)
        ours = voigt(x, f64(0.0), f64(gauss), f64(lorentz)).numpy()
        worst = max(worst, float(np.abs(ours - exact / exact.max()).max()))
    assert 0.9 * VOIGT_ERROR < worst < VOIGT_ERROR  # the stated figure is a bound, and a tight one


@given(st.floats(0, 1))
def test_widths_lead_back_through_thompson(eta: float) -> None:
    fwhm, fraction = thompson(*widths(f64(3.0), f64(eta)))
    # The two published polynomials are inverse to each other to .2 % of the FWHM.
    assert float(fwhm) == pytest.approx(3.0, rel=2e-3)
    assert float(fraction) == pytest.approx(eta, abs=2e-3)


@given(st.floats(0.5, 5), st.floats(0, 1))
def test_area_is_the_integral(fwhm: float, eta: float) -> None:
    x = torch.linspace(-1000, 1000, 100_001, dtype=torch.float64)
    integral = float(torch.trapezoid(profile(x, f64(0.0), f64(fwhm), eta), x))
    # Cut at 1000: the Lorentzian tails beyond hold fwhm^2 / 2000 of area on the two sides together.
    assert float(area(f64(fwhm), eta)) == pytest.approx(integral + eta * fwhm**2 / 2000, rel=1e-4)


def test_many_lines_broadcast_into_one_spectrum_with_gradients() -> None:
    x, center = torch.linspace(0, 10, 50), torch.tensor([[2.0, 7.0], [3.0, 4.0]], requires_grad=True)
    spectra = profile(x, center[..., None], torch.tensor(1.0), 0.5).sum(1)
    assert spectra.shape == (2, 50)
    (gradient,) = torch.autograd.grad(spectra.sum(), center)
    assert torch.isfinite(gradient).all()
