"""The judge: what every planted cheat is caught by, and that honest spectra pass. The truth is the simulator's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from lineshape.errors import DataError, LeakError
from lineshape_training.run import group_hash
from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.validation.evidence import Evidence, Side, noise_of
from lineshape_training.validation.judgement import judge
from lineshape_training.validation.measures import FIGURES

POINTS = {"raman": 400, "nir": 200, "xrd": 800, "maldi": 800, "ir": 400}


def side(table: SpectraTable) -> Side:
    """Spectra scaled from 0 to 1, as most families see them."""
    low, span = table.values.min(1, keepdims=True), np.ptp(table.values, axis=1)[:, None]
    return Side.of(replace(table, values=(table.values - low) / span))


@cache
def evidence(modality: str, seed: int = 0) -> Evidence:
    """New subjects of the same population on all three sides: the perfect generator."""
    design = Design(modality, classes=2, subjects=20, replicates=4, effect=3.0, points=POINTS[modality])
    ours, real, train = (simulate(design.another(3 * seed + k)).table for k in range(3))
    made = side(ours)
    return Evidence(Side.synthetic(made.values, made.label), side(real), side(train), real.axis)


def cheat(modality: str, how: Callable[[Side], np.ndarray]) -> Evidence:
    """The training set, treated in some way, in the place of synthetic spectra."""
    honest = evidence(modality)
    spectra = how(honest.train).astype(np.float32)
    return replace(honest, synthetic=Side.synthetic(spectra, honest.train.label))


def class_means(train: Side) -> np.ndarray:
    means = np.stack([train.values[train.label == name].mean(0) for name in train.label])
    noise = np.random.default_rng(0).standard_normal(means.shape)
    return means + noise * noise_of(train.values.astype(np.float64))


def jittered(train: Side) -> np.ndarray:
    noise = np.random.default_rng(0).standard_normal(train.values.shape)
    return 1.05 * train.values + 0.1 * noise * noise_of(train.values.astype(np.float64))


def shifted(train: Side) -> np.ndarray:
    return np.pad(train.values, ((0, 0), (20, 0)), mode="edge")[:, : train.values.shape[1]]


def white_noise(train: Side) -> np.ndarray:
    return np.random.default_rng(0).random(train.values.shape)


@pytest.mark.parametrize("modality", POINTS)
def test_new_subjects_of_the_same_population_pass(modality: str) -> None:
    found = judge(evidence(modality))
    assert (found.verdict, found.reasons) == ("pass", ())


def test_the_judge_seldom_fails_a_perfect_generator() -> None:
    verdicts = [judge(evidence("nir", seed)).verdict for seed in range(1, 7)]
    assert verdicts.count("fail") == 0


@pytest.mark.parametrize("modality", ["raman", "nir"])
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda train: train.values, "copies"),
        (jittered, "copies"),
        (class_means, "collapse"),
        (shifted, "shift"),
        (white_noise, "unlike"),
    ],
)
def test_every_cheat_fails_with_its_reason(modality: str, how: Callable[[Side], np.ndarray], reason: str) -> None:
    found = judge(cheat(modality, how))
    assert found.verdict == "fail"
    assert any(text.startswith(f"{reason}: ") for text in found.reasons), found.reasons


def test_the_shift_is_said_in_points() -> None:
    found = judge(cheat("raman", shifted))
    assert any("lines stand 20." in reason for reason in found.reasons)


def test_swapped_classes_are_found() -> None:
    honest = evidence("raman")
    names = honest.synthetic.classes
    swapped = np.where(honest.synthetic.label == names[0], names[1], names[0])
    found = judge(replace(honest, synthetic=Side.synthetic(honest.synthetic.values, swapped)))
    assert any(reason.startswith("classes: ") for reason in found.reasons)


def test_a_generator_that_was_fitted_on_who_judges_it_is_found_by_its_hashes() -> None:
    honest = evidence("raman")
    fitted_on = [group_hash(name) for name in [*honest.train.group.tolist(), honest.real.group[0]]]
    found = judge(honest, fitted_on)
    said = f"1 of the 40 groups that it is judged by (that with hash {group_hash(honest.real.group[0])}"
    assert found.reasons[0].startswith("leak: ")
    assert said in found.reasons[0]
    assert honest.real.group[0] not in found.reasons[0]  # a patient's name has no place in a bundle


def test_every_figure_is_read_four_times_and_lies_in_its_range() -> None:
    found = judge(evidence("maldi"))
    assert set(found.metrics) == set(FIGURES) - {"analyte slope", "analyte R2"}
    for name, reading in found.metrics.items():
        for value in (reading.synthetic, reading.real, reading.copies, reading.class_means):
            assert value is None or FIGURES[name].low <= value <= FIGURES[name].high, name


def test_controls_show_which_figures_cheats_can_please() -> None:
    metrics = judge(evidence("raman")).metrics
    assert metrics["Fourier distance"].class_means < metrics["Fourier distance"].real
    assert metrics["near copies"].copies == 1.0
    assert metrics["distance ratio"].copies == pytest.approx(0, abs=1e-6)  # distances by matrix products: ~1e-7
    assert metrics["variance ratio"].class_means < 0.1


def test_amounts_are_read_back_where_an_analyte_is_known() -> None:
    design = Design("nir", classes=1, subjects=40, replicates=2, analytes=("glucose",), points=200, noise=0.1)
    ours, real, train = (Side.of(simulate(design.another(k)).table) for k in range(3))
    axis = simulate(design).table.axis
    right = judge(Evidence(ours, real, train, axis)).metrics["analyte slope"].synthetic
    wrong = judge(Evidence(replace(ours, amount=ours.amount[::-1].copy()), real, train, axis)).metrics["analyte slope"]
    assert right == pytest.approx(1, abs=0.15)  # a calibration on 40 subjects
    assert abs(wrong.synthetic) < 0.5


def test_a_group_on_both_sides_is_refused() -> None:
    honest = evidence("raman")
    with pytest.raises(LeakError, match="both sides"):
        replace(honest, train=honest.real)


def test_what_cannot_be_judged_is_refused() -> None:
    honest = evidence("raman")
    with pytest.raises(DataError, match="axis of 400 points"):
        replace(honest, synthetic=Side.synthetic(honest.synthetic.values[:, 1:]))
    with pytest.raises(DataError, match="'new'"):
        replace(honest, synthetic=Side.synthetic(honest.synthetic.values, np.full(len(honest.synthetic), "new")))
    values = honest.synthetic.values.copy()
    values[3, 7] = np.nan
    with pytest.raises(DataError, match="synthetic spectrum 3"):
        replace(honest, synthetic=Side.synthetic(values, honest.synthetic.label))
    one = honest.real.rows(np.flatnonzero(honest.real.group == honest.real.group[0]))
    with pytest.raises(DataError, match="one independent group"):
        judge(replace(honest, real=one, synthetic=Side.synthetic(one.values, one.label)))


def test_copies_of_the_spectra_that_judge_are_a_leak() -> None:
    honest = evidence("raman")
    seen = honest.real.rows(np.arange(0, len(honest.real), 2))
    found = judge(replace(honest, synthetic=Side.synthetic(1.02 * seen.values, seen.label)))
    assert found.reasons[0].startswith("leak: 100% of the synthetic spectra copy")


def test_the_same_spectra_under_other_names_are_refused() -> None:
    honest = evidence("raman")
    renamed = replace(honest.real, group=np.char.add("other ", honest.real.group))
    with pytest.raises(LeakError, match="160 spectra stand among the real ones and in the training set"):
        replace(honest, train=renamed)


def test_a_class_without_synthetic_spectra_is_a_warning() -> None:
    honest = evidence("raman")
    one = honest.synthetic.rows(np.flatnonzero(honest.synthetic.label == "class-0"))
    assert "there are no synthetic spectra of class class-1" in judge(replace(honest, synthetic=one)).warnings


def test_too_few_spectra_have_no_verdict() -> None:
    honest = evidence("raman")
    with pytest.raises(DataError, match="6 synthetic spectra are too few"):
        judge(replace(honest, synthetic=honest.synthetic.rows(np.arange(6))))
