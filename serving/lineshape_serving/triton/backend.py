"""A bundle inside Triton's python backend, for hosts that lack its ONNX Runtime backend.

Triton imports this in a process of its own, where only the extra `edge` is needed. The model becomes READY once its
bundle is verified, is the one that the config names, and answers its golden cases.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import triton_python_backend_utils as triton  # type: ignore[import-not-found] # Triton brings it along
from numpy.typing import NDArray

from lineshape.bundle import open_bundle
from lineshape.errors import LineshapeError, TamperedBundle, TensorError
from lineshape_edge import Model
from lineshape_edge.session import Device

Arrays: TypeAlias = dict[str, NDArray[Any]]

SEALED = "bundle.lineshape"
CONSUMED = b"used_dltensor"  # how the DLPack standard names a capsule whose content has been taken over

_rename = ctypes.pythonapi.PyCapsule_SetName
_rename.argtypes = [ctypes.py_object, ctypes.c_char_p]


class TritonPythonModel:
    """What Triton calls; the names are its own."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Open the bundle beside `model.py`, for the device of this instance.

        Raises
        ------
        TritonModelException
            If it is refused, in our words; the model then is not READY.
        """
        parameters = json.loads(args["model_config"])["parameters"]
        path = Path(args["model_repository"], args["model_version"], SEALED)
        try:
            bundle = open_bundle(path)
            _check_digest(path, bundle.digest, parameters["digest"]["string_value"])
            self._form = bundle.manifest.wire_names[args["model_name"]]
            device: Device = "cuda" if args["model_instance_kind"] == "GPU" else "cpu"
            self._model = Model(bundle, device=device, forms=(self._form,))
            self._model.self_test()
        except LineshapeError as error:
            raise triton.TritonModelException(str(error)) from None
        self._inputs = [spec.name for spec in self._model.manifest.graphs[self._form].inputs]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request; all of them are one batch where none is refused."""
        asked = [{name: _array(request, name) for name in self._inputs} for request in requests]
        return [_response(request, answer) for request, answer in zip(requests, self._answers(asked), strict=True)]

    def _answers(self, asked: Sequence[Arrays]) -> list[Arrays | LineshapeError]:
        """One pass; after a refusal one for each, so that only who sent a wrong value hears of it."""
        sizes = [len(next(iter(arrays.values()))) for arrays in asked]
        try:
            answer = self._model.run(_joined(asked), self._form)
        except TensorError as error:
            return [error] if len(asked) == 1 else [self._answers([arrays])[0] for arrays in asked]
        except LineshapeError as error:
            return [error] * len(asked)
        ends = np.cumsum(sizes)
        return [{name: array[end - size : end] for name, array in answer.items()}
                for size, end in zip(sizes, ends, strict=True)]  # fmt: skip


def _check_digest(path: Path, found: str, wanted: str) -> None:
    if found != wanted:
        raise TamperedBundle(f"{path}: is bundle {found[:12]}, but config.pbtxt was written for {wanted[:12]}; "
                             "write the repository again with `lineshape triton`")  # fmt: skip


# Arrays pass by DLPack: what Triton's own conversion gives under numpy 2 is silently wrong.


def _array(request: Any, name: str) -> NDArray[Any]:  # noqa: ANN401 - Triton's classes have no types
    shared = np.from_dlpack(triton.get_input_tensor_by_name(request, name))
    return np.require(shared, requirements=["C_CONTIGUOUS", "ALIGNED"])  # a request may begin at any byte


def _tensor(name: str, array: NDArray[Any]) -> Any:  # noqa: ANN401
    capsule = np.ascontiguousarray(array).__dlpack__()
    tensor = triton.Tensor.from_dlpack(name, capsule)
    _rename(capsule, CONSUMED)  # Triton takes it under another name, of which numpy complains at every answer
    return tensor


def _joined(asked: Sequence[Arrays]) -> Arrays:
    if len(asked) == 1:
        return asked[0]
    return {name: np.concatenate([arrays[name] for arrays in asked]) for name in asked[0]}


def _response(request: Any, answer: Arrays | LineshapeError) -> Any:  # noqa: ANN401
    if isinstance(answer, LineshapeError):
        code = triton.TritonError.INVALID_ARG if answer.http_status < 500 else triton.TritonError.INTERNAL
        return triton.InferenceResponse(error=triton.TritonError(str(answer), code))
    wanted = set(request.requested_output_names())
    return triton.InferenceResponse([_tensor(name, array) for name, array in answer.items() if name in wanted])
