"""The endpoints for people: any axis, plain JSON or an instrument's file in; the format that is accepted out."""

from __future__ import annotations

import asyncio
import io
import json
from time import process_time

import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resealed import resealed
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from lineshape.axis import SpectralAxis
from lineshape.errors import DataError, LineshapeError, OverloadError, QuotaError, ReadError
from lineshape.readers import parse_spectra
from lineshape.spectrum import Spectrum
from lineshape.writers import axis_label, encode_table
from lineshape_edge import Model, tasks
from lineshape_serving import DataPlane
from lineshape_serving.access import Caller, Gate
from lineshape_serving.http.body import read_body
from lineshape_serving.http.replies import refused, refused_by_http
from lineshape_serving.settings import Limits, Running
from lineshape_serving.v1 import bodies, formats, messages, parquet, routes
from lineshape_serving.v1.negotiation import choose

X = np.linspace(120.0, 1900.0, 700)
Y = np.exp(-(((X - 460) / 12) ** 2)) + 0.6 * np.exp(-(((X - 1080) / 9) ** 2)) + 0.01 * np.sin(X / 40)
QUARTZ = Spectrum(Y, SpectralAxis.of(X, "raman"))
CALCITE = Spectrum(Y[::-1].copy(), SpectralAxis.of(X, "raman"))
ONE_ALONE = "an interpolation goes from one spectrum to another; got 1"
ENDINGS = {"text/csv": ".csv", "chemical/x-jcamp-dx": ".jdx", "application/x-npz": ".npz"}


class People:
    """One request at a time into the routes of /v1, with no socket between; `charged` are the spectra that it cost."""

    def __init__(self, *models, limits=None, running=None):
        self.plane, self.charged = DataPlane(models, running), []
        gate, limits = Gate(), limits or Limits()

        def admit(request, scope):
            assert scope == "infer"
            gate.admit(request.headers.get("authorization"), scope)
            return Counted(self.charged)

        handlers = {LineshapeError: refused, HTTPException: refused_by_http}
        found = routes(self.plane, admit, lambda request: read_body(request, limits))
        self.transport = httpx.ASGITransport(Starlette(routes=found, exception_handlers=handlers))

    def ask(self, method, path, **rest):
        async def once():
            async with httpx.AsyncClient(transport=self.transport, base_url="http://lineshape") as client:
                return await client.request(method, f"/v1/models{path}", **rest)

        return asyncio.run(once())

    def post(self, path, body=None, accept=None, content_type=None, **rest):
        headers = {"Accept": accept, "Content-Type": content_type}
        rest["headers"] = {name: value for name, value in headers.items() if value is not None}
        given = {"json": body} if isinstance(body, dict) else {"content": body}
        return self.ask("POST", path, **given, **rest)


class Counted(Caller):
    """A caller with a quota of 1,000 spectra altogether."""

    def __init__(self, charged):
        super().__init__("counted")
        self.charged = charged

    def charge(self, spectra):
        if sum(self.charged) + spectra > 1000:
            raise QuotaError("no more")
        self.charged.append(spectra)


@pytest.fixture(scope="module")
def models(transfer_bundle, sample_bundle, told_bundles):
    paths = [transfer_bundle, sample_bundle, *told_bundles.values()]
    return {model.manifest.name: model for model in map(Model.open, paths)}


@pytest.fixture
def people(models):
    return People(*models.values())


def of_task(models, task):
    return next(name for name, model in models.items() if model.manifest.task == task)


def measured(spectrum, **rest):
    numbers = {"axis": spectrum.axis.values.tolist(), "intensities": spectrum.intensities.tolist()}
    return numbers | {"modality": "raman", "unit": "cm-1"} | rest


def as_file(media_type, *spectra):
    """The spectra as an instrument's file of a media type."""
    columns = {f"spectrum {n}": one.intensities for n, one in enumerate(spectra)}
    if media_type == "application/x-npy":
        return npy(np.stack([spectra[0].axis.values, spectra[0].intensities], axis=1))
    if media_type == parquet.MEDIA_TYPE:
        return parquet.encode({axis_label(QUARTZ.axis): QUARTZ.axis.values, **columns}, {"modality": "raman"})
    return encode_table(f"t{ENDINGS.get(media_type, '.csv')}", QUARTZ.axis, columns, {})


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def spectra_of(response, name="t"):
    """What our own readers find in an answer."""
    content = response.content
    if response.headers["content-type"] == parquet.MEDIA_TYPE:
        content = parquet.to_csv(content, name)
    return parse_spectra(content, name, None)


def test_it_says_which_models_there_are_and_what_may_be_asked_of_them(people, models):
    cards = {card["name"]: card for card in people.ask("GET", "").json()["models"]}
    assert cards.keys() == models.keys()  # and none of those that take noise of the client's own
    for name, model in models.items():
        assert people.ask("GET", f"/{name}").json() == cards[name]
        assert (cards[name]["task"], cards[name]["digest"]) == (model.manifest.task, model.digest)


def test_samples_are_those_of_the_edge_and_say_their_seed(people, models, sample_bundle):
    name = Model.open(sample_bundle).manifest.name
    told = people.post(f"/{name}/sample", {"n": 3, "seed": 7, "first": 2}).json()
    np.testing.assert_array_equal(np.float32(told["spectra"]), tasks.sample(models[name], 3, 7, 2))
    assert (told["bundle"], told["digest"], told["seed"], told["first"]) == (name, models[name].digest, 7, 2)
    assert told["axis"]["values"] == models[name].manifest.axis("spectrum").values.tolist()
    assert people.charged == [3]


def test_samples_of_a_class_and_an_amount(people, models):
    model = models["told"]
    (analyte,), label = model.manifest.analytes, model.manifest.classes[1]
    asked = {"n": 2, "label": label, "analyte": {analyte.name: analyte.high}, "noise_scale": 0}
    told = people.post("/told/sample", asked).json()
    expected = tasks.sample(model, 2, label=label, analyte={analyte.name: analyte.high}, noise_scale=0)
    np.testing.assert_array_equal(np.float32(told["spectra"]), expected)
    beyond = people.post("/told/sample", asked | {"analyte": {analyte.name: analyte.high * 2}})
    assert (beyond.status_code, "ask for extrapolation" in beyond.json()["error"]) == (400, True)
    beyond = people.post("/told/sample", asked | {"analyte": {analyte.name: analyte.high * 2}, "extrapolate": True})
    assert beyond.status_code == 200


@pytest.mark.parametrize("media_type", [*formats.SPECTRA])
def test_samples_in_every_format_are_the_same_numbers_and_say_where_they_are_from(people, models, media_type):
    response = people.post("/told/sample", {"n": 2, "label": "class-0", "analyte": {"sugar": 9.0}}, accept=media_type)
    assert response.headers["content-type"].partition(";")[0] == media_type
    origin = {"bundle": "told", "version": models["told"].manifest.version, "digest": models["told"].digest}
    assert {key: response.headers[f"lineshape-{key}"] for key in origin} == origin
    expected = tasks.sample(models["told"], 2, label="class-0", analyte={"sugar": 9.0})
    if media_type == "application/json":
        np.testing.assert_array_equal(np.float32(response.json()["spectra"]), expected)
    elif media_type == "application/x-npy":
        axis, *rows = np.load(io.BytesIO(response.content))
        np.testing.assert_array_equal(axis, models["told"].manifest.axis("spectrum").values)
        np.testing.assert_array_equal(np.float32(rows), expected)
    else:
        found = spectra_of(response)
        np.testing.assert_array_equal(np.float32([one.intensities for one in found]), expected)
        assert found[0].axis.values.tolist() == models["told"].manifest.axis("spectrum").values.tolist()
        if media_type != "chemical/x-jcamp-dx":  # whose private labels our reader leaves where they are
            wanted = origin | {"seed": "0", "label": "class-0", "analytes": "sugar 9.0"}
            assert wanted.items() < found[0].metadata.items()
        else:
            assert all(f"##${key}={value}" in response.text for key, value in (origin | {"seed": "0"}).items())


def test_a_transfer_says_what_the_edge_says(people, models, transfer_bundle):
    name = Model.open(transfer_bundle).manifest.name
    told = people.post(f"/{name}/transfer", {"spectra": [measured(QUARTZ, name="quartz"), measured(CALCITE)]}).json()
    expected = tasks.transfer(models[name], [QUARTZ, CALCITE])
    for found, one in zip(told["spectra"], expected, strict=True):
        for key in ("intensities", "lower", "upper"):
            np.testing.assert_allclose(found[key], getattr(one, key), rtol=1e-5, atol=1e-6)
        assert found["familiarity"] == pytest.approx(one.familiarity, rel=1e-4)
        assert found["cautions"] == list(one.cautions)
        assert found["nearest"]["name"] == one.nearest.name
    assert [found["source"] for found in told["spectra"]] == ["quartz", "spectrum 2"]
    assert people.charged == [2]


def test_a_csv_of_a_transfer_is_what_the_command_line_writes(people, models, transfer_bundle):
    name = Model.open(transfer_bundle).manifest.name
    body, where = as_file("text/csv", QUARTZ), f"/{name}/transfer?filename=C%3A%5Craman%5Cquartz.csv"
    response = people.post(where, body, accept="text/csv", content_type="text/csv")
    found = {one.metadata["column"]: one for one in spectra_of(response)}
    assert list(found) == ["intensity", "lower", "upper"]
    (expected,) = tasks.transfer(models[name], [QUARTZ])
    facts = {"bundle": name, "digest": models[name].digest, "source": "quartz.csv",
             "familiarity": f"{expected.familiarity:.4f}", "cautions": " ".join(expected.cautions)}  # fmt: skip
    assert {key: value for key, value in facts.items() if value}.items() < found["lower"].metadata.items()
    assert found["lower"].axis.modality == "ir"


def test_the_columns_and_facts_of_several_spectra_carry_their_number(people, transfer_bundle):
    name = Model.open(transfer_bundle).manifest.name
    response = people.post(f"/{name}/transfer", {"spectra": [measured(QUARTZ), measured(CALCITE)]}, accept="text/csv")
    found = spectra_of(response)
    assert [one.metadata["column"] for one in found][:4] == ["intensity 1", "lower 1", "upper 1", "intensity 2"]
    assert {"familiarity 1", "familiarity 2", "source 2"} < found[0].metadata.keys()


@pytest.mark.parametrize("media_type", [name for name in bodies.FILES if name != bodies.BYTES])
def test_every_kind_of_file_is_the_same_spectrum(people, models, media_type):
    response = people.post("/told-encode/encode", as_file(media_type, QUARTZ), content_type=media_type)
    expected = tasks.encode(models["told-encode"], [QUARTZ])[0]
    np.testing.assert_allclose(response.json()["latents"][0]["latent"], expected, rtol=1e-4, atol=1e-5)


def test_a_file_of_unknown_kind_is_recognised_by_its_content(people):
    for media_type in ("text/csv", "chemical/x-jcamp-dx", "application/x-npy", "application/x-npz"):
        body = as_file(media_type, QUARTZ)
        response = people.post("/told-encode/encode?filename=x.dat", body, content_type="application/octet-stream")
        assert (response.status_code, response.json()["latents"][0]["source"]) == (200, "x.dat")


def test_several_files_in_a_form(people, models):
    files = [
        ("file", ("a.csv", as_file("text/csv", QUARTZ))),
        ("other", ("../b.jdx", as_file("chemical/x-jcamp-dx", CALCITE))),
    ]
    told = people.ask("POST", "/told-reconstruct/reconstruct", files=files).json()
    expected = tasks.reconstruct(models["told-reconstruct"], [QUARTZ, CALCITE])
    np.testing.assert_allclose([one["intensities"] for one in told["spectra"]], expected, rtol=1e-4, atol=1e-5)
    assert [one["source"] for one in told["spectra"]] == ["a.csv", "b.jdx"]
    assert people.charged == [2]


def test_an_interpolation_goes_from_the_first_to_the_second(people, models):
    body = as_file("text/csv", QUARTZ, CALCITE)
    told = people.post("/told-interpolate/interpolate?steps=3", body, content_type="text/csv").json()
    expected = tasks.interpolate(models["told-interpolate"], QUARTZ, CALCITE, [0, 0.5, 1])
    np.testing.assert_allclose([one["intensities"] for one in told["spectra"]], expected, rtol=1e-4, atol=1e-5)
    assert [one["weight"] for one in told["spectra"]] == [0, 0.5, 1]
    one = people.post("/told-interpolate/interpolate", as_file("text/csv", QUARTZ), content_type="text/csv")
    assert (one.status_code, one.json()) == (
        400,
        {"error": "an interpolation goes from one spectrum to another; got 1"},
    )


@pytest.mark.parametrize("media_type", [*formats.LATENTS])
def test_latents_in_every_format(people, models, media_type):
    asked = {"spectra": [measured(QUARTZ, name="a"), measured(CALCITE, name="b")]}
    response = people.post("/told-encode/encode", asked, accept=media_type)
    expected = tasks.encode(models["told-encode"], [QUARTZ, CALCITE])
    assert response.headers["content-type"].partition(";")[0] == media_type
    np.testing.assert_allclose(latents_of(response), expected, rtol=1e-4, atol=1e-5)


def latents_of(response):
    match response.headers["content-type"].partition(";")[0]:
        case "application/json":
            return [one["latent"] for one in response.json()["latents"]]
        case "application/x-npy":
            return np.load(io.BytesIO(response.content))
        case "text/csv":
            lines = [line for line in response.text.splitlines() if not line.startswith("#")]
            assert [line.partition(",")[0] for line in lines] == ["file", "a", "b"]
            return [[float(number) for number in line.split(",")[1:]] for line in lines[1:]]
        case _:
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(io.BytesIO(response.content))
            assert table.column("file").to_pylist() == ["a", "b"]
            return np.stack([table.column(name).to_numpy() for name in table.column_names[1:]], axis=1)


def test_what_is_assumed_is_said(people):
    spectrum = {"axis": X.tolist(), "intensities": Y.tolist()}
    (told,) = people.post("/told-encode/encode", {"spectra": [spectrum]}).json()["latents"]
    assert told["notes"] == ["The request does not say what it holds; taken for raman, as the model expects.",
                             "The request states no unit; took cm-1, the usual one of raman."]  # fmt: skip
    table = "".join(f"{x}\t{y}\n" for x, y in zip(X, Y, strict=True)).encode()
    (told,) = people.post("/told-encode/encode", table, content_type="text/plain").json()["latents"]
    assert any(note.startswith("The file does not say what it holds; taken for raman") for note in told["notes"])


CSV = as_file("text/csv", QUARTZ)
FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\n' + CSV + b"\r\n--x--\r\n"
GOOD = {"spectra": [measured(QUARTZ)]}


@pytest.mark.parametrize(
    ("path", "rest", "status", "message"),
    [
        ("/nobody/sample", {"body": {}}, 404, "no model 'nobody'"),
        ("/told/transfer", {"body": GOOD}, 404, "post to /v1/models/told/sample"),
        ("/told-noise/sample", {"body": {}}, 404, "below /v2"),
        ("/told/sample", {"body": {"n": 1001}}, 400, "the request: Expected `int` <= 1000 - at `$.n`"),
        ("/told/sample", {"body": {"analyte": {f"a{n}": 1.0 for n in range(65)}}}, 400, "$.analyte"),
        ("/told/sample", {"body": {"analyte": {f"a{n}": 1.0 for n in range(30_000)}}}, 413, "256 KiB"),
        ("/told/sample", {"body": b"{}"}, 415, "Content-Type: none was given; send one of"),
        ("/told/sample", {"body": {"sead": 1}}, 400, "sead"),
        ("/told/sample", {"body": {}}, 400, "needs a label, one of class-0, class-1"),
        ("/told/sample", {"body": b"{", "content_type": "application/json"}, 400, "JSON cannot be read"),
        ("/told/sample", {"body": b"[" * 10**5, "content_type": "application/json"}, 400, "Expected `object`"),
        ("/told/sample?n=3", {"body": {}}, 400, "the query"),
        ("/told/sample", {"body": CSV, "content_type": "text/csv"}, 415, "send one of application/json"),
        ("/told-encode/encode", {"body": GOOD, "accept": "image/png"}, 406, "text/csv"),
        ("/told-encode/encode", {"body": CSV, "content_type": "image/png"}, 415, "text/csv"),
        ("/told-encode/encode", {"body": b"", "content_type": "text/csv"}, 422, "empty"),
        ("/told-encode/encode", {"body": b"PAR1", "content_type": parquet.MEDIA_TYPE}, 422, "damaged Parquet"),
        ("/told-encode/encode", {"body": b"--x", "content_type": "multipart/form-data"}, 400, "form"),
        ("/told-encode/encode", {"body": PART, "content_type": f"{FORM}; charset=undefined"}, 400, "charset"),
        ("/told-encode/encode?step=1", {"body": GOOD}, 400, "there is filename, modality"),
        ("/told-encode/encode?modality=raman&modality=ir", {"body": GOOD}, 400, "twice"),
        ("/told-encode/encode?modality=xrd", {"body": GOOD}, 400, "xrd"),
        ("/told-encode/encode?modality=nmr", {"body": GOOD}, 400, "no modality 'nmr'; there is raman, ir, nir"),
        ("/told-encode/encode?modality=nmr", {"body": CSV, "content_type": "text/csv"}, 400, "the model takes raman"),
        ("/told-encode/encode?unit=furlong", {"body": GOOD}, 400, "unit"),
        ("/told-encode/encode", {"body": {"spectra": [measured(QUARTZ), measured(QUARTZ, axis=[1, 1])]}}, 400,
         "spectrum 2: axis points must"),
        ("/told-encode/encode", {"body": {"spectra": [measured(QUARTZ), measured(QUARTZ, modality="ir", name="b")]}},
         400, "b: "),
        ("/told-encode/encode", {"body": {"spectra": [measured(QUARTZ, axis=[1, 1])]}}, 400, "strictly rise or fall"),
        ("/told-encode/encode", {"body": {"spectra": [measured(QUARTZ, axis=[1, 2])]}}, 422, "do not fit an axis"),
        ("/told-encode/encode", {"body": {"spectra": []}}, 400, "$.spectra"),
    ],
)  # fmt: skip
def test_refusals_say_what_was_wrong_and_cost_nothing(people, path, rest, status, message):
    response = people.post(path, **rest)
    assert response.status_code == status
    assert message in response.json()["error"]
    assert people.charged == []


def test_an_unfamiliar_spectrum_is_refused_if_one_asks_for_that(people, transfer_bundle):
    noise = Spectrum(np.random.default_rng(0).random(len(X)), QUARTZ.axis)
    where = f"/{Model.open(transfer_bundle).manifest.name}/transfer?min_familiarity=0.9999"
    response = people.post(where, {"spectra": [measured(noise)]})
    assert (response.status_code, "familiarity" in response.json()["error"]) == (422, True)


def test_the_quota_holds(people):
    asked = {"n": 999, "label": "class-0", "analyte": {"sugar": 9.0}}
    assert people.post("/told/sample", asked, accept="application/x-npy").status_code == 200
    assert people.post("/told/sample", asked).status_code == 429


def test_a_body_beyond_the_limit_is_413(models):
    people = People(models["told-encode"], limits=Limits(body=1))
    assert people.post("/told-encode/encode", bytes(2**20 + 1), content_type="text/csv").status_code == 413


def test_parquet_needs_pyarrow_and_says_so(people, monkeypatch):
    monkeypatch.setattr(parquet, "is_installed", lambda: False)
    response = people.post("/told-encode/encode", b"PAR1", content_type=parquet.MEDIA_TYPE)
    assert (response.status_code, "extra 'parquet'" in response.json()["error"]) == (415, True)
    response = people.post("/told-encode/encode", GOOD, accept=parquet.MEDIA_TYPE)
    assert (response.status_code, parquet.MEDIA_TYPE in response.json()["error"]) == (406, False)


OFFERED = ["application/json", "text/csv", "application/x-npy"]


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("application/json;q=0.1, text/csv;q=0.2", "text/csv"),
        ("text/csv;q=0.2, */*;q=0.1", "text/csv"),
        ("application/*;q=0.9, application/json;q=0", "application/x-npy"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("text/csv;header=present;q=1", "text/csv"),
        ("nonsense, text/csv", "text/csv"),
        ("text/csv;q=7", "text/csv"),
    ],
)
def test_the_most_wanted_format_is_chosen(accept, chosen):
    assert choose(accept, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "*/*;q=0", "nonsense"])
def test_what_is_not_wanted_is_406_and_names_what_there_is(accept):
    with pytest.raises(HTTPException, match="text/csv") as refused:
        choose(accept, OFFERED)
    assert refused.value.status_code == 406


@given(st.text(max_size=60))
def test_no_accept_header_breaks_it(accept):
    refusals = []
    try:
        assert choose(accept, OFFERED) in OFFERED
    except HTTPException as refusal:
        refusals.append(refusal.status_code)
    assert set(refusals) <= {406}


@given(st.text(max_size=80))
def test_a_filename_is_a_label_and_never_a_path(filename):
    label = bodies.label_of(filename)
    assert label
    assert not set(label) & set("/\\")


@given(st.binary(max_size=300), st.sampled_from([*bodies.FILES]))
def test_no_file_breaks_a_reader(content, media_type):
    file = bodies.File(content, media_type, "upload")
    refusals = []
    try:
        bodies.spectra_of_files([file], messages.Options(), "raman")
    except LineshapeError as error:
        refusals.append(error.http_status)
    assert set(refusals) <= {400, 422}


def test_the_largest_answer_is_the_same_through_json(people, models):
    asked = {"n": 200, "label": "class-0", "analyte": {"sugar": 9.0}}
    told = json.loads(people.post("/told/sample", asked).content)
    expected = tasks.sample(models["told"], 200, label="class-0", analyte={"sugar": 9.0})
    np.testing.assert_allclose(told["spectra"], expected, rtol=1e-5, atol=1e-6)


def test_a_model_that_is_exchanged_while_the_body_comes_answers_as_the_new_one(told_bundles, tmp_path):
    resealed(told_bundles["encode"], tmp_path / "new.lineshape", version="9.0.0")
    people = People(Model.open(told_bundles["encode"]))
    body = json.dumps(GOOD).encode()

    async def meanwhile():
        yield body[:100]
        people.plane.add(Model.open(tmp_path / "new.lineshape"))
        await people.plane.unload("told-encode", "0.1.0")
        yield body[100:]

    response = people.post("/told-encode/encode", meanwhile(), content_type="application/json")
    assert (response.status_code, response.headers["lineshape-version"]) == (200, "9.0.0")


def test_a_model_that_leaves_while_the_body_comes_is_404(told_bundles):
    people = People(Model.open(told_bundles["encode"]))

    async def meanwhile():
        await people.plane.unload("told-encode")
        yield json.dumps(GOOD).encode()

    response = people.post("/told-encode/encode", meanwhile(), content_type="application/json")
    assert (response.status_code, "no model 'told-encode'" in response.json()["error"]) == (404, True)


def test_a_refusal_repeats_little_of_what_was_sent(people):
    response = people.post("/told/sample", {"x" * 10_000: 1})
    assert (response.status_code, len(response.json()["error"]) < 1010) == (400, True)
    assert len(people.ask("GET", "/" + "x" * 5000).json()["error"]) < 1010


def test_a_form_without_type_or_with_odd_charsets_is_read(people):
    for charset in ("utf-8", "nonsense"):
        response = people.post("/told-encode/encode", PART, content_type=f"{FORM}; charset={charset}")
        assert (response.status_code, response.json()["latents"][0]["source"]) == (200, "a.csv")


@pytest.mark.parametrize("form", [False, True])
def test_parquet_is_known_by_its_first_bytes(people, models, form):
    content = as_file(parquet.MEDIA_TYPE, QUARTZ)
    if form:
        response = people.ask("POST", "/told-encode/encode", files=[("file", ("a.parquet", content))])
    else:
        response = people.post("/told-encode/encode", content, content_type="application/octet-stream")
    expected = tasks.encode(models["told-encode"], [QUARTZ])[0]
    np.testing.assert_allclose(response.json()["latents"][0]["latent"], expected, rtol=1e-4, atol=1e-5)


ROWS = 2_000_000


def test_parquet_is_measured_by_what_it_holds_and_not_by_what_it_says():
    """A file of 4,000,000 numbers in a few KB, once as it is and once with a footer that speaks of two rows."""
    import pyarrow
    import pyarrow.parquet

    file, table = io.BytesIO(), pyarrow.table({name: np.zeros(ROWS, np.int8) for name in "xy"})
    pyarrow.parquet.write_table(table, file, row_group_size=ROWS)
    content = file.getvalue()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    assert content.count(varint(ROWS), footer) > 1
    forged = content[:footer] + content[footer:].replace(varint(ROWS), varint(2, len(varint(ROWS))), 1)
    everywhere = content[:footer] + content[footer:].replace(varint(ROWS), varint(2, len(varint(ROWS))))
    for bomb in (content, forged):
        assert len(bomb) < 100_000
        with pytest.raises(ReadError, match="more than 3000000 numbers"):
            parquet.to_csv(bomb, "bomb")
    assert parquet.to_csv(everywhere, "bomb").split() == [b'"x","y"', b"0,0", b"0,0"]  # two rows are what is taken
    assert pyarrow.default_memory_pool().max_memory() < 128 << 20


def varint(number, length=0):
    """Thrift's compact form of a number of rows; longer than need be, if a length is given."""
    rest, groups = 2 * number, []
    while rest or len(groups) < length:
        groups.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*groups[:-1], groups[-1] & 0x7F])


def test_many_small_files_together_hold_no_more_than_one_request_may():
    axis = np.arange(1_600_000, dtype=np.float32)
    content = io.BytesIO()
    np.savez_compressed(content, axis=axis, spectra=np.zeros((1, len(axis)), np.uint8))
    files = [bodies.File(content.getvalue(), "application/x-npz", "a.npz")] * 1000
    began = process_time()
    with pytest.raises(DataError, match="more than 1000 spectra or 3000000 points"):
        bodies.spectra_of_files(files, messages.Options(), "raman")
    assert process_time() - began < 10  # two of them are read
    few = [bodies.File(as_file("text/csv", *[QUARTZ] * 600), "text/csv", "a.csv")] * 2
    with pytest.raises(DataError, match="more than 1000 spectra"):
        bodies.spectra_of_files(few, messages.Options(), "raman")


def test_an_axis_in_nm_is_converted_by_the_laser_of_the_query(people, models):
    nm = Spectrum(Y, SpectralAxis.of(1e7 / (1e7 / 532 - X), "raman", "nm"))
    table = "".join(f"{x!r},{y!r}\n" for x, y in zip(nm.axis.values.tolist(), Y.tolist(), strict=True))
    bare, given = measured(nm, unit=None), {"body": table.encode(), "content_type": "text/csv"}
    expected = tasks.encode(models["told-encode"], [QUARTZ])[0]
    for asked in (given, {"body": {"spectra": [bare]}}):
        refused = people.post("/told-encode/encode?modality=raman&unit=nm", **asked)
        assert (refused.status_code, "set laser_nm" in refused.json()["error"]) == (400, True)
        response = people.post("/told-encode/encode?modality=raman&unit=nm&laser_nm=532", **asked)
        np.testing.assert_allclose(response.json()["latents"][0]["latent"], expected, rtol=1e-3, atol=1e-3)


def test_a_request_of_many_batches_does_not_crowd_itself_out(models, told_bundles, tmp_path):
    limits = msgspec.structs.replace(models["told"].manifest.limits, max_batch=100)
    resealed(told_bundles["sample"], tmp_path / "small.lineshape", limits=limits)
    people = People(Model.open(tmp_path / "small.lineshape"), running=Running(runners=1, queue=100))
    asked = {"n": 1000, "label": "class-0", "analyte": {"sugar": 9.0}}
    assert people.post("/told/sample", asked).status_code == 200


def test_what_fails_is_not_computed_further(people, models):
    asked = []

    async def full(*given, **named):
        asked.append(given)
        raise OverloadError("full")

    people.plane.infer = full
    response = people.post("/told/sample", {"n": 1000, "label": "class-0", "analyte": {"sugar": 9.0}})
    assert (response.status_code, len(asked)) == (503, 1)


def test_the_model_that_planned_a_request_runs_it_though_another_came(told_bundles, tmp_path):
    resealed(told_bundles["encode"], tmp_path / "new.lineshape", version="9.0.0")
    people = People(Model.open(told_bundles["encode"]))
    infer = people.plane.infer

    async def late(*given, **named):
        people.plane.add(Model.open(tmp_path / "new.lineshape"))
        await people.plane.unload("told-encode", "0.1.0")
        return await infer(*given, **named)

    people.plane.infer = late
    response = people.post("/told-encode/encode", GOOD)
    assert (response.status_code, response.headers["lineshape-version"]) == (200, "0.1.0")


def test_its_stages_are_counted(people):
    assert people.post("/told-encode/encode", GOOD).status_code == 200
    told = people.plane.metrics.text().decode()
    for stage in ("decode", "queue", "compute", "encode", "total"):
        labels = f'model="told-encode",stage="{stage}",version="0.1.0"'
        assert f"lineshape_stage_seconds_count{{{labels}}} 1.0" in told
