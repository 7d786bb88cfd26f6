"""What a model does at and beyond the ends of what it accepts."""

from __future__ import annotations

import numpy as np
import pytest

from lineshape.bundle import Form, TensorSpec
from lineshape.errors import TensorError
from lineshape_edge import Model

ENDS = {
    "source": (-1e9, 1e9), "source_b": (-1e9, 1e9), "analyte": (-1e9, 1e9), "noise": (-100, 100),
    "noise_scale": (0, 1e6), "weight": (0, 1), "mask": (1, 1),
}  # fmt: skip
SMALL = (0.0, 1e-42, 1e-30)  # the second is a denormal of float32
BEYOND = (np.nan, np.inf, -np.inf, 3e38)


def check_extremes(model: Model) -> None:
    """Whatever is accepted is answered by finite numbers; whatever is not, by an error that names the input."""
    for form, graph in model.manifest.graphs.items():
        for spec in graph.inputs:
            if spec.dtype == "FP32":
                check_input(model, form, spec)


def check_input(model: Model, form: Form, spec: TensorSpec) -> None:
    usual = model.bundle.golden(form)[2][0]
    low, high = ENDS[spec.role]
    for value in (low, high, *(small for small in SMALL if low <= small <= high)):
        outputs = model.run(usual | {spec.name: np.full_like(usual[spec.name], value)}, form)
        assert all(np.isfinite(array).all() for array in outputs.values()), (form, spec.name, value)
    for value in BEYOND:
        with pytest.raises(TensorError, match=f"input '{spec.name}': element \\[0, 0\\] is"):
            model.run(usual | {spec.name: np.full_like(usual[spec.name], value)}, form)
