"""What every family promises: a fit survives its death, is shared by processes, and says what it cannot fit."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from fits import fit_as_one_of_two, fit_often, often, on, two_classes
from services import free_port

from lineshape.errors import DataError, FitError
from lineshape_training import fitting, loading, recipe
from lineshape_training.conditions import Conditions
from lineshape_training.drawing import RunSampler
from lineshape_training.families import FAMILIES, family_of
from lineshape_training.fitter import CHECKPOINT
from lineshape_training.recipe import Recipe
from lineshape_training.run import Run

SAMPLERS = [name for name, family in FAMILIES.items() if family.task == "sample"]
CONDITIONAL = [name for name in SAMPLERS if FAMILIES[name].conditional]
EVERY = {name: f"raman-{name}" for name in SAMPLERS} | {"spectrogen": "raman-to-ir"}
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["fits", "lineshape_training.fitting"])


def fit(plan: Recipe, table: loading.SpectraTable, out: Path) -> Run:
    return fitting.fit(plan, table, out, data="x", data_sha256="x")


def fitted_in_a_process(name: str, out: Path) -> BaseProcess:
    """The fit of a recipe in a process of its own, which can be killed."""
    process = processes.Process(target=fit_often, args=(name, out))
    process.start()
    return process


def evaluated(out: Path) -> int:
    """How many evaluations a fit has behind it."""
    return len(list(out.glob("*/step-*.safetensors")))


@pytest.mark.parametrize("family", EVERY)
def test_a_fit_killed_at_any_moment_and_resumed_ends_in_the_same_weights(family: str, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    once = fitted_in_a_process(EVERY[family], whole)
    once.join()
    assert once.exitcode == 0
    evaluations = evaluated(whole)

    again = fitted_in_a_process(EVERY[family], killed)
    moment = random.randrange(evaluations - 3)  # the last ones are left to a fit that runs faster than the first did
    while (evaluated(killed) < moment or not list(killed.glob(f"*/{CHECKPOINT}"))) and again.is_alive():
        time.sleep(0.002)
    time.sleep(random.uniform(0, Run(whole).fitted.seconds / evaluations))
    again.kill()
    again.join()
    assert not (killed / "fitted.json").exists(), "killed too late: the fit had ended"

    resumed = fitted_in_a_process(EVERY[family], killed)
    resumed.join()
    assert resumed.exitcode == 0
    assert Run(killed).weights_sha256 == Run(whole).weights_sha256


def started_by_torchrun(words: list[str]) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
    command = [*torchrun, str(free_port()), "-m", "lineshape", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]


def started_alike(words: list[str]) -> None:
    """With what torchrun tells its processes, and without the seconds that each of the three takes to import torch."""
    port = free_port()
    pair = [processes.Process(target=fit_as_one_of_two, args=(rank, port, words)) for rank in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(240)
        assert process.exitcode == 0


@pytest.mark.parametrize(("family", "start"), [("vae", started_by_torchrun), ("wgan-gp", started_alike)])
def test_two_processes_make_the_steps_of_one(family: str, start: Callable[[list[str]], None], tmp_path: Path) -> None:
    """Every random number is drawn for the whole batch; what is left is the order of summation in float32.

    Two players amplify even that, so only their first steps can be compared: 5e-3 after eight of them.
    """
    plan = often(EVERY[family], steps=8)
    plan = msgspec.structs.replace(plan, axes={"spectrum": msgspec.structs.replace(plan.axes["spectrum"], n=161)})
    path = tmp_path / "plan.toml"
    path.write_text(recipe.text(plan))
    start(["fit", str(path), "--data", "embedded", "--device", "cpu", "--devices", "2", "--out", str(tmp_path / "two")])
    table = loading.load_table("embedded", plan)
    one = fitting.fit(plan, table, tmp_path / "one", data="embedded", data_sha256="embedded")
    two = Run(tmp_path / "two")
    np.testing.assert_allclose(two.fitted.scores, one.fitted.scores, rtol=5e-3)


@pytest.mark.parametrize("family", SAMPLERS)
@pytest.mark.parametrize("points", [64, 101])
def test_any_length_is_fitted_and_drawn(family: str, points: int, tmp_path: Path) -> None:
    table = two_classes(points=points)
    run = fit(on(often(EVERY[family], steps=4), table), table, tmp_path)
    sampler = RunSampler(run)
    drawn = sampler.draw(9, 0, sampler.classes[0] if sampler.classes else None)
    assert drawn.shape == (9, points)
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize("family", SAMPLERS)
@pytest.mark.parametrize("points", [4096, 8191, 8192])
def test_long_spectra_are_drawn_too(family: str, points: int) -> None:
    plan = recipe.load(EVERY[family])
    axis = loading.SpectralAxis.regular("raman", 0, points - 1, points, "cm-1")
    plan = msgspec.structs.replace(plan, axes={"spectrum": loading.AxisSpec.of(axis)})
    classes = Conditions(("a", "b")) if family_of(family).conditional else Conditions()
    network = family_of(family).network(plan, classes).eval()
    with torch.no_grad():
        drawn = network.draw(torch.randn(2, network.size), torch.eye(2)[:, : classes.size])
    assert drawn.shape == (2, points)


@pytest.mark.parametrize("family", CONDITIONAL)
def test_spectra_without_a_class_are_fitted_too(family: str, tmp_path: Path) -> None:
    table = two_classes()
    some = table.labels.copy()
    some[::3] = ""
    run = fit(on(often(EVERY[family], steps=4), table), loading.replace(table, label=some), tmp_path)
    assert run.spec.conditions.classes == ("left", "right")


@pytest.mark.parametrize("family", [name for name in CONDITIONAL if FAMILIES[name].needs_conditions])
def test_one_class_is_refused_by_a_conditional_family(family: str, tmp_path: Path) -> None:
    table = two_classes().rows(np.arange(30))
    with pytest.raises(DataError, match="needs two classes or an analyte; the spectra have the one class 'left'"):
        fit(on(often(EVERY[family]), table), table, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("family", SAMPLERS)
def test_a_loss_that_diverges_is_said_with_what_to_change(family: str, tmp_path: Path) -> None:
    plan = msgspec.structs.replace(often(EVERY[family]), search=None)
    plan = msgspec.structs.replace(plan, fit=msgspec.structs.replace(plan.fit, learning_rate=1e30))
    table = two_classes()
    with pytest.raises(FitError, match="lower learning_rate"):
        fit(on(plan, table), table, tmp_path)


@pytest.mark.parametrize("family", SAMPLERS)
def test_a_network_that_always_draws_the_same_is_refused(family: str) -> None:
    table, kind = two_classes(), family_of(family)
    plan = on(recipe.load(EVERY[family]), table)
    conditions = kind.conditions(table, plan)
    network = kind.network(plan, conditions)
    tensors = kind.tensors(table, conditions)
    network.begin(tensors)
    draw = network.draw
    network.draw = lambda noise, condition: draw(noise[:1], condition[:1]).expand(len(noise), -1)
    with pytest.raises(FitError, match="collapsed"):
        network.check(tensors, "run")


def test_the_fit_stops_where_the_score_no_longer_falls(tmp_path: Path) -> None:
    plan = often("raman-vae")
    patient = msgspec.structs.replace(plan, fit=msgspec.structs.replace(plan.fit, patience=1, learning_rate=0.0))
    scores = fit_short_of(patient, tmp_path).fitted.scores
    assert [len(fold) for fold in scores] == [2, 2]  # nothing changes after the first evaluation


def fit_short_of(plan: Recipe, out: Path) -> Run:
    return fitting.fit(plan, loading.load_table("embedded", plan), out, data="embedded", data_sha256="embedded")
