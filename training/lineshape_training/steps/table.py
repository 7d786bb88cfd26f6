"""The rows over all seeds, and what they say to the questions that the bench was made for.

A figure is the mean over the seeds, with the least and the largest of them: each seed is another fit on other groups,
so the range shows both. An interval is one seed's own 95 %, its ends averaged over the seeds: it shows how far few
spectra can mislead one measurement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from lineshape.results import Interval
from lineshape_training.steps.cells import Answer
from lineshape_training.steps.figures import AUC, FIGURES, MMD, Intervals
from lineshape_training.steps.ways import AT_ONCE, QUICK, REFERENCE, TAUGHT_BY, Way

REAL = "real only"
MARGIN = 0.05  # of two-sample AUC, that one evaluation may cost
SAME = 0.02  # of two-sample AUC; a smaller difference is none
LONGEST = 20.0  # minutes of teacher and student
ABOUT = (
    "figures: mean, least and largest over the seeds, each a fit on other groups; intervals: 95 % of one seed, ends "
    "averaged (floor: middle 95 % of its halvings, of the MMD as of twice as many spectra); alone, together: "
    "milliseconds of processor time for a spectrum in PyTorch on one thread, drawn by itself and as one of 256; "
    "minutes: of the fit, a student's with its teacher's"
)


class Range(msgspec.Struct, frozen=True):
    """A figure over the seeds."""

    mean: float
    least: float
    largest: float


class Line(msgspec.Struct, frozen=True):
    """One way of drawing, over all seeds.

    Parameters
    ----------
    method : str
        The way's name; `REAL` for the floor.
    way : Way or None
    figures : dict of str to Range
    intervals : dict of str to Interval
        Mean of the intervals' ends; what a single seed leaves uncertain.
    alone, together, minutes : float
        As in `cells.Answer`, means over the seeds.
    """

    method: str
    way: Way | None
    figures: dict[str, Range] = {}
    intervals: Intervals = {}
    alone: float = 0.0
    together: float = 0.0
    parameters: int = 0
    minutes: float = 0.0
    refused: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """A claim, its figure, and the limit up to which it holds."""

    claim: str
    value: float
    limit: float
    holds: bool


class Steps(msgspec.Struct, frozen=True):
    """The whole answer for one data set."""

    about: str
    seeds: int
    folds: int
    lines: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]


def line_of(way: Way | None, answers: Sequence[Answer]) -> Line:
    """The answers of all seeds in one row."""
    method = REAL if way is None else way.name
    if reasons := [answer.refused for answer in answers if answer.refused]:
        return Line(method, way, refused=f"{len(reasons)} of {len(answers)} seeds: {reasons[0]}")
    found = [answer.figures for answer in answers]
    figures = {name: _range([one[name] for one in found]) for name in FIGURES if all(name in one for one in found)}
    intervals = {name: _mean([answer.intervals[name] for answer in answers]) for name in answers[0].intervals}
    alone, together, minutes = (
        float(np.mean([getattr(answer, name) for answer in answers])) for name in ("alone", "together", "minutes")
    )
    return Line(method, way, figures, intervals, alone, together, answers[0].parameters, minutes)


def verdicts(lines: Sequence[Line]) -> tuple[Verdict, ...]:
    """Whether one evaluation is enough, and whether ten of the DDPM are as good as 250; from the figures alone.

    One evaluation of the student may be told from real spectra by `MARGIN` more than its teacher, and its MMD has to
    stay within the floor's interval. Ten evaluations with DPM-Solver++ are not worse than 250 with DDIM if their AUC is
    larger by no more than `SAME`, and their MMD by no more than that interval reaches above its mean. A row that was
    refused decides nothing.
    """
    by_way = {line.way: line for line in lines if not line.refused}
    found: list[Verdict] = []
    if {AT_ONCE, TAUGHT_BY, None} <= by_way.keys():
        found += _at_once(by_way)
    if {QUICK, REFERENCE, None} <= by_way.keys():
        found += _quick(by_way)
    return tuple(found)


def _at_once(lines: Mapping[Way | None, Line]) -> list[Verdict]:
    student, floor = lines[AT_ONCE], lines[None].intervals[MMD]
    return [
        _verdict(f"one evaluation within {MARGIN} AUC of the teacher", _rise(lines, AUC, AT_ONCE, TAUGHT_BY), MARGIN),
        _verdict("MMD of one evaluation within the floor", student.figures[MMD].mean, floor.high),
        _verdict("minutes of teacher and student together", student.minutes, LONGEST),
    ]


def _quick(lines: Mapping[Way | None, Line]) -> list[Verdict]:
    floor, claim = lines[None].intervals[MMD], f"{QUICK.name} not worse than {REFERENCE.name}"
    return [
        _verdict(f"{claim}: AUC", _rise(lines, AUC, QUICK, REFERENCE), SAME),
        _verdict(f"{claim}: MMD", _rise(lines, MMD, QUICK, REFERENCE), floor.high - floor.value),
    ]


def _rise(lines: Mapping[Way | None, Line], figure: str, of: Way, above: Way) -> float:
    """By how much a figure is larger; the same seeds on both sides, so means may be subtracted."""
    return lines[of].figures[figure].mean - lines[above].figures[figure].mean


def _verdict(claim: str, value: float, limit: float) -> Verdict:
    return Verdict(claim, value, limit, value <= limit)


def _range(values: Sequence[float]) -> Range:
    return Range(float(np.mean(values)), min(values), max(values))


def _mean(intervals: Sequence[Interval]) -> Interval:
    return Interval(*(float(np.mean([getattr(one, end) for one in intervals])) for end in ("value", "low", "high")))
