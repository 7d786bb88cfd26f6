"""Open a bundle and run it: the runtime that every face uses.

Importing this package brings in numpy and nothing heavier; ONNX Runtime comes with the first model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshape_edge.model import Model
    from lineshape_edge.tasks import Transferred, encode, interpolate, reconstruct, sample, transfer

__all__ = ["Model", "Transferred", "encode", "interpolate", "reconstruct", "sample", "transfer"]

_HOMES = {"Model": "model"} | dict.fromkeys(__all__[1:], "tasks")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
