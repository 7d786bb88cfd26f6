"""What the edge does beside transfer: rebuild, encode and blend measured spectra, and draw what was asked for."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from digests import digest
from fits import simulated
from terminal import lineshape

from lineshape.axis import SpectralAxis
from lineshape.errors import AxisError, UnsupportedBundle, UsageError
from lineshape.readers import read_spectra
from lineshape.spectrum import Spectrum
from lineshape.writers import write_spectrum
from lineshape_edge import Model, encode, interpolate, reconstruct, sample


@pytest.fixture(scope="module")
def models(told_bundles: dict[str, Path]) -> dict[str, Model]:
    return {task: Model.open(path) for task, path in told_bundles.items()}


@pytest.fixture(scope="module")
def spectra() -> list[Spectrum]:
    table = simulated()
    return [Spectrum(table.values[row], table.axis) for row in (0, 20)]


def without(spectrum: Spectrum, points: int) -> Spectrum:
    """A spectrum whose first points were not measured."""
    axis = SpectralAxis(spectrum.axis.values[points:], "raman", spectrum.axis.unit)
    return Spectrum(spectrum.intensities[points:], axis)


@pytest.fixture
def files(spectra: list[Spectrum], tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "first.csv", tmp_path / "second.csv"]
    for path, spectrum in zip(paths, spectra, strict=True):
        write_spectrum(path, spectrum)
    return paths


def test_a_bundle_of_a_task_reads_the_axis_that_it_writes(models: dict[str, Model]) -> None:
    axes = {task: model.manifest.axes for task, model in models.items()}
    assert axes["reconstruct"].keys() == axes["interpolate"].keys() == {"source", "spectrum"}
    assert axes["encode"].keys() == {"source"}
    assert axes["reconstruct"]["source"] == axes["sample"]["spectrum"]
    for task in ("reconstruct", "encode", "interpolate"):
        manifest = models[task].manifest
        assert manifest.name == f"told-{task}"
        assert (manifest.sampler, manifest.noise, manifest.classes, manifest.analytes) == (None, None, (), ())


def test_reconstruct_and_encode_take_any_axis_of_the_modality(
    models: dict[str, Model], spectra: list[Spectrum]
) -> None:
    rebuilt, latents = reconstruct(models["reconstruct"], spectra), encode(models["encode"], spectra)
    assert rebuilt.shape == (2, 160)
    assert latents.shape == (2, 16)
    assert (rebuilt.min(1), rebuilt.max(1)) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))
    cut = [without(s, 20) for s in spectra]
    assert reconstruct(models["reconstruct"], cut).shape == (2, 160)  # also where nothing was measured
    with pytest.raises(UsageError, match="needs at least one spectrum"):
        encode(models["encode"], [])
    with pytest.raises(UnsupportedBundle, match="is for encode, not for reconstruct"):
        reconstruct(models["encode"], spectra)


def test_an_interpolation_begins_and_ends_with_the_reconstructions(
    models: dict[str, Model], spectra: list[Spectrum]
) -> None:
    found = interpolate(models["interpolate"], *spectra, [0, 0.25, 1])
    ends = reconstruct(models["reconstruct"], spectra)
    np.testing.assert_allclose(found[[0, 2]], ends, atol=1e-5)  # two graphs: float32 sums in another order
    with pytest.raises(UsageError, match="at least one weight"):
        interpolate(models["interpolate"], *spectra, [])


def test_an_interpolation_bridges_small_gaps_and_refuses_large_ones(
    models: dict[str, Model], spectra: list[Spectrum]
) -> None:
    whole, bridged = (
        interpolate(models["interpolate"], s, spectra[1], [0.0]) for s in (spectra[0], without(spectra[0], 3))
    )
    assert np.abs(whole - bridged).max() < 0.1
    with pytest.raises(AxisError, match=r"covers 75% of the model's range.*needs 90%"):
        interpolate(models["interpolate"], without(spectra[0], 40), spectra[1], [0.0])


def test_of_several_spectra_a_refusal_says_which(models: dict[str, Model], spectra: list[Spectrum]) -> None:
    first, short = spectra[0], without(spectra[0], 40)
    named = replace(short, metadata={"source": "short.csv"})
    ir = Spectrum(first.intensities, SpectralAxis(first.axis.values, "ir", "cm-1"))
    for second, why in [(short, "^spectrum 2: the spectrum covers 75%"), (named, r"^short\.csv: the spectrum covers")]:
        with pytest.raises(AxisError, match=why):
            interpolate(models["interpolate"], first, second, [0.0])
    with pytest.raises(AxisError, match=r"^spectrum 3: "):
        encode(models["encode"], [first, first, ir])
    with pytest.raises(AxisError, match=r"^(?!spectrum)"):
        encode(models["encode"], [ir])


def test_a_sampler_says_what_it_must_be_told(models: dict[str, Model]) -> None:
    model = models["sample"]
    (sugar,) = model.manifest.analytes
    asked = {"sugar": (sugar.low + sugar.high) / 2}
    drawn = sample(model, 3, 7, label="class-1", analyte=asked)
    assert drawn.shape == (3, 160)
    assert not np.allclose(drawn, sample(model, 3, 7, label="class-0", analyte=asked))
    assert not np.allclose(drawn, sample(model, 3, 7, label="class-1", analyte={"sugar": sugar.low}))
    for label, amounts, why in [
        (None, asked, "needs a label, one of class-0, class-1; got none"),
        ("quartz", asked, "one of class-0, class-1; got 'quartz'"),
        ("class-0", {}, r"needs the analyte sugar \(.* to .*\); got none"),
        ("class-0", {**asked, "salt": 1.0}, "got salt, sugar"),
        ("class-0", {"sugar": float("nan")}, "sugar: nan is no amount"),
        ("class-0", {"sugar": 2 * sugar.high}, r"is outside .* to .*, where the model was fitted"),
    ]:
        with pytest.raises(UsageError, match=why):
            sample(model, 3, 7, label=label, analyte=amounts)
    assert sample(model, 1, label="class-0", analyte={"sugar": 2 * sugar.high}, extrapolate=True).shape == (1, 160)


def test_the_command_draws_what_was_asked_for_and_the_file_says_it(
    told_bundles: dict[str, Path], models: dict[str, Model], tmp_path: Path
) -> None:
    out, high = tmp_path / "out.csv", models["sample"].manifest.analytes[0].high
    asked = ["sample", told_bundles["sample"], "-n", "2", "--label", "class-1", "-o", out, "--analyte"]
    done = lineshape(*asked, f"sugar={high}")
    assert done.returncode == 0, done.stderr
    written = read_spectra(out)
    expected = sample(models["sample"], 2, label="class-1", analyte={"sugar": high})
    assert np.array_equal(np.stack([s.intensities for s in written]).astype(np.float32), expected)
    assert written[0].metadata["label"] == "class-1"
    assert written[0].metadata["analytes"] == f"sugar {high}"
    for word, why in [("sugar", "NAME=AMOUNT"), ("sugar=much", "NAME=AMOUNT"), (f"sugar={2 * high}", "is outside")]:
        refused = lineshape(*asked, word)
        assert (refused.returncode, why in refused.stderr) == (2, True), refused.stderr
    assert lineshape(*asked, f"sugar={2 * high}", "--extrapolate").returncode == 0
    shown = lineshape("bundle", "show", told_bundles["sample"]).stdout
    assert "classes: class-0, class-1\nanalyte sugar: " in shown


def test_the_commands_write_what_the_tasks_say(
    told_bundles: dict[str, Path], models: dict[str, Model], spectra: list[Spectrum], files: list[Path], tmp_path: Path
) -> None:
    missing, out = tmp_path / "missing.csv", tmp_path / "rebuilt"
    done = lineshape("reconstruct", told_bundles["reconstruct"], *files, missing, "-o", out)
    assert (done.returncode, "missing.csv" in done.stderr) == (1, True)
    rebuilt = reconstruct(models["reconstruct"], spectra)
    for file, expected in zip(files, rebuilt, strict=True):
        (found,) = read_spectra(out / file.name)
        np.testing.assert_allclose(found.intensities, expected, atol=1e-5)  # another batch size
        assert found.metadata["source"] == file.name

    done = lineshape("encode", told_bundles["encode"], *files, missing, "-o", tmp_path / "latents.csv")
    assert (done.returncode, "missing.csv" in done.stderr) == (1, True)
    rows = [row for row in csv.reader((tmp_path / "latents.csv").read_text().splitlines()) if row[0][0] != "#"]
    assert [row[0] for row in rows] == ["file", "first.csv", "second.csv"]
    latents = np.array([row[1:] for row in rows[1:]], np.float64)
    np.testing.assert_allclose(latents, encode(models["encode"], spectra), atol=1e-4)

    done = lineshape("interpolate", told_bundles["interpolate"], *files, "--steps", "3", "-o", tmp_path / "between.csv",
                     "--plot", tmp_path / "between.png")  # fmt: skip
    assert done.returncode == 0, done.stderr
    between = read_spectra(tmp_path / "between.csv")
    assert [s.metadata["column"] for s in between] == ["weight 0", "weight 0.5", "weight 1"]
    expected = interpolate(models["interpolate"], *spectra, [0, 0.5, 1])
    assert np.array_equal(np.stack([s.intensities for s in between]).astype(np.float32), expected)
    assert (tmp_path / "between.png").read_bytes().startswith(b"\x89PNG")


def test_the_commands_never_write_over_a_measured_file(told_bundles: dict[str, Path], files: list[Path]) -> None:
    before = [digest(file.read_bytes()) for file in files]
    for words in (
        ["reconstruct", told_bundles["reconstruct"], files[0], "-o", files[0]],
        ["encode", told_bundles["encode"], *files, "-o", files[1]],
        ["interpolate", told_bundles["interpolate"], *files, "-o", files[1]],
    ):
        done = lineshape(*words)
        assert (done.returncode, "is one of the measured files" in done.stderr) == (2, True), done.stderr
    assert [digest(file.read_bytes()) for file in files] == before
