"""The verb validate: is a generator believable, does it copy, and does it help?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from lineshape_training.datasets.commands import (
    Analyte,
    ClassSize,
    Group,
    Instrument,
    Json,
    Label,
    Modality,
    Unit,
    opened,
    said,
)

if TYPE_CHECKING:
    from lineshape_training.datasets.opening import Columned
    from lineshape_training.recipe import Recipe
    from lineshape_training.study import Outcome, StudySpec
    from lineshape_training.validation.evidence import Evidence
    from lineshape_training.validation.judgement import Judgement

FAILED = 4  # the exit code of a verdict 'fail'

Model = Annotated[Path | None, typer.Argument(metavar="[RUN_OR_BUNDLE]", help="What draws the spectra.")]
Data = Annotated[
    str | None, typer.Option(help="Real spectra: those of the fit and those held out; see docs/validate.md.")
]
Synthetic = Annotated[str | None, typer.Option(help="Spectra that any tool made, in the place of a run or bundle.")]
Real = Annotated[str | None, typer.Option(help="Real spectra of groups that no generator has seen.")]
Train = Annotated[str | None, typer.Option(help="The real spectra that the generator was fitted on.")]
Report = Annotated[Path | None, typer.Option(help="Write report.html with its pictures into this folder.")]
Asked = Annotated[bool, typer.Option("--study", help="Measure whether classifiers or regressors profit (takes long).")]
Method = Annotated[
    list[str] | None,
    typer.Option(
        help="Of the study: classical, smote, adasyn, spectral-smote, a recipe (its name or TOML file), none."
    ),
]
Protocol = Annotated[
    list[str] | None, typer.Option(help="Of the study: group, spectrum, imbalance, curve, instrument.")
]
Step = Annotated[
    list[str] | None, typer.Option(help="Of the study: intensity steps such as min-max (the default) or snv.")
]
Probe = Annotated[
    list[str] | None,
    typer.Option(help="Of the study: what is to profit, in the place of the usual ones; ResNet is another one."),
]
Work = Annotated[Path, typer.Option(help="Folder of the study's cells; those that are there are not computed again.")]


def validate(
    model: Model = None,
    data: Data = None,
    synthetic: Synthetic = None,
    real: Real = None,
    train: Train = None,
    study: Asked = False,
    report: Report = None,
    n: Annotated[
        int | None, typer.Option("-n", min=10, help="Spectra to draw; by default as many as are unseen.")
    ] = None,
    modality: Modality = None,
    unit: Unit = None,
    group: Group = None,
    label: Label = None,
    instrument: Instrument = None,
    analyte: Analyte = None,
    class_size: ClassSize = 1,
    method: Method = None,
    protocol: Protocol = None,
    step: Step = None,
    probe: Probe = None,
    folds: Annotated[int, typer.Option(min=2, help="Of the study.")] = 5,
    repeats: Annotated[int, typer.Option(min=1, help="Of the study's folds.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes of the study; the table does not depend on it.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    work: Work = Path("build/study"),
    json: Json = False,
) -> None:
    """Judge generated spectra by groups that the generator has not seen; exit code 4 if they fail."""
    _check_asked(model, data, study, (synthetic, real, train), report)
    _check_columns(model, study, modality, unit, group, label, instrument, analyte, class_size > 1)
    import torch

    from lineshape_training.validation.generator import open_generator, validated
    from lineshape_training.validation.record import Record

    torch.set_num_threads(1)
    record, columns = Record(), said(modality, unit, group, label, instrument, analyte, class_size)
    own: tuple[Recipe, ...] = ()
    if synthetic and real and train:
        record = record.judged(_judged_files(synthetic, real, train, columns))
    elif model and data:
        generator = open_generator(model)
        record = record.judged(validated(generator, data, n, seed))
        own, columns = (generator.recipe,), _as_fitted(columns, generator.recipe)
    if study and data:
        numbers = {"analyte": analyte, "repeats": repeats, "folds": folds, "seed": seed}
        spec = _study_spec(method, own, protocols=protocol or ["group"], steps=step, probes=probe or (), **numbers)
        record = record.studied(spec, _studied(data, columns, spec, jobs, work))
    asked = {"data": data, "synthetic": synthetic, "real": real, "train": train}
    record = record.about({name: path for name, path in asked.items() if path})
    if model is not None and (model / "run.json").exists():
        record.keep(model)
    if report:
        print(f"{record.report(report)}: the report", file=sys.stderr)  # noqa: T201 - a command speaks
    typer.echo(record.json() if json else record.text())
    if record.failed:
        raise typer.Exit(FAILED)


def _check_columns(model: Path | None, study: bool, *columns: object) -> None:
    """A run's recipe names its columns; options that would be ignored are refused."""
    from lineshape.errors import UsageError

    if model is not None and not study and any(columns):
        raise UsageError("a run or bundle reads the columns that its recipe names ([data] group, label ...); --group, "
                         "--label, --modality, --unit, --instrument, --analyte, --class-size are for --study and "
                         "files")  # fmt: skip


def _check_asked(
    model: Path | None, data: str | None, study: bool, files: tuple[str | None, ...], report: Path | None
) -> None:
    """Refuse half a question before anything heavy is imported."""
    from lineshape.errors import UsageError

    if report is not None and report.exists() and not report.is_dir():
        raise UsageError(f"--report {report}: is a file; name a folder")

    if any(files) and (model or data or study or not all(files)):
        raise UsageError("spectra made elsewhere are judged by three files: --synthetic, --real and --train")
    if not any(files) and data is None:
        raise UsageError("give a run or bundle with --data, or --study --data, or --synthetic, --real and --train")
    if data is not None and model is None and not study:
        raise UsageError(f"nothing to judge by {data}: give a run or bundle, or --study")


def _judged_files(synthetic: str, real: str, train: str, columns: Columned) -> tuple[Judgement, Evidence]:
    from lineshape_training.validation.judgement import judge
    from lineshape_training.validation.spectra_files import evidence_from_files

    evidence = evidence_from_files(synthetic, real, train, columns)
    return judge(evidence), evidence


def _as_fitted(columns: Columned, recipe: Recipe) -> Columned:
    """The columns of a run's data: those that the options name, else those that its recipe names."""
    usual = {"modality": recipe.data.spectrum, "group": recipe.data.groups, "label": recipe.data.label}
    missing = {name: value for name, value in usual.items() if not getattr(columns, name)}
    return msgspec.structs.replace(columns, **missing)


def _study_spec(methods: list[str] | None, own: tuple[Recipe, ...], steps: list[str] | None, **others: object
                ) -> StudySpec:  # fmt: skip
    """The study that the options ask for; the recipe of a run is one of its methods."""
    from lineshape.errors import UsageError
    from lineshape_training.study import StudySpec
    from lineshape_training.study.methods import named

    found = named(methods or StudySpec().methods, *own)
    plan = {"methods": list(found), "recipes": {name: recipe for name, recipe in found.items() if recipe},
            "steps": [{"step": name} for name in steps or ("min-max",)], **others}  # fmt: skip
    try:
        return msgspec.convert(plan, StudySpec)
    except msgspec.ValidationError as error:
        raise UsageError(f"the study cannot be made as asked: {error}") from None


def _studied(data: str, columns: Columned, spec: StudySpec, jobs: int, work: Path) -> Outcome:
    from tqdm import tqdm

    from lineshape_training.study import Study

    study = Study(opened(data, columns), spec, work / Path(data).stem)
    with tqdm(total=len(study.cells), desc="study", unit="cell", file=sys.stderr) as bar:
        return study.run(jobs, bar.update)
