"""Whitened principal component scores: coordinates for smooth spectra of low rank, as those of the near infrared."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lineshape_training.diffusion.coordinates import Coordinates
from lineshape_training.diffusion.detector import QUIETEST

FAINTEST = 1e-6  # deviation of a score, as a share of the largest: rounding, not spectra
WINDOW = 31  # points that the noise is averaged over


class Scores(Coordinates):
    """Principal component scores, each in units of its deviation; what they leave is noise of the detector.

    In the near infrared the height and the scatter of a spectrum hold nearly all its variance, and an analyte shows in
    directions of a ten-thousandth of it. Divided by their deviations all directions weigh the same: a network fits the
    faint ones as well as the others. Were the scores normal, their path with alpha squared and sigma squared that add
    to 1 would be at rest (v = 0), so that a network whose last layer starts at 0 has only to learn what tells the
    spectra from a Gaussian, and what a condition changes.

    Intensities count in units of the noise at their place, or the noisy end of a detector would take all components.
    Components below the noise are noise, and cost nothing as such. What is left of the spectra beside all components is
    drawn point by point, with the deviation that it has there.

    Parameters
    ----------
    length : int
        Points of a spectrum.
    components : int
        Scores; fewer spectra of the fit fill fewer of them, the others are 0.
    """

    units: Tensor
    directions: Tensor
    deviations: Tensor
    rest: Tensor

    def __init__(self, length: int, components: int) -> None:
        super().__init__(min(components, length), length)
        self.register_buffer("units", torch.ones(length))
        self.register_buffer("directions", torch.zeros(self.size, length))
        self.register_buffer("deviations", torch.ones(self.size))
        self.register_buffer("rest", torch.zeros(length))

    @torch.no_grad()
    def begin(self, spectra: Float[Tensor, "n L"], mean: Float[Tensor, " L"]) -> None:
        """The noise, the components, the deviations of their scores, and that of each point beside them."""
        self.units.copy_(noise_of(spectra))
        weighted = spectra / self.units
        _, values, directions = torch.linalg.svd(weighted, full_matrices=False)
        deviations = values[: self.size] / len(spectra) ** 0.5
        kept = int((deviations > FAINTEST * deviations[0]).sum())
        self.directions[:kept], self.deviations[:kept] = directions[:kept], deviations[:kept]
        left = weighted - weighted @ self.directions.T @ self.directions
        self.rest.copy_(left.square().mean(0).sqrt())

    def read(self, spectra: Float[Tensor, "n L"]) -> Float[Tensor, "n d"]:
        """Scores of deviation 1."""
        return (spectra / self.units) @ self.directions.T / self.deviations

    def written(self, numbers: Float[Tensor, "n d"], noise: Float[Tensor, "n L"]) -> Float[Tensor, "n L"]:
        """The spectra of these scores, with noise at every point."""
        return self.units * ((numbers * self.deviations) @ self.directions + self.rest * noise)


def noise_of(spectra: Float[Tensor, "n L"]) -> Float[Tensor, " L"]:
    """Deviation of the noise around each point: white noise has second differences of six times its variance."""
    variance = (spectra.diff(n=2, dim=1) ** 2).mean(0) / 6
    reach = min(WINDOW, len(variance)) // 2
    variance = F.avg_pool1d(variance[None], 2 * reach + 1, 1, reach, count_include_pad=False)[0]
    return F.pad(variance[None], (1, 1), mode="replicate")[0].clamp(min=QUIETEST).sqrt()
