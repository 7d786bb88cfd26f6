"""A fitted generator as validation sees it: what it was fitted on, by its own record, and what it draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, cast

import msgspec
import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray

from lineshape.errors import DataError, UnsupportedBundle
from lineshape_edge import Model, sample
from lineshape_training.drawing import RunSampler
from lineshape_training.loading import load_table
from lineshape_training.preprocess import prepared, tensor_of
from lineshape_training.recipe import Recipe
from lineshape_training.resampling.draws import largest_remainder
from lineshape_training.run import Run, RunSpec, group_hash
from lineshape_training.spectra import Amounts, SpectraTable
from lineshape_training.validation.evidence import Evidence, Side
from lineshape_training.validation.judgement import Judgement, judge, leaks

Draw: TypeAlias = Callable[[int, int, str | None], NDArray[np.float32]]  # number, seed and class to spectra [n, L]


@dataclass(frozen=True)
class Generator:
    """A generator with its record.

    Parameters
    ----------
    recipe : Recipe
    fitted_on : tuple of str
        Hashes of the groups of the fit.
    seed : int
        Of the fit, which also made the spectra of the embedded library.
    classes : tuple of str
        That it draws, where it is conditional.
    draw : callable
    amounts : callable or None
        Number and seed to the amounts of the analyte that `draw` asks for with them; None where there is none.
    """

    recipe: Recipe
    fitted_on: tuple[str, ...]
    seed: int
    classes: tuple[str, ...]
    draw: Draw
    amounts: Callable[[int, int], Amounts] | None = None

    def side(self, n: int, seed: int, like: Side) -> Side:
        """About n synthetic spectra, of the classes of `like` in their proportions where the generator knows them."""
        if not self.classes:
            return replace(Side.synthetic(self.draw(n, seed, None)), amount=self._asked([(n, seed)]))
        names, sizes = np.unique(like.label[np.isin(like.label, self.classes)], return_counts=True)
        counts = dict(zip(names.tolist(), largest_remainder(sizes, n).tolist(), strict=True))
        # A seed for each class: under one seed sample i of every class would be made of the same noise.
        drawn = [self.draw(count, seed + k, name) for k, (name, count) in enumerate(counts.items()) if count]
        side = Side.synthetic(np.concatenate(drawn), np.repeat(names, list(counts.values())))
        return replace(side, amount=self._asked([(count, seed + k) for k, count in enumerate(counts.values())]))

    def _asked(self, parts: list[tuple[int, int]]) -> Amounts | None:
        """The amounts of parts of so many spectra of a seed each."""
        if self.amounts is None:
            return None
        return np.concatenate([self.amounts(count, seed) for count, seed in parts if count])


class _Provenance(msgspec.Struct, frozen=True):
    run: RunSpec


def open_generator(path: Path) -> Generator:
    """A run's folder or a bundle.

    Raises
    ------
    UnsupportedBundle
        If it does not draw spectra, or does not say what it was fitted on.
    DataError
        If the run has not ended.
    """
    if (path / "run.json").exists():
        return of_run(Run(path))
    model = Model.open(path)
    model.require("sample")
    try:
        record = msgspec.json.decode(model.bundle.read("provenance.json"), type=_Provenance)
    except (KeyError, msgspec.MsgspecError) as error:
        raise UnsupportedBundle(f"{path}: its provenance does not say what it was fitted on ({error})") from None
    draw: Draw = lambda n, seed, label: sample(model, n, seed, label=label)  # noqa: E731
    return Generator(record.run.recipe, record.run.group_sha256, record.run.seed, model.manifest.classes, draw)


def of_run(run: Run) -> Generator:
    """A run that has ended."""
    sampler = RunSampler(run)
    first: Callable[[int, int], Amounts] = lambda n, seed: sampler.amounts(n, seed)[:, 0]  # noqa: E731
    return Generator(run.recipe, run.spec.group_sha256, run.spec.seed, sampler.classes, sampler.draw,
                     first if sampler.analytes else None)  # fmt: skip


def validated(generator: Generator, data: str, n: int | None, seed: int) -> tuple[Judgement, Evidence | None]:
    """Judge a generator by the groups of a data set that it was not fitted on.

    Parameters
    ----------
    generator : Generator
    data : str
        The data of the fit and of the groups that were held out, as for `load_table`.
    n : int or None
        Spectra to draw; by default as many as there are unseen real ones.
    seed : int

    Returns
    -------
    Judgement, and Evidence unless every group was fitted on: then the leak is the verdict.

    Raises
    ------
    DataError
        If none of the groups that were fitted on is there: copies could not be found.
    """
    table = scaled(cast(SpectraTable, load_table(data, generator.recipe, generator.seed)), generator.recipe)
    if generator.classes:
        table = table.rows(np.flatnonzero(np.isin(table.labels, generator.classes)))
    else:
        table = replace(table, label=None)
    known = np.isin([group_hash(name) for name in table.group.tolist()], generator.fitted_on)
    if known.all():
        return _nothing_left(table, generator), None
    if not known.any():
        raise DataError(f"{data}: none of the groups that the generator was fitted on is there, so copies of them "
                        "could not be found; give the data of the fit together with what was held out")  # fmt: skip
    train, real = table.rows(np.flatnonzero(known)), table.rows(np.flatnonzero(~known))
    drawn = generator.side(n or len(real), seed, Side.of(real))
    evidence = Evidence(drawn, Side.of(real), Side.of(train), table.axis)
    return judge(evidence, generator.fitted_on), evidence


def scaled(table: SpectraTable, recipe: Recipe) -> SpectraTable:
    """Wholly measured spectra in the relative intensities that samples have."""
    table = table.rows(np.flatnonzero(table.mask.all(axis=1)))
    steps = [step for step in recipe.intensity_half.get("spectrum", ()) if not step.pointwise]
    measured = (tensor_of(part) for part in (table.values, table.mask))
    values: Float32[np.ndarray, "n L"] = prepared(steps, *measured).numpy()
    return replace(table, values=values)


def _nothing_left(table: SpectraTable, generator: Generator) -> Judgement:
    reasons = (*leaks(table.group, generator.fitted_on), "nothing is left to judge it by")
    counts = {"real": 0, "train": len(table), "train groups": len(np.unique(table.group))}
    return Judgement("fail", reasons, (), {}, counts, ())
