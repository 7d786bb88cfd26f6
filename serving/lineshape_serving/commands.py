"""The command `lineshape serve`."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineshape.bundle.identity import named
from lineshape.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from lineshape_serving.settings import Settings

SERVICE = "lineshape_serving.service:LineshapeService"

Bundles = Annotated[
    list[str], typer.Argument(help="Bundles to serve: .lineshape files, folders, or names of installed ones.")
]
Host = Annotated[str, typer.Option(help="IP address to listen on; 0.0.0.0 for every network this machine is in.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="TCP port to listen on.")]
Threads = Annotated[int, typer.Option(min=1, help="Threads within one inference; 1 is fastest for single spectra.")]
DeviceName = Annotated[str, typer.Option(help="cpu or cuda.")]


def serve(
    bundles: Bundles,
    host: Host = "127.0.0.1",
    port: Port = 3000,
    threads: Threads = 1,
    device: DeviceName = "cpu",
) -> None:
    """Serve bundles to any Open Inference Protocol v2 client, until SIGTERM or Ctrl+C."""
    if find_spec("bentoml") is None:
        raise MissingExtra("serving a bundle", "serving")
    from lineshape_serving.settings import Settings

    given = tuple(found for word in bundles for found in _each(word))
    settings = Settings.given(given, threads, device)
    environment = settings.to_environment()
    names = _accepted(settings)
    address = _free(host, port)
    os.environ.update(_quiet(port) | environment)
    typer.echo(f"lineshape: serving {', '.join(names)} at {address} (Ctrl+C ends it)", err=True)
    _become_bentoml(host, port)


def _each(word: str) -> list[str]:
    """An installed bundle, the bundle at a path, or every bundle of a folder that is none itself."""
    if named(word):
        return [word]
    path = Path(word).absolute()
    if path.is_dir() and not (path / "bundle.json").exists():
        return [str(bundle) for bundle in sorted(path.glob("*.lineshape"))] or [str(path)]
    return [str(path)]


def _accepted(settings: Settings) -> tuple[str, ...]:
    """The wire names of the bundles, once each is verified and passed its golden test; nothing listens yet."""
    from lineshape_edge import Model
    from lineshape_serving.dataplane import DataPlane

    models = (Model.open(bundle, settings.threads, settings.device) for bundle in settings.bundles)
    return DataPlane(models).names


def _free(host: str, port: int) -> str:
    """The address to call, if this machine can listen there."""
    try:
        version = ipaddress.ip_address(host).version
        with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind((host, port))
    except ValueError:
        raise UsageError(f"--host {host}: give the IP address of a network card, such as 127.0.0.1") from None
    except OSError as error:
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}; choose another --port") from None
    return f"http://{host if version == 4 else f'[{host}]'}:{port}"


def _quiet(port: int) -> dict[str, str]:
    """What keeps BentoML and ONNX Runtime quiet on a private machine.

    BentoML counts in files below its home and empties them at its start: a home for each port keeps two servers apart.
    """
    home = os.environ.get("BENTOML_HOME", str(Path.cwd() / ".bentoml" / str(port)))
    return {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "true", "ORT_DISABLE_TELEMETRY": "1"}


def _become_bentoml(host: str, port: int) -> None:
    """Replace this process, so that signals reach the server and what was loaded to check the bundles is gone."""
    sys.stderr.flush()
    command = ["-m", "bentoml", "serve", SERVICE, "--host", host, "--port", str(port), "--quiet"]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - our own interpreter and arguments, no shell
