"""The servers that are compared: our application alone and inside BentoML, a real Triton, and a stock BentoML."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from lineshape.errors import UsageError
from lineshape_serving.bench.processes import Process, free_port
from lineshape_serving.bench.subject import VARIABLE, Subject
from lineshape_serving.triton import write_repository

PYTHON = ".".join(map(str, sys.version_info[:2]))


def alone(subject: Subject, folder: Path) -> Process:
    """Our ASGI application in uvicorn, without BentoML."""
    port = free_port()
    words = [sys.executable, "-m", "lineshape_serving.bench.alone", subject.path, port]
    return Process("our application alone", words, folder, port)


def bentoml(source: Path, folder: Path, *options: object) -> Process:
    """`lineshape serve`: our application inside BentoML, and gRPC beside it."""
    port, grpc = free_port(), free_port()
    words = [sys.executable, "-m", "lineshape", "serve", source, "--port", port, "--grpc-port", grpc, *options]
    return Process("lineshape serve", words, folder, port, grpc)


def stock_bentoml(subject: Subject, folder: Path) -> Process:
    """A service as BentoML's documentation writes it: arrays in and out, as JSON."""
    port = free_port()
    words = [sys.executable, "-m", "bentoml", "serve", "lineshape_serving.bench.stock:Stock", "--host", "127.0.0.1",
             "--port", port]  # fmt: skip
    environment = {VARIABLE: str(subject.path), "BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "true",
                   "ORT_DISABLE_TELEMETRY": "1"}  # fmt: skip
    return Process("stock BentoML", words, folder, port, asked="/readyz", environment=environment)


def triton(wheel: Path, subjects: Sequence[Subject], folder: Path) -> Process:
    """A real tritonserver with its python backend.

    Parameters
    ----------
    wheel : Path
        Where `pip install --no-deps --target FOLDER nvidia-pytriton==0.7.0` has put it.
    subjects : sequence of Subject
    folder : Path

    Raises
    ------
    UsageError
        If it is not there.
    """
    repository = folder / "models"
    write_repository([subject.path for subject in subjects], repository, "cpu", "python")
    http, grpc, metrics = free_port(), free_port(), free_port()
    words = [wheel.absolute() / "pytriton/tritonserver/bin/tritonserver", f"--model-repository={repository}",
             f"--backend-directory={_backends(wheel, folder)}", "--disable-auto-complete-config",
             "--model-control-mode=explicit", *(f"--load-model={subject.name}" for subject in subjects),
             "--allow-gpu-metrics=false", "--http-address=127.0.0.1", f"--http-port={http}",
             "--grpc-address=127.0.0.1", f"--grpc-port={grpc}", "--metrics-address=127.0.0.1",
             f"--metrics-port={metrics}"]  # fmt: skip
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LD_LIBRARY_PATH": _libraries(wheel),
                   "ORT_DISABLE_TELEMETRY": "1"}  # fmt: skip
    return Process("Triton", words, folder, http, grpc, environment=environment)


def _backends(wheel: Path, folder: Path) -> Path:
    """The python backend with the model process for this Python: the wheel keeps one for each, apart."""
    inside, backends = wheel / "pytriton/tritonserver", folder / "backends"
    stub = inside / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    if not stub.is_file():
        raise UsageError(f"--triton {wheel}: no Triton with a python backend for Python {PYTHON}; "
                         f"pip install --no-deps --target {wheel} nvidia-pytriton==0.7.0")  # fmt: skip
    shutil.copytree(inside / "backends/python", backends / "python")
    shutil.copy(stub, backends / "python")
    return backends


def _libraries(wheel: Path) -> str:
    """Where the loader looks: our own libpython first, then what the wheel brought along."""
    ours = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    multiarch = ours / (sysconfig.get_config_var("MULTIARCH") or "")
    return f"{ours}:{multiarch}:{wheel.absolute() / 'nvidia_pytriton.libs'}"
