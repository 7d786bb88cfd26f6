"""ONNX Runtime, held the way Lineshape wants it: quiet, no telemetry, one thread, the provider that was asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lineshape.errors import MissingExtra, UnsupportedBundle, UsageError

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it reports usage from 1.29 on unless this stands before the import
try:
    import onnxruntime
except ImportError:
    raise MissingExtra("running a bundle", "edge") from None

Device: TypeAlias = Literal["cpu", "cuda"]
Arrays: TypeAlias = dict[str, NDArray[Any]]

# TF32 keeps 10 bits of a product's mantissa, which no tolerance of ours allows for.
NOWHERE = "/no-such-folder-of-lineshape"
SETTINGS: dict[Device, dict[str, str]] = {"cpu": {}, "cuda": {"use_tf32": "0"}}
PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Session:
    """One graph, ready to run from any number of threads at once.

    Parameters
    ----------
    model : bytes
        An ONNX file whose hash has been checked.
    threads : int
        Threads within an operator. One is fastest for small networks and single spectra.
    device : "cpu" or "cuda"
        ONNX Runtime falls back to the CPU without an error; we do not.

    Raises
    ------
    UnsupportedBundle
        If ONNX Runtime cannot load the graph.
    UsageError
        If the device does not really run here.
    """

    def __init__(self, model: bytes, threads: int = 1, device: Device = "cpu") -> None:
        provider = PROVIDERS[device]
        if provider not in onnxruntime.get_available_providers():
            raise UsageError(f"device {device!r}: this onnxruntime has no {provider}; see `lineshape doctor`")
        try:
            self._session = onnxruntime.InferenceSession(
                model, _options(threads), providers=[(provider, SETTINGS[device])]
            )
        except Exception as error:  # its exceptions share no base class
            raise UnsupportedBundle(f"ONNX Runtime {onnxruntime.__version__} cannot load the graph: {error}") from None
        if self._session.get_providers()[0] != provider:
            raise UsageError(f"device {device!r}: {provider} is installed but does not start; see `lineshape doctor`")
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """One pass: contiguous arrays in, arrays out."""
        feed = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        try:
            return dict(zip(self.outputs, self._session.run(None, feed), strict=True))
        except Exception as error:  # its exceptions share no base class
            raise UnsupportedBundle(f"ONNX Runtime {onnxruntime.__version__} cannot run the graph: {error}") from None


def _options(threads: int) -> Any:  # noqa: ANN401 - onnxruntime has no types
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A graph may ask for weights in a file beside it, which nobody has hashed: let there be none.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NOWHERE)
    options.log_severity_level = 3
    return options
