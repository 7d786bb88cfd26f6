"""The commands `lineshape serve` and `lineshape keys`."""

from __future__ import annotations

import ipaddress
import math
import os
import socket
import ssl
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
    list[str],
    typer.Argument(help="What to serve: .lineshape files, folders of them, or NAME[@VERSION] of installed bundles."),
]
Host = Annotated[
    str, typer.Option(help="IP address to listen on; 0.0.0.0 for every network this machine is in, with --keys.")
]
Port = Annotated[int, typer.Option(min=1, max=65535, help="TCP port for HTTP.")]
GrpcPort = Annotated[int | None, typer.Option(min=1, max=65535, help="TCP port for gRPC, too.", show_default="no gRPC")]
Threads = Annotated[int, typer.Option(min=1, help="Threads within one inference; 1 is fastest for single spectra.")]
DeviceName = Annotated[str, typer.Option(help="cpu or cuda.")]
Runners = Annotated[
    int | None, typer.Option(min=1, help="Inferences of a model at a time.", show_default="all cores but one")
]
Batch = Annotated[int, typer.Option(min=1, help="Spectra of several requests that travel together at most.")]
Queue = Annotated[int, typer.Option(min=1, help="Spectra that may wait for one model.")]
Patience = Annotated[float, typer.Option(min=0.001, help="Refuse what would wait longer, in seconds.")]
Cache = Annotated[int, typer.Option(min=0, help="MiB of answers to keep; 0: none.")]
KeysFile = Annotated[Path | None, typer.Option("--keys", help="The file of keys, made by `lineshape keys add`.")]
Certificate = Annotated[Path | None, typer.Option(help="PEM file of the certificate chain, for TLS.")]
PrivateKey = Annotated[Path | None, typer.Option(help="PEM file of its private key.")]
SharedMemory = Annotated[
    bool, typer.Option("--shared-memory", help="Let clients on this machine pass tensors through shared memory.")
]
Drain = Annotated[float, typer.Option(min=0, help="Seconds to go on after SIGTERM, not ready any more.")]
Grace = Annotated[float, typer.Option(min=0, help="Seconds for what is then still in progress.")]
BodyLimit = Annotated[int, typer.Option("--body", min=1, help="MiB of a request at most, unpacked.")]
Concurrency = Annotated[int, typer.Option(min=1, help="Requests in progress at most.")]
AccessLog = Annotated[bool, typer.Option("--access-log", help="A line in the log for every request.")]


def serve(
    bundles: Bundles,
    host: Host = "127.0.0.1",
    port: Port = 3000,
    grpc_port: GrpcPort = None,
    keys: KeysFile = None,
    certificate: Certificate = None,
    private_key: PrivateKey = None,
    threads: Threads = 1,
    device: DeviceName = "cpu",
    runners: Runners = None,
    batch: Batch = 64,
    queue: Queue = 4096,
    patience: Patience = 1.0,
    cache: Cache = 0,
    body: BodyLimit = 64,
    concurrency: Concurrency = 1024,
    shared_memory: SharedMemory = False,
    drain: Drain = 0.0,
    grace: Grace = 30.0,
    access_log: AccessLog = False,
) -> None:
    """Serve bundles to any Open Inference Protocol v2 client, until SIGTERM or Ctrl+C."""
    if find_spec("bentoml") is None:
        raise MissingExtra("serving a bundle", "serving")
    from lineshape_serving.settings import Settings

    running = {"threads": threads, "device": device, "batch": batch, "queue": queue, "patience": patience,
               "cache": cache, **({"runners": runners} if runners else {})}  # fmt: skip
    home = _home(port)
    settings = Settings.given({
        "bundles": [_absolute(word) for word in bundles], "host": host, "grpc_port": grpc_port,
        "keys": _file(keys, "--keys"), "certificate": _file(certificate, "--certificate"),
        "private_key": _file(private_key, "--private-key"), "shared_memory": shared_memory,
        "drain": drain, "grace": grace, "access_log": access_log, "running": running,
        "choices": str(home / "choices.json"),
        "limits": {"body": body, "concurrency": concurrency},
    })  # fmt: skip
    _check_exposed(settings)
    _check_tls(settings)
    names = _accepted(settings)
    where = _free(host, port)
    if grpc_port == port:
        raise UsageError(f"--grpc-port {port} is the port of HTTP; choose another")
    if grpc_port:
        _free(host, grpc_port)
    (home / "choices.json").unlink(missing_ok=True)
    os.environ.update(_quiet(home) | settings.to_environment())
    scheme = "https" if settings.certificate else "http"
    typer.echo(f"lineshape: serving {', '.join(names)} at {scheme}://{where} (Ctrl+C ends it)", err=True)
    _become_bentoml(port, settings)


def _absolute(word: str) -> str:
    """A path that holds in every folder; the name of an installed bundle stays."""
    return word if named(word) else str(Path(word).absolute())


def _file(path: Path | None, option: str) -> str | None:
    if path is not None and not path.is_file():
        raise UsageError(f"{option} {path}: no such file")
    return str(path.absolute()) if path else None


def _check_exposed(settings: Settings) -> None:
    """Nobody serves a network without keys, or with half of TLS."""
    if bool(settings.certificate) != bool(settings.private_key):
        raise UsageError("TLS needs both --certificate and --private-key")
    try:
        here = ipaddress.ip_address(settings.host).is_loopback
    except ValueError:
        raise UsageError(f"--host {settings.host}: give the IP address of a network card, such as 127.0.0.1") from None
    if not here and settings.keys is None:
        raise UsageError(f"--host {settings.host} opens the server to a network: give --keys FILE, made by "
                         "`lineshape keys add FILE NAME`; without keys it serves 127.0.0.1 only")  # fmt: skip


def _check_tls(settings: Settings) -> None:
    """Refuse here what the server could only fail over, again and again."""
    if not (settings.certificate and settings.private_key):
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.certificate, settings.private_key, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise UsageError(f"{settings.certificate} and {settings.private_key} are no pair of PEM files of a certificate "
                         f"and its key without a pass phrase: {error}") from None  # fmt: skip


def _accepted(settings: Settings) -> tuple[str, ...]:
    """The wire names of the bundles, once each is verified and passed its golden test; nothing listens yet."""
    from lineshape_serving.access import read_keys
    from lineshape_serving.dataplane import DataPlane
    from lineshape_serving.sources import Sources

    if settings.keys:
        read_keys(Path(settings.keys))
    plane = DataPlane((), settings.running, Sources(settings.bundles))
    plane.start()
    return plane.names


def _free(host: str, port: int) -> str:
    """The address to call, if this machine can listen there."""
    version = ipaddress.ip_address(host).version
    try:
        with socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind((host, port))
    except OSError as error:
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}; choose another port") from None
    return f"{host if version == 4 else f'[{host}]'}:{port}"


def _home(port: int) -> Path:
    """BentoML keeps files below its home and empties them at its start: a home for each port keeps servers apart."""
    return Path(os.environ.get("BENTOML_HOME", Path.cwd() / ".bentoml" / str(port)))


def _quiet(home: Path) -> dict[str, str]:
    """What keeps BentoML and ONNX Runtime quiet on a private machine."""
    return {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "ORT_DISABLE_TELEMETRY": "1"}


def _become_bentoml(port: int, settings: Settings) -> None:
    """Replace this process, so that signals reach the server and what was loaded to check the bundles is gone."""
    sys.stderr.flush()
    command = ["-m", "lineshape_serving.supervised", "serve", SERVICE, "--quiet", "--host", settings.host,
               "--port", str(port), "--timeout-graceful-shutdown", str(math.ceil(settings.grace))]  # fmt: skip
    if settings.certificate and settings.private_key:
        command += ["--ssl-certfile", settings.certificate, "--ssl-keyfile", settings.private_key]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - our own interpreter and arguments, no shell


keys = typer.Typer(help="Make and remove the keys of a server's callers.", no_args_is_help=True)
KeysPath = Annotated[Path, typer.Argument(metavar="FILE", help="The file of keys.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; shows in messages.")]


@keys.command("add")
def add(
    file: KeysPath,
    name: Name,
    scope: Annotated[
        list[str] | None, typer.Option(help="infer, admin or both; admin loads and unloads.", show_default="infer")
    ] = None,
    quota: Annotated[int | None, typer.Option(min=1, help="Spectra a minute.", show_default="no limit")] = None,
) -> None:
    """Make a key and print it, once: the file keeps its hash."""
    from lineshape_serving.access import SCOPES, add_key

    scopes = [one for one in SCOPES if one in (scope or ["infer"])]
    if unknown := set(scope or ()) - set(SCOPES):
        raise UsageError(f"--scope {min(unknown)}: choose {' or '.join(SCOPES)}")
    typer.echo(add_key(file, name, scopes, quota))


@keys.command("remove")
def remove(file: KeysPath, name: Name) -> None:
    """Forget a key; servers that run forget it at their next start."""
    from lineshape_serving.access import remove_key

    remove_key(file, name)


@keys.command("list")
def list_keys(file: KeysPath) -> None:
    """Who has a key, and what for."""
    from lineshape_serving.access import read_keys

    for name, key in read_keys(file).items():
        quota = f", {key.quota} spectra a minute" if key.quota else ""
        typer.echo(f"{name}: {', '.join(key.scopes)}{quota}")
