"""Does the generator give its training spectra back?

Everything is compared after SNV, so that neither a factor nor an offset hides a copy, and less what a small
displacement of the axis does to the mean training spectrum (a tangent distance, Simard et al. 1993): between smooth
spectra a tenth of a point would else outweigh what tells two samples apart. A distance is no proof of privacy: small
leaks pass every figure here, and only the attack's success says what an attacker of this kind gains.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Float, Float64, Int, Shaped
from numpy.typing import NDArray

from lineshape.errors import DataError
from lineshape.results import Interval
from lineshape_training.splits import check_disjoint
from lineshape_training.validation.metrics.blocks import blocks, comparable, squared_distances
from lineshape_training.validation.metrics.snv import snv

DRAWS = 1000
RARE = 0.01
"""Share of held-out spectra that may look as near to a training spectrum by chance."""


class Memorisation(msgspec.Struct, frozen=True):
    """How much of the training set comes back.

    Parameters
    ----------
    distance_ratio : float
        Median distance of synthetic spectra from their nearest training spectrum, over that of held-out real spectra.
        0: copies; 1: like new real spectra; above 1: further away than those. Spectra without noise lie near .7.
    near_copies : float
        Share of synthetic spectra that are a training spectrum but for less than what tells real spectra apart, 0 to 1;
        lower is better, and held-out real spectra have about 0.
    membership_auc : float
        Of an attacker who holds the synthetic spectra and calls those real spectra training spectra that have a
        synthetic one nearest: 1 finds all, .5 is guessing. Lower is better.
    membership_low, membership_high : float
        Its 95 % percentile interval over resampled training groups and held-out groups. A generator that leaks nothing
        has .5 inside it.
    """

    distance_ratio: float
    near_copies: float
    membership_auc: float
    membership_low: float
    membership_high: float


@dataclass(frozen=True, eq=False)
class Suspicious:
    """Synthetic spectra and the training spectra that they come nearest to, nearest first.

    Parameters
    ----------
    synthetic, train : int [count]
        Row numbers.
    distance : float64 [count]
        Root mean square difference after SNV: 0 for a copy, 1.4 for unrelated spectra.
    """

    synthetic: Int[np.ndarray, " count"]
    train: Int[np.ndarray, " count"]
    distance: Float64[np.ndarray, " count"]


def memorisation(
    synthetic: Float[np.ndarray, "n L"],
    held_out: Float[np.ndarray, "m L"],
    train: Float[np.ndarray, "t L"],
    held_out_group: Shaped[np.ndarray, " m"],
    train_group: Shaped[np.ndarray, " t"],
) -> Memorisation:
    """Distances to the training set, near copies, and a membership-inference attack.

    A near copy is judged by how much nearer its nearest training spectrum is than the nearest one of any *other*
    training group (the ratio of Lowe 2004, as Carlini et al. 2023 judge diffusion models: by the neighbourhood, for a
    distance alone is small wherever spectra are smooth). It is one where that ratio is below half of what 99 % of the
    held-out spectra keep. Half leaves no room for chance, and still catches copies with a tenth of the replicate noise,
    with a factor, or moved by a tenth of a point.

    Parameters
    ----------
    synthetic, held_out, train : float [n, L], [m, L], [t, L]
        Held-out spectra are real ones that the generator was not fitted on.
    held_out_group, train_group : str [m], str [t]
        Independent units; none on both sides.

    Raises
    ------
    LeakError
        If a group stands on both sides.
    DataError
        If there are fewer than two training groups, or the spectra do not fit together.
    """
    _check(held_out_group, train_group)
    held_out = comparable(synthetic, held_out)[1]
    synthetic, train = comparable(synthetic, train)
    train, synthetic, held_out = _undisplaced(train, synthetic, held_out)
    code = np.unique(train_group, return_inverse=True)[1]
    ours, theirs = _neighbours(synthetic, train, code), _neighbours(held_out, train, code)
    least = np.quantile(theirs.uniqueness, RARE) / 2
    scores = [-_neighbours(real, synthetic, None).distance for real in (train, held_out)]
    attack = attack_auc(scores[0], scores[1], train_group, held_out_group)
    typical = float(np.median(theirs.distance))
    return Memorisation(
        float(np.median(ours.distance)) / typical if typical else float("nan"),
        float((ours.uniqueness < least).mean()) if least else float((ours.distance == 0).mean()),
        attack.value,
        attack.low,
        attack.high,
    )


def most_suspicious(synthetic: Float[np.ndarray, "n L"], train: Float[np.ndarray, "t L"], count: int) -> Suspicious:
    """The `count` synthetic spectra that come nearest to a training spectrum."""
    synthetic, train = comparable(synthetic, train)
    train, synthetic = _undisplaced(train, synthetic)
    near = _neighbours(synthetic, train, None)
    first = np.argsort(near.distance, kind="stable")[:count]
    return Suspicious(first, near.row[first], near.distance[first])


def attack_auc(
    members: Float64[np.ndarray, " t"],
    others: Float64[np.ndarray, " m"],
    member_group: Shaped[np.ndarray, " t"],
    other_group: Shaped[np.ndarray, " m"],
) -> Interval:
    """AUC of a score that should be larger for members; ties count half; 95 % interval over resampled groups.

    The AUC is the probability that a member's score beats another's (Mann-Whitney U over the number of pairs).
    """
    rank = np.unique(np.concatenate([members, others]), return_inverse=True)[1]
    inside, outside = rank[: len(members)], rank[len(members) :]
    rng = np.random.default_rng(0)
    codes = [np.unique(group, return_inverse=True)[1] for group in (member_group, other_group)]
    drawn = [_weighted_auc(inside, outside, *(_resampled(code, rng) for code in codes)) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    everyone = _weighted_auc(inside, outside, np.ones(len(inside)), np.ones(len(outside)))
    return Interval(everyone, float(low), float(high))


def _undisplaced(
    train: Float64[np.ndarray, "t L"], *others: Float64[np.ndarray, "_ L"]
) -> list[Float64[np.ndarray, "_ L"]]:
    """All sets after SNV, less their part along the slope of the mean training spectrum; the training set first."""
    scaled = [snv(spectra) for spectra in (train, *others)]
    slope = np.gradient(scaled[0].mean(axis=0))
    length = float(np.linalg.norm(slope))
    direction = slope / length if length else slope
    return [spectra - np.outer(spectra @ direction, direction) for spectra in scaled]


@dataclass(frozen=True, eq=False)
class _Neighbours:
    row: NDArray[np.intp]
    distance: NDArray[np.float64]  # root mean square difference
    uniqueness: NDArray[np.float64]  # that distance over the one to the nearest spectrum of another group


def _neighbours(
    spectra: Float64[np.ndarray, "n L"], known: Float64[np.ndarray, "t L"], code: NDArray[np.intp] | None
) -> _Neighbours:
    """Nearest known spectrum of each; `code` numbers the groups of the known ones, where uniqueness is asked for."""
    row = np.empty(len(spectra), np.intp)
    second = np.full(len(spectra), np.nan)
    for rows in blocks(len(spectra), len(known)):
        squared = squared_distances(spectra[rows], known)
        row[rows] = squared.argmin(axis=1)
        if code is not None:
            second[rows] = np.where(code == code[row[rows]][:, None], np.inf, squared).min(axis=1)
    # again from the differences: the distance of a copy would drown in the rounding of the products
    distance = np.concatenate([((spectra[r] - known[row[r]]) ** 2).mean(1) ** 0.5 for r in blocks(*spectra.shape)])
    apart = np.sqrt(second / spectra.shape[1])
    return _Neighbours(row, distance, np.where(apart > distance, distance / np.where(apart > 0, apart, 1), 1.0))


def _weighted_auc(
    inside: NDArray[np.intp], outside: NDArray[np.intp], weight_in: NDArray[np.float64], weight_out: NDArray[np.float64]
) -> float:
    levels = int(max(inside.max(), outside.max())) + 1
    members, others = np.bincount(inside, weight_in, levels), np.bincount(outside, weight_out, levels)
    beaten = np.cumsum(others) - others / 2
    return float(members @ beaten / (members.sum() * others.sum()))


def _resampled(code: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.float64]:
    """Weight [n] of each spectrum: how often its group was drawn."""
    groups = int(code.max()) + 1
    return np.bincount(rng.integers(groups, size=groups), minlength=groups)[code].astype(np.float64)


def _check(held_out_group: Shaped[np.ndarray, " m"], train_group: Shaped[np.ndarray, " t"]) -> None:
    held = np.arange(len(held_out_group))
    check_disjoint(np.concatenate([held_out_group, train_group]), held, len(held) + np.arange(len(train_group)))
    if len(np.unique(train_group)) < 2:
        raise DataError("the training spectra are all of one group; near copies are told by a second one")
