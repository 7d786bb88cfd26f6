"""Splits by independent groups: what belongs to one patient, isolate or mineral stays on one side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineshape.errors import DataError, LeakError
from lineshape_training.spectra import Names

Rows = NDArray[np.intp]


def group_folds(group: Names, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Split rows into folds of whole groups, of nearly equal numbers of groups.

    Parameters
    ----------
    group : str [n]
    folds, seed : int

    Returns
    -------
    list of (fitting rows, held-out rows)
        Every row is held out exactly once.

    Raises
    ------
    DataError
        If there are fewer groups than folds.
    """
    names = np.unique(group)
    if not 2 <= folds <= len(names):
        raise DataError(f"{len(names)} independent groups cannot make {folds} folds; use 2 to {len(names)}")
    shuffled = np.random.default_rng(seed).permutation(names)
    splits = []
    for fold in range(folds):
        held = np.isin(group, shuffled[fold::folds])
        splits.append((np.flatnonzero(~held), np.flatnonzero(held)))
        check_disjoint(group, *splits[-1])
    return splits


def check_disjoint(group: Names, *sides: Rows) -> None:
    """Refuse a split with a group on two sides.

    Raises
    ------
    LeakError
        Naming the group.
    """
    seen: set[str] = set()
    for side in sides:
        here = set(group[side].tolist())
        if shared := seen & here:
            raise LeakError(f"group {min(shared)!r} stands on both sides of a split; split by group, not by spectrum")
        seen |= here
