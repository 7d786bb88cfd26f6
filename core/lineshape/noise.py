"""Seeded noise: sample i of seed s is the same on every face, whatever batch it travels in.

Philox 4x32-10 (Salmon et al., SC 2011, "Parallel random numbers: as easy as 1, 2, 3") turns a counter and a key
into four random 32-bit words; nothing is carried from one draw to the next. The key is the 64-bit seed, the counter
(block, stream, index low, index high). Box and Muller's transform makes two normals of two words, in float32.
`lineshape_training.seeded` is the same text in tensor operations, for the inside of a graph.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
LATENT, DETECTOR = 0, 1  # one stream for each use of noise

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox(counter: NDArray[np.uint64], key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Philox 4x32-10.

    Parameters
    ----------
    counter : uint64 [..., 4], key : uint64 [..., 2]
        32-bit words held in 64 bits.

    Returns
    -------
    uint64 [..., 4]
        32-bit words held in 64 bits.
    """
    c0, c1, c2, c3 = np.moveaxis(counter, -1, 0)
    k0, k1 = np.moveaxis(key, -1, 0)
    for _ in range(ROUNDS):
        p0, p1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (p1 >> _HALF) ^ c1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + np.uint64(WEYL[0])) & _LOW, (k1 + np.uint64(WEYL[1])) & _LOW
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), axis=-1)


def words(seed: ArrayLike, count: int, stream: int = LATENT) -> NDArray[np.uint64]:
    """Random 32-bit words of samples.

    Parameters
    ----------
    seed : int64 [n, 2]
        (seed, sample index) of each sample.
    count : int
        Words for each sample.
    stream : int
        Which use of noise the words are for.

    Returns
    -------
    uint64 [n, count]
    """
    rows = np.asarray(seed, np.int64).astype(np.uint64)
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    key = np.stack([rows[:, :1] & _LOW, rows[:, :1] >> _HALF], axis=-1)
    index = rows[:, 1:]
    counter = np.stack(np.broadcast_arrays(blocks, np.uint64(stream), index & _LOW, index >> _HALF), axis=-1)
    return philox(counter, key).reshape(len(rows), -1)[:, :count]


def normals(seed: ArrayLike, count: int, stream: int = LATENT) -> NDArray[np.float32]:
    """Standard normals of samples, one word for each.

    The upper 24 bits of a word are exact in float32: radius from (k + 1) / 2^24, which is never 0, angle from k / 2^24.

    Parameters
    ----------
    seed : int64 [n, 2]
        (seed, sample index) of each sample.
    count : int
        Normals for each sample.
    stream : int
        Which use of noise they are for.

    Returns
    -------
    float32 [n, count]
    """
    pairs = (words(seed, count + count % 2, stream) >> np.uint64(8)).astype(np.float32)
    scale = np.float32(2.0**-24)
    radius = np.sqrt(np.float32(-2) * np.log((pairs[:, 0::2] + np.float32(1)) * scale))
    angle = np.float32(2 * np.pi) * (pairs[:, 1::2] * scale)
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return both.reshape(len(pairs), -1)[:, :count]


def seeds(seed: int, n: int, first: int = 0) -> NDArray[np.int64]:
    """The (seed, sample index) rows of samples `first` to `first + n - 1` of one seed: int64 [n, 2]."""
    return np.stack([np.full(n, seed, np.int64), np.arange(first, first + n, dtype=np.int64)], axis=1)
