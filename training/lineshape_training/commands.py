"""The verbs of the training room: fit, recipes, demo."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

bench = typer.Typer(no_args_is_help=True)


@bench.callback()  # without one, typer would take a single verb for the whole group
def _bench() -> None:
    """Measure, each peer in the same run."""


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
    data: Annotated[str, typer.Option(help="An npz, CSV or Parquet file, or 'embedded' (simulated minerals).")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="Devices that share the batch; start with torchrun.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; more help large networks only.")] = 1,
    hold_out: Annotated[float, typer.Option(min=0, max=0.5, help="Share of the groups to keep for `validate`.")] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")] = False,
) -> None:
    """Fit one generator family to a table of spectra."""
    from lineshape.errors import UsageError
    from lineshape_training.recipe import load

    plan = load(recipe)  # before the heavy imports: a misspelt name is answered at once
    import torch
    from lightning.fabric import Fabric
    from tqdm import tqdm

    from lineshape_training import fitting, loading, splits

    if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UsageError(f"--device {device}: choose auto, cpu or, where torch sees a GPU, cuda")
    table = loading.load_table(data, plan, seed)
    if hold_out:
        table = table.rows(splits.hold_out(table.group, loading.label_of(table), hold_out, seed)[0])
    torch.set_num_threads(threads)  # two threads wait for each other wherever something else runs beside them
    fabric = Fabric(accelerator=device, devices=devices, precision=plan.fit.precision)
    fabric.launch()
    total, quiet = fitting.total_steps(plan), fabric.global_rank > 0
    with tqdm(total=total, desc=plan.name, unit="step", file=sys.stderr, disable=quiet) as bar:
        run = fitting.fit(plan, table, out, data=Path(data).name, data_sha256=loading.fingerprint(data), seed=seed,
                          fabric=fabric, resume=resume, progress=bar.update)  # fmt: skip
    if quiet:
        return
    found = run.fitted
    typer.echo(
        f"{out}: {plan.family} with {found.parameters:,} parameters, {len(table)} spectra of {run.spec.groups} groups, "
        f"{found.steps} steps chosen on held-out groups, {found.seconds:.0f} s"
    )


@bench.command("transfer")
def bench_transfer(
    recipe: Annotated[str, typer.Argument(help="The name of a transfer recipe, or a TOML file.")],
    data: Annotated[str, typer.Option(help="An npz file of pairs, or 'embedded'.")],
    protocol: Annotated[list[str], typer.Option(help="random, id or mineral; may be given several times.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Results file to add to.")] = Path("build/transfer.json"),
    work: Annotated[Path, typer.Option(help="Folder of the folds' fits; those that are there are kept.")] = Path(
        "build/bench/transfer"
    ),
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Transfer on pairs, specimens or minerals that were held out, beside its baselines (10 folds)."""
    import torch
    from tqdm import tqdm

    from lineshape.errors import UsageError
    from lineshape_training import loading, results, transfer_bench
    from lineshape_training.recipe import load
    from lineshape_training.spectra import PairTable

    torch.set_num_threads(1)
    plan = load(recipe)
    table = loading.load_table(data, plan, seed)
    if not isinstance(table, PairTable) or not set(protocol) <= {"random", "id", "mineral"}:
        raise UsageError("bench transfer takes a transfer recipe, and the protocols random, id and mineral")
    direction = f"{plan.axes['source'].modality}-{plan.axes['spectrum'].modality}"
    with tqdm(total=len(protocol) * transfer_bench.FOLDS, desc=direction, unit="fold", file=sys.stderr) as bar:
        for name in protocol:
            found = transfer_bench.bench(plan, table, name, work / direction, seed, bar.update)  # type: ignore[arg-type]
            results.record(out, direction, name, found)
            for method, figures in {"lineshape": found, **found["baselines"]}.items():
                mean, error = figures["pearson_mean"], figures["rmse"]
                typer.echo(f"{direction} {name:<8} {method:<18} Pearson {mean.value:.3f} ({mean.low:.3f} to "
                           f"{mean.high:.3f}), RMSE {error.value:.3f}")  # fmt: skip
            coverage = found["coverage_by_mineral"]
            typer.echo(f"{direction} {name:<8} the 90 % interval covers {100 * coverage.value:.1f} % "
                       f"({100 * coverage.low:.1f} to {100 * coverage.high:.1f})")  # fmt: skip


@bench.command("metrics")
def bench_metrics(
    spectra: Annotated[int, typer.Option(min=100, help="Synthetic spectra, and as many real ones.")] = 5000,
    points: Annotated[int, typer.Option(min=64)] = 1024,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
) -> None:
    """Seconds and peak memory of every metric, each in a process of its own."""
    from lineshape_training import results
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
