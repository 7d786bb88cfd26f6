"""Do spectra of asked-for amounts help calibrations, and do they hold the amounts that were asked for?

Each repeat splits the groups anew. The generator is fitted to one part, with what it chooses by itself; calibrations
are fitted to that part alone, and to it with generated spectra, and both read the other part, which nothing has seen.
Partial least squares of the real part, its factors chosen inside it, also reads the generated spectra: the slope of
the amounts read on those asked for has its floor in the same slope of the unseen real spectra, for what a calibration
cannot read from real spectra it cannot read from generated ones either.

Calibrations are partial least squares, a random forest and gradient boosting on histograms of the intensities
(scikit-learn's, of the same kind as XGBoost and LightGBM, and no further dependency).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from jaxtyping import Float, Float64
from joblib import Parallel, delayed, parallel_config
from scipy.stats import t as student

from lineshape.errors import UsageError
from lineshape.files import write_atomically
from lineshape.results import Interval
from lineshape_training import fitting
from lineshape_training.drawing import RunSampler
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import Amounts, SpectraTable
from lineshape_training.splits import group_folds
from lineshape_training.study.cells import one_thread
from lineshape_training.study.probes import REGRESSORS
from lineshape_training.validation.generator import scaled
from lineshape_training.validation.metrics.analytes import Calibration, analyte_calibration, fitted

GENERATED = 1000
PARTS = 4  # of which one is unseen
PLS = "PLS"

Values: TypeAlias = Float[np.ndarray, "n L"]
Asked: TypeAlias = Float[np.ndarray, "m L"]
Reader: TypeAlias = Callable[
    [Values, Amounts, Asked], Float64[np.ndarray, " m"]
]  # spectra and amounts to fit, spectra to read


class Scores(msgspec.Struct, frozen=True):
    """How a calibration reads unseen spectra: RMSEP in the analyte's unit, and R2."""

    rmsep: float
    r2: float


class Answer(msgspec.Struct, frozen=True):
    """What a repeat found.

    Parameters
    ----------
    real, added : dict of str to Scores
        Of each calibration, without and with the generated spectra.
    generated, unseen : Calibration
        What partial least squares of the real part reads from generated and from unseen real spectra.
    minutes : float
        Of the fit.
    """

    real: dict[str, Scores]
    added: dict[str, Scores]
    generated: Calibration
    unseen: Calibration
    minutes: float


class Line(msgspec.Struct, frozen=True):
    """A figure with the real spectra only, with generated ones added, and how it changed, pairs of one repeat each."""

    real: Interval
    added: Interval
    change: Interval


class Study(msgspec.Struct, frozen=True):
    """All repeats of one recipe on one table.

    Parameters
    ----------
    rmsep, r2 : dict of str to Line
        Of each calibration.
    slope, read_rmse, read_r2 : dict of str to Interval
        Of the amounts read on those asked for or measured: ``generated``, ``unseen`` (the floor), ``difference``.
    minutes : float
        Of a fit, on one thread.
    """

    analyte: str
    repeats: int
    spectra: int
    generated: int
    rmsep: dict[str, Line]
    r2: dict[str, Line]
    slope: dict[str, Interval]
    read_rmse: dict[str, Interval]
    read_r2: dict[str, Interval]
    minutes: float


@dataclass(frozen=True, eq=False)
class Repeat:
    """What decides a repeat; its answer stands at `path`, its fit beside it."""

    recipe: Recipe
    train: SpectraTable
    test: SpectraTable
    seed: int
    path: Path


def bench(recipe: Recipe, table: SpectraTable, repeats: int, work: Path, seed: int = 0, jobs: int = 1,
          progress: Callable[[int], object] = lambda repeats: None) -> Study:  # fmt: skip
    """Compute the repeats that are not in `work` yet, `jobs` at a time, and sum all of them up.

    Parameters
    ----------
    recipe : Recipe
        Told the amounts of one analyte or more; the first is judged.
    table : SpectraTable
        On the recipe's grid; spectra without an amount are for the generator alone.

    Raises
    ------
    UsageError
        If the recipe names no analyte, or there are fewer than two repeats.
    """
    if not recipe.data.analytes or repeats < 2:
        raise UsageError(f"recipe {recipe.name}: needs [data] analytes, and 2 repeats or more")
    cells = [_repeat(recipe, table, work, seed, number) for number in range(repeats)]
    missing = [cell for cell in cells if not cell.path.exists()]
    progress(len(cells) - len(missing))
    with parallel_config(backend="loky", inner_max_num_threads=1):
        for _ in Parallel(jobs, return_as="generator_unordered")(delayed(compute)(cell) for cell in missing):
            progress(1)
    answers = [msgspec.json.decode(cell.path.read_bytes(), type=Answer) for cell in cells]
    return _summed(recipe.data.analytes[0], len(table), answers)


def compute(cell: Repeat) -> None:
    """Fit, draw, calibrate and read; the answer is written last."""
    with one_thread():
        answer = _answer(cell)
    write_atomically(cell.path, msgspec.json.encode(answer))


def over_repeats(values: Sequence[float]) -> Interval:
    """The mean over repeats with its 95 % interval.

    Repeats share spectra, so their variance alone would make it too narrow: Nadeau and Bengio's (2003) corrected t
    takes s^2 (1 / J + unseen / fitted) for the variance of the mean of J repeats.
    """
    deviation = float(np.std(values, ddof=1)) * (1 / len(values) + 1 / (PARTS - 1)) ** 0.5
    mean, half = float(np.mean(values)), float(student.ppf(0.975, len(values) - 1)) * deviation
    return Interval(*(float(f"{x:.4g}") for x in (mean, mean - half, mean + half)))


def as_text(study: Study) -> str:
    """The study as lines of text."""
    lines = [
        f"{name:<18} {figure:<5} {_said(line.real)} real, {_said(line.added)} with {study.generated} generated: "
        f"change {_said(line.change)}"
        for figure, of in (("RMSEP", study.rmsep), ("R2", study.r2)) for name, line in of.items()
    ]  # fmt: skip
    for figure, found in (("slope", study.slope), ("RMSE", study.read_rmse), ("R2", study.read_r2)):
        lines.append(f"{'read back':<18} {figure:<5} {_said(found['generated'])} generated, "
                     f"{_said(found['unseen'])} unseen real: difference {_said(found['difference'])}")  # fmt: skip
    return "\n".join(lines)


def _said(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _repeat(recipe: Recipe, table: SpectraTable, work: Path, seed: int, number: int) -> Repeat:
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    train, test = group_folds(table.group, PARTS, own)[0]
    decides = msgspec.structs.replace(recipe, about="", minutes=None)
    amounts = table.analytes[recipe.data.analytes[0]]
    key = sha256(msgspec.json.encode((decides, train.tolist(), own, GENERATED)))
    key.update(np.ascontiguousarray(table.values).tobytes() + amounts.tobytes())
    path = work / f"{recipe.name}-{number}-{key.hexdigest()[:12]}.json"
    return Repeat(recipe, table.rows(train), table.rows(test), own, path)


def _answer(cell: Repeat) -> Answer:
    run = fitting.fit(cell.recipe, cell.train, cell.path.with_suffix(".fit"), data="repeat", data_sha256="repeat",
                      seed=cell.seed, resume=True)  # fmt: skip
    sampler, analyte = RunSampler(run), cell.recipe.data.analytes[0]
    asked = sampler.amounts(GENERATED, cell.seed)
    drawn = sampler.draw(GENERATED, cell.seed, amounts=asked).astype(np.float64)
    train, test = (_known(scaled(table, cell.recipe), analyte) for table in (cell.train, cell.test))
    X, y = train.values.astype(np.float64), train.analytes[analyte]
    X_test, y_test = test.values.astype(np.float64), test.analytes[analyte]
    generated = analyte_calibration(drawn, asked[:, 0], X, y, train.group)
    unseen = analyte_calibration(X_test, y_test, X, y, train.group)
    mixed, amounts = np.concatenate([X, drawn]), np.concatenate([y, asked[:, 0]])
    readers = _readers(unseen.factors, cell.seed)
    real = {name: _scores(read(X, y, X_test), y_test) for name, read in readers.items()}
    added = {name: _scores(read(mixed, amounts, X_test), y_test) for name, read in readers.items()}
    return Answer(real, added, generated, unseen, run.fitted.seconds / 60)


def _known(table: SpectraTable, analyte: str) -> SpectraTable:
    return table.rows(np.flatnonzero(np.isfinite(table.analytes[analyte])))


def _readers(factors: int, seed: int) -> dict[str, Reader]:
    """The calibrations. Partial least squares has the factors chosen on real spectra in both arms, which thus differ by
    their spectra alone; generated spectra of the held-out groups' fit could not tell how many to take."""
    others = {name: partial(_read, name, seed) for name in REGRESSORS if name != PLS}
    return {PLS: lambda X, y, asked: fitted(X, y, factors).predict(asked)[-1], **others}


def _read(name: str, seed: int, X: Values, y: Amounts, asked: Asked) -> Float64[np.ndarray, " m"]:
    return np.asarray(REGRESSORS[name](seed).fit(X, y).predict(asked), np.float64)


def _scores(read: Amounts, truth: Amounts) -> Scores:
    squares = float(np.mean((read - truth) ** 2))
    return Scores(squares**0.5, 1 - squares / float(truth.var()))


def _summed(analyte: str, spectra: int, answers: list[Answer]) -> Study:
    def line(figure: str, name: str) -> Line:
        real, added = ([getattr(getattr(answer, arm)[name], figure) for answer in answers] for arm in ("real", "added"))
        return Line(*map(over_repeats, (real, added, np.subtract(added, real).tolist())))

    def read(figure: str) -> dict[str, Interval]:
        found = {side: [float(getattr(getattr(answer, side), figure)) for answer in answers]
                 for side in ("generated", "unseen")}  # fmt: skip
        found["difference"] = np.subtract(found["generated"], found["unseen"]).tolist()
        return {side: over_repeats(values) for side, values in found.items()}

    rmsep, r2 = ({name: line(figure, name) for name in answers[0].real} for figure in ("rmsep", "r2"))
    slope, read_rmse, read_r2 = (read(figure) for figure in ("slope", "rmse", "r2"))
    minutes = float(np.mean([answer.minutes for answer in answers]))
    return Study(analyte, len(answers), spectra, GENERATED, rmsep, r2, slope, read_rmse, read_r2, minutes)
