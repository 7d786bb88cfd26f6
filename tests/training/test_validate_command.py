"""`lineshape validate` as a user meets it: files of any tool, runs, bundles, exit codes, and the verdict on its way.

The fits are real and short, so what they draw is poor: these tests are about what is found and said, not about quality.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import services
from fits import short
from terminal import lineshape

from lineshape.bundle import open_bundle, verdict_of
from lineshape.errors import FailedValidation
from lineshape_edge import Model
from lineshape_export import export_run
from lineshape_serving.dataplane import DataPlane
from lineshape_training import fitting, loading
from lineshape_training.dossier.facts import facts_of
from lineshape_training.minerals import mineral_spectra
from lineshape_training.recipe import Recipe
from lineshape_training.run import Run, group_hash
from lineshape_training.simulation import Design, simulate
from lineshape_training.splits import hold_out

PASSED, REFUSED, USAGE, FAILED = 0, 1, 2, 4


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Synthetic (new subjects), real and training spectra of one population, as another tool would save them."""
    folder, design = tmp_path_factory.mktemp("files"), Design("nir", subjects=16, replicates=3, effect=3.0, points=120)
    paths = {}
    for seed, name in enumerate(("synthetic", "real", "train")):
        table = simulate(design.another(seed)).table
        paths[name] = folder / f"{name}.npz"
        columns = {"spectra": table.values, "axis_nm": table.axis.values, "label": table.label}
        np.savez(paths[name], **columns, **({} if name == "synthetic" else {"group": table.group}))
    return paths


def judged(files: dict[str, Path], **others: Path) -> tuple[int, dict[str, object]]:
    chosen = files | others
    done = lineshape("validate", "--json", *(w for name in ("synthetic", "real", "train")
                                             for w in (f"--{name}", chosen[name])))  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short fit on three quarters of the embedded minerals."""
    plan = short("raman-vae")
    table = loading.load_table("embedded", plan)
    known, _ = hold_out(table.group, None, 0.25, seed=0)
    out = tmp_path_factory.mktemp("run") / "run"
    return fitting.fit(plan, table.rows(known), out, data="embedded", data_sha256="embedded")


@pytest.fixture(scope="module")
def failed_run(run: Run) -> Run:
    """The same, validated: two dozen steps make no believable spectra."""
    done = lineshape("validate", run.folder, "--data", "embedded")
    assert done.returncode == FAILED, done.stderr
    assert done.stdout.startswith("verdict: fail")
    return run


@pytest.fixture(scope="module")
def answered(failed_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle, sealed with words that answer for it."""
    out = tmp_path_factory.mktemp("answered") / "despite.lineshape"
    export_run(failed_run, out, despite="a demonstration of a poor model")
    return out


def test_spectra_of_another_tool_are_judged_from_three_files(files: dict[str, Path]) -> None:
    code, found = judged(files)
    assert (code, found["verdict"], found["reasons"]) == (PASSED, "pass", [])
    assert found["metrics"]["two-sample AUC"]["synthetic"] < 0.8  # type: ignore[index]


def test_the_training_set_as_synthetic_spectra_exits_with_4(files: dict[str, Path]) -> None:
    code, found = judged(files, synthetic=files["train"])
    assert (code, found["verdict"]) == (FAILED, "fail")
    assert found["reasons"][0].startswith("copies: 100%")  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        ({"real": "train"}, REFUSED, "share 32 groups"),
        ({"train": "missing.npz"}, REFUSED, "cannot be read"),
    ],
)
def test_what_cannot_be_judged_is_said_in_one_line(
    files: dict[str, Path], change: dict[str, str], code: int, why: str
) -> None:
    chosen = files | {name: files.get(other, Path(other)) for name, other in change.items()}
    done = lineshape("validate", *(w for name, path in chosen.items() for w in (f"--{name}", path)))
    assert done.returncode == code
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_half_a_question_is_refused(files: dict[str, Path], run: Run) -> None:
    for words in (["--synthetic", files["synthetic"]], [run.folder], ["--data", files["real"]], []):
        done = lineshape("validate", *words)
        assert (done.returncode, done.stderr.count("\n")) == (USAGE, 1), done.stderr


def test_a_run_is_judged_by_the_groups_that_were_held_out(failed_run: Run) -> None:
    found = failed_run.validation
    assert found is not None
    assert found["counts"]["real groups"] + found["counts"]["train groups"] == 59
    assert found["counts"]["train groups"] == failed_run.spec.groups
    assert found["about"]["data"] == "embedded"


def test_a_study_of_a_run_fits_the_recipe_of_that_run_to_the_columns_that_it_names(tmp_path: Path) -> None:
    """By the command that the run's dossier proposes; the recipe is a user's own, and is shipped under no name."""
    spectra, data = mineral_spectra("raman", 2, 3).rows(np.arange(40)), tmp_path / "mine.npz"
    halves = np.array(["odd", "even"])[np.unique(spectra.group, return_inverse=True)[1] % 2]
    np.savez(data, raman=spectra.values, raman_axis=spectra.axis.values, mineral=spectra.group, half=halves)
    plan = short("raman-vae", steps=4)
    plan = msgspec.structs.replace(plan, name="mine", data=msgspec.structs.replace(plan.data, label="half"))
    table = loading.load_table(str(data), plan)
    known = table.rows(hold_out(table.group, None, 0.25, seed=0)[0])
    run = fitting.fit(plan, known, tmp_path / "run", data=str(data), data_sha256=loading.fingerprint(str(data)))
    command = facts_of(run).studied_by.split()
    chosen = ("-n", "30", "--method", "none", "--probe", "PLS-DA", "--folds", "2", "--work", tmp_path / "w", "--json")
    done = lineshape(*command[1:], *chosen)
    assert done.returncode == FAILED, done.stderr  # four steps make no believable spectra
    study = json.loads(done.stdout)["study"]
    assert study["asked"]["methods"] == ["none", "mine"]
    assert msgspec.convert(study["asked"]["recipes"], dict[str, Recipe]) == {"mine": plan}
    assert {row["probe"] for row in study["found"]["rows"]} == {"PLS-DA", "mean of probes"}
    assert [effect["method"] for effect in study["found"]["effects"]] == ["mine"]


def test_a_generator_fitted_on_everything_has_nothing_to_be_judged_by(sample_bundle: Path) -> None:
    done = lineshape("validate", sample_bundle, "--data", "embedded", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["verdict"]) == (FAILED, "fail")
    assert found["reasons"][0].startswith("leak: the generator was fitted on 59 of the 59 groups")


def test_hashes_in_the_provenance_are_those_of_the_groups(run: Run) -> None:
    table = loading.load_table("embedded", run.spec.recipe)
    hashes = {group_hash(name) for name in np.unique(table.group).tolist()}
    assert set(run.spec.group_sha256) < hashes


def test_a_failed_run_is_neither_exported_nor_served_without_a_word(
    failed_run: Run, answered: Path, tmp_path: Path
) -> None:
    with pytest.raises(FailedValidation, match="--despite"):
        export_run(failed_run, tmp_path / "refused.lineshape")
    done = lineshape("export", failed_run.folder, "-o", tmp_path / "refused.lineshape")
    assert (done.returncode, (tmp_path / "refused.lineshape").exists()) == (FAILED, False)
    bundle = open_bundle(answered)
    record = msgspec.json.decode(bundle.read("provenance.json"))
    assert record["despite"] == "a demonstration of a poor model"
    assert record["validation"]["metrics"].keys() >= {"MMD", "near copies"}
    assert verdict_of(bundle).verdict == "fail"  # type: ignore[union-attr]
    assert DataPlane([Model.open(answered)]).ready()


def test_serve_refuses_a_failed_bundle_that_nobody_answers_for(failed_run: Run, answered: Path, tmp_path: Path) -> None:
    with pytest.raises(FailedValidation):
        export_run(failed_run, tmp_path / "blank.lineshape", despite="   ")
    unanswered = _without_words(answered, tmp_path / "unanswered.lineshape")
    done = services.lineshape(tmp_path, "serve", unanswered)
    assert done.returncode == FAILED
    assert "failed validation" in done.stderr


def _without_words(bundle: Path, out: Path) -> Path:
    """The same bundle as a careless exporter would have sealed it."""
    from lineshape.bundle import seal

    opened = open_bundle(bundle)
    files = {name: opened.read(name) for name in opened.manifest.files}
    record = msgspec.json.decode(files["provenance.json"])
    files["provenance.json"] = msgspec.json.encode(record | {"despite": None})
    seal(opened.manifest, files, out)
    return out
