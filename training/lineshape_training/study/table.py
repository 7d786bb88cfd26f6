"""The study's table: every score with its interval, its paired gain over real spectra alone, and what follows."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
import numpy as np

from lineshape.results import Interval
from lineshape_training.study.arms import BALANCED, DECIDING, REAL
from lineshape_training.study.cells import NONE
from lineshape_training.study.estimates import Draws, interval, p_value
from lineshape_training.study.protocols import LEAKY

Key: TypeAlias = tuple[str, str, str, str]  # protocol, method, arm, probe
Scores: TypeAlias = dict[str, Draws]
Verdict: TypeAlias = Literal["helps", "makes no difference", "hurts"]

ALL_PROBES = "mean of probes"
SMALLER_IS_BETTER = {"RMSEP"}


class Gain(msgspec.Struct, frozen=True):
    """A difference to real spectra alone, on the same rows: above 0 is better, whatever the score's direction."""

    value: float
    low: float
    high: float
    p: float


class Row(msgspec.Struct, frozen=True):
    """One line of the table."""

    protocol: str
    method: str
    arm: str
    probe: str
    scores: dict[str, Interval]
    gains: dict[str, Gain]


class Effect(msgspec.Struct, frozen=True):
    """What adding one method's spectra does, by the arm and score that were named before anything was measured."""

    protocol: str
    method: str
    arm: str
    score: str
    gain: Gain
    verdict: Verdict


class Outcome(msgspec.Struct, frozen=True):
    """All that a study found.

    Parameters
    ----------
    rows : tuple of Row
    effects : tuple of Effect
        One for each method and protocol, but for the split by spectrum: what leaks decides nothing.
    refused : dict of str
        Why a method could not be measured under a protocol.
    rare : str or None
        The class that `rare recall` and `rare AUPRC` are about.
    """

    rows: tuple[Row, ...]
    effects: tuple[Effect, ...]
    refused: dict[str, str]
    rare: str | None


def tabulated(drawn: dict[Key, Scores], refused: dict[str, str], rare: str | None) -> Outcome:
    """Intervals, gains and verdicts of all scores.

    Parameters
    ----------
    drawn : dict of Key to Scores
        Of the sample and of every draw; those of real spectra alone stand among them.
    refused : dict of str
    rare : str or None
        None for amounts.
    """
    drawn = _with_means(drawn)
    rows = tuple(_row(key, scores, drawn[(key[0], NONE, REAL.name, key[3])]) for key, scores in drawn.items())
    deciding = "R2" if rare is None else "balanced accuracy"
    effects = tuple(_effect(row, deciding) for row in rows if _decides(row))
    return Outcome(rows, effects, refused, rare)


def _with_means(drawn: dict[Key, Scores]) -> dict[Key, Scores]:
    """Also the mean over the probes, draw by draw."""
    arms: dict[tuple[str, str, str], list[Scores]] = {}
    for (protocol, method, arm, _), scores in drawn.items():
        arms.setdefault((protocol, method, arm), []).append(scores)
    means = {
        (*arm, ALL_PROBES): {name: np.mean([scores[name] for scores in probes], axis=0) for name in probes[0]}
        for arm, probes in arms.items()
    }
    return drawn | means


def _row(key: Key, scores: Scores, real: Scores) -> Row:
    scores = {name: values for name, values in scores.items() if np.isfinite(values[0])}  # no rare spectrum was held
    gains = {} if key[1] == NONE else {name: _gain(name, values - real[name]) for name, values in scores.items()}
    return Row(*key, {name: interval(values) for name, values in scores.items()}, gains)


def _gain(score: str, difference: Draws) -> Gain:
    towards = -difference if score in SMALLER_IS_BETTER else difference
    found = interval(towards)
    return Gain(found.value, found.low, found.high, round(p_value(towards), 4))


def _decides(row: Row) -> bool:
    return row.protocol != LEAKY and row.probe == ALL_PROBES and row.arm in (DECIDING.name, BALANCED.name)


def _effect(row: Row, score: str) -> Effect:
    return Effect(row.protocol, row.method, row.arm, score, row.gains[score], judged(row.gains[score]))


def judged(gain: Gain) -> Verdict:
    """By the 95 % interval of the paired difference."""
    return "helps" if gain.low > 0 else "hurts" if gain.high < 0 else "makes no difference"
