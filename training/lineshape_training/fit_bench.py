"""How fast is a fit? Our WGAN-GP, through the fitting loop, against the loop that the field writes; in one run.

Both have the same networks, to begin with of the same weights, the same batch and as many steps, on the same simulated
spectra. The plain loop (`PlainLoop`) runs the layers as they are usually written, makes fakes for each critic turn
anew, looks at real, generated and interpolated spectra one after another, takes the gradient of a gradient for the
penalty, and notes its losses at every step. The two take turns; whichever goes first goes second in the next pair.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from lineshape import noise
from lineshape.bundle import AxisSpec
from lineshape.results import Interval, bootstrapped
from lineshape_training.conditions import Conditions
from lineshape_training.families.wgan import WGANGP, WGANNetwork
from lineshape_training.family import Tensors
from lineshape_training.fitter import Fitter, Job
from lineshape_training.networks.critic import PADDING, SLOPE, STRIDE, TAPS, Critic
from lineshape_training.networks.upsampling import Upsampler, Upsampling
from lineshape_training.recipe import FitSpec, Recipe, load
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import Names
from lineshape_training.validation.metrics.kernels import rbf_mixture
from lineshape_training.validation.metrics.mmd import mmd as mmd_of

DESIGN = Design("raman", classes=3, subjects=60, replicates=2, points=1024)
OTHERS = range(1, 6)  # seeds of the studies of new subjects by which both are judged
RECIPE = "saliva-wgan-gp"


class PlainGenerator(nn.Module):
    """The upsampling generator in usual layers."""

    def __init__(self, ours: Upsampler) -> None:
        super().__init__()
        self.latent, self.length, self.first = ours.latent, ours.length, ours.first
        self.seed = nn.Linear(ours.seed.in_features, ours.seed.out_features)
        self.seed.load_state_dict(ours.seed.state_dict())
        self.stages = nn.ModuleList(_convolution(cast(Upsampling, stage)) for stage in ours.stages)
        self.parts = nn.ModuleList(_convolution(cast(Upsampling, part)) for part in ours.parts)
        self.grain = _convolution(ours.grain)
        self.rectify, self.soften = nn.LeakyReLU(SLOPE), nn.Softplus()
        self.resize, self.draw_out = nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="linear")

    def forward(self, noise: Float[Tensor, "n size"]) -> Float[Tensor, "n L"]:
        """As `Upsampler`."""
        latent, grain = noise[:, : self.latent], noise[:, self.latent :]
        hidden = self.rectify(self.seed(latent).view(len(latent), -1, self.first).transpose(1, 2))
        spectra = self.parts[0](self.resize(hidden))
        for stage, part in zip(self.stages, self.parts[1:], strict=True):
            hidden = self.rectify(stage(self.resize(hidden)))
            spectra = self.draw_out(spectra) + part(self.resize(hidden))
        deviation = self.soften(self.grain(self.resize(hidden)))
        found: Tensor = spectra[:, 0, : self.length] + deviation[:, 0, : self.length] * grain
        return found


class PlainCritic(nn.Module):
    """The convolutional critic in usual layers."""

    def __init__(self, ours: Critic) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        for layer in cast(list[nn.Conv2d], list(ours.convolutions)):
            self.convolutions.append(nn.Conv1d(layer.in_channels, layer.out_channels, TAPS, STRIDE, PADDING))
            self.convolutions[-1].load_state_dict({"weight": layer.weight[:, :, 0], "bias": layer.bias})
        self.dense = nn.ModuleList(nn.Linear(d.in_features, d.out_features) for d in cast(list[nn.Linear], ours.dense))
        self.dense.load_state_dict(ours.dense.state_dict())
        self.head = nn.Linear(ours.head.in_features, 1)
        self.head.load_state_dict(ours.head.state_dict())
        self.rectify = nn.LeakyReLU(SLOPE)

    def forward(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n 1"]:
        """As `Critic`, unconditional."""
        hidden = spectra[:, None]
        for layer in self.convolutions:
            hidden = self.rectify(layer(hidden))
        hidden = hidden.transpose(1, 2).flatten(1)
        for layer in self.dense:
            hidden = self.rectify(layer(hidden))
        answer: Tensor = self.head(hidden)
        return answer


class PlainLoop:
    """The loop as it is usually written."""

    def __init__(self, ours: WGANNetwork, spec: FitSpec, tensors: Tensors) -> None:
        self.config, self.batch, self.size = ours.config, spec.batch, ours.size
        self.spectra = ours.standardised(tensors)
        self.device = self.spectra.device
        self.generator = PlainGenerator(cast(Upsampler, ours.generator)).to(self.device)
        self.critic = PlainCritic(cast(Critic, ours.critic)).to(self.device)
        self.critic_optimizer, self.generator_optimizer = (
            torch.optim.Adam(player.parameters(), lr=spec.learning_rate, betas=spec.betas)
            for player in (self.critic, self.generator)
        )
        self.log: list[float] = []

    def advance(self) -> None:
        """A step: the critic's turns, then the generator's."""
        for _ in range(self.config.n_critic):
            real = self.spectra[torch.randint(len(self.spectra), (self.batch,), device=self.device)]
            fake = self.generator(self._noise()).detach()
            answers = self.critic(real)
            loss = self.critic(fake).mean() - answers.mean() + self.config.drift * (answers**2).mean()
            loss = loss + self.config.penalty * self._penalty(real, fake)
            self._descend(loss, self.critic_optimizer)
        self._descend(-self.critic(self.generator(self._noise())).mean(), self.generator_optimizer)

    def _penalty(self, real: Float[Tensor, "n L"], fake: Float[Tensor, "n L"]) -> Float[Tensor, ""]:
        place = torch.rand(len(real), 1, device=self.device)
        between = (place * fake + (1 - place) * real).requires_grad_(True)
        answers = self.critic(between)
        (gradient,) = torch.autograd.grad(answers, between, torch.ones_like(answers), create_graph=True)
        penalty: Tensor = ((gradient.norm(2, dim=1) - 1) ** 2).mean()
        return penalty

    def _descend(self, loss: Float[Tensor, ""], optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        self.log.append(loss.item())

    def _noise(self) -> Float[Tensor, "n size"]:
        return torch.randn(self.batch, self.size, device=self.device)


class Found(msgspec.Struct, frozen=True):
    """Milliseconds a step, how many times faster ours is in a pair, and squared MMD to new subjects.

    Intervals of the times are over pairs, those of the MMD over studies; `floor` is that of real spectra.
    """

    milliseconds: Interval
    plain_milliseconds: Interval
    speedup: Interval
    mmd: Interval
    plain_mmd: Interval
    floor: Interval
    steps: int
    parameters: int


def bench(device: str, steps: int, repeats: int, size: str, seed: int = 0,
          progress: Callable[[int], object] = lambda pairs: None) -> Found:  # fmt: skip
    """Measure pairs of `steps` steps each, then the quality that both have come to.

    Parameters
    ----------
    device : "cpu" or "cuda"
    steps, repeats : int
        Of a pair, and pairs; before them both make a few steps that do not count.
    size : "cpu" or "gpu"
        The networks of a shipped recipe.
    seed : int
    progress : callable
        Called with 1 after each pair.
    """
    recipe, warm = _recipe(size, steps * repeats), 3
    job = Job(recipe, Conditions(), _tensors(0), Fabric(accelerator=device, devices=1), seed, lambda n: None)
    tensors = {name: job.fabric.to_device(values) for name, values in job.tensors.items()}
    fitter = Fitter(job, Path(), 0)
    fitter.begin(tensors)
    plain = PlainLoop(cast(WGANNetwork, fitter.network.module), recipe.fit, tensors)
    sides: dict[str, Callable[[], object]] = {"ours": lambda: fitter.advance(tensors), "plain": plain.advance}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for pair in range(repeats):
        for side in sorted(sides, reverse=pair % 2 == 1):
            if not pair:
                _timed(sides[side], warm, device)
            seconds[side].append(_timed(sides[side], steps, device) / steps)
        progress(1)
    return _found(fitter, plain, seconds, steps * repeats)


def _timed(step: Callable[[], object], times: int, device: str) -> float:
    started = time.perf_counter()
    for _ in range(times):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _found(fitter: Fitter, plain: PlainLoop, seconds: dict[str, list[float]], steps: int) -> Found:
    ours, theirs = (np.array(seconds[side]) for side in ("ours", "plain"))
    judged = [_judged(fitter, plain, seed) for seed in OTHERS]
    mmd, plain_mmd, floor = (_interval(values) for values in np.array(judged).T)
    parameters = sum(p.numel() for player in (plain.generator, plain.critic) for p in player.parameters())
    milliseconds, plain_milliseconds, speedup = map(_interval, (1e3 * ours, 1e3 * theirs, theirs / ours))
    return Found(milliseconds, plain_milliseconds, speedup, mmd, plain_mmd, floor, steps, parameters)


@torch.no_grad()
def _judged(fitter: Fitter, plain: PlainLoop, seed: int) -> tuple[float, float, float]:
    """Squared MMD of our spectra, of the plain loop's and of those of the fit to spectra of new subjects."""
    network = cast(WGANNetwork, fitter.average.module.eval())
    new = {name: fitter.job.fabric.to_device(values) for name, values in _tensors(seed).items()}
    normals = torch.from_numpy(noise.normals(noise.seeds(seed, len(new["values"])), network.size)).to(plain.device)
    real, group = network.standardised(new).cpu().numpy(), _names(new)
    drawn = [network.draw(normals, new["condition"]), plain.generator(normals)]
    ours, theirs = (mmd_of(spectra.cpu().numpy(), real, groups=group) for spectra in drawn)
    return ours, theirs, mmd_of(plain.spectra.cpu().numpy(), real, rbf_mixture, group, _names(fitter.job.tensors))


def _recipe(size: str, steps: int) -> Recipe:
    """The shipped recipe on the simulated axis."""
    recipe, axis = load(RECIPE, size), AxisSpec.of(simulate(DESIGN).table.axis)
    fit = msgspec.structs.replace(recipe.fit, steps=steps, evaluate_every=steps)
    return msgspec.structs.replace(recipe, axes={"spectrum": axis}, fit=fit)


def _tensors(seed: int) -> Tensors:
    return WGANGP().tensors(simulate(DESIGN.another(seed)).table, Conditions())


def _names(tensors: Tensors) -> Names:
    return tensors["group"].cpu().numpy().astype(str)


def _interval(values: NDArray[np.float64]) -> Interval:
    return bootstrapped(values, np.arange(len(values)).astype(str), lambda x: float(np.median(x)))


def _convolution(ours: Upsampling) -> nn.Conv1d:
    outward, inward, taps = ours.weight.shape
    layer = nn.Conv1d(inward, outward, taps, padding=taps // 2)
    layer.load_state_dict({"weight": ours.weight, "bias": ours.bias})
    return layer
