"""Is a student as good as its teacher? Both draw as many spectra, and both are held against the same real ones."""

from __future__ import annotations

import msgspec
import numpy as np

from lineshape_training.distilling.pairs import EVALUATIONS
from lineshape_training.run import Run, group_hash
from lineshape_training.spectra import SpectraTable
from lineshape_training.splits import group_folds
from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.generator import of_run, scaled
from lineshape_training.validation.measures import FIGURES, Found, measured

# How much farther from real spectra a student may be than its teacher.
MARGINS = {
    "MMD": 0.005,
    "two-sample AUC": 0.05,
    "class agreement": 0.05,
    "chimeras": 0.05,
    "distance ratio": 0.2,
    "high-frequency power": 0.15,
}
BY_REAL = ("class agreement", "chimeras")  # classes that overlap are not agreed on in real spectra either
ONE_SIDED = ("MMD", "two-sample AUC")  # below the best value is chance, not a fault
FEWEST, MOST = 500, 1000  # spectra that each draws


class Figure(msgspec.Struct, frozen=True):
    """One figure of teacher and student.

    Parameters
    ----------
    name : str
    teacher, student : float
    goal : float
        Of real spectra of other groups, or the best that there is.
    margin : float
        By which the student may be farther from the goal than its teacher.
    """

    name: str
    teacher: float
    student: float
    goal: float
    margin: float

    @property
    def near(self) -> bool:
        """Whether the student is within the margin."""
        return self._fault(self.student) <= self._fault(self.teacher) + self.margin

    def _fault(self, value: float) -> float:
        off = value - self.goal
        return max(off, 0.0) if self.name in ONE_SIDED else abs(off)


class Compared(msgspec.Struct, frozen=True):
    """Figures of teacher and student beside the margins.

    Parameters
    ----------
    figures : tuple of Figure
    unseen : bool
        Whether the real spectra are of groups that the teacher has not seen; else of half of those that it has.
    """

    figures: tuple[Figure, ...]
    unseen: bool

    @property
    def accepted(self) -> bool:
        """Whether all figures are within their margins."""
        return all(figure.near for figure in self.figures)

    @property
    def reasons(self) -> str:
        """The figures that are not."""
        return ", ".join(f"{one.name} {one.student:.3g} against {one.teacher:.3g} (goal {one.goal:.3g}, margin "
                         f"{one.margin:g})" for one in self.figures if not one.near)  # fmt: skip


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
    drawn = [of_run(run).side(n, teacher.spec.seed, sides[0]) for run in (_at_its_best(teacher), student)]
    evidence = [Evidence(side, *sides, table.axis) for side in drawn]
    found = [measured(one)[0] for one in evidence]
    return Compared(_figures(found[0], found[1], measured(evidence[0].halves())[0]), unseen)


def _at_its_best(teacher: Run) -> Run:
    """As it drew the pairs."""
    return teacher.walked(sampler="heun", evaluations=EVALUATIONS)


def _figures(teacher: Found, student: Found, real: Found) -> tuple[Figure, ...]:
    goals = {name: real.get(name, FIGURES[name].best) if name in BY_REAL else FIGURES[name].best for name in MARGINS}
    both = [name for name in MARGINS if name in teacher and name in student]
    return tuple(Figure(name, teacher[name], student[name], goals[name], MARGINS[name]) for name in both)
