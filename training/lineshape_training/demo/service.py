"""The commands of the demo: each one a process, shown as it is typed."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

import typer

from lineshape.errors import LineshapeError

PATIENCE = 60.0  # seconds for a service to become ready


def lineshape(*arguments: str | Path) -> None:
    """Run one verb; its output stays on the terminal.

    Raises
    ------
    LineshapeError
        If it ends with an error.
    """
    words = [str(argument) for argument in arguments]
    typer.secho(f"$ lineshape {' '.join(words)}", err=True, bold=True)
    ended = subprocess.run([sys.executable, "-m", "lineshape", *words], check=False)
    if ended.returncode:
        raise LineshapeError(
            f"`lineshape {' '.join(words)}` ended with exit code {ended.returncode}; its error is above"
        )


class Service:
    """`lineshape serve` on a free port, ready on entry and ended on exit.

    Parameters
    ----------
    bundles : list of Path
    """

    def __init__(self, bundles: list[Path]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"127.0.0.1:{free.getsockname()[1]}"
        self.words = ["serve", *map(str, bundles), "--port", self.url.rpartition(":")[2]]

    def __enter__(self) -> str:
        typer.secho(f"$ lineshape {' '.join(self.words)}", err=True, bold=True)
        self.process = subprocess.Popen([sys.executable, "-m", "lineshape", *self.words])
        deadline = time.monotonic() + PATIENCE
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.terminate()
                raise LineshapeError(f"the service at {self.url} did not become ready; its error is above")
            time.sleep(0.2)
        return self.url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.url}/v2/health/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False
