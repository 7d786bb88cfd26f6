"""Servers as processes of their own, in a folder of their own, that end with whoever started them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType

import psutil  # type: ignore[import-untyped]
import urllib3

from lineshape.errors import LineshapeError

START_SECONDS = 90.0
END_SECONDS = 10.0


class Process:
    """A server; `ready` waits until it answers, and the end of the block ends it.

    Parameters
    ----------
    name : str
        For messages.
    words : sequence of str
        Its command.
    folder : Path
        Below which it has its own.
    http, grpc : int, optional
        The ports that the command told it to listen on.
    asked : str
        The path that answers 200 once it is ready.
    environment : mapping, optional
        What differs from ours.
    """

    def __init__(self, name: str, words: Sequence[object], folder: Path, http: int, grpc: int | None = None,
                 asked: str = "/v2/health/ready", environment: Mapping[str, str] | None = None) -> None:  # fmt: skip
        self.name, self.http, self.grpc = name, f"127.0.0.1:{http}", f"127.0.0.1:{grpc}"
        self._asked = f"http://{self.http}{asked}"
        own = Path(mkdtemp(prefix=f"{name.replace(' ', '-')}-", dir=folder))
        self._log = own / "log"
        with self._log.open("wb") as log:
            self._process = psutil.Popen(list(map(str, words)), cwd=own, env=os.environ | dict(environment or {}),
                                         stdout=log, stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
            self._process.terminate()
            self._process.wait(END_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # a worker must not outlive its supervisor

    def ready(self) -> Process:
        """Wait for it.

        Raises
        ------
        LineshapeError
            If it ends instead, or takes too long; the message shows its log.
        """
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(urllib3.exceptions.HTTPError):
                if self._answers():
                    return self
            time.sleep(0.05)
        raise LineshapeError(f"{self.name} does not start; its log ends:\n{self._log.read_text()[-2000:]}")

    def _answers(self) -> bool:
        close = {"Connection": "close"}  # Triton waits for open connections when it ends
        with urllib3.PoolManager() as pool:
            return pool.request("GET", self._asked, retries=False, timeout=5, headers=close).status == 200

    @property
    def worker(self) -> psutil.Process:
        """The process that answers: the largest of those that it consists of."""
        all_of_them = [psutil.Process(self._process.pid), *self._process.children(recursive=True)]
        return max(all_of_them, key=lambda process: process.memory_info().rss)


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
