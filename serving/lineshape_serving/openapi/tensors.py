"""The bodies of an inference, as JSON Schema, for one model: its tensors with their names, sizes and ranges."""

from __future__ import annotations

import numpy as np

from lineshape.bundle import TensorSpec
from lineshape.bundle.tensors import FARTHEST, LARGEST_SEED, LOUDEST
from lineshape_serving.openapi.parts import Json
from lineshape_serving.registry import Served

_LARGEST = float(np.finfo(np.float32).max)
_MANY = 2**62 - 1
_NONE: Json = {"type": ["object", "null"], "additionalProperties": False}
_BYTES: Json = {"type": "integer", "minimum": 0, "maximum": _MANY}
_PLACE: Json = {
    "shared_memory_region": {"type": "string", "description": "Where it lies, or shall lie: a registered region."},
    "shared_memory_byte_size": _BYTES,
    "shared_memory_offset": {**_BYTES, "default": 0},
}
_PLACED = ["shared_memory_region", "shared_memory_byte_size"]


def infer_request(served: Served, shared: bool) -> Json:
    """The JSON of a request whose tensors travel as numbers, or lie in shared memory if that is `shared`."""
    graph = served.graph
    tensors = [_input(spec, served, shared) for spec in graph.inputs]
    inputs = {"type": "array", "prefixItems": tensors, "items": False, "minItems": len(tensors),
              "maxItems": len(tensors), "description": "All of them, each once, in any order."}  # fmt: skip
    names = [spec.name for spec in graph.outputs]
    outputs = {"type": ["array", "null"], "items": _wanted(names, shared), "maxItems": len(names),
               "description": "Those that are wanted, each once; all of them unless told."}  # fmt: skip
    properties = {"id": {"type": ["string", "null"]}, "inputs": inputs, "outputs": outputs,
                  "parameters": _request_parameters(served)}  # fmt: skip
    return _object(properties, ["inputs"])


def infer_response(served: Served) -> Json:
    """The JSON of an answer; a tensor that travels as bytes says how many in the place of its numbers."""
    outputs = [_output(spec) for spec in served.graph.outputs]
    properties = {"id": {"type": "string"}, "model_name": {"const": served.name}, "model_version": {"type": "string"},
                  "outputs": {"type": "array", "items": {"anyOf": outputs}}}  # fmt: skip
    return _object(properties, ["model_name", "model_version", "outputs"])


def _input(spec: TensorSpec, served: Served, shared: bool) -> Json:
    width, most = spec.shape[1], served.model.manifest.limits.max_batch
    rows = {"type": "integer", "minimum": 1, "maximum": most}
    shape = {"type": "array", "prefixItems": [rows, {"const": width}], "items": False, "minItems": 2, "maxItems": 2}
    data = {"type": "array", "items": _number(spec, served), "minItems": width, "maxItems": width * most,
            "description": f"{width} numbers for each of the rows that `shape` says, flat."}  # fmt: skip
    same = {"name": {"const": spec.name}, "datatype": {"const": spec.dtype}, "shape": shape}
    about = f"{spec.role}, {spec.unit}"
    numbers = _object(same | {"data": data, "parameters": _NONE}, [*same, "data"], about)
    laid = _object(same | {"parameters": _object(_PLACE, _PLACED)}, [*same, "parameters"], about)
    return {"anyOf": [numbers, laid]} if shared else numbers


def _number(spec: TensorSpec, served: Served) -> Json:
    """What the data plane lets a tensor of this role hold."""
    low, high = served.model.manifest.limits.intensity
    match spec.role:
        case "mask":
            return {"enum": [0, 1]}
        case "seed":
            return {"type": "integer", "minimum": 0, "maximum": LARGEST_SEED}
        case "label":
            return {"type": "integer", "minimum": 0, "maximum": len(served.model.manifest.classes) - 1}
        case "noise_scale":
            return {"type": "number", "minimum": 0, "maximum": LOUDEST}
        case "noise":
            return {"type": "number", "minimum": -FARTHEST, "maximum": FARTHEST}
        case "weight":
            return {"type": "number", "minimum": 0, "maximum": 1}
        case _:
            return {"type": "number", "minimum": low, "maximum": high}


def _output(spec: TensorSpec) -> Json:
    width = spec.shape[1]
    shape = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2,
             "description": f"The rows, and {width}."}  # fmt: skip
    data = {"type": "array", "items": {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST}, "minItems": width}
    properties = {"name": {"const": spec.name}, "datatype": {"const": spec.dtype}, "shape": shape, "data": data,
                  "parameters": {"type": "object"}}  # fmt: skip
    return _object(properties, ["name", "datatype", "shape"], f"{spec.role}, {spec.unit}")


def _wanted(names: list[str], shared: bool) -> Json:
    binary: Json = {"type": "boolean", "description": "Whether it comes as bytes after the JSON."}
    numbers = _object({"binary_data": binary}, [])
    forms = [numbers, {"type": "null"}, *([_object(_PLACE, _PLACED)] if shared else [])]
    return _object({"name": {"enum": names}, "parameters": {"anyOf": forms}}, ["name"])


def _object(properties: Json, required: list[str], description: str | None = None) -> Json:
    told = {} if description is None else {"description": description}
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False, **told}


def _request_parameters(served: Served) -> Json:
    properties: Json = {
        "binary_data_output": {"type": "boolean", "description": "Whether all outputs come as bytes after the JSON."},
        "timeout": {"type": "integer", "minimum": 0, "maximum": _MANY,
                    "description": "Microseconds after which nobody wants the answer; 0 is none."},
    }  # fmt: skip
    if any(spec.role == "familiarity" for spec in served.graph.outputs):
        properties["min_familiarity"] = {
            "type": ["number", "null"], "minimum": 0, "maximum": 1,
            "description": "How familiar every source has to be; less is refused with 422.",
        }  # fmt: skip
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}
