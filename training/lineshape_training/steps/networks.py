"""The fits of one seed, made once and kept; the student waits for its teacher."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lineshape.files import write_atomically
from lineshape_training import fitting
from lineshape_training.distilling.distilling import PAIRS, STEPS, taught
from lineshape_training.recipe import Recipe
from lineshape_training.run import Run
from lineshape_training.spectra import SpectraTable


class Lesson(msgspec.Struct, frozen=True):
    """What a student learns from: pairs of noise and the teacher's spectrum, for so many steps."""

    pairs: int = PAIRS
    steps: int = STEPS


LESSON = Lesson()


@dataclass(frozen=True, eq=False)
class Network:
    """What decides a fit.

    Parameters
    ----------
    recipe : Recipe
        Of the family; for a student its teacher's.
    train : SpectraTable
        Measured spectra with their classes.
    seed : int
    folder : Path
        Of the run.
    teacher : Network, optional
        Of a student.
    lesson : Lesson
        Of a student.
    """

    recipe: Recipe
    train: SpectraTable
    seed: int
    folder: Path
    teacher: Network | None = None
    lesson: Lesson = LESSON

    def fitted(self) -> Run:
        """The run, fitted or distilled if it is not there yet.

        Raises
        ------
        FitError
            If the loss diverges, or the samples have collapsed.
        """
        if self.teacher is None:
            return fitting.fit(self.recipe, self.train, self.folder, data="fold", data_sha256="fold", seed=self.seed,
                               resume=True)  # fmt: skip
        if not self._clock.exists():
            self._teach(self.teacher.fitted())
        return Run(self.folder)

    @property
    def minutes(self) -> float:
        """Of the fit, for a student with its teacher's and with the pairs."""
        if self.teacher is None:
            return Run(self.folder).fitted.seconds / 60
        return self.teacher.minutes + float(self._clock.read_text()) / 60

    @property
    def _clock(self) -> Path:
        """Seconds of processor time that the distillation took; a run counts its steps, and not the pairs."""
        return self.folder.with_suffix(".seconds")

    def _teach(self, teacher: Run) -> None:
        started = time.process_time()
        taught(teacher, self.train, self.folder, pairs=self.lesson.pairs, steps=self.lesson.steps, seed=self.seed,
               resume=True)  # fmt: skip
        write_atomically(self._clock, f"{time.process_time() - started:.1f}".encode())
