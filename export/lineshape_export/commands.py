"""The verb of the export room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineshape.errors import UsageError
from lineshape_export.moment import exported_at


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run that has ended.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="A .lineshape file, or a new folder.")],
    name: Annotated[str | None, typer.Option(help="Name of the bundle; by default the recipe's.")] = None,
    version: Annotated[str, typer.Option(help="Semantic version of the bundle.")] = "0.1.0",
    task: Annotated[str | None, typer.Option(help="One of the family's tasks; by default its first.")] = None,
    evaluations: Annotated[
        int | None, typer.Option(min=1, max=32, help="Of a diffusion or flow's network, for one spectrum.")
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(help="Of a diffusion or flow: dpm-solver++, heun, ddim, euler or shortcut.")
    ] = None,
    guidance: Annotated[
        float | None, typer.Option(min=0, help="Of a diffusion or flow: 1 is none, more draws classes apart.")
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(metavar="fp16|int8", help="Also seal a graph in lower precision, if it is faithful enough."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="The spectra of the fit, to calibrate lower precision on, where the task takes spectra."),
    ] = None,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="Sign the bundle with this private key on the curve P-256, PEM.")
    ] = None,
    despite: Annotated[
        str | None, typer.Option(help="Why a run that failed validation is exported; its provenance keeps the words.")
    ] = None,
) -> None:
    """Seal a fitted run into a bundle, after checking that every graph answers as PyTorch does."""
    _check_precision(precision or [])
    exported_at()  # before a part of numpy is imported that reads the variable too, and fails
    key = _key(sign) if sign else None
    from lineshape_export.export import export_run
    from lineshape_training.run import Run

    walked = Run(run).walked(sampler=sampler, evaluations=evaluations, guidance=guidance)
    digest = export_run(walked, out, name, version, despite, task, precision or [], data, key)  # type: ignore[arg-type]
    typer.echo(f"{out}: sealed{' and signed' if key is not None else ''}, sha256 {digest}")


def _key(path: Path) -> bytes:
    from lineshape.bundle.signature import check_key

    try:
        content = path.read_bytes()
        check_key(content)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
    return content


def _check_precision(precision: list[str]) -> None:
    for one in precision:
        if one not in ("fp16", "int8"):
            raise typer.BadParameter(f"{one}: lower precision is fp16 or int8", param_hint="--precision")
