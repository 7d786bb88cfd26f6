"""The bundle: one exporter writes it, every face reads it."""

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
from lineshape.bundle.sealed import Bundle, open_bundle, seal, sign, unpack
from lineshape.bundle.tensors import check_close, check_inputs
from lineshape.bundle.verdict import Verdict, check_verdict, refuse, verdict_of

__all__ = [
    "AnalyteSpec",
    "AxisSpec",
    "Bundle",
    "Form",
    "GraphSpec",
    "Limits",
    "Manifest",
    "NoiseSpec",
    "SamplerSpec",
    "Task",
    "TensorSpec",
    "Tolerance",
    "Verdict",
    "check_close",
    "check_inputs",
    "check_verdict",
    "open_bundle",
    "refuse",
    "seal",
    "sign",
    "unpack",
    "verdict_of",
]
