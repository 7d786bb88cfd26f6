"""Line shapes of unit height, in real-valued operations that export to ONNX.

A spectral line is broadened in two ways. A finite lifetime (vibrational relaxation, small crystallites) makes
it Lorentzian, L(x) = 1 / (1 + 4 u^2); random shifts (instrument, strain, disorder) make it Gaussian,
G(x) = exp(-4 ln 2 u^2), with u = (x - center) / FWHM. Both together make their convolution, the Voigt profile,
which needs the complex error function. Here it is the pseudo-Voigt

    P(x) = eta L(x) + (1 - eta) G(x)

with one FWHM for both terms and the Lorentzian fraction eta, as functions of the two widths by Thompson, Cox and
Hastings, J. Appl. Cryst. 20 (1987) 79, equations 8 to 10. Against the Voigt profile, both of unit height, it is
wrong by at most `VOIGT_ERROR` of the height, at any ratio of the widths.

`profile` is the one parametrisation that the simulator and the networks share. Every argument broadcasts: a
spectrum of many lines is `profile(x, center[..., None], fwhm[..., None], eta)`, weighted and summed over lines.
"""

from __future__ import annotations

from math import log, pi, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

VOIGT_ERROR = 0.016
"""Largest error of `voigt` against the Voigt profile, in units of the line's height; a test measures it."""

LINE_SHAPE: dict[str, float] = {"raman": 0.0, "ir": 1.0, "xrd": 0.5}
"""Lorentzian fraction that stands for a modality in SpectroGen: Gaussian, Lorentzian and Voigt lines."""

_AREA_GAUSS = sqrt(pi / (4 * log(2)))
_AREA_LORENTZ = pi / 2


def gaussian(x: Float[Tensor, ...], center: Float[Tensor, ...], fwhm: Float[Tensor, ...]) -> Float[Tensor, ...]:
    """Gaussian line of unit height; `center` and `fwhm` in the unit of `x`."""
    u = (x - center) / fwhm
    return torch.exp(-4 * log(2) * u * u)


def lorentzian(x: Float[Tensor, ...], center: Float[Tensor, ...], fwhm: Float[Tensor, ...]) -> Float[Tensor, ...]:
    """Lorentzian line of unit height; `center` and `fwhm` in the unit of `x`."""
    u = (x - center) / fwhm
    return 1 / (1 + 4 * u * u)


def profile(
    x: Float[Tensor, ...],
    center: Float[Tensor, ...],
    fwhm: Float[Tensor, ...],
    eta: Float[Tensor, ...] | float,
) -> Float[Tensor, ...]:
    """Pseudo-Voigt line of unit height.

    Parameters
    ----------
    x, center, fwhm : tensors that broadcast
        Positions, line centre and full width at half maximum, in one unit; `fwhm` above 0.
    eta : tensor that broadcasts, or float
        Lorentzian fraction, 0 (Gaussian) to 1 (Lorentzian).

    Returns
    -------
    tensor of the broadcast shape
        1 at the centre, 1/2 at half the FWHM from it, whatever `eta`.
    """
    return eta * lorentzian(x, center, fwhm) + (1 - eta) * gaussian(x, center, fwhm)


def voigt(
    x: Float[Tensor, ...],
    center: Float[Tensor, ...],
    fwhm_gauss: Float[Tensor, ...],
    fwhm_lorentz: Float[Tensor, ...],
) -> Float[Tensor, ...]:
    """Voigt line of unit height, as the pseudo-Voigt of `thompson`; error below `VOIGT_ERROR`."""
    return profile(x, center, *thompson(fwhm_gauss, fwhm_lorentz))


def thompson(
    fwhm_gauss: Float[Tensor, ...], fwhm_lorentz: Float[Tensor, ...]
) -> tuple[Float[Tensor, ...], Float[Tensor, ...]]:
    """Total FWHM and Lorentzian fraction of a Gaussian convolved with a Lorentzian.

    Thompson, Cox and Hastings (1987), equations 8 to 10. The widths must not both be 0.
    """
    g, l = fwhm_gauss, fwhm_lorentz  # noqa: E741 - the paper's symbols
    fifth = g**5 + 2.69269 * g**4 * l + 2.42843 * g**3 * l**2 + 4.47163 * g**2 * l**3 + 0.07842 * g * l**4 + l**5
    fwhm = fifth**0.2
    q = l / fwhm
    return fwhm, 1.36603 * q - 0.47719 * q**2 + 0.11116 * q**3


def widths(fwhm: Float[Tensor, ...], eta: Float[Tensor, ...]) -> tuple[Float[Tensor, ...], Float[Tensor, ...]]:
    """Gaussian and Lorentzian FWHM of a pseudo-Voigt: the way back through `thompson`.

    Thompson, Cox and Hastings (1987), equation 11; accurate to .2 % of the FWHM.
    """
    gauss = (1 - 0.74417 * eta - 0.24781 * eta**2 - 0.00810 * eta**3).clamp_min(0).sqrt()
    lorentz = 0.72928 * eta + 0.19289 * eta**2 + 0.07783 * eta**3
    return fwhm * gauss, fwhm * lorentz


def area(fwhm: Float[Tensor, ...], eta: Float[Tensor, ...] | float) -> Float[Tensor, ...]:
    """Area under a pseudo-Voigt of unit height; broadening keeps a line's area, not its height."""
    return fwhm * (eta * _AREA_LORENTZ + (1 - eta) * _AREA_GAUSS)
