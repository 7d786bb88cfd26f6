"""What to serve and how: given on the command line, carried to the service in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from lineshape.errors import UsageError
from lineshape_edge.session import Device

VARIABLE = "LINESHAPE_SERVE"

AtLeastOne = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1)]
PortNumber = Annotated[int, Meta(ge=1, le=65535)]


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Running(Struct, frozen=True, forbid_unknown_fields=True):
    """How models run.

    Parameters
    ----------
    threads : int
        ONNX Runtime's threads within an operator; 1 is fastest for single spectra.
    device : "cpu" or "cuda"
    runners : int
        Runs of one model at a time; the default leaves a core to the server itself.
    batch : int
        Spectra of several requests that travel together.
    queue : int
        Spectra that may wait for one model.
    patience : float
        Seconds that a request may have to wait, by the pace of those before it; one that would wait longer is refused.
    cache : int
        MiB of answers that are kept; none unless told.
    """

    threads: AtLeastOne = 1
    device: Device = "cpu"
    runners: AtLeastOne = field(default_factory=lambda: max(1, cores() - 1))
    batch: AtLeastOne = 64
    queue: AtLeastOne = 4096
    patience: Annotated[float, Meta(gt=0)] = 1.0
    cache: Annotated[int, Meta(ge=0)] = 0


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What the server bears.

    Parameters
    ----------
    body : int
        MiB of a request, also after it was unpacked.
    concurrency : int
        Requests in progress at a time.
    connections : int
        Open connections.
    regions : int
        Regions of shared memory.
    head_seconds, body_seconds : float
        Within which a request's head and body must have come.
    """

    body: AtLeastOne = 64
    concurrency: AtLeastOne = 1024
    connections: AtLeastOne = 4096
    regions: AtLeastOne = 64
    head_seconds: Annotated[float, Meta(gt=0)] = 10.0
    body_seconds: Annotated[float, Meta(gt=0)] = 60.0


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that `lineshape serve` was told.

    Parameters
    ----------
    bundles : tuple of str
        See `lineshape_serving.sources`.
    host : str
    grpc_port : int, optional
        Where gRPC listens; nowhere unless told.
    keys : str, optional
        The file of keys; without, everyone is let in.
    certificate, private_key : str, optional
        PEM files for TLS.
    shared_memory : bool
        Whether clients on this machine may pass tensors through shared memory.
    drain, grace : float
        Seconds between SIGTERM, from which on the server is not ready, and its end; and those for what is then still in
        progress.
    access_log : bool
        Whether every request gets a line in the log.
    choices : str, optional
        The file that keeps what was loaded and unloaded, see `lineshape_serving.choices`.
    """

    bundles: Annotated[tuple[Text, ...], Meta(min_length=1)]
    host: str = "127.0.0.1"
    grpc_port: PortNumber | None = None
    keys: Text | None = None
    certificate: Text | None = None
    private_key: Text | None = None
    shared_memory: bool = False
    drain: Annotated[float, Meta(ge=0)] = 0.0
    grace: Annotated[float, Meta(ge=0)] = 30.0
    access_log: bool = False
    choices: Text | None = None
    running: Running = Running()
    limits: Limits = Limits()

    @classmethod
    def given(cls, values: Mapping[str, Any]) -> Settings:
        """Settings from outside.

        Raises
        ------
        UsageError
            If one is not what it should be; it is named.
        """
        try:
            return msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise UsageError(f"what to serve: {error}; see `lineshape serve --help`") from None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variable back; raises like `given`."""
        try:
            return msgspec.json.decode(environment.get(VARIABLE, "{}"), type=cls)
        except (msgspec.MsgspecError, ValueError) as error:
            raise UsageError(f"{VARIABLE}: {error}; it is what `lineshape serve` sets") from None

    def to_environment(self) -> dict[str, str]:
        """The variable that carries the settings."""
        return {VARIABLE: msgspec.json.encode(self).decode()}
