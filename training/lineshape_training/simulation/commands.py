"""The verb `simulate`: spectra with known truth as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lineshape_training.spectra import SpectraTable


def simulate(
    modality: Annotated[str, typer.Argument(help="raman, ir, nir, maldi or xrd.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The npz file to write.")],
    classes: Annotated[int, typer.Option(help="Classes.")] = 2,
    subjects: Annotated[int, typer.Option(help="Subjects of each class.")] = 20,
    replicates: Annotated[int, typer.Option(help="Spectra of each subject.")] = 5,
    instruments: Annotated[int, typer.Option(help="Instruments; each subject is measured on several.")] = 1,
    analyte: Annotated[list[str] | None, typer.Option(help="Name of an analyte; may be given several times.")] = None,
    effect: Annotated[float, typer.Option(help="Distance of two classes, in standard deviations of subjects.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Which subjects are drawn.")] = 0,
    population: Annotated[int, typer.Option(help="What the subjects are drawn from.")] = 0,
) -> None:
    """Simulate spectra whose classes, subjects and analytes have a known effect."""
    from lineshape.errors import UsageError
    from lineshape.files import write_atomically
    from lineshape_training.simulation import Design

    if out.suffix != ".npz":
        raise UsageError(f"{out}: simulated spectra become an npz file; name it {out.stem}.npz")
    design = Design(modality, classes, subjects, replicates, instruments, tuple(analyte or ()), effect,
                    population=population, seed=seed)  # fmt: skip
    from lineshape_training.simulation import simulate as draw  # heavy: a wrong design is answered at once

    study = draw(design)
    write_atomically(out, _archive(study.table))
    typer.echo(
        f"{out}: {len(study.table)} simulated {modality} spectra of {classes * subjects} subjects in {classes} classes;"
        f" no classifier of single spectra exceeds a balanced accuracy of {study.best_accuracy:.3f}"
    )


def _archive(table: SpectraTable) -> bytes:
    import io

    import numpy as np

    from lineshape.errors import UsageError

    columns: dict[str, NDArray[Any] | None] = {"label": table.label, "instrument": table.instrument}
    columns |= {"spectra": table.values, "axis": table.axis.values, "group": table.group, "identity": table.identity}
    for name in table.analytes:
        if name in {*columns, "file", "allow_pickle"}:  # the last two are words of numpy.savez
            raise UsageError(f"an analyte cannot be called {name!r}: that array of the file holds something else")
    arrays = {name: column for name, column in (columns | dict(table.analytes)).items() if column is not None}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
