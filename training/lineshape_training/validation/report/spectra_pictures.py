"""Pictures of spectra: both sides next to each other, their means with quantile bands, and where their lines stand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from lineshape.peaks import find_peaks
from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.report.scene import (
    Area,
    Line,
    Panel,
    Picture,
    Sign,
    Steps,
    axis_name,
    band,
    decimated,
    lines,
    padded,
)

SHOWN = 30  # spectra of a panel, while there are few classes
DRAWN = 90  # spectra of a side, over all classes
CLASSES = 6
BINS = 60
COUNTED = 1000  # spectra of a side whose lines are counted
INTENSITY = "Intensity, as judged"
LEGEND: dict[str, tuple[str, Sign]] = {"real": ("real", "line"), "synthetic": ("synthetic", "line")}


def spectra_picture(evidence: Evidence) -> Picture:
    """Real spectra on the left, synthetic ones on the right, on one scale."""
    panels: list[Panel] = []
    by_class = list(_by_class(evidence))
    for name, sides in by_class:
        some = {role: side.at_most(min(SHOWN, DRAWN // len(by_class))) for role, side in sides.items()}
        limits = padded(*(side.values for side in some.values()))
        for role, side in some.items():
            title = f"{_of(name)}{len(side)} of {len(sides[role]):,} {role} spectra"
            mark = lines(evidence.axis.values, side.values, role, 0.8, 0.55)
            panels.append(Panel(title, axis_name(evidence.axis), INTENSITY, (mark,), _ends(evidence), limits))
    about = "A fixed random choice, each pair of panels on one scale." + _left_out(evidence)
    return Picture("spectra", "Real and synthetic spectra, side by side", about, panels, 2)


def means_picture(evidence: Evidence) -> Picture:
    """Both means, over the bands that hold nine tenths of the spectra."""
    panels = []
    for name, sides in _by_class(evidence):
        marks = [mark for role, side in sides.items() for mark in _mean(evidence, side, role)]
        title = f"{_of(name)}{', '.join(f'{len(side):,} {role}' for role, side in sides.items())}"
        panels.append(Panel(title, axis_name(evidence.axis), INTENSITY, tuple(marks), _ends(evidence)))
    about = "Line: mean. Band: 5 to 95 % of the spectra at each point." + _left_out(evidence)
    legend: dict[str, tuple[str, Sign]] = {
        **{f"{role}, mean": (role, "line") for role in LEGEND},
        **{f"{role}, 5 to 95 %": (role, "filled") for role in LEGEND},
    }
    return Picture("means", "Mean and quantile bands", about, panels, min(2, len(panels)), legend)


def peaks_picture(evidence: Evidence) -> Picture:
    """How often a line stands at each position."""
    seen, axis = evidence.limited(COUNTED), evidence.axis
    edges = np.linspace(axis.low, axis.high, BINS + 1)
    marks = tuple(
        Steps(edges, _frequencies(evidence, side, edges), role, filled=role == "real")
        for role, side in (("real", seen.real), ("synthetic", seen.synthetic))
    )
    panel = Panel("all classes", axis_name(axis), "Lines per spectrum and bin", marks, (axis.low, axis.high))
    about = "Lines that stand out of the noise, in each spectrum; only prominent ones are counted."
    legend: dict[str, tuple[str, Sign]] = {"real": ("real", "filled"), "synthetic": ("synthetic", "line")}
    return Picture("peaks", "Where lines stand", about, [panel], 1, legend)


def _by_class(evidence: Evidence) -> Iterator[tuple[str, dict[str, Side]]]:
    """Real and synthetic spectra of the classes that have most real ones; of all together without classes."""
    real, synthetic = evidence.real, evidence.synthetic
    if not evidence.labelled:
        yield "", {"real": real, "synthetic": synthetic}
        return
    for name in _largest(evidence):
        yield name, {role: side.rows(np.flatnonzero(side.label == name))
                     for role, side in (("real", real), ("synthetic", synthetic))}  # fmt: skip


def _largest(evidence: Evidence) -> list[str]:
    """The drawn classes: those with most real spectra, in the order of their names."""
    synthetic = evidence.synthetic.classes
    return sorted(sorted(synthetic, key=lambda name: -int((evidence.real.label == name).sum()))[:CLASSES])


def _left_out(evidence: Evidence) -> str:
    all_of_them = len(evidence.real.classes)
    drawn = len(_largest(evidence)) if evidence.labelled else all_of_them
    return f" {drawn} of {all_of_them} classes are drawn." if drawn < all_of_them else ""


def _mean(evidence: Evidence, side: Side, role: str) -> tuple[Area, Line]:
    x = evidence.axis.values
    low, high = np.quantile(side.values, [0.05, 0.95], axis=0)
    return band(x, low, high, role), Line(*decimated(x, side.values.mean(0)), role, 1.4)


def _frequencies(evidence: Evidence, side: Side, edges: Float64[np.ndarray, " e"]) -> Float64[np.ndarray, " b"]:
    """Lines a spectrum in each bin of positions."""
    points = find_peaks(side.values).position
    positions = np.interp(points, np.arange(len(evidence.axis)), evidence.axis.values)
    return np.histogram(positions, edges)[0] / len(side)


def _ends(evidence: Evidence) -> tuple[float, float]:
    return evidence.axis.low, evidence.axis.high


def _of(name: str) -> str:
    return f"{name}: " if name else ""
