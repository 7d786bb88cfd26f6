"""The command `lineshape triton`."""

from __future__ import annotations

from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lineshape.errors import MissingExtra

Bundles = Annotated[
    list[str],
    typer.Argument(
        metavar="BUNDLE...", help=".lineshape files, bundles' folders, or NAME or NAME@VERSION.", show_default=False
    ),
]
Repository = Annotated[
    Path, typer.Option("--out", "-o", help="Triton model repository; made if it is not there.", show_default=False)
]


class On(Enum):
    """What the server runs on."""

    cpu = "cpu"
    cuda = "cuda"
    tensorrt = "tensorrt"


class Through(Enum):
    """What in Triton runs the model."""

    onnxruntime = "onnxruntime"
    python = "python"


OnMachine = Annotated[On, typer.Option("--on", help="What the server runs on.")]
ThroughBackend = Annotated[
    Through, typer.Option("--backend", help="What in Triton runs the model; python for hosts without onnxruntime.")
]
Instances = Annotated[int, typer.Option(min=1, help="Copies of each model that run at once, each on one core.")]


def triton(
    bundles: Bundles,
    out: Repository,
    on: OnMachine = On.cpu,
    backend: ThroughBackend = Through.onnxruntime,
    instances: Instances = 1,
) -> None:
    """Write bundles into a Triton model repository, as new versions of the models that are in it."""
    if find_spec("tritonclient") is None or find_spec("grpc") is None:
        raise MissingExtra("writing a Triton repository", "triton")
    from lineshape_serving.triton.repository import write_repository

    for model in write_repository(bundles, out, on.value, backend.value, instances):
        note = "" if model.number == model.served else f" (Triton serves {model.served})"
        typer.echo(f"{model.name} {model.version}: version {model.number}{note}, bundle {model.digest[:12]}")
