"""Medians of calls that are made by turns, and how two of them compare, each with its interval."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.results import Interval, bootstrapped

Call: TypeAlias = Callable[[], object]
Rounds: TypeAlias = NDArray[np.float64]  # [rounds, calls of a round]

WARM = 3  # calls before those of a round, which nobody counts


@dataclass(frozen=True)
class Effort:
    """How long is measured.

    Parameters
    ----------
    rounds : int
        In which all peers have their turn.
    calls : int
        Of each peer in a round.
    seconds : float
        Of the overload; the other loads are shares of it.
    times : int
        That something is repeated: swaps, kills.
    samples : int
        That are drawn on every face.
    """

    rounds: int = 40
    calls: int = 25
    seconds: float = 60.0
    times: int = 10
    samples: int = 1000


def in_turns(calls: Mapping[str, Call], rounds: int, each: int) -> dict[str, Rounds]:
    """Milliseconds of each call, in rounds whose order is drawn anew, so that a drift of the machine hits all alike."""
    rng = np.random.default_rng(0)
    taken: dict[str, list[list[float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name in rng.permutation(list(calls)).tolist():
            taken[name].append(_timed(calls[name], each))
    return {name: np.array(lists) for name, lists in taken.items()}


def _timed(call: Call, times: int) -> list[float]:
    for _ in range(WARM):
        call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - start))
    return taken


def quantile(taken: Rounds, share: float) -> Interval:
    """A quantile of all calls; for its interval whole rounds are drawn."""
    return _of_rounds(lambda drawn: float(np.quantile(drawn[:, 0], share)), taken)


def above(taken: Rounds, base: Rounds) -> Interval:
    """How far one median lies above another of the same rounds."""
    return _of_rounds(lambda drawn: float(np.median(drawn[:, 0]) - np.median(drawn[:, 1])), taken, base)


def over(taken: Rounds, base: Rounds) -> Interval:
    """One median over another of the same rounds."""
    return _of_rounds(lambda drawn: float(np.median(drawn[:, 0]) / np.median(drawn[:, 1])), taken, base)


def mean(values: NDArray[Any]) -> Interval:
    """The mean of one value a round."""
    return _of_rounds(lambda drawn: float(drawn[:, 0].mean()), values[:, None])


def mean_ratio(values: NDArray[Any], base: NDArray[Any]) -> Interval:
    """The mean of one value a round over that of another."""
    return _of_rounds(lambda drawn: float(drawn[:, 0].mean() / drawn[:, 1].mean()), values[:, None], base[:, None])


def _of_rounds(statistic: Callable[[NDArray[Any]], float], *taken: Rounds) -> Interval:
    rounds = np.repeat(np.arange(len(taken[0])), taken[0].shape[1]).astype(str)
    return bootstrapped(np.stack([each.ravel() for each in taken], axis=1), rounds, statistic)
