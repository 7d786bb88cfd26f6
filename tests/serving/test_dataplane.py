"""The data plane: models under their names on the wire, one way to run them, no transport."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import numpy as np
import pytest
from resealed import resealed

import lineshape_serving
from lineshape.bundle import check_close, open_bundle
from lineshape.errors import DataError, OverloadError, TamperedBundle, TensorError, UnknownModel, UsageError
from lineshape_edge import Model
from lineshape_serving import DataPlane
from lineshape_serving.choices import Choices
from lineshape_serving.settings import Running
from lineshape_serving.sources import Sources


@pytest.fixture(scope="module")
def transfer(transfer_bundle):
    return Model.open(transfer_bundle)


@pytest.fixture(scope="module")
def sampler(sample_bundle):
    return Model.open(sample_bundle)


@pytest.fixture(scope="module")
def plane(transfer, sampler):
    return DataPlane([transfer, sampler])


@pytest.fixture(scope="module")
def source(transfer):
    """Two spectra on the model's grid, measured everywhere."""
    values = np.random.default_rng(7).random((2, transfer.manifest.axes["source"].n), np.float32)
    return {"source": values, "mask": np.ones_like(values)}


def ask(plane, *given, **named):
    return asyncio.run(plane.infer(*given, **named))


def test_a_sampler_shows_once_for_each_of_its_forms(plane, transfer, sampler):
    name = sampler.manifest.name
    assert set(plane.names) == {transfer.manifest.name, name, f"{name}-noise"}


def test_one_name_and_version_is_one_bundle(transfer):
    with pytest.raises(UsageError, match=f"two bundles want the name '{transfer.manifest.name}'"):
        DataPlane([transfer, transfer])


def test_it_is_live_at_once_and_ready_with_its_first_model(transfer):
    plane = DataPlane()
    assert plane.live()
    assert not plane.ready()
    plane.add(transfer)
    assert plane.ready()


def test_the_server_says_that_it_takes_bytes(plane):
    assert plane.server().name == "lineshape"
    assert "binary_tensor_data" in plane.server().extensions


def test_metadata_holds_what_a_stock_client_needs(plane, transfer):
    manifest = transfer.manifest
    metadata = plane.metadata(manifest.name)
    assert metadata.versions == (manifest.version,)
    for told, spec in zip(metadata.inputs + metadata.outputs,
                          manifest.graphs["model"].inputs + manifest.graphs["model"].outputs, strict=True):  # fmt: skip
        assert (told.name, told.datatype, told.shape) == (spec.name, spec.dtype, spec.shape)
        assert told.parameters == {"role": spec.role, "unit": spec.unit, "axis": spec.axis}
    parameters = metadata.parameters
    assert parameters.digest == transfer.digest
    assert parameters.task == "transfer"
    assert parameters.axes["source"].axis() == manifest.axis("source")
    assert (parameters.axis_half, parameters.intensity_half) == (manifest.axis_half, manifest.intensity_half)


def test_each_form_shows_its_own_tensors(plane, sampler):
    name = sampler.manifest.name
    assert plane.metadata(name).inputs[0].name == "seed"
    assert plane.metadata(f"{name}-noise").inputs[0].name == "noise"


def test_it_answers_as_the_edge_does(plane, transfer, source):
    answer = ask(plane, transfer.manifest.name, transfer.manifest.version, source)
    expected = transfer.run(source)
    assert (answer.model, answer.version) == (transfer.manifest.name, transfer.manifest.version)
    assert answer.outputs.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(answer.outputs[name], array)  # the same session: not a bit between them


def test_only_the_outputs_asked_for_come_and_in_that_order(plane, transfer, source):
    answer = ask(plane, transfer.manifest.name, None, source, ["familiarity", "spectrum"])
    assert list(answer.outputs) == ["familiarity", "spectrum"]


def test_an_output_nobody_gives_is_refused(plane, transfer, source):
    with pytest.raises(TensorError, match=r"output 'latent': .* gives spectrum, lower, upper, familiarity"):
        ask(plane, transfer.manifest.name, None, source, ["latent"])


def test_a_batch_with_an_unfamiliar_spectrum_is_refused_by_its_rows(plane, transfer, sampler, source):
    name = transfer.manifest.name
    flat = np.ones_like(source["source"])  # without any structure: familiarity 0
    batch = {"source": np.concatenate([source["source"], flat]), "mask": np.tile(source["mask"], (2, 1))}
    least = float(transfer.run(source)["familiarity"].min())
    assert ask(plane, name, None, source, min_familiarity=least).outputs.keys() == transfer.run(source).keys()
    named = ", ".join(map(str, np.flatnonzero(transfer.run(batch)["familiarity"][:, 0] < 1e-6)))
    assert named.endswith("2, 3")
    with pytest.raises(
        DataError, match=rf"familiarity of rows {named} \(0\.00\) is below the 1e-06 that was asked for"
    ):
        ask(plane, name, None, batch, ["spectrum"], min_familiarity=1e-6)
    with pytest.raises(TensorError, match="gives no familiarity"):
        ask(plane, sampler.manifest.name, None, {}, min_familiarity=0.5)


@pytest.mark.parametrize(
    "ask",
    [
        DataPlane.find,
        DataPlane.metadata,
        lambda *which: ask(*which, {}),
        DataPlane.config,
        DataPlane.statistics,
        DataPlane.check_room,
    ],
)
def test_an_unknown_model_or_version_is_refused_by_name(plane, transfer, ask):
    with pytest.raises(UnknownModel, match="no model 'raman-to-xyz'"):
        ask(plane, "raman-to-xyz", None)
    with pytest.raises(UnknownModel, match=r"has no version '9\.9\.9'"):
        ask(plane, transfer.manifest.name, "9.9.9")


def test_the_element_that_is_wrong_is_named(plane, transfer, source):
    broken = source["source"].copy()
    broken[1, 5] = np.nan
    with pytest.raises(TensorError, match=r"input 'source': element \[1, 5\] is nan"):
        ask(plane, transfer.manifest.name, None, {**source, "source": broken})


# ---- the way through


def test_statistics_count_spectra_runs_and_refusals(transfer, source):
    plane, name = DataPlane([transfer]), transfer.manifest.name
    for _ in range(3):
        ask(plane, name, None, source)
    with pytest.raises(TensorError):
        ask(plane, name, None, {})
    (told,) = plane.statistics(name)
    assert (told.inference_count, told.execution_count) == (6, 3)
    assert (told.inference_stats.success.count, told.inference_stats.fail.count) == (3, 1)
    assert [(batch.batch_size, batch.compute_infer.count) for batch in told.batch_stats] == [(2, 3)]
    assert told.inference_stats.compute_infer.ns > 0
    assert plane.statistics() == plane.statistics(name)


def test_requests_at_once_are_joined_and_nobody_can_tell(transfer):
    plane, name = DataPlane([transfer], Running(runners=1, batch=64)), transfer.manifest.name
    rng = np.random.default_rng(3)
    asked = []
    for n in (1, 2, 3) * 8:
        values = rng.random((n, transfer.manifest.axes["source"].n), np.float32)
        asked.append({"source": values, "mask": np.ones_like(values)})

    async def all_at_once():
        return await asyncio.gather(*(plane.infer(name, None, inputs) for inputs in asked))

    for inputs, answer in zip(asked, asyncio.run(all_at_once()), strict=True):
        check_close("model", transfer.manifest.allowed("model"), transfer.run(inputs), answer.outputs, "joined", inputs)
    (told,) = plane.statistics(name)
    assert told.inference_count == 48
    assert told.execution_count < 12
    assert max(batch.batch_size for batch in told.batch_stats) <= 64


def test_one_wrong_request_does_not_spoil_the_others(transfer, source):
    plane, name = DataPlane([transfer], Running(runners=1)), transfer.manifest.name
    wrong = {**source, "mask": source["mask"] / 2}

    async def both():
        asked = [plane.infer(name, None, inputs) for inputs in (source, wrong, source)]
        return await asyncio.gather(*asked, return_exceptions=True)

    first, refused, last = asyncio.run(both())
    assert isinstance(refused, TensorError)
    assert first.outputs.keys() == last.outputs.keys()


def test_a_request_may_say_how_long_it_waits(transfer, source):
    with pytest.raises(OverloadError, match="no answer within the 1e-06 s"):
        ask(DataPlane([transfer]), transfer.manifest.name, None, source, timeout=1e-6)


def test_a_cache_gives_the_same_answer_and_is_off_by_default(transfer, source):
    plane, name = DataPlane([transfer], Running(cache=8)), transfer.manifest.name
    first, again = (ask(plane, name, None, source).outputs for _ in range(2))
    for output, array in first.items():
        np.testing.assert_array_equal(again[output], array)
    (told,) = plane.statistics(name)
    stages = told.inference_stats
    assert (told.execution_count, stages.cache_hit.count, stages.cache_miss.count, stages.success.count) == (1, 1, 1, 2)
    assert Running().cache == 0


def test_what_came_in_and_went_out_shows_in_the_metrics(transfer, source):
    plane, name = DataPlane([transfer]), transfer.manifest.name
    half = {"source": source["source"].copy(), "mask": source["mask"].copy()}
    for array in half.values():
        array[:, array.shape[1] // 2 :] = 0
    ask(plane, name, None, source)
    ask(plane, name, None, half)
    text = plane.metrics.text().decode()
    label = f'model="{name}",version="{transfer.manifest.version}"'
    counted = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line[0] != "#"}
    assert counted[f"lineshape_familiarity_count{{{label}}}"] == 4
    assert counted[f'lineshape_input_coverage_bucket{{le="0.6",{label}}}'] == 2
    assert counted[f'lineshape_input_coverage_bucket{{le="1",{label}}}'] == 4
    assert counted[f"lineshape_batch_spectra_sum{{{label}}}"] == 4
    assert f'digest="{transfer.digest}"' in text
    stage = f'model="{name}",stage="compute",version="{transfer.manifest.version}"'
    assert counted[f"lineshape_stage_seconds_count{{{stage}}}"] == 2


# ---- models that come and go


@pytest.fixture
def shelf(tmp_path, sample_bundle):
    """A folder with two versions of a bundle, and a place for a third."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    for version in ("0.9.0", "0.10.0"):
        resealed(sample_bundle, folder / f"{version}.lineshape", name="shelved", version=version)
    return folder


@pytest.fixture
def shelved(shelf):
    plane = DataPlane(sources=Sources([str(shelf)]))
    plane.start()
    return plane


def states(plane, name="shelved"):
    return {entry.version: entry.state for entry in plane.index() if entry.name == name}


def test_of_a_folder_the_newest_version_is_loaded_and_the_others_could_be(shelved):
    assert shelved.versions("shelved") == ("0.10.0",)
    assert states(shelved) == {"0.10.0": "READY", "0.9.0": "UNAVAILABLE"}
    assert [entry.version for entry in shelved.index(ready=True)] == ["0.10.0"] * 2


def test_what_is_named_one_by_one_is_served_side_by_side_and_the_highest_is_the_default(shelf):
    plane = DataPlane(sources=Sources([str(shelf / f"{version}.lineshape") for version in ("0.10.0", "0.9.0")]))
    plane.start()
    assert plane.versions("shelved") == ("0.10.0", "0.9.0")
    assert plane.find("shelved").version == "0.10.0"
    assert plane.find("shelved", "0.9.0").version == "0.9.0"
    assert plane.metadata("shelved", "0.9.0").versions == ("0.10.0", "0.9.0")


def test_a_newer_bundle_is_found_when_it_is_asked_for_and_the_old_one_leaves(shelf, shelved, sample_bundle):
    resealed(sample_bundle, shelf / "new.lineshape", name="shelved", version="1.0.0")
    asyncio.run(shelved.load("shelved"))
    assert states(shelved) == {"1.0.0": "READY", "0.10.0": "UNAVAILABLE", "0.9.0": "UNAVAILABLE"}
    text = shelved.metrics.text().decode()
    assert 'version="1.0.0"' in text
    assert 'version="0.10.0"' not in text


def test_going_back_by_version_or_by_digest(shelf, shelved):
    asyncio.run(shelved.load("shelved", version="0.9.0"))
    assert shelved.versions("shelved") == ("0.9.0",)
    digest = open_bundle(shelf / "0.10.0.lineshape").digest
    asyncio.run(shelved.load("shelved-noise", digest=digest))
    assert shelved.find("shelved").model.digest == shelved.find("shelved-noise").model.digest == digest
    with pytest.raises(UnknownModel, match=r"there is 0\.10\.0 \(\w{64}\), 0\.9\.0"):
        asyncio.run(shelved.load("shelved", digest="0" * 64))


def test_a_refused_bundle_changes_nothing_and_the_reason_is_told(shelf, shelved):
    content = bytearray((shelf / "0.10.0.lineshape").read_bytes())
    content[len(content) // 2] ^= 1
    (shelf / "1.0.0.lineshape").write_bytes(content)
    with pytest.raises(TamperedBundle, match=r"1\.0\.0\.lineshape"):
        asyncio.run(shelved.load("shelved"))
    with pytest.raises(UnknownModel, match=r"refused: .*1\.0\.0\.lineshape"):
        asyncio.run(shelved.load("shelved", version="1.0.0"))
    assert shelved.versions("shelved") == ("0.10.0",)


def test_a_name_on_the_wire_is_of_one_bundle(shelf, shelved, sample_bundle):
    resealed(sample_bundle, shelf / "thief.lineshape", name="shelved-noise", version="1.0.0")
    with pytest.raises(UsageError, match="two bundles want the name 'shelved-noise'"):
        asyncio.run(shelved.load("shelved-noise", version="1.0.0"))
    assert shelved.find("shelved-noise").model.manifest.name == "shelved"


def test_what_was_chosen_is_served_again_by_whoever_takes_the_place(shelf, tmp_path, transfer_bundle):
    words = [str(shelf), str(transfer_bundle)]

    def begun():
        plane = DataPlane(sources=Sources(words), choices=Choices(tmp_path / "choices.json"))
        plane.start()
        return plane

    first = begun()
    asyncio.run(first.load("shelved", version="0.9.0"))
    asyncio.run(first.unload("raman-to-ir"))
    again = begun()
    assert again.versions("shelved") == ("0.9.0",)
    assert "raman-to-ir" not in again.names
    asyncio.run(again.load("raman-to-ir"))
    assert "raman-to-ir" in begun().names
    (tmp_path / "choices.json").write_bytes(b"damaged")
    assert begun().versions("shelved") == ("0.10.0",)


def test_who_unloads_and_goes_away_leaves_nothing_behind(shelved, monkeypatch):
    """As when the deadline of an unload passes while a run still lasts."""
    release, compute = threading.Event(), shelved.find("shelved").model.compute
    case = shelved.find("shelved").model.bundle.golden("model")[0][0]

    def slow(*given, **named):
        assert release.wait(10)
        return compute(*given, **named)

    monkeypatch.setattr(shelved.find("shelved").lane, "_run", slow)

    async def scenario():
        asking = asyncio.create_task(shelved.infer("shelved", None, case))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await shelved.unload("shelved")
        assert not shelved.ready()
        release.set()
        await asking
        while "shelved" in shelved.metrics.text().decode():
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_unloading_takes_all_forms_and_loading_brings_them_back(shelved):
    asyncio.run(shelved.unload("shelved-noise"))
    assert not shelved.ready()
    with pytest.raises(UnknownModel, match="loaded are none"):
        shelved.find("shelved")
    asyncio.run(shelved.load("shelved"))
    assert set(shelved.names) == {"shelved", "shelved-noise"}


def test_nothing_can_be_loaded_from_outside_the_sources(shelved, transfer_bundle):
    for name in (transfer_bundle.name, str(transfer_bundle), "../shelf/0.9.0", "raman-to-ir"):
        with pytest.raises(UnknownModel, match="there is none"):
            asyncio.run(shelved.load(name))


def test_a_swap_under_load_fails_no_request(shelved):
    """Ten swaps while requests keep coming; every answer is of one version or the other, and in the end of the last."""
    case = shelved.find("shelved").model.bundle.golden("model")[0][0]

    async def scenario():
        answered, swapping = [], True

        async def keep_asking():
            while swapping:
                answered.append((await shelved.infer("shelved", None, case)).version)

        callers = [asyncio.create_task(keep_asking()) for _ in range(4)]
        for k in range(10):
            await shelved.load("shelved", version=("0.9.0", "0.10.0")[k % 2])
        swapping = False
        await asyncio.gather(*callers)
        return answered

    answered = asyncio.run(scenario())
    assert set(answered) == {"0.9.0", "0.10.0"}
    assert answered[-1] == "0.10.0"


def test_the_public_names_are_there_and_sorted():
    assert lineshape_serving.__all__ == sorted(lineshape_serving.__all__)
    assert all(getattr(lineshape_serving, name) for name in lineshape_serving.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = lineshape_serving.nothing


def test_the_data_plane_knows_no_transport():
    heavy = "{'starlette', 'bentoml', 'uvicorn', 'torch', 'onnx'} & sys.modules.keys()"
    code = f"import sys, lineshape_serving.dataplane, lineshape_serving.commands; print({heavy} or 'light')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "light"
