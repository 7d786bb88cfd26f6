"""The same samples of one seed wherever they are drawn."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np

from lineshape.bundle import check_close
from lineshape.errors import ParityError
from lineshape_serving.bench import peers, servers
from lineshape_serving.bench.figures import Effort
from lineshape_serving.bench.peers import Peer
from lineshape_serving.bench.subject import Subject
from lineshape_serving.tensors import Arrays

REQUEST = 100  # spectra


class Same(msgspec.Struct):
    """How far each face is from the model in this process, at most, and whether that is within the bundle's tolerance.

    Parameters
    ----------
    samples : int
    allowed : float
        The bundle's tolerance of one value of the spectrum; its quantiles and peak shifts are held as well.
    deviation : mapping of face to float
    within : mapping of face to bool
    """

    samples: int
    allowed: float
    deviation: dict[str, float]
    within: dict[str, bool]


def measure(heavy: Subject, wheel: Path, folder: Path, effort: Effort) -> Same:
    """On BentoML and Triton, over HTTP and gRPC."""
    samples = effort.samples
    with ExitStack() as opened:
        ours = opened.enter_context(servers.bentoml(heavy.path, folder))
        triton = opened.enter_context(servers.triton(wheel, [heavy], folder))
        ours.ready(), triton.ready()
        faces = {
            "BentoML REST": peers.over_http(ours.http, heavy, opened),
            "BentoML gRPC": peers.over_grpc(ours.grpc, heavy, opened),
            "Triton HTTP": peers.over_http(triton.http, heavy, opened),
            "Triton gRPC": peers.over_grpc(triton.grpc, heavy, opened),
        }
        drawn = {name: _drawn(face, heavy, samples) for name, face in faces.items()}
    expected = _drawn(peers.in_process(heavy), heavy, samples)
    return Same(
        samples, heavy.model.manifest.allowed("model")["spectrum"].absolute,
        {name: float(f"{np.abs(found['spectrum'] - expected['spectrum']).max():.2g}") for name, found in drawn.items()},
        {name: _within(heavy, expected, found) for name, found in drawn.items()},
    )  # fmt: skip


def _drawn(face: Peer, heavy: Subject, samples: int) -> Arrays:
    parts = [face(heavy.inputs(min(REQUEST, samples - first), first)) for first in range(0, samples, REQUEST)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _within(heavy: Subject, expected: Arrays, found: Arrays) -> bool:
    try:
        check_close("model", heavy.model.manifest.allowed("model"), expected, found, "on another face")
    except ParityError:
        return False
    return True
