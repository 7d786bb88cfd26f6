"""The OpenAPI document is true: schemathesis, with every check on, finds nothing over all of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import httpx
import msgspec
import pytest
import uvicorn
from services import free_port

from lineshape_serving import DataPlane, application
from lineshape_serving.access import Gate, add_key, read_keys
from lineshape_serving.openapi import document
from lineshape_serving.settings import Limits, Running
from lineshape_serving.shared_memory import Regions
from lineshape_serving.sources import Sources
from lineshape_serving.v1.verbs import VERBS

SPARE = "told-encode"  # the model that schemathesis may unload
EXAMPLES = 8  # of each operation, beside those that cover its schema


def plane_of(*bundles):
    plane = DataPlane((), Running(), Sources(tuple(map(str, bundles))))
    plane.start()
    return plane


@pytest.fixture(scope="module")
def bundles(transfer_bundle, told_bundles):
    return [transfer_bundle, *told_bundles.values()]


@pytest.fixture(scope="module")
def plane(bundles):
    return plane_of(*bundles)


@contextmanager
def running(app):
    """A server of its own; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def schemathesis(folder, url, *arguments, **told):
    """A run over the whole document; what it said, and how often each operation answered what."""
    program = Path(sys.executable).with_name("schemathesis")
    command = [program, "run", f"{url}/openapi.json", "--checks", "all", "--seed", "1", "--generation-deterministic",
               "--max-examples", str(EXAMPLES), "--no-color", *arguments]  # fmt: skip
    told |= {"SCHEMATHESIS_HOOKS": "valid_requests", "PYTHONPATH": str(Path(__file__).parent), "LINESHAPE_SPARE": SPARE,
            "LINESHAPE_ANSWERS": str(folder / "answers.json")}  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=os.environ | told, capture_output=True, text=True, check=False)
    return done, json.loads((folder / "answers.json").read_text())


def check_nothing_found(folder, plane, gate, *arguments, regions=None, memory=""):
    """Every check on every operation; and each operation was not only refused."""
    with running(application(plane, gate, regions=regions)) as url:
        done, answers = schemathesis(folder, url, *arguments, LINESHAPE_MEMORY=memory)
    assert done.returncode == 0, done.stdout
    paths = document(plane, not gate.open, shared_memory=regions is not None)["paths"]
    operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    done = {answer.removesuffix(" 200") for answer in answers if answer.endswith(" 200")}
    assert done == operations - {"GET /openapi.json"}  # which schemathesis leaves out, having read it


def test_schemathesis_finds_nothing_on_an_open_server(tmp_path, bundles):
    check_nothing_found(tmp_path, plane_of(*bundles), Gate())


def test_schemathesis_finds_nothing_on_a_server_with_keys(tmp_path, told_bundles):
    secret = add_key(tmp_path / "keys.toml", "tests", ("infer", "admin"), None)
    plane, gate = plane_of(told_bundles["sample"], told_bundles["encode"]), Gate(read_keys(tmp_path / "keys.toml"))
    check_nothing_found(tmp_path, plane, gate, "--header", f"Authorization: Bearer {secret}")


@pytest.mark.skipif(sys.platform != "linux", reason="system shared memory is Linux's")
def test_schemathesis_finds_nothing_with_shared_memory(tmp_path, told_bundles):
    memory, plane = SharedMemory(create=True, size=1 << 16), plane_of(told_bundles["sample"], told_bundles["encode"])
    try:
        check_nothing_found(tmp_path, plane, Gate(), regions=Regions(Limits()), memory=f"/{memory.name.lstrip('/')}")
    finally:
        memory.close()
        memory.unlink()


def test_every_path_of_the_application_stands_in_it_and_no_other(plane):
    front = application(plane, regions=Regions(Limits()))
    served = {(method, anonymous(route.path)) for route in front._app.routes for method in route.methods - {"HEAD"}}
    paths = document(plane, keys=True, shared_memory=True)["paths"]
    names = [*plane.names, *VERBS]
    assert {(method.upper(), anonymous(path, names)) for path, methods in paths.items() for method in methods} == {
        (method, path) for method, path in served
    }


def anonymous(path, names=()):
    """The path without the names of parameters and of models."""
    path = re.sub(r"\{\w+\}", "{}", path)
    for name in names:
        path = re.sub(rf"/models/{name}(?=/|$)", "/models/{}", path)
    return path


def test_it_names_the_models_of_the_moment_with_their_tensors(plane):
    told = document(plane, keys=False, shared_memory=False)
    transfer = next(name for name in plane.names if plane.find(name).model.manifest.task == "transfer")
    assert f"/v1/models/{transfer}/transfer" in told["paths"]
    assert f"/v1/models/{transfer}/sample" not in told["paths"]
    body = told["paths"][f"/v2/models/{transfer}/infer"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    source, mask = body["properties"]["inputs"]["prefixItems"]
    grid = plane.find(transfer).model.manifest.axes["source"]
    assert [tensor["properties"]["name"]["const"] for tensor in (source, mask)] == ["source", "mask"]
    assert source["properties"]["shape"]["prefixItems"][1] == {"const": grid.n}
    assert mask["properties"]["data"]["items"] == {"enum": [0, 1]}
    sample = told["paths"]["/v1/models/told/sample"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert sample["anyOf"][0]["properties"]["label"] == {"enum": ["class-0", "class-1"]}


def test_it_goes_with_the_models(told_bundles):
    plane = plane_of(told_bundles["encode"])
    with running(application(plane)) as url:
        assert "/v1/models/told-encode/encode" in httpx.get(f"{url}/openapi.json").json()["paths"]
        assert httpx.post(f"{url}/v2/repository/models/told-encode/unload").status_code == 200
        assert "/v1/models/told-encode/encode" not in httpx.get(f"{url}/openapi.json").json()["paths"]


def test_only_a_server_with_keys_asks_for_one(plane):
    without, asks = document(plane, keys=False, shared_memory=False), document(plane, keys=True, shared_memory=False)
    assert "securitySchemes" not in without["components"]
    operations = [told for methods in without["paths"].values() for told in methods.values()]
    assert not any({"401", "403", "429"} & told["responses"].keys() for told in operations)
    assert asks["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    unguarded = [path for path, methods in asks["paths"].items() for told in methods.values() if not told["security"]]
    assert unguarded == ["/v2/health/live", "/v2/health/ready"]


def test_every_reference_leads_somewhere_and_no_operation_shares_its_name(plane):
    told = document(plane, keys=True, shared_memory=True)
    text = msgspec.json.encode(told).decode()
    for kind, name in set(re.findall(r'"#/components/(\w+)/([^"]+)"', text)):
        assert name in told["components"][kind]
    names = [operation["operationId"] for methods in told["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)
