"""Data sets: from files to tables of spectra with their groups, checked before anything is fitted."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshape_training.datasets.catalogue import CATALOGUE, DataSet, load_dataset
    from lineshape_training.datasets.checks import Finding, check_table, united
    from lineshape_training.datasets.choice import Choice, choose
    from lineshape_training.datasets.columns import read_columns
    from lineshape_training.datasets.layout import EACH, Layout, read_table, to_table

__all__ = [
    "CATALOGUE",
    "EACH",
    "Choice",
    "DataSet",
    "Finding",
    "Layout",
    "check_table",
    "choose",
    "load_dataset",
    "read_columns",
    "read_table",
    "to_table",
    "united",
]

# Lazily: the command line imports this package for its options, on machines without scipy as well.
_HOMES = {
    "catalogue": ("CATALOGUE", "DataSet", "load_dataset"),
    "checks": ("Finding", "check_table", "united"),
    "choice": ("Choice", "choose"),
    "columns": ("read_columns",),
    "layout": ("EACH", "Layout", "read_table", "to_table"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
