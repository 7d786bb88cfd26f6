"""What a call asks of the shell that performs it: to send a request, to wait, to compute."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    Parameters
    ----------
    method : "GET" or "POST"
    path : str
        From the root of the server, percent-encoded.
    body : bytes
    headers : mapping of str to str
        Beside those of every request.
    timeout : float
        Seconds that the answer may take.
    """

    method: Literal["GET", "POST"]
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 0.0


@dataclass(frozen=True)
class Reply:
    """Its answer, whatever the status; `headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """A header; empty where it did not come."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class Pause:
    """Seconds to wait."""

    seconds: float


@dataclass(frozen=True)
class Compute:
    """Work that may take long, and that no event loop should wait for."""

    work: Callable[[], Any]


Effect: TypeAlias = Request | Pause | Compute
# Effects come out, and what they bring (a reply, nothing, a result) goes in; a failure is thrown in.
Steps: TypeAlias = Generator[Effect, Any, T]
