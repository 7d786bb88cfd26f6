"""The simulator: everything it says about its spectra is true of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from digests import digest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier
from terminal import lineshape

from lineshape.errors import UsageError
from lineshape.npz import read_npz
from lineshape_training.simulation import Design, Population, simulate
from lineshape_training.simulation.components import FINEST, Component, Instrument, render
from lineshape_training.simulation.population import AMOUNTS, REPLICATE, SPREAD
from lineshape_training.simulation.techniques import TECHNIQUES

MODALITIES = ["raman", "ir", "nir", "maldi", "xrd"]
Floats = NDArray[np.float64]

modality = pytest.mark.parametrize("modality", MODALITIES)
seeds = st.integers(0, 2**53)


def bare(modality: str, **numbers: int | float) -> Design:
    """A study without noise, baseline or scatter."""
    return Design(modality, **({"noise": 0.0, "background": 0.0, "points": 400, "subjects": 5} | numbers))  # type: ignore[arg-type]


def line(modality: str, position: float, fwhm: float, eta: float, instrument: Instrument, points: int = 4001) -> Floats:
    """One line of height 1 as an instrument shows it."""
    axis = Population.of(Design(modality, points=points)).axis
    one = Component("one", *(np.array([value], np.float64) for value in (position, fwhm, eta, 1.0)))
    return np.asarray(render((one,), axis, TECHNIQUES[modality], instrument)[0])


# Pure spectra --------------------------------------------------------------------------------------------------------


@modality
def test_a_pure_spectrum_is_the_sum_of_its_stated_lines(modality: str) -> None:
    population = Population.of(Design(modality, analytes=("glucose",)))
    x = population.axis.values
    for component, pure in zip(population.components, population.pure, strict=True):
        total = np.zeros_like(x)
        for position, fwhm, eta, height in zip(
            component.position, component.fwhm, component.eta, component.height, strict=True
        ):
            u = (x - position) / fwhm
            total += height * (eta / (1 + 4 * u**2) + (1 - eta) * 2.0 ** (-4 * u**2))
        np.testing.assert_allclose(pure, total, rtol=1e-9)  # rounding of float64 sums


@modality
@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 0.9), st.floats(10, 60), st.floats(0, 1))
def test_a_line_stands_at_its_position_with_its_width(modality: str, where: float, steps: float, eta: float) -> None:
    axis = Population.of(Design(modality, points=4001)).axis
    step = (axis.high - axis.low) / 4000
    position = axis.low + where * (axis.high - axis.low)
    shape = line(modality, position, steps * step, eta, Instrument())
    assert abs(axis.values[np.argmax(shape)] - position) <= step / 2 * (1 + 1e-9)
    assert abs((shape >= 0.5).sum() - steps) <= 1  # points above half the height, one more or less at the flanks


def test_mass_peaks_widen_with_their_mass() -> None:
    population = Population.of(Design("maldi", classes=20))
    drawn = population.components[1:]
    position, fwhm = (np.concatenate([getattr(c, name) for c in drawn]) for name in ("position", "fwhm"))
    free = fwhm > FINEST * 3 * (1 + 1e-9)  # those that the steps of 3 Da do not limit
    assert free.sum() > 50
    assert ((position / fwhm)[free] >= 400).all()
    assert ((position / fwhm)[free] <= 650).all()


@pytest.mark.parametrize("points", [100, 1000])
@modality
def test_no_line_is_too_narrow_for_the_axis(modality: str, points: int) -> None:
    population = Population.of(Design(modality, points=points))
    step = (population.axis.high - population.axis.low) / (points - 1)
    assert len(population.axis) == points
    assert min(c.fwhm.min() for c in population.components) >= FINEST * step


# Instruments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_an_instrument_shifts_a_line_and_broadens_it_at_constant_area(eta: float) -> None:
    axis = Population.of(Design("raman", points=4001)).axis
    sharp = line("raman", 1000, 8, eta, Instrument())
    blurred = line("raman", 1000, 8, eta, Instrument(resolution=6.0, offset=3.5))
    assert axis.values[np.argmax(blurred)] == pytest.approx(1003.5, abs=0.175)  # half a step
    # Far wings of a Lorentzian line leave the axis, and the pseudo-Voigt's area is wrong by 1 % in between.
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.01)
    if eta == 0:
        assert (blurred >= blurred.max() / 2).sum() * 0.35 == pytest.approx(np.hypot(8, 6), abs=0.4)  # one step


def test_a_mass_spectrometer_shifts_and_broadens_in_proportion_to_the_mass() -> None:
    worse = Instrument(resolution=1 / 1000, offset=1e-3)
    for mass in (4000.0, 16000.0):
        shape = line("maldi", mass, 0.001 * mass, 0.0, worse, points=18001)
        assert 2000 + np.argmax(shape) == pytest.approx(1.001 * mass, abs=0.5)  # steps of 1 Da
        assert (shape >= shape.max() / 2).sum() == pytest.approx(np.sqrt(2) * 0.001 * mass, abs=1)


def test_instruments_differ_and_every_subject_meets_several() -> None:
    study = simulate(Design("nir", classes=2, subjects=3, replicates=3, instruments=3))
    assert study.table.instrument is not None
    for subject in set(study.table.group):
        assert len(set(study.table.instrument[study.table.group == subject])) == 3
    responses = study.population.responses
    assert not np.allclose(responses[1], responses[0], rtol=1e-3)
    assert not np.allclose(responses[1], responses[2], rtol=1e-3)
    assert simulate(Design("nir")).table.instrument is None


# Mixtures ------------------------------------------------------------------------------------------------------------


@modality
def test_without_noise_and_background_a_spectrum_is_its_concentrations_times_the_pure_spectra(modality: str) -> None:
    study = simulate(replace(bare(modality), analytes=("glucose", "urea")))
    np.testing.assert_allclose(study.expected, study.concentrations @ study.pure, rtol=1e-12)  # order of the sums
    np.testing.assert_array_equal(study.table.values, study.expected.astype(np.float32))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(MODALITIES), seeds, seeds)
def test_the_concentrations_come_back_exactly_from_expected_spectra(modality: str, population: int, seed: int) -> None:
    design = Design(modality, classes=2, subjects=2, replicates=2, instruments=2, analytes=("glucose",), points=600,
                    population=population, seed=seed)  # fmt: skip
    study = simulate(design)
    for number in range(2):
        on = np.flatnonzero(study.table.instrument == f"instrument-{number}")
        found = study.population.unmix(study.expected[on], number)
        # At worst 2e-13 over 1,500 cases; bands that overlap more would cost more digits.
        np.testing.assert_allclose(found, study.concentrations[on], rtol=1e-9)
        np.testing.assert_allclose(found[:, -1], study.table.analytes["glucose"][on], rtol=1e-9)


@modality
def test_an_analyte_can_be_read_from_measured_spectra(modality: str) -> None:
    study = simulate(Design(modality, subjects=30, replicates=1, analytes=("glucose",)))
    found = study.population.unmix(study.table.values.astype(np.float64))[:, -1]
    asked = study.table.analytes["glucose"]
    assert ((asked >= AMOUNTS[0]) & (asked <= AMOUNTS[1])).all()
    assert np.corrcoef(found, asked)[0, 1] > 0.9


@modality
def test_noise_scatters_around_the_expected_spectrum(modality: str) -> None:
    study = simulate(Design(modality, subjects=100, replicates=2, points=200))
    residual = study.table.values - study.expected
    error = residual.std(axis=0) / np.sqrt(len(residual))
    # Means of 200 points within 5 standard errors; absorbance is biased by A'' var / 2, far below its noise.
    assert (np.abs(residual.mean(axis=0)) < 5 * error).all()
    calm = simulate(Design(modality, subjects=100, replicates=2, points=200, noise=0.25))
    np.testing.assert_array_equal(calm.expected, study.expected)
    quiet = (calm.table.values - calm.expected).std()
    assert quiet == pytest.approx(residual.std() / 4, rel=0.03)  # 40,000 draws, and absorbance is not quite linear


@pytest.mark.parametrize(("modality", "read"), [("raman", 8.0), ("maldi", 0.0), ("xrd", 0.0)])
def test_counts_have_the_variance_of_poisson_and_of_the_read_out(modality: str, read: float) -> None:
    study = simulate(Design(modality, subjects=100, replicates=2, points=200))
    z = (study.table.values - study.expected) / np.sqrt(study.expected + read**2)
    assert z.var() == pytest.approx(1, abs=0.04)  # 5 standard errors of 40,000 draws


# Classes and subjects ------------------------------------------------------------------------------------------------


@modality
def test_class_means_are_those_of_many_subjects(modality: str) -> None:
    study = simulate(Design(modality, classes=3, subjects=400, replicates=2, instruments=2, analytes=("glucose",),
                            effect=3.0, points=64))  # fmt: skip
    for number, mean in enumerate(study.class_means):
        spectra = study.expected[study.table.label == f"class-{number}"].reshape(400, 2, -1).mean(axis=1)
        error = spectra.std(axis=0) / 20
        assert (np.abs(spectra.mean(axis=0) - mean) < 5 * error).all()  # 5 standard errors at each of 64 points


def test_concentrations_have_the_stated_spread_and_any_two_classes_the_stated_distance() -> None:
    study = simulate(bare("ir", classes=4, subjects=400, replicates=2, effect=2.5, points=32))
    shift = study.population.shift
    apart = np.linalg.norm(shift[:, None] - shift, axis=2)
    np.testing.assert_allclose(apart, 2.5 * (1 - np.eye(4)), atol=1e-12)
    markers = (study.concentrations[:, 1:7].reshape(4, 400, 2, 6) - 1) / SPREAD - shift[:, None, None]
    within = (markers[:, :, 0] - markers[:, :, 1]).var() / 2
    assert within == pytest.approx(REPLICATE**2, rel=0.08)  # 5 standard errors of 9,600 differences
    assert markers.mean(axis=2).var() - within / 2 == pytest.approx(1, rel=0.09)
    assert (study.concentrations[:, 0] == 1).all()


@pytest.mark.parametrize("classes", [2, 3, 10, 60])
def test_the_best_accuracy_is_that_of_orthogonal_signals(classes: int) -> None:
    population = Population.of(bare("ir", classes=classes, effect=2.0, points=32))
    distance = 2 / np.sqrt(1 + REPLICATE**2 / 3)
    oracle, _ = quad(lambda z: norm.pdf(z - distance / np.sqrt(2)) * norm.cdf(z) ** (classes - 1), -10, 14)
    assert population.best_accuracy(replicates=3) == pytest.approx(oracle, abs=1e-8)
    if classes == 2:
        assert oracle == pytest.approx(norm.cdf(distance / 2), abs=1e-8)


@pytest.mark.parametrize("effect", [0.0, 1.5])
def test_no_effect_leaves_chance_and_one_class_is_always_right(effect: float) -> None:
    assert Population.of(bare("xrd", classes=1, effect=effect)).best_accuracy() == pytest.approx(1)
    assert Population.of(bare("xrd", classes=4, effect=0.0)).best_accuracy() == pytest.approx(0.25)


@pytest.mark.parametrize(("modality", "classes", "effect"), [("raman", 2, 1.0), ("nir", 3, 2.0), ("maldi", 5, 3.0)])
def test_discriminant_analysis_of_measured_spectra_approaches_the_best_accuracy(
    modality: str, classes: int, effect: float
) -> None:
    design = Design(modality, classes=classes, subjects=1000, replicates=1, effect=effect, points=300, noise=0.05)
    train, test = simulate(design), simulate(design.another(1))
    best = train.best_accuracy
    error = np.sqrt(best * (1 - best) / len(test.table))
    markers = [study.population.unmix(study.table.values.astype(np.float64))[:, 1:] for study in (train, test)]
    fitted = LinearDiscriminantAnalysis().fit(markers[0], train.table.label)
    # Four binomial standard errors, and 1 % that the fitted rule and the little noise may cost.
    assert abs(fitted.score(markers[1], test.table.label) - best) < 4 * error + 0.01
    ideal = test.population.posterior(test.concentrations).argmax(axis=1)
    assert abs(np.mean(ideal == np.repeat(np.arange(classes), 1000)) - best) < 4 * error


def test_several_replicates_tell_more_than_one() -> None:
    study = simulate(bare("ir", classes=3, subjects=2000, replicates=4, effect=2.0, points=32))
    means = study.concentrations.reshape(6000, 4, -1).mean(axis=1)
    right = study.population.posterior(means, replicates=4).argmax(axis=1) == np.repeat(np.arange(3), 2000)
    best = study.population.best_accuracy(replicates=4)
    assert best > study.best_accuracy + 0.02
    assert abs(right.mean() - best) < 4 * np.sqrt(best * (1 - best) / 6000)


def test_posteriors_are_those_of_bayes_rule() -> None:
    study = simulate(bare("ir", classes=3, subjects=10, effect=2.0, analytes=("glucose",)))  # type: ignore[arg-type]
    means = study.population.mean_concentrations[:, 1:7]
    covariance = SPREAD**2 * (1 + REPLICATE**2) * np.eye(6)
    density = np.stack([multivariate_normal(m, covariance).pdf(study.concentrations[:, 1:7]) for m in means], axis=1)
    found = study.population.posterior(study.concentrations)
    np.testing.assert_allclose(found, density / density.sum(axis=1, keepdims=True), rtol=1e-9)


def test_a_split_by_spectrum_flatters_and_one_by_subject_does_not() -> None:
    right: dict[str, list[float]] = {"spectrum": [], "subject": []}
    for seed in range(10):
        table = simulate(Design("ir", subjects=30, replicates=4, effect=0.0, points=200, seed=seed)).table
        assert table.label is not None
        row = np.arange(len(table))
        normal = (table.values - table.values.mean(axis=1, keepdims=True)) / table.values.std(axis=1, keepdims=True)
        for split, train in {"spectrum": row % 4 > 0, "subject": row // 4 % 2 > 0}.items():
            nearest = KNeighborsClassifier(1).fit(normal[train], table.label[train])
            right[split].append(nearest.score(normal[~train], table.label[~train]))
    assert np.mean(right["spectrum"]) > 0.7  # the nearest spectrum is often another one of the same subject
    assert abs(np.mean(right["subject"]) - 0.5) < 4 * np.sqrt(0.25 / 300)  # chance, 300 independent subjects


# Seeds and names -----------------------------------------------------------------------------------------------------


@modality
def test_equal_designs_give_equal_bytes(modality: str) -> None:
    first, again = (simulate(Design(modality, analytes=("glucose",), subjects=2, instruments=2)) for _ in range(2))
    assert digest(first.table.values.tobytes()) == digest(again.table.values.tobytes())
    assert digest(first.expected.tobytes()) == digest(again.expected.tobytes())
    assert digest(first.concentrations.tobytes()) == digest(again.concentrations.tobytes())


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(MODALITIES), st.integers(1, 4), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3), seeds)
def test_a_replicate_is_the_same_whatever_their_number(
    modality: str, subjects: int, replicates: int, more: int, again: int, seed: int
) -> None:
    few = simulate(Design(modality, 2, subjects, replicates, 2, ("urea",), points=50, seed=seed))
    many = simulate(Design(modality, 2, subjects + more, replicates + again, 2, ("urea",), points=50, seed=seed))
    rows = np.flatnonzero(np.isin(many.table.identity, few.table.identity))
    assert np.array_equal(many.table.identity[rows], few.table.identity)
    assert np.array_equal(many.concentrations[rows], few.concentrations)
    # The sums of a matrix product may round another way when it has more rows.
    np.testing.assert_allclose(many.expected[rows], few.expected, rtol=1e-12)
    assert np.mean(many.table.values[rows] == few.table.values) > 0.999


def test_another_seed_draws_other_subjects_of_the_same_population() -> None:
    design = Design("raman", classes=3, analytes=("glucose",), instruments=2, effect=2.0)
    here, there = simulate(design), simulate(design.another(7))
    assert np.array_equal(here.class_means, there.class_means)
    assert np.array_equal(here.population.responses, there.population.responses)
    assert not set(here.table.group) & set(there.table.group)
    assert np.abs(here.concentrations - there.concentrations)[:, 1:].min() > 0


def test_another_population_has_other_lines_and_other_class_means() -> None:
    here, there = (simulate(Design("ir", population=number)) for number in (0, 1))
    assert not np.allclose(here.pure[1:], there.pure[1:])
    assert not np.allclose(here.population.shift, there.population.shift)
    assert np.array_equal(here.pure[0], there.pure[0])  # the reference


def test_the_same_subjects_can_be_measured_in_every_modality() -> None:
    studies = [simulate(Design(name, classes=3, subjects=3, analytes=("glucose",), seed=5)) for name in MODALITIES]
    for study in studies[1:]:
        assert np.array_equal(study.table.identity, studies[0].table.identity)
        assert np.array_equal(study.concentrations, studies[0].concentrations)


def test_the_table_names_classes_subjects_and_replicates() -> None:
    table = simulate(Design("maldi", classes=2, subjects=3, replicates=4, points=100, seed=9)).table
    assert table.label is not None
    assert len(table) == 24
    assert (table.axis.modality, table.axis.unit) == ("maldi", "m/z")
    assert sorted(set(table.label)) == ["class-0", "class-1"]
    assert len(set(table.group)) == 6
    assert len(set(table.identity)) == 24
    assert table.identity[-1] == "class-1/seed-9/subject-2/replicate-3"
    for subject in set(table.group):
        assert len(set(table.label[table.group == subject])) == 1


@modality
def test_spectra_lie_in_the_range_of_a_detector(modality: str) -> None:
    values = simulate(Design(modality, classes=3, subjects=20, effect=10.0)).table.values
    low, high = {"raman": (0, 65535), "ir": (-0.05, 2), "nir": (0, 2), "maldi": (0, 1e5), "xrd": (0, 1e5)}[modality]
    assert values.min() >= low
    assert values.max() < high


@pytest.mark.parametrize("wrong", [
    {"modality": "nmr"}, {"classes": 0}, {"subjects": 0}, {"replicates": 0}, {"instruments": 0}, {"effect": -1.0},
    {"effect": 11.0}, {"effect": float("nan")}, {"noise": -1.0}, {"noise": 1e-9}, {"noise": float("inf")},
    {"background": -0.1}, {"background": float("inf")}, {"points": 2}, {"seed": -1}, {"population": -1},
    {"analytes": ("",)}, {"analytes": ("a/b",)}, {"analytes": ("urea", "urea")},
], ids=str)  # fmt: skip
def test_wrong_designs_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        Design(**({"modality": "raman"} | wrong))  # type: ignore[arg-type]


# The command ---------------------------------------------------------------------------------------------------------


def test_the_command_writes_the_table_and_says_how_well_the_classes_can_be_told_apart(tmp_path: Path) -> None:
    asked = ["simulate", "raman", "--classes", "3", "--subjects", "4", "--replicates", "2", "--instruments", "2",
             "--analyte", "glucose", "--analyte", "urea", "--effect", "2", "--seed", "5", "--population", "1",
             "-o"]  # fmt: skip
    done = lineshape(*asked, tmp_path / "new" / "data.npz")
    assert done.returncode == 0, done.stderr
    study = simulate(Design("raman", 3, 4, 2, 2, ("glucose", "urea"), 2.0, population=1, seed=5))
    assert done.stdout.count("\n") == 1
    assert "24 simulated raman spectra of 12 subjects in 3 classes" in done.stdout
    assert f"{study.best_accuracy:.3f}" in done.stdout
    arrays = read_npz((tmp_path / "new" / "data.npz").read_bytes(), "data.npz")
    table = study.table
    columns: dict[str, Any] = {
        "spectra": table.values,
        "axis": table.axis.values,
        "label": table.label,
        "group": table.group,
        "identity": table.identity,
        "instrument": table.instrument,
        **table.analytes,
    }
    assert set(arrays) == set(columns)
    assert all(np.array_equal(arrays[name], column) for name, column in columns.items())


@pytest.mark.parametrize(("words", "why"), [
    (["raman", "-o", "data.csv"], "npz"), (["nmr", "-o", "data.npz"], "nmr"),
    (["ir", "-o", "data.npz", "--analyte", "spectra"], "spectra"),
    (["ir", "-o", "data.npz", "--classes", "0"], "classes"),
])  # fmt: skip
def test_the_command_refuses_what_it_cannot_write(words: list[str], why: str, tmp_path: Path) -> None:
    done = lineshape("simulate", words[0], "-o", tmp_path / words[2], *words[3:])
    assert done.returncode == 2
    assert why in done.stderr
    assert not list(tmp_path.iterdir())
