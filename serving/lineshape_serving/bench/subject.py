"""The bundles that are served: what a request to each of them holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lineshape import noise
from lineshape.bundle import Task
from lineshape_edge import Model
from lineshape_serving.tensors import Arrays

SEED = 8
VARIABLE = "LINESHAPE_BENCH_BUNDLE"  # where a server finds the path of its bundle


class Subject:
    """A bundle, and requests to it.

    Parameters
    ----------
    path : Path
    task : Task, optional
        What it has to be made for.

    Raises
    ------
    UnsupportedBundle
        If it is made for something else.
    """

    def __init__(self, path: Path, task: Task | None = None) -> None:
        self.path, self.model = path.absolute(), Model.open(path)
        if task:
            self.model.require(task)

    @property
    def name(self) -> str:
        """On the wire."""
        return self.model.manifest.name

    def inputs(self, n: int, first: int = 0) -> Arrays:
        """A request of n spectra: a golden one over and over, of a sampler n samples of one seed from `first` on."""
        golden, _ = self.model.bundle.golden("model")[0]
        rows = {name: np.repeat(array[:1], n, axis=0) for name, array in golden.items()}
        return rows | ({"seed": noise.seeds(SEED, n, first)} if "seed" in rows else {})
