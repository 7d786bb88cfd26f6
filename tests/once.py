"""What every worker of a test run needs and only one has to make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock


def once(path: Path, make: Callable[[Path], object]) -> Path:
    """The file or folder `path`; made, by whichever worker comes first, while the others wait.

    `make` is given another path of the same name: what it leaves unfinished is never taken for done.
    """
    with FileLock(path.with_name(f"{path.name}.lock")):
        if not path.exists():
            with TemporaryDirectory(dir=path.parent) as work:
                make(Path(work) / path.name)
                (Path(work) / path.name).rename(path)
    return path
