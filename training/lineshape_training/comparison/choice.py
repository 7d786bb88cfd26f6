"""Which recipes are compared."""

from __future__ import annotations

from collections.abc import Sequence

from lineshape.errors import UsageError
from lineshape_training import recipe
from lineshape_training.families import FAMILIES
from lineshape_training.recipe import Recipe


def recipes_of(on: str, families: Sequence[str] | None = None, size: str = "cpu") -> list[Recipe]:
    """The recipes of one kind of data, one for each family that draws spectra.

    Parameters
    ----------
    on : str
        What the recipes' names begin with.
    families : sequence of str, optional
        By default all that there are.
    size : str

    Raises
    ------
    UsageError
        If there are no such recipes.
    """
    wanted = [f"{on}-{name}" for name, family in FAMILIES.items() if family.task == "sample"]
    if families:
        wanted = [f"{on}-{name}" for name in families]
    shipped = recipe.shipped(size)
    found = [shipped[name] for name in wanted if name in shipped]
    if not found or (families and len(found) < len(wanted)):
        raise UsageError(f"no recipes {', '.join(wanted)}; `lineshape recipes` lists them")
    return found
