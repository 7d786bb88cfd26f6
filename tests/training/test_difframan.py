"""DiffRaman: the codebook follows its cells, layouts lose nothing, and the autoencoder is done before the diffusion."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from fits import often
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.fabric import Fabric
from torch import Tensor

from lineshape.bundle import AxisSpec
from lineshape.errors import RecipeError
from lineshape_training import fitting
from lineshape_training.diffusion.quantised import LAYOUTS, QuantisedLatent
from lineshape_training.drawing import RunSampler
from lineshape_training.families import FAMILIES, family_of
from lineshape_training.families.difframan import AUTOENCODER, DiffRamanNetwork
from lineshape_training.fitter import Fitter, Job
from lineshape_training.networks.quantised import DEAD, DECAY, Codebook, Decoder, Encoder
from lineshape_training.recipe import Recipe, load
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable

RECIPES = {"line": "saliva-difframan", "figure": "saliva-difframan-figure"}
of_layout = pytest.mark.parametrize("layout", LAYOUTS)


def table(points: int = 128) -> SpectraTable:
    """Simulated Raman spectra of two classes."""
    return simulate(Design("raman", 2, subjects=10, replicates=4, points=points)).table


def plan_of(layout: str, spectra: SpectraTable, steps: int) -> Recipe:
    """A short fit of a shipped recipe with a small network, on the axis of a table."""
    plan = often(RECIPES[layout], steps)
    model = plan.model | {"codes": 64, "convolutions": 16, "width": 32, "blocks": 1}
    fit = msgspec.structs.replace(plan.fit, batch=16, evaluate_every=steps, ema=0.9)
    return msgspec.structs.replace(plan, model=model, fit=fit, axes={"spectrum": AxisSpec.of(spectra.axis)})


def fitter_of(layout: str, steps: int) -> tuple[Fitter, DiffRamanNetwork, dict[str, Tensor]]:
    """A fitter before its first step, its network and the spectra of its fit."""
    spectra = table()
    plan, family = plan_of(layout, spectra, steps), FAMILIES["difframan"]
    conditions = family.conditions(spectra, plan)
    tensors = family.tensors(spectra, conditions)
    fabric = Fabric(accelerator="cpu", devices=1)
    fitter = Fitter(Job(plan, conditions, tensors, fabric, 0, lambda n: None), Path(), 0)
    fitter.begin(tensors)
    return fitter, fitter.network.module, tensors


def states(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def rms(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def errors(coordinates: QuantisedLatent, spectra: Tensor) -> tuple[float, float, float]:
    """Root mean square errors of signals decoded from cells, from codes, and the distance between the two."""
    with torch.no_grad():
        signal = coordinates.noise.signal(spectra)
        cells = coordinates.encoder(signal)
        codes = coordinates.codebook.codes[coordinates.codebook.nearest(cells.flatten(0, 1))].view_as(cells)
        one, other = (coordinates.noise.signal(coordinates.decoder(latent)) for latent in (cells, codes))
        return rms(one - signal), rms(other - signal), rms(one - other)


@of_layout
@given(length=st.integers(16, 1200), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_any_length_is_folded_and_unfolded_exactly(layout: str, length: int, seed: int) -> None:
    laid = LAYOUTS[layout](length)
    spectra = torch.randn(2, length, generator=torch.Generator().manual_seed(seed))
    folded = laid.fold(spectra)
    assert folded[0, 0].numel() == 8 * laid.cells
    assert torch.equal(laid.unfold(folded), spectra)


def test_a_figure_of_1024_points_is_a_square_of_32() -> None:
    spectra = torch.arange(1024.0)[None]
    figure = LAYOUTS["figure"](1024)
    assert torch.equal(figure.fold(spectra)[0, 0], spectra.view(32, 32))
    assert figure.cells == LAYOUTS["line"](1024).cells == 128


@of_layout
def test_channels_spread_into_the_points_that_a_stride_took(layout: str) -> None:
    """Spread, every stride's block of points holds the numbers of its cell."""
    laid = LAYOUTS[layout](256)
    for stride in laid.strides:
        block, grid = int(np.prod(stride)), [3, 2][: len(stride)]
        values = torch.arange(2.0 * block * np.prod(grid)).view(1, 2 * block, *grid)
        spread = laid.spread(values, stride)
        assert list(spread.shape[2:]) == [side * step for side, step in zip(grid, stride, strict=True)]
        first, cell = spread[0, 1], values[0, block:].flatten(1)[:, 0]
        for along, step in enumerate(stride):
            first = first.narrow(along, 0, step)
        assert torch.equal(first.flatten(), cell)


@of_layout
@pytest.mark.parametrize("length", [64, 101, 1101])
def test_an_autoencoder_gives_back_as_many_points_as_it_was_given(layout: str, length: int) -> None:
    laid = LAYOUTS[layout](length)
    cells = Encoder(laid, 8, 3)(torch.randn(2, length))
    assert cells.shape == (2, laid.cells, 3)
    assert Decoder(laid, 8, 3)(cells).shape == (2, length)


def test_codes_follow_the_cells_next_to_them_as_computed_by_hand() -> None:
    """Two codes of one number; of four cells three are next to the first."""
    book = Codebook(2, 1)
    book.begin(torch.tensor([[0.0], [10.0]]))
    cells = torch.tensor([[1.0], [2.0], [3.0], [9.0]])
    nearest = book.nearest(cells)
    assert nearest.tolist() == [0, 0, 0, 1]
    book.follow(cells, nearest, torch.zeros(0, 1), torch.zeros(0, dtype=torch.long))
    share = DECAY * 0.5 + (1 - DECAY) * 0.75, DECAY * 0.5 + (1 - DECAY) * 0.25
    sums = DECAY * 0.5 * 0 + (1 - DECAY) * 6 / 4, DECAY * 0.5 * 10 + (1 - DECAY) * 9 / 4
    torch.testing.assert_close(book.shares, torch.tensor(share))
    torch.testing.assert_close(book.codes[:, 0], torch.tensor([sums[0] / share[0], sums[1] / share[1]]))


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_cells_go_to_the_code_at_the_smallest_distance(seed: int) -> None:
    numbers = torch.Generator().manual_seed(seed)
    book, cells = Codebook(9, 4), torch.randn(30, 4, generator=numbers)
    book.begin(torch.randn(40, 4, generator=numbers))
    distance = torch.cdist(cells, book.codes)
    chosen = distance.gather(1, book.nearest(cells)[:, None])[:, 0]
    # The squares are computed from products, which costs some units in the last place of numbers near 10.
    torch.testing.assert_close(chosen, distance.min(1).values, atol=1e-4, rtol=0)


def test_a_code_that_is_not_used_is_restarted_at_what_is_offered_to_it() -> None:
    book = Codebook(3, 2)
    book.begin(torch.tensor([[0.0, 0.0], [50.0, 50.0], [99.0, 99.0]]))
    cells = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    offered, to = torch.tensor([[3.0, 3.0], [5.0, 7.0], [8.0, 8.0]]), torch.tensor([1, 1, 0])
    for _ in range(int(np.ceil(np.log(DEAD) / np.log(DECAY))) - 1):
        book.follow(cells, book.nearest(cells), offered, to)
    torch.testing.assert_close(book.codes[1], torch.tensor([50.0, 50.0]))  # not yet dead
    for _ in range(2):
        book.follow(cells, book.nearest(cells), offered, to)
    torch.testing.assert_close(book.codes[1], torch.tensor([4.0, 5.0]))  # the mean of both offers
    torch.testing.assert_close(book.codes[2], torch.tensor([99.0, 99.0]))  # nothing was offered
    assert book.codes[0].max() < 1  # in use, whatever is offered


@of_layout
def test_a_short_fit_learns_to_decode_cells_and_codes(layout: str) -> None:
    """Cells lie next to codes once the codes follow them, and the decoder has seen both.

    So the two decoded signals agree better than a third of the spread; by the triangle inequality they can lie no
    further apart than their errors add up to.
    """
    fitter, network, tensors = fitter_of(layout, steps=400)
    spectra = network.standardised(tensors)
    before = errors(network.coordinates, spectra)
    for _ in range(int(400 * AUTOENCODER)):
        fitter.advance(tensors)
    of_cells, of_codes, apart = errors(network.coordinates, spectra)
    assert of_cells < 0.5 * before[0]
    assert of_codes < 0.5 * before[1]
    assert apart <= of_cells + of_codes
    assert apart < 1 / 3


def test_the_autoencoder_stays_as_it_is_once_its_part_of_the_fit_is_over() -> None:
    fitter, network, tensors = fitter_of("line", steps=10)
    begun = states(network.coordinates)
    for _ in range(int(np.ceil(10 * AUTOENCODER))):
        fitter.advance(tensors)
    fitted, denoiser = states(network.coordinates), states(network.denoiser)
    assert not torch.equal(fitted["codebook.codes"], begun["codebook.codes"])
    assert not torch.equal(fitted["middle"], begun["middle"])
    while fitter.step < 10:
        fitter.advance(tensors)
    for name, value in states(network.coordinates).items():
        assert torch.equal(value, fitted[name]), name
    assert not torch.equal(states(network.denoiser)["read.weight"], denoiser["read.weight"])


def test_numbers_are_standardised_by_the_time_the_autoencoder_is_fitted() -> None:
    """Running averages over a hundred steps of a network that still moves: within a fifth."""
    fitter, network, tensors = fitter_of("line", steps=400)
    for _ in range(int(400 * AUTOENCODER)):
        fitter.advance(tensors)
    numbers = network.coordinates.read(network.standardised(tensors))
    assert abs(float(numbers.mean())) < 0.2
    assert float(numbers.square().mean().sqrt()) == pytest.approx(1, abs=0.2)


@of_layout
def test_a_fit_of_either_layout_is_drawn_from(layout: str, tmp_path: Path) -> None:
    spectra = table(101)
    run = fitting.fit(plan_of(layout, spectra, 12), spectra, tmp_path, data="x", data_sha256="x")
    sampler = RunSampler(run)
    drawn = sampler.draw(5, 0, sampler.classes[0])
    assert drawn.shape == (5, 101)
    assert np.isfinite(drawn).all()


def test_the_schedule_and_the_prediction_of_the_paper_can_be_fitted(tmp_path: Path) -> None:
    spectra = table()
    plan = plan_of("figure", spectra, 12)
    plan = msgspec.structs.replace(plan, model=plan.model | {"schedule": "linear", "prediction": "noise"})
    run = fitting.fit(plan, spectra, tmp_path, data="x", data_sha256="x")
    assert np.isfinite(RunSampler(run).draw(3, 0, run.spec.conditions.classes[0])).all()


@pytest.mark.parametrize(("name", "value"), [("layout", "spiral"), ("codes", 1), ("channels", 0)])
def test_numbers_that_make_no_network_are_named(name: str, value: object) -> None:
    plan = load("saliva-difframan")
    plan = msgspec.structs.replace(plan, model=plan.model | {name: value})
    with pytest.raises(RecipeError, match=name):
        family_of("difframan").config(plan)
