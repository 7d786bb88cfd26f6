"""Is a student as good as its teacher? Both draw as many spectra, and both are held against the same real ones."""

from __future__ import annotations

import msgspec
import numpy as np

from lineshape_training.run import Run, group_hash
from lineshape_training.spectra import SpectraTable
from lineshape_training.splits import group_folds
from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.generator import of_run, scaled
from lineshape_training.validation.measures import FIGURES, Found, measured

# How much farther from the best value a student may be than its teacher.
MARGINS = {
    "MMD": 0.005,
    "two-sample AUC": 0.05,
    "class agreement": 0.05,
    "chimeras": 0.05,
    "distance ratio": 0.2,
    "high-frequency power": 0.15,
}
ONE_SIDED = ("MMD", "two-sample AUC")  # below the best value is chance, not a fault
FEWEST, MOST = 300, 1000  # spectra that each draws


class Compared(msgspec.Struct, frozen=True):
    """Figures of teacher and student beside the margins.

    Parameters
    ----------
    teacher, student : dict of str to float
    unseen : bool
        Whether the real spectra are of groups that the teacher has not seen; else of half of those that it has.
    """

    teacher: Found
    student: Found
    unseen: bool

    @property
    def lines(self) -> list[tuple[str, float, float, bool]]:
        """Figure, teacher, student, and whether the student is within its margin."""
        both = [name for name in MARGINS if name in self.teacher and name in self.student]
        return [(name, self.teacher[name], self.student[name], self._near(name)) for name in both]

    @property
    def accepted(self) -> bool:
        """Whether all figures are within their margins."""
        return all(near for *_, near in self.lines)

    @property
    def reasons(self) -> str:
        """The figures that are not."""
        return ", ".join(f"{name} {student:.3g} against {teacher:.3g} (margin {MARGINS[name]:g})"
                         for name, teacher, student, near in self.lines if not near)  # fmt: skip

    def _near(self, name: str) -> bool:
        return _fault(name, self.student[name]) <= _fault(name, self.teacher[name]) + MARGINS[name]


def compared(teacher: Run, student: Run, table: SpectraTable) -> Compared:
    """Judge both by the table's groups that the teacher has not seen, or by half of its own where there are no others.

    Parameters
    ----------
    teacher, student : Run
    table : SpectraTable
    """
    table = scaled(table, teacher.recipe)
    known = np.isin([group_hash(name) for name in table.group.tolist()], teacher.spec.group_sha256)
    unseen = len(np.unique(table.group[~known])) > 1
    train, real = (np.flatnonzero(known), np.flatnonzero(~known)) if unseen else group_folds(table.group, 2, 0)[0]
    sides = Side.of(table.rows(real)), Side.of(table.rows(train))
    n = min(max(len(real), FEWEST), MOST)
    found: list[Found] = []
    for generator in (of_run(teacher.walked(sampler="heun", evaluations=35)), of_run(student)):
        evidence = Evidence(generator.side(n, teacher.spec.seed, sides[0]), *sides, table.axis)
        found.append({name: value for name, value in measured(evidence)[0].items() if name in MARGINS})
    return Compared(found[0], found[1], unseen)


def _fault(name: str, value: float) -> float:
    """How far a figure is from its best value."""
    best = FIGURES[name].best
    return max(value - best, 0.0) if name in ONE_SIDED else abs(value - best)
