"""The running service, as an unmodified Triton client sees it."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from services import lineshape, served
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from lineshape.bundle import check_close
from lineshape_edge import Model


@pytest.fixture(scope="module")
def service(tmp_path_factory, transfer_bundle, sample_bundle):
    with served(tmp_path_factory.mktemp("service"), transfer_bundle, sample_bundle) as running:
        yield running


@pytest.fixture(scope="module")
def client(service):
    with triton.InferenceServerClient(service.url, concurrency=8) as client:
        yield client


@pytest.fixture(scope="module")
def transfer(transfer_bundle):
    return Model.open(transfer_bundle)


@pytest.fixture(scope="module")
def sampler(sample_bundle):
    return Model.open(sample_bundle)


def source(model, n, seed=7):
    """Spectra on the model's grid: first half measured in full, the rest up to the middle."""
    values = np.random.default_rng(seed).random((n, model.manifest.axes["source"].n), np.float32)
    mask = np.ones_like(values)
    mask[n // 2 :, values.shape[1] // 2 :] = 0
    return {"source": values * mask, "mask": mask}


def inputs_of(arrays, binary=True):
    inputs = []
    for name, array in arrays.items():
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        inputs.append(tensor.set_data_from_numpy(array, binary_data=binary))
    return inputs


def check_same(model, form, result, arrays):
    """The same numbers as in this process, within the bundle's tolerance."""
    expected = model.run(arrays, form)
    found = {name: result.as_numpy(name) for name in expected}
    check_close(form, model.manifest.allowed(form), expected, found, "through the wire")


def test_health_and_metadata(client, transfer, sampler):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata()["name"] == "lineshape"
    for model in (transfer, sampler):
        for name, form in model.manifest.wire_names.items():
            assert client.is_model_ready(name)
            assert client.is_model_ready(name, model.manifest.version)
            told = client.get_model_metadata(name)
            assert told["parameters"]["digest"] == model.digest
            assert [tensor["name"] for tensor in told["inputs"]] == [
                spec.name for spec in model.manifest.graphs[form].inputs
            ]


def test_a_stock_client_can_lay_out_the_grid(client, transfer):
    told = client.get_model_metadata(transfer.manifest.name)
    axis = told["parameters"]["axes"][told["inputs"][0]["parameters"]["axis"]]
    grid = np.linspace(axis["first"], axis["last"], axis["n"])
    np.testing.assert_array_equal(grid, transfer.manifest.axis("source").values)


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "numbers"])
@pytest.mark.parametrize("n", [1, 5])
def test_transfer_gives_the_numbers_of_the_edge(client, transfer, n, binary):
    arrays = source(transfer, n)
    names = [spec.name for spec in transfer.manifest.graphs["model"].outputs]
    asked = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    result = client.infer(transfer.manifest.name, inputs_of(arrays, binary), outputs=asked, request_id="a-request")
    check_same(transfer, "model", result, arrays)
    assert result.get_response()["id"] == "a-request"


def test_both_forms_of_a_sampler_give_the_numbers_of_the_edge(client, sampler):
    width = sampler.manifest.graphs["noise"].inputs[0].shape[1]
    for form, arrays in {
        "model": {"seed": np.array([[7, 0], [7, 1], [2**53, 2]], np.int64), "noise_scale": np.ones((3, 1), np.float32)},
        "noise": {
            "noise": np.random.default_rng(3).standard_normal((3, width), np.float32),
            "noise_scale": np.array([[0], [1], [2]], np.float32),
        },
    }.items():
        name = next(name for name, of in sampler.manifest.wire_names.items() if of == form)
        check_same(sampler, form, client.infer(name, inputs_of(arrays)), arrays)


def test_the_asynchronous_client_gets_the_same_numbers(service, transfer):
    batches = [source(transfer, n, seed=n) for n in (1, 3, 5)]

    async def ask_all():
        async with triton_aio.InferenceServerClient(service.url) as client:
            assert await client.is_server_ready()
            return await asyncio.gather(
                *(client.infer(transfer.manifest.name, inputs_of(arrays)) for arrays in batches)
            )

    for result, arrays in zip(asyncio.run(ask_all()), batches, strict=True):
        check_same(transfer, "model", result, arrays)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_packed_by_the_client_both_ways(client, transfer, coding):
    arrays, name = source(transfer, 3), transfer.manifest.name
    result = client.infer(name, inputs_of(arrays), request_compression_algorithm=coding,
                          response_compression_algorithm=coding)  # fmt: skip
    check_same(transfer, "model", result, arrays)


def test_configuration_statistics_and_the_repository_as_the_client_knows_them(client, transfer, sampler):
    name = transfer.manifest.name
    config = client.get_model_config(name)
    assert config["max_batch_size"] == transfer.manifest.limits.max_batch
    assert config["parameters"]["digest"]["string_value"] == transfer.digest
    before = client.get_inference_statistics(name)["model_stats"][0]["inference_count"]
    client.infer(name, inputs_of(source(transfer, 2)))
    (told,) = client.get_inference_statistics(name)["model_stats"]
    assert told["inference_count"] == before + 2
    other = sampler.manifest.name
    client.unload_model(other)
    assert not client.is_model_ready(other)
    assert {entry["name"]: entry["state"] for entry in client.get_model_repository_index()}[other] == "UNAVAILABLE"
    client.load_model(other)
    assert client.is_model_ready(other)
    with pytest.raises(InferenceServerException, match="cannot be read"):
        client.load_model(other, config="{}")  # a configuration in a request would be a bundle that nobody sealed


def test_requests_at_once_do_not_mix(client, transfer):
    batches = [source(transfer, 1 + seed % 3, seed) for seed in range(24)]
    asked = [client.async_infer(transfer.manifest.name, inputs_of(arrays)) for arrays in batches]
    for answer, arrays in zip(asked, batches, strict=True):
        check_same(transfer, "model", answer.get_result(), arrays)


def test_refusals_carry_their_status_and_their_reason(client, transfer):
    name, arrays = transfer.manifest.name, source(transfer, 2)
    outside = {**arrays, "mask": arrays["mask"] / 2}
    longer = {key: np.hstack([array, array[:, :1]]) for key, array in arrays.items()}
    for status, reason, ask in [
        ("404", "no model 'raman-to-xyz'", lambda: client.infer("raman-to-xyz", inputs_of(arrays))),
        ("404", "has no version", lambda: client.infer(name, inputs_of(arrays), model_version="9.9.9")),
        ("404", "no model 'raman-to-xyz'", lambda: client.get_model_metadata("raman-to-xyz")),
        ("400", "input 'mask': missing", lambda: client.infer(name, inputs_of(arrays)[:1])),
        ("400", r"input 'mask': element \[0, 0\]", lambda: client.infer(name, inputs_of(outside))),
        ("400", "input 'source': shape", lambda: client.infer(name, inputs_of(longer))),
    ]:
        with pytest.raises(InferenceServerException, match=reason) as refused:
            ask()
        assert refused.value.status() == status


def test_bentoml_keeps_its_own_endpoints(service):
    for path in ("/livez", "/readyz", "/metrics"):
        assert httpx.get(f"http://{service.url}{path}").status_code == 200
    unknown = httpx.get(f"http://{service.url}/v2/nothing")
    assert (unknown.status_code, unknown.json().keys()) == (404, {"error"})


def test_its_connections_are_bounded(service):
    """The very process, for it is uvicorn that must have been told in time."""
    refused = httpx.get(f"http://{service.url}/v2", headers={"X-Long": "a" * 40_000})
    assert (refused.status_code, "larger than" in refused.json()["error"]) == (431, True)


def test_without_keys_no_page_of_another_place_is_answered(service):
    for header in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Host": "[::1"}):
        refused = httpx.post(f"http://{service.url}/v2/repository/models/raman-vae/unload", headers=header)
        assert refused.status_code == 403
    for header in ({"Origin": f"http://{service.url}"}, {"Host": "localhost:1"}, {"Host": "[::1]:3000"}):
        assert httpx.get(f"http://{service.url}/v2", headers=header).status_code == 200


def test_it_says_where_and_what_it_serves_and_is_quiet_otherwise(service, transfer, sampler):
    names = [*transfer.manifest.wire_names, *sampler.manifest.wire_names]
    first, *log = service.said().splitlines()
    assert first == f"lineshape: serving {', '.join(names)} at http://{service.url} (Ctrl+C ends it)"
    told = [json.loads(line) for line in log[: len(names)]]
    assert [(line["event"], line["model"]) for line in told] == [("serving", name) for name in names]
    assert {line["digest"] for line in told} == {transfer.digest, sampler.digest}
    assert service.said("out") == ""


def test_it_writes_into_its_working_folder_only(service):
    assert [path.name for path in (service.folder / "work").iterdir()] == [".bentoml"]
    assert list((service.folder / "home").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_code_0(tmp_path, transfer_bundle, number):
    with served(tmp_path, transfer_bundle) as running:
        assert running.stop(number) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://{running.url}/v2")


def test_a_refused_bundle_is_code_3_and_no_server(tmp_path, transfer_bundle):
    content = bytearray(transfer_bundle.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "broken.lineshape").write_bytes(content)
    done = lineshape(tmp_path, "serve", tmp_path / "broken.lineshape")
    assert done.returncode == 3
    assert done.stderr.startswith("lineshape: ")
    assert not (tmp_path / ".bentoml").exists()


def test_two_bundles_of_one_name_are_wrong_use(tmp_path, transfer_bundle):
    shutil.copy(transfer_bundle, tmp_path / "again.lineshape")
    done = lineshape(tmp_path, "serve", transfer_bundle, tmp_path / "again.lineshape")
    assert (done.returncode, "two bundles want the name" in done.stderr) == (2, True)


def test_a_busy_port_is_wrong_use(tmp_path, service, transfer_bundle):
    done = lineshape(tmp_path, "serve", transfer_bundle, "--port", service.port)
    assert (done.returncode, f"port {service.port}" in done.stderr) == (2, True)
