"""The command as a user types it, run in this process: what it prints, what it complains of, and its exit code.

A process of its own imports torch for seconds; it is started where the process itself is what a test is about.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess

from lineshape.cli import main


def lineshape(*words: str | Path) -> CompletedProcess[str]:
    """The command run to its end."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code, before = 0, sys.argv
    sys.argv = ["lineshape", *map(str, words)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = before
    told, complained = (stream.buffer.getvalue().decode() for stream in (out, err))
    return CompletedProcess(words, code, told, complained)
