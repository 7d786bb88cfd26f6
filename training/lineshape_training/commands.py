"""The verbs of the training room: fit, recipes, demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
import typer

from lineshape_training.transfer.commands import References, transfer, transfer_ablation
from lineshape_training.transfer_studies.commands import transfer_cost, transfer_studies

if TYPE_CHECKING:
    from lineshape_training.family import Table
    from lineshape_training.recipe import Recipe

bench = typer.Typer(no_args_is_help=True)


@bench.callback()  # without one, typer would take a single verb for the whole group
def _bench() -> None:
    """Measure, each peer in the same run."""


Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
Size = Annotated[str, typer.Option(help="Of a shipped recipe: cpu (two cores), or gpu (larger networks, more steps).")]


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this one as TOML, to be saved and edited.")] = None,
    size: Size = "cpu",
    json: Json = False,
) -> None:
    """List the recipes that come with Lineshape, or print one."""
    from lineshape_training import recipe

    if name:
        one = recipe.load(name, size)
        typer.echo(msgspec.json.encode(one) if json else recipe.text(one), nl=json)
        return
    found = list(recipe.shipped(size).values())
    if json:
        typer.echo(msgspec.json.encode(found))
    else:
        _list(found)


def _list(found: list[Recipe]) -> None:
    """One line for each recipe, its columns as wide as they need to be."""
    name, family = (max(len(getattr(one, column)) for one in found) for column in ("name", "family"))
    for one in found:
        minutes = "not measured" if one.minutes is None else f"{one.minutes:.1f} min"
        typer.echo(f"{one.name:<{name}}  {one.family:<{family}}  {minutes:>12}  {one.about}")


def fit(
    recipe: Annotated[str, typer.Argument(help="The name of a recipe, or a TOML file.")],
    data: Annotated[
        str, typer.Option(help="An npz, CSV or Parquet file, a data set of the catalogue, or 'embedded' (minerals).")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    references: References = None,
    size: Size = "cpu",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Of each machine, sharing the batch; start with torchrun.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="Machines that share the batch.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; more help large networks only.")] = 1,
    hold_out: Annotated[float, typer.Option(min=0, max=0.5, help="Share of the groups to keep for `validate`.")] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
) -> None:
    """Fit one generator family to a table of spectra."""
    from lineshape.errors import UsageError
    from lineshape_training.recipe import load

    plan = load(recipe, size)  # before the heavy imports: a misspelt name is answered at once
    import torch
    from lightning.fabric import Fabric
    from lightning.fabric.strategies import DDPStrategy
    from tqdm import tqdm

    from lineshape_training import fitting, loading, splits

    if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UsageError(f"--device {device}: choose auto, cpu or, where torch sees a GPU, cuda")
    table = loading.load_table(data, plan, seed, references)
    if hold_out:
        table = table.rows(splits.hold_out(table.group, table.label, hold_out, seed)[0])
    torch.set_num_threads(threads)  # two threads wait for each other wherever something else runs beside them
    # In a turn of an adversarial fit the other player's weights get no gradient, which DDP must be told to expect.
    strategy = DDPStrategy(find_unused_parameters=True) if devices * nodes > 1 else "auto"
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=nodes, strategy=strategy,
                    precision=plan.fit.precision)  # fmt: skip
    fabric.launch()
    read = [data, *([references] if references else [])]
    total, quiet = fitting.total_steps(plan), fabric.global_rank > 0
    with tqdm(total=total, desc=plan.name, unit="step", file=sys.stderr, disable=quiet) as bar:
        try:
            run = fitting.fit(plan, table, out, data=" with ".join(Path(one).name for one in read),
                              data_sha256=loading.fingerprint(*read), seed=seed, fabric=fabric, resume=resume,
                              progress=bar.update)  # fmt: skip
        except KeyboardInterrupt:
            bar.close()
            typer.echo(f"lineshape: {out}: interrupted; the same command with --resume goes on", err=True)
            raise typer.Exit(130) from None
    if quiet:
        return
    found = run.fitted
    steps = f"{found.steps} steps{' chosen on held-out groups' if plan.fit.chosen else ''}"
    typer.echo(
        f"{out}: {plan.family} with {found.parameters:,} parameters,{_told(table, len(run.spec.conditions.classes))} "
        f"{len(table)} spectra of {run.spec.groups} groups, {steps}, {found.seconds:.0f} s"
    )


def _told(table: Table, classes: int) -> str:
    """What a fit was told of its spectra, or a transfer of the references beside its pairs."""
    from lineshape_training.spectra import PairTable

    known = table.references if isinstance(table, PairTable) else table
    unknown = f"{classes} classes ({int((known.labels == '').sum())} without one)" if known and classes else ""
    if not isinstance(table, PairTable):
        return f" told {unknown}," if unknown else ""
    if known is None:
        return ""
    groups = set(table.group.tolist())
    shared = len(groups & set(known.group.tolist()))
    of = f" of {unknown}" if unknown else ""
    return f" beside {len(known):,} references{of} that name {shared} of the pairs' {len(groups)} groups,"


bench.command("transfer")(transfer)
bench.command("transfer-ablation")(transfer_ablation)
bench.command("transfer-cost")(transfer_cost)
bench.command("transfer-studies")(transfer_studies)


@bench.command("families")
def bench_families(
    on: Annotated[str, typer.Argument(help="Whose recipes: saliva, minerals, isolates, raman...")],
    data: Annotated[str, typer.Option(help="A file, a data set of the catalogue, or 'embedded'.")],
    family: Annotated[list[str] | None, typer.Option(help="Of the families; by default all.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Into which the groups are split.")] = 3,
    used: Annotated[int, typer.Option(min=1, help="How many of them are held out in turn.")] = 3,
    most: Annotated[int | None, typer.Option(min=2, help="Spectra of a class that a fit gets; by default all.")] = None,
    size: Size = "cpu",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG of real spectra beside those of each method.")] = None,
    work: Annotated[Path, typer.Option(help="Folder of what is computed; what is there is kept.")] = Path(
        "build/families"
    ),
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Every generator family on groups that were held out, beside classical augmentation, SMOTE and real spectra."""
    from tqdm import tqdm

    from lineshape import results
    from lineshape_training import comparison, loading
    from lineshape_training.spectra import SpectraTable

    plans = comparison.recipes_of(on, family, size)
    table = cast(SpectraTable, loading.load_table(data, plans[0], seed))
    compared = comparison.Comparison(table, plans, folds, used, seed, work, most)
    with tqdm(total=compared.count, desc=on, unit="cell", file=sys.stderr) as bar:
        lines = compared.run(jobs, bar.update)
    typer.echo(comparison.as_text(lines))
    if out:
        few = f", at most {most} of a class in a fit" if most else ""
        results.record(out, on, f"{min(used, folds)} of {folds} folds{few}", lines)
    if picture:
        comparison.side_by_side({method: cells[0] for method, cells in compared.cells.items()}, picture)


@bench.command("steps")
def bench_steps(
    on: Annotated[str, typer.Argument(help="Whose recipes: minerals, saliva...")],
    data: Annotated[str, typer.Option(help="A file, a data set of the catalogue, or 'embedded'.")],
    seeds: Annotated[int, typer.Option(min=1, help="Fits, each on other groups.")] = 3,
    folds: Annotated[int, typer.Option(min=2, help="Into which the groups are split.")] = 3,
    size: Size = "cpu",
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG of quality against evaluations.")] = None,
    work: Annotated[Path, typer.Option(help="Folder of what is computed; what is there is kept.")] = Path(
        "build/steps"
    ),
) -> None:
    """Quality and time by the number of network evaluations: diffusion, flow, its student, and shortcut."""
    from tqdm import tqdm

    from lineshape import results
    from lineshape_training import comparison, loading, steps
    from lineshape_training.spectra import SpectraTable

    plans = comparison.recipes_of(on, steps.FITTED, size)
    table = cast(SpectraTable, loading.load_table(data, plans[0]))
    asked = steps.StepsBench(table, plans, seeds, folds, work)
    with tqdm(total=asked.count, desc=on, unit="cell", file=sys.stderr) as bar:
        found = asked.run(jobs, bar.update)
    typer.echo(steps.as_text(found))
    if out:
        results.record(out, on, f"{seeds} of {folds} folds", found)
    if picture:
        steps.curves(found, picture)


@bench.command("analytes")
def bench_analytes(
    recipe: Annotated[str, typer.Argument(help="The name of a recipe that is told amounts, or a TOML file.")],
    data: Annotated[str, typer.Option(help="A file, or a data set of the catalogue.")],
    repeats: Annotated[int, typer.Option(min=2, help="Fresh splits, each with a fit of its own.")] = 20,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
    work: Annotated[Path, typer.Option(help="Folder of what is computed; what is there is kept.")] = Path(
        "build/analytes"
    ),
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Calibrations with and without generated spectra, and whether those hold the amounts that were asked for."""
    from tqdm import tqdm

    from lineshape import results
    from lineshape_training import analyte_bench, loading
    from lineshape_training.recipe import load
    from lineshape_training.spectra import SpectraTable

    plan = load(recipe)
    table = cast(SpectraTable, loading.load_table(data, plan, seed))
    with tqdm(total=repeats, desc=plan.name, unit="repeat", file=sys.stderr) as bar:
        found = analyte_bench.bench(plan, table, repeats, work, seed, jobs, bar.update)
    typer.echo(analyte_bench.as_text(found))
    if out:
        results.record(out, plan.name, f"{repeats} repeats", found)


@bench.command("fit")
def bench_fit(
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    steps: Annotated[int, typer.Option(min=1, help="Steps of a measurement.")] = 40,
    repeats: Annotated[int, typer.Option(min=3, help="Pairs of measurements.")] = 9,
    size: Annotated[str, typer.Option(help="cpu or gpu: the networks of the shipped recipe of that size.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """WGAN-GP through the fitting loop, beside the loop as it is usually written: time and quality of equal steps."""
    import torch
    from tqdm import tqdm

    from lineshape import results
    from lineshape.errors import UsageError
    from lineshape_training import fit_bench

    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UsageError(f"--device {device}: choose cpu or, where torch sees a GPU, cuda")
    torch.set_num_threads(threads)
    with tqdm(total=repeats, desc="fit", unit="pair", file=sys.stderr) as bar:
        found = fit_bench.bench(device, steps, repeats, size, seed, bar.update)
    for name, time, score in (
        ("lineshape", found.milliseconds, found.mmd),
        ("plain loop", found.plain_milliseconds, found.plain_mmd),
    ):
        typer.echo(f"{name:<10} {time.value:7.1f} ms a step ({time.low:.1f} to {time.high:.1f}); squared MMD "
                   f"{score.value:.4f} ({score.low:.4f} to {score.high:.4f}) after {found.steps} steps")  # fmt: skip
    gain, floor = found.speedup, found.floor
    typer.echo(f"speed-up {gain.value:.2f} ({gain.low:.2f} to {gain.high:.2f}); squared MMD of real spectra "
               f"{floor.value:.4f} ({floor.low:.4f} to {floor.high:.4f})")  # fmt: skip
    if out:
        name = torch.cuda.get_device_name() if device == "cuda" else f"{threads} threads"
        results.record(out, "fit", f"wgan-gp {size}, {device}", {"on": name, **msgspec.to_builtins(found)})


@bench.command("metrics")
def bench_metrics(
    spectra: Annotated[int, typer.Option(min=100, help="Synthetic spectra, and as many real ones.")] = 5000,
    points: Annotated[int, typer.Option(min=64)] = 1024,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
) -> None:
    """Seconds and peak memory of every metric, each in a process of its own."""
    from lineshape import results
    from lineshape_training.validation.cost import measure_cost
    from lineshape_training.validation.costed import METRICS

    found = measure_cost(METRICS, spectra, points)
    for cost in found:
        typer.echo(f"{cost.name:<40} {cost.seconds:6.1f} s {cost.peak_mib:6.0f} MiB")
    if out:
        costs = {cost.name: {"seconds": round(cost.seconds, 2), "peak_mib": round(cost.peak_mib)} for cost in found}
        results.record(out, "metrics", f"{spectra} x {points}", costs)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for runs, bundles, spectra and the report.")] = Path("build/demo"),
) -> None:
    """The whole path on the simulated mineral library: fit, export, serve, call through the wire, report."""
    from lineshape_training.demo import run_demo

    run_demo(out)
