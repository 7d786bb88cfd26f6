"""The generator families, one file each."""

from __future__ import annotations

from typing import Any

from lineshape.errors import RecipeError
from lineshape_training.families.bayesop import BayesOpGAN
from lineshape_training.families.cgan import CGAN
from lineshape_training.families.cvae import ConditionalVAE
from lineshape_training.families.ddpm import DDPM
from lineshape_training.families.difframan import DiffRaman
from lineshape_training.families.flow import Flow
from lineshape_training.families.mlp_diffusion import MLPDiffusion
from lineshape_training.families.shortcut import Shortcut
from lineshape_training.families.spectrogen import SpectroGen
from lineshape_training.families.vae import VAE
from lineshape_training.families.wgan import WGANGP, ConditionalWGANGP
from lineshape_training.family import Family

_ALL: tuple[Family[Any, Any], ...] = (
    SpectroGen(), VAE(), ConditionalVAE(), WGANGP(), ConditionalWGANGP(), CGAN(), BayesOpGAN(),
    DDPM(), Flow(), Shortcut(), DiffRaman(), MLPDiffusion(),
)  # fmt: skip
FAMILIES = {family.name: family for family in _ALL}


def family_of(name: str) -> Family[Any, Any]:
    """The family of that name.

    Raises
    ------
    RecipeError
        Listing those that there are.
    """
    if name not in FAMILIES:
        raise RecipeError(f"no family {name!r}; there are {', '.join(FAMILIES)}")
    return FAMILIES[name]
