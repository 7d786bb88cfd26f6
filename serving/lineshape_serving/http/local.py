"""Without keys a server answers its own machine only, however it was started."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from lineshape.errors import ForbiddenError
from lineshape_serving.http.replies import refusal

REFUSAL = "this server has no keys, so it answers its own machine only; give it a file of keys to open it to a network"
FOREIGN = "this server has no keys, so it answers no page of another place that a browser shows (Host or Origin)"


def local_only(app: ASGIApp) -> ASGIApp:
    """The application, for connections that came over the loopback address, and not from a stranger's page.

    A page that a browser on this machine shows reaches loopback too: its Origin, or where it has bent a name to this
    machine its Host, tells.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["server"] and not _loopback(scope["server"][0]):
            await refusal(ForbiddenError(REFUSAL))(scope, receive, send)
        elif scope["type"] == "http" and not all(map(_here, _named(scope))):
            await refusal(ForbiddenError(FOREIGN))(scope, receive, send)
        else:
            await app(scope, receive, send)

    return guarded


def _named(scope: Scope) -> Iterator[str]:
    """The places that a request names as its server and as its page."""
    for name, value in scope["headers"]:
        if name in (b"host", b"origin"):
            yield value.decode("latin-1").rpartition("//")[2]


def _here(place: str) -> bool:
    host = urlsplit(f"//{place}").hostname if place.count("[") == place.count("]") else None
    return host == "localhost" or _loopback(host or "")


@lru_cache
def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
