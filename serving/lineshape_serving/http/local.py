"""Without keys a server answers its own machine only, however it was started."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from lineshape.errors import ForbiddenError
from lineshape_serving.http.replies import refusal

REFUSAL = "this server has no keys, so it answers its own machine only; give it a file of keys to open it to a network"


def local_only(app: ASGIApp) -> ASGIApp:
    """The application, for connections that came over the loopback address."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["server"] and not _loopback(scope["server"][0]):
            await refusal(ForbiddenError(REFUSAL))(scope, receive, send)
        else:
            await app(scope, receive, send)

    return guarded


@lru_cache
def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False
