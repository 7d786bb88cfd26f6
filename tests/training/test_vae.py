"""What the autoencoders promise: rebuilt spectra, one latent space, samples of a class, any length."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline

from lineshape.bundle import AxisSpec
from lineshape_training import fitting, recipe
from lineshape_training.conditions import Conditions
from lineshape_training.families import FAMILIES
from lineshape_training.latent import LatentNetwork
from lineshape_training.networks.autoencoder import Prior
from lineshape_training.run import Run
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.splits import group_folds
from lineshape_training.validation.metrics.power import high_frequency_power_ratio

DESIGN = Design("raman", classes=3, subjects=16, replicates=3, effect=8.0, points=201)


@pytest.fixture(scope="module")
def table() -> SpectraTable:
    return simulate(DESIGN).table


def plan_of(family: str, table: SpectraTable, steps: int, **model: object) -> recipe.Recipe:
    """The shipped recipe for saliva, on the table's axis, and smaller."""
    plan = recipe.load(f"saliva-{family}")
    small = {"channels": 8, "hidden": 64}
    fit = msgspec.structs.replace(plan.fit, steps=steps, evaluate_every=steps, learning_rate=3e-3)
    axes = {"spectrum": AxisSpec.of(table.axis)}
    return msgspec.structs.replace(plan, axes=axes, model=plan.model | small | model, fit=fit)


def fitted(family: str, table: SpectraTable, out: Path, steps: int = 120, **model: object) -> Run:
    return fitting.fit(plan_of(family, table, steps, **model), table, out, data="simulated", data_sha256="simulated")


@pytest.fixture(scope="module")
def unseen(table: SpectraTable) -> tuple[np.ndarray, np.ndarray]:
    """Rows to fit on and rows of other subjects."""
    return group_folds(table.group, 4, 0)[0]


@pytest.fixture(scope="module", params=["vae", "cvae"])
def run(request, table, unseen, tmp_path_factory) -> Run:
    return fitted(request.param, table.rows(unseen[0]), tmp_path_factory.mktemp("runs") / "run")


def contract(run: Run, task: str | None = None) -> torch.nn.Module:
    return FAMILIES[run.recipe.family].contract(run.network(), run.recipe, task).eval()


@torch.no_grad()
def drawn_from(sampler: torch.nn.Module, run: Run, *told: torch.Tensor, n: int | None = None) -> np.ndarray:
    normals = torch.randn(n or len(told[0]), run.network().size, generator=torch.Generator().manual_seed(0))
    as_measured = [torch.ones(len(normals), 1)] if run.network().detector else []
    drawn: np.ndarray = sampler(normals, *told, *as_measured)[0].numpy()
    return drawn


def tensors(table: SpectraTable) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(table.values), torch.from_numpy(table.mask)


def scaled(values: np.ndarray) -> np.ndarray:
    low, high = values.min(1, keepdims=True), values.max(1, keepdims=True)
    return (values - low) / (high - low)


@torch.no_grad()
def test_it_rebuilds_spectra_of_subjects_it_has_never_seen(run, table, unseen) -> None:
    train, held = table.rows(unseen[0]), table.rows(unseen[1])
    (rebuilt,) = contract(run, "reconstruct")(*tensors(held))
    truth, mean = scaled(held.values), scaled(train.values).mean(0)
    error = ((rebuilt.numpy() - truth) ** 2).mean()
    assert error < 0.5 * ((mean - truth) ** 2).mean()


@torch.no_grad()
def test_a_reconstruction_is_the_decoded_latent(run, table) -> None:
    network = run.network()
    assert isinstance(network, LatentNetwork)
    source, mask = tensors(table.rows(np.arange(5)))
    (latent,) = contract(run, "encode")(source, mask)
    assert latent.shape == (5, network.latent)
    (rebuilt,) = contract(run, "reconstruct")(source, mask)
    prepared = network.spectra(network.decoded(latent)).numpy()
    np.testing.assert_allclose(rebuilt.numpy(), scaled(prepared), atol=1e-5)  # the recipe scales by min-max alone


@torch.no_grad()
def test_an_interpolation_begins_and_ends_with_the_reconstructions(run, table) -> None:
    first, second = tensors(table.rows(np.arange(4)))[0], tensors(table.rows(np.arange(140, 144)))[0]
    between, whole = contract(run, "interpolate"), torch.ones_like(first)
    rebuilt = [contract(run, "reconstruct")(source, whole)[0] for source in (first, second)]
    for weight, expected in zip((0.0, 1.0), rebuilt, strict=True):
        (found,) = between(first, second, torch.full((4, 1), weight))
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-5)  # float32 sums in another order
    (middle,) = between(first, second, torch.full((4, 1), 0.5))
    apart = [float((middle - end).norm()) for end in rebuilt]
    assert max(apart) < float((rebuilt[0] - rebuilt[1]).norm())


@torch.no_grad()
def test_what_was_not_measured_does_not_count(run, table) -> None:
    source, mask = tensors(table.rows(np.arange(3)))
    mask[:, :20] = 0
    rebuild = contract(run, "reconstruct")
    once, again = (rebuild(source * mask + (1 - mask) * filler, mask)[0].numpy() for filler in (0.0, 123.0))
    np.testing.assert_allclose(once, again, atol=1e-5)


def test_samples_of_a_class_look_like_the_class(tmp_path: Path) -> None:
    table = simulate(dataclasses.replace(DESIGN, background=0.0, effect=10.0)).table
    run = fitted("cvae", table, tmp_path / "run", steps=200)
    classes = run.spec.conditions.classes
    label = torch.arange(len(classes)).repeat(40)[:, None]
    read = make_pipeline(PCA(20), LinearDiscriminantAnalysis()).fit(scaled(table.values), table.labels)
    told = read.predict(drawn_from(contract(run), run, label))
    assert (told == np.array(classes)[label[:, 0]]).mean() > 0.75  # 1/3 by chance


def test_samples_are_as_noisy_as_measured_spectra(tmp_path: Path) -> None:
    table = simulate(dataclasses.replace(DESIGN, noise=5.0)).table
    smooth, noisy = (fitted("vae", table, tmp_path / str(noise), steps=40, noise=noise) for noise in (False, True))
    ratios = [
        high_frequency_power_ratio(drawn_from(contract(run), run, n=200), scaled(table.values))
        for run in (smooth, noisy)
    ]
    assert ratios[0] < 0.5
    assert 0.8 < ratios[1] < 1.25


def test_classes_may_be_unknown(table, tmp_path: Path) -> None:
    label = table.labels.copy()
    label[::4] = ""
    run = fitted("cvae", dataclasses.replace(table, label=label), tmp_path / "run", steps=10)
    assert run.spec.conditions.classes == ("class-0", "class-1", "class-2")
    network = run.network()
    assert torch.isfinite(network.draw(torch.randn(2, network.size), torch.zeros(2, 3))).all()


@pytest.mark.parametrize("length", [64, 65, 127, 1000, 4097, 8192])
@pytest.mark.parametrize("family", ["vae", "cvae"])
@torch.no_grad()
def test_any_length_goes_through_every_task(family: str, length: int) -> None:
    plan = recipe.load(f"saliva-{family}")
    axis = msgspec.structs.replace(plan.axes["spectrum"], n=length)
    plan = msgspec.structs.replace(plan, axes={"spectrum": axis})
    conditions = Conditions(("a", "b")) if family == "cvae" else Conditions()
    network = FAMILIES[family].network(plan, conditions).eval()
    makers = {
        "noise": torch.randn, "label": lambda n, k: torch.ones(n, k).long(), "source": torch.rand,
        "source_b": torch.rand, "mask": torch.ones, "weight": torch.rand, "noise_scale": torch.ones,
    }  # fmt: skip
    for task in FAMILIES[family].tasks:
        module = FAMILIES[family].contract(network, plan, task)
        outputs = module(*(makers[spec.role](2, spec.shape[1]) for spec in module.inputs))
        for spec, output in zip(module.outputs, outputs, strict=True):
            assert output.shape == (2, spec.shape[1]), task
            assert torch.isfinite(output).all(), task


@pytest.mark.parametrize("told", [0, 3])
def test_the_density_of_the_prior_is_that_of_its_draws(told: int) -> None:
    torch.manual_seed(0)
    prior = Prior(5, 8, told, couplings=3).double()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    noise, condition = torch.randn(4, 5, dtype=torch.float64), torch.randn(4, told, dtype=torch.float64)
    found = prior.log_density(prior.draw(noise, condition), condition).tolist()
    for row in range(4):
        jacobian = torch.autograd.functional.jacobian(
            lambda one, row=row: prior.draw(one[None], condition[row : row + 1])[0], noise[row]
        )
        expected = -0.5 * (noise[row] ** 2).sum() - torch.linalg.slogdet(jacobian)[1]
        assert found[row] == pytest.approx(float(expected), abs=1e-9)
