"""The verbs of data sets: choose, and the options by which every verb names columns."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from lineshape_training.spectra import SpectraTable

Data = Annotated[str, typer.Option(help="An npz, CSV or Parquet file, or a data set of the catalogue.")]
Modality = Annotated[str | None, typer.Option(help="raman, ir, nir, maldi, xrd ...; needed where the axis is in cm-1.")]
Group = Annotated[
    list[str] | None,
    typer.Option(help="Column of the independent unit; several together name one. 'each': every spectrum is one."),
]
Label = Annotated[str | None, typer.Option(help="Column of the class; by default 'label'.")]
Instrument = Annotated[str | None, typer.Option(help="Column of the instrument; by default 'instrument'.")]
Analyte = Annotated[str | None, typer.Option(help="Column of an amount to predict, in the place of the class.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def opened(data: str, modality: str | None, group: list[str] | None, label: str | None = None,
           instrument: str | None = None, analyte: str | None = None) -> SpectraTable:  # fmt: skip
    """The table that the options name; what its checks find goes to standard error."""
    from lineshape_training.datasets.checks import check_table, united
    from lineshape_training.datasets.opening import Columned, open_table

    analytes = (analyte,) if analyte else ()
    table = open_table(data, Columned(modality, None, tuple(group or ()), label, instrument, analytes))
    if table.label is None and not analyte:
        print("note: no classes; if a column holds them, name it with --label", file=sys.stderr)  # noqa: T201
    for finding in check_table(table):
        print(f"{finding.kind}: {finding.text}", file=sys.stderr)  # noqa: T201 - a command speaks
    return united(table)


def choose(
    data: Data,
    modality: Modality = None,
    group: Group = None,
    label: Label = None,
    json: Json = False,
) -> None:
    """Recommend a generator family for a data set, by its independent groups, with the reason."""
    from lineshape_training.datasets.choice import choose as recommend

    choice = recommend(opened(data, modality, group, label))
    if json:
        typer.echo(msgspec.json.encode(choice))
        return
    for one in choice.classes:
        typer.echo(f"{one.label or 'all spectra':<20} {one.spectra:>6} spectra {one.groups:>6} independent groups")
    typer.echo(f"recommended: {choice.families[0]} (then {', '.join(choice.families[1:])}): {choice.reason}")
