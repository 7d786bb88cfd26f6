"""The diffusion core against a Gaussian, for which every quantity that a network would have to learn is known.

Of x ~ N(mu, s^2) on z = alpha x + sigma e, a point z at any time has the mean alpha mu and the variance
D^2 = alpha^2 s^2 + sigma^2. The means of x and e given z follow, and the flow between two times keeps the standard
score (z - alpha mu) / D, whatever the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lineshape.errors import UsageError
from lineshape_training.diffusion.guidance import Guided
from lineshape_training.diffusion.predictions import LARGEST_WEIGHT, Clean, Estimate, Noise, V, Velocity
from lineshape_training.diffusion.samplers import DDIM, SAMPLERS, Ancestral, DPMSolver, Euler, Heun, Sampler, Shortcut
from lineshape_training.diffusion.schedules import Cosine, Linear, Moment, Schedule, Straight

MU = torch.tensor([0.7, -1.2, 0.1], dtype=torch.float64)
S = torch.tensor([0.3, 0.8, 1.5], dtype=torch.float64)
SCHEDULES = [Straight(), Cosine(), Linear()]
PREDICTIONS = [(p, s) for p in (Noise(), Clean(), Velocity()) for s in SCHEDULES] + [(V(), Cosine()), (V(), Linear())]

of_schedule = pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda value: type(value).__name__)
of_prediction = pytest.mark.parametrize(("prediction", "schedule"), PREDICTIONS, ids=lambda value: type(value).__name__)
patient = settings(deadline=None)  # the first example also pays for the checks of shapes
inner_times = st.floats(0.02, 0.98)  # away from the ends, where alpha or sigma is too small to divide by
ends = st.lists(st.floats(-5, 5), min_size=6, max_size=6).map(lambda v: Estimate(*f64(v).reshape(2, 1, 3)))


def f64(value: float | list[float]) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def normals(rows: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spread(at: Moment) -> Tensor:
    return torch.sqrt((at.alpha * S) ** 2 + at.sigma**2)


def flow(z: Tensor, at: Moment, to: Moment) -> Tensor:
    """Where the point z at one time is at another."""
    return to.alpha * MU + spread(to) * (z - at.alpha * MU) / spread(at)


def posterior(z: Tensor, at: Moment, to: Moment) -> Estimate:
    """The means of x and e given z."""
    surplus = (z - at.alpha * MU) / spread(at) ** 2
    return Estimate(MU + at.alpha * S**2 * surplus, at.sigma * surplus)


def whole_way(z: Tensor, at: Moment, to: Moment) -> Estimate:
    """The ends of the straight path that leads to where the flow does."""
    return Velocity().estimate(z, (flow(z, at, to) - z) / (to.time - at.time), at)


class Counted:
    """A denoiser that counts its calls."""

    def __init__(self, denoise=posterior) -> None:
        self.denoise, self.calls = denoise, 0

    def __call__(self, z: Tensor, at: Moment, to: Moment) -> Estimate:
        self.calls += 1
        return self.denoise(z, at, to)


def fresh_noises(rows: int, seed: int = 1) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(rows, 3, generator=generator, dtype=torch.float64)


def every_sampler(schedule: Schedule, evaluations: int, rows: int) -> list[Sampler]:
    known = [kind(schedule, evaluations) for kind in SAMPLERS.values()]
    return [*known, Ancestral(schedule, evaluations, fresh_noises(rows))]


def error(sampler: Sampler) -> float:
    """Root mean square distance from the exact flow."""
    noise = normals(64)
    exact = flow(noise, sampler.moments[0], sampler.moments[-1])
    return float((sampler.sample(noise, posterior) - exact).square().mean().sqrt())


def order(kind: type[Sampler], schedule: Schedule, inner: bool = False) -> float:
    """Minus the slope of log error over log steps, 64 to 512 steps."""
    steps = [64, 128, 256, 512]
    samplers = [kind(schedule, 2 * n - 1 if kind is Heun else n) for n in steps]
    if inner:
        for sampler, n in zip(samplers, steps, strict=True):
            times = torch.linspace(0.9, 0.1, n + 1, dtype=torch.float64)
            moments = [schedule.at(time) for time in times]
            sampler.moments = [Moment(*(float(value) for value in vars(at).values())) for at in moments]
    x, y = f64(steps).log(), f64([error(sampler) for sampler in samplers]).log()
    return -float(torch.linalg.lstsq(torch.stack([x, torch.ones_like(x)], 1), y[:, None]).solution[0])


@of_schedule
@patient
@given(time=st.floats(1e-3, 1))
def test_rates_are_the_derivatives_of_alpha_and_sigma(schedule: Schedule, time: float) -> None:
    t = f64(time).requires_grad_()
    at = schedule.at(t)
    for value, rate in [(at.alpha, at.alpha_rate), (at.sigma, at.sigma_rate)]:
        derivative = torch.autograd.grad(value, t, retain_graph=True)[0]
        # Rounding of sums of a few terms, the largest rate being 10.
        assert torch.allclose(derivative, rate.detach(), rtol=1e-9, atol=1e-12)


@of_schedule
@pytest.mark.parametrize("steps", [1, 2, 7, 250])
def test_a_grid_falls_from_noise_to_the_spectrum_itself(schedule: Schedule, steps: int) -> None:
    grid = schedule.grid(steps)
    assert len(grid) == steps + 1
    assert grid[0].time == schedule.latest
    assert grid[0].alpha < 0.007  # next to nothing of the spectrum is left
    assert (grid[-1].time, grid[-1].alpha, grid[-1].sigma) == (0, 1, 0)
    assert all(a.time > b.time and a.alpha < b.alpha and a.sigma > b.sigma for a, b in pairwise(grid))


@patient
@given(shift=st.floats(1, 10), share=st.floats(0, 0.99))
def test_a_shift_multiplies_the_odds_of_a_share_of_the_times(shift: float, share: float) -> None:
    time = float(Straight(shift=shift).spread(f64(share)))
    assert time / (1 - time) == pytest.approx(shift * share / (1 - share), rel=1e-9)


@pytest.mark.parametrize("schedule", [Cosine(), Linear()], ids=["Cosine", "Linear"])
@patient
@given(time=st.floats(0, 1))
def test_cosine_and_linear_preserve_variance(schedule: Schedule, time: float) -> None:
    at = schedule.at(f64(time))
    assert float(at.alpha**2 + at.sigma**2) == pytest.approx(1, abs=1e-14)


def test_linear_is_the_discrete_chain_of_1000_steps() -> None:
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    chain = torch.log1p(-beta).cumsum(0) / 2  # log alpha after each step
    path = Linear().at(torch.arange(1, 1001, dtype=torch.float64) / 1000).alpha.log()
    # -log(1 - b) exceeds b by at most b^2 / (2 (1 - b)); the sum of b differs from its integral by (last - first) / 8.
    limit = (beta**2).cumsum(0) / (4 * (1 - 0.02)) + (0.02 - 1e-4) / 16
    assert bool(((chain - path).abs() <= 1.01 * limit).all())  # a chain of 999 rises where the path has 1000


@of_prediction
@patient
@given(ends=ends, time=inner_times)
def test_an_estimate_inverts_the_target(prediction, schedule, ends: Estimate, time: float) -> None:
    at = schedule.at(f64([[time]]))
    found = prediction.estimate(ends.along(at), prediction.target(ends, at), at)
    for was, is_now in zip(ends, found, strict=True):
        assert torch.allclose(was, is_now, atol=1e-10)  # rounding of numbers up to 10 over an alpha of at least .008


@of_prediction
@patient
@given(ends=ends, said=ends, time=inner_times)
def test_estimated_ends_lie_on_either_side_of_the_point(prediction, schedule, ends, said, time: float) -> None:
    at, z = schedule.at(f64([[time]])), ends.noise
    assert torch.allclose(prediction.estimate(z, said.clean, at).along(at), z, atol=1e-10)  # however wrong what it said


@of_schedule
def test_a_clean_error_counts_as_one_in_the_velocity_up_to_a_limit(schedule: Schedule) -> None:
    at = schedule.at(torch.linspace(0, 1, 101, dtype=torch.float64)[:, None])
    weight, wanted = Clean().weight(at), 1 / at.sigma**2
    assert torch.allclose(weight, wanted.clamp(max=LARGEST_WEIGHT))
    assert torch.equal(Noise().weight(at), torch.ones_like(at.sigma))


@patient
@given(told=ends, untold=ends, strength=st.floats(-1, 8))
def test_guidance_is_a_straight_line_through_untold_and_told(told: Estimate, untold: Estimate, strength: float) -> None:
    at, to = Linear().grid(1)

    def guided(strength: float) -> Estimate:
        return Guided(lambda *_: told, lambda *_: untold, strength)(told.clean, at, to)

    assert all(torch.equal(a, b) for a, b in zip(guided(0.0), untold, strict=True))
    assert all(torch.allclose(a, b, atol=1e-14) for a, b in zip(guided(1.0), told, strict=True))
    for end, none, one in zip(guided(strength), guided(0.0), guided(1.0), strict=True):
        assert torch.allclose(end, (1 - strength) * none + strength * one, atol=1e-12)


def test_guidance_takes_two_evaluations() -> None:
    told, untold = Counted(), Counted()
    Euler(Linear(), 5).sample(normals(2), Guided(told, untold, 2.0))
    assert (told.calls, untold.calls) == (5, 5)


@of_schedule
@pytest.mark.parametrize("kind", SAMPLERS.values())
def test_many_evaluations_end_where_the_flow_does(schedule: Schedule, kind: type[Sampler]) -> None:
    # At most 2 / n at order 1, 20 / n^2 in the 151 steps of Heun's, 15 log n / n^2 by DPM-Solver++.
    assert error(kind(schedule, 301)) < (1.5e-3 if kind in {Heun, DPMSolver} else 8e-3)


@of_schedule
@pytest.mark.parametrize(("kind", "expected"), [(Euler, 1), (DDIM, 1), (Heun, 2)])
def test_the_order_of_convergence(schedule: Schedule, kind: type[Sampler], expected: int) -> None:
    assert order(kind, schedule) == pytest.approx(expected, abs=0.1)  # higher terms still count at 64 steps


@of_schedule
def test_dpm_solver_is_of_order_2_where_its_steps_in_log_snr_are_small(schedule: Schedule) -> None:
    assert order(DPMSolver, schedule, inner=True) == pytest.approx(2, abs=0.1)
    # Towards time 0 they are not, however many they are, and the last is endless: each is wrong by 1 / n^2 over its
    # rank from the end, so that over the whole path the error falls as log n / n^2. It is the smaller one all the same.
    assert error(DPMSolver(schedule, 20)) < error(DDIM(schedule, 20)) / 2


@of_schedule
def test_one_evaluation_of_dpm_solver_is_one_of_ddim(schedule: Schedule) -> None:
    one, other = (kind(schedule, 1).sample(normals(8), posterior) for kind in (DPMSolver, DDIM))
    assert torch.allclose(one, other, rtol=0, atol=1e-14)


def test_on_the_straight_path_ddim_is_euler() -> None:
    one, other = (kind(Straight(), 9).sample(normals(8), posterior) for kind in (DDIM, Euler))
    assert torch.allclose(one, other, rtol=0, atol=1e-13)


@of_schedule
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_shortcut_that_knows_the_whole_way_is_exact(schedule: Schedule, steps: int) -> None:
    sampler, noise = Shortcut(schedule, steps), normals(8)
    exact = flow(noise, sampler.moments[0], sampler.moments[-1])
    assert torch.allclose(sampler.sample(noise, whole_way), exact, rtol=0, atol=1e-12)


@of_schedule
def test_the_ancestral_chain_ends_in_the_distribution(schedule: Schedule) -> None:
    rows = 20_000
    drawn = Ancestral(schedule, 200, fresh_noises(rows)).sample(normals(rows), posterior)
    assert bool(((drawn.mean(0) - MU).abs() < 5 * S / math.sqrt(rows)).all())  # 5 standard errors
    # A step that takes the mean of x for x itself loses its variance given z: 13 / n of the narrowest deviation.
    assert torch.allclose(drawn.std(0), S, rtol=0.08)


@pytest.mark.parametrize("given_noises", [0, 3])
def test_an_ancestral_chain_does_not_end_before_its_time(given_noises: int) -> None:
    few = iter([normals(2)] * given_noises)
    with pytest.raises(UsageError, match="ran out"):
        Ancestral(Linear(), 4, few).sample(normals(2), posterior)


@of_schedule
@pytest.mark.parametrize("evaluations", [1, 3, 9])
def test_a_sampler_takes_what_it_says_and_draws_nothing(schedule: Schedule, evaluations: int) -> None:
    noise, state = normals(4), torch.random.get_rng_state()
    for sampler in every_sampler(schedule, evaluations, rows=4):
        denoise, start = Counted(), noise.clone()
        end = sampler.sample(noise, denoise)
        assert denoise.calls == evaluations == sampler.evaluations
        assert bool(torch.isfinite(end).all())  # even from the straight path's start, where alpha is 0
        assert torch.equal(noise, start)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("kind", [*SAMPLERS.values(), Ancestral])
@pytest.mark.parametrize("evaluations", [0, -1])
def test_no_evaluation_draws_nothing(kind: type[Sampler], evaluations: int) -> None:
    with pytest.raises(UsageError, match="ask for 1 or more"):
        kind(Linear(), evaluations)


def test_heun_takes_an_odd_number_of_evaluations() -> None:
    with pytest.raises(UsageError, match="odd number of evaluations"):
        Heun(Linear(), 10)
