"""A request of n spectra to each server, by the clients that its users have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import Any, TypeAlias

import msgspec
import numpy as np
import tritonclient.grpc
import tritonclient.http
import urllib3
from tritonclient.utils import np_to_triton_dtype

from lineshape_serving.bench.figures import Call
from lineshape_serving.bench.subject import Subject
from lineshape_serving.tensors import Arrays

Peer: TypeAlias = Callable[[Arrays], Arrays]


def in_process(subject: Subject) -> Peer:
    """No server at all."""
    return lambda inputs: subject.model.run(inputs)


def over_http(where: str, subject: Subject, clients: ExitStack) -> Peer:
    """The unmodified `tritonclient.http`, with binary tensors."""
    return _by_triton(tritonclient.http, where, subject, clients)


def over_grpc(where: str, subject: Subject, clients: ExitStack) -> Peer:
    """The unmodified `tritonclient.grpc`."""
    return _by_triton(tritonclient.grpc, where, subject, clients)


def _by_triton(module: ModuleType, where: str, subject: Subject, clients: ExitStack) -> Peer:
    client = clients.enter_context(module.InferenceServerClient(where))
    outputs = [spec.name for spec in subject.model.manifest.graphs["model"].outputs]

    def ask(inputs: Arrays) -> Arrays:
        result = client.infer(subject.name, infer_inputs(module, inputs))
        return {name: result.as_numpy(name) for name in outputs}

    return ask


def infer_inputs(module: ModuleType, arrays: Mapping[str, Any]) -> list[Any]:
    """Arrays as a tritonclient takes them."""
    return [
        module.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype)).set_data_from_numpy(array)
        for name, array in arrays.items()
    ]


def json_by_bentoml(where: str, clients: ExitStack) -> Peer:
    """BentoML's own client, which turns arrays into JSON numbers."""
    from bentoml import SyncHTTPClient  # heavy, and noisy where warnings are errors

    client = clients.enter_context(SyncHTTPClient(f"http://{where}"))
    return lambda inputs: {"spectrum": client.call("reconstruct", **inputs)}


def json_by_msgspec(where: str, clients: ExitStack) -> Peer:
    """The fastest JSON that there is for Python: what a careful user of BentoML's JSON arrays would write."""
    pool = clients.enter_context(urllib3.PoolManager())
    decoder = msgspec.json.Decoder(list[list[float]])

    def ask(inputs: Arrays) -> Arrays:
        body = msgspec.json.encode({name: array.tolist() for name, array in inputs.items()})
        answer = pool.request("POST", f"http://{where}/reconstruct", body, headers={"Content-Type": "application/json"})
        return {"spectrum": np.array(decoder.decode(answer.data), np.float32)}

    return ask


def asked(peer: Peer, inputs: Arrays) -> Call:
    """A request over and over."""
    return lambda: peer(inputs)
