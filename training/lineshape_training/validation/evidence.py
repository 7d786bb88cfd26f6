"""What a judgement rests on: synthetic spectra, real ones that the generator has not seen, and those of its fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Float64
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.errors import DataError, LeakError
from lineshape_training.spectra import Amounts, Names, SpectraTable
from lineshape_training.splits import check_disjoint, stratified_folds


@dataclass(frozen=True, eq=False)
class Side:
    """Spectra of one origin.

    Parameters
    ----------
    values : float [n, L]
    group : str [n]
        Independent unit; each by itself for synthetic spectra.
    label : str [n]
        Class; all the same where there are none.
    amount : float64 [n] or None
        Of an analyte: measured, or asked for.
    """

    values: Float[np.ndarray, "n L"]
    group: Names
    label: Names
    amount: Amounts | None = None

    def __len__(self) -> int:
        return len(self.values)

    @classmethod
    def of(cls, table: SpectraTable) -> Side:
        """A table's spectra, groups and classes."""
        amount = next(iter(table.analytes.values()), None)
        return cls(table.values, table.group, table.labels, amount)

    @classmethod
    def synthetic(cls, values: Float[np.ndarray, "n L"], label: Names | None = None) -> Side:
        """Generated spectra."""
        return cls(values, np.arange(len(values)).astype(str), np.full(len(values), "") if label is None else label)

    def rows(self, index: NDArray[np.intp]) -> Side:
        """The spectra at `index`, in that order."""
        amount = None if self.amount is None else self.amount[index]
        return Side(self.values[index], self.group[index], self.label[index], amount)

    def at_most(self, count: int) -> Side:
        """This side, or a fixed random choice of `count` of its spectra."""
        if len(self) <= count:
            return self
        return self.rows(np.sort(np.random.default_rng(0).permutation(len(self))[:count]))

    @property
    def classes(self) -> list[str]:
        """The classes, sorted; one without a name where there are none."""
        return sorted(set(self.label.tolist()))


@dataclass(frozen=True, eq=False)
class Evidence:
    """The three sides of a judgement.

    Parameters
    ----------
    synthetic, real, train : Side
        `real` are spectra of groups that the generator was not fitted on, `train` those of the fit.
    axis : SpectralAxis [L]
    remarks : tuple of str
        What a reader of the judgement should know of the evidence.
    """

    synthetic: Side
    real: Side
    train: Side
    axis: SpectralAxis
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_disjoint(np.concatenate([self.real.group, self.train.group]),
                       np.arange(len(self.real)), len(self.real) + np.arange(len(self.train)))  # fmt: skip
        twice = {row.tobytes() for row in self.real.values} & {row.tobytes() for row in self.train.values}
        if twice:
            raise LeakError(f"{len(twice)} spectra stand among the real ones and in the training set, bit for bit, in "
                            "groups of different names; take them out of one, or name the groups alike")  # fmt: skip
        for name, side in self.sides.items():
            if side.values.ndim != 2 or side.values.shape[1] != len(self.axis):
                raise DataError(f"{name} spectra are {list(side.values.shape)} on an axis of {len(self.axis)} points")
            if not np.isfinite(side.values).all():
                row = int(np.argmin(np.isfinite(side.values).all(axis=1)))
                raise DataError(f"{name} spectrum {row} holds a value that is not a finite number")
        if unknown := set(self.synthetic.classes) - set(self.real.classes):
            raise DataError(f"synthetic spectra are of class {min(unknown)!r}, of which there are no real ones; "
                            f"there are {', '.join(map(repr, self.real.classes))}")  # fmt: skip

    @property
    def sides(self) -> dict[str, Side]:
        """The three sides by name."""
        return {"synthetic": self.synthetic, "real": self.real, "train": self.train}

    @property
    def labelled(self) -> bool:
        """True where classes are known on both sides."""
        return min(len(self.synthetic.classes), len(self.real.classes)) > 1

    def limited(self, most: int) -> Evidence:
        """The same with at most `most` spectra on each side, so that numbers decide neither cost nor figure."""
        sides: dict[str, Any] = {name: side.at_most(most) for name, side in self.sides.items()}
        return replace(self, **sides)

    def halves(self) -> Evidence:
        """Real spectra in the place of synthetic ones: one half of the unseen groups, judged by the other half."""
        real = self.real
        fewest = min(len(np.unique(real.group[real.label == name])) for name in real.classes)
        one, other = stratified_folds(real.group, real.label if self.labelled and fewest > 1 else None, 2, seed=0)[0]
        if not set(real.label[one].tolist()) <= set(
            real.label[other].tolist()
        ):  # a half lacks a class: neither has any
            real = replace(real, label=np.full(len(real), ""))
        return replace(self, synthetic=real.rows(one), real=real.rows(other))

    def copies(self) -> Evidence:
        """The training set in the place of the synthetic spectra, as many of each class."""
        return replace(self, synthetic=self.train.rows(self._drawn()))

    def means(self) -> Evidence:
        """The mean of each class plus white noise of the real spectra's own size, as many of each class."""
        rows, values = self._drawn(), np.array(self.train.values, np.float64)
        means = {name: values[self.train.label == name].mean(axis=0) for name in self.train.classes}
        drawn = np.stack([means[name] for name in self.train.label[rows].tolist()])
        noise = np.random.default_rng(0).standard_normal(drawn.shape) * noise_of(values)
        made = Side.synthetic((drawn + noise).astype(self.train.values.dtype), self.train.label[rows])
        return replace(self, synthetic=made)

    def _drawn(self) -> NDArray[np.intp]:
        """Training rows: of each class as many as there are synthetic spectra, as far as there are training spectra."""
        order = np.random.default_rng(0).permutation(len(self.train))
        wanted: Sequence[str] = self.synthetic.classes
        parts = [order[self.train.label[order] == name][: int((self.synthetic.label == name).sum())] for name in wanted]
        return np.concatenate(parts)


def noise_of(values: Float64[np.ndarray, "n L"]) -> float:
    """Standard deviation of point-to-point noise: second differences have six times its variance."""
    return float(np.sqrt((np.diff(values, n=2, axis=1) ** 2).mean() / 6))
