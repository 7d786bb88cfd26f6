"""BayesOpGAN: a conditional generative adversarial network for classes of few spectra.

Three things hold it together where a plain one falls apart. The generator starts at the mean spectrum of each class
and learns what departs from it; its upsampling is smooth, each stage half an interpolation of the one before; and
beside the critic stand losses that few spectra estimate well (features, Fourier magnitudes, roughness, moments), whose
weights are searched for by Bayesian optimisation, not set by hand. A softplus keeps every intensity at or above 0.
The detector's noise, which smooth upsampling cannot draw, is drawn apart, as large as the latent says.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, ClassVar, TypeAlias

import msgspec
import numpy as np
import torch
from jaxtyping import Float, Int
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape.bundle import SamplerSpec
from lineshape.errors import DataError
from lineshape_training.conditions import Conditions
from lineshape_training.family import Tensors, Turn
from lineshape_training.networks.critic import Critic
from lineshape_training.networks.matching import fourier_loss, matching_loss, moments_loss, smoothness_loss
from lineshape_training.networks.upsampling import SLOPE, Upsampling
from lineshape_training.preprocess import prepared
from lineshape_training.recipe import Recipe
from lineshape_training.sampling import BY_MMD, SpectrumFamily, SpectrumNetwork
from lineshape_training.validation.metrics.fourier import fourier_distance

Weight: TypeAlias = Annotated[float, Meta(ge=0)]

STAGES = 5  # of upsampling, x2 each
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # takes the detector's noise out of the mean of few spectra
NARROWEST = 4  # channels at full length, which cost the most
MOST_BELOW = 0.05  # of the prepared intensities: noise about a baseline of 0 may reach there
FAINT = 1e-3  # of the spread: no detector is quieter
MEDIAN = 0.6745  # of the size of a standard normal
GRAIN = (0.0, 0.25, 1.0, 0.25, 0.0)  # where it starts: interpolation onto a grid makes neighbouring points alike
FOURTH = 26.25  # variance of the fourth difference of standard normals that went through GRAIN


class BayesOpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers of the network.

    Parameters
    ----------
    latent : int
        Size of the latent.
    channels : int
        Of the first stage of the generator, and of the last layer of the critic.
    penalty : float
        Weight of the critic's squared gradient at real spectra (R1; Mescheder, Geiger and Nowozin, 2018).
    matching, fourier, smoothness, moments : float
        Weights of the generator's losses against the adversarial one, whose weight is 1: a factor that all of them
        share does nothing under AdamW.
    """

    latent: Annotated[int, Meta(ge=2)] = 16
    channels: Annotated[int, Meta(ge=16, multiple_of=16)] = 64
    penalty: Weight = 1.0
    matching: Weight = 1.0
    fourier: Weight = 1.0
    smoothness: Weight = 0.1
    moments: Weight = 1.0


class SmoothUpsampling(nn.Module):
    """Twice as many points: half an interpolation of the layer before, half a convolution of it.

    Parameters
    ----------
    inward, outward : int
        Channels.
    blend : float
        Share of the interpolation; at 0 it is plain upsampling.
    """

    def __init__(self, inward: int, outward: int, blend: float = 0.5) -> None:
        super().__init__()
        self.blend = blend
        self.carry = nn.Linear(inward, outward)
        self.fresh = Upsampling(inward, outward)
        nn.init.kaiming_normal_(self.carry.weight, nonlinearity="linear")

    def forward(self, hidden: Float[Tensor, "n i 1 T"]) -> Float[Tensor, "n o 1 2*T"]:
        """The next layer."""
        carried = _interpolated(self.carry(hidden.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        blended: Tensor = torch.lerp(F.leaky_relu(self.fresh(hidden), SLOPE), carried, self.blend)
        return blended


class Generator(nn.Module):
    """What departs from a class's mean spectrum before the softplus, and the detector's noise."""

    def __init__(self, config: BayesOpConfig, told: int, length: int) -> None:
        super().__init__()
        widths = [max(config.channels // 2**k, NARROWEST) for k in range(STAGES + 1)]
        self.length, self.cells, size = length, -(-length // 2**STAGES), config.latent + told
        self.seed = nn.Linear(size, self.cells * widths[0])
        self.stages = nn.Sequential(*(SmoothUpsampling(*pair) for pair in pairwise(widths)))
        self.out = nn.Conv2d(widths[-1], 1, (1, 5), padding=(0, 2))
        self.deviation = nn.Linear(size, 1)
        self.grain = nn.Conv1d(1, 1, 5, padding=2, bias=False)  # noise is as correlated as the grid has made it
        with torch.no_grad():
            self.grain.weight.copy_(torch.tensor(GRAIN))

    @torch.no_grad()
    def begin(self, noise: Float[Tensor, " n"]) -> None:
        """Start with noise as large as that of measured spectra: log-normal, along the first number of the latent."""
        self.deviation.weight.zero_()
        self.deviation.weight[0, 0] = noise.log().std(correction=0)
        self.deviation.bias.fill_(float(noise.log().mean()))

    def forward(
        self, known: Float[Tensor, "n d"], white: Float[Tensor, "n L"]
    ) -> tuple[Float[Tensor, "n L"], Float[Tensor, "n L"]]:
        """The departure, of latent and condition, and the noise of every point, of one size for a whole spectrum."""
        coarse = self.seed(known).unflatten(1, (1, self.cells, -1)).permute(0, 3, 1, 2)
        departure = self.out(self.stages(F.leaky_relu(coarse, SLOPE)))[:, 0, 0, : self.length]
        return departure, self.deviation(known).exp() * self.grain(white[:, None])[:, 0]


class FeatureCritic(Critic):
    """A critic whose last features can be looked at."""

    def features(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n f"]:
        """What its answer is a linear function of, given the condition."""
        return self._features(spectra)


class BayesOpNetwork(SpectrumNetwork):
    """Generator and critic of spectra of one length."""

    turns = (Turn("critic", ("critic",)), Turn("generator", ("generator",)))
    start: Tensor

    def __init__(self, config: BayesOpConfig, recipe: Recipe, conditions: Conditions) -> None:
        length = recipe.axes["spectrum"].n
        super().__init__(recipe, conditions, config.latent + length, length)
        self.config = config
        self.generator = Generator(config, conditions.size, length)
        c = config.channels
        self.critic = FeatureCritic(length, (c // 4, c // 2, c), (c,), conditions.size)
        self.register_buffer("start", torch.zeros(1 + conditions.size, length))

    @torch.no_grad()
    def begin(self, tensors: Tensors) -> None:
        """Start at the mean spectrum, and for each class that has spectra at its own.

        Raises
        ------
        DataError
            If many intensities lie below 0.
        """
        super().begin(tensors)
        values, mask = prepared(self.steps, tensors["values"], tensors["mask"]), tensors["mask"]
        if (below := float((values < 0).sum() / mask.sum())) > MOST_BELOW:
            raise DataError(f"{below:.0%} of the prepared intensities lie below 0, where bayesop-gan draws none; begin "
                           "[intensity_half] with min-max")  # fmt: skip
        self.generator.begin(_noise(self.standardised(tensors)))
        overall = _before_softplus(_smoothed(self.middle[None]) / self.spread)
        member = tensors["condition"][:, : len(self.conditions.classes)].T
        points = member @ mask
        mean = torch.where(points > 0, member @ values / points.clamp(min=1), self.middle)
        self.start.zero_()
        self.start[0] = overall[0]
        self.start[1 : 1 + len(member)] = _before_softplus(_smoothed(mean) / self.spread) - overall

    def draw(self, noise: Float[Tensor, "n size"], condition: Float[Tensor, "n c"]) -> Float[Tensor, "n L"]:
        """A smooth spectrum and noise about it, folded at 0: none is below 0 once the mean has been added again."""
        latent, white = noise[:, : -self.length], noise[:, -self.length :]
        departure, grain = self.generator(torch.cat([latent, condition], dim=1), white)
        smooth = F.softplus(self._start(condition) + departure)
        drawn: Tensor = (smooth + grain).abs() - self.middle / self.spread
        return drawn

    def draws(self, n: int, device: torch.device) -> Tensors:
        """The generator's noise."""
        return {"noise": torch.randn(n, self.size, device=device)}

    def given(self, batch: Tensors, turn: str) -> Tensors:
        """What the critic is to tell from measured spectra."""
        return {"drawn": self.draw(batch["noise"], batch["condition"]) * batch["mask"]} if turn == "critic" else {}

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """The logistic loss of either player, and what else it is held to."""
        real = self.standardised(batch)
        return self._critic_loss(real, batch) if turn == "critic" else self._generator_loss(real, batch)

    def _critic_loss(self, real: Float[Tensor, "n L"], batch: Tensors) -> Tensors:
        told = batch["condition"]
        wrong = F.softplus(-self.critic(real, told)).mean() + F.softplus(self.critic(batch["drawn"], told)).mean()
        slope = self.critic.input_gradient(real, told)
        return {"critic": wrong, "penalty": self.config.penalty / 2 * (slope**2).sum(1).mean()}

    def _generator_loss(self, real: Float[Tensor, "n L"], batch: Tensors) -> Tensors:
        config, told, mask = self.config, batch["condition"], batch["mask"]
        drawn = self.draw(batch["noise"], told) * mask
        offset = self.middle / self.spread * mask  # a spectrum's frequencies are those of its intensities
        centre = F.softplus(self._start(told)) * mask - offset
        return {
            "adversarial": F.softplus(-self.critic(drawn, told)).mean(),
            "matching": config.matching * matching_loss(self.critic.features(drawn), self.critic.features(real)),
            "fourier": config.fourier * fourier_loss(drawn + offset, real + offset),
            "smoothness": config.smoothness * smoothness_loss(drawn + offset, real + offset),
            "moments": config.moments * moments_loss(drawn - centre, real - centre),
        }

    def _start(self, condition: Float[Tensor, "n c"]) -> Float[Tensor, "n L"]:
        return self.start[0] + condition @ self.start[1:]

    @torch.no_grad()
    def score(self, held_out: Tensors) -> float:
        """The squared MMD, and how far the Fourier distance is from that of real spectra under the same conditions."""
        standardised = (self._drawn(held_out), self.standardised(held_out))
        both = [(self.spectra(some) * held_out["mask"]).cpu().numpy() for some in standardised]
        drawn, real = (fourier_across(some, both[1], held_out["group"].cpu().numpy()) for some in both)
        return super().score(held_out) + abs(drawn - real)  # copies of the mean come too close


class BayesOpGAN(SpectrumFamily[BayesOpNetwork, BayesOpConfig]):
    """Few-spectra generative adversarial network; its recipe searches for the weights of its losses."""

    name: ClassVar[str] = "bayesop-gan"
    conditional = True
    needs_conditions = False  # one network draws from all classes, if there are any
    keeps = "mean spectrum of each class of the fit"
    scored_by = f"{BY_MMD}, plus the gap of the Fourier distance to theirs"
    sampler = SamplerSpec("generator", 1)
    Config = BayesOpConfig

    def build(self, config: BayesOpConfig, recipe: Recipe, conditions: Conditions) -> BayesOpNetwork:
        """Fresh weights."""
        return BayesOpNetwork(config, recipe, conditions)


def fourier_across(some: Float[np.ndarray, "n L"], real: Float[np.ndarray, "n L"],
                   group: Int[np.ndarray, " n"]) -> float:  # fmt: skip
    """Mean Fourier distance of either half of some spectra from the other half of the real ones; groups stay whole.

    The mean of the real spectra then holds none of those that are compared with it, which would lie too close.
    """
    first = np.unique(group, return_inverse=True)[1] % 2 == 0
    return float(np.mean([fourier_distance(some[half], real[~half]) for half in (first, ~first)]))


def _noise(spectra: Float[Tensor, "n L"]) -> Float[Tensor, " n"]:
    """Deviation of the noise before its grain, by the median of the fourth differences, in which peaks hardly show."""
    typical: Tensor = spectra.diff(n=4, dim=1).abs().median(dim=1)[0]
    return torch.clamp(typical / (MEDIAN * FOURTH**0.5), min=FAINT)


def _interpolated(coarse: Float[Tensor, "n 1 T o"]) -> Float[Tensor, "n 1 2*T o"]:
    """Twice as many points, on the lines between neighbours."""
    before = torch.cat([coarse[:, :, :1], coarse[:, :, :-1]], dim=2)
    behind = torch.cat([coarse[:, :, 1:], coarse[:, :, -1:]], dim=2)
    pairs = [0.75 * coarse + 0.25 * before, 0.75 * coarse + 0.25 * behind]
    return torch.stack(pairs, dim=3).flatten(2, 3)


def _smoothed(spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
    wide = F.pad(spectra[:, None], (2, 2), mode="replicate")
    smooth: Tensor = F.conv1d(wide, torch.tensor(BINOMIAL, device=spectra.device)[None, None])[:, 0]
    return smooth


def _before_softplus(intensity: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
    """What a softplus turns into these intensities, or into .01 where they are less."""
    before: Tensor = torch.log(torch.expm1(intensity.clamp(min=0.01)))
    return before
