"""The verbs that read measured spectra: transfer, reconstruct, encode, interpolate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineshape_edge.commands import BundlePath, Device, Plot, opened, origin

if TYPE_CHECKING:
    from lineshape.spectrum import Spectrum
    from lineshape_edge.model import Model
    from lineshape_edge.tasks import Transferred

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Measured spectra, as instruments write them.")]
Out = Annotated[Path, typer.Option("-o", "--out", help="A .csv or .npz file; a folder for several spectra.")]
Column = Annotated[str | None, typer.Option(help="Which spectrum, of files that hold several.")]
Modality = Annotated[str | None, typer.Option(help="What the files hold, where they say it wrongly.")]


def transfer(
    path: BundlePath, files: Files, out: Out, column: Column = None, modality: Modality = None,
    min_familiarity: Annotated[
        float, typer.Option(min=0, max=1, help="Refuse a spectrum that is less familiar, instead of inventing.")
    ] = 0,
    plot: Plot = None, device: Device = "cpu",
) -> None:  # fmt: skip
    """Estimate spectra in the bundle's target modality, each with its interval, familiarity and nearest of the fit."""
    targets = _targets(files, out, plot)
    model = opened(path, device)
    model.require("transfer")
    least = min_familiarity
    _end(_each(model, files, column, modality,
               lambda file, source: _transfer_file(model, source, file, targets[file], least, plot)))  # fmt: skip


def reconstruct(
    path: BundlePath, files: Files, out: Out, column: Column = None, modality: Modality = None, device: Device = "cpu"
) -> None:
    """Write what the model understands of spectra, in relative intensities."""
    targets = _targets(files, out, None)
    model = opened(path, device)
    model.require("reconstruct")
    _end(_each(model, files, column, modality,
               lambda file, source: _reconstruct_file(model, source, file, targets[file])))  # fmt: skip


def encode(
    path: BundlePath,
    files: Files,
    out: Annotated[Path, typer.Option("-o", "--out", help="A .csv file: a row for each spectrum.")],
    column: Column = None,
    modality: Modality = None,
    device: Device = "cpu",
) -> None:
    """Write the latents of spectra, a row for each."""
    from lineshape.errors import UsageError
    from lineshape_edge.tasks import encode as latents

    if out.suffix != ".csv":
        raise UsageError(f"{out}: latents become a .csv file")
    _keep(files, [out])
    model = opened(path, device)
    model.require("encode")
    rows: dict[Path, list[float]] = {}
    failed = _each(model, files, column, modality,
                   lambda file, source: rows.update({file: latents(model, [source])[0].tolist()}))  # fmt: skip
    if rows:
        _write_latents(model, rows, out)
    _end(failed)


def interpolate(
    path: BundlePath,
    first: Annotated[Path, typer.Argument(metavar="FILE_A", help="The spectrum to start from.")],
    second: Annotated[Path, typer.Argument(metavar="FILE_B", help="The spectrum to end with.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A .csv or .npz file.")],
    steps: Annotated[int, typer.Option(min=2, help="How many spectra, both ends among them.")] = 9,
    column: Column = None,
    modality: Modality = None,
    plot: Plot = None,
    device: Device = "cpu",
) -> None:
    """Write spectra between two measured ones, in relative intensities."""
    import numpy as np

    from lineshape.writers import write_table
    from lineshape_edge.tasks import interpolate as between

    _keep([first, second], [out])
    model = opened(path, device)
    model.require("interpolate")
    ends = [_read(file, model.manifest.axes["source"].modality, column, modality) for file in (first, second)]
    weights = np.linspace(0, 1, steps)
    spectra, axis = between(model, ends[0], ends[1], weights), model.manifest.axis("spectrum")
    columns = {f"weight {weight:.4g}": spectrum for weight, spectrum in zip(weights, spectra, strict=True)}
    write_table(out, axis, columns, {**origin(model), "from": first.name, "to": second.name})
    for file, end in zip((first, second), ends, strict=True):
        _say_notes(file, end)
    typer.echo(f"{out}: {steps} spectra from {first.name} to {second.name}")
    if plot:
        from lineshape_edge.plot import plot_samples

        plot_samples(plot, axis, spectra, f"From {first.name} to {second.name}")


def _each(model: Model, files: list[Path], column: str | None, modality: str | None,
          do: Callable[[Path, Spectrum], object]) -> int:  # fmt: skip
    """Do every file that can be used, and name the others; how many they were."""
    from lineshape.errors import LineshapeError

    failed = 0
    for file in files:
        try:
            source = _read(file, model.manifest.axes["source"].modality, column, modality)
            do(file, source)
            _say_notes(file, source)
        except LineshapeError as error:
            failed += 1
            told = str(error)
            where = "" if told.startswith((f"{file}", file.name)) else f"{file}: "
            typer.echo(f"lineshape: {where}{told}", err=True)
    return failed


def _end(failed: int) -> None:
    if failed:
        raise typer.Exit(1)


def _targets(files: list[Path], out: Path, plot: Path | None) -> dict[Path, Path]:
    """The file to write for each; nothing measured is ever written over."""
    from lineshape.errors import UsageError

    into_folder = len(files) > 1 or out.is_dir() or not out.suffix
    if into_folder and (out.is_file() or out.suffix in (".csv", ".npz")):
        raise UsageError(f"{len(files)} files need a folder to write to; {out} is or looks like a file")
    if len(files) > 1 and plot:
        raise UsageError("--plot draws one spectrum; give one file")
    targets = {file: out / f"{file.stem}.csv" if into_folder else out for file in files}
    if len(set(targets.values())) < len(files):
        raise UsageError("two of the files have the same name, so one result would replace the other; do them apart")
    _keep(files, [*targets.values()])
    return targets


def _keep(files: list[Path], targets: list[Path]) -> None:
    """Refuse to write over a measured file."""
    from lineshape.errors import UsageError

    measured = {file.resolve() for file in files}
    for target in targets:
        if target.resolve() in measured:
            raise UsageError(f"{target} is one of the measured files; write elsewhere")


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


def _transfer_file(model: Model, source: Spectrum, file: Path, out: Path, least: float, plot: Path | None) -> None:
    import numpy as np

    from lineshape.writers import write_table
    from lineshape_edge.tasks import refuse_unfamiliar
    from lineshape_edge.tasks import transfer as estimate

    (found,) = estimate(model, [source])
    refuse_unfamiliar(np.array([found.familiarity], np.float32), least)
    columns = {"intensity": found.intensities, "lower": found.lower, "upper": found.upper}
    metadata = {
        **origin(model), "source": file.name, "familiarity": f"{found.familiarity:.4f}",
        "nearest": _nearest(found), "cautions": " ".join(found.cautions),
    }  # fmt: skip
    write_table(out, found.axis, columns, metadata | _notes(source))
    typer.echo(_summary(file, out, found))
    if plot:
        from lineshape_edge.plot import plot_transfer

        plot_transfer(plot, model, source, found, file.name)


def _reconstruct_file(model: Model, source: Spectrum, file: Path, out: Path) -> None:
    from lineshape.writers import write_table
    from lineshape_edge.tasks import reconstruct as rebuild

    (rebuilt,) = rebuild(model, [source])
    metadata = {**origin(model), "source": file.name, **_notes(source)}
    write_table(out, model.manifest.axis("spectrum"), {"intensity": rebuilt}, metadata)
    typer.echo(f"{file.name} -> {out}: reconstructed")


def _write_latents(model: Model, rows: dict[Path, list[float]], out: Path) -> None:
    import csv
    import io

    from lineshape.files import write_atomically

    text = io.StringIO()
    text.writelines(f"# {key}: {value}\n" for key, value in origin(model).items())
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["file", *(f"latent {k}" for k in range(len(next(iter(rows.values())))))])
    table.writerows([file.name, *row] for file, row in rows.items())
    write_atomically(out, text.getvalue().encode("utf-8", errors="replace"))
    typer.echo(f"{out}: latents of {len(rows)} spectra")


def _notes(source: Spectrum) -> dict[str, str]:
    return {"notes": " ".join(source.notes)} if source.notes else {}


def _say_notes(file: Path, source: Spectrum) -> None:
    for note in source.notes:
        typer.echo(f"{file.name}: {note}", err=True)


def _summary(file: Path, out: Path, found: Transferred) -> str:
    axis = found.axis
    strongest = axis.values[found.intensities.argmax()]
    nearest = f", nearest of the fit {_nearest(found)}" if found.nearest else ""
    cautions = "".join(f"\n  {caution}" for caution in found.cautions)
    return (f"{file.name} -> {out}: strongest {axis.modality} band at {strongest:g} {axis.unit}, "
            f"familiarity {found.familiarity:.2f}{nearest}{cautions}")  # fmt: skip


def _nearest(found: Transferred) -> str:
    """The nearest spectrum of the fit in words; empty where there is none."""
    match = found.nearest
    return f"{match.name} ({match.identity}), similarity {match.similarity:.3f}" if match else ""
