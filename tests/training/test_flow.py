"""Diffusion and flow on spectra: the coordinates they work in, the ways they are drawn, what a step of them learns."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from digests import digest
from fits import on, short, simulated, two_classes

from lineshape.bundle import AxisSpec
from lineshape.errors import UsageError
from lineshape_training import fitting
from lineshape_training.conditions import Conditions
from lineshape_training.diffusion.coordinates import HalfWhitened
from lineshape_training.diffusion.detector import Detector
from lineshape_training.drawing import RunSampler
from lineshape_training.families import family_of
from lineshape_training.run import Run
from lineshape_training.validation.metrics.power import high_frequency_power_ratio

LENGTH = 400


def lines(n: int = 300, noise: float = 0.1, length: int = LENGTH) -> torch.Tensor:
    """Three broad lines of varying height, a baseline, and white noise of two levels."""
    generator = torch.Generator().manual_seed(0)
    grid = torch.linspace(0, 1, length)
    shapes = torch.stack([torch.exp(-(((grid - c) / 0.03) ** 2)) for c in (0.2, 0.5, 0.8)] + [10 * grid])
    level = noise * torch.where(torch.rand(n, 1, generator=generator) < 0.5, 1.0, 3.0)
    spectra = torch.randn(n, 4, generator=generator) @ shapes + level * torch.randn(n, length, generator=generator)
    return spectra - spectra.mean(0)


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A short fit on simulated spectra of two classes."""
    table = simulated()
    plan = msgspec.structs.replace(short("saliva-flow", 40), axes={"spectrum": AxisSpec.of(table.axis)})
    return fitting.fit(plan, table, tmp_path_factory.mktemp("flow") / "run", data="simulated", data_sha256="simulated")


class TestDetector:
    """What is noise is told from what is signal by the spectra themselves."""

    def test_the_signal_passes_and_white_noise_does_not(self) -> None:
        noisy, clean = lines(noise=0.1), lines(noise=0.0)
        detector = Detector(LENGTH)
        detector.begin(noisy, torch.zeros(LENGTH))
        left = (detector.signal(noisy) - clean).square().mean() / (noisy - clean).square().mean()
        assert left < 0.3  # the lines are as wide as a fifth of the band: that much noise cannot be told from them
        lost = (detector.signal(clean) - clean).square().mean() / clean[:, :200].square().mean()
        assert lost < 1e-2  # of the half without the baseline

    def test_noise_drawn_anew_has_the_power_and_the_levels_of_the_measured(self) -> None:
        noisy = lines()
        detector = Detector(LENGTH)
        detector.begin(noisy, torch.zeros(LENGTH))
        signal = detector.signal(noisy)
        levels = detector.levels(noisy, signal)
        drawn = signal + detector(levels, signal, torch.randn(noisy.shape, generator=torch.Generator().manual_seed(1)))
        ratio = high_frequency_power_ratio(drawn.numpy(), noisy.numpy())
        assert ratio == pytest.approx(1, abs=0.1)
        loud = levels.mean(1) > levels.mean()
        powers = [(part.diff(n=2, dim=1) ** 2).mean() for part in (drawn[loud], drawn[~loud])]
        assert float(powers[0] / powers[1]) == pytest.approx(9, rel=0.2)  # three times the deviation

    def test_what_memory_held_before_does_not_matter(self) -> None:
        """A solver that reads what it has not written gives other last digits, and a resumed fit other weights."""
        generator, spectra, found = torch.Generator().manual_seed(0), lines(n=40), set()
        for _ in range(20):
            for columns in range(1, 5):
                left = [torch.randint(2, (columns,), generator=generator, dtype=torch.int32) for _ in range(200)]
                del left  # and its memory is given to whoever asks next
            detector = Detector(LENGTH)
            detector.begin(spectra, torch.zeros(LENGTH))
            found.add(digest(b"".join(value.numpy().tobytes() for value in detector.buffers())))
        assert len(found) == 1

    def test_a_louder_detector_is_louder_in_proportion(self) -> None:
        detector = Detector(LENGTH)
        detector.begin(lines(), torch.zeros(LENGTH))
        normals, levels, signal = torch.randn(3, LENGTH), torch.zeros(3, detector.knots), lines()[:3]
        one, two = (detector(levels, signal, scale * normals) for scale in (1, 2))
        torch.testing.assert_close(two, 2 * one)

    def test_where_the_noise_follows_the_intensity_it_is_drawn_so(self) -> None:
        """Counts: the variance is proportional to the intensity."""
        signal = lines(noise=0.0)[:, :200].abs() + 0.05
        counted = signal + 0.1 * signal.sqrt() * torch.randn(signal.shape, generator=torch.Generator().manual_seed(0))
        detector = Detector(200)
        detector.begin(counted, torch.zeros(200))
        smooth = detector.signal(counted)
        drawn = detector(detector.levels(counted, smooth), smooth, torch.randn(signal.shape))
        high = smooth > 1
        ratio = drawn[high].var() / drawn[~high].var()
        assert float(ratio) == pytest.approx(
            float((counted - smooth)[high].var() / (counted - smooth)[~high].var()), rel=0.3
        )


class TestHalfWhitened:
    """The numbers that are diffused."""

    @pytest.mark.parametrize("length", [40, 401])
    def test_the_way_back_leads_to_the_signal(self, length: int) -> None:
        spectra = lines(n=60, length=length)
        coordinates = HalfWhitened(length)
        coordinates.begin(spectra, torch.zeros(spectra.shape[1]))
        back = coordinates.written(coordinates.read(spectra), torch.zeros(60, length))
        # float32 through gains of up to (10 / .01)^(1/4) there and back
        torch.testing.assert_close(back, coordinates.noise.signal(spectra), atol=1e-4, rtol=1e-4)

    def test_a_broad_shape_counts_for_less_and_nothing_for_more_than_it_did(self) -> None:
        spectra = lines()
        coordinates = HalfWhitened(LENGTH)
        coordinates.begin(spectra, torch.zeros(spectra.shape[1]))
        before = torch.linalg.svdvals(coordinates.noise.signal(spectra))[:4]
        after = torch.linalg.svdvals(coordinates.read(spectra)[:, :LENGTH])[:4]
        # a fourth root of each variance is left: a square root of each singular value, but for the floor of .01
        torch.testing.assert_close(after / after[0], (before / before[0]) ** 0.5, rtol=0.05, atol=0)

    def test_numbers_are_of_the_size_of_noise(self) -> None:
        spectra = lines() / lines().std()
        coordinates = HalfWhitened(LENGTH)
        coordinates.begin(spectra, torch.zeros(spectra.shape[1]))
        assert float(coordinates.read(spectra).square().mean()) == pytest.approx(1, abs=0.1)


class TestWalk:
    """One fit is drawn in many ways."""

    def test_the_same_noise_leads_to_like_spectra_by_every_sampler(self, flow: Run) -> None:
        one = RunSampler(flow.walked(sampler="heun", evaluations=63)).draw(20, 0, flow.spec.conditions.classes[0])
        for sampler in ("ddim", "euler", "dpm-solver++"):
            other = RunSampler(flow.walked(sampler=sampler, evaluations=200)).draw(
                20, 0, flow.spec.conditions.classes[0]
            )
            assert np.abs(one - other).mean() < 0.02  # of intensities from 0 to 1, after a first-order sampler

    def test_guidance_of_one_is_none_and_more_moves_spectra(self, flow: Run) -> None:
        draw = lambda **walk: RunSampler(flow.walked(**walk)).draw(5, 0, flow.spec.conditions.classes[1])  # noqa: E731
        np.testing.assert_array_equal(draw(guidance=1.0), draw())
        assert np.abs(draw(guidance=3.0) - draw()).mean() > 1e-4

    def test_every_evaluation_is_counted(self, flow: Run) -> None:
        kind = family_of("flow")
        assert kind.sampler_of(flow.walked(evaluations=4).recipe).evaluations == 4
        assert kind.sampler_of(flow.walked(evaluations=4, guidance=2.0).recipe).evaluations == 8

    @pytest.mark.parametrize(
        ("walk", "said"),
        [({"evaluations": 4, "sampler": "heun"}, "odd number"), ({"evaluations": 0}, "evaluations"),
         ({"sampler": "leap"}, "no sampler 'leap'; choose ddim"), ({"guidance": -1.0}, "guidance")],
    )  # fmt: skip
    def test_an_impossible_walk_is_refused(self, flow: Run, walk: dict[str, float], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            flow.walked(**walk)

    def test_a_family_of_one_pass_has_no_evaluations(self, tmp_path: Path) -> None:
        table = two_classes()
        run = fitting.fit(on(short("raman-cvae", 2), table), table, tmp_path, data="x", data_sha256="x")
        with pytest.raises(UsageError, match="has no evaluations: it draws in one pass"):
            run.walked(evaluations=2)


def test_a_class_that_is_never_shown_is_as_if_unknown() -> None:
    """The condition's row of zeros is what guidance moves away from."""
    plan = on(short("raman-ddpm"), two_classes())
    network = family_of("ddpm").network(plan, Conditions(("left", "right")))
    network.begin(family_of("ddpm").tensors(two_classes(), Conditions(("left", "right"))))
    z = torch.randn(2, network.coordinates.size)
    at, to = network.path.schedule.grid(2)[:2]
    said = [network.denoise(torch.zeros(2, 2))(z, at, to).clean, network.denoise(torch.eye(2))(z, at, to).clean]
    assert said[0].shape == said[1].shape == z.shape


@pytest.mark.parametrize(
    ("schedule", "prediction", "denoiser"),
    [("linear", "noise", "unet"), ("cosine", "v", "unet"), ("cosine", "clean", "dense")],
)
def test_ddpm_in_all_its_forms_is_fitted_and_drawn(
    schedule: str, prediction: str, denoiser: str, tmp_path: Path
) -> None:
    table = two_classes(points=65)
    plan = on(short("raman-ddpm", 4), table)
    forms = {"schedule": schedule, "prediction": prediction, "denoiser": denoiser, "width": 8, "blocks": 3}
    run = fitting.fit(msgspec.structs.replace(plan, model={**plan.model, **forms}), table, tmp_path, data="x",
                      data_sha256="x")  # fmt: skip
    drawn = RunSampler(run).draw(3, 0, "left")
    assert drawn.shape == (3, 65)
    assert np.isfinite(drawn).all()


def test_a_shortcut_learns_to_arrive_where_two_halves_of_a_step_arrive() -> None:
    """The goal of a long step is what the sampler makes of two steps half as long."""
    table, told = two_classes(), Conditions(("left", "right"))
    kind = family_of("shortcut")
    network = kind.network(on(short("raman-shortcut"), table), told)
    tensors = kind.tensors(table, told)
    network.begin(tensors)
    torch.nn.init.normal_(network.denoiser.write.weight, std=0.1)  # a network that says something
    torch.nn.init.normal_(network.denoiser.context.stride.weight)  # and listens to how far a step goes
    batch = {name: values[:8] for name, values in tensors.items()} | network.draws(8, torch.device("cpu"))
    arrival = network.given(batch, "descent")["arrival"]
    assert len(arrival) == 2  # a quarter of the batch
    for k in range(2):
        row = {name: values[k : k + 1] for name, values in batch.items()}
        begin, half, end = (network.path.schedule.at(time) for time in row["times"].chunk(3, dim=1))
        denoise = network.denoise(row["condition"] * row["shown"])
        middle = network.sampler.step(network.ends(row).along(begin), begin, half, denoise)
        torch.testing.assert_close(network.sampler.step(middle, half, end, denoise)[0], arrival[k])
