"""The verbs of data sets: choose, join, and the options by which every verb names columns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import msgspec
import typer

if TYPE_CHECKING:
    from lineshape_training.datasets.opening import Columned
    from lineshape_training.spectra import SpectraTable

Data = Annotated[str, typer.Option(help="An npz, CSV or Parquet file, or a data set of the catalogue.")]
Modality = Annotated[str | None, typer.Option(help="raman, ir, nir, maldi, xrd ...; needed where the axis is in cm-1.")]
Unit = Annotated[
    str | None,
    typer.Option(
        help="Of the axis: cm-1, nm, um, THz, 'deg 2theta', m/z ...; by default as its name or modality says."
    ),
]
Group = Annotated[
    list[str] | None,
    typer.Option(help="Column of the independent unit; several together name one. 'each': every spectrum is one."),
]
Label = Annotated[str | None, typer.Option(help="Column of the class; by default 'label'.")]
Instrument = Annotated[str | None, typer.Option(help="Column of the instrument; by default 'instrument'.")]
Analyte = Annotated[str | None, typer.Option(help="Column of an amount to predict, in the place of the class.")]
ClassSize = Annotated[int, typer.Option(min=1, help="Classes of fewer spectra are left out.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def said(modality: str | None, unit: str | None, group: list[str] | None, label: str | None,
         instrument: str | None = None, analyte: str | None = None, class_size: int = 1) -> Columned:  # fmt: skip
    """What the options say of a file."""
    from lineshape import axis
    from lineshape.errors import UsageError
    from lineshape_training.datasets.opening import Columned

    if unit is not None and unit not in get_args(axis.Unit):
        raise UsageError(f"--unit {unit}: choose one of {', '.join(map(repr, get_args(axis.Unit)))}")
    analytes = (analyte,) if analyte else ()
    return Columned(
        modality, cast("axis.Unit | None", unit), tuple(group or ()), label, instrument, analytes, class_size
    )


def opened(data: str, said: Columned) -> SpectraTable:
    """The table that the options name; what its checks find goes to standard error."""
    from lineshape_training.datasets.checks import check_table, in_large_classes, united
    from lineshape_training.datasets.opening import open_table

    table = in_large_classes(open_table(data, said), said.class_size, data)
    if table.label is None and not said.analytes:
        print("note: no classes; if a column holds them, name it with --label", file=sys.stderr)  # noqa: T201
    for finding in check_table(table):
        print(f"{finding.kind}: {finding.text}", file=sys.stderr)  # noqa: T201 - a command speaks
    return united(table)


def choose(
    data: Data,
    modality: Modality = None,
    unit: Unit = None,
    group: Group = None,
    label: Label = None,
    json: Json = False,
) -> None:
    """Recommend a generator family for a data set, by its independent groups, with the reason."""
    from lineshape_training.datasets.choice import choose as recommend

    choice = recommend(opened(data, said(modality, unit, group, label)))
    if json:
        typer.echo(msgspec.json.encode(choice))
        return
    for one in choice.classes:
        typer.echo(f"{one.label or 'all spectra':<20} {one.spectra:>6} spectra {one.groups:>6} independent groups")
    typer.echo(f"recommended: {choice.families[0]} (then {', '.join(choice.families[1:])}): {choice.reason}")


def join(
    first: Annotated[
        Path, typer.Argument(help="An npz, CSV or Parquet file; of columns that both have, its are kept.")
    ],
    second: Annotated[Path, typer.Argument(help="The same specimens, measured in another way.")],
    by: Annotated[str, typer.Option(help="The column of both that names the specimen.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The npz file to write.")],
) -> None:
    """Make one file of pairs of two files of the same specimens, measured in different modalities."""
    import io

    import numpy as np

    from lineshape.errors import UsageError
    from lineshape.files import write_atomically
    from lineshape_training.datasets import joining

    if out.suffix != ".npz":
        raise UsageError(f"{out}: pairs become an .npz file")
    pairs = joining.join(first, second, by)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **pairs)
    write_atomically(out, content.getvalue())
    typer.echo(f"{out}: {len(pairs[by])} specimens that stand in both files, each by its first row in either")
