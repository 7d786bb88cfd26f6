"""The spectroscopic metrics: against scipy, against values by hand, and against what was planted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import find_peaks as scipy_peaks
from scipy.signal import peak_prominences, peak_widths
from sklearn.cross_decomposition import PLSRegression
from sklearn.metrics import roc_auc_score

from lineshape.errors import DataError, LeakError
from lineshape.peaks import Peaks, find_peaks, maxima, noise, topography
from lineshape_training.validation.metrics.analytes import analyte_calibration, fitted
from lineshape_training.validation.metrics.components import components
from lineshape_training.validation.metrics.conditions import chimera_rate, class_agreement
from lineshape_training.validation.metrics.consensus import Consensus, at_consensus, consensus
from lineshape_training.validation.metrics.diversity import variance_ratio
from lineshape_training.validation.metrics.line_shift import line_shift
from lineshape_training.validation.metrics.memorisation import attack_auc, memorisation, most_suspicious
from lineshape_training.validation.metrics.peak_match import matched, peak_match, peak_wasserstein
from lineshape_training.validation.metrics.plausibility import negative_share, plausibility, ratio_share
from lineshape_training.validation.metrics.snv import snv

X = np.arange(512.0)


@dataclass
class Set:
    """Spectra of two classes: subjects that differ in the strengths of their lines, several spectra of each."""

    seed: int = 0
    subjects: int = 40
    each: int = 4
    kind: str = "raman"
    shift: float = 0.0
    sigma: float = 0.02
    spectra: np.ndarray = field(init=False)
    label: np.ndarray = field(init=False)
    group: np.ndarray = field(init=False)
    amount: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        fwhm = 60 if self.kind == "nir" else 8
        centres = np.array([70.0, 150.3, 221.7, 300.0, 371.4, 440.0])
        lines = np.exp(-4 * np.log(2) * ((X - centres[:, None] - self.shift) / fwhm) ** 2)
        two = np.arange(self.subjects) % 2
        heights = np.array([[1.0, 0.6, 0.8, 0.4, 0.9, 0.7], [1.0, 0.9, 0.5, 0.4, 0.9, 0.9]])[two]
        heights = heights * rng.lognormal(0, 0.2, heights.shape)
        heights = np.repeat(heights, self.each, axis=0) * rng.lognormal(0, 0.02, (self.subjects * self.each, 6))
        background = rng.uniform(1, 3, (len(heights), 1)) * np.exp(-X / 300) if self.kind == "raman" else 0
        clean = heights @ lines + background
        self.spectra = (clean + self.sigma * rng.normal(size=clean.shape)).astype(np.float32)
        self.label = np.repeat(np.array(["a", "b"])[two], self.each)
        self.group = np.repeat([f"set {self.seed} subject {i}" for i in range(self.subjects)], self.each)
        self.amount = heights[:, 4].astype(np.float64)


@pytest.fixture(scope="module")
def train() -> Set:
    return Set(1)


@pytest.fixture(scope="module")
def held_out() -> Set:
    return Set(2)


@pytest.fixture(scope="module")
def fresh() -> Set:
    """What a perfect generator would draw."""
    return Set(3)


def class_means_plus_noise(real: Set, sigma: float = 0.02) -> np.ndarray:
    rng = np.random.default_rng(5)
    means = np.stack([real.spectra[real.label == name].mean(0) for name in real.label])
    return (means + sigma * rng.normal(size=means.shape)).astype(np.float32)


# --- peaks


@given(arrays(np.float64, (3, 40), elements=st.integers(0, 6).map(float)))
def test_maxima_prominences_and_widths_are_those_of_scipy(x: np.ndarray) -> None:
    row, top = maxima(x)
    prominence, fwhm = topography(x, row, top)
    for i, spectrum in enumerate(x):  # whole numbers from 0 to 6: level tops and feet of one height abound
        known, _ = scipy_peaks(spectrum)
        assert top[row == i].tolist() == known.tolist()
        np.testing.assert_allclose(prominence[row == i], peak_prominences(spectrum, known)[0])
        np.testing.assert_allclose(fwhm[row == i], peak_widths(spectrum, known, rel_height=0.5)[0])


def test_a_line_between_points_is_found_with_its_height_and_width() -> None:
    centre, fwhm = 100.37, 12.0
    line = 5 * np.exp(-4 * np.log(2) * ((X - centre) / fwhm) ** 2) + 20 - 0.01 * X  # on a falling background
    peaks = find_peaks(line[None].astype(np.float32))
    assert peaks.row.tolist() == [0]
    assert peaks.position[0] == pytest.approx(centre, abs=0.1)  # the background moves the maximum by .01 points
    assert peaks.height[0] == pytest.approx(5, rel=0.05)  # less what smoothing and the sloping foot take
    assert peaks.fwhm[0] == pytest.approx(fwhm, rel=0.05)


def test_noise_is_measured_on_lines_and_is_no_peak() -> None:
    real = Set(0, sigma=0.05)
    assert np.median(noise(real.spectra)) == pytest.approx(0.05, rel=0.1)
    pure = np.random.default_rng(0).normal(size=(300, 512)).astype(np.float32)
    assert len(find_peaks(pure)) < 15  # fewer than one in twenty spectra
    flat = np.ones((2, 512), np.float32)
    assert len(find_peaks(flat)) == 0


def test_recurring_peaks_are_the_lines_whatever_the_background(train: Set) -> None:
    found = consensus(find_peaks(train.spectra), len(train.spectra), 512, 2.0)
    assert np.abs(found.position - [70.0, 150.3, 221.7, 300.0, 371.4, 440.0]).max() < 0.3
    assert (found.share > 0.9).all()


def peaks_at(*positions: tuple[int, float, float]) -> Peaks:
    row, position, height = (np.array(column) for column in zip(*positions, strict=True))
    return Peaks(row, position, height, np.full(len(row), 4.0))


def test_the_highest_peak_at_a_position_is_the_spectrums_own() -> None:
    peaks = peaks_at((0, 9.0, 5.0), (0, 10.5, 3.0), (1, 14.0, 1.0), (2, 11.0, 2.0))
    height, where = at_consensus(peaks, 3, np.array([10.0, 30.0]), 2.0)
    assert height.tolist() == [[5, 0], [0, 0], [2, 0]]
    assert where[[0, 2], 0].tolist() == [9, 11]
    assert np.isnan(where[1]).all()


def test_f1_by_hand() -> None:
    real = Consensus(np.array([10.0, 50.0, 90.0]), np.array([1.0, 0.5, 0.5]))
    synthetic = Consensus(np.array([11.0, 50.5, 70.0]), np.array([0.8, 1.0, 0.2]))
    result = matched(synthetic, real, np.array([10.0]), 2.0)
    assert result.precision == pytest.approx(1.8 / 2.0)  # .8 and 1 stand at real peaks, .2 does not
    assert result.recall == pytest.approx(1.3 / 2.0)  # .8 of the first, .5 of the second
    assert result.f1 == pytest.approx(2 * 0.9 * 0.65 / 1.55)
    assert result.position_error == pytest.approx((0.8 * 1.0 + 0.5 * 0.5) / 1.3)
    hidden = matched(synthetic, real, np.array([10.0, 70.4]), 2.0)
    assert hidden.precision == 1  # the third is a line of the mean that single real spectra hide in noise


@pytest.mark.parametrize("kind", ["raman", "nir"])
def test_peaks_match_between_real_sets_and_not_after_20_points(kind: str) -> None:
    real, other, moved = Set(1, kind=kind), Set(2, kind=kind), Set(3, kind=kind, shift=20)
    same, apart = peak_match(other.spectra, real.spectra), peak_match(moved.spectra, real.spectra, 6.0)
    assert same.f1 > 0.95
    assert same.position_error < 0.5
    assert apart.f1 == 0
    assert np.isnan(apart.position_error)
    near, far = (peak_wasserstein(x.spectra, real.spectra) for x in (other, moved))
    assert near.height < 0.2  # heights of 40 subjects with a spread of 20 %, twice
    assert near.position < 0.6
    assert far.height > 0.7


def test_a_known_displacement_is_the_position_error_and_the_wasserstein_distance(train: Set) -> None:
    moved = Set(1, shift=1.0)  # the same spectra, one point later
    assert peak_match(moved.spectra, train.spectra, 3.0).position_error == pytest.approx(1, abs=0.05)
    assert peak_wasserstein(moved.spectra, train.spectra, 3.0).position == pytest.approx(1, abs=0.05)
    assert peak_wasserstein(2 * train.spectra, train.spectra).height == pytest.approx(1, abs=1e-3)  # twice as high


def test_peaks_of_spectra_without_any() -> None:
    flat = np.zeros((5, 128), np.float32)
    assert peak_match(flat, flat).f1 == 1
    assert peak_wasserstein(flat, flat).height == 0
    assert peak_match(flat, Set(0).spectra[:, :128]).f1 == 0


# --- line shift


@pytest.mark.parametrize("kind", ["raman", "nir"])
@pytest.mark.parametrize("points", [20.0, -20.0, 0.3])
def test_a_planted_displacement_is_found_to_a_tenth_of_a_point(kind: str, points: float) -> None:
    real, moved = Set(1, kind=kind), Set(1, kind=kind, shift=points)
    assert line_shift(moved.spectra, real.spectra, real.group).value == pytest.approx(points, abs=0.1)


def test_real_spectra_do_not_stand_elsewhere(train: Set, fresh: Set) -> None:
    found = line_shift(fresh.spectra, train.spectra, train.group)
    assert found.low < 0 < found.high
    assert found.high - found.low < 0.2
    assert line_shift(train.spectra, train.spectra).value == pytest.approx(0, abs=1e-6)


def test_spectra_rolled_round_are_found_too(train: Set) -> None:
    rolled = np.roll(train.spectra, 20, axis=1)  # with a jump from the background's end to its beginning
    assert line_shift(rolled, train.spectra, train.group).value == pytest.approx(20, abs=0.3)


def test_spectra_without_lines_have_no_displacement() -> None:
    flat = np.ones((4, 64), np.float32)
    assert np.isfinite(line_shift(flat, flat).value)


# --- memorisation


def test_fresh_spectra_are_no_copies(train: Set, held_out: Set, fresh: Set) -> None:
    found = memorisation(fresh.spectra, held_out.spectra, train.spectra, held_out.group, train.group)
    assert found.distance_ratio == pytest.approx(1, abs=0.1)
    assert found.near_copies <= 0.01
    assert found.membership_low < 0.5 < found.membership_high


def disguised(how: str, real: Set) -> np.ndarray:
    rng = np.random.default_rng(4)
    if how == "moved by a tenth of a point":
        return Set(1, shift=0.1).spectra
    if how == "with a tenth of the noise":
        return (real.spectra + 0.002 * rng.normal(size=real.spectra.shape)).astype(np.float32)
    return (real.spectra * 1.05 + 0.3).astype(np.float32) if how == "scaled and lifted" else real.spectra


@pytest.mark.parametrize(
    "how", ["as they are", "scaled and lifted", "with a tenth of the noise", "moved by a tenth of a point"]
)
def test_copies_are_caught_in_every_disguise(train: Set, held_out: Set, how: str) -> None:
    copies = disguised(how, train)
    found = memorisation(copies, held_out.spectra, train.spectra, held_out.group, train.group)
    assert found.distance_ratio < 0.15
    assert found.near_copies > 0.99
    assert found.membership_auc > 0.99
    assert found.membership_low > 0.9


def test_smooth_spectra_are_judged_by_their_neighbourhood() -> None:
    real, held, new = (Set(seed, kind="nir", sigma=1e-4) for seed in (1, 2, 3))
    moved = Set(1, kind="nir", sigma=1e-4, shift=0.1)
    assert memorisation(moved.spectra, held.spectra, real.spectra, held.group, real.group).near_copies > 0.95
    assert memorisation(new.spectra, held.spectra, real.spectra, held.group, real.group).near_copies < 0.02


def test_a_few_copies_are_counted_and_shown_first(train: Set, held_out: Set, fresh: Set) -> None:
    mixed = fresh.spectra.copy()
    mixed[[3, 70, 11]] = 1.05 * train.spectra[[20, 8, 9]]
    found = memorisation(mixed, held_out.spectra, train.spectra, held_out.group, train.group)
    assert found.near_copies == pytest.approx(3 / len(mixed), abs=0.01)
    shown = most_suspicious(mixed, train.spectra, 5)
    assert set(zip(shown.synthetic[:3].tolist(), shown.train[:3].tolist(), strict=True)) == {(3, 20), (70, 8), (11, 9)}
    assert (np.diff(shown.distance) >= 0).all()
    assert shown.distance[2] < 1e-3 < shown.distance[3]


def test_the_nearest_training_spectra_are_those_of_brute_force(train: Set, fresh: Set) -> None:
    ours, theirs = snv(fresh.spectra), snv(train.spectra)
    slope = np.gradient(theirs.mean(0))
    slope /= np.linalg.norm(slope)
    ours, theirs = (x - (x @ slope)[:, None] * slope for x in (ours, theirs))
    distance = np.sqrt(((ours[:, None] - theirs[None]) ** 2).mean(2))
    shown = most_suspicious(fresh.spectra, train.spectra, len(ours))
    np.testing.assert_allclose(shown.distance, np.sort(distance.min(1)))
    assert shown.train.tolist() == distance.argmin(1)[shown.synthetic].tolist()


@settings(max_examples=20, deadline=None)  # a thousand draws each
@given(st.lists(st.integers(0, 5), min_size=2, max_size=20), st.lists(st.integers(0, 5), min_size=2, max_size=20))
def test_the_attacks_auc_is_that_of_scikit_learn(members: list[int], others: list[int]) -> None:
    groups = np.arange(len(members)).astype(str), np.arange(len(others)).astype(str)
    found = attack_auc(np.array(members, float), np.array(others, float), *groups)
    truth = np.r_[np.ones(len(members)), np.zeros(len(others))]
    assert found.value == pytest.approx(roc_auc_score(truth, members + others))
    assert 0 <= found.low <= found.high <= 1


def test_a_group_on_both_sides_or_only_one_group_is_refused(train: Set, held_out: Set) -> None:
    with pytest.raises(LeakError, match="both sides"):
        memorisation(train.spectra, held_out.spectra, train.spectra, train.group, train.group)
    one = np.full(len(train.group), "one")
    with pytest.raises(DataError, match="all of one group"):
        memorisation(train.spectra, held_out.spectra, train.spectra, held_out.group, one)


# --- conditions


def test_class_agreement_knows_classes_guesses_and_swaps(train: Set, fresh: Set) -> None:
    rng = np.random.default_rng(0)
    assert class_agreement(fresh.spectra, fresh.label, train.spectra, train.label) > 0.9
    shuffled = rng.permutation(fresh.label)
    # 160 guesses: .5 with a standard error of .04
    assert class_agreement(fresh.spectra, shuffled, train.spectra, train.label) == pytest.approx(0.5, abs=0.12)
    swapped = np.where(fresh.label == "a", "b", "a")
    assert class_agreement(fresh.spectra, swapped, train.spectra, train.label) < 0.1


def test_mixtures_of_two_classes_are_chimeras(train: Set, fresh: Set) -> None:
    pure = chimera_rate(fresh.spectra, train.spectra, train.label, train.group)
    one, other = (snv(fresh.spectra[fresh.label == name]) for name in "ab")
    mixed = chimera_rate((one.mean(0) + other) / 2, train.spectra, train.label, train.group)
    assert pure < 0.5  # the classes overlap
    assert mixed > 0.8


def test_classes_that_tell_nothing_are_all_chimeras(train: Set) -> None:
    rng = np.random.default_rng(0)
    names = rng.permutation(np.unique(train.group))
    coin = np.where(np.isin(train.group, names[::2]), "a", "b")  # a class by subject that no spectrum shows
    assert chimera_rate(train.spectra, train.spectra, coin, train.group) > 0.95


def test_conditions_refuse_what_they_cannot_judge(train: Set) -> None:
    one = np.full(len(train.label), "a")
    with pytest.raises(DataError, match="'c' stands among the synthetic"):
        class_agreement(train.spectra, np.full(len(train.label), "c"), train.spectra, train.label)
    with pytest.raises(DataError, match="needs a second one"):
        class_agreement(train.spectra, one, train.spectra, one)
    with pytest.raises(DataError, match="independent groups cannot make"):
        chimera_rate(train.spectra, train.spectra, train.label, one)
    with pytest.raises(DataError, match="'b' has a single independent group"):
        chimera_rate(train.spectra, train.spectra, np.where(train.group == train.group[0], "b", "a"), train.group)
    with pytest.raises(DataError, match="several amounts"):
        analyte_calibration(train.spectra, np.ones(len(one)), train.spectra, train.amount, train.group)


def test_two_groups_a_class_are_the_fewest_to_calibrate_on(train: Set) -> None:
    four = np.arange(16)
    spectra, label, group = train.spectra[four], train.label[four], train.group[four]
    assert 0 <= chimera_rate(train.spectra, spectra, label, group) <= 1


def test_amounts_are_read_back_and_an_attenuated_answer_is_seen(train: Set, fresh: Set) -> None:
    known = train.amount.copy()
    known[::9] = np.nan  # not measured
    right = analyte_calibration(fresh.spectra, fresh.amount, train.spectra, known, train.group)
    assert right.slope == pytest.approx(1, abs=0.1)
    assert right.r2 > 0.9
    # a generator that answers with half of what was asked beyond .9
    halved = analyte_calibration(fresh.spectra, 2 * fresh.amount - 0.9, train.spectra, known, train.group)
    assert halved.slope == pytest.approx(right.slope / 2, rel=1e-6)
    assert halved.intercept == pytest.approx(right.intercept + 0.45 * right.slope, rel=1e-6)
    unheard = analyte_calibration(
        fresh.spectra, np.random.default_rng(0).permutation(fresh.amount), train.spectra, known, train.group
    )
    assert abs(unheard.slope) < 0.3
    assert unheard.r2 < 0


def test_partial_least_squares_is_that_of_scikit_learn(train: Set) -> None:
    spectra, amount = train.spectra.astype(np.float64), train.amount
    read = fitted(spectra[::2], amount[::2], 6).predict(spectra[1::2])
    for k in range(6):
        known = PLSRegression(k + 1, scale=False).fit(spectra[::2], amount[::2]).predict(spectra[1::2])
        np.testing.assert_allclose(read[k], known.ravel(), rtol=1e-8)


def test_a_calibration_of_one_factor_by_hand() -> None:
    amount = np.array([1.0, 2.0, 3.0, 4.0])
    real = amount[:, None] * np.array([[1.0, 2.0, 0.0]])
    group = np.array(["p", "q", "r", "s"])
    asked = np.array([1.0, 2.0, 3.0])
    read = analyte_calibration(np.array([2.0, 3.0, 5.0])[:, None] * [[1.0, 2.0, 0.0]], asked, real, amount, group)
    assert read.slope == pytest.approx(1.5)  # of (1, 2), (2, 3), (3, 5)
    assert read.intercept == pytest.approx(1 / 3)
    assert read.rmse == pytest.approx(np.sqrt((1 + 1 + 4) / 3))
    assert read.r2 == pytest.approx(1 - 6 / 2)


# --- plausibility and diversity


def test_real_spectra_are_plausible(train: Set, fresh: Set) -> None:
    found = plausibility(fresh.spectra, train.spectra)
    assert max(found.negative, found.narrow, found.jumps) < 0.05
    assert found.ratios < 0.1  # 160 spectra of 40 subjects do not know their 99 % range to a percent


def test_each_impossible_thing_is_seen_by_its_own_figure(train: Set, fresh: Set) -> None:
    plain = plausibility(fresh.spectra, train.spectra)
    below, spiked = fresh.spectra - 3, fresh.spectra.copy()
    spiked[:, 260] += 3
    assert plausibility(below, train.spectra).negative == 1
    assert plausibility(spiked, train.spectra).jumps == 1
    assert plausibility(spiked, train.spectra).narrow > 0.1  # one of its seven peaks
    swapped = fresh.spectra.copy()
    swapped[:, 130:170] += 4 * (fresh.spectra[:, 130:170] - fresh.spectra[:, [130]])  # one line 5 times as high
    assert plausibility(swapped, train.spectra).ratios > plain.ratios + 0.2


def test_shares_by_hand() -> None:
    def straight(*starts: float) -> np.ndarray:  # spectra without noise, lowest at their start
        return np.array(starts)[:, None] + np.arange(4.0)

    real = straight(1.0, 0.5)
    assert negative_share(straight(0.1, -0.1), real) == 0.5  # real ones never fall below 0
    assert negative_share(straight(-0.1, -9.0), real - 2) == 0.5  # and these fall to -1.5
    rough = real + 0.1 * np.array([1.0, -1.0, 1.0, -1.0])  # noise of .24: less than .7 below 0 is none
    assert negative_share(straight(-0.6, -0.9), rough) == 0.5
    known = np.linspace(0.4, 0.6, 201)[:, None]  # its middle 99 % run from .401 to .599
    assert ratio_share(np.array([[0.4005], [0.4015], [0.5985], [0.7]]), known) == 0.5


@pytest.mark.parametrize("shape", [(30, 80), (80, 30), (3, 5)])
def test_components_are_those_of_a_full_decomposition(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=shape) * np.geomspace(1, 9, shape[1])
    x -= x.mean(0)
    directions, deviation = components(x, 6)
    _, values, vectors = np.linalg.svd(x, full_matrices=False)
    np.testing.assert_allclose(deviation, values[: len(deviation)] / np.sqrt(len(x)))
    agreement = np.abs((directions * vectors[: len(directions)]).sum(1))  # either sign will do
    np.testing.assert_allclose(agreement, 1)
    assert len(directions) == min(6, min(shape) - 1)
    assert len(components(np.zeros((4, 9)), 3)[0]) == 0


def test_class_means_plus_noise_have_no_variance(train: Set, fresh: Set) -> None:
    for sigma in (0.0, 0.02, 0.1):  # whatever noise is added to hide it
        cheat = class_means_plus_noise(train, sigma)
        assert variance_ratio(cheat, train.label, train.spectra, train.label, train.group) < 0.03
    ratio = variance_ratio(fresh.spectra, fresh.label, train.spectra, train.label, train.group)
    assert ratio == pytest.approx(1, abs=0.35)  # 40 subjects: a variance is known to sqrt(2 / 40) = 22 %


def test_a_variance_ratio_is_the_square_of_the_spread(train: Set) -> None:
    centre = np.stack([snv(train.spectra[train.label == name]).mean(0) for name in train.label])
    shrunk = centre + 0.5 * (snv(train.spectra) - centre)
    full = variance_ratio(snv(train.spectra), train.label, train.spectra, train.label, train.group)
    half = variance_ratio(shrunk, train.label, train.spectra, train.label, train.group)
    assert full == pytest.approx(1, abs=0.2)
    assert half / full == pytest.approx(0.25, abs=0.02)  # SNV stretches the shrunk spectra by a percent or two


def test_real_classes_without_variance_are_refused(train: Set) -> None:
    same = np.tile(train.spectra[:1], (len(train.label), 1))
    one = np.full(len(train.label), "a")
    with pytest.raises(DataError, match="do not vary"):
        variance_ratio(train.spectra, train.label, same, one, train.group)


def test_every_metric_gives_the_same_twice(train: Set, held_out: Set, fresh: Set) -> None:
    def everything() -> list[object]:
        a, b = fresh.spectra, train.spectra
        return [
            peak_match(a, b),
            peak_wasserstein(a, b),
            line_shift(a, b, train.group),
            memorisation(a, held_out.spectra, b, held_out.group, train.group),
            class_agreement(a, fresh.label, b, train.label),
            chimera_rate(a, b, train.label, train.group),
            analyte_calibration(a, fresh.amount, b, train.amount, train.group),
            plausibility(a, b),
            variance_ratio(a, fresh.label, b, train.label, train.group),
        ]

    assert everything() == everything()


def test_sets_on_different_grids_are_refused(train: Set) -> None:
    broken = train.spectra.copy()
    broken[4, 2] = np.inf
    with pytest.raises(DataError, match="synthetic spectrum 4 "):
        plausibility(broken, train.spectra)


# --- real spectra


def test_saliva_of_other_patients_passes_and_cheats_do_not(shared_data: object) -> None:
    with np.load(f"{shared_data}/clinical/saliva_covid.npz") as data:
        spectra, patient, label = data["spectra"], data["patient"], data["label"]
    third = np.unique(patient, return_inverse=True)[1] % 3
    (a, ga, la), (b, gb, _), (c, _, lc) = (
        (spectra[third == i], patient[third == i], label[third == i]) for i in range(3)
    )
    found = memorisation(c, b, a, gb, ga)
    assert found.near_copies < 0.01
    assert found.distance_ratio == pytest.approx(1, abs=0.15)
    assert found.membership_low < 0.5 < found.membership_high
    assert memorisation(a, b, a, gb, ga).near_copies == 1
    moved = np.pad(c, [(0, 0), (20, 0)], mode="edge")[:, :-20]
    shift, none = line_shift(moved, a, ga), line_shift(c, a, ga)
    assert shift.value == pytest.approx(20 + none.value, abs=0.1)
    assert abs(none.value) < 1.5  # patients differ; the line that decides is 40 points wide
    assert shift.low > 15
    assert peak_match(c, a).f1 > 0.8
    assert peak_match(moved, a).f1 < 0.2
    means = np.stack([a[la == name].mean(0) for name in la])
    means += np.random.default_rng(0).normal(size=means.shape).astype(np.float32) * float(np.median(noise(a)))
    assert variance_ratio(means, la, a, la, ga) < 0.05
    assert variance_ratio(c, lc, a, la, ga) == pytest.approx(1, abs=0.4)
