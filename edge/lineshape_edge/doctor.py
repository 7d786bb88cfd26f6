"""What this machine has, found by trying rather than by asking."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from lineshape.errors import LineshapeError

# y = x, the smallest ONNX graph (opset 20, IR 10): enough to see whether a provider starts.
IDENTITY = bytes.fromhex(
    "080a3a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a001014"
)
PARTS = (
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "torch",
    "onnx",
    "bentoml",
    "tritonclient",
    "matplotlib",
    "pybaselines",
)


def examine() -> dict[str, str]:
    """Versions, processor, and for each device whether a graph really runs there."""
    found = {
        "lineshape": version("lineshape"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
    }
    found |= {part: _version(part) for part in PARTS}
    found |= {f"device {device}": _tried(device) for device in ("cpu", "cuda")}
    return found


def _version(part: str) -> str:
    try:
        return version(part)
    except PackageNotFoundError:
        return "not installed"


def _tried(device: str) -> str:
    try:
        from lineshape_edge.session import Session

        Session(IDENTITY, device=device)  # type: ignore[arg-type]
    except LineshapeError as error:
        return f"no: {error}"
    return "runs"
