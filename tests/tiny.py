"""A bundle that holds what a bundle must, and no model."""

from __future__ import annotations

import io

import numpy as np

from lineshape.bundle import AxisSpec, GraphSpec, Limits, Manifest, TensorSpec, Tolerance

GRAPH = GraphSpec(
    "model.onnx",
    (TensorSpec("source", "FP32", (-1, 4), "source", "counts", "source"),
     TensorSpec("mask", "FP32", (-1, 4), "mask", "1 measured, 0 not", "source")),
    (TensorSpec("spectrum", "FP32", (-1, 3), "spectrum", "relative", "spectrum"),),
)  # fmt: skip
MANIFEST = Manifest(
    name="tiny", version="1.2.3", family="spectrogen", task="transfer", graphs={"model": GRAPH},
    axes={"source": AxisSpec("raman", "cm-1", 1, 4, 4, "ascending"),
          "spectrum": AxisSpec("ir", "cm-1", 1, 3, 3, "ascending")},
    limits=Limits(8, (-1e9, 1e9)), tolerances={"spectrum": Tolerance(1e-3, 0.0)},
)  # fmt: skip


def npz(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


GOLDEN = {"model.0.source": np.ones((1, 4)), "model.0.mask": np.ones((1, 4)), "model.0.spectrum": np.ones((1, 3))}
FILES = {"model.onnx": b"not parsed here", "golden.npz": npz(**GOLDEN), "README.md": b"# tiny\n"}
