"""What the names of a study's methods stand for: nothing, an augmentation, or a recipe that is fitted in every fold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lineshape.errors import RecipeError, UsageError
from lineshape_training import recipe
from lineshape_training.recipe import Recipe
from lineshape_training.study.cells import AUGMENTATIONS, NONE


def named(methods: Iterable[str], *own: Recipe) -> dict[str, Recipe | None]:
    """Methods as a user asks for them, by name with what they stand for; None for all that is no recipe.

    Parameters
    ----------
    methods : iterable of str
        `NONE`, augmentations, shipped recipes, or TOML files.
    own : Recipe
        More methods.

    Raises
    ------
    UsageError
        If there is no such method, or two different ones have one name.
    """
    found: dict[str, Recipe | None] = {}
    for plan, name in [*((_stands_for(method), method) for method in methods), *((one, one.name) for one in own)]:
        name = plan.name if plan else name
        if found.setdefault(name, plan) != plan:
            raise UsageError(f"two different methods of the study are called {name!r}; rename a recipe")
    return found


def looked_up(methods: Iterable[str], own: Mapping[str, Recipe]) -> dict[str, Recipe | None]:
    """What methods stand for: a recipe of `own`, or else as in `named`.

    Raises
    ------
    UsageError
        If there is no such method, or a recipe of `own` has the name of one that is no recipe.
    """
    if taken := {NONE, *AUGMENTATIONS} & set(own):
        raise UsageError(f"{min(taken)!r} is a method of its own; rename the recipe")
    return {name: own[name] if name in own else _stands_for(name) for name in methods}


def _stands_for(method: str) -> Recipe | None:
    if method in (NONE, *AUGMENTATIONS):
        return None
    try:
        return recipe.load(method)
    except RecipeError as error:
        if method.endswith(".toml"):
            raise
        there = ", ".join((NONE, *AUGMENTATIONS))
        raise UsageError(f"no method {method!r} of a study; there are {there} and recipes: {error}") from None
