"""Generators as samplers: sealed bundles and recipes that are fitted to what they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from fits import short
from imblearn.pipeline import make_pipeline
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GroupKFold, cross_val_score

from lineshape.errors import DataError, UsageError
from lineshape_edge import Model
from lineshape_training import fitter
from lineshape_training.recipe import Recipe
from lineshape_training.resampling.generative import GenerativeSampler, RecipeSampler

POINTS = 1101  # of the bundle
# Batches of another size sum in another order; nothing else of a sample depends on how many there are.
ROUNDING = 1e-5


def spectra(points: int, of_class: int = 10) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Spectra between 0 and 1, their classes and their groups of two."""
    rng = np.random.default_rng(0)
    y = np.repeat(["calcite", "dolomite"], of_class)
    line = np.exp(-(((np.arange(points) / points - np.where(y == "calcite", 0.3, 0.6)[:, None]) / 0.03) ** 2))
    X = (line + rng.random((len(y), points)) / 50).astype(np.float32)
    return X / X.max(axis=1, keepdims=True), y, np.repeat(np.arange(of_class), 2).astype(str)


# Bundles -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sampler(sample_bundle: Path) -> GenerativeSampler:
    """One bundle for both classes: what counts here is which samples come, not what they are of."""
    return GenerativeSampler(dict.fromkeys(["calcite", "dolomite"], sample_bundle)).fit(*spectra(POINTS))


def test_a_bundle_without_classes_is_given_for_each_class(sample_bundle: Path, sampler: GenerativeSampler) -> None:
    X, y = sampler.sample({"calcite": 4, "dolomite": 2})
    assert y.tolist() == ["calcite"] * 4 + ["dolomite"] * 2
    assert X.shape == (6, POINTS)
    assert X.dtype == np.float32
    assert np.isfinite(X).all()
    assert (X[:2] != X[4:]).any()  # each class has random numbers of its own
    with pytest.raises(UsageError, match="has no classes; give a bundle for each class"):
        GenerativeSampler(sample_bundle).fit(*spectra(POINTS))
    with pytest.raises(UsageError, match="no bundle was given for class 'dolomite'"):
        GenerativeSampler({"calcite": sample_bundle}).fit(*spectra(POINTS))


def test_an_opened_bundle_draws_what_its_file_does(sample_bundle: Path, sampler: GenerativeSampler) -> None:
    model = Model.open(sample_bundle)
    opened = GenerativeSampler({"calcite": model, "dolomite": str(sample_bundle)}).fit(*spectra(POINTS))
    np.testing.assert_array_equal(opened.sample(6)[0], sampler.sample(6)[0])


def test_the_first_samples_of_a_class_do_not_depend_on_how_many_there_are(sampler: GenerativeSampler) -> None:
    few, many = sampler.sample({"calcite": 3})[0], sampler.sample({"calcite": 40, "dolomite": 2})[0]
    np.testing.assert_allclose(few, many[:3], atol=ROUNDING)
    assert (sampler.sample(6)[0] == sampler.sample(6)[0]).all()


def test_another_random_state_draws_others(sampler: GenerativeSampler) -> None:
    other = clone(sampler).set_params(random_state=1).fit(*spectra(POINTS))
    assert (other.sample(2)[0] != sampler.sample(2)[0]).any()


def test_spectra_on_another_grid_are_refused(sample_bundle: Path) -> None:
    with pytest.raises(
        DataError, match="draws spectra of 1101 points for class 'calcite', and those of the fit have 90"
    ):
        GenerativeSampler(dict.fromkeys(["calcite", "dolomite"], sample_bundle)).fit(*spectra(90))


def test_an_analyte_is_refused(sample_bundle: Path) -> None:
    X, y, _ = spectra(POINTS)
    for sampler in (GenerativeSampler(sample_bundle), RecipeSampler("raman-vae")):
        with pytest.raises(UsageError, match="analyte"):
            sampler.fit(X, np.linspace(0, 1, len(y)))


def test_a_bundle_drops_into_a_pipeline(sample_bundle: Path) -> None:
    X, y, groups = spectra(POINTS)
    source = {"calcite": str(sample_bundle), "dolomite": str(sample_bundle)}
    resampled, labels = GenerativeSampler(source, ratio=0.5).fit_resample(X, y)
    np.testing.assert_array_equal(resampled[: len(X)], X)
    assert np.unique(labels, return_counts=True)[1].tolist() == [15, 15]
    pipeline = make_pipeline(GenerativeSampler(source, ratio=0.5), RidgeClassifier())
    assert cross_val_score(pipeline, X, y, groups=groups, cv=GroupKFold(2)).shape == (2,)


# Recipes -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plan() -> Recipe:
    """The shipped VAE, for four steps."""
    return short("raman-vae", steps=4)


def test_a_recipe_is_fitted_to_each_class_on_the_points_that_it_is_given(plan: Recipe) -> None:
    X, y, groups = spectra(64)
    sampler = RecipeSampler(plan).fit(X, y, groups=groups)
    drawn, labels = sampler.sample({"calcite": 5, "dolomite": 3})
    assert drawn.shape == (8, 64)
    assert labels.tolist() == ["calcite"] * 5 + ["dolomite"] * 3
    assert (drawn >= -ROUNDING).all()
    assert (drawn <= 1 + ROUNDING).all()  # as its preprocessing scales them
    np.testing.assert_allclose(sampler.sample({"calcite": 50})[0][:5], drawn[:5], atol=ROUNDING)
    again = RecipeSampler(plan).fit(X, y, groups=groups).sample({"calcite": 5, "dolomite": 3})[0]
    np.testing.assert_array_equal(again, drawn)


def test_what_is_fitted_is_resumed_from_the_work_folder(
    plan: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y, groups = spectra(64)
    first = RecipeSampler(plan, work=tmp_path).fit(X, y, groups=groups).sample(6)[0]
    steps: list[int] = []
    advance = fitter.Fitter.advance

    def counted(self: fitter.Fitter, tensors: Any) -> Any:
        steps.append(self.step)
        return advance(self, tensors)

    monkeypatch.setattr(fitter.Fitter, "advance", counted)
    np.testing.assert_array_equal(RecipeSampler(plan, work=tmp_path).fit(X, y, groups=groups).sample(6)[0], first)
    assert steps == []
    for ended in tmp_path.glob("*/fitted.json"):  # as if killed after the last step
        ended.unlink()
    np.testing.assert_array_equal(RecipeSampler(plan, work=tmp_path).fit(X, y, groups=groups).sample(6)[0], first)
    assert steps == []
    RecipeSampler(plan, work=tmp_path).fit(X[2:-2], y[2:-2], groups=groups[2:-2])  # another fold, the same folder
    assert steps != []
    assert len(list(tmp_path.iterdir())) == 4  # two classes of two folds


def test_a_recipe_holds_out_no_more_groups_than_a_class_has(plan: Recipe) -> None:
    X, y, _ = spectra(64)
    many = msgspec.structs.replace(plan, fit=msgspec.structs.replace(plan.fit, folds=5, holdouts=5))
    groups = np.tile(np.repeat(["p1", "p2"], 5), 2)
    assert RecipeSampler(many).fit(X, y, groups=groups).sample(2)[0].shape == (2, 64)
    with pytest.raises(DataError, match="class 'calcite' has only one"):
        RecipeSampler(plan).fit(X, y, groups=y)


def test_a_recipe_that_does_not_draw_spectra_is_refused(plan: Recipe) -> None:
    with pytest.raises(UsageError, match="of a family for transfer"):
        RecipeSampler("raman-to-ir").fit(*spectra(64))
    with pytest.raises(DataError, match="at least 8 spectra"):
        RecipeSampler(plan).fit(*spectra(64, of_class=6))
