"""Spectra of a few classes, and the samplers that every test of resampling goes through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lineshape_training.resampling import ADASYN, SMOTE, Blend, ClassicalAugmentation, SpectralSampler, SpectralSMOTE

POINTS = np.arange(120)
SIZES = {"calcite": 20, "dolomite": 12, "magnesite": 6}
BLENDING = ClassicalAugmentation(steps=[Blend(probability=1.0)])
SAMPLERS: list[SpectralSampler] = [ClassicalAugmentation(), SMOTE(), ADASYN(), SpectralSMOTE()]
CONVEX: list[SpectralSampler] = [BLENDING, SMOTE(), ADASYN(), SpectralSMOTE()]
ANALYTE: list[SpectralSampler] = [ClassicalAugmentation(), SpectralSMOTE()]

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
