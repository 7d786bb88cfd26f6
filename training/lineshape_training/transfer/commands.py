"""The verbs `bench transfer` and `bench transfer-ablation`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lineshape_training.recipe import Recipe
    from lineshape_training.spectra import PairTable
    from lineshape_training.transfer.cells import Answers

Asked = Annotated[str, typer.Argument(help="The name of a transfer recipe, or a TOML file.")]
Data = Annotated[str, typer.Option(help="An npz file of pairs, or 'embedded'.")]
References = Annotated[
    str | None, typer.Option(help="Unpaired spectra of known composition, for a recipe that learns from them.")
]
Repeats = Annotated[int, typer.Option(min=1, help="Each splits and fits anew.")]
Jobs = Annotated[int, typer.Option(min=1, help="Processes, each on one thread.")]
Work = Annotated[Path, typer.Option(help="Folder of the folds' fits and answers; those that are there are kept.")]
Folds = Annotated[int, typer.Option(min=2, help="Of each repeat.")]
Seed = Annotated[int, typer.Option(min=0)]
WORK = Path("build/transfer")


def transfer(
    recipe: Asked,
    data: Data,
    protocol: Annotated[list[str], typer.Option(help="random, id or mineral; may be given several times.")],
    references: References = None,
    repeats: Repeats = 1,
    jobs: Jobs = 1,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG of the best, median and worst transfers.")] = None,
    work: Work = WORK,
    folds: Folds = 10,
    seed: Seed = 0,
) -> None:
    """Transfer on pairs, specimens or minerals that were held out, beside its baselines."""
    from tqdm import tqdm

    from lineshape import results
    from lineshape.errors import UsageError
    from lineshape_training.transfer import bench, pictures
    from lineshape_training.transfer.protocols import PROTOCOLS

    if wrong := [name for name in protocol if name not in PROTOCOLS]:
        raise UsageError(f"--protocol {wrong[0]}: choose {', '.join(PROTOCOLS)}")
    plan, table, direction = asked(recipe, data, references, seed)
    shown: dict[str, Answers] = {}
    with tqdm(total=len(protocol) * repeats * folds, desc=direction, unit="fold", file=sys.stderr) as bar:
        for name in (known for known in PROTOCOLS if known in protocol):
            found, answers = bench.bench(plan, table, name, repeats, work / direction, jobs, bar.update, seed, folds)
            typer.echo(f"{direction}, {name} held out, {found.pairs} pairs of {found.minerals} minerals\n"
                       f"{bench.as_text(found)}")  # fmt: skip
            shown[name] = answers[0]
            if out:
                results.record(out, direction, name, bench.as_results(found))
    if picture:
        pictures.extremes(plan, table, shown, picture)


def transfer_ablation(
    recipe: Asked,
    data: Data,
    references: References = None,
    lever: Annotated[list[str] | None, typer.Option(help="To be turned off; by default each in turn.")] = None,
    repeats: Repeats = 1,
    jobs: Jobs = 1,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Results file to add to.")] = None,
    work: Work = WORK,
    folds: Folds = 10,
    seed: Seed = 0,
) -> None:
    """Transfer on minerals that were held out, with each lever of the recipe turned off in turn."""
    from tqdm import tqdm

    from lineshape import results
    from lineshape.errors import UsageError
    from lineshape_training.transfer import ablation

    if wrong := [name for name in lever or () if name not in ablation.LEVERS]:
        raise UsageError(f"--lever {wrong[0]!r}: choose {', '.join(map(repr, ablation.LEVERS))}")
    levers = {name: off for name, off in ablation.LEVERS.items() if not lever or name in lever}
    plan, table, direction = asked(recipe, data, references, seed)
    with tqdm(total=(len(levers) + 1) * repeats * folds, desc=direction, unit="fold", file=sys.stderr) as bar:
        found = ablation.ablation(plan, table, levers, repeats, work / direction, jobs, bar.update, seed, folds)
    typer.echo(ablation.as_text(found))
    if out:
        results.record(out, direction, "ablation", found)


def asked(recipe: str, data: str, references: str | None, seed: int) -> tuple[Recipe, PairTable, str]:
    """The recipe, its pairs, and the direction by its modalities."""
    from lineshape.errors import UsageError
    from lineshape_training.loading import load_table
    from lineshape_training.recipe import load
    from lineshape_training.spectra import PairTable

    plan = load(recipe)
    table = load_table(data, plan, seed, references)
    if not isinstance(table, PairTable):
        raise UsageError(f"recipe {plan.name} draws spectra; this bench takes a transfer recipe")
    return plan, table, f"{plan.axes['source'].modality}-{plan.axes['spectrum'].modality}"
