"""The gRPC adapter over a real socket: unmodified Triton clients, probes and raw messages."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import queue
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
import tritonclient.utils.shared_memory as shm
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_thread import SECONDS, served_by_grpc
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as wire
from tritonclient.grpc import service_pb2_grpc
from tritonclient.utils import InferenceServerException

from lineshape.errors import LineshapeError, OverloadError, UsageError
from lineshape_edge import Model
from lineshape_serving import DataPlane
from lineshape_serving.access import Gate, Key
from lineshape_serving.grpc import messages, refusals
from lineshape_serving.grpc.front import PROBES, WATCHERS, send
from lineshape_serving.grpc.streams import AHEAD, Streams
from lineshape_serving.settings import Limits, Running
from lineshape_serving.shared_memory import Regions
from lineshape_serving.sources import Sources

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
Code = grpc.StatusCode
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def model(transfer_bundle):
    return Model.open(transfer_bundle)


@pytest.fixture(scope="module")
def name(model):
    return model.manifest.name


@pytest.fixture(scope="module")
def source(model):
    values = np.random.default_rng(7).random((3, model.manifest.axes["source"].n), np.float32)
    return {"source": values, "mask": np.ones_like(values)}


@pytest.fixture(scope="module")
def expected(model, source):
    return model.run(source)


@pytest.fixture(scope="module")
def server(model):
    with served_by_grpc(DataPlane([model]), regions=Regions(Limits())) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(server.url) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture
def said(caplog, monkeypatch):
    """What stands in the log, whatever other tests have done to it."""
    monkeypatch.setattr(logging.getLogger("lineshape.serving"), "propagate", True)
    caplog.set_level(logging.INFO, "lineshape.serving")
    return caplog


def tensors(arrays):
    inputs = [triton.InferInput(name, list(array.shape), "FP32") for name, array in arrays.items()]
    return [tensor.set_data_from_numpy(array) for tensor, array in zip(inputs, arrays.values(), strict=True)]


def infer_request(name, arrays, **rest):
    """The message, written by hand."""
    request = wire.ModelInferRequest(model_name=name, **rest)
    for tensor, array in arrays.items():
        request.inputs.add(name=tensor, datatype="FP32", shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    return request


def outputs_of(response):
    return {
        output.name: np.frombuffer(raw, np.float32).reshape(output.shape)
        for output, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }


def code_of(call, *given, **named):
    """The code of a refusal, and what it says."""
    with pytest.raises(grpc.RpcError) as refused:
        call(*given, **named)
    return refused.value.code(), refused.value.details()


# ---- what the server says of itself


def test_health_in_the_protocols_own_words(client, name, model):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(name)
    assert client.is_model_ready(name, model.manifest.version)
    assert not client.is_model_ready(name, "9.9.9")
    assert not client.is_model_ready("nobody")


def test_the_servers_metadata(client):
    told = client.get_server_metadata()
    assert told.name == "lineshape"
    assert {"binary_tensor_data", "system_shared_memory"} <= set(told.extensions)


def test_a_models_metadata_and_configuration(client, name, model):
    told = client.get_model_metadata(name, as_json=True)
    assert (told["name"], told["versions"]) == (name, [model.manifest.version])
    graph = model.manifest.graphs["model"]
    for role, specs in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        assert [(tensor["name"], tensor["datatype"], tuple(map(int, tensor["shape"]))) for tensor in told[role]] == [
            (spec.name, spec.dtype, spec.shape) for spec in specs
        ]
    config = client.get_model_config(name).config
    assert (config.name, config.max_batch_size) == (name, model.manifest.limits.max_batch)
    assert config.parameters["digest"].string_value == model.digest
    assert [tensor.dims[0] for tensor in config.input] == [spec.shape[1] for spec in graph.inputs]


def test_statistics_count_what_was_asked(client, name, source):
    def count():
        [told] = client.get_inference_statistics(name).model_stats
        return told.inference_count, told.inference_stats.success.count

    spectra, requests = count()
    client.infer(name, tensors(source))
    assert count() == (spectra + 3, requests + 1)
    assert [each.name for each in client.get_inference_statistics().model_stats] == [name]


def test_the_repositorys_index(client, name, model):
    [entry] = client.get_model_repository_index().models
    assert (entry.name, entry.version, entry.state) == (name, model.manifest.version, "READY")


def test_reflection_lists_the_services(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    [told] = stub.ServerReflectionInfo(iter([asked]))
    assert {service.name for service in told.list_services_response.service} == {
        "inference.GRPCInferenceService", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection",
    }  # fmt: skip
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol="inference.GRPCInferenceService")
    [told] = stub.ServerReflectionInfo(iter([asked]))
    assert told.file_descriptor_response.file_descriptor_proto


@pytest.mark.parametrize("call", ["CudaSharedMemoryStatus", "CudaSharedMemoryRegister", "CudaSharedMemoryUnregister",
                                  "TraceSetting", "LogSettings"])  # fmt: skip
def test_what_is_not_offered_says_so(stub, call):
    method = next(m for m in wire.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods if m.name == call)
    code, details = code_of(getattr(stub, call), getattr(wire, method.input_type.name)())
    assert code == Code.UNIMPLEMENTED
    assert len(details) > len("not offered")


# ---- inference


def test_tensors_as_bytes(client, name, model, source, expected):
    result = client.infer(name, tensors(source), model.manifest.version, request_id="seven")
    response = result.get_response()
    assert (response.id, response.model_name, response.model_version) == ("seven", name, model.manifest.version)
    assert [output.name for output in response.outputs] == list(expected)
    for output, array in expected.items():
        np.testing.assert_array_equal(result.as_numpy(output), array)  # the same session in the same process


def test_tensors_as_numbers(stub, name, source, expected):
    request = wire.ModelInferRequest(model_name=name)
    for tensor, array in source.items():
        contents = wire.InferTensorContents(fp32_contents=array.ravel().tolist())
        request.inputs.add(name=tensor, datatype="FP32", shape=array.shape, contents=contents)
    np.testing.assert_array_equal(outputs_of(stub.ModelInfer(request))["spectrum"], expected["spectrum"])


def test_whole_numbers_both_ways(sample_bundle):
    model = Model.open(sample_bundle)
    seed, scale = np.array([[7, 0], [2**53, 1]], np.int64), np.ones((2, 1), np.float32)
    with served_by_grpc(DataPlane([model])) as server, grpc.insecure_channel(server.url) as channel:
        stub, name = service_pb2_grpc.GRPCInferenceServiceStub(channel), model.manifest.name
        raw, typed = (wire.ModelInferRequest(model_name=name) for _ in range(2))
        for request, forms in ((raw, ({}, {})), (typed, (
            {"contents": wire.InferTensorContents(int64_contents=seed.ravel().tolist())},
            {"contents": wire.InferTensorContents(fp32_contents=scale.ravel().tolist())},
        ))):  # fmt: skip
            request.inputs.add(name="seed", datatype="INT64", shape=[2, 2], **forms[0])
            request.inputs.add(name="noise_scale", datatype="FP32", shape=[2, 1], **forms[1])
        raw.raw_input_contents.extend([seed.tobytes(), scale.tobytes()])
        for request in (raw, typed):
            np.testing.assert_array_equal(outputs_of(stub.ModelInfer(request))["spectrum"],
                                          model.run({"seed": seed, "noise_scale": scale})["spectrum"])  # fmt: skip


def test_only_the_outputs_asked_for_come(client, name, source, expected):
    asked = [triton.InferRequestedOutput(output) for output in ("familiarity", "lower")]
    result = client.infer(name, tensors(source), outputs=asked)
    assert [output.name for output in result.get_response().outputs] == ["familiarity", "lower"]
    np.testing.assert_array_equal(result.as_numpy("lower"), expected["lower"])


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compressed_messages(client, name, source, expected, compression):
    result = client.infer(name, tensors(source), compression_algorithm=compression)
    np.testing.assert_array_equal(result.as_numpy("spectrum"), expected["spectrum"])


def test_a_least_familiarity_is_a_parameter_of_the_request(client, name, source):
    flat = tensors({key: np.ones_like(array[:1]) for key, array in source.items()})
    client.infer(name, flat, parameters={"min_familiarity": 0})
    for least, why in ((0.1, r"the familiarity \(0.00\) is below the 0.1"), (2.0, "<= 1.0"), ("high", "got `str`"),
                       (float("nan"), ">= 0.0")):  # fmt: skip
        with pytest.raises(InferenceServerException, match=why) as refused:
            client.infer(name, flat, parameters={"min_familiarity": least})
        assert refused.value.status() == str(Code.INVALID_ARGUMENT)


def damage(request, **fields):
    for path, value in fields.items():
        field = getattr(request, path)
        del field[:]
        field.extend(value)


def shaped(*shape):
    return [wire.ModelInferRequest.InferInputTensor(name="source", datatype="FP32", shape=shape)]


def with_parameters(kind, **parameters):
    return {key: wire.InferParameter(**{kind: value}) for key, value in parameters.items()}


CONTENTS = wire.InferTensorContents(fp32_contents=[1, 2])
RAW = wire.ModelInferRequest.InferInputTensor(name="source", datatype="FP32", shape=[1, 2])
ASKED = wire.ModelInferRequest.InferRequestedOutputTensor
MALFORMED = {
    "no inputs": ({"inputs": []}, "no inputs"),
    "an input twice": ({"inputs": [RAW, RAW]}, "input 'source': named 2 times"),
    "an output twice": ({"outputs": [ASKED(name="a"), ASKED(name="a")]}, "output 'a': named 2 times"),
    "a dtype nobody has": ({"inputs": [wire.ModelInferRequest.InferInputTensor(name="a", datatype="BF16", shape=[1])]},
                           "'a': datatype 'BF16' is not one of FP32, INT64"),
    "no shape": ({"inputs": shaped()}, "'source': shape []"),
    "no rows": ({"inputs": shaped(0, 2)}, "'source': shape [0, 2]; give 1 to 8 lengths from 1 to 2147483647"),
    "a negative shape": ({"inputs": shaped(-1, -2)}, "'source': shape [-1, -2]"),
    "too many dimensions": ({"inputs": shaped(*[1] * 9)}, "'source': shape"),
    "a shape beyond all memory": ({"inputs": shaped(*[2**31 - 1] * 8), "raw_input_contents": [b"12345678"]},
                                  "'source': bytes in raw_input_contents 8, but FP32 [2147483647"),
    "a length beyond all memory": ({"inputs": shaped(2**31, 2), "raw_input_contents": [b"12345678"]},
                                   "'source': shape [2147483648, 2]; give 1 to 8 lengths"),
    "too few bytes": ({"inputs": shaped(1, 2), "raw_input_contents": [b"1234"]},
                      "'source': bytes in raw_input_contents 4, but FP32 [1, 2] has 8 bytes"),
    "too few tensors": ({"inputs": [RAW, wire.ModelInferRequest.InferInputTensor(name="b", datatype="FP32", shape=[1])],
                         "raw_input_contents": [bytes(8)]}, "input 'b': raw_input_contents ends before this tensor"),
    "too many tensors": ({"inputs": [RAW], "raw_input_contents": [bytes(8)] * 3}, "has 3 tensors, but 1 inputs want"),
    "neither": ({"inputs": [RAW], "raw_input_contents": []}, "'source': bytes in fp32_contents 0"),
    "both": ({"inputs": [wire.ModelInferRequest.InferInputTensor(name="source", datatype="FP32", shape=[1, 2],
                                                                 contents=CONTENTS)],
              "raw_input_contents": [bytes(8)]}, "'source': has contents beside raw_input_contents"),
    "numbers of another kind": ({"inputs": [wire.ModelInferRequest.InferInputTensor(
        name="seed", datatype="INT64", shape=[1, 2], contents=CONTENTS)], "raw_input_contents": []},
        "'seed': bytes in int64_contents 0"),
    "classes": ({"outputs": [ASKED(name="a", parameters=with_parameters("int64_param", classification=3))]},
                "output 'a': classification is not offered"),
    "a region without a size": ({"outputs": [
        ASKED(name="a", parameters=with_parameters("string_param", shared_memory_region="r"))]},
        "output 'a': shared memory needs the parameter shared_memory_byte_size too"),
    "a region that is a number": ({"outputs": [
        ASKED(name="a", parameters=with_parameters("int64_param", shared_memory_region=3))]},
        "output 'a': its parameters cannot be read"),
    "an output nobody gives": ({"outputs": [ASKED(name="a")]}, "output 'a': model"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "why"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_request_is_one_clear_refusal(stub, name, source, fields, why):
    request = infer_request(name, source)
    damage(request, **fields)
    code, details = code_of(stub.ModelInfer, request)
    assert code == Code.INVALID_ARGUMENT
    assert why in details


words = st.sampled_from(["source", "mask", "spectrum", "", "ö", "shared_memory_region", "min_familiarity", "timeout"])
parameters = st.dictionaries(
    words | st.sampled_from(["shared_memory_byte_size", "shared_memory_offset", "classification"]),
    st.builds(wire.InferParameter, string_param=words) | st.builds(wire.InferParameter, double_param=st.floats())
    | st.builds(wire.InferParameter, int64_param=st.integers(-(2**63), 2**63 - 1)) | st.builds(wire.InferParameter),
    max_size=4,
)  # fmt: skip
contents = st.builds(wire.InferTensorContents, fp32_contents=st.lists(st.floats(width=32), max_size=4),
                     int64_contents=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4))  # fmt: skip
given_tensors = st.builds(
    wire.ModelInferRequest.InferInputTensor, name=words, datatype=st.sampled_from(["FP32", "INT64", "BYTES", ""]),
    shape=st.lists(st.integers(-2, 4) | st.integers(-(2**63), 2**63 - 1), max_size=9), parameters=parameters,
    contents=st.none() | contents,
)  # fmt: skip
asked_tensors = st.builds(ASKED, name=words, parameters=parameters)
infer_requests = st.builds(
    wire.ModelInferRequest, parameters=parameters, inputs=st.lists(given_tensors, max_size=3),
    outputs=st.lists(asked_tensors, max_size=2), raw_input_contents=st.lists(st.binary(max_size=40), max_size=3),
)  # fmt: skip


@given(infer_requests)
def test_any_message_is_read_or_refused_but_never_breaks(request):
    try:
        asked = messages.decode(request, Regions(Limits()))
    except LineshapeError:
        return
    assert set(asked.inputs) == {tensor.name for tensor in request.inputs}
    assert all(array.dtype in (np.float32, np.int64) for array in asked.inputs.values())


lengths = st.lists(st.integers(1, 3) | st.integers(2**31, 2**63 - 1), min_size=1, max_size=8)
forms = [{}, {"contents": CONTENTS}, {"parameters": with_parameters("string_param", shared_memory_region="r")
         | with_parameters("int64_param", shared_memory_byte_size=8)}]  # fmt: skip


@given(lengths.filter(lambda shape: max(shape) > 3), st.sampled_from(forms))
def test_lengths_without_end_are_refused(shape, form):
    tensor = wire.ModelInferRequest.InferInputTensor(name="source", datatype="FP32", shape=shape, **form)
    request = wire.ModelInferRequest(inputs=[tensor], raw_input_contents=[] if form else [bytes(8)])
    with pytest.raises(LineshapeError, match=r"'source': shape .* give 1 to 8 lengths from 1 to 2147483647"):
        messages.decode(request)


def test_refusals_carry_their_code_and_their_reason(client, name, source):
    outside = {**source, "mask": source["mask"] / 2}
    for code, why, ask in [
        (Code.NOT_FOUND, "no model 'nobody'", lambda: client.infer("nobody", tensors(source))),
        (Code.NOT_FOUND, "has no version '9.9.9'", lambda: client.infer(name, tensors(source), "9.9.9")),
        (Code.NOT_FOUND, "no model 'nobody'", lambda: client.get_model_metadata("nobody")),
        (Code.NOT_FOUND, "no model 'nobody'", lambda: client.get_inference_statistics("nobody")),
        (Code.NOT_FOUND, "no such bundle", lambda: client.load_model("nobody")),
        (Code.NOT_FOUND, "no model 'nobody'", lambda: client.unload_model("nobody")),
        (Code.INVALID_ARGUMENT, "no parameter 'config'", lambda: client.load_model(name, config="{}")),
        (Code.INVALID_ARGUMENT, "'mask': missing", lambda: client.infer(name, tensors(source)[:1])),
        (Code.INVALID_ARGUMENT, r"'mask': element \[0, 0\]", lambda: client.infer(name, tensors(outside))),
    ]:
        with pytest.raises(InferenceServerException, match=why) as refused:
            ask()
        assert refused.value.status() == str(code)


def test_a_name_without_end_does_not_break_the_refusal(stub, source):
    code, details = code_of(stub.ModelInfer, infer_request("ö" * 100_000, source))
    assert (code, len(details)) == (Code.NOT_FOUND, refusals.LONGEST)


def test_a_message_over_the_limit_is_refused(model, name, source):
    with (
        served_by_grpc(DataPlane([model]), limits=Limits(body=1)) as server,
        grpc.insecure_channel(server.url) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        large = {key: np.repeat(array, 100, axis=0) for key, array in source.items()}
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            code, _ = code_of(stub.ModelInfer, infer_request(name, large), compression=compression)
            assert code == Code.RESOURCE_EXHAUSTED
        stub.ModelInfer(infer_request(name, source))


def test_a_message_that_is_none_is_refused_in_words(channel, said):
    for sent, why in (([b"\xff\xff\xff"], "message of the request cannot be read"), ([], "ended without its message")):
        code, details = code_of(unread(channel), iter(sent))
        assert (code, why in details) == (Code.INVALID_ARGUMENT, True)
    stream = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
    code, details = code_of(lambda: list(stream(iter([b"\xff\xff\xff"]))))
    assert (code, "message of the request cannot be read" in details) == (Code.INVALID_ARGUMENT, True)
    assert not [record for record in said.records if record.exc_info]


def test_a_message_that_does_not_come_is_not_waited_for(model, silence):
    with (
        served_by_grpc(DataPlane([model]), limits=Limits(body_seconds=0.05)) as server,
        grpc.insecure_channel(server.url) as channel,
    ):
        for call in ("inference.GRPCInferenceService/ModelInfer", "grpc.health.v1.Health/Check"):
            code, details = code_of(unread(channel, call), silence, timeout=SECONDS)
            assert (code, details) == (Code.INVALID_ARGUMENT, "the request's message did not come within 0.05 s")
        idle(server)


def test_what_nobody_foresaw_is_internal_and_hides_its_reason(model, name, source, monkeypatch, said):
    plane = DataPlane([model])

    async def broken(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(plane, "infer", broken)
    with served_by_grpc(plane) as server, grpc.insecure_channel(server.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert code_of(stub.ModelInfer, infer_request(name, source)) == (Code.INTERNAL, refusals.BROKEN)
        [answer] = stub.ModelStreamInfer(iter([infer_request(name, source)]))
        assert answer.error_message == refusals.BROKEN
    assert [str(record.exc_info[1]) for record in said.records if record.exc_info] == ["secret", "secret"]


def test_it_runs_in_the_loop_that_bentoml_uses(model, name, source, expected):
    with (
        served_by_grpc(DataPlane([model]), new_loop=uvloop.new_event_loop) as server,
        triton.InferenceServerClient(server.url) as client,
    ):
        np.testing.assert_array_equal(client.infer(name, tensors(source)).as_numpy("spectrum"), expected["spectrum"])


# ---- who may ask


def key(secret, *scopes, quota=None):
    return Key(hashlib.sha256(secret.encode()).hexdigest(), scopes, quota)


@pytest.fixture(scope="module")
def guarded(model):
    keys = {"reader": key("r", "infer"), "chief": key("c", "admin"), "small": key("s", "infer", quota=4)}
    with served_by_grpc(DataPlane([model]), gate=Gate(keys)) as running:
        yield running


@pytest.fixture(scope="module")
def asked_with(guarded):
    """A call of the guarded server with a key."""
    with grpc.insecure_channel(guarded.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

        def ask(call, request, secret=None):
            metadata = [("authorization", f"Bearer {secret}")] if secret else None
            return getattr(stub, call)(request, metadata=metadata)

        yield ask


GUARDED = {
    "ServerMetadata": wire.ServerMetadataRequest(), "ModelMetadata": wire.ModelMetadataRequest(name="NAME"),
    "ModelConfig": wire.ModelConfigRequest(name="NAME"), "ModelStatistics": wire.ModelStatisticsRequest(),
    "RepositoryIndex": wire.RepositoryIndexRequest(), "ModelInfer": wire.ModelInferRequest(model_name="NAME"),
    "SystemSharedMemoryStatus": wire.SystemSharedMemoryStatusRequest(),
    "SystemSharedMemoryRegister": wire.SystemSharedMemoryRegisterRequest(),
    "SystemSharedMemoryUnregister": wire.SystemSharedMemoryUnregisterRequest(),
    "RepositoryModelLoad": wire.RepositoryModelLoadRequest(),
    "RepositoryModelUnload": wire.RepositoryModelUnloadRequest(),
}  # fmt: skip


@pytest.mark.parametrize("call", GUARDED)
def test_every_call_but_health_needs_a_key_with_the_right(asked_with, call):
    admin = call.startswith("RepositoryModel")
    for secret, code in ((None, Code.UNAUTHENTICATED), ("x", Code.UNAUTHENTICATED),
                         ("r" if admin else "c", Code.PERMISSION_DENIED)):  # fmt: skip
        assert code_of(asked_with, call, GUARDED[call], secret)[0] == code


def test_a_stream_needs_a_key(asked_with, name, source):
    ask = partial(asked_with, "ModelStreamInfer")
    for secret, code in ((None, Code.UNAUTHENTICATED), ("c", Code.PERMISSION_DENIED)):
        assert code_of(lambda: list(ask(iter([infer_request(name, source)]), secret)))[0] == code  # noqa: B023
    assert len(list(ask(iter([infer_request(name, source)]), "r"))) == 1


def unread(channel, call="inference.GRPCInferenceService/ModelInfer"):
    """A call that sends its message as bytes, and only when it gets round to it: on the wire like any other."""
    return channel.stream_unary(f"/{call}")


@pytest.fixture
def silence():
    """A client that never sends its message."""
    end = threading.Event()
    yield iter(lambda: end.wait(SECONDS), True)
    end.set()


def test_who_has_no_key_is_refused_before_any_message_is_read(guarded, silence):
    with grpc.insecure_channel(guarded.url) as channel:
        assert code_of(unread(channel), silence, timeout=SECONDS)[0] == Code.UNAUTHENTICATED
        large = wire.ModelInferRequest(raw_input_contents=[bytes(48 << 20)]).SerializeToString()
        assert code_of(unread(channel), iter([large]))[0] == Code.UNAUTHENTICATED


def test_health_and_reflection_need_none(guarded, asked_with, name):
    assert asked_with("ServerLive", wire.ServerLiveRequest()).live
    assert asked_with("ServerReady", wire.ServerReadyRequest()).ready
    assert asked_with("ModelReady", wire.ModelReadyRequest(name=name)).ready
    with grpc.insecure_channel(guarded.url) as channel:
        assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == SERVING


def test_spectra_are_charged_and_a_refusal_says_when_to_come_back(asked_with, name, source):
    asked_with("ModelInfer", infer_request(name, source), "s")
    with pytest.raises(grpc.RpcError, match="quota") as refused:
        asked_with("ModelInfer", infer_request(name, source), "s")
    assert refused.value.code() == Code.RESOURCE_EXHAUSTED
    wait = int(dict(refused.value.trailing_metadata())["retry-after"])
    assert 25 <= wait <= 30  # two more at four a minute


def test_models_are_loaded_and_unloaded_by_who_may(transfer_bundle, model, name):
    plane = DataPlane((), sources=Sources((str(transfer_bundle),)))
    plane.start()
    with served_by_grpc(plane) as server, triton.InferenceServerClient(server.url) as client:
        client.unload_model(name)
        assert not client.is_server_ready()
        [entry] = client.get_model_repository_index().models
        assert entry.state == "UNAVAILABLE"
        with grpc.insecure_channel(server.url) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            request = wire.RepositoryModelLoadRequest(model_name=name)
            request.parameters["digest"].string_param = "0" * 64
            assert code_of(stub.RepositoryModelLoad, request)[0] == Code.NOT_FOUND
            request.parameters["digest"].string_param = model.digest
            request.parameters["version"].string_param = model.manifest.version
            stub.RepositoryModelLoad(request)
        assert client.is_model_ready(name)


# ---- what is kept of a call


def test_every_call_has_an_id_and_is_counted(model, name, source):
    plane = DataPlane([model])

    def count(code):
        return plane.metrics.registry.get_sample_value("lineshape_requests_total", {"protocol": "grpc", "code": code})

    with served_by_grpc(plane) as server, grpc.insecure_channel(server.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        for given, kept in (("client-7", True), ("not an id", False), ("", False)):
            metadata = [("x-request-id", given)]
            _, call = stub.ModelInfer.with_call(infer_request(name, source), metadata=metadata)
            told = dict(call.trailing_metadata())["x-request-id"]
            assert (told == given) == kept
            with pytest.raises(grpc.RpcError) as refused:
                stub.ModelInfer(infer_request("nobody", source), metadata=metadata)
            told = dict(refused.value.trailing_metadata())["x-request-id"]
            assert (told == given, len(told) > 0) == (kept, True)
        list(stub.ModelStreamInfer(iter([infer_request(name, source)])))
        assert (count("OK"), count("NOT_FOUND")) == (4, 3)


def test_a_line_in_the_log_for_who_wants_one(model, name, source, said):
    for wanted in (False, True):
        with (
            served_by_grpc(DataPlane([model]), access_log=wanted) as server,
            triton.InferenceServerClient(server.url) as client,
        ):
            client.infer(name, tensors(source))
    [line] = [record.told for record in said.records if record.message == "request"]
    assert (line["protocol"], line["method"], line["status"]) == ("grpc", "ModelInfer", "OK")
    assert line["milliseconds"] > 0


# ---- overload, deadlines, and clients that leave


@pytest.fixture
def held(model, monkeypatch):
    """A server with one runner that works only when it is let, and what it has seen."""
    monkeypatch.setattr(model, "compute", hold := Held(model.compute))
    with served_by_grpc(DataPlane([model], Running(runners=1, batch=1, queue=2))) as server:
        server.hold = hold
        yield server
        hold.free.set()


class Held:
    def __init__(self, compute):
        self.compute, self.free, self.runs, self.began = compute, threading.Event(), 0, threading.Event()

    def __call__(self, *given, **named):
        self.runs += 1
        self.began.set()
        assert self.free.wait(SECONDS)
        return self.compute(*given, **named)


def until(holds):
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def idle(server):
    """Wait until nothing is in progress."""
    until(lambda: not any(server.endpoint.servicer.front._busy.values()))


def test_more_than_may_wait_is_unavailable_and_says_when_to_come_back(held, name, source):
    one = infer_request(name, {key: array[:1] for key, array in source.items()})
    lane = held.plane.find(name).lane
    with grpc.insecure_channel(held.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        running = stub.ModelInfer.future(one)
        assert held.hold.began.wait(SECONDS)
        waiting = [stub.ModelInfer.future(one) for _ in range(2)]
        until(lambda: lane.waiting == 2)
        with pytest.raises(grpc.RpcError) as refused:
            stub.ModelInfer(one)
        assert refused.value.code() == Code.UNAVAILABLE
        assert int(dict(refused.value.trailing_metadata())["retry-after"]) >= 1
        held.hold.free.set()
        assert all(call.result(SECONDS).outputs for call in (running, *waiting))


def test_above_the_limit_of_calls_only_probes_are_answered(model, name, source, silence, monkeypatch):
    monkeypatch.setattr(model, "compute", hold := Held(model.compute))
    with (
        served_by_grpc(DataPlane([model]), limits=Limits(concurrency=1)) as server,
        grpc.insecure_channel(server.url) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        running = stub.ModelInfer.future(infer_request(name, source))
        assert hold.began.wait(SECONDS)
        code, details = code_of(stub.ModelInfer, infer_request(name, source))
        assert (code, details) == (Code.UNAVAILABLE, "1 calls are in progress, and no more may be")
        assert code_of(unread(channel), silence, timeout=SECONDS)[0] == Code.UNAVAILABLE  # its message is not read
        assert stub.ServerLive(wire.ServerLiveRequest()).live
        assert probe(channel) == SERVING
        hold.free.set()
        running.result(SECONDS)
        stub.ModelInfer(infer_request(name, source))


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
def test_who_leaves_leaves_the_queue(held, name, source, stream):
    one = infer_request(name, {key: array[:1] for key, array in source.items()})
    lane = held.plane.find(name).lane
    with grpc.insecure_channel(held.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        running = stub.ModelInfer.future(one)
        assert held.hold.began.wait(SECONDS)
        leaving = stub.ModelStreamInfer(iter([one])) if stream else stub.ModelInfer.future(one)
        until(lambda: lane.waiting == 1)
        leaving.cancel()
        until(lambda: lane.waiting == 0)
        held.hold.free.set()
        running.result(SECONDS)
    until(lambda: lane.idle)
    assert held.hold.runs == 1


def test_a_deadline_of_the_client_ends_the_wait(held, name, source):
    lane = held.plane.find(name).lane
    with grpc.insecure_channel(held.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        running = stub.ModelInfer.future(infer_request(name, source))
        assert held.hold.began.wait(SECONDS)
        assert code_of(stub.ModelInfer, infer_request(name, source), timeout=0.05)[0] == Code.DEADLINE_EXCEEDED
        until(lambda: lane.waiting == 0)
        held.hold.free.set()
        running.result(SECONDS)


def test_a_timeout_counts_microseconds_as_tritons(held, name, source):
    with triton.InferenceServerClient(held.url) as client:
        with pytest.raises(InferenceServerException, match=r"no answer within the 0\.02 s") as refused:
            client.infer(name, tensors(source), timeout=20_000)
        assert refused.value.status() == str(Code.UNAVAILABLE)


# ---- streams


def check_joined(result, expected):
    """The numbers of a request that may have travelled with others: a batch of another size rounds otherwise."""
    for output, array in expected.items():
        np.testing.assert_allclose(result.as_numpy(output), array, rtol=1e-4, atol=1e-5)


def test_a_stream_answers_in_order_and_outlives_its_errors(client, name, source, expected):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for number in range(12):
        rows = {key: array[number % 3 : number % 3 + 1] for key, array in source.items()}
        client.async_stream_infer("nobody" if number == 5 else name, tensors(rows), request_id=str(number))
    for number in range(12):
        result, error = answers.get(timeout=SECONDS)
        if number == 5:
            assert "no model 'nobody'" in error.message()
            continue
        assert result.get_response().id == str(number)
        check_joined(result, {output: array[number % 3 : number % 3 + 1] for output, array in expected.items()})
    client.stop_stream()


def test_an_error_within_a_stream_names_its_request(stub, name, source):
    requests = [infer_request("nobody", source, id="a"), infer_request(name, source, id="b")]
    refused, answered = stub.ModelStreamInfer(iter(requests))
    assert (refused.infer_response.id, refused.error_message[:17]) == ("a", "no model 'nobody'")
    assert (answered.infer_response.id, answered.error_message) == ("b", "")


def test_a_stream_of_asyncio(server, name, source, expected):
    async def ask():
        async def requests():
            for number in range(5):
                yield {"model_name": name, "inputs": tensors(source), "request_id": str(number)}

        async with triton_aio.InferenceServerClient(server.url) as client:
            return [answer async for answer in client.stream_infer(requests())]

    for number, (result, error) in enumerate(asyncio.run(ask())):
        assert error is None
        assert result.get_response().id == str(number)
        check_joined(result, expected)


def test_a_stream_reads_no_further_ahead_than_it_may():
    async def ask():
        read, answers, free = [], [], asyncio.Event()

        async def requests():
            for number in range(10 * AHEAD):
                read.append(number)
                yield number

        async def answer(number):
            await free.wait()
            return number

        async def write(number):
            answers.append(number)

        asking = asyncio.create_task(Streams().answer(requests(), answer, write))
        for _ in range(100 * AHEAD):
            await asyncio.sleep(0)
        ahead = len(read)
        free.set()
        await asking
        return ahead, read, answers

    ahead, read, answers = asyncio.run(ask())
    assert AHEAD <= ahead <= AHEAD + 2
    assert read == answers == list(range(10 * AHEAD))


@pytest.mark.parametrize("ahead", [1, AHEAD, AHEAD + 1, AHEAD + 2, 10 * AHEAD])
def test_a_stream_that_is_cancelled_ends(ahead):
    async def ask():
        started, cancelled = [], []

        async def requests():
            for number in range(ahead):
                yield number

        async def answer(number):
            started.append(number)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(number)
                raise

        asking = asyncio.create_task(Streams().answer(requests(), answer, answer))
        for _ in range(100 * AHEAD):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait({asking}, timeout=SECONDS)
        assert asking.cancelled()
        assert started == sorted(cancelled) == list(range(min(ahead, AHEAD)))

    asyncio.run(ask())


@pytest.mark.parametrize("requests", [AHEAD + 1, 60])
def test_whoever_cancels_streams_leaves_the_server_as_it_was(model, name, source, monkeypatch, requests):
    monkeypatch.setattr(model, "compute", hold := Held(model.compute))
    with (
        served_by_grpc(DataPlane([model]), limits=Limits(concurrency=2)) as server,
        grpc.insecure_channel(server.url) as channel,
    ):
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        lane = server.plane.find(name).lane
        for _ in range(2):
            stream = stub.ModelStreamInfer(iter([infer_request(name, source)] * requests))
            until(lambda: lane.waiting >= 3 * (AHEAD - 1))
            stream.cancel()
            until(lambda: lane.waiting == 0)
        idle(server)
        hold.free.set()
        assert stub.ModelInfer(infer_request(name, source)).outputs


def test_a_client_that_leaves_while_it_is_answered_is_no_failure(server):
    """In the middle of a large answer, gRPC tells of that in two ways."""
    ended, large = [], bytes(1 << 20)

    async def answer(_):
        return large

    async def stream(requests, context):
        try:
            await Streams().answer(requests, answer, partial(send, context))
        finally:
            ended.append(sys.exc_info()[0])

    async def begin():
        running, methods = grpc.aio.server(), {"Ask": grpc.stream_stream_rpc_method_handler(stream)}
        running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("large", methods),))
        port = running.add_insecure_port("127.0.0.1:0")
        await running.start()
        return running, port

    running, port = server.do(begin())
    for _ in range(40):
        with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
            next(channel.stream_stream("/large/Ask")(iter([b""] * 100)))
    until(lambda: len(ended) == 40)
    server.do(running.stop(0))
    assert set(ended) <= {asyncio.CancelledError, None}  # None: what was under way had been written


# ---- health


def probe(channel, service=""):
    return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service)).status


def test_the_probe_knows_the_server_its_service_and_its_models(channel, name):
    assert {probe(channel, service) for service in ("", "inference.GRPCInferenceService", name)} == {SERVING}
    assert code_of(probe, channel, "nobody")[0] == Code.NOT_FOUND


def test_the_probe_follows_readiness(model, name):
    with served_by_grpc(plane := DataPlane()) as server, grpc.insecure_channel(server.url) as channel:
        assert probe(channel) == NOT_SERVING
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=name))
        assert next(watched).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        plane.add(model)
        assert next(watched).status == SERVING
        plane.draining = True
        assert next(watched).status == NOT_SERVING
        assert probe(channel) == probe(channel, name) == NOT_SERVING


def test_watchers_are_bounded_and_take_nobody_elses_room(model, name, source):
    with (
        served_by_grpc(DataPlane([model]), limits=Limits(concurrency=1)) as server,
        grpc.insecure_channel(server.url) as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch
        watched = [watch(health_pb2.HealthCheckRequest()) for _ in range(WATCHERS)]
        assert {next(each).status for each in watched} == {SERVING}
        code, details = code_of(next, watch(health_pb2.HealthCheckRequest()))
        assert (code, details) == (Code.UNAVAILABLE, f"{WATCHERS} watchers are in progress, and no more may be")
        assert service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(infer_request(name, source)).outputs
        assert probe(channel) == SERVING
        for each in watched:
            each.cancel()
        idle(server)


def test_one_connection_has_no_more_streams_than_there_is_room_for(model):
    with (
        served_by_grpc(DataPlane([model]), limits=Limits(concurrency=1)) as server,
        grpc.insecure_channel(server.url) as channel,
    ):
        info = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        most, asked = 1 + PROBES + WATCHERS, reflection_pb2.ServerReflectionRequest(list_services="")
        ends = [queue.Queue() for _ in range(most + 1)]
        streams = [info(iter(end.get, None)) for end in ends]
        for end in ends:
            end.put(asked)
        for stream in streams[:most]:
            next(stream)
        waiting = threading.Thread(target=next, args=(streams[most],))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
        ends[0].put(None)
        waiting.join(SECONDS)
        assert not waiting.is_alive()
        for end in ends:
            end.put(None)


def test_connections_are_bounded(model):
    with served_by_grpc(DataPlane([model]), limits=Limits(connections=1)) as server:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(server.url, options) as channel:
            assert probe(channel) == SERVING
            with grpc.insecure_channel(server.url, options) as another:
                assert code_of(probe, another)[0] == Code.UNAVAILABLE


# ---- the end


def test_the_end_answers_what_is_under_way_and_waits_for_no_idle_stream(held, name, source):
    one = infer_request(name, {key: array[:1] for key, array in source.items()})
    requests = queue.Queue()
    with grpc.insecure_channel(held.url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        running, stream = stub.ModelInfer.future(one), stub.ModelStreamInfer(iter(requests.get, None))
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watched).status == SERVING
        requests.put(one)
        until(lambda: held.plane.find(name).lane.waiting == 1)
        ending = asyncio.run_coroutine_threadsafe(held.endpoint.stop(SECONDS), held.loop)
        assert [status.status for status in watched] == [NOT_SERVING]
        held.hold.free.set()
        assert running.result(SECONDS).outputs
        assert next(stream).infer_response.outputs
        code, _ = code_of(next, stream)
        assert code == Code.UNAVAILABLE
        began = time.monotonic()
        ending.result(SECONDS)
        assert time.monotonic() - began < SECONDS / 2
        requests.put(None)


def test_a_busy_port_is_refused_in_words(server, model):
    with (
        pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{server.endpoint.port}"),
        served_by_grpc(DataPlane([model]), port=server.endpoint.port),
    ):
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of this machine's own, and its private key, as PEM files."""
    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    told = x509.CertificateBuilder(subject, subject, private.public_key(), 1, now - DAY, now + DAY)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    chain = told.add_extension(names, critical=False).sign(private, hashes.SHA256())
    files = [tmp_path_factory.mktemp("tls") / word for word in ("chain.pem", "key.pem")]
    files[0].write_bytes(chain.public_bytes(pem.Encoding.PEM))
    files[1].write_bytes(private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()))
    return files


def test_with_a_certificate_it_speaks_tls_only(model, name, source, expected, certificate):
    chain, private = map(str, certificate)
    with served_by_grpc(DataPlane([model]), certificate=chain, private_key=private) as server:
        url = f"localhost:{server.endpoint.port}"
        with triton.InferenceServerClient(url, ssl=True, root_certificates=chain) as client:
            answer = client.infer(name, tensors(source)).as_numpy("spectrum")
            np.testing.assert_array_equal(answer, expected["spectrum"])
        with grpc.insecure_channel(url) as channel:
            assert code_of(probe, channel)[0] == Code.UNAVAILABLE


@pytest.mark.parametrize("words", [("nobody.pem", "No such file"), (__file__, "with the certificate")])
def test_a_certificate_that_is_none_is_refused_in_words(model, certificate, words):
    with (
        pytest.raises(UsageError, match=words[1]),
        served_by_grpc(DataPlane([model]), certificate=words[0], private_key=str(certificate[1])),
    ):
        pass


def test_the_wait_is_told_in_whole_seconds_where_there_is_one():
    assert refusals.refusal(OverloadError("full", 0.2)).metadata == (("retry-after", "1"),)
    assert refusals.refusal(UsageError("wrong")).metadata == ()


# ---- shared memory


def test_tritons_example_of_shared_memory(client, name, source, expected):
    size, out = source["source"].nbytes, expected["spectrum"].nbytes
    client.unregister_system_shared_memory()
    given, taken = (shm.create_shared_memory_region(word, f"/lineshape-{word}-{id(source)}", bytes_of)
                    for word, bytes_of in (("in", 2 * size), ("out", out)))  # fmt: skip
    try:
        shm.set_shared_memory_region(given, [source["source"], source["mask"]])
        client.register_system_shared_memory("in", f"/lineshape-in-{id(source)}", 2 * size)
        client.register_system_shared_memory("out", f"/lineshape-out-{id(source)}", out)
        assert set(client.get_system_shared_memory_status().regions) == {"in", "out"}
        inputs = [triton.InferInput(tensor, list(array.shape), "FP32") for tensor, array in source.items()]
        for number, tensor in enumerate(inputs):
            tensor.set_shared_memory("in", size, number * size)
        asked = [triton.InferRequestedOutput("spectrum"), triton.InferRequestedOutput("familiarity")]
        asked[0].set_shared_memory("out", out)
        result = client.infer(name, inputs, outputs=asked)
        spectrum = shm.get_contents_as_numpy(taken, np.float32, result.get_output("spectrum").shape)
        np.testing.assert_array_equal(spectrum, expected["spectrum"])
        np.testing.assert_array_equal(result.as_numpy("familiarity"), expected["familiarity"])
        told = result.get_output("spectrum").parameters
        assert (told["shared_memory_region"].string_param, told["shared_memory_byte_size"].int64_param) == ("out", out)
        client.unregister_system_shared_memory("in")
        assert set(client.get_system_shared_memory_status().regions) == {"out"}
        with pytest.raises(InferenceServerException, match="input 'source': no shared memory region 'in'"):
            client.infer(name, inputs)
    finally:
        client.unregister_system_shared_memory()
        shm.destroy_shared_memory_region(given)
        shm.destroy_shared_memory_region(taken)


def test_without_the_flag_there_is_no_shared_memory(model):
    with served_by_grpc(DataPlane([model])) as server, triton.InferenceServerClient(server.url) as client:
        for ask in (client.get_system_shared_memory_status, client.unregister_system_shared_memory,
                    partial(client.register_system_shared_memory, "r", "/x", 8)):  # fmt: skip
            with pytest.raises(InferenceServerException, match="started without system shared memory"):
                ask()
        assert "system_shared_memory" not in client.get_server_metadata().extensions
