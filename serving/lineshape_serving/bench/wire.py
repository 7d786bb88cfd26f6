"""A client as fast as Python allows: its requests are bytes made beforehand, and of the answers it reads what it must.

A server under load shares its machine with whoever makes that load; this client takes a few per cent of a core where
others take half of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tritonclient.http
from tritonclient.http import InferenceServerClient

from lineshape_serving.bench.peers import infer_inputs
from lineshape_serving.bench.subject import Subject
from lineshape_serving.oip import HEADER_LENGTH
from lineshape_serving.tensors import Arrays

_END = b"\r\n\r\n"
_LENGTH, _JSON = b"\ncontent-length:", f"\n{HEADER_LENGTH}:".lower().encode()


@dataclass(frozen=True)
class Reply:
    """A status, the head in lower case, and a body."""

    status: int
    head: bytes
    body: bytes

    def outputs(self, names: Mapping[str, Any]) -> Arrays:
        """The tensors of an infer answer, as tritonclient reads them."""
        result = InferenceServerClient.parse_response_body(self.body, header_length=_number(self.head, _JSON))
        return {name: result.as_numpy(name) for name in names}


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Reply] | None = None
        self._come = bytearray()
        self._head = 0  # its length, once it is there
        self._whole = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It is open."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Until the answer is whole."""
        self._come += data
        if not self._head and (end := self._come.find(_END)) >= 0:
            self._head = end + len(_END)
            self._whole = self._head + _number(bytes(self._come[:end]).lower(), _LENGTH)
        if self._head and len(self._come) >= self._whole:
            self._done()

    def connection_lost(self, error: Exception | None) -> None:
        """Whoever waits will not be answered."""
        self._transport = None
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError("the connection was lost"))

    @property
    def open(self) -> bool:
        """Whether it can be asked."""
        return self._transport is not None

    def ask(self, request: bytes) -> asyncio.Future[Reply]:
        """Send a request.

        Raises
        ------
        ConnectionError
            If there is no connection any more.
        """
        if self._transport is None:
            raise ConnectionError("the connection was lost before the request")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.close()

    def _done(self) -> None:
        head, body = bytes(self._come[: self._head]).lower(), bytes(self._come[self._head : self._whole])
        self._come.clear()
        self._head = self._whole = 0
        if self._answer and not self._answer.done():
            self._answer.set_result(Reply(int(head[9:12]), head, body))


def _number(head: bytes, name: bytes) -> int:
    _, found, rest = head.partition(name)
    return int(rest.partition(b"\r")[0]) if found else 0


async def connect(where: str) -> Connection:
    """Open a connection to HOST:PORT."""
    host, _, port = where.partition(":")
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
    return connection


def infer_request(subject: Subject, n: int) -> bytes:
    """The bytes of an infer request of n spectra, with the body that tritonclient makes."""
    inputs = infer_inputs(tritonclient.http, subject.inputs(n))
    body, json_size = InferenceServerClient.generate_request_body(inputs)
    return post(f"/v2/models/{subject.name}/infer", body, f"{HEADER_LENGTH}: {json_size}\r\n")


def post(path: str, body: bytes, headers: str = "") -> bytes:
    """The bytes of a POST request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
