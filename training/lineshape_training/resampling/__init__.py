"""More spectra of the same classes, by imbalanced-learn's `fit_resample`: the baselines that a generator must beat."""

from __future__ import annotations

from lineshape_training.resampling.classical import STEPS, ClassicalAugmentation
from lineshape_training.resampling.sampler import SpectralSampler
from lineshape_training.resampling.smote import ADASYN, SMOTE
from lineshape_training.resampling.spectral_smote import SpectralSMOTE
from lineshape_training.resampling.steps import Blend, Intensify, Noise, Offset, Scale, Shift, Slope, Step

__all__ = [
    "ADASYN",
    "SMOTE",
    "STEPS",
    "Blend",
    "ClassicalAugmentation",
    "Intensify",
    "Noise",
    "Offset",
    "Scale",
    "Shift",
    "Slope",
    "SpectralSMOTE",
    "SpectralSampler",
    "Step",
]
