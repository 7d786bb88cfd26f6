"""The client's side of an infer body: binary tensors out and in. `lineshape_serving.oip` is the server's side."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from msgspec import Struct

from lineshape.errors import LineshapeError
from lineshape_serving.client.exchange import Reply, Request
from lineshape_serving.client.refusals import not_the_protocol
from lineshape_serving.tensors import Arrays, from_bytes, to_wire

HEADER_LENGTH = "Inference-Header-Content-Length"


class _Size(Struct):
    binary_data_size: int


class _Output(Struct):
    name: str
    datatype: str
    shape: list[int]
    parameters: _Size


class _Header(Struct):
    outputs: list[_Output]
    model_version: str = ""


class Answer(Struct, frozen=True):
    """The outputs of one batch, views of the body, and the version that gave them."""

    version: str
    outputs: Arrays


def model_path(name: str) -> str:
    """Where a model is to be found."""
    return f"/v2/models/{quote(name, safe='')}"


def infer_request(name: str, inputs: Arrays) -> Request:
    """Ask for all outputs as bytes."""
    tensors = [(key, *to_wire(array)) for key, array in inputs.items()]
    described = [
        {"name": key, "datatype": datatype, "shape": array.shape, "parameters": {"binary_data_size": array.nbytes}}
        for key, datatype, array in tensors
    ]
    header = msgspec.json.encode({"inputs": described, "parameters": {"binary_data_output": True}})
    body = b"".join([header, *(array.data for _, _, array in tensors)])
    headers = {HEADER_LENGTH: str(len(header)), "Content-Type": "application/octet-stream"}
    return Request("POST", f"{model_path(name)}/infer", body, headers)


def infer_answer(reply: Reply, rows: int) -> Answer:
    """Read the answer to a batch of so many rows.

    Raises
    ------
    LineshapeError
        If it is not of the protocol, or for another number of rows.
    """
    with not_the_protocol("answer"):
        end = int(reply.header(HEADER_LENGTH))
        header = msgspec.json.decode(memoryview(reply.body)[:end], type=_Header)
        outputs = _outputs(header.outputs, memoryview(reply.body)[end:])
    for name, array in outputs.items():
        if array.shape[:1] != (rows,):
            raise LineshapeError(f"output {name!r}: the server answered {list(array.shape)} to a batch of {rows}")
    return Answer(header.model_version, outputs)


def _outputs(tensors: list[_Output], raw: memoryview) -> Arrays:
    outputs, start = {}, 0
    for tensor in tensors:
        end = start + tensor.parameters.binary_data_size
        outputs[tensor.name] = from_bytes(tensor.datatype, tensor.shape, raw[start:end])
        start = end
    return outputs
