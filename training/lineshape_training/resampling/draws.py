"""How samples are counted and drawn, so that more of them never change those that were drawn before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

Drawn: TypeAlias = tuple[Float[np.ndarray, "k L"], Float[np.ndarray, " k"] | None]  # spectra, and amounts of an analyte
LEAST = 256


def largest_remainder(weights: Shaped[np.ndarray, " c"], total: int) -> Int[np.ndarray, " c"]:
    """Whole numbers that add up to `total`, in proportion to weights; Hamilton's method, the first of equals first.

    Parameters
    ----------
    weights : number [c]
        None negative, and not all 0.
    total : int

    Returns
    -------
    int [c]
    """
    quota = weights * (total / weights.sum())
    counts: NDArray[np.intp] = np.floor(quota).astype(np.intp)
    counts[np.argsort(counts - quota, kind="stable")[: total - counts.sum()]] += 1
    return counts


def generator_of(seed: int, label: Any) -> Generator:  # noqa: ANN401
    """Random numbers that depend on a seed and the name of a class, and on no other class."""
    digest = hashlib.sha256(repr(label).encode()).digest()
    return np.random.default_rng(SeedSequence([seed, int.from_bytes(digest[:16], "big")]))


def block_size(members: int) -> int:
    """Samples in a block: the least multiple of a class's size that is 256 or more, or the size itself."""
    return members * max(1, -(-LEAST // members))


def in_blocks(n: int, rng: Generator, block: Callable[[Generator], Drawn]) -> Drawn:
    """The first n samples of an endless row of blocks, each made whole from a generator of its own.

    A block does not know how many samples were asked for, so the first k of n samples are the same for every n.

    Parameters
    ----------
    n : int
        At least 1.
    rng : Generator
    block : callable
        Makes the samples of one block, at least one.
    """
    blocks: list[Drawn] = []
    while sum(len(values) for values, _ in blocks) < n:
        blocks.append(block(rng.spawn(1)[0]))
    amounts = [amount for _, amount in blocks if amount is not None]
    return np.concatenate([values for values, _ in blocks])[:n], np.concatenate(amounts)[:n] if amounts else None
