"""Our client on our service and on a real Triton: the numbers of the edge, from spectra on any axis."""

from __future__ import annotations

import asyncio
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.http as triton
from certificates import self_signed
from fits import simulated
from services import lineshape, served
from triton_server import triton_server

from lineshape.axis import SpectralAxis
from lineshape.bundle import check_close
from lineshape.errors import (
    AccessError,
    AxisError,
    QuotaError,
    TensorError,
    UnknownModel,
    UnsupportedBundle,
    UsageError,
)
from lineshape.spectrum import Spectrum
from lineshape_edge import Model, encode, interpolate, reconstruct, sample, transfer
from lineshape_serving import AsyncClient, Client
from lineshape_serving.triton import write_repository


@pytest.fixture(scope="module")
def models(told_bundles, transfer_bundle):
    return {task: Model.open(path) for task, path in {**told_bundles, "transfer": transfer_bundle}.items()}


@pytest.fixture(scope="module")
def service(told_bundles, transfer_bundle, tmp_path_factory):
    with served(tmp_path_factory.mktemp("service"), *told_bundles.values(), transfer_bundle) as running:
        yield f"http://{running.url}"


@pytest.fixture(scope="module")
def tritonserver(told_bundles, transfer_bundle, models, tmp_path_factory):
    repository = tmp_path_factory.mktemp("triton") / "models"
    write_repository([*told_bundles.values(), transfer_bundle], repository, "cpu", "python")
    with triton_server(tmp_path_factory.mktemp("tritonserver"), repository) as running:
        with triton.InferenceServerClient(running.http) as control:
            for model in models.values():
                control.load_model(model.manifest.name)
        yield f"http://{running.http}"


@pytest.fixture(scope="module", params=["service", "tritonserver"])
def url(request):
    return request.getfixturevalue(request.param)


class Awaited:
    """The asynchronous client, called as the other is."""

    def __init__(self, url, *arguments, **options):
        self.client, self.runner = AsyncClient(url, *arguments, **options), asyncio.Runner()

    def __getattr__(self, name):
        return lambda *arguments, **options: self.runner.run(getattr(self.client, name)(*arguments, **options))

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()
        self.runner.close()


@pytest.fixture(scope="module", params=[Client, Awaited], ids=["sync", "async"])
def client(request, url):
    with request.param(url) as client:
        yield client


@pytest.fixture(scope="module")
def spectra():
    """Two of the simulated ones, one of them the other way round and in another unit, as its instrument wrote it."""
    table = simulated()
    axis = SpectralAxis(table.axis.values, "raman", "cm-1", laser_nm=785)
    first, second = (Spectrum(table.values[row], axis) for row in (0, 20))
    descending = SpectralAxis(axis.to("nm").values[::-1], "raman", "nm", laser_nm=785)
    return [first, Spectrum(second.intensities[::-1], descending)]


@pytest.fixture(scope="module")
def minerals():
    """Raman spectra with a step of their own, one measured on a part of the model's range only."""
    rng, whole = np.random.default_rng(5), SpectralAxis.regular("raman", 90, 1400, 1700)
    part = SpectralAxis.regular("raman", 1000, 180, 900)
    return [Spectrum(rng.random(len(axis)).cumsum() % 7, axis) for axis in (whole, part)]


def check(model, output, expected, found):
    allowed = model.manifest.allowed("model")
    check_close("model", {output: allowed[output]}, {output: expected}, {output: found}, "through the client")


def asked(model):
    """What a sampler is told of class and amount."""
    (sugar,) = model.manifest.analytes
    return {"label": "class-0", "analyte": {"sugar": sugar.low}}


def test_a_server_says_what_it_has(client, models):
    assert {model.manifest.name for model in models.values()} <= set(client.models())


def test_a_model_is_described_alike_by_either_server(client, models):
    for model in models.values():
        manifest, told = model.manifest, client.model(model.manifest.name)
        assert (told.name, told.digest, told.form) == (manifest.name, model.digest, "model")
        for field in ("family", "task", "axes", "axis_half", "intensity_half", "limits", "classes", "analytes",
                      "sampler", "noise"):  # fmt: skip
            assert getattr(told, field) == getattr(manifest, field)


def test_samples_are_those_of_the_edge(client, models):
    model = models["sample"]
    (sugar,) = model.manifest.analytes
    amount = {"sugar": (sugar.low + sugar.high) / 2}
    found = client.sample("told", 5, 7, first=2, label="class-1", analyte=amount, noise_scale=0.5)
    check(model, "spectrum", sample(model, 5, 7, 2, "class-1", amount, noise_scale=0.5), found.intensities)
    assert found.axis == model.manifest.axis("spectrum")
    assert [len(found), found[4].axis] == [5, found.axis]
    far = {"sugar": 2 * sugar.high}
    assert len(client.sample("told", 1, label="class-0", analyte=far, extrapolate=True)) == 1
    with pytest.raises(UsageError, match="one of class-0, class-1; got 'quartz'"):
        client.sample("told", 1, label="quartz", analyte=amount)
    with pytest.raises(UsageError, match="where the model was fitted"):
        client.sample("told", 1, label="class-0", analyte=far)


def test_more_than_a_batch_is_asked_for_in_parts(client, models):
    model, told = (
        models["sample"],
        {"label": "class-0", "analyte": {"sugar": models["sample"].manifest.analytes[0].low}},
    )
    n = model.manifest.limits.max_batch + 3
    check(model, "spectrum", sample(model, n, 3, **told), client.sample("told", n, 3, **told).intensities)


def test_a_transfer_is_that_of_the_edge(client, models, minerals):
    model = models["transfer"]
    found = client.transfer(model.manifest.name, minerals)
    for expected, got in zip(transfer(model, minerals), found, strict=True):
        assert got.axis == expected.axis
        assert got.familiarity == pytest.approx(expected.familiarity, abs=1e-3)
        check(model, "spectrum", expected.intensities[None], got.intensities[None])
        check(model, "lower", expected.lower[None], got.lower[None])
        check(model, "upper", expected.upper[None], got.upper[None])
    assert any("of the model's range" in caution for caution in found[1].cautions)
    assert client.transfer(model.manifest.name, []) == []


def test_spectra_are_rebuilt_encoded_and_blended_as_on_the_edge(client, models, spectra):
    rebuilt = client.reconstruct("told-reconstruct", spectra)
    check(models["reconstruct"], "spectrum", reconstruct(models["reconstruct"], spectra), rebuilt.intensities)
    latents = client.encode("told-encode", spectra)
    check(models["encode"], "latent", encode(models["encode"], spectra), latents)
    between = client.interpolate("told-interpolate", *spectra, [0, 0.25, 1])
    expected = interpolate(models["interpolate"], *spectra, [0, 0.25, 1])
    check(models["interpolate"], "spectrum", expected, between.intensities)


def test_refusals_are_those_of_the_edge(client, models, spectra, minerals):
    ir = Spectrum(np.arange(9.0), SpectralAxis.regular("ir", 400, 1400, 9))
    for ask, error in [
        (lambda: client.transfer(models["transfer"].manifest.name, [ir]), AxisError),
        (lambda: client.transfer("told-encode", minerals), UnsupportedBundle),
        (lambda: client.interpolate("told-interpolate", *spectra, [1.5]), TensorError),
    ]:
        with pytest.raises(error):
            ask()
    for name in ("raman-to-xyz", "../health/live"):
        with pytest.raises((UnknownModel, TensorError)):
            client.model(name)


def test_threads_of_one_client_get_their_own_answers(url, models):
    model, told = (
        models["sample"],
        {"label": "class-0", "analyte": {"sugar": models["sample"].manifest.analytes[0].low}},
    )
    with Client(url) as client, ThreadPoolExecutor(8) as threads:
        drawn = threads.map(lambda seed: client.sample("told", 1 + seed % 3, seed, **told).intensities, range(40))
        for seed, found in enumerate(drawn):
            check(model, "spectrum", sample(model, 1 + seed % 3, seed, **told), found)


@pytest.mark.parametrize("kind", [Client, Awaited], ids=["sync", "async"])
def test_keys_quotas_and_tls_of_the_service(tmp_path, told_bundles, spectra, kind):
    """The quota fills up by one spectrum in 2 s: who has retries left waits for that, others are told."""
    key = lineshape(tmp_path, "keys", "add", "keys.toml", "lab", "--quota", "30").stdout.strip()
    folder = self_signed(tmp_path)
    options = ("--keys", "../keys.toml", "--certificate", "../cert.pem", "--private-key", "../key.pem")
    trusted = ssl.create_default_context(cafile=folder / "cert.pem")
    with served(tmp_path, told_bundles["encode"], options=options, verify=trusted) as service:
        url, ca = f"https://{service.url}", folder / "cert.pem"
        with kind(url, "no-such-key", ca=ca) as client, pytest.raises(AccessError, match="nobody knows this key"):
            client.models()
        with kind(url, ca=ca) as client, pytest.raises(AccessError, match="asks for a key"):
            client.encode("told-encode", spectra)
        with kind(url, key, ca=ca, retries=0) as hasty, kind(url, key, ca=ca) as patient:
            hasty.encode("told-encode", spectra * 15)
            with pytest.raises(QuotaError, match="its quota of 30 spectra a minute is used up"):
                hasty.encode("told-encode", spectra)
            began = time.monotonic()
            assert patient.encode("told-encode", spectra[:1]).shape == (1, 16)
            assert 1 < time.monotonic() - began < 10
