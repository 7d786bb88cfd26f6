"""Samplers of spectra: exact counts, no class crossed, real spectra untouched, the same samples for a seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.pipeline import Pipeline
from sklearn import config_context
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from lineshape.errors import DataError, UsageError
from lineshape_training import resampling
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
    SpectralSMOTE,
    Step,
)
from lineshape_training.resampling.batch import Batch, Pool
from lineshape_training.resampling.draws import largest_remainder

POINTS = np.arange(120)
SIZES = {"calcite": 20, "dolomite": 12, "magnesite": 6}
BLENDING = ClassicalAugmentation(steps=[Blend(probability=1.0)])
SAMPLERS: list[SpectralSampler] = [ClassicalAugmentation(), SMOTE(), ADASYN(), SpectralSMOTE()]
CONVEX: list[SpectralSampler] = [BLENDING, SMOTE(), ADASYN(), SpectralSMOTE()]
ANALYTE: list[SpectralSampler] = [ClassicalAugmentation(), SpectralSMOTE()]
FRAMES: list[Callable[..., Any]] = [
    lambda values: pd.DataFrame(values, columns=400.5 + POINTS),
    lambda values: pl.DataFrame(values, schema=[str(400.5 + point) for point in POINTS]),
]

each = pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)


def line(centre: float | np.ndarray, width: float = 4.0) -> np.ndarray:
    """Gaussian lines, one for each centre."""
    return np.asarray(np.exp(-(((POINTS - np.atleast_1d(centre)[:, None]) / width) ** 2) / 2))


def mixture(sizes: dict[str, int] | None = None, apart: float = 3.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes of one line each, some points apart, with noise in which they overlap."""
    rng = np.random.default_rng(seed)
    y = np.repeat(list(sizes or SIZES), list((sizes or SIZES).values()))
    centre = 50 + apart * np.unique(y, return_inverse=True)[1] + rng.normal(0, 1, len(y))
    return line(centre) + rng.normal(0, 0.05, (len(y), len(POINTS))), y


def counts_of(y: Any) -> dict[Any, int]:
    return dict(zip(*(part.tolist() for part in np.unique(np.asarray(y), return_counts=True)), strict=True))


def test_the_package_shows_all_it_has() -> None:
    assert sorted(resampling.__all__) == sorted(set(resampling.__all__))
    assert {type(sampler).__name__ for sampler in SAMPLERS} <= set(resampling.__all__)
    assert all(hasattr(resampling, name) for name in resampling.__all__)


# Counts


@given(weights=st.lists(st.integers(0, 50), min_size=1, max_size=9).filter(any), total=st.integers(0, 500))
def test_the_largest_remainder_misses_no_quota_by_one(weights: list[int], total: int) -> None:
    counts = largest_remainder(np.array(weights), total)
    assert counts.sum() == total
    quota = np.array(weights) * total / sum(weights)
    assert (np.abs(counts - quota) < 1 + 1e-9).all()  # a whole quota in floating point may fall a rounding short


@each
@pytest.mark.parametrize(("ratio", "times"), [(0.0, 0), (0.5, 0.5), (1.0, 1), (3.0, 3)])
def test_a_ratio_adds_so_many_for_each_real_one(sampler: SpectralSampler, ratio: float, times: float) -> None:
    X, y = mixture()
    resampled, labels = clone(sampler).set_params(ratio=ratio).fit_resample(X, y)
    assert counts_of(labels) == {label: size + times * size for label, size in SIZES.items()}
    assert resampled.shape == (len(labels), len(POINTS))
    np.testing.assert_array_equal(resampled[: len(X)], X)
    np.testing.assert_array_equal(labels[: len(y)], y)


@each
def test_balance_fills_up_to_the_largest_class(sampler: SpectralSampler) -> None:
    _, labels = clone(sampler).set_params(ratio="balance").fit_resample(*mixture())
    assert counts_of(labels) == dict.fromkeys(SIZES, 20)


@each
def test_a_sample_is_counted_by_class_or_spread_as_the_classes_are(sampler: SpectralSampler) -> None:
    fitted = clone(sampler).fit(*mixture())
    assert counts_of(fitted.sample({"dolomite": 7, "calcite": 300})[1]) == {"calcite": 300, "dolomite": 7}
    assert counts_of(fitted.sample(19)[1]) == {"calcite": 10, "dolomite": 6, "magnesite": 3}
    X, y = fitted.sample(0)
    assert X.shape == (0, len(POINTS))
    assert y.dtype == mixture()[1].dtype


@each
@pytest.mark.parametrize("names", [np.array([3, -1, 7]), np.array([True, False]), np.array(["b", "a"], object)])
def test_labels_keep_their_type(sampler: SpectralSampler, names: np.ndarray) -> None:
    X, y = mixture(dict.fromkeys("abc"[: len(names)], 12))
    codes = np.unique(y, return_inverse=True)[1]
    _, labels = clone(sampler).fit_resample(X, names[codes])
    assert labels.dtype == names.dtype
    assert counts_of(labels) == dict.fromkeys(names.tolist(), 24)


# Seeds and prefixes


@each
def test_a_seed_says_it_all(sampler: SpectralSampler) -> None:
    X, y = mixture()
    one, two = (clone(sampler).fit(X, y).sample(50)[0] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    other = clone(sampler).set_params(random_state=1).fit(X, y).sample(50)[0]
    assert not np.isclose(one, other).all(axis=1).any()


@each
@given(few=st.integers(0, 700), more=st.integers(0, 700))
@settings(max_examples=10, deadline=None)
def test_more_samples_begin_with_the_same_ones(sampler: SpectralSampler, few: int, more: int) -> None:
    fitted = clone(sampler).fit(*mixture())
    short = fitted.sample({"dolomite": few})[0]
    long = fitted.sample({"calcite": 3, "dolomite": few + more})[0][3:]
    np.testing.assert_array_equal(short, long[:few])


@pytest.mark.parametrize("sampler", [ClassicalAugmentation(), SMOTE()])
def test_a_class_is_sampled_alike_whatever_else_is_there(sampler: SpectralSampler) -> None:
    X, y = mixture()
    alone = y == "dolomite"
    for label, rows in (("with others", slice(None)), ("alone", alone)):
        drawn = clone(sampler).fit(X[rows], y[rows]).sample({"dolomite": 9})[0]
        if label == "with others":
            first = drawn
    np.testing.assert_array_equal(first, drawn)


# Where samples lie


@pytest.mark.parametrize("sampler", CONVEX, ids=lambda sampler: type(sampler).__name__)
@given(seed=st.integers(0, 99))
@settings(max_examples=8, deadline=None)
def test_mixtures_of_a_class_stay_inside_it(sampler: SpectralSampler, seed: int) -> None:
    X, y = mixture(seed=seed)
    values, labels = clone(sampler).fit(X, y).sample(200)
    for label in SIZES:
        own, drawn = X[y == label], values[labels == label]
        # An interpolation in float64 may pass its end points by a rounding.
        assert (drawn >= own.min(axis=0) - 1e-12).all()
        assert (drawn <= own.max(axis=0) + 1e-12).all()


@each
def test_no_sample_crosses_classes(sampler: SpectralSampler) -> None:
    X, y = mixture(apart=20)
    values, labels = clone(sampler).fit(X, y).sample(200)
    centre = 50 + 20 * np.unique(labels, return_inverse=True)[1]
    # A class's own line moves by 1 (standard deviation) and its shift by up to 2; the next class lies 20 points away.
    assert (np.abs(values.argmax(axis=1) - centre) < 8).all()


@each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_precision_of_the_real_spectra_is_kept(sampler: SpectralSampler, dtype: type) -> None:
    X, y = mixture()
    resampled, _ = clone(sampler).fit_resample(X.astype(dtype), y)
    assert resampled.dtype == dtype
    np.testing.assert_array_equal(resampled[: len(X)], X.astype(dtype))


def test_whole_numbers_become_float64() -> None:
    X, y = mixture()
    resampled, _ = SMOTE().fit_resample((1000 * X).astype(np.int32), y)
    assert resampled.dtype == np.float64
    np.testing.assert_array_equal(resampled[: len(X)], (1000 * X).astype(np.int32))


# Small classes


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_smallest_classes_are_jittered(size: int) -> None:
    X, y = mixture({"calcite": 20, "dolomite": size})
    drawn, _ = SpectralSMOTE().fit(X, y).sample({"dolomite": 2000})
    centre = X[y == "dolomite"].mean(axis=0)
    # The mean of 2,000 points between `size` spectra, which differ by their noise and the place of their line.
    assert np.abs(drawn.mean(axis=0) - centre).max() < (0.02 if size == 1 else 0.3)
    assert len(np.unique(drawn, axis=0)) == 2000
    if size == 1:
        within = X[y == "calcite"].std(axis=0, ddof=1)
        # Standard deviations of 2,000 normals scatter by 1.6 %; the largest of 120 stays under 5 of those.
        np.testing.assert_allclose(drawn.std(axis=0), 0.1 * within, rtol=0.08)


def test_a_single_spectrum_of_a_single_class_is_jittered_by_its_own_spread() -> None:
    X = line(60)
    drawn, _ = SpectralSMOTE().fit(X, ["calcite"]).sample(5000)
    # 5,000 x 120 normals: their standard deviation is known to 0.1 %.
    np.testing.assert_allclose((drawn - X).std(), 0.01 * X.std(), rtol=0.01)


@pytest.mark.parametrize("sampler", [SMOTE(), ADASYN()])
def test_a_class_of_one_has_no_neighbours(sampler: SpectralSampler) -> None:
    X, y = mixture({"calcite": 20, "dolomite": 1})
    with pytest.raises(DataError, match=r"'dolomite' has one spectrum.*use SpectralSMOTE"):
        clone(sampler).fit_resample(X, y)
    assert len(clone(sampler).fit(X, y).sample({"calcite": 5})[0]) == 5


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
@pytest.mark.parametrize("size", [2, 3, 4, 5, 8])
def test_small_classes_make_do(sampler: SpectralSampler, size: int) -> None:
    X, y = mixture({"calcite": 20, "dolomite": size})
    drawn, _ = clone(sampler).fit(X, y).sample({"dolomite": 50})
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
def test_copies_of_one_spectrum_are_no_obstacle(sampler: SpectralSampler) -> None:
    X, y = mixture({"calcite": 20, "dolomite": 9})
    X[y == "dolomite"] = X[-1]
    assert np.isfinite(clone(sampler).fit(X, y).sample(90)[0]).all()


# ADASYN and Spectral SMOTE


def test_adasyn_starts_where_classes_meet_and_falls_back_where_they_do_not() -> None:
    X, y = mixture({"calcite": 30, "dolomite": 30}, apart=2)
    far, labels = mixture({"quartz": 10})
    fitted = ADASYN().fit(np.vstack([X, far[:, ::-1] + 5]), np.concatenate([y, labels]))
    assert fitted.separated_ == ("quartz",)
    assert counts_of(fitted.sample({"quartz": 33, "calcite": 501})[1]) == {"quartz": 33, "calcite": 501}
    place = {
        type(sampler).__name__: (sampler.fit(X, y).sample({"calcite": 2000})[0].clip(0.3) - 0.3)
        for sampler in (ADASYN(), SMOTE())
    }
    mean = {name: ((lines @ POINTS) / lines.sum(axis=1)).mean() for name, lines in place.items()}
    assert mean["ADASYN"] > mean["SMOTE"]  # nearer to dolomite, whose line stands 2 points higher


def test_adasyn_of_one_class_is_smote() -> None:
    X, y = mixture({"calcite": 20})
    fitted = ADASYN().fit(X, y)
    assert fitted.separated_ == ("calcite",)
    np.testing.assert_array_equal(fitted.sample(30)[0], SMOTE().fit(X, y).sample(30)[0])


def modes(width: tuple[float, float], sizes: tuple[int, int] = (30, 30)) -> np.ndarray:
    """Two clusters of one class, at 30 and 80, of different widths."""
    rng = np.random.default_rng(3)
    centres = [rng.normal(at, spread, size) for at, spread, size in zip((30, 80), width, sizes, strict=True)]
    return line(np.concatenate(centres))


def test_spectral_smote_stays_inside_clusters_and_fills_the_sparse_one() -> None:
    X = modes(width=(0.2, 1.0))
    drawn, _ = SpectralSMOTE(clusters=2).fit(X, ["calcite"] * 60).sample(240)
    # One line each: a sample between the modes would have two of about half the height.
    assert (drawn.max(axis=1) > 0.9).all()
    sparse = (drawn.argmax(axis=1) > 55).sum()
    assert sparse > 0.7 * len(drawn)
    smote, _ = SMOTE().fit(X, ["calcite"] * 60).sample(240)
    assert abs((smote.argmax(axis=1) > 55).sum() - 120) < 40  # 5 standard deviations of a fair coin


@given(n=st.integers(1, 240))
@settings(max_examples=10, deadline=None)
def test_clusters_stand_in_proportion_after_any_number_of_samples(n: int) -> None:
    fitted = SpectralSMOTE(clusters=2).fit(modes(width=(0.2, 1.0)), ["calcite"] * 60)
    whole, _ = fitted.sample(300)  # a block of a class of 60
    share = (whole.argmax(axis=1) > 55).mean()
    drawn, _ = fitted.sample(n)
    assert abs((drawn.argmax(axis=1) > 55).sum() - share * n) <= 1


def test_a_stray_spectrum_joins_the_nearest_cluster() -> None:
    X = np.vstack([modes(width=(0.2, 0.2)), line(100)])
    drawn, _ = SpectralSMOTE(clusters=3).fit(X, ["calcite"] * 61).sample(500)
    assert np.isfinite(drawn).all()
    assert (drawn.max(axis=1) > 0.2).all()


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


# Data frames


@each
@pytest.mark.parametrize("frame", FRAMES, ids=["pandas", "polars"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_data_frame_comes_back_as_one(sampler: SpectralSampler, frame: Callable[..., Any], dtype: type) -> None:
    values, labels = mixture()
    X = frame(values.astype(dtype))
    y = pd.Series(labels, name="mineral") if isinstance(X, pd.DataFrame) else pl.Series("mineral", labels)
    for drawn, mineral in (clone(sampler).fit(X, y).sample(19), clone(sampler).fit_resample(X, y, groups=y)):
        assert type(drawn) is type(X)
        assert type(mineral) is type(y)
        assert list(drawn.columns) == list(X.columns)
        assert list(drawn.dtypes) == list(X.dtypes)
        assert (mineral.name, mineral.dtype) == ("mineral", y.dtype)
        assert len(drawn) == len(mineral)
    np.testing.assert_array_equal(np.asarray(drawn)[: len(X)], values.astype(dtype))
    plain, plain_labels = clone(sampler).fit_resample(values.astype(dtype), labels)
    np.testing.assert_array_equal(np.asarray(drawn), plain)
    np.testing.assert_array_equal(np.asarray(mineral), plain_labels)


def test_an_index_is_counted_anew_and_categories_stay() -> None:
    values, labels = mixture()
    index = pd.Index([f"spot {row}" for row in range(len(labels))])
    y = pd.Series(pd.Categorical(labels, categories=[*SIZES, "siderite"]), index=index)
    X, mineral = SMOTE().fit_resample(pd.DataFrame(values, index=index), y)
    assert X.index.equals(pd.RangeIndex(2 * len(y)))
    assert mineral.index.equals(X.index)
    assert mineral.dtype == y.dtype
    polars = pl.Series(labels, dtype=pl.Categorical)
    assert SMOTE().fit_resample(values, polars)[1].dtype == pl.Categorical


def test_a_frame_of_amounts_keeps_its_type() -> None:
    X, amounts = line(np.linspace(50, 60, 20)), np.linspace(0, 1, 20, dtype=np.float32)
    for series in (pd.Series(amounts, name="water"), pl.Series("water", amounts)):
        _, water = ClassicalAugmentation().fit_resample(X, series)
        assert type(water) is type(series)
        assert (water.name, water.dtype, len(water)) == ("water", series.dtype, 40)
        np.testing.assert_array_equal(np.asarray(water)[:20], amounts)


def test_columns_of_whole_numbers_become_float64() -> None:
    X = pl.DataFrame({"400": [1, 2, 3, 4], "401": [0.5, 1.0, 1.5, 2.0]})
    resampled, _ = SMOTE().fit_resample(X, ["a", "a", "b", "b"])
    assert resampled.dtypes == [pl.Float64, pl.Float64]
    assert resampled["400"][:4].to_list() == [1.0, 2.0, 3.0, 4.0]


# scikit-learn


@each
def test_parameters_are_stored_and_cloned(sampler: SpectralSampler) -> None:
    fresh = clone(sampler.set_params(random_state=3))
    assert repr(fresh) == repr(sampler)
    assert fresh.get_params().keys() == sampler.get_params().keys()
    assert not hasattr(fresh, "counts_")
    sampler.set_params(random_state=0)


@each
def test_a_pipeline_resamples_only_what_it_fits_on(sampler: SpectralSampler) -> None:
    X, y = mixture(apart=8)
    pipeline = Pipeline([("more", clone(sampler)), ("classify", LogisticRegression())])
    pipeline.fit(X, y, more__groups=np.arange(len(y)))
    assert len(pipeline.predict(X)) == len(X)
    assert pipeline.score(*mixture(apart=8, seed=1)) > 0.8
    search = GridSearchCV(pipeline, {"more__ratio": [0.5, "balance"], "more__random_state": [0, 1]}, cv=3)
    assert search.fit(X, y).best_score_ > 0.8


@pytest.mark.parametrize("sampler", ANALYTE, ids=lambda sampler: type(sampler).__name__)
def test_a_pipeline_with_pls_for_an_analyte(sampler: SpectralSampler) -> None:
    rng = np.random.default_rng(0)
    amounts = rng.uniform(1, 5, 60)
    X = amounts[:, None] * line(60) + rng.uniform(0, 3, (60, 1)) * line(30) + rng.normal(0, 0.02, (60, len(POINTS)))
    pipeline = Pipeline([("more", clone(sampler)), ("pls", PLSRegression(2))]).fit(X[:40], amounts[:40])
    assert pipeline.score(X[40:], amounts[40:]) > 0.9


def test_groups_are_routed_as_metadata() -> None:
    X, y = mixture(apart=8)
    with config_context(enable_metadata_routing=True):
        sampler = ClassicalAugmentation().set_fit_request(groups=True).set_fit_resample_request(groups=True)
        pipeline = Pipeline([("more", sampler), ("classify", LogisticRegression())])
        pipeline.fit(X, y, groups=np.arange(len(y)))
        with pytest.raises(DataError, match="groups must have one entry"):  # so they did arrive
            pipeline.fit(X, y, groups=["patient 1"])


# What is refused


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros(4), list("aabb"), r"got shape \(4,\)"),
        (np.zeros((0, 4)), [], r"got shape \(0, 4\)"),
        ([[1, np.nan], [1, 2]], list("ab"), "row 0, column 1"),
        (pd.DataFrame({"400": [1.0, 2.0], "operator": ["Ann", "Bo"]}), list("ab"), "numbers only"),
        (pd.DataFrame([[1.0, 2.0]], columns=["400", "400"]), ["a"], "one name"),
        (np.zeros((2, 3)), list("abc"), r"y must have one entry for each of the 2 spectra; got shape \(3,\)"),
        (np.zeros((2, 3)), ["a", None], "y has no value in row 1"),
        (np.zeros((2, 3)), pl.Series(["a", None]), "y has no value in row 1"),
        (np.zeros((2, 3)), pd.Series([pd.NA, "a"]), "y has no value in row 0"),
        (np.zeros((2, 3)), [0.5, np.nan], "y has no value in row 1"),
        (np.zeros((2, 3)), np.array(["a", 1], object), "y mixes labels"),
    ],
)
def test_spectra_that_cannot_be_used_are_refused_with_their_place(X: Any, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ClassicalAugmentation().fit(X, y)


def test_groups_must_fit_too() -> None:
    with pytest.raises(DataError, match="groups must have one entry"):
        ClassicalAugmentation().fit(*mixture(), groups=["patient 1"])


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (SMOTE(ratio=-1.0), "ratio"),
        (SMOTE(random_state=-1), "random_state"),
        (SMOTE(k_neighbors=0), "k_neighbors"),
        (ADASYN(n_neighbors=0), "n_neighbors"),
        (SpectralSMOTE(clusters=0), "clusters"),
        (SpectralSMOTE(jitter=-0.1), "jitter"),
    ],
)
def test_parameters_out_of_range_are_refused(sampler: SpectralSampler, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        sampler.fit(*mixture())


@pytest.mark.parametrize(
    ("n", "message"),
    [({"quartz": 3}, "no class 'quartz'.*'calcite', 'dolomite'"), (-1, "at least 0"), ({"calcite": -1}, "at least 0")],
)
def test_samples_that_cannot_be_drawn_are_refused(n: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SMOTE().fit(*mixture()).sample(n)
