"""The verbs of the edge room, run as a user runs them: with words, on files, with exit codes."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from digests import digest
from terminal import lineshape

from lineshape.axis import SpectralAxis
from lineshape.bundle import open_bundle, seal, unpack
from lineshape.errors import UnsupportedBundle
from lineshape.library import LIBRARY
from lineshape.readers import read_spectra
from lineshape.spectrum import Spectrum
from lineshape.writers import write_spectrum
from lineshape_edge import Model, sample, transfer
from lineshape_edge.doctor import IDENTITY
from lineshape_edge.session import Session
from lineshape_training.minerals import mineral_pairs


@pytest.fixture(scope="module")
def measured() -> Spectrum:
    table = mineral_pairs("raman", "ir", 1, seed=9).source
    return Spectrum(table.values[3], table.axis, {"sample": str(table.identity[3])})


def noise_like(measured: Spectrum) -> Spectrum:
    """Noise with as many points, in the same range."""
    return Spectrum(np.random.default_rng(5).normal(100, 10, len(measured)), measured.axis)


def test_importing_the_edge_brings_in_nothing_heavy() -> None:
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import lineshape_edge, lineshape_edge.model"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in found.stderr.splitlines()}
    assert "lineshape_edge" in imported
    heavy = {"torch", "onnx", "onnxscript", "scipy", "sklearn", "starlette", "bentoml", "matplotlib", "lightning"}
    assert not imported & heavy
    lighter = subprocess.run(
        [sys.executable, "-c", "import lineshape_edge, sys; print('onnxruntime' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert lighter.stdout.strip() == "False"


def test_transfer_writes_what_the_model_says_and_where_it_came_from(
    transfer_bundle: Path, measured: Spectrum, tmp_path: Path
) -> None:
    write_spectrum(tmp_path / "measured.csv", measured)
    done = lineshape("transfer", transfer_bundle, tmp_path / "measured.csv", "-o", tmp_path / "out.csv",
                     "--plot", tmp_path / "out.png")  # fmt: skip
    assert done.returncode == 0, done.stderr
    model = Model.open(transfer_bundle)
    (expected,) = transfer(model, [measured])
    columns = {s.metadata["column"]: s for s in read_spectra(tmp_path / "out.csv")}
    assert columns["intensity"].axis == expected.axis
    for name in ("intensity", "lower", "upper"):
        wanted = expected.intensities if name == "intensity" else getattr(expected, name)
        assert np.array_equal(columns[name].intensities.astype(np.float32), wanted)
    assert columns["intensity"].metadata["digest"] == model.digest
    assert float(columns["intensity"].metadata["familiarity"]) == pytest.approx(expected.familiarity, abs=5e-5)
    assert (expected.lower <= expected.intensities).all()
    assert (expected.intensities <= expected.upper).all()
    assert expected.nearest is not None
    assert expected.nearest.name == measured.metadata["sample"].rpartition("-")[0]  # other specimens are in the fit
    told = f"{expected.nearest.name} ({expected.nearest.identity}), similarity {expected.nearest.similarity:.3f}"
    assert columns["intensity"].metadata["nearest"] == told
    assert f"nearest of the fit {told}" in done.stdout
    assert (expected.cautions, "cautions" in columns["intensity"].metadata) == ((), False)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_a_bad_file_among_good_ones_is_named_and_the_good_ones_are_done(
    transfer_bundle: Path, measured: Spectrum, tmp_path: Path
) -> None:
    write_spectrum(tmp_path / "good.csv", measured)
    infrared = Spectrum(np.ones(50), SpectralAxis.regular("ir", 400, 1000, 50))
    write_spectrum(tmp_path / "infrared.csv", infrared)
    far = Spectrum(np.ones(50), SpectralAxis.regular("raman", 3000, 4000, 50))
    write_spectrum(tmp_path / "far.csv", far)
    (tmp_path / "empty.txt").write_bytes(b"")
    names = ["infrared.csv", "good.csv", "far.csv", "empty.txt", "missing.csv"]
    done = lineshape("transfer", transfer_bundle, *(tmp_path / name for name in names), "-o", tmp_path / "out")
    assert done.returncode == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good.csv"]
    told = done.stderr.splitlines()
    assert len(told) == 4
    for line, name in zip(told, ["infrared.csv", "far.csv", "empty.txt", "missing.csv"], strict=True):
        assert name in line
    assert "'ir' does not go onto a grid of 'raman'" in told[0]
    assert "does not reach the model's range" in told[1]


def test_what_is_not_familiar_enough_is_refused_and_the_rest_is_done(
    transfer_bundle: Path, measured: Spectrum, tmp_path: Path
) -> None:
    write_spectrum(tmp_path / "good.csv", measured)
    write_spectrum(tmp_path / "noise.csv", noise_like(measured))
    files, out = [tmp_path / "noise.csv", tmp_path / "good.csv"], tmp_path / "out"
    done = lineshape("transfer", transfer_bundle, *files, "-o", out, "--min-familiarity", "0.05")
    assert done.returncode == 1
    assert [p.name for p in out.iterdir()] == ["good.csv"]
    assert done.stderr == (
        f"lineshape: {files[0]}: the familiarity (0.00) is below the 0.05 that was asked for, so nothing was "
        "estimated\n"
    )
    picture = ["--plot", tmp_path / "noise.png", "--min-familiarity", "0.05"]
    assert lineshape("transfer", transfer_bundle, files[0], "-o", tmp_path / "noise-ir.csv", *picture).returncode == 1
    assert not (tmp_path / "noise.png").exists()
    assert not (tmp_path / "noise-ir.csv").exists()
    assert lineshape("transfer", transfer_bundle, *files, "-o", out, "--min-familiarity", "2").returncode == 2


def test_another_laser_and_other_widths_are_said_wherever_the_estimate_is(
    transfer_bundle: Path, measured: Spectrum, tmp_path: Path
) -> None:
    x = measured.axis.values
    kernel = np.exp(-4 * np.log(2) * (np.arange(-300, 301) / 150) ** 2)  # FWHM 150 cm-1, a point each
    broad = np.convolve(measured.intensities - measured.intensities.min(), kernel, mode="same")
    write_spectrum(tmp_path / "broad.csv", Spectrum(broad, SpectralAxis.of(x, "raman", laser_nm=1064.0)))
    done = lineshape("transfer", transfer_bundle, tmp_path / "broad.csv", "-o", tmp_path / "out.csv",
                     "--plot", tmp_path / "out.svg")  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = read_spectra(tmp_path / "out.csv")[0].metadata["cautions"]
    for said in ("Its laser (1064 nm) is none of the fit's (532 nm)", "cm-1) are wider than the fit's ("):
        assert said in done.stdout
        assert said in written


def resealed(bundle: Path, out: Path, library: bytes | None) -> Path:
    """The same bundle with another library, or without one."""
    found = open_bundle(bundle)
    files = {name: found.read(name) for name in found.manifest.files if name != LIBRARY}
    manifest = msgspec.structs.replace(found.manifest, library=LIBRARY if library else None)
    seal(manifest, files | ({LIBRARY: library} if library else {}), out)
    return out


def test_without_a_library_nothing_is_compared_and_a_damaged_one_is_refused(
    transfer_bundle: Path, measured: Spectrum, tmp_path: Path
) -> None:
    write_spectrum(tmp_path / "measured.csv", measured)
    bare = resealed(transfer_bundle, tmp_path / "bare.lineshape", None)
    (found,) = transfer(Model.open(bare), [measured])
    assert (found.nearest, found.cautions) == (None, ())
    done = lineshape("transfer", bare, tmp_path / "measured.csv", "-o", tmp_path / "out.csv", "--plot",
                     tmp_path / "out.png")  # fmt: skip
    assert (done.returncode, "nearest" in done.stdout) == (0, False), done.stderr
    assert "library" not in lineshape("bundle", "show", bare).stdout
    assert "library: library.npz" in lineshape("bundle", "show", transfer_bundle).stdout
    damaged = resealed(transfer_bundle, tmp_path / "damaged.lineshape", b"PK no archive")
    for words in (["bundle", "verify", damaged], ["transfer", damaged, tmp_path / "measured.csv", "-o", "out.csv"]):
        refused = lineshape(*words)
        assert (refused.returncode, "library.npz: a damaged archive" in refused.stderr) == (3, True), refused.stderr


def test_sample_writes_the_samples_of_a_seed(sample_bundle: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.csv", tmp_path / "part.npz"
    assert lineshape("sample", sample_bundle, "-n", "5", "--seed", "7", "-o", whole).returncode == 0
    assert lineshape("sample", sample_bundle, "-n", "2", "--seed", "7", "--first", "3", "-o", part).returncode == 0
    expected = sample(Model.open(sample_bundle), 5, seed=7)
    written = np.stack([s.intensities for s in read_spectra(whole)])
    assert np.array_equal(written.astype(np.float32), expected)
    # Another batch size may sum in another order: a few units in the last place of values near 1.
    np.testing.assert_allclose([s.intensities for s in read_spectra(part)], expected[3:], atol=1e-5)


def test_show_and_verify(sample_bundle: Path) -> None:
    shown = lineshape("bundle", "show", sample_bundle, "--json")
    content = json.loads(shown.stdout)
    assert content["manifest"]["task"] == "sample"
    assert set(content["manifest"]["graphs"]) == {"model", "noise"}
    assert content["digest"] in lineshape("bundle", "verify", sample_bundle).stdout
    assert (
        "raman-vae-noise: noise FP32 [n, 1117], noise_scale FP32 [n, 1] -> spectrum FP32 [n, 1101]"
        in lineshape("bundle", "show", sample_bundle).stdout
    )


def test_a_changed_bundle_is_refused_with_exit_code_3_by_every_verb(sample_bundle: Path, tmp_path: Path) -> None:
    unpack(sample_bundle, tmp_path / "bundle")
    content = bytearray((tmp_path / "bundle" / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "bundle" / "model.onnx").write_bytes(content)
    for verb in (["bundle", "verify"], ["bundle", "show"], ["sample", "-o", str(tmp_path / "out.csv")], ["serve"]):
        done = lineshape(*verb, tmp_path / "bundle")
        assert (done.returncode, "model.onnx: changed since the bundle was sealed" in done.stderr) == (3, True), verb
    assert not (tmp_path / "out.csv").exists()


def test_a_graph_cannot_bring_in_bytes_that_nobody_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = onnx.TensorProto(name="w", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    outside.external_data.add(key="location", value="secret.bin")
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])], "g",
        [onnx.helper.make_tensor_value_info("x", 1, [1])], [onnx.helper.make_tensor_value_info("y", 1, [1])], [outside],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    (tmp_path / "secret.bin").write_bytes(np.float32(42).tobytes())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsupportedBundle, match="cannot load the graph"):
        Session(model.SerializeToString())


def test_a_measured_file_is_never_written_over(transfer_bundle: Path, measured: Spectrum, tmp_path: Path) -> None:
    file = tmp_path / "measured.csv"
    write_spectrum(file, measured)
    before = digest(file.read_bytes())
    for target in (["-o", file], ["-o", tmp_path]):
        done = lineshape("transfer", transfer_bundle, file, *target)
        assert (done.returncode, "is one of the measured files" in done.stderr) == (2, True), done.stderr
    assert digest(file.read_bytes()) == before


def test_what_a_file_does_not_say_is_said(transfer_bundle: Path, measured: Spectrum, tmp_path: Path) -> None:
    file = tmp_path / "bare.txt"
    np.savetxt(file, np.column_stack([measured.axis.values, measured.intensities]))
    done = lineshape("transfer", transfer_bundle, file, "-o", tmp_path / "out.csv")
    assert done.returncode == 0
    assert "bare.txt: The file does not say what it holds; taken for raman" in done.stderr


def test_why_an_estimate_is_not_to_be_trusted_stands_wherever_it_is_read(
    transfer_bundle: Path, measured: Spectrum, tmp_path: Path
) -> None:
    axis, half = measured.axis, len(measured) * 2 // 3
    part = Spectrum(measured.intensities[:half], SpectralAxis(axis.values[:half], axis.modality, axis.unit))
    for name, source, why in (
        ("noise", noise_like(measured), "Unlike what the model has seen (familiarity below 0.05): do not use"),
        ("part", part, "of the model's range: measured on all of it"),
    ):
        write_spectrum(tmp_path / f"{name}.csv", source)
        told = lineshape("transfer", transfer_bundle, tmp_path / f"{name}.csv", "-o", tmp_path / f"{name}-ir.csv")
        assert told.returncode == 0
        assert why in told.stdout
        assert why in (tmp_path / f"{name}-ir.csv").read_text()


def test_what_tells_nothing_is_refused(transfer_bundle: Path, measured: Spectrum, tmp_path: Path) -> None:
    axis, few = measured.axis, slice(400, 420)
    sliver = Spectrum(measured.intensities[few], SpectralAxis(axis.values[few], axis.modality, axis.unit))
    for name, source, why in (
        ("flat", Spectrum(np.full(len(measured), 5.0), axis), "the spectrum is flat"),
        ("sliver", sliver, r"the spectrum covers 2% of the model's range (150 to 1250 cm-1); a transfer needs 50%"),
    ):
        write_spectrum(tmp_path / f"{name}.csv", source)
        done = lineshape("transfer", transfer_bundle, tmp_path / f"{name}.csv", "-o", tmp_path / "out.csv")
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr
        assert not (tmp_path / "out.csv").exists()


def test_a_bundle_is_signed_with_a_key_that_others_trust(
    sample_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack(sample_bundle, tmp_path / "signed")
    made = lineshape("bundle", "key", tmp_path / "lab")
    assert made.returncode == 0, made.stderr
    secret, public = tmp_path / "lab.key.pem", tmp_path / "lab.pem"
    assert secret.stat().st_mode & 0o077 == 0
    assert lineshape("bundle", "sign", tmp_path / "signed", "--key", secret).returncode == 0
    monkeypatch.setenv("LINESHAPE_TRUST", str(public))
    assert "signed by lab.pem" in lineshape("bundle", "show", tmp_path / "signed").stdout
    refused = lineshape("bundle", "show", sample_bundle)
    assert (refused.returncode, "signature.json: missing" in refused.stderr) == (3, True)
    assert lineshape("bundle", "key", tmp_path / "lab").returncode == 2  # a key is never written over
    assert lineshape("bundle", "sign", tmp_path / "signed", "--key", public).returncode == 2


def test_wrong_use_is_exit_code_2(sample_bundle: Path, transfer_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for words, why in [
        (["sample", sample_bundle, "--label", "quartz", "-o", out], "has no classes"),
        (["sample", sample_bundle, "--device", "tpu", "-o", out], "cpu or cuda"),
        (["sample", sample_bundle, "-o", tmp_path / "out.xlsx"], "out.xlsx"),
        (["transfer", transfer_bundle, "a.csv", "b.csv", "-o", out], "need a folder"),
        (["no-such-verb"], "No such command"),
    ]:
        done = lineshape(*words)
        assert done.returncode == 2, words
        assert why in done.stderr, words
    refused = lineshape("sample", transfer_bundle, "-o", out)
    assert (refused.returncode, "for transfer, not for sample" in refused.stderr) == (3, True)


def test_a_verb_without_its_packages_names_the_extra(tmp_path: Path) -> None:
    """`-S` hides site-packages but for what is linked here: core's own dependencies."""
    import msgspec
    import typer

    for package in (np, msgspec, typer):
        folder = Path(str(package.__file__)).parent
        for needed in folder.parent.glob("*"):
            if not needed.name.lower().startswith(("onnx", "torch", "bentoml", "lightning", "matplotlib")):
                target = tmp_path / needed.name
                if not target.exists():
                    target.symlink_to(needed)
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'lineshape'; import site; "
    code += "[site.addsitedir(p) for p in sys.path[:1]]; from lineshape.cli import main; main()"
    for verb, extra in [("bundle verify x.lineshape", "edge"), ("fit raman-vae --data embedded --out x", "training")]:
        done = subprocess.run(
            [sys.executable, "-S", "-c", code, str(tmp_path), *verb.split()], capture_output=True, text=True
        )
        assert done.returncode == 2, done.stderr
        assert done.stderr.strip().endswith(f"pip install 'lineshape[{extra}]'"), done.stderr


def test_doctor_tells_what_really_runs() -> None:
    found = json.loads(lineshape("doctor", "--json").stdout)
    assert found["device cpu"] == "runs"
    assert found["device cuda"] == "runs" or found["device cuda"].startswith("no: ")
    model = onnx.load_model_from_string(IDENTITY)
    assert (model.ir_version, model.opset_import[0].version, model.graph.node[0].op_type) == (10, 20, "Identity")


def test_every_spectrum_of_the_rruff_text_files_goes_through(
    transfer_bundle: Path, shared_data: Path, tmp_path: Path
) -> None:
    files = sorted((shared_data / "rruff" / "text" / "raman").glob("*.txt"))
    done = lineshape("transfer", transfer_bundle, *files, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = sorted((tmp_path / "out").glob("*.csv"))
    assert len(written) == len(files) > 40
    with written[0].open() as file:
        rows = [row for row in csv.reader(file) if not row[0].startswith("#")]
    assert rows[0] == ["wavenumber [cm-1]", "intensity", "lower", "upper"]
    assert len(rows) == 702
    shutil.rmtree(tmp_path / "out")
