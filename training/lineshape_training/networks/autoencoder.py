"""The parts of a variational autoencoder of spectra: encoder, decoder, a prior that is learned, and detector noise.

Spectra of any length go through; strided convolutions read them, and the decoder works at a quarter of the resolution
until its last layer, which gives four neighbouring points at once.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lineshape_training.peaks import hats

STRIDE = 4  # of each of the two strided convolutions
REACH = 9  # points under a filter
NARROWEST, WIDEST = -8.0, 4.0  # log-variances of a posterior
LARGEST_SCALE = 1.0  # of the logarithm by which a coupling scales
KNOT = 32  # points between knots of the noise level
QUIETEST = 1e-3  # noise level to start from, in standardised intensities
APART = 1.0  # largest logarithm of a spectrum's noise level over the usual one


class Encoder(nn.Module):
    """Spectrum, mask and what is told to the mean and log-variance of a posterior.

    Parameters
    ----------
    length, latent : int
        Points of a spectrum, numbers of a latent.
    channels, hidden : int
        Of the first convolution (the second has twice as many), and of the layer behind it.
    told : int
        Numbers that are known of a spectrum beside its points.
    """

    def __init__(self, length: int, latent: int, channels: int, hidden: int, told: int) -> None:
        super().__init__()
        c, cells, side = channels, -(-length // STRIDE**2), REACH // 2
        self.read = nn.Sequential(
            nn.Conv1d(2, c, REACH, STRIDE, side), nn.GELU(), nn.Conv1d(c, 2 * c, REACH, STRIDE, side), nn.GELU(),
            nn.Flatten(),
        )  # fmt: skip
        self.body = nn.Sequential(nn.Linear(2 * c * cells + told, hidden), nn.GELU(), nn.Linear(hidden, 2 * latent))

    def forward(
        self, spectrum: Float[Tensor, "n L"], mask: Float[Tensor, "n L"], told: Float[Tensor, "n e"]
    ) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [n, latent]."""
        read = self.read(torch.stack([spectrum, mask], dim=1))
        mean, log_variance = self.body(torch.cat([read, told], dim=1)).chunk(2, dim=1)
        return mean, log_variance.clamp(NARROWEST, WIDEST)


class Decoder(nn.Module):
    """Latent and what is told to a spectrum; parameters as for `Encoder`."""

    def __init__(self, length: int, latent: int, channels: int, hidden: int, told: int) -> None:
        super().__init__()
        c, side = channels, REACH // 2
        self.length, self.cells = length, -(-length // STRIDE**2)
        self.body = nn.Sequential(
            nn.Linear(latent + told, hidden), nn.GELU(), nn.Linear(hidden, 2 * c * self.cells), nn.GELU()
        )
        self.wider = nn.Sequential(nn.Conv1d(2 * c, c, REACH, padding=side), nn.GELU())
        self.points = nn.Conv1d(c, STRIDE, REACH, padding=side)
        self.blend = nn.Conv1d(1, 1, 2 * STRIDE - 1, padding=STRIDE - 1, padding_mode="replicate")
        self.begin()

    @torch.no_grad()
    def begin(self) -> None:
        """Start from straight lines between every fourth point, so that no pattern of four shows."""
        self.blend.weight.copy_((1 - torch.arange(1.0 - STRIDE, STRIDE).abs() / STRIDE)[None, None] / STRIDE)

    def forward(self, latent: Float[Tensor, "n latent"], told: Float[Tensor, "n e"]) -> Float[Tensor, "n L"]:
        """The spectrum."""
        coarse = self.body(torch.cat([latent, told], dim=1)).unflatten(1, (-1, self.cells))
        quarter = self.wider(coarse.repeat_interleave(STRIDE, dim=2))
        points = self.points(quarter).transpose(1, 2).flatten(1)
        spectrum: Tensor = self.blend(points[:, None])[:, 0, : self.length]
        return spectrum


class Coupling(nn.Module):
    """An invertible layer (Dinh et al., 2017): one half of a latent is scaled and shifted by what the other half says.

    Parameters
    ----------
    latent, hidden, told : int
    turned : bool
        Whether the second half speaks.
    """

    def __init__(self, latent: int, hidden: int, told: int, turned: bool) -> None:
        super().__init__()
        self.sizes, self.turned = (latent // 2, latent - latent // 2), turned
        speaks, hears = reversed(self.sizes) if turned else self.sizes
        self.body = nn.Sequential(nn.Linear(speaks + told, hidden), nn.GELU(), nn.Linear(hidden, 2 * hears))
        last = self.body[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, latent: Tensor, told: Tensor, back: bool = False) -> tuple[Tensor, Tensor]:
        """The latent one layer on (or one layer back), and the logarithm [n] by which its volume grew going on."""
        first, second = latent[:, : self.sizes[0]], latent[:, self.sizes[0] :]
        speaks, hears = (second, first) if self.turned else (first, second)
        scale, shift = self.body(torch.cat([speaks, told], dim=1)).chunk(2, dim=1)
        scale = LARGEST_SCALE * torch.tanh(scale)
        heard = (hears - shift) * torch.exp(-scale) if back else hears * torch.exp(scale) + shift
        parts = (heard, speaks) if self.turned else (speaks, heard)
        return torch.cat(parts, dim=1), scale.sum(1)


class Prior(nn.Module):
    """Where latents lie: a normal distribution whose place and widths are learned, bent by couplings.

    Sampling is one pass over standard normals.

    Parameters
    ----------
    latent, hidden, told : int
    couplings : int
        0 for a plain normal distribution, which is the standard one if nothing is told.
    """

    def __init__(self, latent: int, hidden: int, told: int, couplings: int) -> None:
        super().__init__()
        self.told = nn.Linear(told, 2 * latent) if told else None
        self.couplings = nn.ModuleList([Coupling(latent, hidden, told, bool(k % 2)) for k in range(couplings)])

    def draw(self, noise: Float[Tensor, "n latent"], told: Float[Tensor, "n e"]) -> Float[Tensor, "n latent"]:
        """Latents of standard normals."""
        mean, log_variance = self._normal(noise, told)
        latent = mean + noise * torch.exp(log_variance / 2)
        for coupling in self.couplings:
            latent, _ = coupling(latent, told)
        return latent

    def log_density(self, latent: Float[Tensor, "n latent"], told: Float[Tensor, "n e"]) -> Float[Tensor, " n"]:
        """Log-density of latents, up to the constant of a normal distribution."""
        grown = torch.zeros_like(latent[:, 0])
        for coupling in reversed(self.couplings):
            latent, volume = coupling(latent, told, back=True)
            grown = grown + volume
        mean, log_variance = self._normal(latent, told)
        return -0.5 * ((latent - mean) ** 2 * torch.exp(-log_variance) + log_variance).sum(1) - grown

    def _normal(self, like: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        if self.told is None:
            return torch.zeros_like(like), torch.zeros_like(like)
        mean, log_variance = self.told(told).chunk(2, dim=1)
        return mean, log_variance.clamp(NARROWEST, WIDEST)


class NoiseLevel(nn.Module):
    """Latent and what is told to the standard deviation of the detector's noise, point by point.

    Parameters
    ----------
    length, inputs : int
        Points of a spectrum, numbers of the latent and of what is told.
    """

    hats: Tensor

    def __init__(self, length: int, inputs: int) -> None:
        super().__init__()
        self.register_buffer("hats", hats(length, KNOT), persistent=False)
        self.usual = nn.Parameter(torch.zeros(len(self.hats)))
        self.apart = nn.Linear(inputs, len(self.hats), bias=False)
        nn.init.zeros_(self.apart.weight)

    def forward(self, latent: Float[Tensor, "n latent"], told: Float[Tensor, "n e"]) -> Float[Tensor, "n L"]:
        """Standard deviations, in standardised intensities."""
        level: Tensor = torch.exp(self._knots(latent, told) @ self.hats)
        return level

    @torch.no_grad()
    def begin(self, spectra: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> None:
        """Start from the noise that spectra would have if all that is rough in them were noise."""
        variance, known = self._variance(spectra, mask)
        self.usual.copy_(((variance * known).sum(0) / known.sum(0).clamp(min=1)).clamp(min=QUIETEST**2).log() / 2)

    def loss(
        self, spectrum: Float[Tensor, "n L"], decoded: Float[Tensor, "n L"], mask: Float[Tensor, "n L"],
        latent: Float[Tensor, "n latent"], told: Float[Tensor, "n e"],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """Mean negative log-likelihood of the roughness that decoded spectra lack."""
        (whole, known), (drawn, _) = (self._variance(values, mask) for values in (spectrum, decoded))
        knots = self._knots(latent, told)
        lacking = (whole - drawn).clamp(min=0)
        return ((lacking / 2 * torch.exp(-2 * knots) + knots) * known).mean()

    def _knots(self, latent: Tensor, told: Tensor) -> Tensor:
        """Logarithms of the standard deviations at the knots."""
        knots: Tensor = self.usual + APART * torch.tanh(self.apart(torch.cat([latent, told], dim=1)))
        return knots

    def _variance(self, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The variance of white noise that would be as rough around each knot, and how much was measured there."""
        known, around = mask[:, :-2] * mask[:, 1:-1] * mask[:, 2:], self.hats[:, 1:-1].T
        weight = known @ around
        rough = (values.diff(n=2, dim=1) ** 2 * known) @ around
        return rough / weight.clamp(min=1e-6) / 6, weight / around.sum(0).clamp(min=1e-6)
