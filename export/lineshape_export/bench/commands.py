"""The verb `lineshape bench export`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def bench_export(
    only: Annotated[list[str] | None, typer.Argument(metavar="LINE", help="Of the table; by default all.")] = None,
    work: Annotated[Path, typer.Option(help="Folder of the short fits, kept between runs.")] = Path("build/export"),
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
) -> None:
    """Every family in every format: size, nodes, seconds, deviation from PyTorch, milliseconds of a call."""
    from tqdm import tqdm

    from lineshape import results
    from lineshape.errors import UsageError
    from lineshape_export.bench.subjects import SUBJECTS
    from lineshape_export.bench.table import as_text, line_of, reference

    known = {subject.name: subject for subject in SUBJECTS}
    if wrong := set(only or []) - known.keys():
        raise UsageError(f"{min(wrong)}: no line of the table; there are {', '.join(known)}")
    beside = reference(work)
    for name in tqdm(only or known, desc="export", unit="line", file=sys.stderr):
        line = line_of(known[name], work, beside)
        typer.echo(as_text(name, line))
        if out:
            results.record(out, "export", name, line)
