"""Recipes: a family, the data it expects and every number of its fit, in one TOML file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast, get_args

import msgspec
from msgspec import Meta, Struct

from lineshape.bundle import AxisSpec
from lineshape.bundle.contract import Name
from lineshape.errors import RecipeError, UsageError
from lineshape.preprocessing import AxisStep, Step
from lineshape_training import recipes
from lineshape_training.recipes import Size, Tables

Positive: TypeAlias = Annotated[int, Meta(ge=1)]
Decay: TypeAlias = Annotated[float, Meta(ge=0, lt=1)]

RATE = "learning_rate"  # the one number of [fit] that a search may set


class DataSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Where in a file the spectra stand.

    Parameters
    ----------
    spectrum : str
        Modality of the spectra to generate, or to transfer to.
    source : str, optional
        Modality to transfer from.
    group : str or strings
        The column of the independent unit, or the columns that name it together; ``each`` if every spectrum is one.
    identity, label : str
        Columns with the specimen and the class.
    analytes : strings
        Columns with amounts.
    measured : float
        Spectra measured on a smaller share of the model's grid than this are left out.
    class_size : int
        Classes of fewer spectra are left out.
    library : bool
        Whether the source spectra of a transfer's fit travel in its bundle; never for clinical data.
    """

    spectrum: str
    source: str | None = None
    group: str | Annotated[tuple[str, ...], Meta(min_length=1)] = "group"
    identity: str = "identity"
    label: str | None = None
    analytes: tuple[str, ...] = ()
    measured: float = 0.9
    class_size: Positive = 1
    library: bool = False

    def __post_init__(self) -> None:
        if self.library and self.source is None:
            raise ValueError("library needs source: it holds the source spectra of a transfer's fit")
        if self.class_size > 1 and self.label is None:
            raise ValueError("class_size needs label, the column of the class")

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns that together name the independent unit."""
        return (self.group,) if isinstance(self.group, str) else self.group


class ReferencesSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Where in a file of unpaired spectra, of a transfer's source modality, it stands what they are made of.

    Parameters
    ----------
    group : str
        The column of the independent unit, with the names that the pairs' groups have.
    label : str, optional
        The class of the material.
    formula : str, optional
        A chemical formula, from which the elements and common groups of atoms are read.
    analytes : strings
        Columns with amounts of constituents, 0 to 1.
    """

    group: str
    label: str | None = None
    formula: str | None = None
    analytes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.label or self.formula or self.analytes):
            raise ValueError("references need label, formula or analytes: what the spectra are made of")


class FitSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of the fitting loop.

    Parameters
    ----------
    steps, evaluate_every, batch : int
        The number of steps that is used is chosen among the evaluations, on held-out groups.
    learning_rate, weight_decay, ema : float
        AdamW with a cosine schedule; `ema` is the decay of the averaged weights.
    betas : two floats
        Of AdamW.
    patience : int, optional
        A network stops after so many evaluations without a better score.
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
    ema: Decay = 0.99
    folds: Annotated[int, Meta(ge=2)] = 4
    holdouts: Positive = 4
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    patience: Positive | None = None

    def __post_init__(self) -> None:
        if self.steps % self.evaluate_every:
            raise ValueError(f"steps ({self.steps}) must be a multiple of evaluate_every ({self.evaluate_every})")

    @property
    def chosen(self) -> bool:
        """Whether there are several numbers of steps to choose from."""
        return self.steps > self.evaluate_every


class Range(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a number is searched for: on a logarithmic scale if `log`, among whole numbers if `whole`."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"a search from {self.low:g} to {self.high:g} needs low < high, and low > 0 where log")
        if self.whole and (self.low % 1 or self.high % 1):
            raise ValueError(f"a search among whole numbers runs from one to another; got {self.low} to {self.high}")


class SearchSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers that are searched for before the fit, by short fits scored on held-out groups.

    Parameters
    ----------
    trials, steps : int
        Short fits, and the steps of each.
    startup : int
        Trials at random before the Gaussian process proposes.
    parameters : dict of str to Range
        Numbers that stand in [model], or learning_rate.
    """

    trials: Positive
    steps: Positive
    parameters: dict[str, Range]
    startup: Positive = 5


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that decides what a fit does."""

    name: Name
    family: str
    about: str
    minutes: float | None = None  # in the CPU size on 2 cores, in the GPU size on its GPU; None where not measured
    data: DataSpec
    references: ReferencesSpec | None = None  # of unpaired spectra that a transfer learns from beside its pairs
    axes: dict[str, AxisSpec]  # "spectrum", and "source" for a transfer
    axis_half: dict[str, tuple[AxisStep, ...]] = {}
    intensity_half: dict[str, tuple[Step, ...]] = {}
    model: dict[str, Any] = {}
    fit: FitSpec
    search: SearchSpec | None = None

    def __post_init__(self) -> None:
        wanted = {"source", "spectrum"} if self.data.source else {"spectrum"}
        if self.axes.keys() != wanted:
            raise ValueError(f"[axes] must name {' and '.join(sorted(wanted))}; got {', '.join(self.axes)}")
        if unknown := (self.axis_half.keys() | self.intensity_half.keys()) - wanted:
            raise ValueError(f"preprocessing of {min(unknown)!r}, which is not one of {', '.join(sorted(wanted))}")
        if self.references and not self.data.source:
            raise ValueError("[references] are for a transfer, whose [data] names a source")
        numbers = {name for name, value in self.model.items() if isinstance(value, int | float)} | {RATE}
        if self.search and (unknown := self.search.parameters.keys() - numbers):
            raise ValueError(f"[search] names {min(unknown)!r}, which is no number of [model], nor {RATE}")


def shipped(size: str = "cpu") -> dict[str, Recipe]:
    """The recipes that come with Lineshape, by name.

    Parameters
    ----------
    size : str
        ``cpu`` for two CPU cores, or ``gpu`` for larger networks and more steps.

    Raises
    ------
    UsageError
        If there is no such size.
    """
    return {name: load(name, size) for name in recipes.names(_size(size))}


def load(name: str, size: str = "cpu") -> Recipe:
    """A shipped recipe by name, or a TOML file.

    Parameters
    ----------
    name : str
    size : str
        Of a shipped recipe; a file has the numbers that stand in it.

    Raises
    ------
    RecipeError
        If there is no such recipe, or a number in it is wrong; the message names the field.
    UsageError
        If there is no such size.
    """
    known = _size(size)
    if name.endswith(".toml"):
        return _of_file(name, known)
    tables = recipes.tables(name, known)
    if tables is None:
        raise _unknown(name, known)
    return _converted(tables, f"recipe {name}")


def parse(content: bytes, where: str) -> Recipe:
    """A complete recipe from TOML; `where` names it in errors."""
    try:
        return _converted(msgspec.toml.decode(content, type=Tables), where)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecipeError(f"{where}: {error}") from None


def text(recipe: Recipe) -> str:
    """The complete recipe as TOML, which `parse` reads back as it was."""
    return recipes.toml(msgspec.to_builtins(recipe))


def _size(name: str) -> Size:
    for size in get_args(Size):
        if size == name:
            return cast(Size, size)
    raise UsageError(f"no size {name!r}; choose {' or '.join(get_args(Size))}")


def _of_file(path: str, size: Size) -> Recipe:
    if size != "cpu":
        raise RecipeError(f"{path}: a file has no sizes, but the numbers that stand in it; write others, or leave "
                          "--size out")  # fmt: skip
    try:
        return parse(Path(path).read_bytes(), path)
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from None


def _converted(tables: Tables, where: str) -> Recipe:
    try:
        return msgspec.convert(tables, Recipe)
    except msgspec.ValidationError as error:
        raise RecipeError(f"{where}: {error}") from None


def _unknown(name: str, size: Size) -> RecipeError:
    if size == "gpu" and recipes.tables(name, "cpu") is not None:
        return RecipeError(f"recipe {name} has no GPU size; leave --size out")
    near = get_close_matches(name, recipes.names("cpu"), n=3)
    hint = f"is it {' or '.join(near)}? " if near else ""
    return RecipeError(f"no recipe {name!r}; {hint}`lineshape recipes` lists them all, or give a .toml file")
