"""One cell: the fit of one fold and what it says of the pairs that were held out, computed once and kept."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
import torch
from jaxtyping import Float32, Int
from joblib import Parallel, delayed, parallel_config
from numpy.typing import NDArray

from lineshape.files import write_atomically
from lineshape.npz import read_npz
from lineshape_training import fitting
from lineshape_training.preprocess import prepared, tensor_of
from lineshape_training.recipe import Recipe
from lineshape_training.spectra import PairTable, SpectraTable
from lineshape_training.splits import Rows
from lineshape_training.study.cells import one_thread
from lineshape_training.transfer import baselines
from lineshape_training.transfer.protocols import FOLDS, Protocol, folds

Spectra: TypeAlias = Float32[np.ndarray, "m L"]
Numbers: TypeAlias = Float32[np.ndarray, " m"]

BATCH = 256  # pairs at a time


@dataclass(frozen=True, eq=False)
class Answers:
    """What the fits of one repeat, and the baselines, say of every pair, each from a fold that held the pair out.

    Parameters
    ----------
    rows : int [m]
        Of the table, ascending: every pair once.
    spectrum, lower, upper : float32 [m, L]
        In prepared intensities, as the truth of `truth`.
    familiarity : float32 [m]
    fold : int [m]
        That held the pair out.
    cosine : float32 [m]
        Similarity of the source with the nearest one of the fit.
    baselines : mapping of name to float32 [m, L]
    seconds : float
        Of a fit on one thread, mean.
    parameters : int
    """

    rows: Rows
    spectrum: Spectra
    lower: Spectra
    upper: Spectra
    familiarity: Numbers
    fold: Int[np.ndarray, " m"]
    cosine: Numbers
    baselines: Mapping[str, Spectra]
    seconds: float
    parameters: int


@dataclass(frozen=True, eq=False)
class Cell:
    """What decides a cell; its answer stands at `path`, its fit beside it."""

    recipe: Recipe
    known: PairTable
    asked: SpectraTable
    seed: int
    path: Path


def answers(recipe: Recipe, table: PairTable, protocol: Protocol, repeat: int, work: Path, jobs: int = 1,
            progress: Callable[[int], object] = lambda cells: None, seed: int = 0,
            number: int = FOLDS) -> Answers:  # fmt: skip
    """Fit the folds that are not in `work` yet, `jobs` at a time, and join what all of them say.

    Parameters
    ----------
    recipe : Recipe
    table : PairTable
        On the recipe's grids.
    protocol : Protocol
    repeat : int
        Counted from 0; each splits and fits under a seed of its own.
    work : Path
        Of fits and cells; an interrupted fit goes on where it was.
    jobs : int
        Processes, each on one thread.
    progress : callable
        Called with the number of folds done since the last call.
    seed, number : int
        Of the first repeat, and of folds.

    Raises
    ------
    DataError
        If there are fewer units than folds, or a fold leaves too few pairs to be fitted.
    FitError
        If a fit diverges.
    """
    splits = folds(table, protocol, repeat, seed, number)
    cells = [
        cell_of(recipe, table, *split, seed + repeat, work, f"{repeat}-{fold}") for fold, split in enumerate(splits)
    ]
    missing = [cell for cell in cells if not cell.path.exists()]
    progress(len(cells) - len(missing))
    with parallel_config(backend="loky", inner_max_num_threads=1):
        for _ in Parallel(jobs, return_as="generator_unordered")(delayed(compute)(cell) for cell in missing):
            progress(1)
    return _joined(recipe, table, splits, [read_npz(cell.path.read_bytes(), str(cell.path)) for cell in cells])


def compute(cell: Cell) -> None:
    """Fit and answer; the file is written last."""
    with one_thread():
        found = _computed(cell)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **found)
    write_atomically(cell.path, content.getvalue())


def truth(recipe: Recipe, table: PairTable) -> Float32[np.ndarray, "n L"]:
    """The measured targets in prepared intensities; 0 where not measured."""
    values, mask = tensor_of(table.target.values), tensor_of(table.target.mask)
    spectra: Float32[np.ndarray, "n L"] = prepared(recipe.intensity_half.get("spectrum", ()), values, mask).numpy()
    return spectra


def cell_of(recipe: Recipe, table: PairTable, known: Rows, asked: Rows, seed: int, work: Path, name: str) -> Cell:
    """The cell of a fold, in a file whose name begins with `name`."""
    fitted, held = table.rows(known), table.rows(asked).source
    return Cell(recipe, fitted, held, seed, work / f"{name}-{_key(recipe, fitted, held, seed)}.npz")


@torch.no_grad()
def _asked(network: torch.nn.Module, asked: SpectraTable) -> list[NDArray[np.float32]]:
    batches = [slice(start, start + BATCH) for start in range(0, len(asked), BATCH)]
    found = [network(tensor_of(asked.values[rows]), tensor_of(asked.mask[rows])) for rows in batches]
    return [torch.cat(part).float().numpy() for part in zip(*found, strict=True)]


def _computed(cell: Cell) -> dict[str, Any]:
    run = fitting.fit(cell.recipe, cell.known, cell.path.with_suffix(".fit"), data="fold", data_sha256="fold",
                      seed=cell.seed, resume=True)  # fmt: skip
    spectrum, lower, upper, familiarity = _asked(run.network(), cell.asked)
    return {"spectrum": spectrum, "lower": lower, "upper": upper, "familiarity": familiarity.reshape(-1),
            "seconds": run.fitted.seconds, "parameters": run.fitted.parameters}  # fmt: skip


def _key(recipe: Recipe, known: PairTable, asked: SpectraTable, seed: int) -> str:
    """What decides a cell: the recipe but for what it says about itself, the spectra, the seed, and the versions."""
    decides = msgspec.structs.replace(recipe, about="", minutes=None)
    versions = [version(name) for name in ("lineshape", "torch", "numpy")]
    key = sha256(msgspec.json.encode((decides, seed, versions)))
    sides = {field.name: getattr(known, field.name) for field in dataclasses.fields(known)} | {"asked": asked}
    for name, side in sides.items():
        if isinstance(side, SpectraTable):  # source, target, and unpaired spectra where there are any
            names = [column.tolist() for column in (side.group, side.identity, side.labels)]
            key.update(msgspec.json.encode((name, names, sorted(side.analytes))))
            for array in (side.values, side.mask, *(side.analytes[name] for name in sorted(side.analytes))):
                key.update(np.ascontiguousarray(array).tobytes())
    return key.hexdigest()[:12]


def _joined(recipe: Recipe, table: PairTable, splits: list[tuple[Rows, Rows]], cells: list[dict[str, Any]]) -> Answers:
    """All folds in the table's order; the baselines are computed here, for they take less time than to be read."""
    spectra = baselines.Spectra.of(recipe, table)
    parts = [baselines.answers(spectra, *split) for split in splits]
    nearest = [baselines.cosines(spectra.plain[known], spectra.plain[asked]).max(axis=1) for known, asked in splits]
    order = np.argsort(np.concatenate([asked for _, asked in splits]))

    def ordered(columns: list[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate(columns)[order]

    spectrum, lower, upper, familiarity = (
        ordered([cell[name] for cell in cells]) for name in ("spectrum", "lower", "upper", "familiarity")
    )
    fold = ordered([np.full(len(asked), number) for number, (_, asked) in enumerate(splits)])
    return Answers(
        np.arange(len(table)), spectrum, lower, upper, familiarity, fold, ordered(nearest).astype(np.float32),
        {name: ordered([part[name] for part in parts]) for name in parts[0]},
        float(np.mean([cell["seconds"] for cell in cells])), int(cells[0]["parameters"]),
    )  # fmt: skip
