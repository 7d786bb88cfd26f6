"""The verbs of the training room: fit, recipes, demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]


def recipes(json: Json = False) -> None:
    """List the recipes that come with Lineshape."""
    from lineshape_training.recipe import shipped

    found = list(shipped().values())
    if json:
        typer.echo(msgspec.json.encode(found))
        return
    for recipe in found:
        typer.echo(f"{recipe.name:<14} {recipe.family:<12} {recipe.minutes:>5.1f} min   {recipe.about}")


def fit(
    recipe: Annotated[str, typer.Argument(help="The name of a recipe, or a TOML file.")],
    data: Annotated[str, typer.Option(help="An npz file, or 'embedded' for the simulated mineral library.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(help="Devices to share the batch; start with torchrun.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
) -> None:
    """Fit one generator family to a table of spectra."""
    from lightning.fabric import Fabric
    from tqdm import tqdm

    from lineshape_training import fitting, loading
    from lineshape_training.recipe import load

    plan = load(recipe)
    table = loading.load_table(data, plan, seed)
    fabric = Fabric(accelerator=device, devices=devices, precision=plan.fit.precision)
    fabric.launch()
    with tqdm(total=fitting.total_steps(plan), desc=plan.name, unit="step", file=sys.stderr) as bar:
        run = fitting.fit(plan, table, out, data=Path(data).name, data_sha256=loading.fingerprint(data), seed=seed,
                          fabric=fabric, resume=resume, progress=bar.update)  # fmt: skip
    found = run.fitted
    typer.echo(
        f"{out}: {plan.family} with {found.parameters:,} parameters, {len(table)} spectra of {run.spec.groups} groups, "
        f"{found.steps} steps chosen on held-out groups, {found.seconds:.0f} s"
    )


def demo(
    out: Annotated[Path, typer.Option(help="Folder for runs, bundles, spectra and the report.")] = Path("build/demo"),
) -> None:
    """The whole path on the simulated mineral library: fit, export, serve, call through the wire, report."""
    from lineshape_training.demo import run_demo

    run_demo(out)
