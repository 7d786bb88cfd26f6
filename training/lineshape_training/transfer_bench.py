"""How well does transfer do on what it has not seen? Our model and the baselines, on the same folds, in one run.

`random` holds out pairs, as the SpectroGen paper does: other specimens of the same mineral stay in the fit. `id` holds
out specimens, `mineral` whole minerals, which is what a user with an unknown mineral meets. Everything that is chosen
inside a fold is chosen on the fold's own fitting rows.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lineshape.files import write_atomically
from lineshape_training import fitting
from lineshape_training.baselines import BASELINES
from lineshape_training.preprocess import prepared
from lineshape_training.recipe import Recipe
from lineshape_training.results import Interval, bootstrapped
from lineshape_training.scores import pearson, rmse
from lineshape_training.spectra import Names, PairTable
from lineshape_training.splits import Rows, group_folds

Protocol: TypeAlias = Literal["random", "id", "mineral"]
Scores = dict[str, NDArray[Any]]  # "METHOD pearson", "METHOD rmse": one value for each pair

FOLDS = 10
OURS = "lineshape"


def units(table: PairTable, protocol: Protocol) -> Names:
    """What a protocol keeps on one side of a split."""
    if protocol == "random":
        return np.arange(len(table)).astype(str)
    return table.source.identity if protocol == "id" else table.group


def bench(recipe: Recipe, table: PairTable, protocol: Protocol, work: Path, seed: int = 0,
          progress: Callable[[int], object] = lambda folds: None) -> dict[str, Any]:  # fmt: skip
    """Measure one protocol; folds that are in `work` already are not fitted again.

    Returns
    -------
    dict
        Our metrics, the baselines' under ``baselines`` and our paired gain in correlation under ``gain_over``; each
        with its interval over minerals.
    """
    splits = group_folds(units(table, protocol), FOLDS, seed)
    rows = np.concatenate([held for _, held in splits])
    parts = []
    for number, (fitting_rows, held) in enumerate(splits):
        parts.append(_fold(recipe, table, fitting_rows, held, work / protocol / f"fold-{number}", seed))
        progress(1)
    scores = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    group = table.group[rows]
    metrics = {method: _metrics(scores, method, group) for method in (OURS, *BASELINES)}
    coverage = bootstrapped(_by_group(scores["covered"], group), np.unique(group), lambda x: float(x.mean()))
    gains = {name: _gain(scores, name, group) for name in BASELINES}
    return {**metrics.pop(OURS), "coverage_by_mineral": coverage, "gain_over": gains, "baselines": metrics,
            "pairs": len(rows), "minerals": len(np.unique(group))}  # fmt: skip


def _gain(scores: Scores, baseline: str, group: Names) -> Interval:
    """Mean of our correlation less the baseline's, pair by pair."""
    return bootstrapped(scores[f"{OURS} pearson"] - scores[f"{baseline} pearson"], group, lambda x: float(x.mean()))


def _by_group(values: NDArray[Any], group: Names) -> NDArray[Any]:
    """The mean of each group: the unit for which an interval promises its coverage."""
    return np.array([values[group == name].mean() for name in np.unique(group)])


def _metrics(scores: Scores, method: str, group: Names) -> dict[str, Interval]:
    correlations, errors = scores[f"{method} pearson"], scores[f"{method} rmse"]
    return {
        "pearson_mean": bootstrapped(correlations, group, lambda x: float(x.mean())),
        "pearson_median": bootstrapped(correlations, group, lambda x: float(np.median(x))),
        "rmse": bootstrapped(errors, group, lambda x: float(x.mean())),
    }


def _fold(recipe: Recipe, table: PairTable, fitting_rows: Rows, held: Rows, work: Path, seed: int) -> Scores:
    key = _key(recipe, table, fitting_rows, held, seed)
    cached = work / f"scores-{key}.npz"
    if cached.exists():
        with np.load(cached, allow_pickle=False) as file:
            return dict(file)
    known, asked = table.rows(fitting_rows), table.rows(held)
    run = fitting.fit(recipe, known, work / f"run-{key}", data="fold", data_sha256=key, seed=seed, resume=True)
    scores = _scores(recipe, run.network(), known, asked)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **scores)
    write_atomically(cached, content.getvalue())
    return scores


def _key(recipe: Recipe, table: PairTable, fitting_rows: Rows, held: Rows, seed: int) -> str:
    """What decides a fold's scores: recipe, spectra, rows, seed and the versions that compute them."""
    versions = [version(name) for name in ("lineshape", "torch", "numpy")]
    key = sha256(msgspec.json.encode((recipe, seed, fitting_rows.tolist(), held.tolist(), versions)))
    for side in (table.source, table.target):
        for array in (side.values, side.mask):
            key.update(array.tobytes())
    return key.hexdigest()[:12]


@torch.no_grad()
def _scores(recipe: Recipe, network: torch.nn.Module, known: PairTable, asked: PairTable) -> Scores:
    spectrum, lower, upper, _ = network(torch.from_numpy(asked.source.values), torch.from_numpy(asked.source.mask))
    truth, mask = _prepared(recipe, asked)[1], torch.from_numpy(asked.target.mask)
    inside = ((truth >= lower) & (truth <= upper)).float()
    covered = {"covered": ((inside * mask).sum(1) / mask.sum(1)).numpy()}
    return covered | judged(OURS, spectrum, truth, mask) | baseline_scores(recipe, known, asked)


def baseline_scores(recipe: Recipe, known: PairTable, asked: PairTable) -> Scores:
    """How every baseline, given the known pairs, does on the asked ones."""
    (sources, targets), (asked_sources, truth) = (_prepared(recipe, table) for table in (known, asked))
    mask, scores = torch.from_numpy(asked.target.mask), Scores()
    for name, baseline in BASELINES.items():
        scores |= judged(name, baseline(sources, targets, asked_sources), truth, mask)
    return scores


def judged(method: str, answer: Tensor, truth: Tensor, mask: Tensor) -> Scores:
    """Pearson correlation and RMSE of each answer, under the method's name."""
    return {
        f"{method} pearson": pearson(answer, truth, mask).numpy(),
        f"{method} rmse": rmse(answer, truth, mask).numpy(),
    }


def _prepared(recipe: Recipe, table: PairTable) -> tuple[Tensor, Tensor]:
    """Source and target in prepared intensities."""
    sides = {"source": table.source, "spectrum": table.target}
    source, target = (
        prepared(recipe.intensity_half.get(role, ()), torch.from_numpy(side.values), torch.from_numpy(side.mask))
        for role, side in sides.items()
    )
    return source, target
