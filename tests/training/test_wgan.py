"""The adversarial families: the critic's slope is exact, rows are strangers, and samples follow what they are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.fabric import Fabric
from torch.nn import functional as F

from lineshape.bundle import AxisSpec
from lineshape_training import fit_bench
from lineshape_training.families import FAMILIES
from lineshape_training.family import Tensors
from lineshape_training.fitter import Fitter, Job
from lineshape_training.networks.critic import Critic
from lineshape_training.networks.upsampling import Upsampling, drawn_out
from lineshape_training.recipe import Recipe, load
from lineshape_training.sampling import SpectrumNetwork
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable

CONDITIONAL = ["cwgan-gp", "cgan"]
ALL = ["wgan-gp", *CONDITIONAL]
SMALL: dict[str, dict[str, Any]] = {
    "wgan-gp": {"latent": 16, "generator": [16, 16, 8], "critic": [8, 8], "features": 32, "n_critic": 3},
    "cgan": {"latent": 16, "generator": [32, 64], "critic": [64, 32], "penalty": 0.5},
}
SMALL["cwgan-gp"] = SMALL["wgan-gp"]


def table(points: int = 128, classes: int = 3, analytes: tuple[str, ...] = ()) -> SpectraTable:
    """Simulated Raman spectra whose classes lie far apart."""
    design = Design("raman", classes, subjects=15, replicates=4, effect=10.0, points=points, analytes=analytes,
                    background=0.0)  # fmt: skip
    return simulate(design).table


def recipe_of(family: str, spectra: SpectraTable, steps: int = 100) -> Recipe:
    """The shipped recipe on the simulated axis, with small networks."""
    plan = load(f"saliva-{family}")
    fit = msgspec.structs.replace(plan.fit, steps=steps, evaluate_every=steps, learning_rate=2e-3, ema=0.95)
    data = msgspec.structs.replace(plan.data, analytes=tuple(spectra.analytes))
    axes = {"spectrum": AxisSpec.of(spectra.axis)}
    return msgspec.structs.replace(plan, axes=axes, fit=fit, data=data, model=SMALL[family])


def fitter_of(family: str, spectra: SpectraTable, steps: int = 100) -> tuple[Fitter, Tensors]:
    """A fitter before its first step."""
    plan = recipe_of(family, spectra, steps)
    conditions = FAMILIES[family].conditions(spectra, plan)
    tensors = FAMILIES[family].tensors(spectra, conditions)
    fitter = Fitter(Job(plan, conditions, tensors, Fabric(accelerator="cpu", devices=1), 0, lambda n: None), Path(), 0)
    fitter.begin(tensors)
    return fitter, tensors


def network_of(family: str, points: int = 128) -> SpectrumNetwork:
    """Fresh weights, moved off their zeros."""
    torch.manual_seed(0)
    spectra = table(points)
    plan = recipe_of(family, spectra)
    network: SpectrumNetwork = FAMILIES[family].network(plan, FAMILIES[family].conditions(spectra, plan))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    network.eval()
    return network


def inputs_of(network: SpectrumNetwork, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, and a class for each row."""
    condition = torch.eye(3)[torch.arange(n) % 3][:, : network.conditions.size]
    return torch.randn(n, network.size), condition


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(64, 700),
    channels=st.lists(st.integers(1, 6), max_size=3),
    hidden=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    told=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_the_slope_by_forward_operations_is_the_gradient(
    length: int, channels: list[int], hidden: list[int], told: int, seed: int
) -> None:
    torch.manual_seed(seed)
    critic = Critic(length, channels, hidden, told).double()
    spectra = torch.randn(4, length, dtype=torch.float64, requires_grad=True)
    condition = torch.randn(4, told, dtype=torch.float64)
    ours = critic.input_gradient(spectra, condition)
    (theirs,) = torch.autograd.grad(critic(spectra, condition).sum(), spectra, create_graph=True)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)  # rounding of float64 over a few layers

    def by_weights(gradient: torch.Tensor) -> list[torch.Tensor]:
        penalty = ((gradient.square().sum(1) + 1e-12).sqrt() - 1).square().mean()
        return list(torch.autograd.grad(penalty, list(critic.parameters()), materialize_grads=True))

    torch.testing.assert_close(by_weights(ours), by_weights(theirs), rtol=1e-7, atol=1e-9)  # the root may be near 0


def test_the_slope_remembers_nothing_of_the_pass_that_found_it() -> None:
    critic = Critic(100, (4, 4), (8,))
    spectra = torch.randn(2, 100, requires_grad=True)
    gradient = critic.input_gradient(spectra, torch.zeros(2, 0))
    assert torch.autograd.grad(gradient.sum(), spectra, allow_unused=True)[0] is None


@settings(max_examples=20, deadline=None)
@given(points=st.integers(1, 40), inward=st.integers(1, 5), outward=st.integers(1, 5))
def test_upsampling_is_a_resize_and_a_convolution(points: int, inward: int, outward: int) -> None:
    layer = Upsampling(inward, outward).double()
    hidden = torch.randn(3, inward, 1, points, dtype=torch.float64)
    wanted = F.conv1d(hidden[:, :, 0].repeat_interleave(2, dim=2), layer.weight, layer.bias, padding=2)
    torch.testing.assert_close(layer(hidden)[:, :, 0], wanted)


@pytest.mark.parametrize("points", [1, 2, 7, 64])
def test_drawing_out_is_linear_interpolation(points: int) -> None:
    spectra = torch.randn(3, points, dtype=torch.float64)
    wanted = F.interpolate(spectra[:, None], scale_factor=2, mode="linear")[:, 0]
    torch.testing.assert_close(drawn_out(spectra), wanted)


@pytest.mark.parametrize("family", ALL)
@pytest.mark.parametrize("points", [64, 65, 97, 991, 6000, 8191, 8192])
def test_spectra_of_any_length(family: str, points: int) -> None:
    network = network_of(family, points)
    noise, condition = inputs_of(network, 2)
    spectra = network.draw(noise, condition)
    assert spectra.shape == (2, points)
    assert torch.isfinite(spectra).all()
    batch = {"noise": noise, "condition": condition, "mask": torch.ones(2, points), "values": torch.rand(2, points),
             "place": torch.rand(2, 1)}  # fmt: skip
    for turn in network.turns:
        with torch.no_grad():
            seen = batch | network.given(batch, turn.name)
        losses = network.loss(seen, turn.name, torch.zeros(()))
        assert all(torch.isfinite(loss) for loss in losses.values())


@pytest.mark.parametrize("family", ALL)
def test_no_row_of_a_batch_sees_another(family: str) -> None:
    network: Any = network_of(family)
    noise, condition = inputs_of(network, 6)
    together = network.draw(noise, condition)
    apart = torch.cat([network.draw(noise[k : k + 1], condition[k : k + 1]) for k in range(6)])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)  # sums of float32 in another order
    for function in (network.critic, network.critic.input_gradient):
        alone = torch.cat([function(together[k : k + 1], condition[k : k + 1]) for k in range(6)])
        torch.testing.assert_close(function(together, condition), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ALL)
def test_each_player_descends_in_its_own_turn_and_the_same_fit_ends_in_the_same_weights(family: str) -> None:
    spectra = table()
    fitter, tensors = fitter_of(family, spectra)
    losses = [fitter.advance(tensors) for _ in range(3)][-1]
    assert losses.keys() >= {"critic", "penalty", "generator"}
    again, _ = fitter_of(family, spectra)
    for _ in range(3):
        again.advance(tensors)
    for mine, other in zip(fitter.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(mine, other)
    before = [parameter.clone() for parameter in fitter.network.module.critic.parameters()]
    turn, batch = fitter.turns[1], fitter._batches(tensors, fitter.turns[1])[0]
    fitter._descend(batch, turn, fitter.optimizers[1], 1e-3)
    for mine, other in zip(fitter.network.module.critic.parameters(), before, strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("family", CONDITIONAL)
def test_samples_follow_their_class_and_an_unknown_one_may_be_any(family: str) -> None:
    spectra = table(points=96, classes=2)
    fitter, tensors = fitter_of(family, spectra, steps=150 if family == "cgan" else 60)
    for _ in range(fitter.job.recipe.fit.steps):
        fitter.advance(tensors)
    network: Any = fitter.average.module.eval()
    real, label = network.standardised(tensors), tensors["condition"].argmax(1)
    means = torch.stack([real[label == k].mean(0) for k in range(2)])

    def nearest(label: int) -> float:
        condition = network.conditions.told(torch.full((200, 1), label), like=torch.zeros(200, 1))
        torch.manual_seed(label)
        with torch.no_grad():
            drawn = network.draw(torch.randn(200, network.size), condition)
        assert torch.isfinite(drawn).all()
        direction = means[1] - means[0]
        return float((((drawn - means.mean(0)) @ direction) > 0).float().mean())

    assert nearest(0) < 0.2
    assert nearest(1) > 0.8
    assert 0.02 < nearest(-1) < 0.98


def test_analytes_stand_beside_the_class() -> None:
    spectra = table(points=96, classes=2, analytes=("glucose",))
    fitter, tensors = fitter_of("cwgan-gp", spectra)
    assert tensors["condition"].shape[1] == 2 + 2
    assert all(torch.isfinite(loss) for loss in fitter.advance(tensors).values())


def test_points_that_were_not_measured_tell_the_critic_nothing() -> None:
    network: Any = network_of("wgan-gp")
    mask = torch.ones(4, 128)
    mask[:, 100:] = 0
    noise, condition = inputs_of(network, 4)
    batch = {"noise": noise, "condition": condition, "mask": mask, "values": torch.rand(4, 128) * mask,
             "place": torch.rand(4, 1)}  # fmt: skip
    seen = network.given(batch, "critic")
    assert all((seen[name][:, 100:] == 0).all() for name in ("real", "fake", "between"))


def test_the_plain_loop_of_the_bench_has_the_same_networks() -> None:
    network: Any = network_of("wgan-gp")
    noise, condition = inputs_of(network, 5)
    spectra = network.draw(noise, condition)
    torch.testing.assert_close(fit_bench.PlainGenerator(network.generator)(noise), spectra, rtol=1e-4, atol=1e-5)
    answers = fit_bench.PlainCritic(network.critic)(spectra)[:, 0]
    torch.testing.assert_close(answers, network.critic(spectra, condition), rtol=1e-4, atol=1e-5)


def test_the_bench_measures_both_loops() -> None:
    found = fit_bench.bench("cpu", steps=1, repeats=3, size="cpu")
    assert found.steps == 3
    assert min(found.milliseconds.low, found.plain_milliseconds.low) > 0
    assert np.isfinite([found.mmd.value, found.plain_mmd.value]).all()
    assert abs(found.floor.value) < 0.02  # real spectra of other subjects: 0 but for the draw of 180 subjects
