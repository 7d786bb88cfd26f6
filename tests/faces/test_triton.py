"""A real Triton on the repository of a bundle, as an unmodified client sees it: through its python backend.

Its ONNX Runtime backend comes in NVIDIA's images only; of that form tests/serving/test_triton_repository.py reads the
files back.
"""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from once import once
from resealed import resealed
from triton_server import triton_server
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from lineshape.bundle import check_close, open_bundle
from lineshape_edge import Model
from lineshape_export import export_run
from lineshape_serving.triton import write_repository

SPECTRA = 10_000


@pytest.fixture(scope="module")
def told_bundle(told_run, common):
    """A small conditional sampler: the one of `told_bundles`, without the others."""
    return once(common / "told-sample.lineshape", partial(export_run, told_run, task="sample"))


@pytest.fixture(scope="module")
def models(transfer_bundle, sample_bundle, told_bundle):
    return [Model.open(path) for path in (transfer_bundle, sample_bundle, told_bundle)]


@pytest.fixture(scope="module")
def repository(tmp_path_factory, transfer_bundle, sample_bundle, told_bundle):
    folder = tmp_path_factory.mktemp("triton") / "models"
    write_repository([transfer_bundle, sample_bundle, told_bundle], folder, "cpu", "python")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, repository):
    with triton_server(tmp_path_factory.mktemp("tritonserver"), repository) as running:
        with triton_http.InferenceServerClient(running.http) as client:
            for model in sorted(path.name for path in repository.iterdir() if path.is_dir()):
                client.load_model(model)
        yield running


@pytest.fixture(scope="module")
def http(server):
    with triton_http.InferenceServerClient(server.http, concurrency=8) as client:
        yield client


@pytest.fixture(scope="module", params=["http", "grpc"])
def wire(request, server):
    """The two protocols: the client's module, and a client."""
    if request.param == "http":
        with triton_http.InferenceServerClient(server.http) as client:
            yield triton_http, client
    else:
        with triton_grpc.InferenceServerClient(server.grpc) as client:
            yield triton_grpc, client


def asked(module, arrays):
    tensors = []
    for name, array in arrays.items():
        tensor = module.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        tensors.append(tensor)
    return tensors


def forms(models):
    return [(model, name, form) for model in models for name, form in model.manifest.wire_names.items()]


def transferred(model, n, seed=7):
    values = np.random.default_rng(seed).random((n, model.manifest.axes["source"].n), np.float32)
    return {"source": values, "mask": np.ones_like(values)}


def check_same(model, form, expected, result):
    found = {name: result.as_numpy(name) for name in expected}
    check_close(form, model.manifest.allowed(form), expected, found, "on Triton")


def test_every_form_becomes_ready_and_its_golden_outputs_agree(wire, models):
    module, client = wire
    assert client.is_server_ready()
    for model, name, form in forms(models):
        assert client.is_model_ready(name, "1")
        for inputs, outputs in model.bundle.golden(form):
            check_same(model, form, outputs, client.infer(name, asked(module, inputs)))


def test_only_the_outputs_that_were_asked_for_travel(http, models):
    model = models[0]
    inputs, outputs = model.bundle.golden("model")[0]
    wanted = [triton_http.InferRequestedOutput("familiarity")]
    result = http.infer(model.manifest.name, asked(triton_http, inputs), outputs=wanted)
    assert [tensor["name"] for tensor in result.get_response()["outputs"]] == ["familiarity"]
    np.testing.assert_allclose(result.as_numpy("familiarity"), outputs["familiarity"], atol=1e-3)


def test_a_wrong_value_is_refused_in_our_words(wire, models):
    module, client = wire
    model = models[0]
    arrays = transferred(model, 3)
    arrays["mask"][1] /= 2
    with pytest.raises(
        InferenceServerException, match=r"input 'mask': element \[1, 0\] is 0\.5, expected 0"
    ) as refused:
        client.infer(model.manifest.name, asked(module, arrays))
    assert refused.value.status() in ("400", "StatusCode.INVALID_ARGUMENT")


def test_requests_that_travel_together_do_not_mix_and_only_the_wrong_one_is_refused(http, models):
    model = models[0]
    batches = [transferred(model, 1 + seed % 3, seed) for seed in range(24)]
    for arrays in batches[::5]:
        arrays["source"][0, 3] = np.nan
    answers = [http.async_infer(model.manifest.name, asked(triton_http, arrays)) for arrays in batches]
    for number, (answer, arrays) in enumerate(zip(answers, batches, strict=True)):
        if number % 5 == 0:
            with pytest.raises(InferenceServerException, match=r"input 'source': element \[0, 3\] is nan"):
                answer.get_result()
        else:
            check_same(model, "model", model.run(arrays), answer.get_result())


def test_metrics_and_config_say_which_bundle_it_is(server, http, models):
    metrics = httpx.get(f"http://{server.metrics}/metrics").text
    for model, name, _ in forms(models):
        manifest = model.manifest
        (line,) = re.findall(rf'^nv_inference_request_success\{{.*model="{name}",.*$', metrics, re.MULTILINE)
        for tag, value in {"bundle": manifest.name, "semver": manifest.version, "digest": model.digest}.items():
            assert f'_{tag}="{value}"' in line  # Triton puts the underscore before every tag that is not its own
        assert http.get_model_config(name)["parameters"]["digest"]["string_value"] == model.digest


def test_a_newer_version_takes_over_and_no_request_is_lost(tmp_path, server, http, repository, sample_bundle):
    sealed = [
        resealed(sample_bundle, tmp_path / f"{version}.lineshape", name="swapped", version=version)
        for version in ("0.9.0", "0.10.0")
    ]
    write_repository(sealed[:1], repository, "cpu", "python")
    http.load_model("swapped")
    done, answered = Event(), []

    def call():
        inputs = asked(triton_http, Model.open(sealed[0]).bundle.golden("model")[0][0])
        with triton_http.InferenceServerClient(server.http) as client:
            while not (done.is_set() and answered[-1] == "2"):
                answered.append(client.infer("swapped", inputs).get_response()["model_version"])

    with ThreadPoolExecutor(1) as callers:
        caller = callers.submit(call)
        write_repository(sealed[1:], repository, "cpu", "python")
        http.load_model("swapped")
        done.set()
        caller.result(30)
    assert sorted(set(answered)) == ["1", "2"]
    assert answered == sorted(answered)
    assert http.get_model_metadata("swapped")["versions"] == ["2"]
    assert f'_digest="{open_bundle(sealed[1]).digest}"' in httpx.get(f"http://{server.metrics}/metrics").text


def test_a_changed_byte_keeps_a_model_from_ready_and_the_log_names_the_file(
    tmp_path, server, http, repository, sample_bundle
):
    path = resealed(sample_bundle, tmp_path / "x.lineshape", name="changed")
    write_repository([path], repository, "cpu", "python")
    sealed = repository / "changed" / "1" / "bundle.lineshape"
    content = bytearray(sealed.read_bytes())
    content[content.index(open_bundle(path).read("model.onnx")) + 1000] ^= 1
    sealed.write_bytes(content)
    with pytest.raises(InferenceServerException, match=r"bundle\.lineshape: model\.onnx: "):
        http.load_model("changed")
    assert not http.is_model_ready("changed")
    assert f"{sealed}: model.onnx: " in server.said()


def test_another_sealed_bundle_in_its_place_is_refused_as_well(tmp_path, http, repository, sample_bundle):
    for version in ("0.1.0", "0.2.0"):
        resealed(sample_bundle, tmp_path / f"{version}.lineshape", name="replaced", version=version)
    write_repository([tmp_path / "0.1.0.lineshape"], repository, "cpu", "python")
    shutil.copy(tmp_path / "0.2.0.lineshape", repository / "replaced" / "1" / "bundle.lineshape")
    with pytest.raises(InferenceServerException, match=r"config\.pbtxt was written for"):
        http.load_model("replaced")


def test_10000_spectra_of_a_seed_are_the_same_in_batches_of_any_size_here_and_on_triton(server, models):
    """The spectrum of (seed, index) does not depend on its company, on either face."""
    model = models[2]
    (sugar,) = model.manifest.analytes
    rows = {
        "seed": np.stack([np.full(SPECTRA, 7), np.arange(SPECTRA)], axis=1),
        "label": np.arange(SPECTRA)[:, None] % len(model.manifest.classes),
        "analyte": np.full((SPECTRA, 1), (sugar.low + sugar.high) / 2, np.float32),
        "noise_scale": np.ones((SPECTRA, 1), np.float32),
    }
    wanted = {spec.name: rows[spec.name] for spec in model.manifest.graphs["model"].inputs}

    def edge(arrays):
        return model.run(arrays)["spectrum"]

    with triton_grpc.InferenceServerClient(server.grpc) as client:

        def triton(arrays):
            return client.infer(model.manifest.name, asked(triton_grpc, arrays)).as_numpy("spectrum")

        expected = {"spectrum": drawn(edge, wanted, 1000)}
        for face in (edge, triton):
            for size in (1, 7, 256, 1000):
                found = {"spectrum": drawn(face, wanted, size)}
                where = f"in batches of {size} ({face.__name__})"
                check_close("model", model.manifest.allowed("model"), expected, found, where)


def drawn(face, arrays, size):
    batches = [{name: array[i : i + size] for name, array in arrays.items()} for i in range(0, SPECTRA, size)]
    return np.concatenate([face(batch) for batch in batches])
