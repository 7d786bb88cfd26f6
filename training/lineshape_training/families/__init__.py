"""The generator families, one file each."""

from __future__ import annotations

from typing import Any

from lineshape.errors import RecipeError
from lineshape_training.families.bayesop import BayesOpGAN
from lineshape_training.families.cgan import CGAN
from lineshape_training.families.cvae import ConditionalVAE
from lineshape_training.families.spectrogen import SpectroGen
from lineshape_training.families.vae import VAE
from lineshape_training.families.wgan import WGANGP, ConditionalWGANGP
from lineshape_training.family import Family

FAMILIES: dict[str, Family[Any, Any]] = {
    family.name: family
    for family in (SpectroGen(), VAE(), ConditionalVAE(), WGANGP(), ConditionalWGANGP(), CGAN(), BayesOpGAN())
}


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
