"""Every task and every condition gives the same numbers in this process and through the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.http as triton
from fits import simulated
from services import served
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from lineshape import noise
from lineshape.bundle import check_close
from lineshape.spectrum import Spectrum
from lineshape_edge import Model, encode, interpolate, reconstruct, sample
from lineshape_edge.session import Arrays

TASKS = ("sample", "reconstruct", "encode", "interpolate")


@pytest.fixture(scope="module")
def models(told_bundles: dict[str, Path]) -> dict[str, Model]:
    return {task: Model.open(path) for task, path in told_bundles.items()}


@pytest.fixture(scope="module")
def client(
    told_bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[triton.InferenceServerClient]:
    with (
        served(tmp_path_factory.mktemp("tasks"), *told_bundles.values()) as running,
        triton.InferenceServerClient(running.url) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def spectra() -> list[Spectrum]:
    table = simulated()
    return [Spectrum(table.values[row], table.axis) for row in (0, 20)]


def ask(client: triton.InferenceServerClient, name: str, arrays: Arrays) -> triton.InferResult:
    inputs = []
    for key, array in arrays.items():
        tensor = triton.InferInput(key, list(array.shape), np_to_triton_dtype(array.dtype))
        inputs.append(tensor.set_data_from_numpy(array))
    return client.infer(name, inputs)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_gives_one_answer_on_every_face(
    client: triton.InferenceServerClient, models: dict[str, Model], spectra: list[Spectrum], task: str
) -> None:
    model, whole = models[task], np.stack([s.intensities for s in spectra]).astype(np.float32)
    measured, amount = {"source": whole, "mask": np.ones_like(whole)}, models["sample"].manifest.analytes[0].low
    weights = np.array([[0.25], [0.75]], np.float32)
    told = {"label": np.ones((2, 1), np.int64), "analyte": np.full((2, 1), amount, np.float32)}
    told["noise_scale"] = np.ones((2, 1), np.float32)
    arrays: dict[str, Arrays] = {
        "sample": {"seed": noise.seeds(7, 2), **told}, "reconstruct": measured, "encode": measured,
        "interpolate": {"source": whole[[0, 0]], "source_b": whole[[1, 1]], "weight": weights},
    }  # fmt: skip
    found = {
        "sample": lambda: sample(model, 2, 7, label="class-1", analyte={"sugar": amount}),
        "reconstruct": lambda: reconstruct(model, spectra), "encode": lambda: encode(model, spectra),
        "interpolate": lambda: interpolate(model, *spectra, weights[:, 0]),
    }[task]()  # fmt: skip
    answer = ask(client, model.manifest.name, arrays[task])
    (output,) = model.manifest.graphs["model"].outputs
    check_close("model", model.manifest.tolerances, {output.name: found}, {output.name: answer.as_numpy(output.name)},
                "through the wire")  # fmt: skip


def test_a_client_is_told_classes_analytes_and_grid(
    client: triton.InferenceServerClient, models: dict[str, Model]
) -> None:
    told = client.get_model_metadata("told")["parameters"]
    (sugar,) = models["sample"].manifest.analytes
    assert told["classes"] == ["class-0", "class-1"]
    assert told["analytes"] == [{"name": "sugar", "low": sugar.low, "high": sugar.high}]
    metadata = client.get_model_metadata("told-interpolate")
    assert [tensor["name"] for tensor in metadata["inputs"]] == ["source", "source_b", "weight"]
    axis = metadata["parameters"]["axes"][metadata["inputs"][1]["parameters"]["axis"]]
    assert axis["n"] == 160


def test_the_wire_refuses_what_cannot_be_meant(client: triton.InferenceServerClient) -> None:
    good = {"seed": noise.seeds(0, 1), "label": np.zeros((1, 1), np.int64), "analyte": np.ones((1, 1), np.float32)}
    good["noise_scale"] = np.ones((1, 1), np.float32)
    for name, wrong, why in [
        ("label", np.full((1, 1), 2, np.int64), r"input 'label': element \[0, 0\] is 2, expected a class number"),
        ("analyte", np.full((1, 1), np.nan, np.float32), r"input 'analyte': element \[0, 0\] is nan"),
        (
            "noise_scale",
            np.full((1, 1), -1, np.float32),
            r"input 'noise_scale': element \[0, 0\] is -1.0, expected between 0",
        ),
    ]:
        with pytest.raises(InferenceServerException, match=why):
            ask(client, "told", good | {name: wrong})
