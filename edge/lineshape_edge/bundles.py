"""The verbs of `lineshape bundle`: look at bundles, check them, sign them, and keep them on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from lineshape_edge.commands import BundlePath, Device, Json, opened

if TYPE_CHECKING:
    from lineshape.bundle import Identity

Name = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Of an installed bundle.")]

bundle = typer.Typer(help="Look at bundles, check, sign and install them.", no_args_is_help=True)


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
    bundles.sign(Path(path), secret)
    typer.echo(f"{path}: signed with {private}")


@bundle.command("install")
def install(
    paths: Annotated[list[Path], typer.Argument(metavar="BUNDLE...", help=".lineshape files or folders of bundles.")],
) -> None:
    """Keep bundles on this machine, so that every verb finds them by their names."""
    from lineshape.bundle import Store, open_bundle

    store = Store()
    for found in [open_bundle(path) for path in paths]:  # one that is refused leaves all as it was
        done = "installed" if store.install(found) else "was installed already"
        typer.echo(f"{found.manifest.name}@{found.manifest.version}: {done}, sha256 {found.digest}")


@bundle.command("list")
def installed(json: Json = False) -> None:
    """The bundles installed on this machine, by name and version."""
    from lineshape.bundle import Store

    store = Store()
    found = store.bundles()
    if json:
        typer.echo(msgspec.json.encode(found))
        return
    if not found:
        typer.echo(f"none installed in {store.folder}")
    for one in found:
        signed = "signed" if one.signed else "not signed"
        typer.echo(f"{one.name}@{one.version}: {one.bytes / 1e6:.1f} MB, {signed}, sha256 {one.digest}")


@bundle.command("remove")
def remove(name: Name) -> None:
    """Forget an installed bundle; `lineshape bundle gc` gives its space back."""
    from lineshape.bundle import Store

    typer.echo(f"{Store().remove(_identity(name))}: removed")


@bundle.command("gc")
def gc() -> None:
    """Delete the files that no installed bundle needs any more."""
    from lineshape.bundle import Store

    files, freed = Store().gc()
    typer.echo(f"{files} files deleted, {freed:,} bytes freed")


def _identity(word: str) -> Identity:
    from lineshape.bundle import Identity
    from lineshape.errors import UsageError

    identity = Identity.read(word)
    if identity is None:
        raise UsageError(f"{word}: none installed of that name, which is NAME or NAME@VERSION in small letters, as "
                         "`lineshape bundle list` writes it")  # fmt: skip
    return identity
