"""The tasks beside sampling of a family that encodes spectra: `encode`, `reconstruct` and `interpolate`.

Each is a contract of its own, and one deterministic pass. Nothing is told of a measured spectrum: a conditional network
reads and writes it with its row for what is not known.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from lineshape.bundle import Task, TensorSpec
from lineshape_training.conditions import Conditions
from lineshape_training.contract import Contract
from lineshape_training.preprocess import generated
from lineshape_training.recipe import Recipe
from lineshape_training.sampling import SpectrumNetwork

TASKS: tuple[Task, ...] = ("reconstruct", "encode", "interpolate")


class LatentNetwork(SpectrumNetwork):
    """A network that also turns a spectrum into a latent, and back.

    Parameters
    ----------
    recipe : Recipe
    conditions : Conditions
    latent : int
        Numbers of a latent, drawn from as many standard normals.
    detector : int
        Standard normals that are the noise of the detector.
    """

    def __init__(self, recipe: Recipe, conditions: Conditions, latent: int, detector: int) -> None:
        super().__init__(recipe, conditions, latent + detector, detector)
        self.latent = latent

    @abstractmethod
    def encoded(self, standardised: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> Float[Tensor, "n latent"]:
        """The most likely latents of spectra of which nothing is told."""

    @abstractmethod
    def decoded(self, latent: Float[Tensor, "n latent"]) -> Float[Tensor, "n L"]:
        """The spectra of latents, standardised and without detector noise."""


class LatentContract(Contract):
    """What the three contracts share.

    Parameters
    ----------
    network : LatentNetwork
    """

    def __init__(self, network: LatentNetwork) -> None:
        super().__init__()
        self.network = network
        points = (-1, network.length)
        self.source = TensorSpec("source", "FP32", points, "source", "measured intensity", "source")
        self.mask = TensorSpec("mask", "FP32", points, "mask", "1 measured, 0 not", "source")
        self.spectrum = TensorSpec("spectrum", "FP32", points, "spectrum", "relative intensity", "spectrum")

    def read(self, source: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> Float[Tensor, "n latent"]:
        """Measured intensities to latents."""
        return self.network.encoded(self.network.standardised({"values": source, "mask": mask}), mask)

    def written(self, latent: Float[Tensor, "n latent"]) -> Float[Tensor, "n L"]:
        """Latents to relative intensities, as a sample has them."""
        return generated(self.network.steps, self.network.spectra(self.network.decoded(latent)))


class Encode(LatentContract):
    """`source` and `mask` to `latent`."""

    def __init__(self, network: LatentNetwork) -> None:
        super().__init__(network)
        self.inputs = (self.source, self.mask)
        self.outputs = (TensorSpec("latent", "FP32", (-1, network.latent), "latent", "of a standard deviation near 1"),)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The latents."""
        return (self.read(*inputs),)


class Reconstruct(LatentContract):
    """`source` and `mask` to `spectrum`."""

    def __init__(self, network: LatentNetwork) -> None:
        super().__init__(network)
        self.inputs, self.outputs = (self.source, self.mask), (self.spectrum,)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The spectra of the latents."""
        return (self.written(self.read(*inputs)),)


class Interpolate(LatentContract):
    """`source`, `source_b` and `weight` to `spectrum`, straight from latent to latent."""

    def __init__(self, network: LatentNetwork) -> None:
        super().__init__(network)
        other = TensorSpec("source_b", "FP32", self.source.shape, "source_b", self.source.unit, "source")
        weight = TensorSpec("weight", "FP32", (-1, 1), "weight", "0 the first, 1 the second")
        self.inputs, self.outputs = (self.source, other, weight), (self.spectrum,)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The spectra on the line between two latents."""
        first, second, weight = inputs
        latents = [self.read(source, torch.ones_like(source)) for source in (first, second)]
        return (self.written((1 - weight) * latents[0] + weight * latents[1]),)


def latent_contract(network: LatentNetwork, task: Task) -> Contract:
    """The contract of one of `TASKS`."""
    kinds: dict[Task, type[LatentContract]] = {"encode": Encode, "reconstruct": Reconstruct, "interpolate": Interpolate}
    return kinds[task](network)
