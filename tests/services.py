"""A real `lineshape serve` for the tests of several faces: a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

COMMAND = str(Path(sys.executable).with_name("lineshape"))
START_SECONDS = 60  # it takes 2 to 4 on an idle machine


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def surroundings(folder):
    """The environment of a user who has set nothing, and whose home must stay as it is."""
    ours = ("BENTOML_", "LINESHAPE_", "ORT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {"HOME": str(folder)}


def lineshape(folder, *arguments):
    """The command run to its end."""
    return subprocess.run([COMMAND, *map(str, arguments)], cwd=folder, env=surroundings(folder), timeout=START_SECONDS,
                          capture_output=True, text=True, check=False)  # fmt: skip


class Running:
    """A `lineshape serve` process of its own, in a folder of its own."""

    def __init__(self, folder, *bundles, options=(), environment=None, verify=True):
        self.folder, self.port = folder, free_port()
        self.verify = verify
        self.url = f"127.0.0.1:{self.port}"
        for name in ("work", "home"):
            (folder / name).mkdir()
        command = [COMMAND, "serve", *map(str, bundles), "--port", str(self.port), *map(str, options)]
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self.process = subprocess.Popen(command, cwd=folder / "work", stdout=out, stderr=err,
                                            env=surroundings(folder / "home") | (environment or {}))  # fmt: skip

    def said(self, stream="err"):
        return (self.folder / stream).read_text()

    def wait_until_ready(self):
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            try:
                scheme = "http" if self.verify is True else "https"
                if httpx.get(f"{scheme}://{self.url}/v2/health/ready", verify=self.verify).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(f"not ready:\n{self.said()}{self.said('out')}")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        try:
            return self.process.wait(START_SECONDS)
        finally:
            self.process.kill()


@contextmanager
def served(folder, *bundles, **more):
    running = Running(folder, *bundles, **more)
    try:
        yield running.wait_until_ready()
    finally:
        if running.process.poll() is None:
            running.stop()
