"""The record for regulators: what a run and its validation know, and marked blanks for what only people can say."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshape_training.dossier.writing import Dossier, dossier_of, write_dossier

__all__ = ["Dossier", "dossier_of", "write_dossier"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - lazily: the command line imports this package
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.writing"), name)
