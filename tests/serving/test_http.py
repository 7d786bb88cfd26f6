"""The HTTP adapter: the protocol's paths and status codes, without a socket."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from prometheus_client.parser import text_string_to_metric_families

from lineshape_edge import Model
from lineshape_serving import DataPlane, application, oip
from lineshape_serving.access import Gate, add_key, read_keys
from lineshape_serving.settings import Limits, Running


class Client:
    """One request at a time into an application, with no socket between."""

    def __init__(self, app):
        self.transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def ask(self, method, path, **rest):
        async with httpx.AsyncClient(transport=self.transport, base_url="http://lineshape") as client:
            return await client.request(method, path, **rest)

    def request(self, method, path, **rest):
        return asyncio.run(self.ask(method, path, **rest))

    def get(self, path):
        return self.request("GET", path)

    def post(self, path, **rest):
        return self.request("POST", path, **rest)


async def chunked(body, size=1000):
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.fixture(scope="module")
def model(transfer_bundle):
    return Model.open(transfer_bundle)


@pytest.fixture(scope="module")
def client(model):
    return Client(application(DataPlane([model])))


@pytest.fixture(scope="module")
def path(model):
    return f"/v2/models/{model.manifest.name}"


@pytest.fixture(scope="module")
def source(model):
    values = np.random.default_rng(7).random((3, model.manifest.axes["source"].n), np.float32)
    return {"source": values, "mask": np.ones_like(values)}


def infer_request(tensors, binary=True, outputs=(), **headers):
    """Body and headers of an infer request, as Triton's client writes them."""
    inputs = [triton.InferInput(name, list(array.shape), "FP32") for name, array in tensors.items()]
    for tensor, array in zip(inputs, tensors.values(), strict=True):
        tensor.set_data_from_numpy(array, binary_data=binary)
    asked = [triton.InferRequestedOutput(name, binary_data=binary) for name in outputs]
    body, length = triton.InferenceServerClient.generate_request_body(inputs, outputs=asked)
    return {"content": body, "headers": headers | ({oip.HEADER_LENGTH: str(length)} if length is not None else {})}


def read(response):
    length = response.headers.get(oip.HEADER_LENGTH)
    return triton.InferResult.from_response_body(response.content, header_length=int(length) if length else None)


def test_health(client, path, model):
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    for where in (path, f"{path}/versions/{model.manifest.version}"):
        assert client.get(f"{where}/ready").json() == {"name": model.manifest.name, "ready": True}


def test_a_server_without_models_is_live_but_not_ready():
    client = Client(application(DataPlane()))
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 503


def test_metadata(client, path, model):
    assert "binary_tensor_data" in client.get("/v2").json()["extensions"]
    told = client.get(f"{path}/versions/{model.manifest.version}").json()
    assert told == client.get(path).json()
    assert told["inputs"][0]["shape"] == [-1, model.manifest.axes["source"].n]
    assert told["parameters"]["digest"] == model.digest
    axis, grid = told["parameters"]["axes"]["source"], model.manifest.axis("source")
    assert (axis["first"], axis["last"], axis["n"], axis["unit"]) == (grid.first, grid.last, len(grid), grid.unit)


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "numbers"])
def test_infer_as_bytes_and_as_numbers(client, path, model, source, binary):
    names = [spec.name for spec in model.manifest.graphs["model"].outputs]
    response = client.post(f"{path}/infer", **infer_request(source, binary, names))
    assert response.status_code == 200
    assert (oip.HEADER_LENGTH in response.headers) == binary
    for name, array in model.run(source).items():
        np.testing.assert_array_equal(read(response).as_numpy(name), array)  # the same session in the same process


def test_only_the_outputs_asked_for_come(client, path, source):
    answer = read(client.post(f"{path}/infer", **infer_request(source, outputs=["familiarity"]))).get_response()
    assert [output["name"] for output in answer["outputs"]] == ["familiarity"]


def test_a_body_without_a_length_is_taken(client, path, source, model):
    request = infer_request(source)
    response = client.post(f"{path}/infer", content=chunked(request["content"]), headers=request["headers"])
    np.testing.assert_array_equal(read(response).as_numpy("spectrum"), model.run(source)["spectrum"])


REFUSED = {
    "unknown path": ("GET", "/v2/models", 404),
    "unknown model": ("GET", "/v2/models/raman-to-xyz", 404),
    "unknown version": ("GET", "{path}/versions/9.9.9", 404),
    "unknown version's health": ("GET", "{path}/versions/9.9.9/ready", 404),
    "unknown model's infer": ("POST", "/v2/models/raman-to-xyz/infer", 404),
    "unknown version's infer": ("POST", "{path}/versions/1/infer", 404),
    "no body": ("POST", "{path}/infer", 400),
    "slash too many": ("GET", "/v2/", 404),
}


@pytest.mark.parametrize(("method", "where", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_every_refusal_is_json_that_says_why(client, path, method, where, status):
    response = client.request(method, where.format(path=path))
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    assert response.json().keys() == {"error"}


@pytest.mark.parametrize(
    ("method", "where", "allowed"), [("GET", "{path}/infer", {"POST"}), ("POST", "/v2", {"GET", "HEAD"})]
)
def test_the_wrong_method_hears_the_right_one(client, path, method, where, allowed):
    response = client.request(method, where.format(path=path))
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == allowed
    assert "error" in response.json()


def test_a_tensor_that_the_bundle_does_not_take_is_named(client, path, source):
    short = {**source, "source": source["source"][:, :-1].copy()}
    response = client.post(f"{path}/infer", **infer_request(short))
    assert response.status_code == 400
    assert response.json()["error"].startswith("input 'source': shape")


def test_a_least_familiarity_is_a_parameter_of_the_request(client, path, source):
    tensors = [{"name": name, "datatype": "FP32", "shape": array[:1].shape, "data": (array[:1] * 0 + 1).tolist()}
               for name, array in source.items()]  # fmt: skip
    for least, status, why in [(0, 200, ""), (0.1, 422, "the familiarity (0.00) is below the 0.1"), (2, 400, "<= 1.0")]:
        response = client.post(f"{path}/infer", json={"inputs": tensors, "parameters": {"min_familiarity": least}})
        assert response.status_code == status
        assert why in response.json().get("error", "")


def test_a_length_that_is_no_number_is_refused(client, path):
    response = client.post(f"{path}/infer", content=b"{}", headers={oip.HEADER_LENGTH: "two"})
    assert (response.status_code, oip.HEADER_LENGTH in response.json()["error"]) == (400, True)


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_is_the_body(client, path, source, model, coding, pack):
    request = infer_request(source, **{"Content-Encoding": coding})
    response = client.post(f"{path}/infer", **{**request, "content": pack(request["content"])})
    np.testing.assert_array_equal(read(response).as_numpy("spectrum"), model.run(source)["spectrum"])


@pytest.mark.parametrize(
    "spoil", [lambda body: body[:-9], lambda body: b"x" + body, lambda body: b"", lambda body: body + b"\0",
              lambda body: body + body],
)  # fmt: skip
def test_a_damaged_packed_body_is_refused(client, path, source, spoil):
    request = infer_request(source, **{"Content-Encoding": "gzip"})
    response = client.post(f"{path}/infer", **{**request, "content": spoil(gzip.compress(request["content"]))})
    assert (response.status_code, "gzip" in response.json()["error"]) == (400, True)


def test_another_packing_is_refused_with_those_that_are_taken(client, path, source):
    response = client.post(f"{path}/infer", **infer_request(source, **{"Content-Encoding": "br"}))
    assert (response.status_code, response.headers["accept-encoding"]) == (415, "gzip, deflate")


@pytest.mark.parametrize("packed", [True, False], ids=["bomb", "plain"])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused(model, path, announced, packed):
    """A packed one by what it unpacks to: 2 MB of zeros are 2 kB on the wire."""
    client = Client(application(DataPlane([model]), limits=Limits(body=1)))
    body = bytes(2 << 20)
    body = gzip.compress(body) if packed else body
    headers = {"Content-Encoding": "gzip"} if packed else {}
    response = client.post(f"{path}/infer", content=body if announced else chunked(body, 1 << 16), headers=headers)
    assert response.status_code == 413
    assert "1048576 bytes" in response.json()["error"]


def test_answers_are_packed_for_who_takes_them_so(client, path, source):
    plain, packed = (
        client.post(f"{path}/infer", **infer_request(source, False, ["spectrum"], **{"Accept-Encoding": coding}))
        for coding in ("identity", "br, gzip")
    )
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
    assert packed.json() == plain.json()


@pytest.mark.parametrize(("accepted", "coding"), [("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate", None)])
def test_bytes_are_packed_only_for_who_takes_nothing_else(client, path, source, model, accepted, coding):
    response = client.post(
        f"{path}/infer", **infer_request(source, outputs=["spectrum"], **{"Accept-Encoding": accepted})
    )
    assert response.headers.get("content-encoding") == coding
    np.testing.assert_array_equal(read(response).as_numpy("spectrum"), model.run(source)["spectrum"])


def test_a_body_that_does_not_come_is_given_up(model, path):
    async def dripping():
        yield b"{"
        await asyncio.sleep(30)

    client = Client(application(DataPlane([model]), limits=Limits(body_seconds=0.05)))
    response = client.post(f"{path}/infer", content=dripping())
    assert (response.status_code, "0.05 s" in response.json()["error"]) == (408, True)


def test_a_request_keeps_its_id_and_else_gets_one(client):
    assert client.request("GET", "/v2", headers={"X-Request-ID": "a-1"}).headers["x-request-id"] == "a-1"
    made = {client.request("GET", "/v2", headers={"X-Request-ID": "no \t good"}).headers["x-request-id"] for _ in "ab"}
    assert len(made) == 2


def test_configuration_statistics_and_index(client, path, model, source):
    name = model.manifest.name
    before = client.get(f"{path}/stats").json()["model_stats"][0]["inference_count"]
    client.post(f"{path}/infer", **infer_request(source))
    for where in (f"{path}/stats", "/v2/models/stats", f"{path}/versions/{model.manifest.version}/stats"):
        (told,) = client.get(where).json()["model_stats"]
        assert (told["name"], told["inference_count"]) == (name, before + 3)
    config = client.get(f"{path}/config").json()
    assert config["max_batch_size"] == model.manifest.limits.max_batch
    assert config["input"][0] == {"name": "source", "data_type": "TYPE_FP32", "dims": [model.manifest.axes["source"].n]}
    ready = [{"name": name, "version": model.manifest.version, "state": "READY", "reason": ""}]
    assert client.post("/v2/repository/index").json() == ready
    assert client.post("/v2/repository/index", json={"ready": True}).json() == ready
    assert client.post("/v2/repository/index", json={"ready": 1}).status_code == 400


def test_metrics_are_prometheus_text(client, path):
    client.get(path)
    response = client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name for family in text_string_to_metric_families(response.text)}
    assert {"lineshape_requests", "lineshape_stage_seconds", "lineshape_familiarity"} <= families


# ---- who may, and how much


@pytest.fixture
def keys(tmp_path):
    file = tmp_path / "keys.toml"
    made = {"lab": add_key(file, "lab", ["infer"], 4), "operator": add_key(file, "operator", ["infer", "admin"], None)}
    return Gate(read_keys(file)), {name: {"Authorization": f"Bearer {key}"} for name, key in made.items()}


def test_with_keys_only_health_is_open(model, path, keys):
    gate, headers = keys
    client = Client(application(DataPlane([model]), gate))
    for where in ("/v2/health/live", "/v2/health/ready"):
        assert client.get(where).status_code == 200
    for where in ("/v2", path, f"{path}/ready", f"{path}/stats", "/metrics"):
        refused = client.get(where)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert client.request("GET", where, headers=headers["lab"]).status_code == 200
    for word in ("load", "unload"):
        where = f"/v2/repository/models/{model.manifest.name}/{word}"
        assert client.post(where).status_code == 401
        assert client.post(where, headers=headers["lab"]).status_code == 403


def test_a_used_up_quota_is_429_and_says_when_to_come_back(model, path, keys, source):
    gate, headers = keys
    client = Client(application(DataPlane([model]), gate))
    statuses = [client.post(f"{path}/infer", **infer_request(source, **headers["lab"])) for _ in range(2)]
    assert [response.status_code for response in statuses] == [200, 429]
    assert 25 < int(statuses[1].headers["retry-after"]) <= 30  # two spectra more, of four a minute
    assert client.post(f"{path}/infer", **infer_request(source, **headers["operator"])).status_code == 200


def test_too_many_at_once_are_503_but_health_answers(model, path, source):
    app = application(DataPlane([model]), limits=Limits(concurrency=1))
    release = asyncio.Event()

    async def slow():
        yield b"{"
        await release.wait()

    async def scenario():
        client = Client(app)
        asking = asyncio.create_task(client.ask("POST", f"{path}/infer", content=slow()))
        await asyncio.sleep(0.05)
        refused = await client.ask("POST", f"{path}/infer", **infer_request(source))
        health = await client.ask("GET", "/v2/health/live")
        release.set()
        await asking
        return refused, health, await client.ask("POST", f"{path}/infer", **infer_request(source))

    refused, health, after = asyncio.run(scenario())
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert (health.status_code, after.status_code) == (200, 200)


def test_a_full_queue_is_503_before_the_body_is_read(model, path):
    plane = DataPlane([model])
    plane.find(model.manifest.name).lane.waiting = 10**9

    async def never():
        raise AssertionError("the body was asked for")
        yield

    response = Client(application(plane)).post(f"{path}/infer", content=never())
    assert (response.status_code, "retry-after" in response.headers) == (503, True)
    (told,) = plane.statistics()
    assert told.inference_stats.fail.count == 1


def test_a_client_that_leaves_is_no_failure_of_the_server(model, path):
    sent = []

    async def leave():
        return {"type": "http.disconnect"}

    async def keep(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": f"{path}/infer", "headers": [], "query_string": b""}
    asyncio.run(application(DataPlane([model]))(scope, leave, keep))  # would raise what it logs as a failure
    assert sent[0]["status"] == 400


def test_what_nobody_foresaw_is_500_and_hides_its_reason(model, path, source, monkeypatch):
    def broken(*_):
        raise RuntimeError("secret")

    plane = DataPlane([model])
    monkeypatch.setattr(plane, "infer", broken)
    response = Client(application(plane)).post(f"{path}/infer", **infer_request(source))
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "error" in response.json()


def test_inference_leaves_the_event_loop_free(model, path, source, monkeypatch):
    started, release = threading.Event(), threading.Event()
    compute = model.compute

    def slow(*given, **named):
        started.set()
        assert release.wait(10)
        return compute(*given, **named)

    monkeypatch.setattr(model, "compute", slow)
    plane = DataPlane([model])

    async def ask_both():
        client = Client(application(plane))
        asking = asyncio.create_task(client.ask("POST", f"{path}/infer", **infer_request(source)))
        while not started.is_set():
            await asyncio.sleep(0.001)
        health = await client.ask("GET", "/v2/health/live")
        release.set()
        return health, await asking

    assert [answer.status_code for answer in asyncio.run(ask_both())] == [200, 200]


def test_who_hangs_up_while_waiting_is_never_run(model, path, source, monkeypatch):
    release, runs = threading.Event(), []
    compute = model.compute

    def slow(inputs, **named):
        runs.append(len(inputs["source"]))
        assert release.wait(10)
        return compute(inputs, **named)

    monkeypatch.setattr(model, "compute", slow)
    plane = DataPlane([model], Running(runners=1))
    app, request = application(plane), infer_request(source)
    headers = [(name.lower().encode(), value.encode()) for name, value in request["headers"].items()]
    scope = {"type": "http", "method": "POST", "path": f"{path}/infer", "headers": headers, "query_string": b""}

    async def call(left):
        messages = [{"type": "http.request", "body": request["content"]}]

        async def receive():
            if messages:
                return messages.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        sent = []

        async def keep(message):
            sent.append(message)

        await app(scope, receive, keep)
        return sent[0]["status"]

    async def scenario():
        lane = plane.find(model.manifest.name).lane
        stays, leaves = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(call(stays))
        while not runs:
            await asyncio.sleep(0.001)
        second = asyncio.create_task(call(leaves))
        while not lane.waiting:
            await asyncio.sleep(0.001)
        leaves.set()
        assert await second == 400
        assert lane.waiting == 0
        release.set()
        assert await first == 200

    asyncio.run(scenario())
    assert runs == [3]
