"""The Triton repository of a bundle: what its files say, which number is which release, what a server sees."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event, Thread

import msgspec
import numpy as np
import pytest
import tiny
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from services import lineshape
from tritonclient.grpc import model_config_pb2 as wire

from lineshape.bundle import GraphSpec, Limits, TensorSpec, open_bundle, seal
from lineshape.errors import FailedValidation, TamperedBundle, UsageError
from lineshape_serving.describe import ModelParameters
from lineshape_serving.triton import model_config, write_repository
from lineshape_serving.triton.config import text
from lineshape_serving.triton.warmup import samples

SEED = TensorSpec("seed", "INT64", (-1, 2), "seed", "seed, sample index")
NOISE = TensorSpec("noise", "FP32", (-1, 5), "noise", "standard normal")
LABEL = TensorSpec("label", "INT64", (-1, 1), "label", "class")
TOLD = tiny.GRAPH.outputs


@st.composite
def sealed(draw):
    """A bundle of either kind, in any precision, with golden cases of any size; and the folder that it lies in."""
    graphs = {"model": tiny.GRAPH}
    if draw(st.booleans()):
        label = draw(st.sampled_from([(), (LABEL,)]))
        graphs = {"model": GraphSpec("model.onnx", (SEED, *label), TOLD),
                  "noise": GraphSpec("model.noise.onnx", (NOISE, *label), TOLD)}  # fmt: skip
    for form in draw(st.sets(st.sampled_from(["fp16", "int8"]))):
        graphs[form] = GraphSpec(f"model.{form}.onnx", graphs["model"].inputs, TOLD)
    rows = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    golden = {
        f"{form}.{case}.{spec.name}": rng.integers(0, 99, (n, spec.shape[1])).astype(
            np.int64 if spec.dtype == "INT64" else np.float32
        )
        for form, graph in graphs.items() for case, n in enumerate(rows) for spec in (*graph.inputs, *graph.outputs)
    }  # fmt: skip
    limits = Limits(draw(st.integers(4, 5000)), (-1e9, 1e9))
    manifest = msgspec.structs.replace(tiny.MANIFEST, graphs=graphs, limits=limits)
    return manifest, {"golden.npz": tiny.npz(**golden)} | {graph.file: b"graph" for graph in graphs.values()}


def read_back(config):
    """As Triton reads it."""
    return text_format.Parse(text(config), wire.ModelConfig())


def accelerators(config):
    return {
        one.name: dict(one.parameters) for one in config.optimization.execution_accelerators.gpu_execution_accelerator
    }


@given(
    sealed(),
    st.sampled_from(["cpu", "cuda", "tensorrt"]),
    st.sampled_from(["onnxruntime", "python"]),
    st.integers(1, 4),
)
@settings(max_examples=60, deadline=None)
def test_a_config_says_what_the_bundle_says(made, machine, backend, instances):
    manifest, files = made
    with tempfile.TemporaryDirectory() as folder:
        seal(manifest, files, Path(folder) / "x.lineshape")
        bundle = open_bundle(Path(folder) / "x.lineshape")
    for name, form in manifest.wire_names.items():
        if (backend, machine) == ("python", "tensorrt"):
            with pytest.raises(UsageError, match="TensorRT accelerates the onnxruntime backend only"):
                model_config(bundle, form, machine, backend)
            continue
        config = read_back(model_config(bundle, form, machine, backend, instances))
        graph = manifest.graphs[form]
        assert (config.name, config.backend, config.max_batch_size) == (name, backend, manifest.limits.max_batch)
        for specs, tensors in ((graph.inputs, config.input), (graph.outputs, config.output)):
            assert [(spec.name, f"TYPE_{spec.dtype}", [spec.shape[1]]) for spec in specs] == [
                (tensor.name, wire.DataType.Name(tensor.data_type), list(tensor.dims)) for tensor in tensors
            ]
        (group,) = config.instance_group
        assert (group.kind, group.count) == (group.KIND_CPU if machine == "cpu" else group.KIND_GPU, instances)
        assert config.version_policy.latest.num_versions == 1
        assert config.HasField("dynamic_batching")
        assert not config.response_cache.enable
        assert dict(config.metric_tags) == {"bundle": "tiny", "semver": "1.2.3", "digest": bundle.digest}
        check_facts(config, bundle, form)
        check_warmup(config, bundle, form)
        check_execution(config, graph, form, machine, backend)
        assert text(model_config(bundle, form, machine, backend, instances)) == text(config)


def check_facts(config, bundle, form):
    """Triton's own metadata has no axes: our client reads them here."""
    told = msgspec.json.decode(config.parameters["model"].string_value, type=ModelParameters)
    assert (told.digest, told.form) == (bundle.digest, form)
    for field in set(ModelParameters.__struct_fields__) - {"digest", "form"}:
        assert getattr(told, field) == getattr(bundle.manifest, field)


def check_warmup(config, bundle, form):
    """Triton repeats one row as often as the batch is large: the first row of each golden case."""
    cases, raw = bundle.golden(form), {}
    for sample in samples(bundle, form):
        raw |= sample.files
    assert [warm.batch_size for warm in config.model_warmup] == [
        len(next(iter(inputs.values()))) for inputs, _ in cases
    ]
    for warm, (inputs, _) in zip(config.model_warmup, cases, strict=True):
        assert warm.inputs.keys() == inputs.keys()
        for name, array in inputs.items():
            told = warm.inputs[name]
            dtype = {"TYPE_INT64": "<i8", "TYPE_FP32": "<f4"}[wire.DataType.Name(told.data_type)]
            np.testing.assert_array_equal(np.frombuffer(raw[told.input_data_file], dtype), array[0])
            assert list(told.dims) == [array.shape[1]]


def check_execution(config, graph, form, machine, backend):
    found = accelerators(config)
    if backend == "python" or machine == "cpu":
        assert found == {}
    else:
        assert found["cuda"] == {"use_tf32": "0"}
        fits = machine == "tensorrt" and form != "int8" and "seed" not in {spec.name for spec in graph.inputs}
        assert ("tensorrt" in found) == fits
    if "tensorrt" in found:
        engine, most = found["tensorrt"], config.max_batch_size
        assert engine["precision_mode"] == ("FP16" if form == "fp16" else "FP32")
        assert engine["trt_engine_cache_enable"] == "1"
        for key, rows in (("min", 1), ("opt", min(64, most)), ("max", most)):
            shapes = dict(shape.split(":") for shape in engine[f"trt_profile_{key}_shapes"].split(","))
            assert shapes == {spec.name: f"{rows}x{spec.shape[1]}" for spec in graph.inputs}
    if backend == "onnxruntime":
        told = {key: config.parameters[key].string_value for key in ("intra_op_thread_count", "execution_mode")}
        assert told == {"intra_op_thread_count": "1", "execution_mode": "0"}


def bundle_of(folder, version="1.2.3", readme=b"# tiny\n", **changes):
    """A sealed bundle that holds no model."""
    golden = {name: array.astype(np.float32) for name, array in tiny.GOLDEN.items()}
    path = folder / f"{version}-{len(list(folder.iterdir()))}.lineshape"
    manifest = msgspec.structs.replace(tiny.MANIFEST, version=version, **changes)
    seal(manifest, {**tiny.FILES, "golden.npz": tiny.npz(**golden), "README.md": readme}, path)
    return path


@pytest.fixture
def bundles(tmp_path):
    folder = tmp_path / "bundles"
    folder.mkdir()
    return folder


def tree(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(folder.rglob("*")) if path.is_file()}


def test_it_writes_what_triton_looks_for(tmp_path, bundles):
    repository = tmp_path / "models"
    path = bundle_of(bundles)
    (installed,) = write_repository([path], repository)
    digest = open_bundle(path).digest
    assert (installed.name, installed.number, installed.version, installed.served) == ("tiny", 1, "1.2.3", 1)
    assert (repository / "tiny" / "1" / "model.onnx").read_bytes() == tiny.FILES["model.onnx"]
    table = json.loads((repository / "tiny" / "versions.json").read_text())
    assert table == {"1": {"bundle": "tiny", "version": "1.2.3", "digest": digest}}
    assert {path.name for path in repository.iterdir()} == {".lock", "tiny"}
    assert {path.name for path in tmp_path.iterdir()} == {"bundles", "models"}


def test_the_python_backend_gets_the_whole_sealed_bundle(tmp_path, bundles):
    path = bundle_of(bundles)
    write_repository([path], tmp_path / "models", "cpu", "python")
    version = tmp_path / "models" / "tiny" / "1"
    assert {file.name for file in version.iterdir()} == {"model.py", "bundle.lineshape"}
    assert (version / "bundle.lineshape").read_bytes() == path.read_bytes()


def test_a_bundle_that_is_there_already_changes_nothing(tmp_path, bundles):
    old, new = bundle_of(bundles), bundle_of(bundles, "1.10.0")
    first = write_repository([old, new], tmp_path / "models")
    before = tree(tmp_path / "models" / "tiny")
    again = write_repository([old, new, new], tmp_path / "models")
    assert tree(tmp_path / "models" / "tiny") == before
    assert [one.number for one in first] == [1, 2]
    assert [(one.number, one.served) for one in again] == [(1, 2), (2, 2), (2, 2)]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=4, unique=True)
)
@settings(max_examples=25, deadline=None)
def test_numbers_follow_the_order_of_the_releases(versions):
    """10 comes after 9, whatever the letters say; what comes too late is refused, and nothing is written."""
    with tempfile.TemporaryDirectory() as folder:
        bundles, repository = Path(folder) / "bundles", Path(folder) / "models"
        bundles.mkdir()
        installed = []
        for version in versions:
            path = bundle_of(bundles, ".".join(map(str, version)))
            if installed and version < max(installed):
                before = tree(repository)
                with pytest.raises(UsageError, match=r"tiny [\d.]+ is older than [\d.]+, which the repository holds"):
                    write_repository([path], repository)
                assert tree(repository) == before
                continue
            installed.append(version)
            assert [one.number for one in write_repository([path], repository)] == [len(installed)]
        table = json.loads((repository / "tiny" / "versions.json").read_text())
        assert [table[str(n)]["version"] for n in range(1, 1 + len(table))] == [
            ".".join(map(str, v)) for v in installed
        ]


def test_one_version_is_one_content(tmp_path, bundles):
    write_repository([bundle_of(bundles)], tmp_path / "models")
    before = tree(tmp_path / "models")
    with pytest.raises(UsageError, match=r"tiny 1\.2\.3 is in the repository already with another content"):
        write_repository([bundle_of(bundles, "2.0.0"), bundle_of(bundles, readme=b"# changed\n")], tmp_path / "models")
    assert tree(tmp_path / "models") == before


def test_one_name_is_one_bundle(tmp_path, bundles):
    sampler = {"model": GraphSpec("model.onnx", (SEED,), TOLD), "noise": GraphSpec("model.onnx", (NOISE,), TOLD)}
    shapes = {"model": (SEED,), "noise": (NOISE,)}
    golden = {f"{form}.0.{spec.name}": np.ones((1, spec.shape[1]), np.int64 if spec is SEED else np.float32)
              for form, inputs in shapes.items() for spec in (*inputs, *TOLD)}  # fmt: skip
    manifest = msgspec.structs.replace(tiny.MANIFEST, graphs=sampler)
    seal(manifest, {**tiny.FILES, "golden.npz": tiny.npz(**golden)}, bundles / "sampler.lineshape")
    both = [bundles / "sampler.lineshape", bundle_of(bundles, name="tiny-noise")]
    with pytest.raises(
        UsageError, match="the model tiny-noise of this repository belongs to bundle tiny, not to tiny-noise"
    ):
        write_repository(both, tmp_path / "models")


def test_another_machine_or_backend_is_the_same_version_written_anew(tmp_path, bundles):
    path, repository = bundle_of(bundles), tmp_path / "models"
    for machine, backend in [("cpu", "onnxruntime"), ("cuda", "onnxruntime"), ("cuda", "python")]:
        assert write_repository([path], repository, machine, backend)[0].number == 1
        config = text_format.Parse((repository / "tiny" / "config.pbtxt").read_bytes(), wire.ModelConfig())
        assert config == model_config(open_bundle(path), "model", machine, backend)
    assert {file.name for file in (repository / "tiny" / "1").iterdir()} == {"model.py", "bundle.lineshape"}


def test_what_it_has_not_written_it_does_not_write_over(tmp_path, bundles):
    (tmp_path / "models" / "tiny").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"already there, without versions\.json"):
        write_repository([bundle_of(bundles)], tmp_path / "models")
    (tmp_path / "models" / "tiny" / "versions.json").write_text("{}}")
    with pytest.raises(UsageError, match=r"versions\.json: cannot be read"):
        write_repository([bundle_of(bundles)], tmp_path / "models")


def test_a_refused_bundle_leaves_no_repository(tmp_path, bundles):
    good, bad = bundle_of(bundles), bundle_of(bundles, "2.0.0")
    content = bytearray(bad.read_bytes())
    content[len(content) // 2] ^= 1
    bad.write_bytes(content)
    with pytest.raises(TamperedBundle):
        write_repository([good, bad], tmp_path / "models")
    failed = {"validation": {"verdict": "fail", "reasons": ["copies the training spectra"]}}
    files = {**tiny.FILES, "provenance.json": json.dumps(failed).encode()}
    seal(tiny.MANIFEST, files, bundles / "failed.lineshape")
    with pytest.raises(FailedValidation, match="copies the training spectra"):
        write_repository([good, bundles / "failed.lineshape"], tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_who_looks_meanwhile_sees_whole_models_only(tmp_path, bundles):
    """Triton takes every folder of a repository for a model, and every numbered one in that for a version."""
    repository, done, seen = tmp_path / "models", Event(), []
    repository.mkdir()

    def look():
        while not done.is_set():
            for model in repository.iterdir():
                if model.is_dir():
                    versions = [version for version in model.iterdir() if version.is_dir() and version.name != "warmup"]
                    seen.append((model.name, (model / "config.pbtxt").stat().st_size > 0, bool(versions)))
                    seen.extend((model.name, version.name.isdecimal(), (version / "model.onnx").is_file())
                                for version in versions)  # fmt: skip

    watcher = Thread(target=look)
    watcher.start()
    for n in range(15):
        write_repository([bundle_of(bundles, f"1.{n}.0")], repository)
    done.set()
    watcher.join()
    assert set(seen) == {("tiny", True, True)}


def test_the_command_says_what_it_wrote_and_its_code_says_why_not(tmp_path, bundles):
    path, older = bundle_of(bundles), bundle_of(bundles, "0.9.0")
    done = lineshape(tmp_path, "triton", path, "-o", tmp_path / "models")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"tiny 1.2.3: version 1, bundle {open_bundle(path).digest[:12]}\n"
    refused = lineshape(tmp_path, "triton", older, "-o", tmp_path / "models")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    (bundles / "broken.lineshape").write_bytes(b"PK")
    assert lineshape(tmp_path, "triton", bundles / "broken.lineshape", "-o", tmp_path / "models").returncode == 3


def test_inside_triton_only_the_edge_is_needed():
    code = """if True:
        import sys, types
        sys.modules["triton_python_backend_utils"] = types.ModuleType("triton_python_backend_utils")
        import lineshape_serving.triton.backend
        heavy = ("bentoml", "starlette", "grpc", "google.protobuf", "tritonclient", "torch", "onnx")
        print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
