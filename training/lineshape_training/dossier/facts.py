"""What a run and its validation know about the spectra: nothing here is asked, guessed or filled in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from lineshape.errors import DataError
from lineshape.results import revision
from lineshape_training.families import family_of
from lineshape_training.family import Family
from lineshape_training.run import VALIDATION, Fitted, Run, RunSpec
from lineshape_training.study import Outcome, StudySpec
from lineshape_training.validation.judgement import Judgement

Verdict: TypeAlias = Literal["pass", "fail", "not validated"]

FILES = ("run.json", "fitted.json", "weights.safetensors", VALIDATION)


class Studied(msgspec.Struct, frozen=True):
    """A study: what was asked, and what was found."""

    asked: StudySpec
    found: Outcome


class Validated(msgspec.Struct, frozen=True):
    """What `validation.json` holds beside the judgement."""

    about: dict[str, str] = {}
    study: Studied | None = None


@dataclass(frozen=True)
class Facts:
    """All that a dossier states.

    Parameters
    ----------
    folder : Path
        The run's.
    spec : RunSpec
    fitted : Fitted
    files : dict of str
        sha256 of each of the run's files that is there.
    validation : dict or None
        `validation.json` as it stands.
    judgement : Judgement or None
        None where there is no verdict.
    study : Studied or None
    about : dict of str
        How the validation was made.
    written : dict of str
        How the dossier was made.
    """

    folder: Path
    spec: RunSpec
    fitted: Fitted
    files: dict[str, str]
    validation: dict[str, Any] | None
    judgement: Judgement | None
    study: Studied | None
    about: dict[str, str]
    written: dict[str, str]

    @property
    def family(self) -> Family[Any, Any]:
        """The generator's family."""
        return family_of(self.spec.recipe.family)

    @property
    def verdict(self) -> Verdict:
        """Of the validation."""
        return "not validated" if self.judgement is None else self.judgement.verdict

    @property
    def from_file(self) -> bool:
        """False where the spectra of the fit were simulated, and no file stands behind them."""
        return len(self.spec.data_sha256) == sha256().digest_size * 2

    @property
    def other_data(self) -> bool:
        """True where the validation read another file than the fit."""
        return self.about.get("data sha256", self.spec.data_sha256) != self.spec.data_sha256

    @property
    def judged_by(self) -> str:
        """The command that would measure the run; names that a shell reads otherwise are left to the reader."""
        return f"lineshape validate {_word(str(self.folder), 'RUN')} --data {self.data_word}"

    @property
    def studied_by(self) -> str:
        """The command that would measure what the spectra do to predictions; simulated ones are no data for that."""
        data = self.data_word if self.from_file else "FILE"
        label = "" if self.spec.recipe.data.label else " --label COLUMN"
        return f"lineshape validate {_word(str(self.folder), 'RUN')} --data {data} --study{label}"

    @property
    def data_word(self) -> str:
        """The data of the fit as a word of a command."""
        return _word(self.spec.data, "FILE")

    def content(self) -> dict[str, Any]:
        """The facts as plain values."""
        family = {"name": self.family.name, "task": self.family.task, "scored by": self.family.scored_by,
                  "sampler": self.family.sampler_of(self.spec.recipe), "interval": self.family.interval}  # fmt: skip
        plain: dict[str, Any] = msgspec.to_builtins(
            {"run": self.spec, "fitted": self.fitted, "family": family, "files": self.files, "written": self.written}
        )
        return {**plain, "validation": self.validation}


def facts_of(run: Run) -> Facts:
    """Read a run.

    Raises
    ------
    DataError
        If there is no run, its fit has not ended, or its validation cannot be read.
    """
    spec = run.spec
    if not run.ended:
        raise DataError(f"{run.folder}: the fit has not ended; continue it with `lineshape fit ... --resume`")
    validation = run.validation
    beside = _read(run, validation or {}, Validated)
    judgement = _read(run, validation, Judgement) if validation and "verdict" in validation else None
    written = {"date": datetime.now(UTC).date().isoformat(), "lineshape": version("lineshape"), "revision": revision()}
    return Facts(run.folder, spec, run.fitted, dict(_hashes(run.folder)), validation, judgement, beside.study,
                 beside.about, written)  # fmt: skip


def _word(text: str, otherwise: str) -> str:
    return text if shlex.quote(text) == text else otherwise


def _read(run: Run, content: dict[str, Any], kind: Any) -> Any:  # noqa: ANN401
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise DataError(
            f"{run.folder / VALIDATION}: {error}; make it again with `lineshape validate {run.folder} ...`"
        ) from None


def _hashes(folder: Path) -> Iterator[tuple[str, str]]:
    for name in FILES:
        if (folder / name).exists():
            yield name, sha256((folder / name).read_bytes()).hexdigest()
