"""A service as BentoML's documentation writes it, to measure against: numpy arrays in and out.

BentoML imports this module by name; the bundle stands in the environment.
"""

import os
from pathlib import Path
from typing import TypeAlias

import bentoml
import numpy as np
from numpy.typing import NDArray

from lineshape_edge import Model
from lineshape_serving.bench.subject import VARIABLE

Spectra: TypeAlias = NDArray[np.float32]


@bentoml.service
class Stock:
    """The same model."""

    def __init__(self) -> None:
        self.model = Model.open(Path(os.environ[VARIABLE]))

    @bentoml.api  # type: ignore[untyped-decorator]
    def reconstruct(self, source: Spectra, mask: Spectra) -> Spectra:
        """Spectra rebuilt."""
        spectrum: Spectra = self.model.run({"source": source, "mask": mask})["spectrum"]
        return spectrum
