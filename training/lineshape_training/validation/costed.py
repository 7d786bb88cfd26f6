"""Every metric as a function of synthetic and real spectra alone, so that its cost can be measured."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from lineshape_training.validation.cost import Metric
from lineshape_training.validation.metrics.analytes import analyte_calibration
from lineshape_training.validation.metrics.angles import matched, sam, sid, sid_sam
from lineshape_training.validation.metrics.conditions import chimera_rate, class_agreement
from lineshape_training.validation.metrics.diversity import variance_ratio
from lineshape_training.validation.metrics.fourier import fourier_distance
from lineshape_training.validation.metrics.frechet import frechet_distance
from lineshape_training.validation.metrics.kernels import pike
from lineshape_training.validation.metrics.line_shift import line_shift
from lineshape_training.validation.metrics.memorisation import memorisation
from lineshape_training.validation.metrics.mmd import mmd_test
from lineshape_training.validation.metrics.neighbours import prdc
from lineshape_training.validation.metrics.peak_match import peak_match, peak_wasserstein
from lineshape_training.validation.metrics.plausibility import plausibility
from lineshape_training.validation.metrics.power import high_frequency_power_ratio
from lineshape_training.validation.metrics.two_sample import two_sample_auc

Spectra = Float[np.ndarray, "_ _"]

CLASSES, PER_GROUP = 5, 10


def _groups(spectra: Spectra, prefix: str = "") -> Shaped[np.ndarray, " _"]:
    return np.array([f"{prefix}{row // PER_GROUP}" for row in range(len(spectra))])


def _classes(spectra: Spectra) -> Shaped[np.ndarray, " _"]:
    """The class that the height of the first line falls into, so that a classifier has something to find."""
    height = spectra[:, spectra.shape[1] // 13]
    edges = np.quantile(height, np.linspace(0, 1, CLASSES + 1)[1:-1])
    return np.asarray(np.digitize(height, edges).astype(str))


def _frechet(synthetic: Spectra, real: Spectra) -> float:
    return frechet_distance(synthetic, real, np.arange(real.shape[1], dtype=np.float64))


def _memorisation(synthetic: Spectra, real: Spectra) -> Any:  # noqa: ANN401
    train = real[:, ::-1]  # as many other spectra
    return memorisation(synthetic, real, train, _groups(real), _groups(train, "train "))


def _variance(synthetic: Spectra, real: Spectra) -> float:
    return variance_ratio(synthetic, _classes(synthetic), real, _classes(real), _groups(real))


def _agreement(synthetic: Spectra, real: Spectra) -> float:
    return class_agreement(synthetic, _classes(synthetic), real, _classes(real))


def _chimeras(synthetic: Spectra, real: Spectra) -> float:
    return chimera_rate(synthetic, real, _classes(real), _groups(real))


def _calibration(synthetic: Spectra, real: Spectra) -> Any:  # noqa: ANN401
    asked, amounts = (spectra[:, spectra.shape[1] // 13].astype(np.float64) for spectra in (synthetic, real))
    return analyte_calibration(synthetic, asked, real, amounts, _groups(real))


METRICS: Sequence[tuple[str, Metric]] = (
    ("Fourier distance", fourier_distance),
    ("MMD with 200 permutations", mmd_test),
    ("PIKE MMD with 200 permutations", partial(mmd_test, kernel=pike)),
    ("SAM", partial(matched, measure=sam)),
    ("SID", partial(matched, measure=sid)),
    ("SID-SAM", partial(matched, measure=sid_sam)),
    ("Frechet distance", _frechet),
    ("precision, recall, density, coverage", prdc),
    ("two-sample AUC", two_sample_auc),
    ("high-frequency power", high_frequency_power_ratio),
    ("line shift", line_shift),
    ("peak F1 and position error", peak_match),
    ("peak height and position distance", peak_wasserstein),
    ("plausibility", plausibility),
    ("variance ratio", _variance),
    ("class agreement", _agreement),
    ("chimeras", _chimeras),
    ("analyte calibration", _calibration),
    ("memorisation", _memorisation),
)
