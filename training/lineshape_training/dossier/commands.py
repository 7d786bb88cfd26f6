"""The verb dossier: the record for regulators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def dossier(
    run: Annotated[Path, typer.Argument(help="Folder of a run, validated or not.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write dossier.md, .html and .json into.")],
) -> None:
    """Write what FDA's draft guidance and the EU AI Act ask about synthetic data, with blanks for people; no claims."""
    from lineshape_training.dossier import write_dossier
    from lineshape_training.run import Run

    written = write_dossier(Run(run), out)
    blanks = sum(1 for _ in written.page.blanks)
    typer.echo(f"{out / 'dossier.md'}: {written.facts.verdict}, {blanks} blanks to fill in")
