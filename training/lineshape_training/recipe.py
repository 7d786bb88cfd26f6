"""Recipes: a family, the data it expects and every number of its fit, in one TOML file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from lineshape.bundle import AxisSpec
from lineshape.bundle.contract import Name
from lineshape.errors import RecipeError
from lineshape.preprocessing import AxisStep, Step

Positive: TypeAlias = Annotated[int, Meta(ge=1)]


class DataSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Where in a file the spectra stand.

    Parameters
    ----------
    spectrum : str
        Modality of the spectra to generate, or to transfer to.
    source : str, optional
        Modality to transfer from.
    group, identity, label : str
        Columns with the independent unit, the specimen and the class.
    measured : float
        Spectra measured on a smaller share of the model's grid than this are left out.
    """

    spectrum: str
    source: str | None = None
    group: str = "group"
    identity: str = "identity"
    label: str | None = None
    measured: float = 0.9


class FitSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of the fitting loop.

    Parameters
    ----------
    steps, evaluate_every, batch : int
        The number of steps that is used is chosen among the evaluations, on held-out groups.
    learning_rate, weight_decay, ema : float
        AdamW with a cosine schedule; `ema` is the decay of the averaged weights.
    folds, holdouts : int
        Groups are split into `folds`; `holdouts` of them are held out in turn, then all groups are fitted.
    precision : str
        Of Lightning Fabric.
    """

    steps: Positive
    evaluate_every: Positive
    batch: Positive
    learning_rate: float
    weight_decay: float = 0.0
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.99
    folds: Annotated[int, Meta(ge=2)] = 4
    holdouts: Positive = 4
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        if self.steps % self.evaluate_every:
            raise ValueError(f"steps ({self.steps}) must be a multiple of evaluate_every ({self.evaluate_every})")


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that decides what a fit does."""

    name: Name
    family: str
    about: str
    minutes: float  # on 2 CPU cores, with the data it was made for
    data: DataSpec
    axes: dict[str, AxisSpec]  # "spectrum", and "source" for a transfer
    axis_half: dict[str, tuple[AxisStep, ...]] = {}
    intensity_half: dict[str, tuple[Step, ...]] = {}
    model: dict[str, Any] = {}
    fit: FitSpec


def shipped() -> dict[str, Recipe]:
    """The recipes that come with Lineshape, by name."""
    folder = files("lineshape_training") / "recipes"
    entries = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name
    )
    return {recipe.name: recipe for recipe in (parse(entry.read_bytes(), entry.name) for entry in entries)}


def load(name: str) -> Recipe:
    """A shipped recipe by name, or a TOML file.

    Raises
    ------
    RecipeError
        If there is no such recipe, or a number in it is wrong; the message names the field.
    """
    if name.endswith(".toml"):
        try:
            return parse(Path(name).read_bytes(), name)
        except OSError as error:
            raise RecipeError(f"{name}: cannot be read: {error.strerror}") from None
    recipes = shipped()
    if name not in recipes:
        raise RecipeError(f"no recipe {name!r}; there are {', '.join(recipes)}, or give a .toml file")
    return recipes[name]


def parse(content: bytes, where: str) -> Recipe:
    """A recipe from TOML; `where` names it in errors."""
    try:
        recipe = msgspec.toml.decode(content, type=Recipe)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecipeError(f"{where}: {error}") from None
    wanted = {"source", "spectrum"} if recipe.data.source else {"spectrum"}
    if recipe.axes.keys() != wanted:
        raise RecipeError(f"{where}: [axes] must name {' and '.join(sorted(wanted))}; got {', '.join(recipe.axes)}")
    if unknown := (recipe.axis_half.keys() | recipe.intensity_half.keys()) - wanted:
        raise RecipeError(
            f"{where}: preprocessing of {min(unknown)!r}, which is not one of {', '.join(sorted(wanted))}"
        )
    return recipe
