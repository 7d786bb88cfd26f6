"""The Triton model repository of a bundle: derived from what was sealed, never written by hand.

Importing this package is light: `config` and `repository` need the extra `triton`, and `backend` runs inside Triton,
where only the extra `edge` is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshape_serving.triton.config import Backend, Machine, model_config
    from lineshape_serving.triton.repository import Installed, write_repository

__all__ = ["Backend", "Installed", "Machine", "model_config", "write_repository"]

_HOMES = dict.fromkeys(["Backend", "Machine", "model_config"], "config")
_HOMES |= dict.fromkeys(["Installed", "write_repository"], "repository")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
