"""The HTTP adapter: the protocol's paths and status codes, without a socket."""

from __future__ import annotations

import asyncio
import threading

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from lineshape_edge import Model
from lineshape_serving import DataPlane, application, asgi, oip


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
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data"]
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


def test_compressed_bodies_are_not_taken_for_json(client, path, source):
    request = infer_request(source, **{"Content-Encoding": "gzip"})
    assert client.post(f"{path}/infer", **request).status_code == 415


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused(client, path, monkeypatch, announced):
    monkeypatch.setattr(asgi, "BODY_LIMIT", 10)
    body = b"x" * 11
    response = client.post(f"{path}/infer", content=body if announced else chunked(body))
    assert response.status_code == 413
    assert "10 bytes" in response.json()["error"]


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
    plane, started, release = DataPlane([model]), threading.Event(), threading.Event()
    run = plane.infer

    def slow(*given):
        started.set()
        assert release.wait(10)
        return run(*given)

    monkeypatch.setattr(plane, "infer", slow)

    async def ask_both():
        client = Client(application(plane))
        asking = asyncio.create_task(client.ask("POST", f"{path}/infer", **infer_request(source)))
        while not started.is_set():
            await asyncio.sleep(0.001)
        health = await client.ask("GET", "/v2/health/live")
        release.set()
        return health, await asking

    assert [answer.status_code for answer in asyncio.run(ask_both())] == [200, 200]
