"""The verb distil."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def distil(
    run: Annotated[Path, typer.Argument(help="Folder of a diffusion or flow that has been fitted.")],
    data: Annotated[str, typer.Option(help="The data of the fit; groups held out there judge the student.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the student's run.")],
    evaluations: Annotated[int, typer.Option(min=1, max=32, help="Of the network, for one spectrum.")] = 1,
    method: Annotated[str, typer.Option(help="reflow, halving or shortcut.")] = "reflow",
    pairs: Annotated[int, typer.Option(min=100, help="Of noise and spectrum, which a reflow learns.")] = 40_000,
    steps: Annotated[int, typer.Option(min=5, help="Of the student's fit.")] = 2000,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted distillation.")] = False,
) -> None:
    """Teach a student to draw in fewer evaluations; it is kept only if it is as good as its teacher."""
    import torch
    from lightning.fabric import Fabric
    from tqdm import tqdm

    from lineshape.errors import UsageError
    from lineshape_training import loading
    from lineshape_training.distilling import distilling
    from lineshape_training.run import Run
    from lineshape_training.spectra import SpectraTable

    if device not in ("auto", "cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise UsageError(f"--device {device}: choose auto, cpu or, where torch sees a GPU, cuda")
    teacher = Run(run)
    table = loading.load_table(data, teacher.recipe, teacher.spec.seed)
    if not isinstance(table, SpectraTable):
        raise UsageError(f"{run}: a transfer has no evaluations to save")
    torch.set_num_threads(threads)
    fabric = Fabric(accelerator=device, devices=1)
    total = distilling.total_steps(method, pairs, steps)  # type: ignore[arg-type]  # checked by distil
    with tqdm(total=total, desc=out.name, unit="step", file=sys.stderr) as bar:
        try:
            student, found = distilling.distil(
                teacher, table, out, method=method, evaluations=evaluations, pairs=pairs, steps=steps, seed=seed,
                fabric=fabric, resume=resume, progress=bar.update,
            )  # fmt: skip
        except KeyboardInterrupt:
            bar.close()
            typer.echo(f"lineshape: {out}: interrupted; the same command with --resume goes on", err=True)
            raise typer.Exit(130) from None
    judges = "unseen groups" if found.unseen else "half of the groups of the fit (no others are in the data)"
    typer.echo(f"{out}: {method}, {evaluations} evaluation{'s' * (evaluations > 1)}, judged by {judges}")
    typer.echo(f"  {'':<22} {'teacher':>9} {'student':>9} {'goal':>9} {'margin':>9}")
    for one in found.figures:
        typer.echo(f"  {one.name:<22} {one.teacher:9.4f} {one.student:9.4f} {one.goal:9.4f} {one.margin:9.4f}")
    typer.echo(f"accepted, {student.fitted.seconds:.0f} s")
