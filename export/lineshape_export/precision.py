"""A graph in lower precision: about half the bytes (fp16) or a quarter (int8), at a price that `fidelity` measures.

What comes before the first layer with weights stays as it is: seeded noise, whose words would drown, and the
normalisation of counts, which fp16 cannot even hold.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from lineshape.bundle import Form
from lineshape_export.golden import Arrays
from lineshape_export.half import LAYERS, halved


def to_fp16(model: bytes, calibration: Sequence[Arrays]) -> bytes:
    """Weights and arithmetic in half precision, inputs and outputs as they were; needs no calibration."""
    graph = onnx.load_model_from_string(model)
    return _sealed(halved(graph), graph)


def to_int8(model: bytes, calibration: Sequence[Arrays]) -> bytes:
    """Layers in eight bits, weights by channel, ranges as they are in the calibration's batches.

    One bit of the range is left free: without it a CPU that has no VNNI saturates, and answers far off.
    """
    graph = onnx.load_model_from_string(model)
    logging.getLogger().addFilter(_hush)
    try:
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "int8.onnx"
            quantize_static(
                graph, written, _Batches(calibration), QuantFormat.QDQ, op_types_to_quantize=list(LAYERS),
                per_channel=True, reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip
            return _sealed(onnx.load(written), graph)
    finally:
        logging.getLogger().removeFilter(_hush)


LOWER: dict[Form, Callable[[bytes, Sequence[Arrays]], bytes]] = {"fp16": to_fp16, "int8": to_int8}


class _Batches(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, batches: Sequence[Arrays]) -> None:
        self._left: Iterator[Arrays] = iter(batches)

    def get_next(self) -> Arrays | None:
        """The next batch; None after the last."""
        return next(self._left, None)


def _sealed(lower: onnx.ModelProto, graph: onnx.ModelProto) -> bytes:
    """With the metadata and the version of the graph it came from, and nothing of the tool that made it."""
    del lower.metadata_props[:], lower.graph.value_info[:]
    lower.metadata_props.extend(graph.metadata_props)
    lower.ir_version, lower.producer_name, lower.producer_version = graph.ir_version, "lineshape", ""
    onnx.checker.check_model(lower, full_check=True)
    content: bytes = lower.SerializeToString(deterministic=True)
    return content


def _hush(record: logging.LogRecord) -> bool:
    """Its warnings are advice: to optimise the graph first, for one, which would tie it to this machine."""
    return record.levelno > logging.WARNING
