"""The recipes that come with Lineshape, as TOML files.

recipes/NAME.toml            a complete recipe
recipes/data/DATA.toml       a data set: what it is, its columns, grid and preprocessing
recipes/families/FAMILY.toml a family: its numbers, what changes on some data or in the GPU size, minutes by data set

A family and each data set that its `[minutes]` name make the recipe DATA-FAMILY. Nothing else lists them: a new file
is found by being there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from lineshape.errors import RecipeError
from lineshape_training.recipes.writing import toml

__all__ = ["Size", "Tables", "names", "tables", "toml"]

Tables: TypeAlias = dict[str, Any]  # a recipe as TOML holds it
Size: TypeAlias = Literal["cpu", "gpu"]
S = TypeVar("S", bound=Struct)

DATA, FAMILIES = "data", "families"


class DataFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What a recipe says of its data."""

    about: str
    data: Tables
    axes: Tables
    axis_half: Tables = {}
    intensity_half: Tables = {}


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers in the place of others."""

    data: Tables = {}
    model: Tables = {}
    fit: Tables = {}


class GpuSize(Change, frozen=True, forbid_unknown_fields=True):
    """What changes in the GPU size, and the minutes that were measured there."""

    minutes: dict[str, float] = {}


class FamilyFile(Struct, frozen=True, forbid_unknown_fields=True):
    """What a recipe says of its family.

    Parameters
    ----------
    family, about : str
        `about` goes on from "spectra of minerals, from ...".
    model, fit, search : tables
    minutes : mapping
        The data sets that the family is shipped for, with the minutes of a fit in the CPU size.
    on : mapping, optional
        What changes on a data set.
    gpu : GpuSize, optional
        Without it the family has no GPU size. Its numbers stand above those of `on`.
    """

    family: str
    about: str
    minutes: dict[str, float]
    model: Tables = {}
    fit: Tables = {}
    search: Tables | None = None
    on: dict[str, Change] = {}
    gpu: GpuSize | None = None


def names(size: Size) -> list[str]:
    """Every shipped recipe of a size, in the order of the alphabet."""
    complete = _stems() if size == "cpu" else []
    return sorted([*complete, *(f"{data}-{family}" for family in _stems(FAMILIES) for data in _data_of(family, size))])


def tables(name: str, size: Size) -> Tables | None:
    """The recipe of that name as TOML holds it; None if there is none in that size.

    Raises
    ------
    RecipeError
        If one of its files is wrong.
    """
    if size == "cpu" and name in _stems():
        found: Tables = _read(f"{name}.toml", Tables)
        return found
    return next(
        (_composed(data, family, size) for data, family in _halves(name) if data in _data_of(family, size)), None
    )


def _halves(name: str) -> Iterator[tuple[str, str]]:
    """A name cut at each hyphen where both parts have a file; both may hold hyphens themselves."""
    data, families = _stems(DATA), _stems(FAMILIES)
    cuts = (place for place, letter in enumerate(name) if letter == "-")
    yield from ((name[:cut], name[cut + 1 :]) for cut in cuts if name[:cut] in data and name[cut + 1 :] in families)


def _data_of(family: str, size: Size) -> list[str]:
    """The data sets that a family is shipped for in a size."""
    found = _family(family)
    return list(found.minutes) if size == "cpu" or found.gpu else []


def _composed(data: str, family: str, size: Size) -> Tables:
    where, what = _read(f"{DATA}/{data}.toml", DataFile), _family(family)
    changes = [change for change in (what.on.get(data), what.gpu if size == "gpu" else None) if change]
    minutes = what.minutes if size == "cpu" else what.gpu.minutes if what.gpu else {}
    columns, model, fit = where.data.copy(), what.model.copy(), what.fit.copy()
    for change in changes:
        columns |= change.data
        model |= change.model
        fit |= change.fit
    return {
        "name": f"{data}-{family}", "family": what.family, "about": f"{where.about}, from {what.about}",
        "minutes": minutes.get(data), "data": columns, "axes": where.axes, "axis_half": where.axis_half,
        "intensity_half": where.intensity_half, "model": model, "fit": fit, "search": what.search,
    }  # fmt: skip


def _family(name: str) -> FamilyFile:
    file = f"{FAMILIES}/{name}.toml"
    found: FamilyFile = _read(file, FamilyFile)
    measured = found.gpu.minutes.keys() if found.gpu else set[str]()
    if unknown := (found.minutes.keys() | found.on.keys() | measured) - set(_stems(DATA)):
        raise RecipeError(f"recipes/{file}: there is no recipes/{DATA}/{min(unknown)}.toml")
    if unused := (found.on.keys() | measured) - found.minutes.keys():
        raise RecipeError(f"recipes/{file}: says something of {min(unused)}, which [minutes] does not name")
    return found


@cache
def _read(file: str, kind: Any) -> Any:  # noqa: ANN401 - a Struct, or tables
    try:
        return msgspec.toml.decode(_folder().joinpath(*file.split("/")).read_bytes(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipes/{file}: {error}") from None


@cache
def _stems(part: str = "") -> list[str]:
    """Names of the TOML files of a folder."""
    folder = _folder().joinpath(part)
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def _folder() -> Traversable:
    return files("lineshape_training") / "recipes"
