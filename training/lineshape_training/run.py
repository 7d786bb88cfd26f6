"""A run: the folder that holds one fit, from its first step to its weights.

run.json            recipe, data fingerprint, seed: written first, compared on resume
fold-K/, final/     checkpoint.pt (to go on after a kill), step-N.safetensors (evaluated weights)
trials.json         the trials of a search, one by one as they end
acceptance.json     the figures of a distilled student beside its teacher's
library.npz         the source spectra of a transfer's fit, where its recipe lets them leave with the bundle
weights.safetensors the fitted network
validation.json     what `lineshape validate` found, if it was asked
fitted.json         what the fit found: chosen step, scores, seconds, sizes, versions
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from lineshape.errors import DataError, FitError, RecipeError, UsageError
from lineshape.files import write_atomically
from lineshape.library import LIBRARY
from lineshape_training.conditions import Conditions
from lineshape_training.diffusion.samplers import SAMPLERS
from lineshape_training.families import family_of
from lineshape_training.family import Trainable
from lineshape_training.recipe import Recipe

VALIDATION, TRIALS, ACCEPTANCE = "validation.json", "trials.json", "acceptance.json"


Numbers: TypeAlias = Mapping[str, float | int | str]
NO_NUMBERS: Numbers = MappingProxyType({})


class Distilled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a student came from its teacher.

    Parameters
    ----------
    method : str
    pairs : int
        Of noise and spectrum, drawn by the teacher; 0 where the student learns from its steps.
    teacher_sha256 : str
        Of the teacher's weights.
    """

    method: str
    pairs: int
    teacher_sha256: str


class RunSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What decides a fit: two runs with the same RunSpec on one machine end in the same weights."""

    recipe: Recipe
    data: str
    data_sha256: str
    seed: int
    spectra: int
    groups: int
    group_sha256: tuple[str, ...]  # hashes of the groups that were fitted on, so that a leak can be found later
    conditions: Conditions = Conditions()
    distilled: Distilled | None = None


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A short fit with numbers that were tried, and its score; None if the loss diverged."""

    numbers: dict[str, float | int]
    score: float | None
    seconds: float


def group_hash(name: str) -> str:
    """What a run keeps of a group's name."""
    return sha256(name.encode()).hexdigest()[:16]


class Fitted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a fit found.

    Parameters
    ----------
    steps : int
        To which the network was fitted.
    held_out : tuple of float
        The score of each held-out fold at that step; the step was chosen by their mean.
    scores : list of lists of float
        The score of each held-out fold at every evaluation.
    trials : tuple of Trial
        Of the search for the recipe's numbers, if it asks for one.
    """

    steps: int
    held_out: tuple[float, ...]
    scores: list[list[float]]
    seconds: float
    parameters: int
    hardware: str
    versions: dict[str, str]
    trials: tuple[Trial, ...] = ()


class Run:
    """The folder of one fit.

    Parameters
    ----------
    folder : Path
    walk : numbers by name
        In the place of the recipe's: `sampler`, `evaluations` and `guidance` of a diffusion or flow, whose weights
        serve them all.
    """

    def __init__(self, folder: Path | str, walk: Numbers = NO_NUMBERS) -> None:
        self.folder, self.walk = Path(folder), walk

    def begin(self, spec: RunSpec, resume: bool) -> None:
        """Begin a new run, or go on with one of the same fit.

        Raises
        ------
        UsageError
            If the folder holds a run and `resume` is not set, or holds a run of another fit.
        """
        if not self._path("run.json").exists():
            self._write("run.json", spec)
        elif not resume:
            raise UsageError(
                f"{self.folder}: holds a run already; continue it with --resume, delete it, or choose another folder"
            )
        elif _deciding(self.spec) != _deciding(spec):
            raise UsageError(
                f"{self.folder}: holds a run with another recipe, data or seed; delete it, or choose another folder"
            )

    @property
    def ended(self) -> bool:
        """True once the fitted network has been written."""
        return self._path("fitted.json").exists()

    @property
    def spec(self) -> RunSpec:
        """What decided the fit."""
        spec: RunSpec = self._read("run.json", RunSpec)
        return spec

    @property
    def recipe(self) -> Recipe:
        """The recipe with the numbers that a search has found, and those of the walk."""
        recipe = tuned(self.spec.recipe, self.trials)
        return with_numbers(recipe, self.walk) if self.walk else recipe

    def walked(self, **numbers: float | int | str | None) -> Run:
        """The same run with some numbers of its walk changed; None leaves one as it is.

        Raises
        ------
        UsageError
            If the family does not walk, or not in this way.
        """
        changed = {name: number for name, number in numbers.items() if number is not None}
        if not changed:
            return self
        recipe, walk = self.recipe, {**self.walk, **changed}
        walks = family_of(recipe.family).sampler_of(recipe) is not None
        if unknown := changed.keys() - set(family_of(recipe.family).Config.__struct_fields__ if walks else ()):
            raise UsageError(f"{self.folder}: family {recipe.family} has no {min(unknown)}: it draws in one pass")
        if changed.get("sampler", "ddim") not in SAMPLERS:
            raise UsageError(f"no sampler {changed['sampler']!r}; choose {', '.join(SAMPLERS)}")
        try:
            family_of(recipe.family).network(with_numbers(recipe, walk), self.spec.conditions)
        except RecipeError as error:
            raise UsageError(f"{self.folder}: {error}") from None
        return Run(self.folder, walk)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials that have ended."""
        if not self._path(TRIALS).exists():
            return ()
        trials: tuple[Trial, ...] = self._read(TRIALS, tuple[Trial, ...])
        return trials

    def record(self, trials: tuple[Trial, ...]) -> None:
        """Keep the trials that have ended."""
        self._write(TRIALS, trials)

    @property
    def fitted(self) -> Fitted:
        """What the fit found."""
        fitted: Fitted = self._read("fitted.json", Fitted)
        return fitted

    def part(self, name: str) -> Path:
        """The folder of one network's fit."""
        folder = self._path(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make {folder}: {error.strerror}; choose another folder") from None
        return folder

    def finish(self, network: Trainable, fitted: Fitted) -> None:
        """Write the fitted network and what was found."""
        save_weights(network, self._path("weights.safetensors"))
        self._write("fitted.json", fitted)

    def keep(self, name: str, content: msgspec.Struct | bytes) -> None:
        """Write what else was found of the fit, or belongs to it."""
        if isinstance(content, bytes):
            write_atomically(self._path(name), content)
        else:
            self._write(name, content)

    def withdraw(self) -> None:
        """Take the fitted network back; what led to it stays."""
        for name in ("fitted.json", "weights.safetensors"):
            self._path(name).unlink(missing_ok=True)

    def network(self) -> Trainable:
        """The fitted network, ready to be exported.

        Raises
        ------
        DataError
            If the fit has not ended.
        """
        if not self.ended:
            raise DataError(f"{self.folder}: {self._why_not_ended()}")
        recipe = self.recipe
        network: Trainable = family_of(recipe.family).network(recipe, self.spec.conditions)
        load_weights(network, self._path("weights.safetensors"))
        return network.eval()

    @property
    def weights(self) -> bytes:
        """The fitted weights as safetensors."""
        return self._path("weights.safetensors").read_bytes()

    @property
    def library(self) -> bytes | None:
        """The source spectra of the fit, where its recipe lets them leave with the bundle.

        Raises
        ------
        DataError
            If the recipe does, and they are not there.
        """
        if not self.spec.recipe.data.library:
            return None
        try:
            return self._path(LIBRARY).read_bytes()
        except OSError:
            raise DataError(f"{self.folder}: no {LIBRARY} there, which its recipe asks for; fit it again") from None

    @property
    def weights_sha256(self) -> str:
        """What identifies the fitted weights."""
        return sha256(self.weights).hexdigest()

    @property
    def validation(self) -> dict[str, Any] | None:
        """What `lineshape validate` found, verdict first; None if it was not asked.

        Raises
        ------
        DataError
            If it is about other weights than these.
        """
        if not self._path(VALIDATION).exists():
            return None
        found: dict[str, Any] = self._read(VALIDATION, dict[str, Any])
        if found.get("weights_sha256") != self.weights_sha256:
            raise DataError(f"{self._path(VALIDATION)}: is about other weights; run `lineshape validate` again")
        return found

    @property
    def judged(self) -> dict[str, Any] | None:
        """What validation found, if it was of spectra that were drawn in this way."""
        return None if self.walk else self.validation

    def validate(self, found: dict[str, Any]) -> None:
        """Keep what `lineshape validate` found of these weights."""
        self._write(VALIDATION, {**found, "weights_sha256": self.weights_sha256})

    def _why_not_ended(self) -> str:
        if self._path(ACCEPTANCE).exists():
            return f"the student fell short of its teacher ({ACCEPTANCE} says where) and is not kept; distil another"
        verb = "distil" if self.spec.distilled else "fit"
        return f"the fit has not ended; continue it with `lineshape {verb} ... --resume`"

    def _path(self, name: str) -> Path:
        return self.folder / name

    def _write(self, name: str, content: Any) -> None:  # noqa: ANN401
        write_atomically(self._path(name), msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")

    def _read(self, name: str, kind: Any) -> Any:  # noqa: ANN401
        try:
            return msgspec.json.decode(self._path(name).read_bytes(), type=kind)
        except OSError:
            raise DataError(f"{self.folder}: no {name} there; a run is made by `lineshape fit`") from None
        except msgspec.MsgspecError as error:
            raise DataError(f"{self._path(name)}: {error}") from None


def _deciding(spec: RunSpec) -> RunSpec:
    """A spec without what its recipe says about itself."""
    return msgspec.structs.replace(spec, recipe=msgspec.structs.replace(spec.recipe, about="", minutes=None))


def tuned(recipe: Recipe, trials: tuple[Trial, ...]) -> Recipe:
    """A recipe with the numbers of the best trial, and nothing left to search for.

    Raises
    ------
    FitError
        If the loss of every trial diverged.
    """
    if recipe.search is None:
        return recipe
    ended = [trial for trial in trials if trial.score is not None]
    if not ended:
        raise FitError(f"recipe {recipe.name}: the loss of all {len(trials)} trials diverged; search smaller numbers")
    best = min(ended, key=lambda trial: trial.score or 0.0)
    return with_numbers(recipe, best.numbers)


def with_numbers(recipe: Recipe, numbers: Numbers) -> Recipe:
    """A recipe with numbers of [model], or learning_rate, in the place of a search for them."""
    model = recipe.model | {name: number for name, number in numbers.items() if name != "learning_rate"}
    rate = numbers.get("learning_rate", recipe.fit.learning_rate)
    fit = msgspec.structs.replace(recipe.fit, learning_rate=float(rate))
    return msgspec.structs.replace(recipe, model=model, fit=fit, search=None)


def save_weights(network: torch.nn.Module, path: Path) -> None:
    """Write parameters and buffers, all of them or none."""
    write_atomically(path, save_tensors({name: value.contiguous() for name, value in network.state_dict().items()}))


def load_weights(network: torch.nn.Module, path: Path) -> None:
    """Read parameters and buffers."""
    state: dict[str, Tensor] = load_tensors(path.read_bytes())
    network.load_state_dict(state)
