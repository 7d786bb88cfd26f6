"""What is wrong with a table of spectra, said before anything is fitted to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lineshape.errors import DataError
from lineshape_training.datasets.choice import counts
from lineshape_training.datasets.layout import NAMELESS
from lineshape_training.spectra import SpectraTable

FEW_GROUPS = 5  # of a class: with fewer, a 95 % interval over groups says next to nothing


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    Parameters
    ----------
    kind : str
        ``leak`` makes every figure on the table worthless; ``warning`` weakens it; ``note`` is worth knowing.
    text : str
        What, where and what to do.
    """

    kind: Literal["leak", "warning", "note"]
    text: str


def check_table(table: SpectraTable) -> list[Finding]:
    """Everything that the checks find, the worst first."""
    found = [*_duplicates(table), *_constant(table), *_small_classes(table), *_groups(table), *_gaps(table)]
    return sorted(found, key=lambda finding: ("leak", "warning", "note").index(finding.kind))


def identical(table: SpectraTable) -> list[NDArray[np.intp]]:
    """Rows that hold the same intensities to the last bit, as sets of two or more; constant ones say nothing."""
    telling = np.flatnonzero(np.ptp(table.values, axis=1))
    which = np.unique(table.values[telling], axis=0, return_inverse=True)[1]
    order, counts = np.argsort(which, kind="stable"), np.bincount(which)
    sets = np.split(telling[order], np.cumsum(counts)[:-1])
    return [rows for rows in sets if len(rows) > 1]


def in_large_classes(table: SpectraTable, least: int, where: str) -> SpectraTable:
    """The spectra of classes that have at least so many, and those whose class is not known.

    Raises
    ------
    DataError
        If nothing is left.
    """
    if least == 1:
        return table
    names, which, counts = np.unique(table.labels, return_inverse=True, return_counts=True)
    kept = np.flatnonzero((counts[which] >= least) | (table.labels == ""))
    if not (table.labels[kept] != "").any():
        raise DataError(f"{where}: classes of fewer than {least} spectra are left out, and the largest "
                        f"({names[counts.argmax()]}) has {counts.max()}; ask for smaller classes")  # fmt: skip
    return table.rows(kept)


def united(table: SpectraTable) -> SpectraTable:
    """The table with those groups made one that hold the same spectrum, so that no split can part its copies."""
    names, group = np.unique(table.group, return_inverse=True)
    pairs = [(group[rows[0]], group[row]) for rows in identical(table) for row in rows[1:]]
    left, right = np.array(pairs, np.intp).reshape(-1, 2).T
    links = coo_array((np.ones(len(left)), (left, right)), shape=(len(names), len(names)))
    part = connected_components(links, directed=False)[1]
    first = np.unique(part, return_index=True)[1]
    return replace(table, group=names[first[part[group]]])


def _duplicates(table: SpectraTable) -> Iterator[Finding]:
    """The same measurement twice: harmless within a group, a leak across groups."""
    sets = identical(table)
    across = [rows for rows in sets if len(set(table.group[rows])) > 1]
    if across:
        names = ", ".join(sorted(set(table.group[across[0]].tolist()))[:3])
        yield Finding("leak", f"{sum(map(len, across))} spectra stand in more than one group, bit for bit (for one "
                              f"{names}); a split by group would hold them on both sides unless these "
                              "groups are made one")  # fmt: skip
    if within := sum(len(rows) - 1 for rows in sets) - sum(len(rows) - 1 for rows in across):
        yield Finding("warning", f"{within} spectra are copies of another one of their group; they add nothing")


def _constant(table: SpectraTable) -> Iterator[Finding]:
    flat = np.ptp(table.values, axis=1) == 0
    if flat.any():
        yield Finding(
            "warning", f"{flat.sum()} spectra are constant (the first is row {np.argmax(flat)}); leave them out"
        )


def _small_classes(table: SpectraTable) -> Iterator[Finding]:
    for one in counts(table) if table.label is not None else ():
        if one.groups < 2:
            yield Finding("warning", f"class {one.label} has a single independent group: nothing can be held out of "
                                     "it; leave the class out, or measure more")  # fmt: skip
        elif one.groups < FEW_GROUPS:
            yield Finding("warning", f"class {one.label} has only {one.groups} independent groups; expect wide "
                                     "intervals")  # fmt: skip


def _groups(table: SpectraTable) -> Iterator[Finding]:
    groups = len(np.unique(table.group))
    nameless = sum(name.startswith(NAMELESS) for name in table.group.tolist())
    if 0 < nameless < len(table):
        yield Finding("warning", f"{nameless} spectra have no group name, and count as groups of their own; if one of "
                                 "them is of a group that is named elsewhere, name it")  # fmt: skip
    if groups == len(table):
        yield Finding("note", f"each of the {len(table)} spectra is a group of its own; if several come from one "
                              "patient, specimen or replicate, name that column as the group")  # fmt: skip
    if table.label is not None:
        pairs = sorted(set(zip(table.group.tolist(), table.label.tolist(), strict=True)))
        mixed = sorted({group for (group, _), (after, _) in pairwise(pairs) if group == after})
        if mixed:
            yield Finding("note", f"{len(mixed)} of {groups} groups hold several classes ({mixed[0]}, say)")


def _gaps(table: SpectraTable) -> Iterator[Finding]:
    partly = (table.mask < 1).any(axis=1)
    if partly.any():
        yield Finding("note", f"{partly.sum()} of {len(table)} spectra do not cover the whole axis")
    for name, amounts in table.analytes.items():
        if missing := int(np.isnan(amounts).sum()):
            yield Finding("note", f"{name} was not measured for {missing} of {len(table)} spectra")
