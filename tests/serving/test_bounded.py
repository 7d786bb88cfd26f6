"""What a hostile or a slow client can make of a connection, over real sockets."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager, suppress

import pytest
from live import live

from lineshape_serving import DataPlane, application
from lineshape_serving.http.bounded import HEAD, BoundedProtocol
from lineshape_serving.settings import Limits

ASK = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(scope="module")
def port():
    with live(application(DataPlane())) as port:
        yield port


@contextmanager
def limits(monkeypatch, **changed):
    monkeypatch.setattr(BoundedProtocol, "limits", Limits(**changed))
    yield


@contextmanager
def connected(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
        yield link


def answer(link):
    """Status, headers and body of whatever comes until the connection ends, or the answer does."""
    received = b""
    while chunk := link.recv(1 << 16):
        received += chunk
        head, end, body = received.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        if end and len(body) >= int(headers.get("content-length", 0)):
            return int(lines[0].split(" ")[1]), headers, body
    return None


def test_an_ordinary_request_passes_and_so_does_the_next_on_its_connection(port):
    with connected(port) as link:
        for _ in range(3):
            link.sendall(ASK + b"\r\n")
            assert answer(link)[0] == 200


@pytest.mark.parametrize("piece", [1 << 20, 997], ids=["at once", "piece by piece"])
@pytest.mark.parametrize(
    "head",
    [
        ASK + b"X-Long: " + b"a" * HEAD + b"\r\n\r\n",
        ASK + b"".join(b"X-%d: a\r\n" % k for k in range(HEAD // 4)) + b"\r\n",
        b"GET /" + b"a" * HEAD + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["one header", "many headers", "path"],
)
def test_a_head_that_is_too_large_is_431_and_the_end(port, head, piece):
    with connected(port) as link:
        for start in range(0, len(head), piece):
            try:
                link.sendall(head[start : start + piece])
            except (BrokenPipeError, ConnectionResetError):  # it had heard enough
                break
        status, headers, body = answer(link)
        assert (status, headers["connection"]) == (431, "close")
        assert "error" in json.loads(body)


def test_what_is_no_http_is_400(port):
    with connected(port) as link:
        link.sendall(b"\x16\x03\x01\x02\x00nonsense\r\n\r\n")
        status, _, body = answer(link)
        assert (status, json.loads(body)) == (400, {"error": "this is no HTTP request"})


@pytest.mark.parametrize(("sent", "status"), [(b"", None), (ASK, 408)], ids=["silence", "half a head"])
def test_a_head_that_does_not_come_is_given_up(port, monkeypatch, sent, status):
    with limits(monkeypatch, head_seconds=0.1), connected(port) as link:
        link.sendall(sent)
        begin, found = time.monotonic(), answer(link)
        assert (found and found[0]) == status
        assert time.monotonic() - begin < 5


def test_dripping_a_head_does_not_help(port, monkeypatch):
    with limits(monkeypatch, head_seconds=0.3), connected(port) as link:
        begin = time.monotonic()
        with suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() < begin + 5:
                link.sendall(b"G")
                time.sleep(0.02)
        assert time.monotonic() < begin + 5


@pytest.mark.parametrize(
    "idle", [b"\r\n", b"POST /v2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx"], ids=["line", "part of a body"]
)
def test_a_connection_that_sends_no_further_head_ends(port, monkeypatch, idle):
    """What is no head puts uvicorn's own timer off for ever."""
    with limits(monkeypatch, head_seconds=0.3), connected(port) as link:
        link.sendall(ASK + b"\r\n")
        assert answer(link)[0] == 200
        link.sendall(idle)
        begin = time.monotonic()
        with suppress(ConnectionResetError, BrokenPipeError):
            while link.recv(1 << 16):
                link.sendall(b"x" if b"POST" in idle else b"\r\n")
                time.sleep(0.02)
                assert time.monotonic() < begin + 4
        assert time.monotonic() < begin + 4


def test_an_upgrade_is_passed_over_and_refused_in_words_where_a_body_would_be_lost(port):
    more = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    with connected(port) as link:
        link.sendall(ASK + more + b"\r\n")
        assert answer(link)[0] == 200
    with connected(port) as link:
        link.sendall(ASK.replace(b"GET", b"POST") + more + b"Content-Length: 2\r\n\r\n{}")
        status, _, body = answer(link)
        assert (status, "upgrades to nothing" in json.loads(body)["error"]) == (400, True)


def test_a_connection_too_many_is_503(port, monkeypatch):
    with limits(monkeypatch, connections=1), connected(port) as first:
        first.sendall(ASK + b"\r\n")
        assert answer(first)[0] == 200
        with connected(port) as second:
            status, headers, _ = answer(second)
            assert (status, headers["retry-after"]) == (503, "1")
        first.sendall(ASK + b"\r\n")
        assert answer(first)[0] == 200


@pytest.mark.parametrize("then", [b"", b"GET / HTTP/1.1\r\nX: "], ids=["silent", "half a head"])
def test_who_does_not_read_his_answer_is_cut_off(monkeypatch, then):
    async def huge(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"999999999")]})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})

    with limits(monkeypatch, body_seconds=0.2, head_seconds=0.1), live(huge) as port, connected(port) as link:
        link.sendall(ASK + b"\r\n" + then)
        time.sleep(0.6)  # the server has filled what the sockets hold, and waits
        received = 0
        with suppress(ConnectionResetError):
            while chunk := link.recv(1 << 20):
                received += len(chunk)
        assert received < 500 << 16
