"""The data plane: models under their names on the wire, one way to run them, no transport."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import lineshape_serving
from lineshape.errors import DataError, TensorError, UnknownModel, UsageError
from lineshape_edge import Model
from lineshape_serving import DataPlane


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


def test_a_sampler_shows_once_for_each_of_its_forms(plane, transfer, sampler):
    name = sampler.manifest.name
    assert set(plane.names) == {transfer.manifest.name, name, f"{name}-noise"}


def test_one_name_is_one_bundle(transfer):
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
    answer = plane.infer(transfer.manifest.name, transfer.manifest.version, source)
    expected = transfer.run(source)
    assert (answer.model, answer.version) == (transfer.manifest.name, transfer.manifest.version)
    assert answer.outputs.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(answer.outputs[name], array)  # the same session: not a bit between them


def test_only_the_outputs_asked_for_come_and_in_that_order(plane, transfer, source):
    answer = plane.infer(transfer.manifest.name, None, source, ["familiarity", "spectrum"])
    assert list(answer.outputs) == ["familiarity", "spectrum"]


def test_an_output_nobody_gives_is_refused(plane, transfer, source):
    with pytest.raises(TensorError, match=r"output 'latent': .* gives spectrum, lower, upper, familiarity"):
        plane.infer(transfer.manifest.name, None, source, ["latent"])


def test_a_batch_with_an_unfamiliar_spectrum_is_refused_by_its_rows(plane, transfer, sampler, source):
    name = transfer.manifest.name
    flat = np.ones_like(source["source"])  # without any structure: familiarity 0
    batch = {"source": np.concatenate([source["source"], flat]), "mask": np.tile(source["mask"], (2, 1))}
    least = float(transfer.run(source)["familiarity"].min())
    assert plane.infer(name, None, source, min_familiarity=least).outputs.keys() == transfer.run(source).keys()
    named = ", ".join(map(str, np.flatnonzero(transfer.run(batch)["familiarity"][:, 0] < 1e-6)))
    assert named.endswith("2, 3")
    with pytest.raises(
        DataError, match=rf"familiarity of rows {named} \(0\.00\) is below the 1e-06 that was asked for"
    ):
        plane.infer(name, None, batch, ["spectrum"], min_familiarity=1e-6)
    with pytest.raises(TensorError, match="gives no familiarity"):
        plane.infer(sampler.manifest.name, None, {}, min_familiarity=0.5)


@pytest.mark.parametrize("ask", [DataPlane.find, DataPlane.metadata, lambda *which: DataPlane.infer(*which, {})])
def test_an_unknown_model_or_version_is_refused_by_name(plane, transfer, ask):
    with pytest.raises(UnknownModel, match="no model 'raman-to-xyz'"):
        ask(plane, "raman-to-xyz", None)
    with pytest.raises(UnknownModel, match=r"has no version '9\.9\.9'"):
        ask(plane, transfer.manifest.name, "9.9.9")


def test_the_element_that_is_wrong_is_named(plane, transfer, source):
    broken = source["source"].copy()
    broken[1, 5] = np.nan
    with pytest.raises(TensorError, match=r"input 'source': element \[1, 5\] is nan"):
        plane.infer(transfer.manifest.name, None, {**source, "source": broken})


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
