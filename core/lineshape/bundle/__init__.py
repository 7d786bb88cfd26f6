"""The bundle: one exporter writes it, every face reads it."""

from lineshape.bundle.agreement import check_close, peak_shifts
from lineshape.bundle.contract import (
    AnalyteSpec,
    AxisSpec,
    Form,
    GraphSpec,
    Limits,
    Manifest,
    NoiseSpec,
    SamplerSpec,
    Task,
    TensorSpec,
    Tolerance,
)
from lineshape.bundle.identity import Identity, named
from lineshape.bundle.sealed import Bundle, copy_bundle, open_bundle, seal, sign, unpack
from lineshape.bundle.store import Installed, Store
from lineshape.bundle.tensors import check_inputs
from lineshape.bundle.verdict import Verdict, check_verdict, refuse, verdict_of

__all__ = [
    "AnalyteSpec",
    "AxisSpec",
    "Bundle",
    "Form",
    "GraphSpec",
    "Identity",
    "Installed",
    "Limits",
    "Manifest",
    "NoiseSpec",
    "SamplerSpec",
    "Store",
    "Task",
    "TensorSpec",
    "Tolerance",
    "Verdict",
    "check_close",
    "check_inputs",
    "check_verdict",
    "copy_bundle",
    "named",
    "open_bundle",
    "peak_shifts",
    "refuse",
    "seal",
    "sign",
    "unpack",
    "verdict_of",
]
