"""SpectroGen's network: what it learns by descent, and what follows from its fit without."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lineshape_training.familiarity import Familiarity
from lineshape_training.family import CHANCE, Tensors, Trainable
from lineshape_training.lineshapes import LINE_SHAPE
from lineshape_training.preprocess import prepared
from lineshape_training.recipe import Recipe
from lineshape_training.scores import pearson
from lineshape_training.spectrogen.config import SpectroGenConfig
from lineshape_training.spectrogen.decoder import Decoder, Lines
from lineshape_training.spectrogen.encoder import Composition, Encoder
from lineshape_training.spectrogen.flow import Flow
from lineshape_training.spectrogen.memory import Memory, Recalled
from lineshape_training.spectrogen.reading import Reading

COMPONENTS = 16  # principal components that span what is familiar
TINY = 1e-6
SLOW = 9  # knots of the slow gain by which a source is varied


class Answer(NamedTuple):
    """A spectrum, how far the truth may lie below and above it, in two parts each, and doubt.

    Parameters
    ----------
    spectrum : float32 [n, L]
    below, above : float32 [n, L]
        As wide as they must be.
    below_unsure, above_unsure : float32 [n, L]
        Up to the factor that held-out materials settle.
    doubt : float32 [n, 1]
        How unsure the network is of what it sees, 0 to 1.
    """

    spectrum: Tensor
    below: Tensor
    above: Tensor
    below_unsure: Tensor
    above_unsure: Tensor
    doubt: Tensor

    def interval(self, factor: float | Tensor) -> tuple[Tensor, Tensor]:
        """Its ends, with this factor."""
        lower = self.spectrum - self.below - factor * self.below_unsure
        return lower, self.spectrum + self.above + factor * self.above_unsure


class SpectroGenNetwork(Trainable):
    """Source and mask to spectrum, lower, upper [n, L_out] in prepared intensities, and familiarity [n, 1].

    Parameters
    ----------
    config : SpectroGenConfig
    recipe : Recipe
    classes, constituents : int
        That the composition of unpaired spectra names.
    """

    spread: Tensor
    share: Tensor
    by_class: Tensor
    least: Tensor
    relative: Tensor
    wider: Tensor
    stretch: Tensor
    bounds: Tensor

    def __init__(self, config: SpectroGenConfig, recipe: Recipe, classes: int, constituents: int) -> None:
        super().__init__()
        source, target = recipe.axes["source"], recipe.axes["spectrum"]
        from_shape, to_shape = (
            LINE_SHAPE.get(axis.modality, 0.5) if shape is None else shape
            for axis, shape in ((source, config.source_shape), (target, config.target_shape))
        )
        self.config, self.classes = config, classes
        self.source_steps = recipe.intensity_half.get("source", ())
        self.target_steps = recipe.intensity_half.get("spectrum", ())
        self.reading = Reading(config, source.n, from_shape)
        self.encoder = Encoder(config, self.reading.features)
        self.decoder: Decoder = (Flow(config, source, target) if config.decoder == "flow"
                                 else Lines(config, target.n, to_shape))  # fmt: skip
        self.memory = Memory(config, target.n, to_shape)
        self.composition = Composition(config, classes + constituents) if classes + constituents else None
        self.familiarity = Familiarity(self.reading.features, COMPONENTS)
        self.length = source.n
        self.register_buffer("spread", torch.ones(()))  # standard deviation of the targets
        self.register_buffer("share", torch.full((1,), 0.5))  # of the decoder, where nothing is looked up
        self.register_buffer("by_class", torch.full((1,), 0.5))  # share of the class in doubt
        self.register_buffer("least", torch.full((1,), 0.01))  # that an interval allows for, wherever it is
        self.register_buffer("relative", torch.ones(1))  # of the intensity, that it allows for
        self.register_buffer("wider", torch.zeros(1))  # by how many times doubt makes it wider
        self.register_buffer("stretch", torch.ones(1))  # of the interval's scales
        self.register_buffer("bounds", torch.tensor([0.0, 1.0]))  # of the targets' intensities

    def forward(self, source: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> tuple[Tensor, ...]:
        """One deterministic pass over measured intensities."""
        seen = prepared(self.source_steps, source, mask)
        found = self.answer(seen, mask)
        spectra = found.spectrum, *found.interval(self.stretch)
        within = (torch.minimum(torch.maximum(one, self.bounds[:1]), self.bounds[1:]) for one in spectra)
        return *within, self.familiarity(self.reading.standardised(seen), found.doubt)

    def answer(self, seen: Float[Tensor, "n L"], mask: Float[Tensor, "n L"]) -> Answer:
        """What is said of prepared intensities."""
        features, slopes = self.reading(seen, mask)
        latent = self.encoder(features)[0]
        recalled = self.memory(latent, features, slopes)
        doubt = (1 - recalled.gate) * self._doubt(latent, recalled.best)  # none of what was looked up
        spectrum, sure = self._blended(recalled, self.decoder(latent, seen)), recalled.sure
        wide, anyway = (1 - recalled.gate) * (1 + self.wider * doubt), self.least + self.relative * spectrum.abs()
        below, above = (wide * (missed + anyway) + TINY for missed in recalled.unsure)
        return Answer(spectrum, sure[0], sure[1], below, above, doubt)

    def _doubt(self, latent: Float[Tensor, "n d"], best: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        """Of the class, where classes were taught, and of the best match."""
        unmatched = (1 - best).clamp(0, 1)
        if self.composition is None or not self.classes:
            return unmatched
        anyones = 1 - torch.sigmoid(self.composition(latent)[:, : self.classes]).amax(1, keepdim=True)
        return self.by_class * anyones + (1 - self.by_class) * unmatched

    def prepare(self, tensors: Tensors) -> Tensors:
        """Prepared intensities, and what the decoder needs of the targets."""
        ready = dict(tensors)
        ready["source"] = prepared(self.source_steps, tensors["source"], tensors["source_mask"])
        if "target" in tensors:
            ready["target"] = prepared(self.target_steps, tensors["target"], tensors["target_mask"])
            ready |= self.decoder.prepare(ready["target"])
        return ready

    def begin(self, tensors: Tensors) -> None:
        """Centre and scale what is read, and take in the materials."""
        sources = [tensors["source"], *([self.references["source"]] if self.references else [])]
        self.reading.begin(torch.cat(sources))
        features, slopes = self.reading(tensors["source"], tensors["source_mask"])
        self.spread.fill_(float(tensors["target"].std()) + TINY)
        self.bounds.copy_(torch.stack(tensors["target"].aminmax()))
        self.memory.begin(features, slopes, tensors["target"], tensors["group"])

    @torch.no_grad()
    def settle(self, tensors: Tensors) -> None:
        """Where the materials lie in the latent space that was fitted, and what follows for the memory."""
        latent = self.encoder(self.reading.standardised(tensors["source"]))[0]
        self.memory.settle(latent, tensors["target_mask"], tensors["group"])

    def draws(self, n: int, device: torch.device) -> Tensors:
        """For each pair and its references: the latent's noise, how the source is varied, and which they are."""
        beside = self.config.references if self.references else 0
        shape, length = (n, 1 + beside), self.length
        drawn = {
            "noise": torch.randn(*shape, self.config.latent, device=device),
            "gain": torch.randn(*shape, SLOW, device=device),
            "moved": torch.randint(-self.config.shift, self.config.shift + 1, shape, device=device),
            "rough": torch.rand(*shape, 1, device=device),
            "grain": torch.randn(*shape, length, device=device),
        } | self.decoder.draws(n, device)
        if beside:
            chosen = torch.multinomial(self.references[CHANCE], n * beside, replacement=True)
            drawn["reference"] = chosen.reshape(n, beside)
        return drawn

    def loss(self, batch: Tensors, turn: str, done: Float[Tensor, ""]) -> Tensors:
        """The latent's divergence, the errors of the drawn spectrum, and those of the references' composition."""
        pairs = len(batch["source"])
        source, mask, told = self._asked(batch)
        mean, log_variance = self.encoder(self.reading.standardised(self._varied(source, mask, batch)))
        latent = mean + torch.exp(log_variance / 2) * batch["noise"].transpose(0, 1).flatten(0, 1)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()
        losses = {"kl": self.config.kl * divergence}
        drawn = latent[:pairs]
        if self.composition is not None and told is not None:
            missed = F.binary_cross_entropy_with_logits(self.composition(latent[pairs:]), told)
            losses["composition"] = self.config.composition * missed
            drawn = drawn.detach()  # few pairs would teach the latent what is peculiar to them
        return losses | self.decoder.errors(drawn, batch, self.spread)

    @torch.no_grad()
    def score(self, held_out: Tensors) -> float:
        """1 - mean Pearson correlation with the measured target."""
        spectrum = self.answer(held_out["source"], held_out["source_mask"]).spectrum
        return 1 - float(pearson(spectrum, held_out["target"], held_out["target_mask"]).mean())

    def _blended(self, recalled: Recalled, drawn: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
        """The decoder has its share of what is not looked up."""
        share = self.share * (1 - recalled.gate)
        return (1 - share) * recalled.spectrum + share * drawn

    def _asked(self, batch: Tensors) -> tuple[Tensor, Tensor, Tensor | None]:
        """Sources and masks of the pairs and, behind them, of their references; and the references' composition."""
        if "reference" not in batch:
            return batch["source"], batch["source_mask"], None
        rows = batch["reference"].T.flatten()
        source, mask = (torch.cat([batch[name], self.references[name][rows]]) for name in ("source", "source_mask"))
        return source, mask, self.references["composition"][rows]

    def _varied(self, source: Tensor, mask: Tensor, batch: Tensors) -> Tensor:
        """Sources as another specimen or instrument might have given them: shifted, rougher, with other intensities."""
        gain, moved, rough, grain = (batch[name].transpose(0, 1).flatten(0, 1)
                                     for name in ("gain", "moved", "rough", "grain"))  # fmt: skip
        length, config = source.shape[1], self.config
        slow = F.interpolate(gain[:, None] * config.scale, size=length, mode="linear", align_corners=True)[:, 0]
        at = (torch.arange(length, device=source.device)[None] + moved[:, None]).clamp(0, length - 1)
        varied = torch.gather(source, 1, at) * torch.exp(slow) + config.noise * rough * grain
        return varied * torch.gather(mask, 1, at)
