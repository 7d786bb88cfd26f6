"""The client for people: spectra on any axis in, spectra out, over the Open Inference Protocol v2.

`calls` says what is asked and what is made of the answers, and `retries` how often, neither knowing how it travels; the
two shells that send, `blocking` over urllib3 and `asynchronous` over aiohttp, are thin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineshape_serving.client.asynchronous import AsyncClient
    from lineshape_serving.client.blocking import Client
    from lineshape_serving.client.model import ServedModel
    from lineshape_serving.client.spectra import Spectra

__all__ = ["AsyncClient", "Client", "ServedModel", "Spectra"]

_HOMES = {
    "AsyncClient": "asynchronous",
    "Client": "blocking",
    "ServedModel": "model",
    "Spectra": "spectra",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
