"""One cell of a study: one method on one split, with every arm and every probe. Cells do not know of each other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lineshape.errors import DataError, LineshapeError
from lineshape.files import write_atomically
from lineshape.npz import read_npz
from lineshape_training.minerals.streams import stream
from lineshape_training.recipe import Recipe
from lineshape_training.resampling import ADASYN, SMOTE, ClassicalAugmentation, SpectralSampler, SpectralSMOTE
from lineshape_training.resampling.generative import RecipeSampler
from lineshape_training.study.arms import AUGMENTED, BALANCED, DECIDING, GENERATED, REAL, Arm, Pool, mixed
from lineshape_training.study.probes import probes
from lineshape_training.study.protocols import Split

REFUSED = "refused"  # the array of a cell that could not be computed; it holds the reason
NONE = "none"  # the method that adds nothing: real only

AUGMENTATIONS: dict[str, Callable[[int], SpectralSampler]] = {
    "classical": lambda seed: ClassicalAugmentation(random_state=seed),
    "smote": lambda seed: SMOTE(random_state=seed),
    "adasyn": lambda seed: ADASYN(random_state=seed),
    "spectral-smote": lambda seed: SpectralSMOTE(random_state=seed),
}


@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be predicted from spectra.

    Parameters
    ----------
    X : float32 [n, L]
        Preprocessed.
    y : str [n] or float64 [n]
        Classes, or amounts of an analyte.
    group : str [n]
    """

    X: Float[np.ndarray, "n L"]
    y: Shaped[np.ndarray, " n"]
    group: Shaped[np.ndarray, " n"]

    @property
    def truth(self) -> NDArray[np.int64] | NDArray[np.float64]:
        """Index of the class among the sorted ones, or the amount, of every spectrum."""
        return self.y if self.classes is None else np.searchsorted(self.classes, self.y)

    @property
    def classes(self) -> NDArray[Any] | None:
        """The sorted classes; None for amounts."""
        return None if self.y.dtype.kind == "f" else np.unique(self.y)


@dataclass(frozen=True)
class Cell:
    """What decides a cell.

    Parameters
    ----------
    split : Split
    method : str
        `NONE`, one of `AUGMENTATIONS`, or the name of a recipe.
    recipe : Recipe or None
        What that name stands for.
    probes : tuple of str
    whole : bool
        All arms of the method, or only the one that decides.
    seed : int
    path : Path
        Where its predictions stand, once computed.
    """

    split: Split
    method: str
    recipe: Recipe | None
    probes: tuple[str, ...]
    whole: bool
    seed: int
    path: Path

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The mixtures of this cell."""
        if self.method == NONE:
            return (REAL,)
        if not self.whole:
            return (BALANCED,) if self.split.balances else (DECIDING,)
        return AUGMENTED if self.method in AUGMENTATIONS else GENERATED


def compute(cell: Cell, problem: Problem) -> None:
    """Predict the held-out rows by every arm and probe, and write the answers [m, K]; the file is all or nothing."""
    try:
        with one_thread():
            answers = dict(_answers(cell, problem))
    except LineshapeError as error:  # a class too small for the method is a result, not the end of the study
        answers = {REFUSED: np.array(str(error))}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **answers)
    write_atomically(cell.path, content.getvalue())


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order, so that a cell does not depend on the cores of the machine, nor on who else computes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)


def computed(cell: Cell) -> dict[str, NDArray[Any]]:
    """The answers of a cell by "ARM|PROBE"."""
    return read_npz(cell.path.read_bytes(), str(cell.path))


def _answers(cell: Cell, problem: Problem) -> list[tuple[str, NDArray[np.float64]]]:
    rows, held = cell.split.fitting, problem.X[cell.split.held]
    X, y = problem.X[rows], problem.y[rows]
    if problem.classes is not None and len(np.unique(y)) < 2:
        raise DataError(f"all spectra to fit on are of class {y[0]}; nothing can be told apart")
    pool = _pool(cell, problem) if cell.method != NONE else None
    asked, answers = probes(problem.classes is not None, cell.probes), []
    for arm in cell.arms:
        spectra, targets = mixed(arm, X, y, pool, _stream(cell, arm.name))
        for name, probe in asked.items():
            fitted = probe(int(_stream(cell, name).integers(2**31))).fit(spectra, targets)
            answers.append((f"{arm.name}|{name}", predicted(fitted, held, problem.classes)))
    return answers


def _pool(cell: Cell, problem: Problem) -> Pool:
    rows = cell.split.fitting
    sampler = sampler_of(cell)
    sampler.fit(problem.X[rows], problem.y[rows], groups=problem.group[rows])
    return Pool(sampler, problem.y[rows], cell.arms)


def sampler_of(cell: Cell) -> SpectralSampler:
    """The sampler of a cell's method."""
    if cell.recipe is None:
        return AUGMENTATIONS[cell.method](cell.seed)
    return RecipeSampler(cell.recipe, random_state=cell.seed, work=cell.path.with_suffix(".fits"))


def predicted(fitted: Any, X: NDArray[Any], classes: NDArray[Any] | None) -> NDArray[np.float64]:  # noqa: ANN401
    """Scores of all classes [m, K], 0 for those that the probe never saw; or amounts [m, 1]."""
    if classes is None:
        return np.asarray(fitted.predict(X), np.float64).reshape(-1, 1)
    scores = np.zeros((len(X), len(classes)))
    scores[:, np.searchsorted(classes, fitted.classes_)] = fitted.predict_proba(X)
    return scores


def _stream(cell: Cell, purpose: str) -> np.random.Generator:
    """Random numbers of a cell; a probe's do not depend on the arm, so that arms differ by their spectra alone."""
    return stream(cell.seed, "study", cell.split.protocol, cell.split.number, purpose)
