"""A real `tritonserver` for the tests of several faces: the one of the wheel nvidia-pytriton, with its python backend.

`pip install --no-deps --target FOLDER nvidia-pytriton==0.7.0` unpacks it; FOLDER is `build/triton`, or what
LINESHAPE_TRITON names.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from services import free_port, surroundings

WHEEL = Path(os.environ.get("LINESHAPE_TRITON", Path(__file__).parents[1] / "build" / "triton"))
START_SECONDS = 60  # it takes 1 to 2 on an idle machine
PYTHON = ".".join(map(str, sys.version_info[:2]))


def backends(folder):
    """The python backend with the model process for this Python: the wheel keeps one for each, apart."""
    inside = WHEEL / "pytriton" / "tritonserver"
    stub = inside / "python_backend_stubs" / PYTHON / "triton_python_backend_stub"
    if not stub.is_file():
        pytest.skip(f"needs a Triton with a python backend for Python {PYTHON} at {WHEEL} (see LINESHAPE_TRITON)")
    shutil.copytree(inside / "backends" / "python", folder / "python")
    shutil.copy(stub, folder / "python")
    return folder


def libraries():
    """Where the loader looks: our own libpython first, then what the wheel brought along."""
    ours = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
    return f"{ours}:{ours / (sysconfig.get_config_var('MULTIARCH') or '')}:{WHEEL / 'nvidia_pytriton.libs'}"


class RunningTriton:
    """A process of its own on free ports of this machine, which loads what it is told to."""

    def __init__(self, folder, repository, *options):
        self.log = folder / "log"
        ports = {kind: free_port() for kind in ("http", "grpc", "metrics")}
        self.http, self.grpc, self.metrics = (f"127.0.0.1:{port}" for port in ports.values())
        listen = [f"--{kind}-{word}={value}" for kind, port in ports.items()
                  for word, value in (("address", "127.0.0.1"), ("port", port))]  # fmt: skip
        command = [WHEEL / "pytriton" / "tritonserver" / "bin" / "tritonserver", f"--model-repository={repository}",
                   f"--backend-directory={backends(folder)}", "--disable-auto-complete-config",
                   "--model-control-mode=explicit", "--allow-gpu-metrics=false", "--exit-on-error=false",
                   *listen, *options]  # fmt: skip
        environment = surroundings(folder) | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LD_LIBRARY_PATH": libraries(),
        }  # fmt: skip
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(list(map(str, command)), env=environment, cwd=folder, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip

    def said(self):
        return self.log.read_text(errors="replace")

    def wait_until_live(self):
        while time.monotonic() < self.started + START_SECONDS and self.process.poll() is None:
            try:
                if httpx.get(f"http://{self.http}/v2/health/live").status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"not live:\n{self.said()}")

    def stop(self):
        """Ask, and then make sure: a model's process must not outlive the test."""
        self.process.terminate()
        try:
            self.process.wait(START_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


@contextmanager
def triton_server(folder, repository, *options):
    running = RunningTriton(folder, repository, *options)
    try:
        yield running.wait_until_live()
    finally:
        running.stop()
