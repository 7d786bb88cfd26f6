"""Samplers of spectra: exact counts, no class crossed, real spectra untouched, the same samples for a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samplers import CONVEX, POINTS, SAMPLERS, SIZES, counts_of, each, mixture
from sklearn.base import clone

from lineshape.errors import DataError, UsageError
from lineshape_training import resampling
from lineshape_training.resampling import ADASYN, SMOTE, ClassicalAugmentation, SpectralSampler, SpectralSMOTE
from lineshape_training.resampling.draws import largest_remainder


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
