"""The verbs of the edge room that need no measured spectrum: sample, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

if TYPE_CHECKING:
    from lineshape_edge.model import Model

BundlePath = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE", help="A .lineshape file, a bundle's folder, or NAME or NAME@VERSION of an installed one."
    ),
]
PICTURES = (".png", ".svg", ".pdf")


def _picture(path: Path | None) -> Path | None:
    """Refused before anything is computed."""
    if path and path.suffix not in PICTURES:
        raise typer.BadParameter(f"{path}: a picture ends in {', '.join(PICTURES[:-1])} or {PICTURES[-1]}")
    return path


Plot = Annotated[Path | None, typer.Option(callback=_picture, help="Also draw a picture here (.png, .svg or .pdf).")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]


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


def doctor(json: Json = False) -> None:
    """What this machine has, and which execution providers really run; needs no network."""
    from lineshape_edge.doctor import examine

    found = examine()
    if json:
        typer.echo(msgspec.json.encode(found))
        return
    for name, value in found.items():
        typer.echo(f"{name:<28} {value}")


def opened(path: Path | str, device: str) -> Model:
    """The verified bundle as a model on a device."""
    from lineshape.errors import UsageError
    from lineshape_edge.model import Model

    if device not in ("cpu", "cuda"):
        raise UsageError(f"--device is cpu or cuda; got {device!r}")
    return Model.open(path, device=device)  # type: ignore[arg-type]


def origin(model: Model) -> dict[str, str]:
    """What every written file says of the bundle."""
    return {"bundle": model.manifest.name, "version": model.manifest.version, "digest": model.digest}
