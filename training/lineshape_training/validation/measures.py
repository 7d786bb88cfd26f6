"""Every figure of a judgement: what it says, its range, which direction is better, and how it is measured."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, pi
from typing import TypeAlias

import msgspec
import numpy as np

from lineshape.errors import LineshapeError
from lineshape_training.validation.evidence import Evidence
from lineshape_training.validation.metrics.analytes import analyte_calibration
from lineshape_training.validation.metrics.angles import matched, sam, sid, sid_sam
from lineshape_training.validation.metrics.conditions import chimera_rate, class_agreement
from lineshape_training.validation.metrics.diversity import variance_ratio
from lineshape_training.validation.metrics.fourier import fourier_distance
from lineshape_training.validation.metrics.frechet import frechet_distance
from lineshape_training.validation.metrics.kernels import pike
from lineshape_training.validation.metrics.line_shift import line_shift
from lineshape_training.validation.metrics.memorisation import memorisation
from lineshape_training.validation.metrics.mmd import mmd, mmd_test
from lineshape_training.validation.metrics.neighbours import prdc
from lineshape_training.validation.metrics.peak_match import peak_match, peak_wasserstein
from lineshape_training.validation.metrics.plausibility import plausibility
from lineshape_training.validation.metrics.power import high_frequency_power_ratio
from lineshape_training.validation.metrics.two_sample import two_sample_auc

Found: TypeAlias = dict[str, float]
Measure: TypeAlias = Callable[[Evidence], Found]


class Figure(msgspec.Struct, frozen=True):
    """What one number means.

    Parameters
    ----------
    about : str
        In the words of a spectroscopist.
    low, high : float
        Its range.
    best : float
        The value that it has for a perfect generator: `low`, `high` or one between.
    """

    about: str
    low: float
    high: float
    best: float


FIGURES: dict[str, Figure] = {
    "MMD": Figure("squared maximum mean discrepancy, unbiased", -2, 2, 0),
    "MMD p": Figure("probability of so large an MMD if nothing tells the sides apart", 0, 1, 1),
    "PIKE MMD": Figure("the same with the peak information kernel, for MALDI-TOF", -2, 2, 0),
    "two-sample AUC": Figure("how well a classifier tells synthetic from real; .5: not at all", 0, 1, 0.5),
    "precision": Figure("share of synthetic spectra within reach of real ones", 0, 1, 1),
    "recall": Figure("share of real spectra within reach of synthetic ones", 0, 1, 1),
    "density": Figure("how deep synthetic spectra stand among real ones", 0, inf, 1),
    "coverage": Figure("share of real spectra with a synthetic one near", 0, 1, 1),
    "Fourier distance": Figure("divergence of Fourier magnitudes; blind to positions, kind to class means", 0, inf, 0),
    "SAM": Figure("median angle to the nearest real spectrum, radians", 0, pi, 0),
    "SID": Figure("median information divergence from the nearest real spectrum", 0, inf, 0),
    "SID-SAM": Figure("geometric mean of both", 0, inf, 0),
    "Frechet distance": Figure("leash between the mean spectra (discrete Frechet)", 0, inf, 0),
    "line shift": Figure("points by which lines stand too far right", -inf, inf, 0),
    "line shift, at least": Figure("end of its 95 % interval next to 0; 0 inside it", -inf, inf, 0),
    "peak F1": Figure("agreement of the lines' positions and frequencies", 0, 1, 1),
    "peak position error": Figure("points between lines that match", 0, inf, 0),
    "peak height distance": Figure("Wasserstein distance of line heights, relative to the mean height", 0, inf, 0),
    "peak position distance": Figure("Wasserstein distance of line positions, points", 0, inf, 0),
    "high-frequency power": Figure("detector noise relative to real spectra", 0, inf, 1),
    "variance ratio": Figure("variety within classes relative to real spectra", 0, inf, 1),
    "negative": Figure("share of spectra below zero by more than noise", 0, 1, 0),
    "narrow": Figure("share of lines narrower than the instrument allows", 0, 1, 0),
    "jumps": Figure("share of spectra with steps that no real one has", 0, 1, 0),
    "peak ratios": Figure("share of line ratios outside the real range", 0, 1, 0),
    "class agreement": Figure("balanced accuracy of a classifier of real spectra on synthetic ones", 0, 1, 1),
    "chimeras": Figure("share that belongs to no class with probability .9", 0, 1, 0),
    "analyte slope": Figure("of amounts read back from the spectra on those asked for", -inf, inf, 1),
    "analyte R2": Figure("agreement of the amounts read back with those asked for", -inf, 1, 1),
    "distance ratio": Figure("distance to the nearest training spectrum, relative to new real ones", 0, inf, 1),
    "near copies": Figure("share of synthetic spectra that copy a training spectrum", 0, 1, 0),
    "copies of unseen": Figure("share of synthetic spectra that copy a spectrum they are judged by", 0, 1, 0),
    "membership AUC": Figure("how well an attacker finds out who was in the training set", 0, 1, 0.5),
    "membership AUC, low": Figure("lower end of its 95 % interval over groups", 0, 1, 0.5),
}


def _mmd(evidence: Evidence) -> Found:
    ours, real = evidence.synthetic, evidence.real
    test = mmd_test(ours.values, real.values, groups=real.group, synthetic_groups=ours.group)
    return {"MMD": test.value, "MMD p": test.p_value}


def _pike(evidence: Evidence) -> Found:
    if evidence.axis.modality != "maldi":
        return {}
    ours, real = evidence.synthetic, evidence.real
    value = mmd(ours.values, real.values, pike, groups=real.group, synthetic_groups=ours.group)
    return {"PIKE MMD": value}


def _two_sample(evidence: Evidence) -> Found:
    ours, real = evidence.synthetic, evidence.real
    return {"two-sample AUC": two_sample_auc(ours.values, real.values, real.group, 0, ours.group).value}


def _neighbours(evidence: Evidence) -> Found:
    found = prdc(evidence.synthetic.values, evidence.real.values)
    return {name: getattr(found, name) for name in ("precision", "recall", "density", "coverage")}


def _angles(evidence: Evidence) -> Found:
    pairs = {"SAM": sam, "SID": sid, "SID-SAM": sid_sam}
    ours, real = evidence.synthetic.values, evidence.real.values
    return {name: float(np.median(matched(ours, real, measure))) for name, measure in pairs.items()}


def _means(evidence: Evidence) -> Found:
    ours, real = evidence.synthetic, evidence.real
    return {
        "Fourier distance": fourier_distance(ours.values, real.values),
        "Frechet distance": frechet_distance(ours.values, real.values, evidence.axis.values),
        "high-frequency power": high_frequency_power_ratio(ours.values, real.values),
    }


def _lines(evidence: Evidence) -> Found:
    ours, real = evidence.synthetic.values, evidence.real
    match, distance = peak_match(ours, real.values), peak_wasserstein(ours, real.values)
    shift = line_shift(ours, real.values, real.group)
    return {
        "line shift": shift.value,
        "line shift, at least": max(shift.low, 0.0) + min(shift.high, 0.0),
        "peak F1": match.f1,
        "peak position error": match.position_error,
        "peak height distance": distance.height,
        "peak position distance": distance.position,
    }


def _variety(evidence: Evidence) -> Found:
    ours, real = evidence.synthetic, evidence.real
    return {"variance ratio": variance_ratio(ours.values, ours.label, real.values, real.label, real.group)}


def _plausible(evidence: Evidence) -> Found:
    found = plausibility(evidence.synthetic.values, evidence.real.values)
    return {
        "negative": found.negative,
        "narrow": found.narrow,
        "jumps": found.jumps,
        "peak ratios": found.ratios,
    }


def _conditions(evidence: Evidence) -> Found:
    if not evidence.labelled:
        return {}
    ours, real = evidence.synthetic, evidence.real
    return {
        "class agreement": class_agreement(ours.values, ours.label, real.values, real.label),
        "chimeras": chimera_rate(ours.values, real.values, real.label, real.group),
    }


def _analytes(evidence: Evidence) -> Found:
    ours, real = evidence.synthetic, evidence.real
    if ours.amount is None or real.amount is None:
        return {}
    known = np.isfinite(ours.amount)  # real spectra may stand here, too
    if not known.any():
        return {}
    found = analyte_calibration(ours.values[known], ours.amount[known], real.values, real.amount, real.group)
    return {"analyte slope": found.slope, "analyte R2": found.r2}


def _memory(evidence: Evidence) -> Found:
    ours, real, train = evidence.synthetic, evidence.real, evidence.train
    found = memorisation(ours.values, real.values, train.values, real.group, train.group)
    turned = memorisation(ours.values, train.values, real.values, train.group, real.group)
    return {
        "copies of unseen": turned.near_copies,
        "distance ratio": found.distance_ratio,
        "near copies": found.near_copies,
        "membership AUC": found.membership_auc,
        "membership AUC, low": found.membership_low,
    }


MEASURES: tuple[Measure, ...] = (
    _mmd, _pike, _two_sample, _neighbours, _angles, _means, _lines, _variety, _plausible, _conditions,
    _analytes, _memory,
)  # fmt: skip


def measured(evidence: Evidence) -> tuple[Found, list[str]]:
    """All figures that the evidence allows, and why the others are missing."""
    found: Found = {}
    missing: list[str] = []
    for measure in MEASURES:
        try:
            found |= {name: value for name, value in measure(evidence).items() if np.isfinite(value)}
        except LineshapeError as error:
            missing.append(str(error))
    return {name: found[name] for name in FIGURES if name in found}, missing
