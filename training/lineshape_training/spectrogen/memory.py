"""The materials of the fit, and two ways to ask them.

*Which materials is this like?* Kernel ridge regression from latents and features to target spectra: what materials of
this kind look like, an average where they differ. *Which of them is it?* A soft look-up by the slopes alone, sharp
where one specimen matches. How much the look-up counts follows from its best match, and was settled by asking for each
spectrum of the fit twice: without itself, and without its whole group.

Everything is stored for unique targets, so that ten spectra of one specimen cost one pattern; and what is only compared
or averaged is stored in half precision, which a runtime widens once when it loads the graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from lineshape_training.conformal import stretch
from lineshape_training.peaks import Knots, LineShapeBank, hats
from lineshape_training.scores import pearson
from lineshape_training.spectrogen.config import LEVEL, SpectroGenConfig

PLACES = torch.linspace(0.3, 0.95, 14)  # of the best match at which look-up and regression count alike
STEEP = 10.0  # of the gate; a steeper one follows the few spectra that stand near its place
LEAST, RELATIVE = 0.01, 1.0  # of a distance, in units of the largest intensity and of the intensity that is there
NOWHERE = -1e9
TINY = 1e-6


class Recalled(NamedTuple):
    """What the materials of the fit say of a spectrum.

    Parameters
    ----------
    spectrum : float32 [n, L]
    gate : float32 [n, 1]
        How much of it was looked up.
    best : float32 [n, 1]
        Its best match, 1 for the same slopes.
    sure : two of float32 [n, L]
        How far the truth may lie below and above what was looked up, in its share of the spectrum.
    unsure : two of float32 [n, L]
        How far regression missed materials of this kind, below and above.
    """

    spectrum: Tensor
    gate: Tensor
    best: Tensor
    sure: tuple[Tensor, Tensor]
    unsure: tuple[Tensor, Tensor]


class Asked(NamedTuple):
    """What the materials of the fit say of their own, without each itself or without its group.

    Parameters
    ----------
    told, looked : float32 [m, L]
        By regression and by look-up, less the mean.
    like : float32 [m, m]
        The weights of the look-up.
    best : float32 [m, 1]
        The best match.
    """

    told: Tensor
    looked: Tensor
    like: Tensor
    best: Tensor


class Memory(nn.Module):
    """Latents [n, d], features [n, F] and slopes [n, S] to spectra of the materials of the fit.

    Parameters
    ----------
    config : SpectroGenConfig
    length : int
        Points of a target spectrum.
    shape : float
        Lorentzian fraction of the target's lines.
    """

    SIZED = ("latents", "features", "slopes", "count", "member", "patterns", "mean", "dual", "bands")

    latents: Tensor  # [m, d]
    features: Tensor  # [m, F]
    slopes: Tensor  # [m, S]
    count: Tensor  # [m], spectra of the same group
    member: Tensor  # [m, p], which pattern is whose target
    patterns: Tensor  # [p, L], the different targets less their mean
    mean: Tensor  # [1, L]
    dual: Tensor  # [m, p]
    bands: Tensor  # [m, 4 k]: below and above what was looked up, below and above what regression said
    near: Tensor  # [2], median squared distance of latents, of features
    place: Tensor
    looseness: Tensor

    def __init__(self, config: SpectroGenConfig, length: int, shape: float) -> None:
        super().__init__()
        self.config, self.knots = config, Knots(length, config.knot)
        self.blur = LineShapeBank(shape, (config.broadening,), 1) if config.broadening else None
        for name in self.SIZED:
            self.register_buffer(name, torch.zeros(0))
        self.register_buffer("near", torch.ones(2))
        self.register_buffer("place", torch.tensor([0.6]))  # of the gate
        self.register_buffer("looseness", torch.ones(1))  # of the interval around what was looked up

    @torch.no_grad()
    def begin(self, features: Float[Tensor, "n F"], slopes: Float[Tensor, "n S"], targets: Float[Tensor, "n L"],
              group: Int[Tensor, " n"]) -> None:  # fmt: skip
        """Take in the materials; their latents follow when the encoder has been fitted (`settle`)."""
        patterns, which = torch.unique(targets, dim=0, return_inverse=True)
        self.features, self.slopes, self.member = features.half(), slopes.half(), F.one_hot(which).to(targets.dtype)
        self.count = torch.bincount(group)[group].to(targets.dtype)
        self.mean = ((targets / self.count[:, None]).sum(0) / (1 / self.count).sum())[None]
        self.patterns = (patterns - self.mean).half()
        self.latents = targets.new_zeros(len(targets), self.config.latent)
        self.dual = torch.zeros_like(self.member)
        self.bands = targets.new_zeros(len(targets), 4 * self.knots.count).half()

    @torch.no_grad()
    def settle(self, latents: Float[Tensor, "n d"], masks: Float[Tensor, "n L"], group: Int[Tensor, " n"]) -> None:
        """Solve the regression, the gate and the interval's scale for these latents."""
        self.latents = latents
        apart = ~torch.eye(len(latents), dtype=torch.bool, device=latents.device)
        features, slopes = self.features.float(), self.slopes.float()
        distances = [_squared(each, each)[apart].median() for each in (latents, features)]
        self.near.copy_(torch.stack(distances).clamp(min=TINY))
        kernel, match = self._kernel(latents, features), slopes @ slopes.T
        inverse = torch.linalg.inv(kernel.double() + torch.diag(self.config.ridge * self.count).double()).float()
        self.dual = inverse @ self.member
        targets = self.member @ self.patterns.float()
        others = group[:, None] != group[None]
        known = self._asked(targets - (inverse @ targets) / inverse.diagonal()[:, None], match, apart, targets)
        unknown = self._asked(targets - group_residuals(inverse, targets, group), match, others, targets)
        self._set_gate((known, unknown), targets, masks)
        missed = self._knotted(targets - known.looked, masks), self._knotted(targets - unknown.told, masks)
        self.bands = torch.cat([*missed[0], *missed[1]], dim=1).half()
        self._set_looseness(known, targets, masks, group)

    def _asked(self, told: Tensor, match: Tensor, allowed: Tensor, targets: Tensor) -> Asked:
        """The spectra of the fit asked without those that are not allowed, once regression has told `told`."""
        like = self._like(match, allowed)
        best = match.masked_fill(~allowed, NOWHERE).amax(1, keepdim=True)
        return Asked(self._blurred(told), like @ targets, like, best)

    def forward(self, latents: Float[Tensor, "n d"], features: Float[Tensor, "n F"],
                slopes: Float[Tensor, "n S"]) -> Recalled:  # fmt: skip
        """What the materials of the fit say of new spectra."""
        kernel, match = self._kernel(latents, features), slopes @ self.slopes.float().T
        best, like = match.amax(1, keepdim=True), self._like(match)
        gate = self._gate(best)
        kin = (kernel + TINY) / self.count
        kin = kin / kin.sum(1, keepdim=True)
        looked, told = _both(like @ self.member, kernel @ self.dual, self.patterns)
        sure, unsure = _both(like, kin, self.bands)
        spectrum = self.mean + gate * looked + (1 - gate) * self._blurred(told)
        below, above = (gate * self.looseness * scale for scale in self._scales(sure, looked))
        missed_below, missed_above = (self.knots(band) for band in unsure.chunk(4, dim=1)[2:])
        return Recalled(spectrum, gate, best, (below, above), (missed_below, missed_above))

    def _kernel(self, latents: Float[Tensor, "n d"], features: Float[Tensor, "n F"]) -> Float[Tensor, "n m"]:
        """With every material of the fit."""
        taught, apart = self.config.taught, 2 * self.config.kinship**2 * self.near
        kernel = torch.exp(-_squared(latents, self.latents) / apart[0])
        if taught == 1:
            return kernel
        return taught * kernel + (1 - taught) * torch.exp(-_squared(features, self.features.float()) / apart[1])

    def _like(self, match: Tensor, allowed: Bool[Tensor, "n m"] | None = None) -> Float[Tensor, "n m"]:
        """Weight of each material in a look-up."""
        sharp = self.config.sharpness * match
        return F.softmax(sharp if allowed is None else sharp.masked_fill(~allowed, NOWHERE), dim=1)

    def _scales(self, bands: Float[Tensor, "n k"], looked: Float[Tensor, "n L"]) -> tuple[Tensor, Tensor]:
        """Scales of the interval below and above a look-up, of what look-ups like it missed by."""
        anyway = LEAST + RELATIVE * (self.mean + looked).abs()
        below, above = (self.knots(band) + anyway for band in bands.chunk(4, dim=1)[:2])
        return below, above

    def _gate(self, best: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        return torch.sigmoid(STEEP * (best - self.place))

    def _blurred(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
        """As an answer must be where lines of unknown materials are wanted, whose places are never quite known."""
        return spectra if self.blur is None else self.blur(spectra)[:, 0]

    def _set_gate(self, asked: tuple[Asked, Asked], targets: Tensor, masks: Tensor) -> None:
        """The place with the best mean correlation over both ways of asking."""

        def blend(one: Asked) -> Tensor:
            gate = self._gate(one.best)
            return gate * one.looked + (1 - gate) * one.told

        def worth(place: float) -> float:
            self.place.fill_(place)
            return float(sum(pearson(self.mean + blend(one), self.mean + targets, masks).mean() for one in asked))

        self.place.fill_(max(PLACES.tolist(), key=worth))

    def _set_looseness(self, asked: Asked, targets: Tensor, masks: Tensor, group: Tensor) -> None:
        """So that the interval holds for materials that are looked up without themselves, if there are any."""
        known = self._gate(asked.best)[:, 0] > 0.5
        if known.any():
            below, above = self._scales(asked.like @ self.bands.float(), asked.looked)
            residual = targets - asked.looked
            off = torch.maximum(-residual / below, residual / above)[known]
            of = group[known].cpu().numpy()
            self.looseness.fill_(stretch(off.cpu().numpy(), masks[known].cpu().numpy(), of, LEVEL))

    def _knotted(self, residual: Float[Tensor, "n L"], masks: Tensor) -> tuple[Tensor, Tensor]:
        """Mean distance of the truth below and above the answer, around each knot."""
        knots = hats(self.knots.length, self.knots.hop).to(masks.device)
        weight = masks @ knots.T + TINY
        below, above = ((part.clamp(min=0) * masks) @ knots.T / weight for part in (-residual, residual))
        return below, above

    def _load_from_state_dict(self, state: Mapping[str, Any], prefix: str, *rest: Any) -> None:  # noqa: ANN401
        """As many materials as the weights have."""
        for name in self.SIZED:
            if prefix + name in state:
                setattr(self, name, torch.empty_like(state[prefix + name], device=self.near.device))
        super()._load_from_state_dict(state, prefix, *rest)


def _both(first: Float[Tensor, "n m"], second: Float[Tensor, "n m"], stored: Tensor) -> tuple[Tensor, ...]:
    """Two weighted sums of what is stored, which is read once: a single spectrum's transfer waits for memory."""
    return (torch.stack([first, second]) @ stored.float()).unbind()


def _squared(left: Float[Tensor, "n d"], right: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Squared distances."""
    squares = left.square().sum(1, keepdim=True) + right.square().sum(1)[None] - 2 * left @ right.T
    return squares.clamp(min=0)


def group_residuals(inverse: Tensor, targets: Tensor, group: Int[Tensor, " n"]) -> Tensor:
    """Residuals of ridge regression with the whole group left out, without another fit: solve C_GG r = (C y)_G."""
    residual, weighted = torch.zeros_like(targets), inverse @ targets
    for name in torch.unique(group):
        rows = (group == name).nonzero()[:, 0]
        residual[rows] = torch.linalg.solve(inverse[rows][:, rows], weighted[rows])
    return residual
