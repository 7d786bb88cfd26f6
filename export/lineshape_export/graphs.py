"""A contract becomes a graph: ONNX for every face, TorchScript and torch.export for those who ask for them.

Graphs are traced on zeros, with a dynamic batch and a fixed length, and carry no path and no stack trace.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import onnx
import torch
from onnxscript import opset20 as op
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from lineshape.errors import ParityError
from lineshape_training.contract import Contract, Drawing, Seeded

OPSET, IR = 20, 10  # the newest that ONNX Runtime 1.27, Triton's, runs without doubt
MAX_BATCH = 4096
REMEMBERED = ("stack_trace", "source_fn_stack", "nn_module_stack", "from_node", "torch_fn")  # by a node of a program
TRACED_BATCH = 2  # 1 would be taken for a constant

_DTYPES = {"FP32": torch.float32, "INT64": torch.int64}


def to_program(contract: Contract) -> ExportedProgram:
    """The contract as `torch.export` sees it, with a dynamic batch: what the other two forms are written from.

    Parameters
    ----------
    contract : Contract
        In evaluation mode.
    """
    zeros, batch = _zeros(contract), Dim("batch", min=1, max=MAX_BATCH)
    with quiet():
        return torch.export.export(contract, zeros, dynamic_shapes={"inputs": tuple({0: batch} for _ in zeros)})


def to_onnx(program: ExportedProgram, contract: Contract, metadata: Mapping[str, str]) -> bytes:
    """Self-contained ONNX with the contract's tensor names.

    Parameters
    ----------
    program : ExportedProgram
        Of the contract.
    contract : Contract
    metadata : mapping of str to str
        Written into the model's metadata_props.
    """
    with quiet():
        found = torch.onnx.export(
            program,
            input_names=[spec.name for spec in contract.inputs],
            output_names=[spec.name for spec in contract.outputs],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
            custom_translation_table={torch.ops.aten.__rshift__.Scalar: _shift},
        )
    assert found is not None
    model = found.model_proto
    _check_batch(model)
    return _sealed(model, metadata)


def _sealed(model: onnx.ModelProto, metadata: Mapping[str, str]) -> bytes:
    """As bytes, with nothing of the machine and of the tools that made it."""
    _strip(model)
    model.ir_version = IR
    model.producer_name, model.producer_version = "lineshape", ""
    for key, value in sorted(metadata.items()):
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def seeded_onnx(contract: Seeded, noise_form: bytes) -> bytes:
    """The seeded form of a sampler: its noise form, fed with the normals of each seed.

    Parameters
    ----------
    contract : Seeded
    noise_form : bytes
        The ONNX of `contract.sampler`.
    """
    drawn, sampler = _normals(contract.normals.latent, contract.normals.detector), onnx.load_from_string(noise_form)
    model = onnx.compose.merge_models(drawn, sampler, io_map=[("noise", contract.sampler.inputs[0].name)])
    del model.opset_import[1:]  # one of each graph
    model.graph.name = sampler.graph.name
    return _sealed(model, {entry.key: entry.value for entry in sampler.metadata_props})


@functools.lru_cache(maxsize=8)
def _normals(latent: int, detector: int) -> onnx.ModelProto:
    """`seed` to `noise`, with names that no sampler has."""
    contract = Drawing(latent, detector).eval()
    model = onnx.load_from_string(to_onnx(to_program(contract), contract, {}))
    return onnx.compose.add_prefix(model, "seeded_", rename_inputs=False, rename_outputs=False)


def to_pt2(program: ExportedProgram) -> bytes:
    """What `torch.export.load` reads, without the source lines that nodes remember, and their paths."""
    _drop_unused(program)
    for module in program.graph_module.modules():
        if isinstance(module, GraphModule):
            for node in module.graph.nodes:
                for told in REMEMBERED:
                    node.meta.pop(told, None)
    out = io.BytesIO()
    with quiet():
        torch.export.save(program, out)
    return out.getvalue()


def _drop_unused(program: ExportedProgram) -> None:
    """Forget weights that the graph does not read: of a critic, for one, which only a fit needs."""
    placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    specs = program.graph_signature.input_specs
    for spec in [spec for spec in specs if spec.target and not placeholders[spec.arg.name].users]:
        program.graph.erase_node(placeholders[spec.arg.name])
        specs.remove(spec)
        if spec.target in program.state_dict:
            del program.state_dict[spec.target]
        else:
            del program.constants[spec.target]
    program.graph_module.recompile()


def _shift(words: Any, places: int) -> Any:  # noqa: ANN401 - onnxscript's symbolic values
    """A logical shift: seeded noise masks what it shifts, and an arithmetic one takes ten nodes."""
    wide, kept = onnx.TensorProto.UINT64, onnx.TensorProto.INT64
    by = op.Constant(value=onnx.helper.make_tensor("", wide, (), [places]))
    return op.Cast(op.BitShift(op.Cast(words, to=wide), by, direction="RIGHT"), to=kept)


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
    with quiet(), torch.no_grad():
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
def quiet() -> Iterator[None]:
    """Hush the exporters: TorchScript's deprecation is known and accepted, missing torchvision means nothing."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            warnings.filterwarnings(
                "ignore", "No complete tensor found", UserWarning
            )  # a weight that is part of another
            warnings.filterwarnings("ignore", "# The axis name: batch will not be used", UserWarning)
            yield
    finally:
        logger.setLevel(level)
