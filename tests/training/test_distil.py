"""Fewer evaluations: what a student learns, and when it is accepted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from fits import on, short, two_classes

from lineshape.errors import DataError, FailedValidation, UsageError
from lineshape_training import fitting
from lineshape_training.conditions import Conditions
from lineshape_training.distilling import distilling
from lineshape_training.distilling.acceptance import MARGINS, Compared, Figure
from lineshape_training.distilling.distilling import distil, taught
from lineshape_training.distilling.students import Halving, Reflow
from lineshape_training.drawing import RunSampler
from lineshape_training.families import family_of
from lineshape_training.recipe import Recipe
from lineshape_training.run import Run
from lineshape_training.spectra import SpectraTable

GROUPS = 24


def plan_of(family: str, steps: int) -> Recipe:
    plan = on(short(f"raman-{family}", steps), two_classes(GROUPS))
    small = {**plan.model, "width": 64, "blocks": 2}
    return msgspec.structs.replace(plan, model=small, fit=msgspec.structs.replace(plan.fit, batch=32, holdouts=1))


@pytest.fixture(scope="module")
def table() -> SpectraTable:
    return two_classes(GROUPS)


@pytest.fixture(scope="module")
def flow(table: SpectraTable, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("teacher") / "flow"
    return fitting.fit(plan_of("flow", 400), table, out, data="x", data_sha256="x")


def test_a_reflow_goes_in_one_evaluation_where_its_teacher_goes_in_many(
    flow: Run, table: SpectraTable, tmp_path: Path
) -> None:
    student, found = distil(flow, table, tmp_path / "one", pairs=2000, steps=400)
    assert found.accepted
    assert student.recipe.model["evaluations"] == 1
    assert student.spec.distilled is not None
    assert student.spec.distilled.teacher_sha256 == flow.weights_sha256
    exact = RunSampler(flow.walked(sampler="heun", evaluations=63)).draw(200, 3, "left")
    one, plain = (
        RunSampler(run).draw(200, 3, "left") for run in (student, flow.walked(sampler="euler", evaluations=1))
    )
    # The same noise leads to the same spectrum: at least to half of the way that one step of the teacher misses.
    assert np.abs(one - exact).mean() < 0.5 * np.abs(plain - exact).mean()


@pytest.mark.parametrize("method", ["halving", "shortcut"])
def test_the_other_methods_end_in_runs_like_any_other(
    method: distilling.Method, flow: Run, table: SpectraTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in MARGINS:
        monkeypatch.setitem(MARGINS, name, np.inf)  # this is about the run; whether it is good is asked elsewhere
    student, _ = distil(flow, table, tmp_path / method, method=method, evaluations=2, steps=40)
    again = RunSampler(Run(student.folder))
    assert again.draw(3, 0, "right").shape == (3, 64)
    assert student.recipe.family == ("shortcut" if method == "shortcut" else "flow")


def test_half_the_steps_arrive_where_all_of_them_did(table: SpectraTable) -> None:
    """A network that says what halving asks for makes one step of its teacher's two."""
    told, kind, plan = Conditions(("left", "right")), family_of("ddpm"), plan_of("ddpm", 2)
    teacher, network = (kind.network(plan, told).requires_grad_(False) for _ in range(2))
    tensors = kind.tensors(table, told)
    for one in (teacher, network):
        one.begin(tensors)
        torch.nn.init.normal_(one.denoiser.write.weight, std=0.1)
    student = Halving(network, teacher, 4)
    batch = {name: values[:16] for name, values in tensors.items()} | student.draws(16, torch.device("cpu"))
    goal = student.given(batch, "descent")
    begin, half, end = (teacher.path.schedule.at(time) for time in batch["times"].chunk(3, dim=1))
    denoise = teacher.denoise(batch["condition"])
    middle = student.halves.step(goal["z"], begin, half, denoise)
    two = student.halves.step(middle, half, end, denoise)
    noise = (goal["z"] - begin.alpha * goal["clean"]) / begin.sigma
    one = end.alpha * goal["clean"] + end.sigma * noise
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)  # float32, divided by differences of a small step
    assert "teachers" not in dict(student.named_children())  # a student's weights are its own alone


def test_the_last_steps_of_a_reflow_look_only_where_it_will_be_asked(flow: Run) -> None:
    network = flow.walked(sampler="euler", evaluations=2).network()
    student = Reflow(network)
    batch = student.draws(32, torch.device("cpu"))
    assert set(np.unique(batch["asked"].numpy())) == {np.float32(at.time) for at, _ in network.sampler.steps}
    seen: list[torch.Tensor] = []
    network.error = lambda ends, time, condition: seen.append(time) or torch.zeros(())
    pair = {name: torch.zeros(32, network.coordinates.size) for name in ("clean", "noise")}
    for done in (0.5, 0.9):
        student.loss({**batch, **pair, "condition": torch.zeros(32, 2)}, "descent", torch.tensor(done))
    torch.testing.assert_close(seen[0], batch["time"])
    torch.testing.assert_close(seen[1], batch["asked"])


def test_a_student_that_falls_short_is_refused_and_cannot_be_exported(
    flow: Run, table: SpectraTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MARGINS, "two-sample AUC", -0.6)  # nobody is that much better than a teacher
    with pytest.raises(FailedValidation, match=r"falls short of its teacher: .*margin .*new folder, with more --steps"):
        distil(flow, table, tmp_path / "poor", pairs=100, steps=5)
    assert not Run(tmp_path / "poor").ended
    with pytest.raises(DataError, match=r"fell short of its teacher \(acceptance.json says where\)"):
        Run(tmp_path / "poor").network()


def test_a_killed_distillation_goes_on(flow: Run, table: SpectraTable, tmp_path: Path) -> None:
    whole = taught(flow, table, tmp_path / "whole", pairs=200, steps=40)
    left = iter(range(30))

    def dies(steps: int) -> None:
        next(left)  # StopIteration on the 31st call, between two checkpoints

    with pytest.raises(StopIteration):
        taught(flow, table, tmp_path / "killed", pairs=200, steps=40, progress=dies)
    with pytest.raises(UsageError, match="--resume"):
        taught(flow, table, tmp_path / "killed", pairs=200, steps=40)
    resumed = taught(flow, table, tmp_path / "killed", pairs=200, steps=40, resume=True)
    assert resumed.weights_sha256 == whole.weights_sha256


@pytest.mark.parametrize(
    ("family", "method", "said"),
    [
        ("cvae", "reflow", "nothing to distil"),
        ("ddpm", "reflow", "no straight path"),
        ("ddpm", "shortcut", "only a flow"),
    ],
)
def test_what_cannot_be_taught_is_refused(
    family: str, method: distilling.Method, said: str, table: SpectraTable, tmp_path: Path
) -> None:
    run = fitting.fit(on(short(f"raman-{family}", 2), table), table, tmp_path / "run", data="x", data_sha256="x")
    with pytest.raises(UsageError, match=said):
        distil(run, table, tmp_path / "student", method=method)
    assert not (tmp_path / "student").exists()


def test_other_spectra_than_those_of_the_fit_are_refused(flow: Run, table: SpectraTable, tmp_path: Path) -> None:
    renamed = replace(table, group=np.char.add("other ", table.group))
    with pytest.raises(DataError, match="none of the groups of its fit"):
        distil(flow, renamed, tmp_path / "student")


@pytest.mark.parametrize("name", MARGINS)
def test_a_student_is_accepted_within_the_margin_and_no_farther(name: str) -> None:
    teacher, goal, margin = 0.6, 0.5, MARGINS[name]
    for share, accepted in ((0.99, True), (1.01, False)):
        found = Compared((Figure(name, teacher, teacher + share * margin, goal, margin),), True)
        assert found.accepted == accepted
        assert (name in found.reasons) != accepted
    assert Figure(name, teacher, goal, goal, margin).near  # nearer to the goal than its teacher


@pytest.mark.parametrize("name", ["MMD", "two-sample AUC"])
def test_what_cannot_be_told_from_real_spectra_is_no_fault(name: str) -> None:
    assert Figure(name, 0.5, -1.0, 0.5, 0.0).near
