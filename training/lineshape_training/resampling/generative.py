"""Generators as samplers: fitted here, inside each fold, or fitted before and sealed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np
from jaxtyping import Float, Shaped
from numpy.random import Generator
from numpy.typing import NDArray

from lineshape.axis import SpectralAxis
from lineshape.bundle import AxisSpec
from lineshape.errors import DataError, UsageError
from lineshape_edge import Model, sample
from lineshape_training import recipe
from lineshape_training.drawing import RunSampler
from lineshape_training.families import family_of
from lineshape_training.recipe import Recipe
from lineshape_training.resampling.draws import Drawn
from lineshape_training.resampling.sampler import Ratio, SpectralSampler
from lineshape_training.spectra import SpectraTable

Source: TypeAlias = Model | Path | str
MOST_SEED = 2**53  # that travels as JSON


class GenerativeSampler(SpectralSampler):
    """Samples of a sealed bundle in the place of interpolated ones.

    A bundle was fitted before and elsewhere: whether it has seen the spectra that you will judge by is for you to know,
    or for `lineshape validate` to find in its provenance. Inside a cross-validation use `RecipeSampler`, which is
    fitted in each fold.

    Parameters
    ----------
    source : path of a bundle, Model, or mapping of class to one of them
        A bundle with classes knows the label; bundles without classes are given one for each class.
    ratio, random_state
        See `SpectralSampler`.
    """

    def __init__(self, source: Source | Mapping[Any, Source], ratio: Ratio = 1.0, random_state: int = 0) -> None:
        super().__init__(ratio, random_state)
        self.source = source

    def _fit(
        self, X: Float[np.ndarray, "n L"], y: Shaped[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"] | None
    ) -> None:
        if self.classes_ is None:
            raise UsageError("a bundle draws spectra of classes; resampling of an analyte needs one conditioned on it")
        self.models_ = {label: _model(self.source, label) for label in self.classes_.tolist()}
        for label, model in self.models_.items():
            points = len(model.manifest.axis("spectrum"))
            if points != X.shape[1]:
                raise DataError(f"bundle {model.manifest.name} draws spectra of {points} points for class {label!r}, "
                                f"and those of the fit have {X.shape[1]}; bring them onto its grid")  # fmt: skip

    def _draw(self, label: Any, n: int, rng: Generator) -> Drawn:  # noqa: ANN401
        model = self.models_[label]
        name = str(label) if model.manifest.classes else None
        return sample(model, n, int(rng.integers(MOST_SEED)), label=name), None


def _model(source: Source | Mapping[Any, Source], label: Any) -> Model:  # noqa: ANN401
    if isinstance(source, Mapping):
        if label not in source:
            raise UsageError(f"no bundle was given for class {label!r}")
        return _opened(source[label])
    model = _opened(source)
    if not model.manifest.classes:
        raise UsageError(f"bundle {model.manifest.name} has no classes; give a bundle for each class as a mapping")
    return model


def _opened(source: Source) -> Model:
    return source if isinstance(source, Model) else Model.open(source)


class RecipeSampler(SpectralSampler):
    """A generator that is fitted to what it is given: one network for each class, or a conditional one for them all.

    Parameters
    ----------
    recipe : str or Recipe
        Of a family that samples. Its grid is replaced by that of X, and it makes no more folds than there are groups.
    ratio, random_state
        See `SpectralSampler`.
    work : path, optional
        Folder for the fits, which are resumed from there, each by its data; by default they are thrown away.
    """

    def __init__(self, recipe: str | Recipe, ratio: Ratio = 1.0, random_state: int = 0,
                 work: Path | str | None = None) -> None:  # fmt: skip
        super().__init__(ratio, random_state)
        self.recipe, self.work = recipe, work

    def _fit(
        self, X: Float[np.ndarray, "n L"], y: Shaped[np.ndarray, " n"], groups: Shaped[np.ndarray, " n"] | None
    ) -> None:
        if self.classes_ is None:
            raise UsageError("recipes draw spectra of classes; none is conditioned on an analyte yet")
        plan = recipe.load(self.recipe) if isinstance(self.recipe, str) else self.recipe
        if (task := family_of(plan.family).task) != "sample":
            raise UsageError(f"recipe {plan.name} is of a family for {task}; only one for sample draws spectra")
        table = _table(X, np.arange(len(X)).astype(str) if groups is None else groups.astype(str), y.astype(str))
        with tempfile.TemporaryDirectory() as thrown_away:
            fit = partial(_fitted, plan, work=Path(self.work or thrown_away), seed=self.random_state)
            if family_of(plan.family).conditional:
                self.samplers_ = dict.fromkeys(self.classes_.tolist(), fit(table))
            else:
                self.samplers_ = {label: fit(table.rows(rows)) for label, rows in self._members(y)}

    def _draw(self, label: Any, n: int, rng: Generator) -> Drawn:  # noqa: ANN401
        return self.samplers_[label].draw(n, int(rng.integers(MOST_SEED)), str(label)), None


def _fitted(plan: Recipe, table: SpectraTable, work: Path, seed: int) -> RunSampler:
    """A network fitted to these spectra, as a sampler over seeds."""
    from lineshape_training import fitting  # Lightning takes longer to import than everything else here

    units = len(np.unique(table.group))
    if units < 2:
        raise DataError(f"recipe {plan.name} holds groups out to choose its steps; class {str(table.labels[0])!r} has "
                        "only one")  # fmt: skip
    folds = min(plan.fit.folds, units)
    fit = msgspec.structs.replace(plan.fit, folds=folds, holdouts=min(plan.fit.holdouts, folds))
    adapted = msgspec.structs.replace(plan, axes={"spectrum": AxisSpec.of(table.axis)}, fit=fit)
    digest = sha256(table.values.tobytes()).hexdigest()
    key = msgspec.json.encode((adapted, digest, table.group.tolist(), table.labels.tolist(), seed))
    out = work / sha256(key).hexdigest()[:12]  # one folder serves all folds of a cross-validation
    return RunSampler(fitting.fit(adapted, table, out, data="fold", data_sha256=digest, seed=seed, resume=True))


def _table(X: NDArray[Any], groups: NDArray[Any], labels: NDArray[Any]) -> SpectraTable:
    """Spectra without a position: a family sees points, not wavenumbers."""
    values = np.ascontiguousarray(X, np.float32)
    axis = SpectralAxis.regular("points", 0, X.shape[1] - 1, X.shape[1], "nm")
    return SpectraTable(values, np.ones_like(values), axis, groups, groups, labels)
