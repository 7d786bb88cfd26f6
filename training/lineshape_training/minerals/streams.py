"""Random streams with names, so that one draw never depends on how many others were made."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, *name: str | int) -> np.random.Generator:
    """The generator of one named thing, independent of every other name under the same seed.

    Parameters
    ----------
    seed : int
        At least 0.
    name : str or int
        What it is for, from the general to the particular: ``stream(7, "specimen", "Quartz", 3)``.
    """
    key = tuple(crc32(part.encode()) if isinstance(part, str) else part for part in name)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
