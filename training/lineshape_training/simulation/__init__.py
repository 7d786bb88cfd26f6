"""Spectra with known truth: Raman, IR, NIR, MALDI and XRD, of classes, subjects, replicates, instruments and analytes.

Everything that was put into them can be asked for: the pure spectra and their lines, the concentrations, the spectra
before the detector's noise, the means of the classes and the best balanced accuracy that any classifier can reach.
They serve wherever an exact answer is needed; no result on them says how a model does on real specimens.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshape_training.simulation.design import Design
    from lineshape_training.simulation.drawing import Simulated, simulate
    from lineshape_training.simulation.population import Population

__all__ = ["Design", "Population", "Simulated", "simulate"]

# Looked up when asked for: the command's module lies in this package too, and must stay light to import.
_HOMES = {"Design": "design", "Population": "population", "Simulated": "drawing", "simulate": "drawing"}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
