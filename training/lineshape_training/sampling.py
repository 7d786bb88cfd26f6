"""What the families that draw spectra share: the scale they work on, their score, and the function that is exported."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lineshape import noise
from lineshape.bundle import Task, TensorSpec
from lineshape.errors import FitError
from lineshape_training.conditions import Conditions
from lineshape_training.contract import Contract
from lineshape_training.family import CHANCE, Family, Table, Tensors, Trainable
from lineshape_training.preprocess import check_generated, generated, prepared, tensor_of
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import SpectraTable
from lineshape_training.validation.metrics.mmd import mmd

MOST = 512  # held-out spectra that a score looks at; the kernel costs their square
BY_MMD = "unbiased squared MMD to unseen groups, classes and all (smaller is better)"
STRETCHES = 16
COLLAPSED = 0.005  # of the real spectra's spread: below it all samples are as good as one


class SpectrumNetwork(Trainable):
    """Draws spectra from noise under conditions.

    It works on what is left of a spectrum when the mean of the fit is taken away, in units of its spread: a generator's
    output layer then starts at the right scale, whatever the preprocessing.

    Parameters
    ----------
    recipe : Recipe
    conditions : Conditions
    size : int
        Standard normals that a spectrum is drawn from.
    detector : int
        So many of them, the last ones, are the noise of the detector; scaled, they scale it.
    """

    middle: Tensor
    spread: Tensor

    def __init__(self, recipe: Recipe, conditions: Conditions, size: int, detector: int = 0) -> None:
        super().__init__()
        self.detector = detector
        self.length, self.size, self.conditions = recipe.axes["spectrum"].n, size, conditions
        self.steps = recipe.intensity_half.get("spectrum", ())
        self.register_buffer("middle", torch.zeros(self.length))
        self.register_buffer("spread", torch.ones(()))

    @abstractmethod
    def draw(self, noise: Float[Tensor, "n size"], condition: Float[Tensor, "n c"]) -> Float[Tensor, "n L"]:
        """The spectra of this noise, standardised."""

    @torch.no_grad()
    def begin(self, tensors: Tensors) -> None:
        """Take the mean spectrum and its spread out of what is left to learn."""
        spectrum, points = prepared(self.steps, tensors["values"], tensors["mask"]), tensors["mask"].sum(0).clamp(min=1)
        self.middle.copy_(spectrum.sum(0) / points)
        rest = (spectrum - self.middle) * tensors["mask"]
        self.spread.copy_(torch.sqrt((rest**2).sum() / tensors["mask"].sum()).clamp(min=1e-6))

    def standardised(self, batch: Tensors) -> Float[Tensor, "n L"]:
        """Measured spectra as the network sees them; 0 where not measured."""
        return (prepared(self.steps, batch["values"], batch["mask"]) - self.middle) / self.spread * batch["mask"]

    def spectra(self, standardised: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
        """Prepared intensities of standardised ones."""
        return self.middle + self.spread * standardised

    @torch.no_grad()
    def score(self, held_out: Tensors) -> float:
        """Unbiased squared MMD between unseen spectra and samples under the same conditions; pairs of one group out."""
        rows = torch.from_numpy(np.linspace(0, len(held_out["values"]) - 1, min(MOST, len(held_out["values"]))))
        some = {name: values[rows.long().to(values.device)] for name, values in held_out.items()}
        real, drawn = self.standardised(some), self._drawn(some) * some["mask"]
        one, other = (_joined(x, some["condition"], _scale(real)) for x in (drawn, real))
        group = some["group"].cpu().numpy().astype(str)
        return mmd(one, other, groups=group if len(np.unique(group)) > 1 else None)  # of one group all pairs have to do

    @torch.no_grad()
    def check(self, tensors: Tensors, where: str) -> None:
        """Refuse samples that are not finite, or as good as one spectrum."""
        some = {name: values[:MOST] for name, values in tensors.items()}
        share = _variety(self._drawn(some)) / _variety(self.standardised(some))
        if not share > COLLAPSED:
            raise FitError(f"{where}: the generator has collapsed: its samples vary by {share:.1g} of the real "
                           "spectra's spread; lower learning_rate, or fit fewer steps")  # fmt: skip

    def _drawn(self, rows: Tensors) -> Float[Tensor, "n L"]:
        """Samples under the conditions of these rows, always of the same noise."""
        n = len(rows["condition"])
        normals = torch.from_numpy(noise.normals(noise.seeds(0, n), self.size)).to(self.middle.device)
        return self.draw(normals, rows["condition"])


Network = TypeVar("Network", bound=SpectrumNetwork)
Config = TypeVar("Config")


class SpectrumFamily(Family[Network, Config]):
    """A family that draws spectra."""

    tasks: ClassVar[tuple[Task, ...]] = ("sample",)
    scored_by: ClassVar[str] = BY_MMD

    @abstractmethod
    def build(self, config: Config, recipe: Recipe, conditions: Conditions) -> Network:
        """A network with fresh weights."""

    def network(self, recipe: Recipe, conditions: Conditions) -> Network:
        """Fresh weights, once the preprocessing is known to have a way back."""
        check_generated(recipe.intensity_half.get("spectrum", ()), f"recipe {recipe.name}, [intensity_half] spectrum")
        return self.build(self.config(recipe), recipe, conditions)

    def tensors(self, table: Table, conditions: Conditions) -> Tensors:
        """Values, mask, what is told of each spectrum, its group, and how often it is drawn."""
        assert isinstance(table, SpectraTable)
        tensors = {name: tensor_of(getattr(table, name)) for name in ("values", "mask")}
        tensors["condition"] = conditions.rows(table)
        tensors["group"] = torch.from_numpy(np.unique(table.group, return_inverse=True)[1])
        return tensors | ({CHANCE: conditions.chances(table)} if conditions.classes else {})

    def contract(self, network: Network, recipe: Recipe, task: Task | None = None) -> Contract:
        """Noise and conditions to a spectrum."""
        return DrawContract(network)


class DrawContract(Contract):
    """`noise` and what is told to `spectrum`."""

    def __init__(self, network: SpectrumNetwork) -> None:
        super().__init__()
        self.network = network
        self.detector = network.detector
        noise = TensorSpec("noise", "FP32", (-1, network.size), "noise", "standard normal")
        scale = TensorSpec("noise_scale", "FP32", (-1, 1), "noise_scale", "1 detector noise as measured, 0 none")
        self.inputs = (noise, *network.conditions.inputs, *[scale][: self.detector])
        self.outputs = (
            TensorSpec("spectrum", "FP32", (-1, network.length), "spectrum", "relative intensity", "spectrum"),
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """One draw for each row."""
        normals, *told = inputs
        network = self.network
        if self.detector:
            latent = network.size - self.detector
            normals = torch.cat([normals[:, :latent], normals[:, latent:] * told.pop()], dim=1)
        drawn = network.draw(normals, network.conditions.told(*told, like=normals))
        return (generated(network.steps, network.spectra(drawn)),)


def _variety(spectra: Float[Tensor, "n L"]) -> float:
    """How much spectra differ in the means of a few stretches, in which a detector's noise hardly shows."""
    stretches = F.adaptive_avg_pool1d(spectra, min(STRETCHES, spectra.shape[1]))
    return float(stretches.var(0, correction=0).mean().sqrt())


def _scale(real: Float[Tensor, "n L"]) -> float:
    """Typical distance between two spectra."""
    return float((2 * real.var(0, correction=0).sum()).sqrt())


def _joined(spectra: Float[Tensor, "n L"], condition: Float[Tensor, "n c"], scale: float) -> Float[np.ndarray, "n Lc"]:
    """Spectra with their conditions as further points, so that two classes lie a typical distance apart."""
    return torch.cat([spectra, condition * scale / 2**0.5], dim=1).cpu().numpy()
