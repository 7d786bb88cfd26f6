"""What one transfer costs: parameters, bytes and milliseconds, beside the paper's network in the same run.

Both are timed on one thread with one spectrum at a time. A repeat times the bundle's graph and the paper's network one
right after the other, and the ratio is taken within the repeat, so that whatever else the machine does weighs on both.
The paper's network runs in PyTorch, as its public code does, and in ONNX Runtime, which is what is fair to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from lineshape.bundle import Bundle, open_bundle
from lineshape.bundle.contract import GOLDEN, MANIFEST
from lineshape.bundle.verdict import PROVENANCE
from lineshape.errors import UnsupportedBundle
from lineshape.results import Interval, bootstrapped
from lineshape_edge.session import Session
from lineshape_training.study.cells import one_thread
from lineshape_training.transfer.paper_network import PaperNetwork, in_onnx

REPEATS = 15
PASSES = 50  # of the bundle's graph in a repeat; of the paper's network there is one
WARM_UP = 5

OURS, TORCH, ONNX = "lineshape", "PyTorch", "ONNX Runtime"
Pass = Callable[[], object]


class PaperCost(msgspec.Struct, frozen=True):
    """The paper's network.

    Parameters
    ----------
    parameters, bytes : int
        Its weights, and what they take in float32.
    milliseconds, times_slower : dict of runtime to Interval
        Of one pass, and how many times that of the bundle's graph in ONNX Runtime, by repeat.
    """

    parameters: int
    bytes: int
    milliseconds: dict[str, Interval]
    times_slower: dict[str, Interval]


class Cost(msgspec.Struct, frozen=True):
    """What one transfer by a bundle costs.

    Parameters
    ----------
    parameters : int
    edge_bytes : int
        Of the manifest, the graph and the golden cases: all that an instrument's PC needs.
    milliseconds : Interval
        p50 of one spectrum in ONNX Runtime on one thread.
    paper : PaperCost
    """

    parameters: int
    edge_bytes: int
    milliseconds: Interval
    paper: PaperCost


class _Fitted(msgspec.Struct):
    parameters: int


class _Provenance(msgspec.Struct):
    fitted: _Fitted


def cost(path: Path, onnx: bool = True, repeats: int = REPEATS, paper: PaperNetwork | None = None) -> Cost:
    """Measure a bundle.

    Parameters
    ----------
    path : Path
        Of the bundle.
    onnx : bool
        Also time the paper's network in ONNX Runtime, which needs some 8 GB of memory at full size.
    repeats : int
    paper : PaperNetwork, optional
        By default at full size.

    Raises
    ------
    BundleError
        If the bundle is not as sealed, or not for transfer.
    MissingExtra
        If `onnx` is asked for without the packages that write it.
    """
    bundle = open_bundle(path)
    if bundle.manifest.task != "transfer":
        raise UnsupportedBundle(f"{path}: is for {bundle.manifest.task}; this measures transfer")
    with one_thread():
        network = (paper or PaperNetwork()).eval()
        weights = sum(parameter.numel() for parameter in network.parameters())
        spent = _timed({OURS: _ours(bundle), **_theirs(network, onnx)}, repeats)
    ours, theirs = spent[OURS], {name: values for name, values in spent.items() if name != OURS}
    slower = {name: _median(values / ours) for name, values in theirs.items()}
    beside = PaperCost(weights, 4 * weights, {name: _median(values) for name, values in theirs.items()}, slower)
    return Cost(parameters(bundle), edge_bytes(bundle), _median(ours), beside)


def edge_bytes(bundle: Bundle) -> int:
    """Bytes of the manifest, the graph and the golden cases."""
    files = (bundle.manifest.graphs["model"].file, GOLDEN)
    return len(bundle.archive.read(MANIFEST)) + sum(len(bundle.read(name)) for name in files)


def parameters(bundle: Bundle) -> int:
    """Of the fitted network, as the bundle's provenance has them.

    Raises
    ------
    UnsupportedBundle
        If there is no provenance, or none that can be read.
    """
    if PROVENANCE not in bundle.manifest.files:
        raise UnsupportedBundle(f"bundle {bundle.manifest.name} has no {PROVENANCE}; measure the bundle as exported")
    try:
        return msgspec.json.decode(bundle.read(PROVENANCE), type=_Provenance).fitted.parameters
    except msgspec.MsgspecError as error:
        raise UnsupportedBundle(f"{PROVENANCE}: {error}") from None


def _ours(bundle: Bundle) -> Pass:
    session = Session(bundle.read(bundle.manifest.graphs["model"].file), threads=1)
    inputs = {name: array[:1] for name, array in bundle.golden("model")[0][0].items()}
    return lambda: session.run(inputs)


def _theirs(network: PaperNetwork, onnx: bool) -> dict[str, Pass]:
    image = torch.rand(1, 1, *network.image, generator=torch.Generator().manual_seed(0))

    @torch.inference_mode()
    def in_torch() -> object:
        return network(image)

    if not onnx:
        return {TORCH: in_torch}
    session, inputs = Session(in_onnx(network, image), threads=1), {"image": image.numpy()}
    return {TORCH: in_torch, ONNX: lambda: session.run(inputs)}


def _timed(passes: Mapping[str, Pass], repeats: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds of a pass by repeat: the median of `PASSES` of ours, one of the paper's network."""
    for one in passes.values():
        one()
    spent: dict[str, list[float]] = {name: [] for name in passes}
    for _ in range(repeats):
        for name, one in passes.items():
            many = [_milliseconds(one) for _ in range(WARM_UP + PASSES if name == OURS else 1)]
            spent[name].append(float(np.median(many[WARM_UP:] if name == OURS else many)))
    return {name: np.array(values) for name, values in spent.items()}


def _milliseconds(one: Pass) -> float:
    started = time.perf_counter()
    one()
    return 1000 * (time.perf_counter() - started)


def _median(values: NDArray[Any]) -> Interval:
    """Over the repeats, with the interval of resampled ones."""
    return bootstrapped(values, np.arange(len(values)).astype(str), lambda drawn: float(np.median(drawn)))
