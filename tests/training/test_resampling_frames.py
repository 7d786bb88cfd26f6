"""Samplers among data frames and in pipelines of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from imblearn.pipeline import Pipeline
from samplers import ANALYTE, POINTS, SIZES, each, line, mixture
from sklearn import config_context
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from lineshape.errors import DataError
from lineshape_training.resampling import SMOTE, ClassicalAugmentation, SpectralSampler

FRAMES: list[Callable[..., Any]] = [
    lambda values: pd.DataFrame(values, columns=400.5 + POINTS),
    lambda values: pl.DataFrame(values, schema=[str(400.5 + point) for point in POINTS]),
]


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
