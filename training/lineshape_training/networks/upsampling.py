"""A generator's body: a coarse image of the spectrum, enlarged stage by stage.

Each stage resizes to twice as many points and convolves, for a transposed convolution leaves a checkerboard. A resize
that repeats every point, followed by a convolution with five taps, is two convolutions with three taps at the lower
resolution, one for the even and one for the odd points: the same numbers for 6/10 of the products, and the larger
array is never made. Activations lie in memory channel by channel at every point (channels last), where interleaving
the two is a change of shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

TAPS = 5
SLOPE = 0.2  # of the leaky rectifier below 0
FAINT = -3.0  # softplus of it, .05, is the detector's noise before the first step
# Which of the three coarse points each of the five taps meets, at an even and at an odd point.
MET = ((0, 0, 1, 1, 2), (0, 1, 1, 2, 2))


class Upsampling(nn.Module):
    """Repeat every point, then convolve with five taps."""

    phases: Tensor

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outward, inward, TAPS))
        self.bias = nn.Parameter(torch.zeros(outward))
        nn.init.kaiming_normal_(self.weight, SLOPE)
        phases = [F.one_hot(torch.tensor(met), 3).float() for met in MET]
        self.register_buffer("phases", torch.cat(phases, dim=1), persistent=False)  # [tap, phase and coarse tap]

    def forward(self, hidden: Float[Tensor, "n i 1 T"]) -> Float[Tensor, "n o 1 2*T"]:
        """Twice as many points."""
        outward, inward, _ = self.weight.shape
        kernel = (self.weight @ self.phases).view(outward, inward, 2, 1, 3).permute(2, 0, 1, 3, 4).flatten(0, 1)
        both = F.conv2d(hidden, kernel, self.bias.repeat(2), padding=(0, 1)).permute(0, 2, 3, 1)
        return both.reshape(hidden.shape[0], 1, -1, outward).permute(0, 3, 1, 2)  # len() would fix a traced batch


class Upsampler(nn.Module):
    """Noise and conditions to spectra of any length.

    Every resolution adds its own part to the spectrum, on top of the coarser ones drawn out smoothly, and begins with
    nothing but the coarsest: broad shapes come first, and detail is added rather than smoothed away. A detector's noise
    is no shape: it is a normal of its own at every point, whose standard deviation is drawn like a spectrum.

    Parameters
    ----------
    latent, told : int
        Standard normals that the shapes are made from, and numbers of a condition.
    channels : ints
        At each resolution; n of them make the coarsest image ``length / 2**n`` points long, rounded up.
    length : int
    """

    def __init__(self, latent: int, told: int, channels: Sequence[int], length: int) -> None:
        super().__init__()
        self.latent, self.length, self.first = latent, length, channels[0]
        self.size = latent + length  # standard normals of a spectrum
        self.cells = -(-length // 2 ** len(channels))
        self.weight_of_condition = latent**0.5  # a class counts for as much as all the noise together
        self.seed = nn.Linear(latent + told, self.cells * self.first)
        nn.init.kaiming_normal_(self.seed.weight, nonlinearity="linear")
        self.stages = nn.ModuleList(Upsampling(*pair) for pair in pairwise(channels))
        self.parts = nn.ModuleList(Upsampling(inward, 1) for inward in channels)
        self.grain = Upsampling(channels[-1], 1)
        for part in (*self.parts[1:], self.grain):
            nn.init.zeros_(part.weight)
        nn.init.constant_(self.grain.bias, FAINT)

    def forward(self, noise: Float[Tensor, "n size"], condition: Float[Tensor, "n told"]) -> Float[Tensor, "n L"]:
        """Spectra about 1 wide before the first step."""
        latent, grain = noise[:, : self.latent], noise[:, self.latent :]
        numbers = torch.cat([latent, condition * self.weight_of_condition], dim=1)
        coarse = self.seed(numbers).view(-1, 1, self.cells, self.first).permute(0, 3, 1, 2)
        hidden = F.leaky_relu(coarse, SLOPE)
        spectra: Tensor = self.parts[0](hidden)[:, 0, 0]
        for stage, part in zip(self.stages, self.parts[1:], strict=True):
            hidden = F.leaky_relu(stage(hidden), SLOPE)
            spectra = drawn_out(spectra) + part(hidden)[:, 0, 0]
        deviation: Tensor = F.softplus(self.grain(hidden)[:, 0, 0])
        return spectra[:, : self.length] + deviation[:, : self.length] * grain


def drawn_out(spectra: Float[Tensor, "n T"]) -> Float[Tensor, "n 2*T"]:
    """Linear interpolation at a quarter of a step before and behind every point; level at the ends."""
    before = torch.cat([spectra[:, :1], spectra[:, :-1]], dim=1)
    behind = torch.cat([spectra[:, 1:], spectra[:, -1:]], dim=1)
    both = torch.stack([0.75 * spectra + 0.25 * before, 0.75 * spectra + 0.25 * behind], dim=2)
    return both.flatten(1)
