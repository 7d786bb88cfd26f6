"""The noise of a detector apart from the signal, by a filter whose noise is measured, not set.

In the upper half of the frequencies spectra hold little but noise, whose power falls off evenly there on a logarithmic
scale, for resampling onto a grid has taken some of it. Carried on to the lower half, that line is the noise everywhere;
what stands above it is signal. With P the mean power and N the noise's, the signal is what passes sqrt((P - N) / P), so
that it keeps its power, and the noise that is drawn anew has the power that did not pass. Its level goes along the axis
and from spectrum to spectrum, and usually with the intensity: photons are counted, and a square root of intensities
makes the noise of the weakest the loudest.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape_training.peaks import hats

POWERS = 3  # of the intensity, which the usual level follows
KNOT = 32  # points between knots of the level
REACH = 48  # points to either side that a filter sees
BAND = 31  # frequencies whose power is averaged
LOUDEST = 4.0  # standard deviations from the usual level: no estimate beyond is believed
QUIETEST = 1e-8  # variance of the quietest detector, in standardised intensities


class Detector(nn.Module):
    """What spectra hold beside their signal.

    Parameters
    ----------
    length : int
        Points of a spectrum.
    """

    hats: Tensor
    mean: Tensor
    range: Tensor
    curve: Tensor
    passes: Tensor
    grain: Tensor
    usual: Tensor
    spread: Tensor

    def __init__(self, length: int) -> None:
        super().__init__()
        self.reach = min(REACH, (length - 1) // 2)
        self.register_buffer("hats", hats(length, KNOT), persistent=False)
        self.knots = len(self.hats)
        for name, shape in (("mean", length), ("range", 2), ("curve", POWERS), ("usual", self.knots)):
            self.register_buffer(name, torch.zeros(shape))
        for name in ("passes", "grain"):
            self.register_buffer(name, torch.zeros(2 * self.reach + 1))
        self.register_buffer("spread", torch.ones(()))

    @torch.no_grad()
    def begin(self, spectra: Float[Tensor, "n L"], mean: Float[Tensor, " L"]) -> None:
        """Measure the noise of spectra from which the mean has been taken."""
        power, share = _powers(spectra)
        self.mean.copy_(mean)
        self.passes.copy_(_impulse(share, self.reach))
        self.passes.div_(self.passes.sum())
        signal = self.signal(spectra)
        passed = _response(self.passes, len(power))
        grain = _impulse(torch.sqrt((1 - passed**2).clamp(min=0) * power), self.reach)
        self.grain.copy_(grain / F.pad(grain, (2, 2)).diff(n=2).square().sum().sqrt())
        self.range.copy_(torch.stack([(signal + mean).min(), (signal + mean).max()]))
        rough = torch.log((spectra - signal).diff(n=2) ** 2 + QUIETEST) / 2
        self.curve.copy_(_slopes(rough, self._powers_of(signal)[:, 1:-1]))
        levels = self._log_levels(spectra, signal)
        self.usual.copy_(levels.mean(0))
        self.spread.copy_((levels - self.usual).square().mean().sqrt().clamp(min=QUIETEST))

    def signal(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
        """What is not noise."""
        return _filtered(spectra, self.passes)

    def levels(self, spectra: Float[Tensor, "n L"], signal: Float[Tensor, "n L"]) -> Float[Tensor, "n knots"]:
        """Standardised logarithms of the noise's roughness around each knot."""
        return (self._log_levels(spectra, signal) - self.usual) / self.spread

    def forward(
        self, levels: Float[Tensor, "n knots"], signal: Float[Tensor, "n L"], noise: Float[Tensor, "n L"]
    ) -> Float[Tensor, "n L"]:
        """The noise of these levels beside a signal, of standard normals."""
        along = (self.usual + self.spread * levels.clamp(-LOUDEST, LOUDEST)) @ self.hats
        return _filtered(torch.exp(along + self._usual_at(signal)) * noise, self.grain)

    def _log_levels(self, spectra: Float[Tensor, "n L"], signal: Float[Tensor, "n L"]) -> Float[Tensor, "n knots"]:
        """By how much spectra are rougher than their signal: what a filter takes from a line's tip hardly counts."""
        rougher = spectra.diff(n=2) ** 2 - signal.diff(n=2) ** 2
        even, around = rougher * torch.exp(-2 * self._usual_at(signal)[:, 1:-1]), self.hats[:, 1:-1]
        levels: Tensor = torch.log((even @ around.T / around.sum(1).clamp(min=1)).clamp(min=QUIETEST)) / 2
        return levels

    def _usual_at(self, signal: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
        """By how much the logarithm of the deviation is usually higher at this intensity than at the lowest."""
        usual: Tensor = self._powers_of(signal) @ self.curve
        return usual

    def _powers_of(self, signal: Float[Tensor, "n L"]) -> Float[Tensor, "n L p"]:
        """Intensity between the lowest and the highest of the fit, its square, ..."""
        low, high = self.range[0], self.range[1]
        share = ((signal + self.mean - low) / (high - low).clamp(min=QUIETEST)).clamp(0, 1)
        powers: Tensor = torch.stack([share ** (k + 1) for k in range(POWERS)], dim=2)
        return powers


def _slopes(values: Float[Tensor, "n L"], powers: Float[Tensor, "n L p"]) -> Float[Tensor, " p"]:
    """Coefficients of the powers in the least squares fit to the values, beside a constant."""
    rows = torch.cat([torch.ones_like(powers[:, :, :1]), powers], dim=2).flatten(0, 1).double()
    slopes: Tensor = _least_squares(rows.T @ rows, rows.T @ values.flatten().double())[1:].float()
    return slopes


def _least_squares(rows: Float[Tensor, "n p"], values: Float[Tensor, " n"]) -> Float[Tensor, " p"]:
    """The smallest coefficients with the smallest error; the same ones every time.

    `torch.linalg.lstsq` leaves the order in which it takes the columns to what was in memory before (pytorch#187411):
    the last digits differed, and with them the weights of two fits that ought to be one.
    """
    coefficients: Tensor = torch.linalg.pinv(rows) @ values
    return coefficients


def _powers(spectra: Float[Tensor, "n L"]) -> tuple[Float[Tensor, " f"], Float[Tensor, " f"]]:
    """Mean power at each frequency, and the share of it that is signal (in amplitude)."""
    mirrored = torch.cat([spectra, spectra.flip(1)], dim=1)  # without a step between its ends
    power = torch.fft.rfft(mirrored).abs().square().mean(0) / mirrored.shape[1]
    power = F.avg_pool1d(power[None, None], BAND, 1, BAND // 2, count_include_pad=False)[0, 0].clamp(min=QUIETEST)
    place = torch.linspace(0, 1, len(power), device=power.device)
    upper = place >= 0.5
    line = torch.stack([torch.ones_like(place), place], dim=1)
    slope = _least_squares(line[upper], power[upper].log())
    share = torch.sqrt((1 - torch.exp(line @ slope) / power).clamp(0, 1))
    return power, torch.where(upper, share * 2 * (1 - place), share)  # nothing passes at the highest frequency


def _impulse(response: Float[Tensor, " f"], reach: int) -> Float[Tensor, " taps"]:
    """The symmetric filter of a real response, faded out towards its ends."""
    taps = torch.fft.irfft(response.to(torch.complex64)).roll(reach)[: 2 * reach + 1]
    faded: Tensor = taps * torch.hann_window(2 * reach + 3, periodic=False, device=response.device)[1:-1]
    return faded


def _response(taps: Float[Tensor, " taps"], frequencies: int) -> Float[Tensor, " f"]:
    """What a symmetric filter does at each frequency."""
    reach, points = taps.shape[0] // 2, 2 * (frequencies - 1)
    response: Tensor = torch.fft.rfft(F.pad(taps, (0, points - taps.shape[0])).roll(-reach)).real
    return response


def _filtered(spectra: Float[Tensor, "n L"], taps: Float[Tensor, " taps"]) -> Float[Tensor, "n L"]:
    """Spectra behind a filter; beyond their ends they go on with the slope that they have there."""
    reach = taps.shape[0] // 2
    before = 2 * spectra[:, :1] - spectra[:, 1 : reach + 1].flip(1)
    behind = 2 * spectra[:, -1:] - spectra[:, -reach - 1 : -1].flip(1)
    filtered: Tensor = F.conv1d(torch.cat([before, spectra, behind], dim=1)[:, None], taps[None, None])[:, 0]
    return filtered
