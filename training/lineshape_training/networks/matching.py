"""Losses between a batch of drawn spectra and one of measured spectra that few spectra estimate well.

They compare the batches, not spectrum with spectrum: copies of the measured ones' mean do not minimise them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

FAINT = 1e-3  # magnitudes of white noise this large, against the spectra's spread, do not count
LENGTHS = 32  # a transform of a length with large prime factors takes several times as long: zeros are added
TINY = 1e-8


def matching_loss(drawn: Float[Tensor, "n f"], real: Float[Tensor, "n f"]) -> Float[Tensor, ""]:
    """Squared distance of the mean features (Salimans et al., 2016), in units of the real ones' variance."""
    return ((drawn.mean(0) - real.mean(0)) ** 2).mean() / (real.var(0).mean() + TINY)


def fourier_loss(drawn: Float[Tensor, "n L"], real: Float[Tensor, "n L"]) -> Float[Tensor, ""]:
    """Mean distance of the mean log magnitudes, over all frequencies alike."""
    return (_log_magnitudes(drawn).mean(0) - _log_magnitudes(real).mean(0)).abs().mean()


def smoothness_loss(drawn: Float[Tensor, "n L"], real: Float[Tensor, "n L"]) -> Float[Tensor, ""]:
    """Squared differences of the log roughness' mean and deviation: as smooth as the real spectra, and no smoother."""
    drawn, real = _log_roughness(drawn)[:, None], _log_roughness(real)[:, None]
    return (drawn.mean() - real.mean()) ** 2 + (_deviation(drawn) - _deviation(real)).square().sum()


def moments_loss(drawn: Float[Tensor, "n L"], real: Float[Tensor, "n L"]) -> Float[Tensor, ""]:
    """Squared differences of mean and standard deviation at each point."""
    mean, deviation = drawn.mean(0) - real.mean(0), _deviation(drawn) - _deviation(real)
    return (mean**2 + deviation**2).mean() / (real.square().mean() + TINY)


def _log_magnitudes(spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n f"]:
    length = spectra.shape[1]
    points = -(-length // LENGTHS) * LENGTHS
    return torch.log(torch.fft.rfft(spectra.float(), points).abs() + FAINT * length**0.5)


def _log_roughness(spectra: Float[Tensor, "n L"]) -> Float[Tensor, " n"]:
    """Of the mean squared second difference."""
    return torch.log(spectra.diff(n=2, dim=1).square().mean(1) + TINY)


def _deviation(spectra: Float[Tensor, "n L"]) -> Float[Tensor, " L"]:
    return torch.sqrt(spectra.var(0, correction=0) + TINY)
