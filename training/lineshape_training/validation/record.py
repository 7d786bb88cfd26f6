"""What a validation leaves behind: text for people, JSON for programs, a report, and the verdict beside a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from lineshape.results import origin
from lineshape_training.loading import EMBEDDED, fingerprint
from lineshape_training.run import Run
from lineshape_training.study import Outcome, StudySpec
from lineshape_training.study.table import ALL_PROBES
from lineshape_training.validation.evidence import Evidence
from lineshape_training.validation.judgement import Judgement, Reading


@dataclass(frozen=True)
class Record:
    """A validation so far."""

    judgement: Judgement | None = None
    evidence: Evidence | None = None
    spec: StudySpec | None = None
    outcome: Outcome | None = None
    origin: dict[str, str] = field(default_factory=dict)

    def judged(self, found: tuple[Judgement, Evidence | None]) -> Record:
        """With a judgement and what it rests on."""
        return replace(self, judgement=found[0], evidence=found[1])

    def studied(self, spec: StudySpec, outcome: Outcome) -> Record:
        """With a study."""
        return replace(self, spec=spec, outcome=outcome)

    def about(self, files: dict[str, str]) -> Record:
        """With how it was made: the files by what they hold."""
        named = {name: Path(file).name for name, file in files.items()}
        hashed = {
            f"{name} sha256": fingerprint(file)
            for name, file in files.items()
            if file == EMBEDDED or Path(file).is_file()
        }
        return replace(self, origin={**named, **hashed, **origin()})

    @property
    def failed(self) -> bool:
        """True for a verdict 'fail'."""
        return self.judgement is not None and self.judgement.verdict == "fail"

    def content(self) -> dict[str, Any]:
        """Everything as plain values: `verdict`, `reasons`, `metrics` ... of the judgement, `study`, and `about`."""
        judgement: dict[str, Any] = msgspec.to_builtins(self.judgement) if self.judgement else {}
        study = {"study": {"asked": self.spec, "found": self.outcome}} if self.outcome else {}
        plain: dict[str, Any] = msgspec.to_builtins({**judgement, **study, "about": self.origin})
        return plain

    def json(self) -> str:
        """The content as JSON."""
        return msgspec.json.format(msgspec.json.encode(self.content()), indent=2).decode()

    def text(self) -> str:
        """The content in lines."""
        return "\n".join([*self._judgement_lines(), *self._study_lines()])

    def keep(self, run: Path) -> None:
        """Put the verdict beside a run, from where export seals it into the bundle's provenance."""
        Run(run).validate(self.content())

    def report(self, folder: Path) -> Path:
        """Write the HTML report."""
        from lineshape_training.validation.report import write_report

        judged = self.origin.get("data") or self.origin["real"]
        return write_report(folder, f"Validation on {judged}", judgement=self.judgement, evidence=self.evidence,
                            outcome=self.outcome, about=self.origin)  # fmt: skip

    def _judgement_lines(self) -> Iterator[str]:
        if self.judgement is None:
            return
        yield f"verdict: {self.judgement.verdict}"
        yield from (f"  {reason}" for reason in self.judgement.reasons)
        yield from (f"  warning: {warning}" for warning in self.judgement.warnings)
        if self.judgement.metrics:
            yield f"{'':<24}{'synthetic':>11}{'real':>11}{'copies':>11}{'means':>11}"
        for name, reading in self.judgement.metrics.items():
            yield f"{name:<24}" + "".join(f"{_number(value):>11}" for value in _values(reading))
        yield from (f"  not measured: {reason}" for reason in self.judgement.missing)

    def _study_lines(self) -> Iterator[str]:
        if self.outcome is None:
            return
        for row in self.outcome.rows:
            if row.probe != ALL_PROBES:
                continue
            score, found = next(iter(row.scores.items()))
            gain = row.gains.get(score)
            added = f"   gain {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})" if gain else ""
            yield (f"{row.protocol:<14} {row.method:<16} {row.arm:<16} {score} {found.value:.3f} ({found.low:.3f} to "
                   f"{found.high:.3f}){added}")  # fmt: skip
        for effect in self.outcome.effects:
            yield f"{effect.protocol}: {effect.method} ({effect.arm}) {effect.verdict}, p = {effect.gain.p:.3g}"
        yield from (f"not measured: {where}: {why}" for where, why in self.outcome.refused.items())


def _values(reading: Reading) -> tuple[float | None, ...]:
    return reading.synthetic, reading.real, reading.copies, reading.class_means


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
