"""The verbs of the edge room that need no measured spectrum: sample, bundle, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from lineshape_edge.model import Model

BundlePath = Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .lineshape file or a bundle's folder.")]
PICTURES = (".png", ".svg", ".pdf")


def _picture(path: Path | None) -> Path | None:
    """Refused before anything is computed."""
    if path and path.suffix not in PICTURES:
        raise typer.BadParameter(f"{path}: a picture ends in {', '.join(PICTURES[:-1])} or {PICTURES[-1]}")
    return path


Plot = Annotated[Path | None, typer.Option(callback=_picture, help="Also draw a picture here (.png, .svg or .pdf).")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]

bundle = typer.Typer(help="Look at bundles and check them.", no_args_is_help=True)


def sample(
    path: BundlePath,
    out: Annotated[Path, typer.Option("-o", "--out", help="A .csv or .npz file.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many spectra.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    first: Annotated[int, typer.Option(min=0, help="Index of the first sample of the seed.")] = 0,
    label: Annotated[str | None, typer.Option(help="The class, for bundles that have classes.")] = None,
    analyte: Annotated[
        list[str] | None, typer.Option(metavar="NAME=AMOUNT", help="For bundles that have analytes; one for each.")
    ] = None,
    extrapolate: Annotated[bool, typer.Option("--extrapolate", help="Take amounts outside those of the fit.")] = False,
    noise_scale: Annotated[
        float | None, typer.Option(min=0, help="Detector noise: 1 as measured (the default), 0 none.")
    ] = None,
    plot: Plot = None,
    device: Device = "cpu",
) -> None:
    """Generate spectra; sample i of a seed is the same on every machine."""
    from lineshape.writers import write_table
    from lineshape_edge.tasks import sample as draw

    amounts = _amounts(analyte or [])
    model = opened(path, device)
    model.require("sample")
    axis = model.manifest.axis("spectrum")
    spectra = draw(model, n, seed, first, label, amounts, extrapolate, noise_scale)
    columns = {f"sample {first + i}": spectrum for i, spectrum in enumerate(spectra)}
    told = {
        "label": label or "",
        "analytes": ", ".join(f"{name} {amount!r}" for name, amount in amounts.items()),
        "noise scale": "" if noise_scale is None else f"{noise_scale:g}",
    }
    write_table(out, axis, columns, {**origin(model), "seed": str(seed), **told})
    typer.echo(f"{out}: {n} spectra, samples {first} to {first + n - 1} of seed {seed}")
    if plot:
        from lineshape_edge.plot import plot_samples

        plot_samples(plot, axis, spectra, f"{model.manifest.name} {model.manifest.version}, seed {seed}")


def _amounts(words: list[str]) -> dict[str, float]:
    """The amounts that `--analyte` gave."""
    from lineshape.errors import UsageError

    amounts = {}
    for word in words:
        name, _, number = word.rpartition("=")
        try:
            amounts[name] = float(number)
        except ValueError:
            raise UsageError(f"--analyte {word}: write NAME=AMOUNT, with a number") from None
    return amounts


@bundle.command("show")
def show(path: BundlePath, json: Json = False) -> None:
    """What a bundle is for, what it takes and what it gives."""
    from lineshape.bundle import open_bundle, verdict_of

    found = open_bundle(path)
    if json:
        typer.echo(msgspec.json.encode({"digest": found.digest, "manifest": found.manifest}))
        return
    manifest, validated = found.manifest, verdict_of(found)
    typer.echo(f"{manifest.name} {manifest.version}: {manifest.task}, family {manifest.family}\nsha256 {found.digest}")
    typer.echo(found.signed_by)
    typer.echo(f"validation: {validated.verdict if validated and validated.verdict else 'not made'}")
    for role, axis in manifest.axes.items():
        typer.echo(f"{role}: {axis.modality}, {axis.first:g} to {axis.last:g} {axis.unit}, {axis.n} points")
    if manifest.classes:
        typer.echo(f"classes: {', '.join(manifest.classes)}")
    for analyte in manifest.analytes:
        typer.echo(f"analyte {analyte.name}: {analyte.low:g} to {analyte.high:g}")
    if sampler := manifest.sampler:
        typer.echo(f"sampler: {sampler.algorithm}, evaluations {sampler.evaluations}, guidance {sampler.guidance:g}")
    if manifest.library:
        typer.echo(f"library: {manifest.library}, the source spectra of the fit")
    for wire, form in manifest.wire_names.items():
        graph = manifest.graphs[form]
        inputs, outputs = (", ".join(f"{t.name} {t.dtype} [n, {t.shape[1]}]" for t in side)
                           for side in (graph.inputs, graph.outputs))  # fmt: skip
        typer.echo(f"{wire}: {inputs} -> {outputs}")


@bundle.command("verify")
def verify(path: BundlePath, device: Device = "cpu") -> None:
    """Check every hash, then run the golden cases on this machine."""
    model = opened(path, device)
    cases = sum(len(model.bundle.golden(form)) for form in model.manifest.graphs)
    typer.echo(f"{path}: {len(model.manifest.files)} files as sealed, {cases} golden cases within tolerance, "
               f"{model.bundle.signed_by}, sha256 {model.digest}")  # fmt: skip


@bundle.command("key")
def key(name: Annotated[str, typer.Argument(help="Of the two files to write: NAME.key.pem and NAME.pem.")]) -> None:
    """Make a key to sign bundles with, and the public key for those who trust it."""
    from lineshape.bundle.signature import check_installed, new_key
    from lineshape.errors import UsageError
    from lineshape.files import write_atomically

    check_installed()
    secret, public = Path(f"{name}.key.pem"), Path(f"{name}.pem")
    if there := [path for path in (secret, public) if path.exists()]:
        raise UsageError(f"{there[0]}: already there, and a key is never written over; choose another name")
    for path, content in zip((secret, public), new_key(), strict=True):
        write_atomically(path, content)
    secret.chmod(0o600)
    typer.echo(f"{secret}: keep it to yourself\n{public}: give it to those who are to trust your bundles")


@bundle.command("sign")
def sign(
    path: BundlePath,
    private: Annotated[Path, typer.Option("--key", help="A private key on the curve P-256, PEM.")],
) -> None:
    """Say who answers for a bundle."""
    from lineshape import bundle as bundles
    from lineshape.errors import UsageError

    try:
        secret = private.read_bytes()
    except OSError as error:
        raise UsageError(f"{private}: cannot be read: {error.strerror}") from None
    bundles.sign(path, secret)
    typer.echo(f"{path}: signed with {private}")


def doctor(json: Json = False) -> None:
    """What this machine has, and which execution providers really run; needs no network."""
    from lineshape_edge.doctor import examine

    found = examine()
    if json:
        typer.echo(msgspec.json.encode(found))
        return
    for name, value in found.items():
        typer.echo(f"{name:<28} {value}")


def opened(path: Path, device: str) -> Model:
    """The verified bundle as a model on a device."""
    from lineshape.errors import UsageError
    from lineshape_edge.model import Model

    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device is cpu or cuda; got {device!r}")
    return Model.open(path, device=device)  # type: ignore[arg-type]


def origin(model: Model) -> dict[str, str]:
    """What every written file says of the bundle."""
    return {"bundle": model.manifest.name, "version": model.manifest.version, "digest": model.digest}
