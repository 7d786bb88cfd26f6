"""What lower precision promises: the same inputs and outputs, fewer bytes, and a gate that says no with its reasons."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from terminal import lineshape

from lineshape.bundle import Form, TensorSpec, open_bundle
from lineshape.bundle.signature import new_key
from lineshape.errors import DataError, FidelityError, UsageError
from lineshape_edge import Model, sample
from lineshape_edge.session import Session
from lineshape_export import export_run
from lineshape_export.export import forms_of
from lineshape_export.fidelity import fidelity
from lineshape_export.half import LAYERS
from lineshape_export.lowering import measured, spectra_for, told_of, trials_for
from lineshape_training.run import Run

LOWER: tuple[Form, ...] = ("fp16", "int8")


@pytest.fixture(scope="module")
def lower_bundle(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of `sample_run` with everything that can be asked for."""
    path = tmp_path_factory.mktemp("lower") / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        export_run(sample_run, path, precision=LOWER, key=new_key()[0])
    return path


def test_lower_precision_is_sealed_beside_the_full_graph(lower_bundle: Path) -> None:
    model = Model.open(lower_bundle)  # which runs the golden cases of every form
    manifest = model.manifest
    assert set(manifest.wire_names) == {"raman-vae", "raman-vae-noise", "raman-vae-fp16", "raman-vae-int8"}
    full = manifest.graphs["model"]
    for form in LOWER:
        graph = manifest.graphs[form]
        assert (graph.inputs, graph.outputs) == (full.inputs, full.outputs)
        assert manifest.files[graph.file].bytes < 0.75 * manifest.files[full.file].bytes
        assert manifest.allowed(form)["spectrum"].absolute > manifest.allowed("model")["spectrum"].absolute


def test_the_provenance_keeps_what_the_gate_measured(lower_bundle: Path) -> None:
    provenance = msgspec.json.decode(open_bundle(lower_bundle).read("provenance.json"))
    assert provenance["precision_measured_on"] == {"rows": 256}
    assert set(provenance["precision"]) == set(LOWER)
    for figures in provenance["precision"].values():
        assert figures["moved"] <= 0.01
        assert 0 < figures["rmse"] <= 0.01
    assert "In int8, on inputs" in open_bundle(lower_bundle).read("README.md").decode()
    assert provenance["exported_at"] == "2023-11-14T22:13:20Z"


def test_a_bundle_is_signed_as_it_is_sealed(lower_bundle: Path) -> None:
    assert open_bundle(lower_bundle).signature is not None


@pytest.mark.parametrize("form", LOWER)
def test_what_comes_before_the_first_layer_stays_as_it_is(lower_bundle: Path, form: Form) -> None:
    bundle = open_bundle(lower_bundle)
    full, lower = (onnx.load_from_string(bundle.read(bundle.manifest.graphs[f].file)) for f in ("model", form))
    assert (lower.ir_version, [o.version for o in lower.opset_import if not o.domain]) == (10, [20])
    before = next(i for i, node in enumerate(full.graph.node) if node.op_type in LAYERS)
    kept = [node for node in full.graph.node[:before] if "seeded_" in "".join(node.output)]
    assert len(kept) > 100  # Philox and Box-Muller
    known = {tuple(node.output): node for node in lower.graph.node}
    assert all(known[tuple(node.output)].op_type == node.op_type for node in kept)


def test_a_sample_in_lower_precision_is_the_same_sample(lower_bundle: Path) -> None:
    model = Model(open_bundle(lower_bundle))
    seeds, scale = np.array([[5, i] for i in range(20)]), np.zeros((20, 1), np.float32)
    full = sample(model, 20, 5, noise_scale=0.0)
    for form in LOWER:
        lower = model.run({"seed": seeds, "noise_scale": scale}, form)["spectrum"]
        same = [np.corrcoef(a, b)[0, 1] for a, b in zip(full, lower, strict=True)]
        assert min(same) > 0.999


SPECTRUM = TensorSpec("spectrum", "FP32", (-1, 300), "spectrum", "relative", "spectrum")
LATENT = TensorSpec("latent", "FP32", (-1, 300), "latent", "none")


def test_the_gate_names_what_is_beyond_its_limits() -> None:
    rng = np.random.default_rng(0)
    grid, centres = np.arange(300), rng.uniform(40, 260, (256, 3, 1))
    spectra = (1 / (1 + ((grid - centres) / 4) ** 2)).sum(1).astype(np.float32)
    spectra += 0.002 * rng.standard_normal(spectra.shape).astype(np.float32)

    def faults(lower: np.ndarray, spec: TensorSpec = SPECTRUM) -> list[str]:
        return fidelity({spec.name: spectra}, {spec.name: lower}, [spec]).faults

    assert faults(spectra) == []
    assert "peaks are not within one grid point" in faults(np.roll(spectra, 2, axis=1))[0]
    assert not any("peaks" in fault for fault in faults(np.roll(spectra, 2, axis=1), LATENT))
    assert any(fault.startswith("RMSE") and "'spectrum'" in fault for fault in faults(spectra * np.float32(1.2)))
    rough = spectra + 0.01 * rng.standard_normal(spectra.shape).astype(np.float32)
    assert any("classifier" in fault for fault in faults(rough))


def test_what_is_no_number_is_no_fidelity() -> None:
    with pytest.raises(FidelityError, match="output 'latent' holds values that are no numbers"):
        fidelity({"latent": np.zeros((50, 3))}, {"latent": np.full((50, 3), np.nan)}, [LATENT])


def test_a_sampler_is_measured_with_other_seeds_than_it_is_calibrated_with(sample_run: Run) -> None:
    trials = trials_for(forms_of(sample_run, "sample")["model"], sample_run.spec.conditions)
    seeds = [{tuple(row) for inputs in part for row in inputs["seed"].tolist()} for part in trials]
    assert not seeds[0] & seeds[1]


def test_a_transfer_is_calibrated_on_spectra_of_its_fit(transfer_run: Run, tmp_path: Path) -> None:
    contract = forms_of(transfer_run, "transfer")["model"]
    with pytest.raises(UsageError, match="lower precision is calibrated on spectra of the fit; give --data"):
        export_run(transfer_run, tmp_path / "x.lineshape", precision=("fp16",))
    trials = trials_for(contract, transfer_run.spec.conditions, spectra_for(contract, transfer_run, "embedded", True))
    sources, calibrated = (
        np.concatenate([inputs["source"] for inputs in part]) for part in (trials.batches, trials.calibration)
    )
    assert told_of(trials, "embedded") == {"rows": len(sources), "data": "embedded", "data_sha256": "embedded"}
    assert np.array_equal(calibrated, sources[1::2])  # the rest are measured without having been calibrated on
    assert 40 <= len(np.unique(sources, axis=0)) == len(sources) <= 256  # two alike would be told, or never told, apart
    strangers = msgspec.structs.replace(transfer_run.spec, group_sha256=("0" * 16,))
    other = Run(tmp_path / "run")
    other.begin(strangers, resume=False)
    with pytest.raises(DataError, match=r"holds 0 spectra of 0 groups that .* give the data of the fit"):
        spectra_for(contract, other, "embedded", True)


def test_data_that_nothing_is_asked_of_are_refused(sample_run: Run, transfer_run: Run, tmp_path: Path) -> None:
    for run, precision in ((sample_run, LOWER), (transfer_run, ())):
        with pytest.raises(UsageError, match=r"--data is for lower precision .* of a task that takes spectra"):
            export_run(run, tmp_path / "x.lineshape", precision=precision, data="embedded")


def test_a_transfer_in_half_precision_keeps_counts_in_full(transfer_run: Run, transfer_bundle: Path) -> None:
    bundle, contract = open_bundle(transfer_bundle), forms_of(transfer_run, "transfer")["model"]
    known = spectra_for(contract, transfer_run, "embedded", True)
    trials = trials_for(contract, transfer_run.spec.conditions, known)
    lower = measured("fp16", bundle.read("model.onnx"), trials, contract.outputs, bundle.manifest.tolerances)
    assert lower.allowed["spectrum"].absolute >= bundle.manifest.tolerances["spectrum"].absolute
    inputs = bundle.golden("model")[2][0]
    found = Session(lower.onnx).run(inputs | {"source": inputs["source"] * 1e6})  # a half ends at 65,504
    assert all(np.isfinite(array).all() for array in found.values())


def test_a_precision_that_there_is_not_is_refused(sample_run: Run, tmp_path: Path) -> None:
    done = lineshape("export", sample_run.folder, "-o", tmp_path / "x.lineshape", "--precision", "fp8")
    assert done.returncode == 2
    assert "lower precision is fp16 or int8" in done.stderr
