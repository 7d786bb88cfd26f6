"""The client against a peer that speaks the protocol, and that falls silent, refuses and changes when it is told to.

Against our own servers: tests/faces/test_client.py.
"""

from __future__ import annotations

import asyncio
import datetime
import ssl
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import msgspec
import numpy as np
import pytest
import tiny
from certificates import self_signed
from hypothesis import example, given
from hypothesis import strategies as st

from lineshape.axis import SpectralAxis
from lineshape.bundle import AxisSpec, Limits
from lineshape.errors import (
    AccessError,
    AxisError,
    DataError,
    ForbiddenError,
    LineshapeError,
    OverloadError,
    QuotaError,
    TensorError,
    UnknownModel,
    UnreachableError,
    UnsupportedBundle,
    UsageError,
)
from lineshape.spectrum import Spectrum
from lineshape_serving import AsyncClient, Client, oip
from lineshape_serving.client.exchange import Reply
from lineshape_serving.client.infer import infer_answer, infer_request
from lineshape_serving.client.retries import pause_after
from lineshape_serving.describe import metadata

POINTS = 4
MOST = 3  # rows of a batch
DROP = "drop"  # close the connection in place of an answer


def model(version="1.0.0", points=POINTS):
    """A model that gives back what it gets."""
    axis = AxisSpec("raman", "cm-1", 1, points, points, "ascending")
    return msgspec.structs.replace(tiny.MANIFEST, version=version, task="reconstruct", limits=Limits(MOST, (-1e9, 1e9)),
                                   axes={"source": axis, "spectrum": axis})  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.seen.append((self.command, self.path, dict(self.headers)))
            scripted = self.server.script.pop(0) if self.server.script and self.path.endswith("/infer") else None
        if scripted == DROP:
            self.close_connection = True
            return
        time.sleep(self.server.delay)
        self.reply(*(scripted or self.truth(body)))

    def reply(self, status, headers, content):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def truth(self, body):
        manifest = self.server.manifest
        if not self.path.endswith("/infer"):
            return 200, {}, msgspec.json.encode(metadata("tiny", (manifest.version,), "model", manifest, "d" * 64))
        asked = oip.decode_request(body, int(self.headers[oip.HEADER_LENGTH]))
        self.server.rows.append(len(asked.inputs["source"]))
        if asked.inputs["source"].shape[1] != manifest.axes["source"].n:
            return 400, {}, b'{"error": "input \'source\': shape"}'
        content, end = oip.encode_response("tiny", manifest.version, {"spectrum": asked.inputs["source"]}, asked)
        return 200, {oip.HEADER_LENGTH: str(end)}, content

    def log_message(self, *args):
        pass


class Peer(ThreadingHTTPServer):
    """It counts connections, and answers infer requests by `script` first and truly afterwards."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.manifest, self.script, self.delay = model(), [], 0
        self.connections, self.seen, self.rows, self.lock = 0, [], [], Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def asked(self, end="/infer"):
        return [headers for _, path, headers in self.seen if path.endswith(end)]

    def handle_error(self, request, client_address):
        """A client may leave before it is answered."""


@contextmanager
def running(tls=None):
    peer = Peer()
    if tls:
        peer.socket = tls.wrap_socket(peer.socket, server_side=True)
    thread = Thread(target=peer.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        peer.shutdown()
        peer.server_close()
        thread.join()


@pytest.fixture
def peer():
    with running() as peer:
        yield peer


class Awaited:
    """The asynchronous client, called as the other is."""

    def __init__(self, *arguments, **options):
        self.client, self.runner = AsyncClient(*arguments, **options), asyncio.Runner()

    def __getattr__(self, name):
        return lambda *arguments, **options: self.runner.run(getattr(self.client, name)(*arguments, **options))

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()
        self.runner.close()


@pytest.fixture(params=[Client, Awaited], ids=["sync", "async"])
def kind(request):
    return request.param


def measured(rng, n, points=POINTS):
    """Spectra on an axis finer than the model's, of which its points are a part."""
    axis = SpectralAxis.regular("raman", 1, points, 2 * points - 1)
    return [Spectrum(rng.random(len(axis)), axis) for _ in range(n)]


def check(found, spectra):
    """The peer gives back what it gets: the spectra on the model's grid."""
    points = len(found.axis)
    np.testing.assert_array_equal(found.axis.values, np.arange(1, points + 1))
    expected = [np.interp(found.axis.values, one.axis.values, one.intensities) for one in spectra]
    np.testing.assert_allclose(found.intensities, expected, rtol=1e-6)


RNG = np.random.default_rng(0)
BUSY = {"Retry-After": "0"}


def test_spectra_of_any_axis_go_in_and_spectra_on_the_models_come_out(peer, kind):
    spectra = measured(RNG, 8)
    with kind(peer.url) as client:
        found = client.reconstruct("tiny", spectra)
    check(found, spectra)
    assert peer.rows == [3, 3, 2]  # no batch larger than the model takes
    assert [len(found), len(list(found))] == [8, 8]
    np.testing.assert_allclose(found[7].intensities, found.intensities[7])
    assert found[7].axis == found.axis == SpectralAxis.regular("raman", 1, 4, 4)


def test_a_model_is_described_once_and_one_connection_carries_all_calls(peer, kind):
    with kind(peer.url) as client:
        for _ in range(20):
            client.reconstruct("tiny", measured(RNG, 1))
    assert peer.connections == 1
    assert len(peer.asked("/tiny")) == 1


def test_threads_share_a_client_and_no_answer_goes_astray(peer):
    with Client(peer.url, connections=4) as client, ThreadPoolExecutor(12) as threads:

        def call(seed):
            spectra = measured(np.random.default_rng(seed), 1 + seed % 5)
            check(client.reconstruct("tiny", spectra), spectra)

        list(threads.map(call, range(120)))
    assert peer.connections <= 4


def test_tasks_of_a_loop_share_a_client_and_no_answer_goes_astray(peer):
    async def call(client, seed):
        spectra = measured(np.random.default_rng(seed), 1 + seed % 5)
        check(await client.reconstruct("tiny", spectra), spectra)

    async def calls():
        async with AsyncClient(peer.url, connections=4) as client:
            await asyncio.gather(*(call(client, seed) for seed in range(120)))

    asyncio.run(calls())
    assert peer.connections <= 4


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_after_the_time_that_it_wants(peer, kind, status):
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=1.5)
    peer.script = [(status, {"Retry-After": "1"}, b""), (status, {"Retry-After": format_datetime(soon)}, b"")]
    spectra, began = measured(RNG, 1), time.monotonic()
    with kind(peer.url) as client:
        check(client.reconstruct("tiny", spectra), spectra)
    assert 1 <= time.monotonic() - began < 5
    assert len(peer.asked()) == 3


def test_a_lost_connection_is_made_anew(peer, kind):
    spectra = measured(RNG, 1)
    with kind(peer.url) as client:
        client.model("tiny")
        peer.script = [DROP, DROP]
        check(client.reconstruct("tiny", spectra), spectra)
    assert (len(peer.asked()), peer.connections) == (3, 3)


@pytest.mark.parametrize(("status", "error"), [(429, QuotaError), (503, OverloadError)])
def test_it_gives_up_after_so_many_retries_with_the_servers_message(peer, kind, status, error):
    peer.script = [(status, BUSY, b'{"error": "the queue is full"}')] * 9
    with kind(peer.url, retries=2) as client, pytest.raises(error, match=r"^the queue is full$"):
        client.reconstruct("tiny", measured(RNG, 1))
    assert len(peer.asked()) == 3


def test_it_does_not_wait_for_what_comes_after_its_time(peer, kind):
    peer.script = [(503, {"Retry-After": "60"}, b'{"error": "draining"}')]
    began = time.monotonic()
    with kind(peer.url, timeout=30) as client, pytest.raises(OverloadError, match="draining") as refused:
        client.reconstruct("tiny", measured(RNG, 1))
    assert refused.value.retry_after == 60
    assert time.monotonic() - began < 5


def test_the_timeout_bounds_a_call_with_all_its_retries(peer, kind):
    peer.script = [(503, BUSY, b"")] * 10_000
    began = time.monotonic()
    with kind(peer.url, retries=10_000, timeout=0.7) as client, pytest.raises(OverloadError):
        client.reconstruct("tiny", measured(RNG, 1))
    assert time.monotonic() - began < 3
    assert len(peer.asked()) > 2


def test_a_server_that_is_too_slow_is_said_to_be(peer, kind):
    peer.delay = 2
    began = time.monotonic()
    with kind(peer.url, timeout=0.3) as client, pytest.raises(UnreachableError, match="no answer"):
        client.model("tiny")
    assert time.monotonic() - began < 1.5
    assert len(peer.seen) == 1


def test_nobody_there_is_unreachable(peer, kind):
    with running() as gone:
        url = gone.url
    with kind(url, retries=1) as client, pytest.raises(UnreachableError, match="no answer"):
        client.models()


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, TensorError), (401, AccessError), (403, ForbiddenError), (404, UnknownModel), (422, DataError),
     (500, LineshapeError), (302, LineshapeError), (413, LineshapeError)],
)  # fmt: skip
def test_a_refusal_is_our_error_with_the_servers_message_and_is_not_asked_again(peer, kind, status, error):
    peer.script = [(status, {"Location": peer.url + "/elsewhere"}, b'{"error": "no, because"}')]
    with kind(peer.url) as client, pytest.raises(error, match="no, because") as refused:
        client.reconstruct("tiny", measured(RNG, 1))
    assert type(refused.value) is error
    assert len(peer.asked()) == 1
    assert not peer.asked("/elsewhere")


def test_a_gateways_own_words_are_shown(peer, kind):
    peer.script = [(502, {}, b"<h1>Bad gateway</h1>")]
    with kind(peer.url) as client, pytest.raises(LineshapeError, match="answered 502: <h1>Bad gateway</h1>"):
        client.reconstruct("tiny", measured(RNG, 1))


def test_a_model_that_changes_between_calls_or_within_one_is_asked_as_what_it_is(peer, kind):
    """The new version has another grid: what was prepared for the old one fits no longer."""
    with kind(peer.url) as client:
        client.reconstruct("tiny", measured(RNG, 1))
        peer.manifest = model("1.1.0", points=6)
        spectra = measured(RNG, 2, points=6)
        check(client.reconstruct("tiny", spectra), spectra)
        peer.manifest = model("1.2.0", points=6)  # the same shapes, so only the version tells
        check(client.reconstruct("tiny", spectra), spectra)
        assert client.model("tiny").version == "1.2.0"


def test_an_answer_of_a_version_that_the_server_does_not_describe_is_none(peer, kind):
    peer.script = [(200, {oip.HEADER_LENGTH: "48"}, b'{"outputs": [], "model_version": "another"}     ')] * 9
    with kind(peer.url) as client, pytest.raises(LineshapeError, match=r"answered as version another, .* as 1\.0\.0"):
        client.reconstruct("tiny", measured(RNG, 1))


def test_what_cannot_be_asked_is_refused_here_and_sends_no_spectra(peer, kind):
    elsewhere = Spectrum(np.ones(5), SpectralAxis.regular("ir", 1, 4, 5))
    with kind(peer.url) as client:
        for ask, error, why in [
            (lambda: client.reconstruct("tiny", []), UsageError, "at least one spectrum"),
            (lambda: client.encode("tiny", measured(RNG, 1)), UnsupportedBundle, "is for reconstruct, not for encode"),
            (lambda: client.reconstruct("tiny", [elsewhere]), AxisError, "raman"),
        ]:
            with pytest.raises(error, match=why):
                ask()
    assert not peer.asked()


def test_every_request_carries_the_key(peer, kind):
    with kind(peer.url + "/", api_key="ls_secret") as client:
        client.reconstruct("tiny", measured(RNG, 1))
    assert {headers["Authorization"] for _, _, headers in peer.seen} == {"Bearer ls_secret"}


def test_a_server_behind_a_path_is_found_and_a_name_stays_a_name(peer, kind):
    with kind(peer.url + "/spectra/") as client:
        client.model("tiny")
        client.model("../a b/c?d")
    assert [path for _, path, _ in peer.seen] == [
        "/spectra/v2/models/tiny",
        "/spectra/v2/models/..%2Fa%20b%2Fc%3Fd",
    ]


@pytest.mark.parametrize(
    ("url", "options", "why"),
    [
        ("127.0.0.1:3000", {}, "is not the URL of a server"),
        ("ftp://host", {}, "is not the URL of a server"),
        ("http://user:word@host", {}, "is not the URL of a server"),
        ("http://host", {"api_key": "two\r\nlines"}, "one word of ASCII"),
        ("http://host", {"api_key": ""}, "one word of ASCII"),
        ("http://host", {"ca": "ca.pem"}, "is not https"),
        ("https://host", {"ca": "no-such.pem"}, r"no-such\.pem: no certificates"),
        ("http://host", {"retries": -1}, "retries >= 0"),
        ("http://host", {"timeout": 0}, "timeout in seconds"),
        ("http://host", {"connections": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_meant_is_wrong_use(kind, url, options, why):
    with pytest.raises(UsageError, match=why):
        kind(url, **options)


def test_a_closed_client_says_so(peer, kind):
    with kind(peer.url) as client:
        client.model("tiny")
    if kind is Client:
        with pytest.raises(UsageError, match="the client is closed"):
            client.model("tiny")
    else:
        with pytest.raises(UsageError, match="the client is closed"):
            asyncio.run(client.client.model("tiny"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


def test_a_certificate_is_verified_and_a_private_authority_can_be_named(authority, kind):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    spectra = measured(RNG, 2)
    with running(tls) as peer:
        url = peer.url.replace("http", "https")
        began = time.monotonic()
        with kind(url, retries=1000) as client, pytest.raises(UnreachableError, match="certificate verify failed"):
            client.model("tiny")
        assert time.monotonic() - began < 5  # not asked again: it would not help
        with kind(url, ca=authority / "cert.pem") as client:
            check(client.reconstruct("tiny", spectra), spectra)
        with (
            kind(url.replace("127.0.0.1", "localhost"), ca=authority / "cert.pem") as client,
            pytest.raises(UnreachableError, match="localhost"),
        ):
            client.model("tiny")


def test_back_off_grows_and_is_jittered():
    """Full jitter: from nothing to .1, .2, .4 ... s, at most 5."""
    lost = [[pause_after(UnreachableError(""), attempt) for _ in range(400)] for attempt in range(12)]
    for attempt, pauses in enumerate(lost):
        most = min(5, 0.1 * 2**attempt)
        assert 0 <= min(pauses) < 0.1 * most
        assert 0.9 * most < max(pauses) <= most
    assert min(pause_after(QuotaError("", 3.0), 0) for _ in range(9)) >= 3


@given(st.integers(1, 5), st.sampled_from([np.float32, np.int64]), st.integers(1, 6))
def test_a_request_reads_back_on_the_servers_side(n, dtype, columns):
    arrays = {"a": RNG.integers(0, 99, (n, columns)).astype(dtype), "b": RNG.random((n, 2), np.float32)[::-1]}
    request = infer_request("x", arrays)
    read = oip.decode_request(request.body, int(request.headers[oip.HEADER_LENGTH]))
    assert (read.binary_rest, read.outputs) == (True, ())
    for name, array in arrays.items():
        np.testing.assert_array_equal(read.inputs[name], array)
        assert read.inputs[name].dtype == array.dtype
    content, end = oip.encode_response("x", "1", arrays, read)
    answer = infer_answer(Reply(200, {oip.HEADER_LENGTH.lower(): str(end)}, content), n)
    assert answer.version == "1"
    for name, array in arrays.items():
        np.testing.assert_array_equal(answer.outputs[name], array)


OUTPUT = b'{"outputs": [{"name": "s", "datatype": "%s", "shape": [%s], "parameters": {"binary_data_size": %s}}]}'


@given(st.binary(max_size=200), st.one_of(st.integers(-5, 300).map(str), st.text(max_size=5)))
@example(OUTPUT % (b"FP32", b"1, 4", b"16"), "200")
@example(OUTPUT % (b"FP32", b"1, 4", b"-16"), "95")
@example(OUTPUT % (b"FP32", b"-1, 4", b"16"), "96")
@example(OUTPUT % (b"BYTES", b"1, 4", b"16"), "96")
@example(OUTPUT % (b"FP32", b"", b"4"), "91")
def test_no_answer_of_whatever_kind_breaks_more_than_the_call(body, length):
    for padded in (body, body + bytes(16)):
        with pytest.raises(LineshapeError):
            infer_answer(Reply(200, {oip.HEADER_LENGTH.lower(): length}, padded), 7)


def test_a_page_that_is_no_server_of_the_protocol_is_said_to_be_none(peer, kind):
    peer.script = [(200, {}, b"<html>hello</html>")]
    with kind(peer.url) as client, pytest.raises(LineshapeError, match="is not of the Open Inference Protocol v2"):
        client.reconstruct("tiny", measured(RNG, 1))


def test_the_client_needs_neither_a_server_nor_a_runtime():
    code = """if True:
        import sys
        from lineshape_serving import Client
        Client("http://127.0.0.1:1")
        heavy = ("bentoml", "starlette", "grpc", "onnxruntime", "tritonclient", "aiohttp", "scipy", "uvloop")
        print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_both_clients_offer_the_same():
    offered = [{name for name in vars(one) if not name.startswith("_")} for one in (Client, AsyncClient)]
    assert offered[0] == offered[1]
    assert Counter(offered[0]) == Counter(
        ["close", "models", "model", "sample", "transfer", "reconstruct", "encode", "interpolate"]
    )
