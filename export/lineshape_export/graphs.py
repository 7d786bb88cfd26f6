"""A contract becomes a graph: ONNX for every face, TorchScript for those who ask for it.

Graphs are traced on zeros, with a dynamic batch and a fixed length, and carry no path and no stack trace.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
import zipfile
from collections.abc import Iterator, Mapping

import onnx
import torch
from torch import Tensor
from torch.export import Dim

from lineshape.errors import ParityError
from lineshape_training.contract import Contract

OPSET, IR = 20, 10  # the newest that ONNX Runtime 1.27, Triton's, runs without doubt
MAX_BATCH = 4096
TRACED_BATCH = 2  # 1 would be taken for a constant

_DTYPES = {"FP32": torch.float32, "INT64": torch.int64}


def to_onnx(contract: Contract, metadata: Mapping[str, str]) -> bytes:
    """Self-contained ONNX with the contract's tensor names.

    Parameters
    ----------
    contract : Contract
        In evaluation mode.
    metadata : mapping of str to str
        Written into the model's metadata_props.
    """
    batch = Dim("batch", min=1, max=MAX_BATCH)
    zeros = _zeros(contract)
    with _quiet():
        program = torch.onnx.export(
            contract,
            zeros,
            input_names=[spec.name for spec in contract.inputs],
            output_names=[spec.name for spec in contract.outputs],
            dynamic_shapes={"inputs": tuple({0: batch} for _ in zeros)},
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _check_batch(model)
    _strip(model)
    model.ir_version = IR
    for key, value in sorted(metadata.items()):
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _check_batch(model: onnx.ModelProto) -> None:
    """Refuse a graph in which the batch has become the number that it was traced with.

    Raises
    ------
    ParityError
        Naming the tensor.
    """
    for tensor in (*model.graph.input, *model.graph.output):
        if not tensor.type.tensor_type.shape.dim[0].dim_param:
            raise ParityError(
                f"tensor {tensor.name!r}: the graph takes a batch of {TRACED_BATCH} only; the family's network makes a "
                "Python number of the batch (len() does), where shape[0] would not"
            )


def to_torchscript(contract: Contract) -> bytes:
    """TorchScript by tracing, without its debugging records."""
    with _quiet(), torch.no_grad():
        traced = torch.jit.trace(contract, _zeros(contract), check_trace=False)  # type: ignore[no-untyped-call]
        traced = torch.jit.freeze(traced)
        out = io.BytesIO()
        torch.jit.save(traced, out)
    return _without_debug(out.getvalue())


def _zeros(contract: Contract) -> tuple[Tensor, ...]:
    return tuple(torch.zeros(TRACED_BATCH, spec.shape[1], dtype=_DTYPES[spec.dtype]) for spec in contract.inputs)


def _strip(model: onnx.ModelProto) -> None:
    """Remove what the exporter says of the machine: stack traces, paths, documentation."""
    del model.metadata_props[:], model.functions[:]
    model.doc_string = model.graph.doc_string = ""
    del model.graph.metadata_props[:], model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""


def _without_debug(content: bytes) -> bytes:
    """TorchScript's zip without the `.debug_pkl` records, which hold source lines with their paths."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            if not info.filename.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0)), old.read(info))
    return out.getvalue()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hush the exporters: TorchScript's deprecation is known and accepted, missing torchvision means nothing."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            warnings.filterwarnings("ignore", "# The axis name: batch will not be used", UserWarning)
            yield
    finally:
        logger.setLevel(level)
