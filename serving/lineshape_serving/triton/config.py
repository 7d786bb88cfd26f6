"""`config.pbtxt`: what Triton has to know of one form of a bundle, as its own protobuf message."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from google.protobuf import text_format  # type: ignore[import-untyped]
from tritonclient.grpc import model_config_pb2 as wire

from lineshape.bundle import Bundle, Form, GraphSpec, TensorSpec
from lineshape.errors import UsageError
from lineshape_serving.describe import FACTS, facts
from lineshape_serving.triton.warmup import samples

Machine: TypeAlias = Literal["cpu", "cuda", "tensorrt"]
Backend: TypeAlias = Literal["onnxruntime", "python"]
ModelConfig: TypeAlias = Any  # a generated protobuf class, which has no types

MODEL = "model.onnx"
WORKSPACE = 1 << 30  # bytes that TensorRT may use while it chooses kernels
USUAL_BATCH = 64  # the batch that TensorRT's kernels are chosen for
ENGINES = "/var/cache/lineshape-tensorrt"  # as the server sees it

# What a form may run at in TensorRT. A bundle holds `fp16` only where a fidelity gate let it pass; a form that is not
# named here (int8, quantised for CPUs) runs on CUDA.
PRECISION: dict[str, str] = {"model": "FP32", "noise": "FP32", "fp16": "FP16"}

# One thread for each instance, operator after operator: networks of spectra are small, and Triton has the cores.
THREADS = {"intra_op_thread_count": "1", "inter_op_thread_count": "1", "execution_mode": "0"}


def model_config(bundle: Bundle, form: Form, machine: Machine = "cpu", backend: Backend = "onnxruntime",
                 instances: int = 1) -> ModelConfig:  # fmt: skip
    """Describe one form of a bundle to Triton.

    Parameters
    ----------
    bundle : Bundle
    form : str
        A key of the manifest's graphs.
    machine : "cpu", "cuda" or "tensorrt"
        What the server runs on. With TensorRT a seeded form still runs on CUDA: its random words are unsigned 64-bit
        integers, which TensorRT has not.
    backend : "onnxruntime" or "python"
    instances : int
        Copies that run at once, each with weights of its own.

    Returns
    -------
    tritonclient.grpc.model_config_pb2.ModelConfig

    Raises
    ------
    UsageError
        See `check_machine`.
    """
    check_machine(machine, backend)
    manifest, graph = bundle.manifest, bundle.manifest.graphs[form]
    config = wire.ModelConfig(
        name=wire_name(bundle, form),
        backend=backend,
        max_batch_size=manifest.limits.max_batch,
        input=[wire.ModelInput(**_tensor(spec)) for spec in graph.inputs],
        output=[wire.ModelOutput(**_tensor(spec)) for spec in graph.outputs],
        version_policy=wire.ModelVersionPolicy(latest=wire.ModelVersionPolicy.Latest(num_versions=1)),
        instance_group=[_instances(machine, backend, instances)],
        # What waits is joined and nothing waits to be joined: rows of a batch never mix, so any batch will do. No bound
        # on the queue: with one, Triton 2.51 misses wake-ups, and single requests took 500 ms in place of 2.
        dynamic_batching=wire.ModelDynamicBatching(),
        metric_tags={"bundle": manifest.name, "semver": manifest.version, "digest": bundle.digest},
        model_warmup=[sample.message for sample in samples(bundle, form)],
    )
    _set(config, {"digest": bundle.digest, "form": form, FACTS: facts(form, bundle.manifest, bundle.digest)})
    if backend == "onnxruntime":
        config.default_model_filename = MODEL
        _set(config, THREADS)
        _accelerate(config, graph, form, bundle, machine)
    return config


def check_machine(machine: Machine, backend: Backend) -> None:
    """Refuse TensorRT in the python backend.

    Raises
    ------
    UsageError
        With what to choose.
    """
    if backend == "python" and machine == "tensorrt":
        raise UsageError("TensorRT accelerates the onnxruntime backend only; for --backend python choose cpu or cuda")


def wire_name(bundle: Bundle, form: Form) -> str:
    """The name under which a form is called."""
    return next(name for name, of in bundle.manifest.wire_names.items() if of == form)


def text(config: ModelConfig) -> bytes:
    """The file, which anything that knows Triton's protobuf reads back."""
    return str(text_format.MessageToString(config)).encode()


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    """Without the batch, which Triton keeps apart."""
    return {"name": spec.name, "data_type": f"TYPE_{spec.dtype}", "dims": spec.shape[1:]}


def _instances(machine: Machine, backend: Backend, count: int) -> ModelConfig:
    if machine == "cpu":
        return wire.ModelInstanceGroup(kind="KIND_CPU", count=count)
    # ONNX Runtime's backend takes every GPU there is; our own session takes the first.
    return wire.ModelInstanceGroup(kind="KIND_GPU", count=count, gpus=[0] if backend == "python" else [])


def _accelerate(config: ModelConfig, graph: GraphSpec, form: Form, bundle: Bundle, machine: Machine) -> None:
    if machine == "cpu":
        return
    accelerators = config.optimization.execution_accelerators.gpu_execution_accelerator
    if machine == "tensorrt" and (precision := _precision(graph, form)):
        accelerators.add(name="tensorrt", parameters=_tensorrt(graph, precision, config.name, bundle))
    # TF32 keeps 10 bits of a product's mantissa, which no tolerance of a bundle allows for.
    accelerators.add(name="cuda", parameters={"use_tf32": "0"})
    # An exhaustive search for a convolution would hold up the first request of every batch size.
    _set(config, {"cudnn_conv_algo_search": "1"})  # heuristic


def _precision(graph: GraphSpec, form: Form) -> str | None:
    """None for a form that TensorRT cannot run."""
    return None if any(spec.role == "seed" for spec in graph.inputs) else PRECISION.get(form)


def _tensorrt(graph: GraphSpec, precision: str, name: str, bundle: Bundle) -> dict[str, str]:
    """One engine for every batch; without a profile it would be built anew whenever a larger one comes."""
    most = bundle.manifest.limits.max_batch
    return {
        "precision_mode": precision,
        "max_workspace_size_bytes": str(WORKSPACE),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": ENGINES,
        "trt_engine_cache_prefix": f"{name}-{bundle.digest[:12]}",
        "trt_profile_min_shapes": _shapes(graph, 1),
        "trt_profile_opt_shapes": _shapes(graph, min(USUAL_BATCH, most)),
        "trt_profile_max_shapes": _shapes(graph, most),
    }


def _shapes(graph: GraphSpec, rows: int) -> str:
    return ",".join(f"{spec.name}:{rows}x{spec.shape[1]}" for spec in graph.inputs)


def _set(config: ModelConfig, parameters: dict[str, str]) -> None:
    for key, value in parameters.items():
        config.parameters[key].string_value = value
