"""Arms: fixed shares of real and synthetic spectra of every class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lineshape_training.resampling import ClassicalAugmentation
from lineshape_training.study.arms import AUGMENTED, BALANCED, GENERATED, REAL, Arm, Pool, mixed


def pool_of(y: NDArray[Any], arms: tuple[Arm, ...]) -> tuple[NDArray[np.float64], Pool]:
    """Real spectra that say which row they are, and synthetic ones that are negative."""

    class Negative(ClassicalAugmentation):
        def _draw(self, label: Any, n: int, rng: np.random.Generator) -> Any:
            amounts = None if label is not None else -1.0 - np.arange(n)
            return np.repeat(-1.0 - np.arange(n)[:, None], 2, axis=1), amounts

    X = np.repeat(np.arange(len(y), dtype=np.float64)[:, None], 2, axis=1)
    return X, Pool(Negative().fit(X, y), y, arms)


@pytest.mark.parametrize(
    ("name", "real", "synthetic"),
    [
        ("real only", (20, 8), (0, 0)),
        ("real + 0.5x", (20, 8), (10, 4)),
        ("real + 10x", (20, 8), (200, 80)),
        ("synthetic only", (0, 0), (20, 8)),
        ("25% substituted", (15, 6), (5, 2)),
        ("75% substituted", (5, 2), (15, 6)),
        ("balanced", (20, 8), (0, 12)),
    ],
)
def test_an_arm_holds_its_shares_of_every_class(name: str, real: tuple[int, int], synthetic: tuple[int, int]) -> None:
    arms = (REAL, *GENERATED, BALANCED)
    arm = next(arm for arm in arms if arm.name == name)
    y = np.random.default_rng(0).permutation(np.repeat(["a", "b"], [20, 8]))
    X, pool = pool_of(y, arms)
    spectra, targets = mixed(arm, X, y, pool, np.random.default_rng(0))
    kept = spectra[:, 0] >= 0
    assert tuple((targets[kept] == label).sum() for label in "ab") == real
    assert tuple((targets[~kept] == label).sum() for label in "ab") == synthetic
    np.testing.assert_array_equal(targets[kept], y[spectra[kept, 0].astype(int)])
    for label in "ab":  # the first of the pool, so that a larger arm holds what a smaller one does
        drawn = spectra[~kept & (targets == label), 0]
        np.testing.assert_array_equal(drawn, -1 - np.arange(len(drawn)))


def test_amounts_are_one_class_and_travel_with_their_spectra() -> None:
    y = np.linspace(0, 1, 12)
    X, pool = pool_of(y, AUGMENTED)
    spectra, targets = mixed(AUGMENTED[0], X, y, pool, np.random.default_rng(0))
    np.testing.assert_array_equal(targets, np.concatenate([y, spectra[12:, 0]]))
    assert len(targets) == 18
