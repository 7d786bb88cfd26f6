"""The verbs `bench transfer-studies` and `bench transfer-cost`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lineshape_training.transfer.commands import WORK, Asked, Data, Folds, Jobs, References, Seed, Work, asked

Out = Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")]


def transfer_studies(
    recipe: Asked,
    data: Data,
    protocol: Annotated[str, typer.Option(help="random, id or mineral.")] = "mineral",
    labels: Annotated[
        Path | None, typer.Option(help="An npz file with `mineral` and its chemical `family`; by default no families.")
    ] = None,
    references: References = None,
    jobs: Jobs = 1,
    out: Out = None,
    work: Work = WORK,
    folds: Folds = 10,
    seed: Seed = 0,
) -> None:
    """What transfers of held-out pairs are good for: classification, mixtures, resolution (fits of bench transfer)."""
    from tqdm import tqdm

    from lineshape import results
    from lineshape.errors import UsageError
    from lineshape_training.transfer.cells import answers
    from lineshape_training.transfer.protocols import PROTOCOLS
    from lineshape_training.transfer_studies.classification import families
    from lineshape_training.transfer_studies.folds import networks
    from lineshape_training.transfer_studies.studies import as_text, studies

    held = next((name for name in PROTOCOLS if name == protocol), None)
    if held is None:
        raise UsageError(f"--protocol {protocol}: choose {', '.join(PROTOCOLS)}")
    family = families(labels) if labels else {}  # before any fit: a wrong file is said at once
    plan, table, direction = asked(recipe, data, references, seed)
    work = work / direction
    with tqdm(total=folds, desc=direction, unit="fold", file=sys.stderr) as bar:
        found = answers(plan, table, held, 0, work, jobs, bar.update, seed, folds)
    study = studies(plan, table, found, networks(plan, table, held, work, seed, folds), family, seed)
    typer.echo(as_text(study))
    if out:
        results.record(out, direction, protocol, study)


def transfer_cost(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A transfer bundle.")],
    out: Out = None,
    onnx: Annotated[
        bool, typer.Option(help="Time the paper's network in ONNX Runtime too; takes 8 GB of memory.")
    ] = True,
) -> None:
    """Parameters, bytes and milliseconds of a transfer, beside the network of SpectroGen's public code."""
    from lineshape import results
    from lineshape.bundle import open_bundle
    from lineshape_training.transfer.cost import cost

    found, name = cost(bundle, onnx), open_bundle(bundle).manifest.name
    paper = found.paper
    typer.echo(f"{name}: {found.parameters:,} parameters, {found.edge_bytes / 1e6:.2f} MB at the edge, "
               f"{found.milliseconds.value:.3f} ms ({found.milliseconds.low:.3f} to {found.milliseconds.high:.3f})\n"
               f"paper's network: {paper.parameters:,} parameters, {paper.bytes / 1e6:.0f} MB")  # fmt: skip
    for runtime, spent in paper.milliseconds.items():
        slower = paper.times_slower[runtime]
        typer.echo(f"in {runtime}: {spent.value:.0f} ms, {slower.value:.0f} times as long ({slower.low:.0f} to "
                   f"{slower.high:.0f})")  # fmt: skip
    if out:
        results.record(out, "cost", name, found)
