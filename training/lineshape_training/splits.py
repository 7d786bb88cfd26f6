"""Splits by independent groups: what belongs to one patient, isolate or mineral stays on one side."""

from __future__ import annotations

import warnings
from typing import Any

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
    shuffled = np.random.default_rng(seed).permutation(_names(group, folds))
    splits = []
    for fold in range(folds):
        held = np.isin(group, shuffled[fold::folds])
        splits.append((np.flatnonzero(~held), np.flatnonzero(held)))
        check_disjoint(group, *splits[-1])
    return splits


def stratified_folds(group: Names, label: Names | None, folds: int, seed: int) -> list[tuple[Rows, Rows]]:
    """Folds of whole groups in which the classes are spread as evenly as their groups allow.

    Parameters
    ----------
    group, label : str [n]
        Without labels the folds are those of `group_folds`.
    folds, seed : int

    Returns
    -------
    list of (fitting rows, held-out rows)

    Raises
    ------
    DataError
        If a class has a single group: it could not be both fitted and judged. If there are fewer groups than folds, or
        every class has fewer spectra.
    """
    if label is None:
        return group_folds(group, folds, seed)
    _names(group, folds)
    for name in np.unique(label).tolist():
        if len(np.unique(group[label == name])) < 2:
            raise DataError(f"class {name!r} has a single independent group; leave the class out, or measure more")
    if (largest := np.unique(label, return_counts=True)[1].max()) < folds:
        raise DataError(f"the largest class has {largest} spectra, too few for {folds} folds; use fewer")
    from sklearn.model_selection import StratifiedGroupKFold  # half a second that only this function needs

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # of classes with fewer groups than folds, which some folds then lack
        warnings.simplefilter("ignore", UserWarning)
        splits = list(splitter.split(group, label, group))
    for split in splits:
        check_disjoint(group, *split)
    return splits


def _names(group: Names, folds: int) -> NDArray[Any]:
    names = np.unique(group)
    if not 2 <= folds <= len(names):
        raise DataError(f"{len(names)} independent groups cannot make {folds} folds; use 2 to {len(names)}")
    return names


def hold_out(group: Names, label: Names | None, share: float, seed: int) -> tuple[Rows, Rows]:
    """Rows to fit on, and rows of about `share` of the groups to judge by, stratified where every class has two groups.

    Raises
    ------
    DataError
        If there are too few groups to hold so small a share out.
    """
    if label is not None and min(len(np.unique(group[label == name])) for name in np.unique(label)) < 2:
        label = None
    return stratified_folds(group, label, max(2, round(1 / share)), seed)[0]


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
