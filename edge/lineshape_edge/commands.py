"""The verbs of the edge room: sample, transfer, bundle, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from lineshape.spectrum import Spectrum
    from lineshape_edge.model import Model
    from lineshape_edge.tasks import Transferred

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .lineshape file or a bundle's folder.")]
Plot = Annotated[Path | None, typer.Option(help="Also draw a picture here (.png or .svg).")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]

UNFAMILIAR = 0.05  # of the groups held out of a fit, one in twenty was stranger

bundle = typer.Typer(help="Look at bundles and check them.", no_args_is_help=True)


def sample(
    path: BundlePath,
    out: Annotated[Path, typer.Option("-o", "--out", help="A .csv or .npz file.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many spectra.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    first: Annotated[int, typer.Option(min=0, help="Index of the first sample of the seed.")] = 0,
    label: Annotated[str | None, typer.Option(help="The class, for bundles that have classes.")] = None,
    plot: Plot = None,
    device: Device = "cpu",
) -> None:
    """Generate spectra; sample i of a seed is the same on every machine."""
    from lineshape.writers import write_table
    from lineshape_edge.tasks import sample as draw

    model = _open(path, device)
    axis = model.manifest.axis("spectrum")
    spectra = draw(model, n, seed, first, label)
    columns = {f"sample {first + i}": spectrum for i, spectrum in enumerate(spectra)}
    write_table(out, axis, columns, {**_origin(model), "seed": str(seed)})
    typer.echo(f"{out}: {n} spectra, samples {first} to {first + n - 1} of seed {seed}")
    if plot:
        from lineshape_edge.plot import plot_samples

        plot_samples(plot, axis, spectra, f"{model.manifest.name} {model.manifest.version}, seed {seed}")


def transfer(
    path: BundlePath,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Measured spectra, as instruments write them.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="A .csv or .npz file; a folder for several spectra.")],
    column: Annotated[str | None, typer.Option(help="Which spectrum, of files that hold several.")] = None,
    modality: Annotated[str | None, typer.Option(help="What the files hold, where they say it wrongly.")] = None,
    plot: Plot = None,
    device: Device = "cpu",
) -> None:
    """Estimate spectra in the bundle's target modality, each with its interval and familiarity."""
    from lineshape.errors import LineshapeError

    targets = _targets(files, out, plot)
    model = _open(path, device)
    model.require("transfer")
    failed = 0
    for file, target in targets.items():
        try:
            _transfer_file(
                model, _read(file, model.manifest.axes["source"].modality, column, modality), file, target, plot
            )
        except LineshapeError as error:
            failed += 1
            typer.echo(f"lineshape: {file}: {str(error).removeprefix(f'{file}: ')}", err=True)
    if failed:
        raise typer.Exit(1)


def _targets(files: list[Path], out: Path, plot: Path | None) -> dict[Path, Path]:
    """Where each file's estimate goes; nothing measured is ever written over."""
    from lineshape.errors import UsageError

    into_folder = len(files) > 1 or out.is_dir() or not out.suffix
    if into_folder and (out.is_file() or out.suffix in (".csv", ".npz")):
        raise UsageError(f"{len(files)} files need a folder to write to; {out} is or looks like a file")
    if len(files) > 1 and plot:
        raise UsageError("--plot draws one spectrum; give one file")
    targets = {file: out / f"{file.stem}.csv" if into_folder else out for file in files}
    if len(set(targets.values())) < len(files):
        raise UsageError("two of the files have the same name, so one estimate would replace the other; do them apart")
    measured = {file.resolve() for file in files}
    for target in [*targets.values(), *([plot] if plot else [])]:
        if target.resolve() in measured:
            raise UsageError(f"{target} is one of the measured files; write the estimate elsewhere")
    return targets


@bundle.command("show")
def show(path: BundlePath, json: Json = False) -> None:
    """What a bundle is for, what it takes and what it gives."""
    from lineshape.bundle import open_bundle, verdict_of

    opened = open_bundle(path)
    if json:
        typer.echo(msgspec.json.encode({"digest": opened.digest, "manifest": opened.manifest}))
        return
    manifest, validated = opened.manifest, verdict_of(opened)
    typer.echo(f"{manifest.name} {manifest.version}: {manifest.task}, family {manifest.family}\nsha256 {opened.digest}")
    typer.echo(f"validation: {validated.verdict if validated and validated.verdict else 'not made'}")
    for role, axis in manifest.axes.items():
        typer.echo(f"{role}: {axis.modality}, {axis.first:g} to {axis.last:g} {axis.unit}, {axis.n} points")
    for wire, form in manifest.wire_names.items():
        graph = manifest.graphs[form]
        inputs, outputs = (", ".join(f"{t.name} {t.dtype} [n, {t.shape[1]}]" for t in side)
                           for side in (graph.inputs, graph.outputs))  # fmt: skip
        typer.echo(f"{wire}: {inputs} -> {outputs}")


@bundle.command("verify")
def verify(path: BundlePath, device: Device = "cpu") -> None:
    """Check every hash, then run the golden cases on this machine."""
    model = _open(path, device)
    cases = sum(len(model.bundle.golden(form)) for form in model.manifest.graphs)
    typer.echo(f"{path}: {len(model.manifest.files)} files as sealed, {cases} golden cases within tolerance, "
               f"sha256 {model.digest}")  # fmt: skip


def doctor(json: Json = False) -> None:
    """What this machine has, and which execution providers really run; needs no network."""
    from lineshape_edge.doctor import examine

    found = examine()
    if json:
        typer.echo(msgspec.json.encode(found))
        return
    for name, value in found.items():
        typer.echo(f"{name:<28} {value}")


def _open(path: Path, device: str) -> Model:
    from lineshape.errors import UsageError
    from lineshape_edge.model import Model

    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device is cpu or cuda; got {device!r}")
    return Model.open(path, device=device)  # type: ignore[arg-type]


def _read(file: Path, source: str, column: str | None, modality: str | None) -> Spectrum:
    """The spectrum as the file describes it; where it does not say what it holds, the bundle's source."""
    from lineshape.errors import ReadError
    from lineshape.readers import read_spectrum

    if modality:
        return read_spectrum(file, modality, column=column)
    try:
        return read_spectrum(file, column=column)
    except ReadError:
        assumed = read_spectrum(file, source, column=column)
        return assumed.noted(f"The file does not say what it holds; taken for {source}, as the bundle expects.")


def _transfer_file(model: Model, source: Spectrum, file: Path, out: Path, plot: Path | None) -> None:
    from lineshape.writers import write_table
    from lineshape_edge.tasks import transfer as estimate

    (found,) = estimate(model, [source])
    columns = {"intensity": found.intensities, "lower": found.lower, "upper": found.upper}
    notes = {"notes": " ".join(source.notes)} if source.notes else {}
    metadata = {**_origin(model), "source": file.name, "familiarity": f"{found.familiarity:.4f}", **notes}
    write_table(out, found.axis, columns, metadata)
    for note in source.notes:
        typer.echo(f"{file.name}: {note}", err=True)
    typer.echo(_summary(file, out, found))
    if plot:
        from lineshape_edge.plot import plot_transfer

        plot_transfer(plot, source, found, f"{file.name}\nfamiliarity {found.familiarity:.2f}")


def _summary(file: Path, out: Path, found: Transferred) -> str:
    axis = found.axis
    strongest = axis.values[found.intensities.argmax()]
    doubt = " (unlike what the model has seen: do not use it)" if found.familiarity < UNFAMILIAR else ""
    return (f"{file.name} -> {out}: strongest {axis.modality} band at {strongest:g} {axis.unit}, "
            f"familiarity {found.familiarity:.2f}{doubt}")  # fmt: skip


def _origin(model: Model) -> dict[str, str]:
    return {"bundle": model.manifest.name, "version": model.manifest.version, "digest": model.digest}
