"""SMOTE, ADASYN and Spectral SMOTE: small classes, where classes meet, and clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samplers import POINTS, SAMPLERS, counts_of, line, mixture
from sklearn.base import clone

from lineshape.errors import DataError
from lineshape_training.resampling import ADASYN, SMOTE, SpectralSampler, SpectralSMOTE

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
