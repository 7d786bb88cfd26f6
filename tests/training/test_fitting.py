"""The fitting loop: nothing leaks, nothing is lost by a kill, and what cannot be fitted is said."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
import pytest
from fits import fit_short, short
from services import free_port

from lineshape.errors import DataError, FitError, RecipeError, UsageError
from lineshape_training import fitting, loading, recipe
from lineshape_training.families import FAMILIES
from lineshape_training.run import Run


def weights(run: Path) -> bytes:
    return (run / "weights.safetensors").read_bytes()


def slow_recipe(name: str, folder: Path) -> Path:
    """A recipe of some seconds, saved for the command line: enough checkpoints to be killed between two of them."""
    plan = short(name, steps=60)
    plan = msgspec.structs.replace(plan, fit=msgspec.structs.replace(plan.fit, evaluate_every=10))
    builtins = msgspec.to_builtins(plan)
    path = folder / f"{name}.toml"
    path.write_bytes(msgspec.toml.encode(drop_none(builtins)))
    return path


def drop_none(value: object) -> object:
    """TOML has no null."""
    if isinstance(value, dict):
        return {k: drop_none(v) for k, v in value.items() if v is not None}
    return [drop_none(v) for v in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", ["raman-to-ir", "raman-vae"])
def test_a_fit_killed_and_resumed_ends_in_the_same_weights(name: str, tmp_path: Path) -> None:
    plan = slow_recipe(name, tmp_path)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [sys.executable, "-m", "lineshape", "fit", str(plan), "--data", "embedded", "--device", "cpu", "--out"]
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    process = subprocess.Popen([*command, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (killed / "fold-1" / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "weights.safetensors").exists(), "killed too late: the fit had ended"
    subprocess.run([*command, str(killed), "--resume"], check=True, capture_output=True)
    assert weights(killed) == weights(whole)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(sample_run: Run, tmp_path: Path) -> None:
    again = fit_short("raman-vae", tmp_path / "again")
    assert weights(again.folder) == weights(sample_run.folder)
    plan = short("raman-vae")
    table = loading.load_table("embedded", plan)
    other = fitting.fit(plan, table, tmp_path / "other", data="embedded", data_sha256="embedded", seed=1)
    assert weights(other.folder) != weights(sample_run.folder)


def test_the_loss_of_every_family_falls() -> None:
    for name in ("raman-to-ir", "raman-vae"):
        plan = recipe.load(name)
        family = FAMILIES[plan.family]
        tensors = family.tensors(loading.load_table("embedded", plan))
        job = fitting.Job(plan, tensors, fitting.Fabric(accelerator="cpu", devices=1), 0, lambda steps: None)
        fitter = fitting.Fitter(job, Path("unused"), 0)
        losses = [sum(float(loss.detach()) for loss in fitter.advance(tensors).values()) for _ in range(40)]
        assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5]), name


def test_how_long_to_fit_is_chosen_by_the_mean_score_of_held_out_folds() -> None:
    plan = short("raman-vae")  # evaluates after 10 and 20 steps
    assert fitting.best_step([[0.5, 0.4], [0.5, 0.9]], plan) == 10
    assert fitting.best_step([[0.5, 0.4], [0.5, 0.5]], plan) == 20


def test_the_run_records_what_decides_it(sample_run: Run) -> None:
    assert sample_run.spec.groups == len(sample_run.spec.group_sha256) > 40
    assert sample_run.fitted.steps in (10, 20)
    assert len(sample_run.fitted.held_out) == len(sample_run.fitted.scores) == 2
    assert sample_run.fitted.versions.keys() >= {"torch", "lineshape"}


def test_a_run_is_neither_overwritten_nor_mixed_up(sample_run: Run) -> None:
    plan = short("raman-vae")
    table = loading.load_table("embedded", plan)
    with pytest.raises(UsageError, match="--resume"):
        fitting.fit(plan, table, sample_run.folder, data="embedded", data_sha256="embedded")
    with pytest.raises(UsageError, match="another recipe, data or seed"):
        fitting.fit(plan, table, sample_run.folder, data="embedded", data_sha256="embedded", seed=5, resume=True)


def test_too_few_groups_and_a_diverging_loss_are_said(tmp_path: Path) -> None:
    plan = short("raman-vae")
    table = loading.load_table("embedded", plan)
    with pytest.raises(DataError, match="6 spectra of 1 independent groups are too few"):
        fitting.fit(plan, table.rows(np.arange(6)), tmp_path / "few", data="x", data_sha256="x")
    wild = msgspec.structs.replace(plan, fit=msgspec.structs.replace(plan.fit, learning_rate=1e30))
    with pytest.raises(FitError, match="not finite after 10 steps; lower learning_rate"):
        fitting.fit(wild, table, tmp_path / "wild", data="x", data_sha256="x")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"family": "no-such"}, "no family 'no-such'; there are"),
        ({"model": {"latent": 0}}, r"\[model\].*latent"),
        ({"model": {"typo": 1}}, r"\[model\].*typo"),
        ({"intensity_half": {"spectrum": [{"step": "savitzky-golay", "window": 5}]}}, "scaling steps"),
        ({"intensity_half": {"spectrum": [{"step": "log1p"}, {"step": "snv"}]}}, "in that order"),
        ({"family": "spectrogen", "model": {}}, r"family spectrogen names \[data\] source"),
    ],
)
def test_a_wrong_recipe_names_the_field(change: dict[str, object], why: str, tmp_path: Path) -> None:
    plan = msgspec.convert(msgspec.to_builtins(short("raman-vae")) | change, recipe.Recipe)
    with pytest.raises(RecipeError, match=why):
        fitting.fit(plan, loading.load_table("embedded", plan), tmp_path / "run", data="x", data_sha256="x")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("evaluate_every = 100", "evaluate_every = 70", "multiple of evaluate_every"),
        ("n = 1101", 'n = "many"', r"\$\.axes"),
        ('order = "ascending"', 'order = "descending"', "from 150 to 1250 is not descending"),
        ('name = "raman-vae"', 'name = "Raman VAE"', r"\$\.name"),
        ("[intensity_half]\nspectrum", "[intensity_half]\nspectrm", "preprocessing of 'spectrm'"),
        ("[fit]", "[fit", "TOML|toml|Expected"),
    ],
)
def test_a_recipe_that_cannot_be_read_says_where(old: str, new: str, why: str) -> None:
    text = (files("lineshape_training") / "recipes" / "raman-vae.toml").read_text()
    assert old in text
    with pytest.raises(RecipeError, match=why):
        recipe.parse(text.replace(old, new, 1).encode(), "mine.toml")


def test_resuming_a_run_that_has_ended_changes_nothing(sample_run: Run) -> None:
    before = {path: path.read_bytes() for path in sample_run.folder.rglob("*") if path.is_file()}
    plan = short("raman-vae")
    table = loading.load_table("embedded", plan)
    fitting.fit(plan, table, sample_run.folder, data="embedded", data_sha256="embedded", resume=True)
    assert {path: path.read_bytes() for path in sample_run.folder.rglob("*") if path.is_file()} == before


def test_two_processes_share_one_fit(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_bytes(msgspec.toml.encode(drop_none(msgspec.to_builtins(short("raman-vae", steps=4)))))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
    fit = ["lineshape", "fit", str(plan), "--data", "embedded", "--device", "cpu", "--devices", "2", "--out"]
    command = [*torchrun, str(free_port()), "-m", *fit, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert Run(tmp_path / "run").network().length == 1101


def test_every_shipped_recipe_loads_and_names_a_family() -> None:
    for name, plan in recipe.shipped().items():
        assert plan.name == name
        FAMILIES[plan.family].config(plan)
