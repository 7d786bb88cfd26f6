"""The verbs of `lineshape bentoml`: bundles into BentoML's model store, and out of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

Bundles = Annotated[
    list[str],
    typer.Argument(metavar="BUNDLE...", help=".lineshape files, bundles' folders, or names of installed ones."),
]
Tag = Annotated[str, typer.Argument(metavar="NAME[:VERSION]", help="As `bentoml models list` names it.")]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", help="A new .lineshape file or folder; NAME-VERSION.lineshape.")
]

bentoml = typer.Typer(help="Bundles into BentoML's model store, and out of it.", no_args_is_help=True)


@bentoml.command("import")
def import_bundles(paths: Bundles) -> None:
    """Put bundles into the model store (BENTOML_HOME), as NAME:VERSION."""
    from lineshape.bundle import open_bundle

    _unwatched()
    from lineshape_serving.model_store import import_bundle

    for path in paths:
        bundle = open_bundle(path)
        done = "imported" if import_bundle(bundle) else "was imported already"
        typer.echo(f"{bundle.manifest.name}:{bundle.manifest.version}: {done}, sha256 {bundle.digest}")


@bentoml.command("export")
def export(tag: Tag, out: Out = None) -> None:
    """Write an entry of the model store as a bundle again; it is verified first."""
    _unwatched()
    from lineshape.bundle import copy_bundle
    from lineshape_serving.model_store import export_bundle

    bundle = export_bundle(tag)
    target = out or Path(f"{bundle.manifest.name}-{bundle.manifest.version}.lineshape")
    copy_bundle(bundle, target)
    typer.echo(f"{target}: {bundle.manifest.name}:{bundle.manifest.version}, sha256 {bundle.digest}")


@bentoml.command("build")
def build(
    paths: Bundles,
    name: Annotated[str, typer.Option(help="What the bento is called.")] = "lineshape",
    package: Annotated[
        list[str] | None,
        typer.Option(help="What its image installs: a requirement or a wheel.", show_default="lineshape[serving]"),
    ] = None,
) -> None:
    """Build a bento that serves bundles; `bentoml serve` and `bentoml containerize` take it from there."""
    from lineshape.bundle import open_bundle

    _unwatched()
    from lineshape_serving.bento import build_bento

    typer.echo(build_bento([open_bundle(path) for path in paths], name, package or ()))


def _unwatched() -> None:
    """Before BentoML is imported: a private machine tells nobody what it does."""
    os.environ["BENTOML_DO_NOT_TRACK"] = "true"
