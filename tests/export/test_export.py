"""What export promises: graphs that answer as PyTorch does, one noise on every face, nothing of the machine inside."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from digests import digest
from extremes import check_extremes
from fits import often, simulated

from lineshape import noise
from lineshape.bundle import AxisSpec, Tolerance, open_bundle
from lineshape.errors import DataError, ParityError, UsageError
from lineshape.library import LIBRARY
from lineshape_edge import Model, sample
from lineshape_edge.session import Session
from lineshape_export import export_run
from lineshape_export.golden import golden_cases
from lineshape_export.graphs import to_onnx, to_program
from lineshape_export.parity import Written, check_parity
from lineshape_training import fitting
from lineshape_training.contract import Drawing, Seeded
from lineshape_training.distilling.distilling import taught
from lineshape_training.drawing import RunSampler
from lineshape_training.families import family_of
from lineshape_training.run import Run


@pytest.fixture(params=["transfer_bundle", "sample_bundle"])
def any_bundle(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def test_graphs_are_for_the_oldest_runtime_in_the_field(any_bundle: Path) -> None:
    bundle = open_bundle(any_bundle)
    for graph in bundle.manifest.graphs.values():
        model = onnx.load_model_from_string(bundle.read(graph.file))
        assert (model.ir_version, [(o.domain, o.version) for o in model.opset_import]) == (10, [("", 20)])
        assert [i.name for i in model.graph.input] == [t.name for t in graph.inputs]
        assert [o.name for o in model.graph.output] == [t.name for t in graph.outputs]
        assert not any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer)
        assert not {n.op_type for n in model.graph.node} & {"RandomNormal", "RandomNormalLike", "RandomUniform", "Loop"}
        assert {p.key for p in model.metadata_props} >= {"lineshape.name", "lineshape.version"}


def test_nothing_of_the_machine_is_sealed_in(any_bundle: Path) -> None:
    bundle = open_bundle(any_bundle)
    home, here = str(Path.home()).encode(), str(Path(__file__).parents[2]).encode()
    for name in bundle.manifest.files:
        content = bundle.read(name)
        for trace in (home + b"/", here, b"site-packages", b"Traceback", b'File "'):
            assert trace not in content, (name, trace)


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated:DeprecationWarning")  # kept: users ask for it
@pytest.mark.parametrize("batch", [1, 2, 7, 64])
@pytest.mark.parametrize("file", ["model.ts", "model.pt2"])
def test_what_torch_reads_and_onnx_agree_at_any_batch(any_bundle: Path, file: str, batch: int) -> None:
    bundle = open_bundle(any_bundle)
    content = io.BytesIO(bundle.read(file))
    of_torch = torch.jit.load(content) if file == "model.ts" else torch.export.load(content).module()
    model = Model(bundle)
    inputs = {
        "source": lambda n: np.random.default_rng(batch).normal(size=(batch, n)).astype(np.float32) * 100,
        "mask": lambda n: np.ones((batch, n), np.float32),
        "seed": lambda n: noise.seeds(5, batch),
        "noise_scale": lambda n: np.ones((batch, n), np.float32),
    }
    feed = {t.name: inputs[t.name](t.shape[1]) for t in bundle.manifest.graphs["model"].inputs}
    from_onnx = model.run(feed)
    with torch.no_grad():
        from_torch = of_torch(*map(torch.from_numpy, feed.values()))
    for (name, array), tensor in zip(from_onnx.items(), from_torch, strict=True):
        allowed = bundle.manifest.tolerances[name]
        np.testing.assert_allclose(tensor.numpy(), array, rtol=allowed.relative, atol=allowed.absolute)


def test_whatever_a_bundle_accepts_it_answers_with_numbers(any_bundle: Path) -> None:
    check_extremes(Model(open_bundle(any_bundle)))


def test_the_seeded_form_is_the_noise_form_fed_with_core_noise(sample_bundle: Path) -> None:
    model = Model.open(sample_bundle)
    spec, rows, scale = model.manifest.noise, noise.seeds(11, 50, first=2**40), np.full((50, 1), 0.5, np.float32)
    assert spec is not None
    latent, detector = spec.size - spec.detector, spec.detector
    by_stream = [noise.normals(rows, latent), noise.normals(rows, detector, noise.DETECTOR)]
    seeded = model.run({"seed": rows, "noise_scale": scale})["spectrum"]
    by_hand = model.run({"noise": np.hstack(by_stream), "noise_scale": scale}, "noise")["spectrum"]
    # Normals agree to 1e-6; the decoder multiplies that by its slope, of order 1 to 10.
    np.testing.assert_allclose(seeded, by_hand, atol=2e-5)


def test_the_detector_noise_is_a_knob(sample_bundle: Path) -> None:
    model = Model.open(sample_bundle)
    rough = [np.abs(np.diff(sample(model, 20, 3, noise_scale=scale), n=2)).mean() for scale in (0.0, 0.5, 1.0, 2.0)]
    assert rough == sorted(rough)
    assert rough[0] < 0.5 * rough[2]
    np.testing.assert_array_equal(sample(model, 5, 3), sample(model, 5, 3, noise_scale=1.0))
    with pytest.raises(UsageError, match="0 or more"):
        sample(model, 5, 3, noise_scale=-1.0)


def test_a_sample_does_not_depend_on_its_batch(sample_bundle: Path) -> None:
    model = Model.open(sample_bundle)
    together = sample(model, 20, seed=3)
    alone = np.concatenate([sample(model, 1, seed=3, first=i) for i in range(20)])
    # Other batch sizes may sum in another order: a few units in the last place of values near 1.
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.fixture(scope="module")
def drawn() -> Session:
    contract = Drawing(100, 157).eval()
    return Session(to_onnx(to_program(contract), contract, {}))


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 + 5, 2**53])
def test_normals_in_the_graph_are_core_normals(drawn: Session, seed: int) -> None:
    rows = noise.seeds(seed, 64, first=seed)
    expected = np.hstack([noise.normals(rows, 100), noise.normals(rows, 157, noise.DETECTOR)])
    # Equal words; sin, cos and log of float32 differ by a unit in the last place between libraries.
    np.testing.assert_allclose(drawn.run({"seed": rows})["noise"], expected, atol=1e-6)


def test_parity_names_the_output_and_the_deviation(sample_run: Run, sample_bundle: Path) -> None:
    bundle = open_bundle(sample_bundle)
    contract = family_of("vae").contract(sample_run.network(), sample_run.spec.recipe).eval()
    cases = golden_cases(contract)
    exact, written = {"spectrum": Tolerance(1e-3, 0)}, Written(bundle.read("model.noise.onnx"))
    check_parity("noise", written, cases, exact)
    inputs, outputs = cases[2]
    wrong = outputs["spectrum"].copy()
    wrong[3, 40] += 0.5
    told = r"'spectrum'.*ONNX Runtime, batch 7.* 0\.5 at \[3, 40\].*row 3 was given noise of \d+ values.*noise_scale \["
    with pytest.raises(ParityError, match=told):
        check_parity("noise", written, [(inputs, {"spectrum": wrong})], exact)


def test_a_seeded_form_takes_the_conditions_of_its_noise_form(sample_run: Run) -> None:
    contract = family_of("vae").contract(sample_run.network(), sample_run.spec.recipe)
    assert [t.name for t in Seeded(contract).inputs] == ["seed", "noise_scale"]
    assert Seeded(contract).outputs == contract.outputs


WALKS = {  # few evaluations: a graph grows with them
    "flow": {"evaluations": 3, "sampler": "heun"},
    "ddpm": {"evaluations": 2, "guidance": 1.5},
    "shortcut": {"evaluations": 1},
    "difframan": {"evaluations": 1},
    "difframan-figure": {"evaluations": 1},
}
SMALL = {name: {"generator": [32, 16]} for name in ("wgan-gp", "cwgan-gp")}  # every layer takes seconds to be traced


@pytest.mark.parametrize("family", ["wgan-gp", "cwgan-gp", "cgan", "bayesop-gan", *WALKS])
def test_every_other_sampler_is_sealed_and_draws_as_its_run_does(family: str, tmp_path: Path) -> None:
    table = simulated()
    plan = often(f"saliva-{family}", steps=4)
    small = plan.model | SMALL.get(family, {"blocks": 1} if family in WALKS else {})
    plan = msgspec.structs.replace(plan, axes={"spectrum": AxisSpec.of(table.axis)}, model=small)
    run = fitting.fit(plan, table, tmp_path / "run", data="simulated", data_sha256="simulated")
    run = run.walked(**WALKS.get(family, {}))
    export_run(run, tmp_path / "bundle")
    model, label = Model.open(tmp_path / "bundle"), next(iter(run.spec.conditions.classes), None)
    drawn = RunSampler(run).draw(5, 3, label)
    allowed = model.manifest.tolerances["spectrum"]
    np.testing.assert_allclose(sample(model, 5, 3, label=label), drawn, rtol=allowed.relative, atol=allowed.absolute)
    check_extremes(model)
    assert model.manifest.sampler == family_of(run.recipe.family).sampler_of(run.recipe)


def test_more_evaluations_than_a_graph_may_unroll_are_refused(tmp_path: Path) -> None:
    table = simulated()
    plan = msgspec.structs.replace(often("saliva-flow", steps=2), axes={"spectrum": AxisSpec.of(table.axis)})
    run = fitting.fit(plan, table, tmp_path / "run", data="simulated", data_sha256="simulated")
    with pytest.raises(UsageError, match=r"at most 32 evaluations .* these are 40, of which guidance takes two"):
        export_run(run.walked(evaluations=20, guidance=2.0), tmp_path / "bundle")


def test_a_student_is_exported_only_as_it_was_judged(tmp_path: Path) -> None:
    table = simulated()
    plan = msgspec.structs.replace(often("saliva-flow", steps=2), axes={"spectrum": AxisSpec.of(table.axis)})
    run = fitting.fit(plan, table, tmp_path / "run", data="simulated", data_sha256="simulated")
    student = taught(run, table, tmp_path / "student", pairs=100, steps=5)
    with pytest.raises(UsageError, match="only as it was taught and judged"):
        export_run(student.walked(evaluations=4), tmp_path / "bundle")


def test_a_told_amount_reaches_a_diffusion_in_its_bundle(tmp_path: Path) -> None:
    table = simulated()
    plan = often("tablets-mlp-diffusion", steps=4)
    data = msgspec.structs.replace(plan.data, analytes=("sugar",))
    axes = {"spectrum": AxisSpec.of(table.axis)}
    plan = msgspec.structs.replace(plan, data=data, axes=axes, model=plan.model | {"blocks": 1})
    run = fitting.fit(plan, table, tmp_path / "run", data="simulated", data_sha256="simulated").walked(evaluations=2)
    export_run(run, tmp_path / "bundle")
    model, classes = Model.open(tmp_path / "bundle"), run.spec.conditions.classes
    middle = float(np.median(table.analytes["sugar"]))
    drawn = RunSampler(run).draw(5, 3, classes[0] if classes else None, np.full((5, 1), middle))
    served = sample(model, 5, 3, label=classes[0] if classes else None, analyte={"sugar": middle})
    allowed = model.manifest.tolerances["spectrum"]
    np.testing.assert_allclose(served, drawn, rtol=allowed.relative, atol=allowed.absolute)


def test_the_spectra_of_the_fit_leave_only_where_the_recipe_says_so(
    transfer_run: Run, transfer_bundle: Path, sample_bundle: Path, tmp_path: Path
) -> None:
    bundle = open_bundle(transfer_bundle)
    assert bundle.manifest.library == LIBRARY
    assert digest(bundle.read(LIBRARY)) == digest(transfer_run.library)
    card = bundle.read("README.md").decode()
    assert "source spectra of the fit" in card
    assert "target spectra of the fit" in " ".join(card.split())  # which its weights hold
    kept = open_bundle(sample_bundle)
    assert (kept.manifest.library, LIBRARY in kept.manifest.files) == (None, False)
    assert "source spectra of the fit" not in kept.read("README.md").decode()
    shutil.copytree(transfer_run.folder, tmp_path / "run")
    (tmp_path / "run" / LIBRARY).unlink()
    with pytest.raises(DataError, match=r"no library\.npz there, which its recipe asks for"):
        export_run(Run(tmp_path / "run"), tmp_path / "x.lineshape")


def test_exporting_twice_gives_the_same_bytes(sample_run: Run, sample_bundle: Path, tmp_path: Path) -> None:
    export_run(sample_run, tmp_path / "again.lineshape")
    once, again = open_bundle(sample_bundle), open_bundle(tmp_path / "again.lineshape")
    # TorchScript counts the classes traced in one process, and torch.export what it has saved.
    for name in once.manifest.files.keys() - {"model.ts", "model.pt2"}:
        assert digest(once.read(name)) == digest(again.read(name)), name


def test_a_sealed_bundle_is_not_replaced(sample_run: Run, sample_bundle: Path, tmp_path: Path) -> None:
    before = digest(sample_bundle.read_bytes())
    with pytest.raises(UsageError, match="is not replaced"):
        export_run(sample_run, sample_bundle)
    assert digest(sample_bundle.read_bytes()) == before
    with pytest.raises(UsageError, match=r"a bundle is a \.lineshape file or"):
        export_run(sample_run, tmp_path / "bundle.zip")


def test_a_run_that_has_not_ended_is_not_exported(tmp_path: Path, sample_run: Run) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes((sample_run.folder / "run.json").read_bytes())
    with pytest.raises(DataError, match="has not ended"):
        export_run(Run(tmp_path / "run"), tmp_path / "x.lineshape")


def test_one_run_is_exported_for_each_task_of_its_family(told_bundles: dict[str, Path]) -> None:
    for task, path in told_bundles.items():
        bundle = open_bundle(path)
        assert bundle.manifest.task == task
        assert set(bundle.manifest.graphs) == ({"model", "noise"} if task == "sample" else {"model"})
        assert "Intended use" in bundle.read("README.md").decode()
        Model(bundle).self_test()


def test_a_task_that_the_family_does_not_have_is_refused(transfer_run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="family spectrogen is not for 'encode'; it is for transfer"):
        export_run(transfer_run, tmp_path / "x.lineshape", task="encode")


def test_golden_cases_keep_to_what_the_model_knows(told_bundles: dict[str, Path]) -> None:
    manifest, golden = (bundle := open_bundle(told_bundles["sample"])).manifest, bundle.golden("model")
    (sugar,) = manifest.analytes
    labels, amounts = (np.concatenate([inputs[name] for inputs, _ in golden]) for name in ("label", "analyte"))
    assert set(labels.ravel().tolist()) == {0, 1}
    assert sugar.low - 1e-6 <= amounts.min() < amounts.max() <= sugar.high + 1e-6  # the amounts are float32
    weights = np.concatenate(
        [inputs["weight"] for inputs, _ in open_bundle(told_bundles["interpolate"]).golden("model")]
    )
    assert (weights.min(), weights.max()) == (0, 1)
