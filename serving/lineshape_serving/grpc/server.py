"""The gRPC server: the inference service, health and reflection on one port."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from tritonclient.grpc import service_pb2, service_pb2_grpc

from lineshape.errors import UsageError
from lineshape_serving.access import Gate
from lineshape_serving.dataplane import DataPlane
from lineshape_serving.grpc.front import PROBES, WATCHERS, Front, Unread
from lineshape_serving.grpc.health import Health
from lineshape_serving.grpc.servicer import Servicer
from lineshape_serving.settings import Limits, Settings
from lineshape_serving.shared_memory import Regions

SERVICE = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # or a second server would share the port in silence
    ("grpc.max_send_message_length", -1),  # answers are as large as the requests that were let in ask for
    ("grpc.keepalive_time_ms", 60_000),  # streams of clients that vanished end
    ("grpc.keepalive_timeout_ms", 20_000),
)


@dataclass(frozen=True, eq=False)
class Endpoint:
    """A running gRPC server, of the event loop that started it."""

    server: grpc.aio.Server
    port: int
    servicer: Servicer
    health: Health

    async def stop(self, grace: float) -> None:
        """Take no more requests, and leave those under way `grace` seconds."""
        self.health.close()
        self.servicer.streams.close()
        await self.server.stop(grace)


async def start(plane: DataPlane, gate: Gate, settings: Settings, regions: Regions | None = None) -> Endpoint:
    """Serve a data plane over gRPC, in the running event loop, which has to be the one that HTTP uses too.

    Parameters
    ----------
    plane : DataPlane
    gate : Gate
    settings : Settings
        Where to listen (with port 0 the system chooses one), the certificate for TLS, the limits, and whether to log.
    regions : Regions, optional
        Shared memory, where it is offered.

    Raises
    ------
    UsageError
        If nothing can listen there, or the certificate cannot be used.
    """
    server = grpc.aio.server(options=(*_OPTIONS, *_bounds(settings.limits)), interceptors=(Unread(),))
    front = Front(plane, settings.limits, settings.access_log)
    servicer, watched = Servicer(plane, gate, front, regions), Health(plane, front, (SERVICE,))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(watched, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    port = _listen(server, settings)
    await server.start()
    return Endpoint(server, port, servicer, watched)


def _bounds(limits: Limits) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.max_receive_message_length", limits.body << 20),
        ("grpc.max_concurrent_streams", limits.concurrency + PROBES + WATCHERS),  # of one connection
        ("grpc.max_allowed_incoming_connections", limits.connections),
    )


def _listen(server: Any, settings: Settings) -> int:  # noqa: ANN401 - grpc has no types
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    address, credentials = f"{host}:{settings.grpc_port}", _credentials(settings)
    try:
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError:
        what = f"with the certificate {settings.certificate} " if credentials else ""
        raise UsageError(f"cannot listen {what}on {address} for gRPC; choose another port") from None
    return int(port)


def _credentials(settings: Settings) -> Any | None:  # noqa: ANN401 - as above
    """For TLS, where it is asked for."""
    if settings.certificate is None or settings.private_key is None:
        return None
    try:
        chain, key = (Path(file).read_bytes() for file in (settings.certificate, settings.private_key))
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}; TLS needs a certificate and its private key") from None
    return grpc.ssl_server_credentials([(key, chain)])
