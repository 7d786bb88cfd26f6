"""BayesOpGAN: spectra that are smooth and not negative, from few measured ones, and losses that all teach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from fits import short
from jaxtyping import Float
from torch import Tensor

from lineshape.bundle import AxisSpec
from lineshape.errors import DataError
from lineshape_training import fitting
from lineshape_training.conditions import Conditions
from lineshape_training.families.bayesop import BayesOpGAN, BayesOpNetwork, SmoothUpsampling
from lineshape_training.recipe import Range, Recipe, SearchSpec
from lineshape_training.run import Run
from lineshape_training.sampling import SpectrumNetwork
from lineshape_training.spectra import SpectraTable

POINTS, EACH = 161, 10


def plan(**model: float) -> Recipe:
    """The shipped recipe, cut to a short fit of small spectra."""
    recipe = short("minerals-bayesop-gan", steps=10)
    axis = AxisSpec("raman", "cm-1", 200.0, 1000.0, POINTS, "ascending")
    return msgspec.structs.replace(recipe, axes={"spectrum": axis}, model={"channels": 16} | model, search=None)


def few(classes: int = 3, each: int = EACH, seed: int = 0) -> SpectraTable:
    """Spectra of classes with a line of their own each, which varies in place and height, over detector noise."""
    rng, x = np.random.default_rng(seed), np.arange(POINTS)
    label = np.repeat([f"mineral {k}" for k in range(classes)], each)
    centre = np.repeat(40 + 35 * np.arange(classes), each) + rng.normal(0, 1, classes * each)
    line = rng.uniform(0.2, 0.8, (classes * each, 1)) / (1 + ((x - centre[:, None]) / 4) ** 2)
    fixed = 1 / (1 + ((x - 20) / 5) ** 2)
    values = np.float32(line + fixed + rng.normal(0, 0.01, line.shape))
    own = np.array([f"specimen {k}" for k in range(len(label))])
    axis = plan().axes["spectrum"].axis()
    return SpectraTable(values, np.ones_like(values), axis, own, own, label if classes else None)


def begun(table: SpectraTable, recipe: Recipe) -> tuple[BayesOpNetwork, dict[str, Tensor]]:
    family = BayesOpGAN()
    conditions = family.conditions(table, recipe)
    torch.manual_seed(0)
    network, tensors = family.network(recipe, conditions), family.tensors(table, conditions)
    network.begin(tensors)
    return network, tensors


def fit(table: SpectraTable, recipe: Recipe, out: Path) -> Run:
    return fitting.fit(recipe, table, out, data="few", data_sha256="few")


def high_frequencies(curves: Float[Tensor, "n c T"]) -> float:
    """Their share of the power that is not in the mean."""
    power = torch.fft.rfft(curves.detach()).abs().square()[..., 1:]
    return float(power[..., power.shape[-1] // 2 :].sum() / power.sum())


def test_intensities_are_never_negative_whatever_the_weights() -> None:
    network, tensors = begun(few(), plan())
    for scale in (1.0, 3.0, 10.0):
        with torch.no_grad():
            for parameter in network.generator.parameters():
                parameter.copy_(scale * torch.randn_like(parameter) / parameter.shape[-1] ** 0.5)
            drawn = network.spectra(network.draw(3 * torch.randn(30, network.size), tensors["condition"]))
        # The mean is taken away and added again in float32: what is left of 0 is its rounding.
        assert float(drawn.min()) > -1e-5 * float(drawn.max().clamp(min=1))


def test_spectra_that_lie_below_zero_are_refused() -> None:
    table = few()
    below = msgspec.structs.replace(plan(), intensity_half={})
    with pytest.raises(DataError, match=r"lie below 0, where bayesop-gan draws none; begin .* with min-max"):
        begun(replace(table, values=table.values - 1), below)


@pytest.mark.parametrize("seed", range(5))
def test_smooth_upsampling_is_smoother_than_plain_upsampling_of_the_same_weights(seed: int) -> None:
    torch.manual_seed(seed)
    smooth, plain = SmoothUpsampling(8, 8), SmoothUpsampling(8, 8, blend=0.0)
    plain.load_state_dict(smooth.state_dict())
    hidden = torch.randn(16, 8, 1, 40)
    # What is interpolated, half of the amplitude, holds few high frequencies; with noise for input and random weights
    # their share falls by a quarter to a half.
    assert high_frequencies(smooth(hidden)[:, :, 0]) < high_frequencies(plain(hidden)[:, :, 0]) / 1.2


def test_a_straight_line_stays_one_where_it_is_only_interpolated() -> None:
    layer = SmoothUpsampling(1, 1, blend=1.0)
    torch.nn.init.ones_(layer.carry.weight)
    torch.nn.init.zeros_(layer.carry.bias)
    doubled = layer(torch.arange(6.0)[None, None, None])[0, 0, 0]
    expected = torch.nn.functional.interpolate(torch.arange(6.0)[None, None], scale_factor=2.0, mode="linear")[0, 0]
    torch.testing.assert_close(doubled, expected)


def test_it_starts_at_the_mean_spectrum_of_each_class() -> None:
    table = few()
    network, tensors = begun(table, plan())
    with torch.no_grad():
        torch.nn.init.zeros_(network.generator.out.weight)
        torch.nn.init.zeros_(network.generator.out.bias)
        drawn = network.draw(torch.randn(30, network.size), tensors["condition"])
    real = network.standardised(tensors)
    for k in range(3):
        own, other = (real[j * EACH : (j + 1) * EACH].mean(0) for j in (k, (k + 1) % 3))
        mean = drawn[k * EACH : (k + 1) * EACH].mean(0)
        # In units of the spread. The smoothing of a mean blunts its peaks a little, and ten draws of noise are left.
        assert float((mean - own).square().mean().sqrt()) < 0.2
        assert float((mean - other).square().mean().sqrt()) > 0.5


def test_noise_starts_as_large_as_the_detector_s() -> None:
    network, tensors = begun(few(each=40), plan())
    with torch.no_grad():
        drawn = network.draw(torch.randn(120, network.size), tensors["condition"])
    ours, real = (x.diff(n=4, dim=1).abs().median() for x in (drawn, network.standardised(tensors)))
    # The detector's noise was drawn white, and is drawn again as on a measured grid; fold and peaks add a little.
    assert float(ours) == pytest.approx(float(real), rel=0.3)


def test_every_loss_teaches_the_generator_and_only_the_critic_s_own_the_critic() -> None:
    network, tensors = begun(few(), plan())
    batch = tensors | network.draws(len(tensors["values"]), torch.device("cpu"))
    terms = network.loss(batch, "generator", torch.zeros(()))
    assert terms.keys() == {"adversarial", "matching", "fourier", "smoothness", "moments"}
    weights = [network.generator.seed.weight, network.generator.stages[0].carry.weight, network.generator.out.weight]
    for name, term in terms.items():
        for slope in torch.autograd.grad(term, weights, retain_graph=True):
            assert float(slope.abs().sum()) > 0, name
            assert bool(torch.isfinite(slope).all()), name
    for name in ("adversarial", "matching", "fourier", "smoothness"):
        (slope,) = torch.autograd.grad(terms[name], [network.generator.deviation.bias], retain_graph=True)
        assert float(slope.abs()) > 0, f"{name} does not teach how large the noise is"
    with torch.no_grad():
        batch |= network.given(batch, "critic")
    own = network.loss(batch, "critic", torch.zeros(()))
    assert own.keys() == {"critic", "penalty"}
    for name, term in own.items():
        (slope,) = torch.autograd.grad(term, [network.critic.convolutions[0].weight], retain_graph=True)
        assert float(slope.abs().sum()) > 0, name


def test_a_weight_of_nothing_takes_a_loss_away() -> None:
    network, tensors = begun(few(), plan(fourier=0.0))
    terms = network.loss(tensors | network.draws(3 * EACH, torch.device("cpu")), "generator", torch.zeros(()))
    assert float(terms["fourier"].detach()) == 0 < float(terms["moments"].detach())


def test_copies_of_the_mean_gain_nothing_by_their_frequencies(monkeypatch: pytest.MonkeyPatch) -> None:
    network, tensors = begun(few(each=60), plan())
    held = {name: values[1::2] for name, values in tensors.items()}
    gaps = []
    for rows in (tensors["values"][::2], tensors["values"].mean(0).expand(90, POINTS)):
        drawn = network.standardised({"values": rows, "mask": held["mask"]})
        monkeypatch.setattr(SpectrumNetwork, "score", lambda self, held: 0.0)
        monkeypatch.setattr(network, "_drawn", lambda held, drawn=drawn: drawn)
        gaps.append(network.score(held))
    assert gaps[0] < gaps[1] / 3  # other real spectra, and copies of their mean


@pytest.mark.parametrize("classes", [3, 1, 0])
def test_ten_spectra_a_class_are_enough_and_classes_are_not_needed(classes: int, tmp_path: Path) -> None:
    table = few(classes) if classes else replace(few(2), label=None)
    run = fit(table, plan(), tmp_path / "run")
    assert len(run.spec.conditions.classes) == (classes if classes > 1 else 0)
    assert np.isfinite(run.fitted.held_out).all()


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    first, second = (fit(few(), plan(), tmp_path / name) for name in "ab")
    assert first.weights_sha256 == second.weights_sha256


def test_the_shipped_recipe_searches_for_the_weights_and_fits_with_what_it_found(tmp_path: Path) -> None:
    shipped = short("minerals-bayesop-gan").search
    assert isinstance(shipped, SearchSpec)
    assert shipped.parameters.keys() == {"matching", "fourier", "smoothness", "moments", "latent", "learning_rate"}
    within = {name: range_ for name, range_ in shipped.parameters.items() if name in ("fourier", "latent")}
    assert all(isinstance(range_, Range) for range_ in within.values())
    recipe = msgspec.structs.replace(plan(latent=16, fourier=1.0), search=SearchSpec(3, 2, within, startup=2))
    run = fit(few(), recipe, tmp_path / "run")
    assert run.network().config.latent == run.recipe.model["latent"]
    assert len(run.fitted.trials) == 3


def test_a_class_that_was_never_seen_is_drawn_about_the_mean_of_all() -> None:
    table = few()
    family, recipe = BayesOpGAN(), plan()
    conditions = Conditions((*family.conditions(table, recipe).classes, "never seen"))
    network = family.network(recipe, conditions)
    network.begin(family.tensors(table, conditions))
    assert float(network.start[-1].abs().max()) < 1e-5
