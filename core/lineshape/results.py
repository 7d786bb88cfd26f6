"""Results with their intervals, and where they came from: what `docs/results` holds."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lineshape.files import write_atomically

DRAWS = 2000


class Interval(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrapped(values: NDArray[Any], group: NDArray[np.str_], statistic: Callable[[NDArray[Any]], float]) -> Interval:
    """A statistic of spectra, with the percentile interval of resampled groups.

    Parameters
    ----------
    values : float [n]
    group : str [n]
        Whole groups are drawn with replacement, for spectra of one group are not independent.
    statistic : callable
        Of the values of the drawn spectra.
    """
    rng = np.random.default_rng(0)
    members = [np.flatnonzero(group == name) for name in np.unique(group)]
    drawn = [
        statistic(values[np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])])
        for _ in range(DRAWS)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(round(statistic(values), 4), round(float(low), 4), round(float(high), 4))


def record(path: Path, key: str, part: str, content: Any) -> None:  # noqa: ANN401
    """Put one part of a results file in the place of its last measurement, with how it was made beside it."""
    known: dict[str, Any] = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
    known.setdefault("about", {})[f"{key} {part}"] = origin()
    known.setdefault(key, {})[part] = msgspec.to_builtins(content)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(known), indent=2) + b"\n")


def origin() -> dict[str, str]:
    """How a result that this process makes is made."""
    return {
        "command": " ".join(["lineshape", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "revision": revision(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def revision() -> str:
    """The version-control revision that this code stands at; with "-dirty" where code was changed since."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return f"{head}-dirty" if _git("status", "--porcelain", "--", ":/*.py", ":/*.toml") else head
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
