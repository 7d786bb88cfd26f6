"""Classical augmentation: each step by its definition, and what they do to an analyte."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samplers import ANALYTE, BLENDING, POINTS, line, mixture
from sklearn.base import clone

from lineshape.errors import DataError, UsageError
from lineshape_training.resampling import (
    ADASYN,
    SMOTE,
    Blend,
    ClassicalAugmentation,
    Intensify,
    Noise,
    Offset,
    Scale,
    Shift,
    Slope,
    SpectralSampler,
    Step,
)
from lineshape_training.resampling.batch import Batch, Pool

# Steps


def applied(step: Step, X: np.ndarray, seed: int = 0) -> np.ndarray:
    batch = Batch.of(Pool.of(X, None, None), np.arange(len(X)))
    return step(batch, np.random.default_rng(seed)).values


@given(snr=st.floats(-5, 60), height=st.floats(0.1, 1e4), offset=st.floats(-1e3, 1e3))
def test_noise_has_the_ratio_asked_for(snr: float, height: float, offset: float) -> None:
    X = np.tile(height * line(60) + offset, (200, 1))
    noise = applied(Noise(snr_db=(snr, snr)), X) - X
    measured = 10 * np.log10(X[0].var() / noise.var())
    # The variance of 24,000 normals scatters by 0.9 %, or 0.04 dB; five of those.
    assert measured == pytest.approx(snr, abs=0.2)


@given(points=st.floats(-3, 3))
def test_a_shift_moves_a_line_by_parts_of_a_point(points: float) -> None:
    moved = applied(Shift(points=(points, points), probability=1.0), line(60))[0]
    centroid = moved @ POINTS / moved.sum()
    # Cubic convolution keeps sum and centroid of a line that is well sampled; 1e-6 is far under any axis's accuracy.
    assert centroid == pytest.approx(60 + points, abs=1e-6)
    # Its error in height is of third order: below 0.2 % for a line of 9 points' width at half height.
    np.testing.assert_allclose(moved, line(60 + points)[0], atol=2e-3)


def test_a_shift_by_whole_points_is_exact_and_holds_the_ends() -> None:
    X = np.arange(1.0, 11.0)[None]
    moved = applied(Shift(points=(2, 2), probability=1.0), X)
    np.testing.assert_array_equal(moved[0], [1, 1, 1, 2, 3, 4, 5, 6, 7, 8])


def test_scale_offset_slope_and_intensify_by_hand() -> None:
    X = np.array([[-1.0, 0.0, 3.0]])
    np.testing.assert_allclose(applied(Scale((2, 2), probability=1), X), [[-2, 0, 6]])
    np.testing.assert_allclose(applied(Intensify((1.5, 1.5), probability=1), X), [[-1, 0.5, 5]])
    np.testing.assert_allclose(applied(Offset((0.25, 0.25), probability=1), X), [[0, 1, 4]])
    np.testing.assert_allclose(applied(Slope((0.5, 0.5), probability=1), X), [[-2, 0, 4]])


def test_strengths_fill_their_ranges() -> None:
    factors = applied(Scale((0.9, 1.1), probability=1), np.ones((4000, 3)))[:, 0]
    assert factors.min() == pytest.approx(0.9, abs=1e-3)
    assert factors.max() == pytest.approx(1.1, abs=1e-3)


def test_a_step_changes_its_share_of_the_spectra() -> None:
    X = np.ones((10_000, 3))
    changed = (applied(Scale((2, 2), probability=0.3), X) != X).any(axis=1)
    assert changed.mean() == pytest.approx(0.3, abs=0.023)  # five standard deviations of 10,000 draws


def test_every_real_spectrum_starts_equally_many_samples() -> None:
    X, y = mixture({"calcite": 20})
    drawn, _ = ClassicalAugmentation(steps=[]).fit(X, y).sample(100)
    _, times = np.unique(drawn, axis=0, return_counts=True)
    assert times.tolist() == [5] * 20


def test_a_blend_is_of_two_groups_where_there_are_two() -> None:
    X = np.eye(6)
    groups = np.array(["b", "a", "b", "c", "a", "b"])
    drawn, _ = clone(BLENDING).fit(X, ["calcite"] * 6, groups=groups).sample(600)
    parts = drawn > 1e-9
    assert (parts.sum(axis=1) == 2).all()
    assert all(len(set(groups[part])) == 2 for part in parts)
    pairs = {tuple(np.flatnonzero(part)) for part in parts}
    assert len(pairs) == 11  # every pair of different groups: 15 pairs less 3 inside b and 1 inside a


@pytest.mark.parametrize("groups", [None, ["p"] * 6])
def test_a_blend_without_other_groups_is_of_any_two_spectra(groups: list[str] | None) -> None:
    drawn, _ = clone(BLENDING).fit(np.eye(6), ["calcite"] * 6, groups=groups).sample(600)
    parts = drawn > 1e-9
    assert (parts.sum(axis=1) == 2).all()
    assert len({tuple(np.flatnonzero(part)) for part in parts}) == 15
    assert drawn[parts].min() >= 0.1 - 1e-9
    assert drawn[parts].max() <= 0.9 + 1e-9


def test_a_blend_of_one_spectrum_is_that_spectrum() -> None:
    drawn, _ = clone(BLENDING).fit(line(60), ["calcite"]).sample(5)
    np.testing.assert_allclose(drawn, np.tile(line(60), (5, 1)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noise(snr_db=(40, 20)),
        lambda: Shift(points=(0, np.inf)),
        lambda: Blend(weight=(0.5, 1.5)),
        lambda: Scale(probability=1.5),
    ],
)
def test_a_range_is_checked_where_it_is_given(make: Callable[[], Step]) -> None:
    with pytest.raises(UsageError, match=r"(Noise|Shift|Blend|Scale)\("):
        make()


# An analyte


@pytest.mark.parametrize("sampler", ANALYTE, ids=lambda sampler: type(sampler).__name__)
def test_an_analyte_is_mixed_as_its_spectra_are(sampler: SpectralSampler) -> None:
    rng = np.random.default_rng(0)
    amounts = rng.uniform(1, 5, 40)
    X = amounts[:, None] * line(60) + line(30)
    sampler = clone(BLENDING) if isinstance(sampler, ClassicalAugmentation) else clone(sampler)
    resampled, y = sampler.set_params(ratio=3.0).fit_resample(X, amounts)
    assert len(y) == 160
    np.testing.assert_array_equal(y[:40], amounts)
    np.testing.assert_allclose(resampled[:, 60], y + line(30)[0, 60])  # Beer and Lambert still hold


def test_an_analyte_has_no_classes() -> None:
    X, amounts = line(np.linspace(50, 60, 20)), np.linspace(0, 1, 20)
    fitted = ClassicalAugmentation().fit(X, amounts)
    assert fitted.classes_ is None
    assert fitted.sample(7)[1].shape == (7,)
    assert ClassicalAugmentation(ratio="balance").fit_resample(X, amounts)[0].shape == X.shape
    with pytest.raises(UsageError, match="has no classes"):
        fitted.sample({"calcite": 3})
    for sampler in (SMOTE(), ADASYN()):
        with pytest.raises(DataError, match=r"needs class labels.*use SpectralSMOTE"):
            sampler.fit(X, amounts)
