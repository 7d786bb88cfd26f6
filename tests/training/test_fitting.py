"""The fitting loop: nothing leaks, nothing is lost by a kill, and what cannot be fitted is said."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from fits import fit_short, short
from lightning.fabric import Fabric

from lineshape.errors import DataError, FitError, UsageError
from lineshape_training import fitting, loading, recipe
from lineshape_training.families import FAMILIES
from lineshape_training.fitter import Fitter, Job
from lineshape_training.run import Run


def test_the_same_seed_gives_the_same_weights_and_another_does_not(sample_run: Run, tmp_path: Path) -> None:
    again = fit_short("raman-vae", tmp_path / "again")
    assert again.weights_sha256 == sample_run.weights_sha256
    plan = short("raman-vae")
    table = loading.load_table("embedded", plan)
    other = fitting.fit(plan, table, tmp_path / "other", data="embedded", data_sha256="embedded", seed=1)
    assert other.weights_sha256 != sample_run.weights_sha256


def test_the_loss_of_every_family_falls() -> None:
    for name in ("raman-to-ir", "raman-vae"):
        plan = recipe.load(name)
        family = FAMILIES[plan.family]
        table = loading.load_table("embedded", plan)
        conditions = family.conditions(table, plan)
        tensors = family.tensors(table, conditions)
        fabric = Fabric(accelerator="cpu", devices=1)
        fitter = Fitter(Job(plan, conditions, tensors, fabric, 0, lambda steps: None), Path("unused"), 0)
        ready = fitter.prepared(tensors)
        fitter.begin(ready)
        losses = [sum(float(loss.detach()) for loss in fitter.advance(ready).values()) for _ in range(40)]
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
