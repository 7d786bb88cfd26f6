"""All folds of one protocol: our figures and the baselines', each with its interval over minerals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from lineshape.results import Interval, bootstrapped
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import Names, PairTable
from lineshape_training.transfer import cells
from lineshape_training.transfer.cells import Answers
from lineshape_training.transfer.metrics import Figures, Measured
from lineshape_training.transfer.protocols import FOLDS, Protocol
from lineshape_training.transfer.trust import trust

OURS = "lineshape"

Metrics = dict[str, Interval]


class Found(msgspec.Struct, frozen=True):
    """One protocol.

    Parameters
    ----------
    ours : dict of str to Interval
        ``pearson_mean``, ``pearson_median`` and the means of all other figures of `metrics.Measured`.
    baselines : dict of str to dict of str to Interval
        The same of every baseline.
    gain_over : dict of str to Interval
        Of our correlation over each baseline's, pair by pair.
    best_baseline : str
        With the highest mean correlation.
    trust : dict of str to Interval
        See `trust.trust`.
    peak_tolerance : float
        In the axis's unit.
    pairs, minerals, repeats, folds, parameters : int
    fit_seconds : float
        Of one fit on one thread.
    """

    ours: Metrics
    baselines: dict[str, Metrics]
    gain_over: Metrics
    best_baseline: str
    trust: Metrics
    peak_tolerance: float
    pairs: int
    minerals: int
    repeats: int
    folds: int
    parameters: int
    fit_seconds: float


def bench(recipe: Recipe, table: PairTable, protocol: Protocol, repeats: int, work: Path, jobs: int = 1,
          progress: Callable[[int], object] = lambda cells: None, seed: int = 0,
          number: int = FOLDS) -> tuple[Found, list[Answers]]:  # fmt: skip
    """Fit what is missing, `jobs` folds at a time, and judge all repeats; see `cells.answers`.

    Returns
    -------
    Found
    list of Answers
        Of each repeat.
    """
    found = [
        cells.answers(recipe, table, protocol, repeat, work, jobs, progress, seed, number) for repeat in range(repeats)
    ]
    return judged(recipe, table, found), found


def judged(recipe: Recipe, table: PairTable, repeats: Sequence[Answers]) -> Found:
    """Judge the answers of all repeats: of each figure the mean over repeats for every pair, then over minerals."""
    measured, group = Measured.of(cells.truth(recipe, table), table), table.group
    each = {name: [measured.figures(spectra) for spectra in answers] for name, answers in _named(repeats).items()}
    scores = {name: _mean(by_repeat) for name, by_repeat in each.items()}
    metrics = {name: _metrics(found, group) for name, found in scores.items()}
    ours, correlations = metrics.pop(OURS), scores.pop(OURS)["pearson"]
    gains = {name: bootstrapped(correlations - found["pearson"], group, _average) for name, found in scores.items()}
    return Found(
        ours, metrics, gains, max(scores, key=lambda name: float(scores[name]["pearson"].mean())),
        trust(repeats, measured, np.stack([found["pearson"] for found in each[OURS]])),
        round(measured.tolerance * measured.point, 4), len(table), len(np.unique(group)), len(repeats),
        len(np.unique(repeats[0].fold)), repeats[0].parameters,
        round(float(np.mean([answers.seconds for answers in repeats])), 1),
    )  # fmt: skip


def as_results(found: Found) -> dict[str, Any]:
    """The layout of `docs/results/transfer.json`: our figures by name, the baselines' beside them."""
    rest: dict[str, Any] = msgspec.to_builtins(found)
    return {**rest.pop("ours"), **rest.pop("trust"), **rest}


def as_text(found: Found) -> str:
    """A line for each method, and what the intervals and the familiarity are worth."""
    lines = [_line(name, metrics) for name, metrics in {OURS: found.ours, **found.baselines}.items()]
    lines.append(f"gain over {found.best_baseline}: {_said(found.gain_over[found.best_baseline], '+.3f')}")
    lines += [f"{name.replace('_', ' ')}: {_said(interval)}" for name, interval in found.trust.items()]
    return "\n".join(lines)


def _named(repeats: Sequence[Answers]) -> Mapping[str, list[Float32[np.ndarray, "n L"]]]:
    """Every method's spectra, for each repeat."""
    names = repeats[0].baselines
    return {OURS: [a.spectrum for a in repeats], **{name: [a.baselines[name] for a in repeats] for name in names}}


def _mean(repeats: Sequence[Figures]) -> Figures:
    return {name: np.mean([found[name] for found in repeats], axis=0) for name in repeats[0]}


def _metrics(found: Figures, group: Names) -> Metrics:
    """The mean of every figure, and of the correlations the median too."""
    means = {name: bootstrapped(values, group, _average) for name, values in found.items()}
    median = bootstrapped(found["pearson"], group, lambda values: float(np.median(values)))
    return {"pearson_mean": means.pop("pearson"), "pearson_median": median, **means}


def _average(values: NDArray[Any]) -> float:
    return float(values.mean())


def _line(name: str, found: Metrics) -> str:
    mean, rest = found["pearson_mean"], ("pearson_median", "rmse", "peak_f1", "top1", "top5")
    return f"{name:<28} Pearson {_said(mean)}" + "".join(f", {key} {found[key].value:.3f}" for key in rest)


def _said(found: Interval, form: str = ".3f") -> str:
    return f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})"
