"""SpectroGen in one dimension: transfer between modalities through line shapes.

After Zhu et al. (SpectroGen, 2024): a variational autoencoder whose prior is physical. A fixed bank of the source
modality's line shapes looks at the spectrum; a small network reads a latent from it; from the latent the decoder places
lines of the target modality's shape and adds a bounded residual. A quantile head gives an interval, widened on
materials held out of the fit; familiarity says how much the source looks like those of the fit.

Inference is one deterministic pass at the latent's mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch
from jaxtyping import Float
from msgspec import Meta
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape.bundle import Task, TensorSpec
from lineshape.preprocessing import Step
from lineshape_training.conditions import Conditions
from lineshape_training.conformal import widening
from lineshape_training.contract import Contract
from lineshape_training.familiarity import Familiarity
from lineshape_training.family import Family, Rows, Table, Tensors, Trainable
from lineshape_training.lineshapes import LINE_SHAPE
from lineshape_training.peaks import LineRenderer, LineShapeBank, hats
from lineshape_training.preprocess import check_generated, prepared, restored, tensor_of
from lineshape_training.recipe import Recipe
from lineshape_training.scores import pearson
from lineshape_training.spectra import Names, PairTable

LEVEL = 0.9  # of the interval
POOL = 8  # grid points of the source in one feature
KNOT = 8  # grid points of the target between knots of the interval


class SpectroGenConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers of the network.

    Parameters
    ----------
    latent, hidden : int
        Sizes of the latent and of the hidden layers.
    dropout : float
        Share of the features hidden from the encoder while fitting.
    source_widths : tuple of float
        FWHM of the filters, in source grid points.
    source_shape, target_shape : float, optional
        Lorentzian fraction of the lines, 0 Gaussian to 1 Lorentzian; by default the modality's.
    hop, reach : int
        Target grid points from one rendered line to the next, and segments of that size drawn on either side.
    target_width : (low, high)
        Narrowest and widest rendered line (FWHM), in target grid points.
    residual : float
        Bound of the residual, in units of the largest intensity.
    knot : int
        Target grid points between knots of the residual.
    kl, derivative, correlation, quantile : float
        Weights of the loss beside the mean absolute error.
    shift, scale : float
        Augmentation of the source: largest shift in grid points, and of the logarithm of local intensities.
    """

    latent: Annotated[int, Meta(ge=2)] = 64
    hidden: Annotated[int, Meta(ge=8)] = 256
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    source_widths: tuple[float, ...] = (4.0, 12.0, 32.0)
    source_shape: float | None = None
    target_shape: float | None = None
    hop: Annotated[int, Meta(ge=1)] = 16
    reach: Annotated[int, Meta(ge=1)] = 6
    target_width: tuple[float, float] = (4.0, 120.0)
    residual: float = 0.25
    knot: Annotated[int, Meta(ge=1)] = 8
    kl: float = 1e-3
    derivative: float = 1.0
    correlation: float = 1.0
    quantile: float = 1.0
    shift: Annotated[int, Meta(ge=0)] = 2
    scale: Annotated[float, Meta(ge=0)] = 0.3


class Encoder(nn.Module):
    """Source spectrum to the mean and log-variance of its latent."""

    def __init__(self, config: SpectroGenConfig, length: int, shape: float, steps: tuple[Step, ...]) -> None:
        super().__init__()
        self.steps = steps
        self.bank = LineShapeBank(shape, config.source_widths, POOL)
        self.features = (len(config.source_widths) + 1) * -(-length // POOL)
        self.body = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(self.features, config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.hidden, 2 * config.latent),
        )

    def see(self, source: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> Float[Tensor, "n F"]:
        """Features: what the filters find, cell by cell, and which cells were measured."""
        found = self.bank(prepared(self.steps, source, mask))
        measured = F.avg_pool1d(mask[:, None], POOL, ceil_mode=True)
        return torch.cat([found, measured], dim=1).flatten(1)

    def forward(self, features: Float[Tensor, "n F"]) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [n, latent]."""
        mean, log_variance = self.body(features).chunk(2, dim=1)
        return mean, log_variance.clamp(-8, 4)


class Decoder(nn.Module):
    """Latent to target spectrum and its interval."""

    coarse: Tensor
    fine: Tensor

    def __init__(self, config: SpectroGenConfig, length: int, shape: float) -> None:
        super().__init__()
        self.render = LineRenderer(length, config.hop, config.reach, config.target_width)
        self.register_buffer("fine", hats(length, config.knot), persistent=False)
        self.register_buffer("coarse", hats(length, KNOT), persistent=False)
        self.bound = config.residual
        self.shape_logit = float(np.log(np.clip(shape, 0.02, 0.98) / (1 - np.clip(shape, 0.02, 0.98))))
        self.sizes = [self.render.lines] * 4 + [len(self.fine)] + [len(self.coarse)] * 2
        self.body = nn.Sequential(nn.Linear(config.latent, config.hidden), nn.GELU())
        self.heads = nn.Linear(config.hidden, sum(self.sizes))

    def forward(self, latent: Float[Tensor, "n latent"]) -> tuple[Tensor, Tensor, Tensor]:
        """Spectrum, lower and upper [n, L_out], in prepared intensities."""
        position, height, width, shape, residual, below, above = self.heads(self.body(latent)).split(self.sizes, dim=1)
        lines = self.render(position, F.softplus(height - 3), width, torch.sigmoid(shape + self.shape_logit))
        spectrum = lines + self.bound * torch.tanh(residual) @ self.fine
        return spectrum, spectrum - F.softplus(below - 3) @ self.coarse, spectrum + F.softplus(above - 3) @ self.coarse


class SpectroGenNetwork(Trainable):
    """Encoder, decoder and what was learned from held-out materials."""

    widening: Tensor

    def __init__(self, config: SpectroGenConfig, recipe: Recipe) -> None:
        super().__init__()
        source, target = recipe.axes["source"], recipe.axes["spectrum"]
        self.config, self.target_steps = config, recipe.intensity_half.get("spectrum", ())
        shapes = [config.source_shape, config.target_shape]
        of = [
            LINE_SHAPE.get(axis.modality, 0.5) if s is None else s
            for axis, s in zip((source, target), shapes, strict=True)
        ]
        self.encoder = Encoder(config, source.n, of[0], recipe.intensity_half.get("source", ()))
        self.decoder = Decoder(config, target.n, of[1])
        self.familiarity = Familiarity(self.encoder.features, 16)
        self.register_buffer("widening", torch.zeros(1))

    def forward(self, source: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> tuple[Tensor, ...]:
        """Spectrum, lower, upper [n, L_out] in prepared intensities, and familiarity [n, 1]."""
        features = self.encoder.see(source, mask)
        spectrum, lower, upper = self.decoder(self.encoder(features)[0])
        lower, upper = torch.minimum(lower - self.widening, spectrum), torch.maximum(upper + self.widening, spectrum)
        return spectrum, lower, upper, self.familiarity(features)

    def draws(self, n: int, device: torch.device) -> Tensors:
        """The latent's noise, and how each source is varied."""
        return {
            "noise": torch.randn(n, self.config.latent, device=device),
            "gain": torch.randn(n, 1, 8, device=device),
            "moved": torch.randint(-self.config.shift, self.config.shift + 1, (n, 1), device=device),
        }

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """Absolute error, derivative, correlation, interval and KL terms."""
        config, mask = self.config, batch["target_mask"]
        truth = prepared(self.target_steps, batch["target"], mask)
        features = self.encoder.see(*_varied(batch, config))
        mean, log_variance = self.encoder(features)
        latent = mean + batch["noise"] * torch.exp(log_variance / 2)
        spectrum, lower, upper = self.decoder(latent)
        share = mask / mask.mean(1, keepdim=True)
        tail = (1 - LEVEL) / 2
        return {
            "absolute": ((spectrum - truth).abs() * share).mean(),
            "derivative": config.derivative * ((spectrum - truth).diff(dim=1).abs() * share[:, 1:]).mean(),
            "correlation": config.correlation * (1 - pearson(spectrum, truth, mask)).mean(),
            "quantile": config.quantile
            * ((_pinball(truth - lower, tail) + _pinball(truth - upper, 1 - tail)) * share).mean(),
            "kl": config.kl * 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean(),
        }

    @torch.no_grad()
    def score(self, held_out: Tensors) -> float:
        """1 - mean Pearson correlation with the measured target."""
        truth = prepared(self.target_steps, held_out["target"], held_out["target_mask"])
        spectrum = self(held_out["source"], held_out["source_mask"])[0]
        return 1 - float(pearson(spectrum, truth, held_out["target_mask"]).mean())


class SpectroGenContract(Contract):
    """`source`, `mask` to `spectrum`, `lower`, `upper`, `familiarity`."""

    def __init__(self, network: SpectroGenNetwork, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        source, target = recipe.axes["source"], recipe.axes["spectrum"]
        self.inputs = (
            TensorSpec("source", "FP32", (-1, source.n), "source", "measured intensity", "source"),
            TensorSpec("mask", "FP32", (-1, source.n), "mask", "1 measured, 0 not", "source"),
        )
        self.outputs = (
            *(TensorSpec(name, "FP32", (-1, target.n), name, "relative intensity", "spectrum")
              for name in ("spectrum", "lower", "upper")),
            TensorSpec("familiarity", "FP32", (-1, 1), "familiarity", "0 unlike anything in training, 1 well inside"),
        )  # fmt: skip

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """One deterministic pass."""
        *spectra, familiarity = self.network(*inputs)
        return *(restored(self.network.target_steps, spectrum) for spectrum in spectra), familiarity


class SpectroGen(Family[SpectroGenNetwork, SpectroGenConfig]):
    """Transfer between two modalities."""

    name: ClassVar[str] = "spectrogen"
    tasks: ClassVar = ("transfer",)
    scored_by: ClassVar[str] = "1 - mean Pearson correlation with the measured target (smaller is better)"
    interval: ClassVar[float | None] = LEVEL
    Config = SpectroGenConfig

    def tensors(self, table: Table, conditions: Conditions) -> Tensors:
        """Source and target with their masks."""
        assert isinstance(table, PairTable)
        parts = {
            "source": table.source.values, "source_mask": table.source.mask,
            "target": table.target.values, "target_mask": table.target.mask,
        }  # fmt: skip
        return {name: tensor_of(values) for name, values in parts.items()}

    def network(self, recipe: Recipe, conditions: Conditions) -> SpectroGenNetwork:
        """Fresh weights."""
        check_generated(recipe.intensity_half.get("spectrum", ()), f"recipe {recipe.name}, [intensity_half] spectrum")
        return SpectroGenNetwork(self.config(recipe), recipe)

    @torch.no_grad()
    def calibrate(self, network: SpectroGenNetwork, tensors: Tensors, group: Names,
                  folds: Sequence[tuple[SpectroGenNetwork, Rows]]) -> None:  # fmt: skip
        """Widen the interval by what held-out materials ask for, and learn what is familiar."""
        held = np.concatenate([rows for _, rows in folds])
        answers = [fold(tensors["source"][rows], tensors["source_mask"][rows]) for fold, rows in folds]
        lower, upper = (torch.cat([answer[i] for answer in answers]).numpy() for i in (1, 2))
        mask = tensors["target_mask"][held]
        truth = prepared(network.target_steps, tensors["target"][held], mask)
        network.widening.fill_(widening(lower, upper, truth.numpy(), mask.numpy(), group[held], LEVEL))
        network.familiarity.calibrate(network.encoder.see(tensors["source"], tensors["source_mask"]), group)

    def contract(self, network: SpectroGenNetwork, recipe: Recipe, task: Task | None = None) -> Contract:
        """The one pass that is exported."""
        return SpectroGenContract(network, recipe)


def _varied(batch: Tensors, config: SpectroGenConfig) -> tuple[Tensor, Tensor]:
    """Sources as another specimen or instrument might have given them: shifted, with other relative intensities."""
    source, mask = batch["source"], batch["source_mask"]
    length = source.shape[1]
    slow = F.interpolate(batch["gain"] * config.scale, size=length, mode="linear", align_corners=True)
    gain = torch.exp(slow[:, 0])
    moved = (torch.arange(length, device=source.device)[None] + batch["moved"]).clamp(0, length - 1)
    return torch.gather(source * gain, 1, moved), torch.gather(mask, 1, moved)


def _pinball(above: Tensor, level: float) -> Tensor:
    """Loss whose minimum is the quantile at `level` (Koenker and Bassett, 1978)."""
    return torch.maximum(level * above, (level - 1) * above)
