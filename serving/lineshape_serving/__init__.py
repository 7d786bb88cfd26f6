"""One data plane, its adapters and clients.

Importing this package is light; Starlette comes with `application`, BentoML only with `lineshape_serving.service`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshape_serving.client.asynchronous import AsyncClient
    from lineshape_serving.client.blocking import Client
    from lineshape_serving.client.spectra import Spectra
    from lineshape_serving.dataplane import DataPlane
    from lineshape_serving.http.app import application
    from lineshape_serving.settings import Settings

__all__ = ["AsyncClient", "Client", "DataPlane", "Settings", "Spectra", "application"]

_HOMES = {
    "AsyncClient": "client.asynchronous",
    "Client": "client.blocking",
    "Spectra": "client.spectra",
    "DataPlane": "dataplane",
    "Settings": "settings",
    "application": "http.app",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
