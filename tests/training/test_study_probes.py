"""Probes: each finds what is there, the same for a seed, and takes whatever a fold leaves it."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lineshape_training.simulation import Design, simulate
from lineshape_training.spectra import SpectraTable
from lineshape_training.study import rocket
from lineshape_training.study.convolutional import ConvolutionalClassifier
from lineshape_training.study.networks import NetworkClassifier
from lineshape_training.study.probes import ASKED_FOR, CLASSIFIERS, PLSDA, REGRESSORS, pls, snv
from lineshape_training.study.residual import ResidualClassifier
from lineshape_training.study.rocket import RocketClassifier

FITTED = Design(
    "ir", classes=3, subjects=20, replicates=2, analytes=("sugar",), effect=10.0, points=128, background=0.1
)
CLASSES, HELD = 3, 120  # classes and held-out spectra

OFFERED = {**CLASSIFIERS, **ASKED_FOR}

classifier = pytest.mark.parametrize("probe", OFFERED)
network = pytest.mark.parametrize("kind", [ConvolutionalClassifier, ResidualClassifier])
regressor = pytest.mark.parametrize("probe", REGRESSORS)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps of the networks are enough for classes that lie far apart."""
    for network in (ConvolutionalClassifier, ResidualClassifier):
        monkeypatch.setattr(network, "steps", 100)


@pytest.fixture(scope="module")
def fitted() -> SpectraTable:
    return simulate(FITTED).table


@pytest.fixture(scope="module")
def held() -> SpectraTable:
    """Other subjects of the same population."""
    return simulate(FITTED.another(1)).table


def probabilities(probe: str, table: SpectraTable, X: NDArray[Any], seed: int = 3) -> NDArray[np.float64]:
    return np.asarray(OFFERED[probe](seed).fit(table.values, table.label).predict_proba(X))


# All probes ----------------------------------------------------------------------------------------------------------


@classifier
def test_a_classifier_tells_unseen_subjects_apart_and_does_so_again(
    probe: str, fitted: SpectraTable, held: SpectraTable
) -> None:
    found = probabilities(probe, fitted, held.values)
    assert found.shape == (HELD, CLASSES)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)  # float32 of the network
    assert (found >= 0).all()
    assert held.label is not None
    # The classes lie ten standard deviations apart: a third is chance, and nobody here needs luck.
    assert (np.unique(held.label)[found.argmax(axis=1)] == held.label).mean() > 0.85
    np.testing.assert_array_equal(probabilities(probe, fitted, held.values), found)


@pytest.mark.parametrize("probe", ["random forest", "rocket", "CNN", "ResNet"])
def test_the_seed_decides_what_is_random(probe: str, fitted: SpectraTable, held: SpectraTable) -> None:
    assert (probabilities(probe, fitted, held.values, 3) != probabilities(probe, fitted, held.values, 4)).any()


@classifier
def test_a_class_of_one_spectrum_is_a_class(probe: str, fitted: SpectraTable, held: SpectraTable) -> None:
    few = fitted.rows(np.array([0, *range(40, 50), *range(80, 90)]))
    model = OFFERED[probe](0).fit(few.values, few.label)
    assert model.classes_.tolist() == ["class-0", "class-1", "class-2"]
    found = model.predict_proba(held.values)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)  # float32 of the network
    assert found[:40, 0].mean() > found[40:, 0].mean()


@classifier
def test_two_spectra_are_enough_to_fit_on(probe: str, fitted: SpectraTable, held: SpectraTable) -> None:
    two = fitted.rows(np.array([0, 40]))
    assert OFFERED[probe](0).fit(two.values, two.label).predict(two.values).tolist() == ["class-0", "class-1"]


@regressor
def test_a_regressor_finds_the_amount_in_unseen_subjects_and_does_so_again(
    probe: str, fitted: SpectraTable, held: SpectraTable
) -> None:
    known, truth = fitted.analytes["sugar"], held.analytes["sugar"]
    found = REGRESSORS[probe](3).fit(fitted.values, known).predict(held.values)
    assert found.shape == (HELD,)
    assert 1 - ((found - truth) ** 2).mean() / truth.var() > 0.8  # the mean of all would have 0
    np.testing.assert_array_equal(REGRESSORS[probe](3).fit(fitted.values, known).predict(held.values), found)


@regressor
def test_a_regressor_takes_two_spectra(probe: str, fitted: SpectraTable) -> None:
    model = REGRESSORS[probe](0).fit(fitted.values[[0, 5]], fitted.analytes["sugar"][[0, 5]])
    assert np.isfinite(model.predict(fitted.values)).all()


# One by one ----------------------------------------------------------------------------------------------------------


def test_pls_makes_do_with_one_component_less_than_there_are_spectra_and_no_more_than_points() -> None:
    assert [pls(10, np.ones((n, 30))).n_components for n in (2, 5, 11, 50)] == [1, 4, 10, 10]
    assert pls(10, np.ones((50, 3))).n_components == 3


def test_pls_da_is_regression_on_indicators(fitted: SpectraTable, held: SpectraTable) -> None:
    assert fitted.label is not None
    indicators = np.eye(3)[np.unique(fitted.label, return_inverse=True)[1]]
    estimated = np.clip(pls(10, fitted.values).fit(fitted.values, indicators).predict(held.values), 1e-6, None)
    found = PLSDA().fit(fitted.values, fitted.label).predict_proba(held.values)
    np.testing.assert_allclose(found, estimated / estimated.sum(axis=1, keepdims=True), rtol=1e-12)


def test_snv_takes_offset_and_scale_away_and_leaves_a_flat_spectrum_flat() -> None:
    X = np.random.default_rng(0).random((5, 30))
    scaled = snv(X)
    np.testing.assert_allclose(scaled.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(snv(7 * X + 3), scaled, rtol=1e-9)
    assert (snv(np.full((1, 30), 4.0)) == 0).all()


def directly(X: NDArray[Any], examples: NDArray[Any]) -> NDArray[np.float64]:
    """The features of spectra by their definition, kernel by kernel."""
    found = []
    for dilation in (d for d in rocket.DILATIONS if 8 * d < X.shape[1]):
        for quantile in (0.35, 0.75):
            for twos in combinations(range(9), 3):
                kernel = np.where(np.isin(np.arange(9), twos), 2.0, -1.0)
                bias = np.quantile(np.stack([response(x, kernel, dilation) for x in examples]), quantile)
                found.append([(response(x, kernel, dilation) > bias).mean() for x in X])
    return np.array(found).T


def response(x: NDArray[Any], kernel: NDArray[np.float64], dilation: int) -> NDArray[np.float64]:
    """A dilated kernel around every second point of a standardised spectrum with zeros beyond its ends."""
    padded = np.pad((x - x.mean()) / x.std(ddof=1), 4 * dilation)
    return np.array([kernel @ padded[at : at + 8 * dilation + 1 : dilation] for at in range(0, len(x), 2)])


@pytest.mark.parametrize("points", [40, 71])
def test_rocket_features_are_shares_of_points_above_a_quantile_of_the_responses(points: int) -> None:
    X = np.random.default_rng(0).random((6, points)).astype(np.float32)
    model = RocketClassifier(seed=1).fit(X, np.array(list("aabbcc")))
    features, expected = model.features(X), directly(X, X)
    assert features.shape == expected.shape == (6, 84 * len(model.biases_) * 2)
    # A response that lies at the bias to within float32's rounding may fall on either side: one point of some.
    step = 1 / -(-points // 2)
    assert np.abs(features - expected).max() <= step * (1 + 1e-6)
    assert (np.abs(features - expected) > 1e-6).mean() < 0.02


def test_rocket_takes_its_biases_from_some_spectra_and_looks_at_shape_alone(fitted: SpectraTable) -> None:
    assert fitted.label is not None
    assert len(fitted) > rocket.EXAMPLES
    model = RocketClassifier().fit(fitted.values, fitted.label)
    np.testing.assert_allclose(
        model.features(5 * fitted.values + 2), model.features(fitted.values), atol=3 / 64
    )  # rounding of float32 moves single points of 64 across a bias
    assert np.isfinite(model.predict_proba(np.ones((2, 128), np.float32))).all()


@network
def test_one_odd_point_that_never_varied_does_not_decide_for_a_network(
    kind: type[NetworkClassifier], fitted: SpectraTable, held: SpectraTable
) -> None:
    """Scaled spectra are often exactly 0 or 1 at one end in all spectra of a fit, and nearly so in the others."""
    assert fitted.label is not None
    assert held.label is not None
    X, unseen = fitted.values.copy(), held.values.copy()
    X[:, 0], unseen[:, 0] = 0, 0.01
    model = kind().fit(X, fitted.label)
    assert (model.predict(unseen) == held.label).mean() > 0.85


@network
def test_a_network_leaves_torchs_own_random_numbers_alone(kind: type[NetworkClassifier], fitted: SpectraTable) -> None:
    import torch

    assert fitted.label is not None
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    kind().fit(fitted.values[:, :32], fitted.label)
    assert torch.equal(torch.rand(3), expected)
