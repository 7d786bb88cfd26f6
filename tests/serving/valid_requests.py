"""What JSON Schema cannot say of a valid request, for schemathesis: as many numbers as a shape says, an axis that
rises, a file that is one.

schemathesis loads this module (SCHEMATHESIS_HOOKS). Valid cases are made valid in these respects too; invalid ones go
out as they are, and every check stays on.
"""

from __future__ import annotations

import atexit
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import requests
import schemathesis

from lineshape.axis import SpectralAxis
from lineshape.writers import axis_label, encode_table
from lineshape_serving.oip import HEADER_LENGTH
from lineshape_serving.v1 import parquet

DTYPES = {"FP32": np.float32, "INT64": np.int64}
ROWS = 4  # of a batch
MEMORY = os.environ.get("LINESHAPE_MEMORY")  # a shared memory object of `MEMORY_BYTES`, where the server offers that
MEMORY_BYTES, KEPT = 1 << 16, "kept"  # the name of its region
SPARE = os.environ.get("LINESHAPE_SPARE")  # the model that may be unloaded
ANSWERS = Counter()  # of each operation and status; written where LINESHAPE_ANSWERS says, when all is done
ENDINGS = {"text/csv": ".csv", "text/plain": ".csv", "chemical/x-jcamp-dx": ".jdx", "application/x-npz": ".npz",
           "application/octet-stream": ".npz"}  # fmt: skip


@schemathesis.hook
def before_call(context, case, kwargs):
    """Mend a case that is to be valid; and let nothing but the spare model be unloaded."""
    verb = case.operation.path.rpartition("/")[2]
    if verb == "unload" and "model" in case.path_parameters:
        case.path_parameters["model"] = SPARE
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict):
        case.body = written_whole(case.body)
    if MEMORY:
        remember(case, verb)
    if verb == "infer":
        infer(case)
    elif verb in ("transfer", "reconstruct", "encode", "interpolate"):
        case.query.pop("min_familiarity", None)  # what the schema allows may still be more than a spectrum has
        case.query.pop("unit", None)  # the numbers below are shifts in cm-1
        measured(case, context.operation)


@schemathesis.hook
def after_call(context, case, response):
    """Count the answer; and load the spare model again, so that the cases to come find it."""
    ANSWERS[f"{case.operation.label} {response.status_code}"] += 1
    url = response.request.url
    if response.status_code == 200 and url.endswith(f"/{SPARE}/unload"):
        key = {"Authorization": response.request.headers.get("Authorization")}
        loaded = requests.post(f"{url.removesuffix('unload')}load", headers=key, timeout=60)
        loaded.raise_for_status()


def remember(case, verb):
    """A region that is there, for those who name one; and room for another, for those who register one."""
    below = f"{case.operation.base_url.rstrip('/')}/v2/systemsharedmemory"
    if verb == "register":
        requests.post(f"{below}/unregister", timeout=60).raise_for_status()
        case.body = {"key": MEMORY, "byte_size": min(case.body["byte_size"], MEMORY_BYTES)}
    else:
        requests.post(f"{below}/region/{KEPT}/register", json={"key": MEMORY, "byte_size": MEMORY_BYTES}, timeout=60)
    if case.operation.path.endswith("{region}/status"):
        case.path_parameters["region"] = KEPT


def written_whole(value):
    """The same JSON, with 1.0, which is an integer to JSON Schema but not to most readers of JSON, written as 1."""
    if isinstance(value, dict):
        return {key: written_whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [written_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value


def infer(case):
    """Tensors as long as their shapes say, of one batch size, and time enough."""
    case.headers.pop(HEADER_LENGTH, None)
    if case.media_type == "application/octet-stream":
        case.body = json_of(case.operation)
    if not isinstance(case.body, dict):
        return
    rows = min(ROWS, case.body["inputs"][0]["shape"][0])
    case.body["outputs"] = list({output["name"]: output for output in case.body.get("outputs") or []}.values())
    for output in case.body["outputs"]:
        if "shared_memory_region" in (output.get("parameters") or {}):
            output["parameters"] = {"shared_memory_region": KEPT, "shared_memory_byte_size": MEMORY_BYTES}
    for tensor in case.body["inputs"]:
        if "shared_memory_region" in (tensor.get("parameters") or {}):
            tensor |= {"data": [0], "parameters": None}  # what lies there need not be an input
        width = tensor["shape"][1]
        tensor["shape"][0] = rows
        tensor["data"] = np.resize(np.array(tensor["data"]), rows * width).tolist()
        if tensor["name"] == "mask":
            tensor["data"][::width] = [1] * rows
    if parameters := case.body.get("parameters"):
        parameters.pop("min_familiarity", None)
        parameters.pop("timeout", None)
    if case.media_type == "application/octet-stream":
        case.body, case.headers[HEADER_LENGTH] = as_bytes(case.body)


def json_of(operation):
    """A request in the operation's JSON form, of one row of ones."""
    content = operation.definition.raw["requestBody"]["content"]["application/json"]["schema"]
    tensors = [form.get("anyOf", [form])[0] for form in content["properties"]["inputs"]["prefixItems"]]
    return {"inputs": [{
        "name": tensor["properties"]["name"]["const"], "datatype": tensor["properties"]["datatype"]["const"],
        "shape": [1, tensor["properties"]["shape"]["prefixItems"][1]["const"]], "data": [0],
    } for tensor in tensors]}  # fmt: skip


def as_bytes(body):
    """The request with its tensors as bytes after the JSON, and how much of it is JSON."""
    raw = b""
    for tensor in body["inputs"]:
        array = np.array(tensor.pop("data"), DTYPES[tensor["datatype"]])
        tensor["parameters"] = {"binary_data_size": array.nbytes}
        raw += array.tobytes()
    head = json.dumps(body).encode()
    return head + raw, str(len(head))


def measured(case, operation):
    """Spectra that rise, are not flat, and cover the range of the models of these tests."""
    x = np.linspace(140, 1900, 300)
    y = np.exp(-(((x - 700) / 20) ** 2)) + 0.5 * np.exp(-(((x - 1000) / 30) ** 2))
    if case.media_type == "application/json":
        for spectrum in case.body["spectra"]:
            spectrum |= {"axis": x.tolist(), "intensities": (y * (1 + abs(spectrum["intensities"][0]) % 7)).tolist()}
            spectrum |= {"unit": "cm-1"} if spectrum.get("unit") else {}
        return
    pair = operation.path.endswith("interpolate")
    if case.media_type == "multipart/form-data":
        case.body = {"file": [file("text/csv", x, y)] * (2 if pair else 1)}
    else:
        case.body = file(case.media_type, x, y, 2 if pair else 1)


def file(media_type, x, y, n=1):
    """A file of n spectra."""
    axis, columns = SpectralAxis.of(x, "raman"), {f"spectrum {k}": y * (k + 1) for k in range(n)}
    if media_type == parquet.MEDIA_TYPE:
        return parquet.encode({axis_label(axis): x, **columns}, {"modality": "raman", "unit": "cm-1"})
    content = encode_table(f"t{ENDINGS[media_type]}", axis, columns)
    return content.decode() if media_type.startswith(("text/", "chemical/")) else content


@atexit.register
def written():
    if "LINESHAPE_ANSWERS" in os.environ:
        Path(os.environ["LINESHAPE_ANSWERS"]).write_text(json.dumps(ANSWERS))
