"""Diffusion of scores told amounts, the density that amounts are drawn from, and what is refused of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from amounts import TABLE, told
from fits import simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from lineshape.errors import UsageError
from lineshape_training import fitting
from lineshape_training.conditions import Conditions
from lineshape_training.density import Density
from lineshape_training.diffusion.predictions import V
from lineshape_training.diffusion.schedules import Cosine
from lineshape_training.diffusion.scores import Scores
from lineshape_training.drawing import RunSampler
from lineshape_training.networks.film import AmountWaves, FiLM
from lineshape_training.run import Run
from lineshape_training.validation.generator import open_generator
from lineshape_training.validation.metrics.analytes import analyte_calibration


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fitting.fit(told(TABLE), TABLE, tmp_path_factory.mktemp("told"), data="x", data_sha256="x")


def correlated(n: int, correlation: float, seed: int = 0) -> np.ndarray:
    """A skewed analyte and an even one, whose normal scores are correlated."""
    normals = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n)
    return np.stack([np.exp(normals[:, 0]), 10 + normals[:, 1]], axis=1)


@given(st.floats(-0.95, 0.95), st.booleans(), st.integers(0, 2**40))
@settings(max_examples=20, deadline=None)
def test_amounts_are_drawn_with_the_quantiles_and_the_correlation_of_the_fit(
    correlation: float, gaps: bool, seed: int
) -> None:
    amounts = correlated(2000, correlation)
    if gaps:
        amounts[::3, 0], amounts[1::4, 1] = np.nan, np.nan
    drawn = Density.of(amounts).sample(seed, 4000)
    for known, column in zip(amounts.T, drawn.T, strict=True):
        ranks = np.searchsorted(np.sort(known[np.isfinite(known)]), np.quantile(column, [0.1, 0.5, 0.9]))
        share = ranks / np.isfinite(known).sum()
        np.testing.assert_allclose(share, [0.1, 0.5, 0.9], atol=0.05)  # 4 standard errors of 1000 to 4000 draws
    order = drawn.argsort(axis=0).argsort(axis=0)  # ranks: what a copula is about
    spearman = 6 / np.pi * np.arcsin(correlation / 2)  # of normals of that correlation
    assert np.corrcoef(order.T)[0, 1] == pytest.approx(spearman, abs=0.1)


def test_a_sample_has_the_same_amounts_whatever_their_number() -> None:
    density = Density.of(correlated(200, 0.5))
    np.testing.assert_array_equal(density.sample(7, 50)[:10], density.sample(7, 10))
    assert not np.array_equal(density.sample(7, 10), density.sample(8, 10))


def test_amounts_that_never_stand_together_are_drawn_all_the_same() -> None:
    amounts = correlated(40, 0.9)
    amounts[::2, 0], amounts[1::2, 1] = np.nan, np.nan
    drawn = Density.of(amounts).sample(0, 2000)
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 0.1  # nothing is known of how they go together


def test_analytes_that_are_the_same_are_drawn_the_same() -> None:
    twice = np.repeat(correlated(100, 0)[:, 1:], 2, axis=1)
    drawn = Density.of(twice).sample(0, 1000)
    assert np.corrcoef(drawn.T)[0, 1] > 0.99


def test_a_run_from_before_the_density_reads_and_says_that_it_has_none(run: Run) -> None:
    conditions = msgspec.json.decode(msgspec.json.encode(run.spec.conditions), type=dict)
    del conditions["density"]
    old = msgspec.convert(conditions, Conditions)
    assert old.density is None
    sampler = RunSampler(run)
    sampler._density = old.density
    with pytest.raises(UsageError, match="give amounts, or fit it again"):
        sampler.draw(3, 0)


def test_drawn_spectra_hold_the_amounts_that_were_asked_for(run: Run) -> None:
    sampler = RunSampler(run)
    asked, drawn = sampler.amounts(200, 1), sampler.draw(200, 1)
    found = analyte_calibration(drawn, asked[:, 0], TABLE.values, TABLE.analytes["sugar"], TABLE.group)
    assert found.slope == pytest.approx(1, abs=0.2)  # a calibration on 60 subjects
    np.testing.assert_array_equal(sampler.draw(200, 1, amounts=asked), drawn)


def test_sample_i_is_the_same_whatever_their_number(run: Run) -> None:
    sampler = RunSampler(run)
    # Matrix products over another number of rows are summed in another order: some units in the last place of float32.
    np.testing.assert_allclose(sampler.draw(20, 3)[:5], sampler.draw(5, 3), rtol=0, atol=1e-5)


def test_extrapolation_is_refused_unless_it_is_asked_for(run: Run) -> None:
    sampler = RunSampler(run)
    (sugar,) = sampler.analytes
    beyond = np.array([[sugar.low], [sugar.high + 1]])
    with pytest.raises(UsageError, match=rf"sugar: {sugar.high + 1:g} is outside {sugar.low:g} to {sugar.high:g}"):
        sampler.draw(2, 0, amounts=beyond)
    assert np.isfinite(sampler.draw(2, 0, amounts=beyond, extrapolate=True)).all()
    with pytest.raises(UsageError, match="sugar: nan is no amount"):
        sampler.draw(1, 0, amounts=np.array([[np.nan]]), extrapolate=True)
    with pytest.raises(UsageError, match=r"amounts of sugar for each of 2 spectra; got \[3, 1\]"):
        sampler.draw(2, 0, amounts=np.full((3, 1), sugar.low))


def test_spectra_without_an_amount_are_fitted_too(tmp_path: Path) -> None:
    amounts = TABLE.analytes["sugar"].copy()
    amounts[::3] = np.nan
    table = replace(TABLE, analytes={"sugar": amounts})
    gaps = fitting.fit(told(table, 20), table, tmp_path, data="x", data_sha256="x")
    assert np.isfinite(RunSampler(gaps).draw(5, 0)).all()


def test_classes_and_amounts_are_told_together(tmp_path: Path) -> None:
    table = simulated()
    sampler = RunSampler(fitting.fit(told(table, 20), table, tmp_path, data="x", data_sha256="x"))
    one, other = (sampler.draw(5, 0, name) for name in sampler.classes)
    assert np.isfinite(one).all()
    assert not np.array_equal(one, other)


def test_validation_knows_which_amounts_were_asked_for(run: Run) -> None:
    generator = open_generator(run.folder)
    assert generator.amounts is not None
    np.testing.assert_array_equal(generator.amounts(9, 4), RunSampler(run).amounts(9, 4)[:, 0])


def test_scores_have_deviation_1_and_lead_back() -> None:
    spectra = torch.from_numpy(TABLE.values - TABLE.values.mean(0))
    scores = Scores(spectra.shape[1], 20)
    scores.begin(spectra, spectra.mean(0))
    read = scores.read(spectra)
    # Faint scores are small differences of large float32 numbers.
    torch.testing.assert_close(read.square().mean(0), torch.ones(20), atol=0.02, rtol=0)
    left = spectra - scores.written(read, torch.zeros_like(spectra))
    torch.testing.assert_close(left.square().mean(0).sqrt(), scores.units * scores.rest, atol=1e-5, rtol=0.02)


def test_fewer_spectra_than_components_leave_scores_of_0() -> None:
    spectra = torch.from_numpy(TABLE.values - TABLE.values.mean(0))[:10]
    scores = Scores(spectra.shape[1], 40)
    scores.begin(spectra, spectra.mean(0))
    read = scores.read(spectra)
    assert torch.count_nonzero(read[:, 10:]) == 0
    torch.testing.assert_close(scores.written(read, torch.zeros_like(spectra)), spectra, atol=1e-4, rtol=1e-3)


def test_a_fresh_network_knows_the_line_and_says_its_velocity() -> None:
    """Around the line r = c W scores are taken for standard normals: x = r + alpha (z - alpha r) is expected of z."""
    generator = torch.Generator().manual_seed(0)
    amount = torch.randn(400, 1, generator=generator)
    rows = torch.cat([amount, torch.ones_like(amount)], dim=1)
    numbers = amount * torch.tensor([0.5, -2.0, 0.0]) + 0.01 * torch.randn(400, 3, generator=generator)
    schedule = Cosine(shift=1.0)
    network = FiLM(3, 0, 1, 16, 1, schedule)
    network.begin(numbers, rows)
    torch.nn.init.zeros_(network.dense.write.bias)
    at = schedule.at(torch.full((400, 1), 0.6))
    z = at.alpha * numbers
    estimate = V().estimate(z, network(z, at.time, 0 * at.time, rows), at)
    response = rows @ network.response
    wanted = response + at.alpha * (z - at.alpha * response)
    torch.testing.assert_close(estimate.clean, wanted, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network.response[0], torch.tensor([0.5, -2.0, 0.0]), atol=0.005, rtol=0)  # 10 s.e.


def test_what_is_not_known_has_no_waves() -> None:
    waves = AmountWaves(2, 2)
    row = torch.tensor([[1.0, 0.0, 0.7, 0.0, 1.0, 0.0]])  # the second amount is not known
    sines = waves(row)[0, 6:].view(2, -1)
    assert torch.count_nonzero(sines[0]) == sines.shape[1]
    assert torch.count_nonzero(sines[1]) == 0
    assert torch.count_nonzero(waves(torch.zeros(1, 6))) == 0
