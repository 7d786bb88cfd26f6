"""Where a server is, and as whom it is called."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from lineshape.errors import UsageError


@dataclass(frozen=True)
class Place:
    """A server, and what every request to it carries.

    Parameters
    ----------
    root : str
        Scheme, host and port.
    prefix : str
        The path before ``/v2``, for a server behind a gateway.
    headers : mapping of str to str
    tls : ssl.SSLContext, optional
        For https: it verifies the server's certificate and name.
    """

    root: str
    prefix: str
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None


def place_of(url: str, api_key: str | None, ca: Path | str | None) -> Place:
    """Read what a user gives.

    Raises
    ------
    UsageError
        If the URL is none of http or https, the key could not stand in a header, or the authority cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise UsageError(
            f"{url!r} is not the URL of a server, such as http://127.0.0.1:3000 or https://spectra.example"
        )
    tls = _trust(ca) if parts.scheme == "https" else None
    if ca is not None and tls is None:
        raise UsageError(f"ca: {url} is not https, so there is no certificate to verify")
    # floats do not shrink, so no compression is asked for
    headers = {"User-Agent": f"lineshape/{version('lineshape')}", "Accept-Encoding": "identity"}
    return Place(f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/"), headers | _key(api_key), tls)


def _key(api_key: str | None) -> dict[str, str]:
    if api_key is None:
        return {}
    if not (api_key.isascii() and api_key.isprintable()) or not api_key or " " in api_key:
        raise UsageError("api_key: a key is one word of ASCII letters, digits and signs; it may hold a line's end")
    return {"Authorization": f"Bearer {api_key}"}


def _trust(ca: Path | str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # of which ssl.SSLError is one
        raise UsageError(f"ca: {ca}: no certificates in PEM form ({error.strerror or error})") from None
