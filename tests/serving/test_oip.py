"""The codec of infer bodies, against Triton's own client on the other side of the wire."""

from __future__ import annotations

import json
import threading
import time
from functools import partial

import msgspec
import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from lineshape.errors import LineshapeError, TensorError
from lineshape_serving import oip

DATATYPES = {"FP32": np.float32, "INT64": np.int64}
FINITE = {
    "FP32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "INT64": st.integers(-(2**63), 2**63 - 1),
}
tensors = st.sampled_from(sorted(DATATYPES)).flatmap(
    lambda datatype: st.tuples(
        st.just(datatype),
        arrays_of.arrays(
            DATATYPES[datatype],
            arrays_of.array_shapes(min_dims=2, max_dims=2, max_side=5),
            elements=FINITE[datatype],
        ),
        st.booleans(),
    )
)
named_tensors = st.dictionaries(st.text(min_size=1, max_size=8), tensors, min_size=1, max_size=4)


def sent_by_triton(named, outputs=None, request_id=""):
    """The body and header length that `tritonclient` sends."""
    inputs = []
    for name, (datatype, array, binary) in named.items():
        tensor = triton.InferInput(name, list(array.shape), datatype)
        inputs.append(tensor.set_data_from_numpy(array, binary_data=binary))
    return triton.InferenceServerClient.generate_request_body(inputs, outputs=outputs, request_id=request_id)


def body(*inputs, raw=b"", **rest):
    """A body written by hand, and how much of it is JSON."""
    header = json.dumps({"inputs": list(inputs), **rest}).encode()
    return header + raw, len(header)


def tensor(name="source", datatype="FP32", shape=(1, 2), **rest):
    return {"name": name, "datatype": datatype, "shape": list(shape), **rest}


def sized(size):
    return {"parameters": {"binary_data_size": size}}


def laid(size=8, **rest):
    return {"parameters": {"shared_memory_region": "r", "shared_memory_byte_size": size, **rest}}


DATA = {"data": [1.0, 2.0]}


@given(named_tensors)
def test_what_tritonclient_sends_is_what_arrives(named):
    request = oip.decode_request(*sent_by_triton(named))
    assert request.inputs.keys() == named.keys()
    for name, (_, array, _) in named.items():
        assert request.inputs[name].dtype == array.dtype
        np.testing.assert_array_equal(request.inputs[name], array)


@given(named_tensors, st.booleans())
def test_what_is_answered_is_what_tritonclient_reads(named, by_default):
    asked = [triton.InferRequestedOutput(name, binary_data=binary) for name, (_, _, binary) in named.items()]
    source = {"source": ("FP32", np.zeros((1, 1), np.float32), True)}
    request = oip.decode_request(*sent_by_triton(source, None if by_default else asked, request_id="seven"))
    outputs = {name: array for name, (_, array, _) in named.items()}
    answer, header_length = oip.encode_response("raman-to-ir", "1.2.3", outputs, request)
    result = triton.InferResult.from_response_body(answer, header_length=header_length)
    described = result.get_response()
    assert (described["id"], described["model_name"], described["model_version"]) == ("seven", "raman-to-ir", "1.2.3")
    for name, (datatype, array, binary) in named.items():
        assert result.get_output(name)["datatype"] == datatype
        assert ("data" in result.get_output(name)) == (not by_default and not binary)
        np.testing.assert_array_equal(result.as_numpy(name), array)


@given(st.binary(max_size=200), st.none() | st.integers(0, 220))
def test_random_bytes_are_refused_in_our_own_words(content, header_length):
    with pytest.raises(LineshapeError):
        oip.decode_request(content, header_length)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(
    named=named_tensors,
    field=st.sampled_from(["name", "datatype", "shape", "data", "parameters"]),
    value=json_values,
    raw=st.binary(max_size=40),
)
def test_a_damaged_tensor_is_read_or_refused_but_never_breaks(named, field, value, raw):
    content, header_length = sent_by_triton(named)
    header = json.loads(content[:header_length])
    header["inputs"][0][field] = value
    damaged = json.dumps(header).encode()
    try:
        request = oip.decode_request(damaged + raw, len(damaged))
    except LineshapeError:
        return
    assert all(array.dtype in (np.float32, np.int64) for array in request.inputs.values())


lengths = st.lists(st.integers(1, 3) | st.integers(2**31, 10**1000), min_size=1, max_size=8)


@given(lengths.filter(lambda shape: max(shape) > 3), st.sampled_from([DATA, sized(8), laid()]))
def test_lengths_without_end_are_refused(shape, form):
    content, header_length = body(tensor(shape=shape, **form), raw=bytes(8))
    with pytest.raises(TensorError, match=r"Expected `int` <= 2147483647 - at `\$\.inputs\[0\]\.shape"):
        oip.decode_request(content, header_length)


@given(named_tensors, st.data())
def test_a_cut_body_is_refused(named, data):
    content, header_length = sent_by_triton(named)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(LineshapeError):
        oip.decode_request(content[:cut], header_length)


def test_arrays_are_views_of_the_body():
    source = np.arange(6, dtype=np.float32).reshape(2, 3)
    content, header_length = sent_by_triton({"source": ("FP32", source, True)})
    padded = bytes(-header_length % 8) + content
    aligned = memoryview(padded)[-header_length % 8 :]
    array = oip.decode_request(aligned, header_length).inputs["source"]
    assert np.shares_memory(array, np.frombuffer(padded, np.uint8))
    assert array.flags.aligned


@pytest.mark.parametrize("shift", range(8))
def test_a_misaligned_tensor_is_still_right(shift):
    seed = np.array([[2**53, 3]], np.int64)
    content, header_length = sent_by_triton({"seed": ("INT64", seed, True)})
    array = oip.decode_request(memoryview(bytes(shift) + content)[shift:], header_length).inputs["seed"]
    np.testing.assert_array_equal(array, seed)
    assert array.flags.aligned


def test_json_numbers_may_be_flat_or_in_rows():
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        content, _ = body(tensor(shape=(2, 2), data=data))
        np.testing.assert_array_equal(oip.decode_request(content).inputs["source"], [[1, 2], [3, 4]])


MALFORMED = {
    "no inputs": (body(), "inputs"),
    "no name": (body({"datatype": "FP32", "shape": [1, 2], **DATA}), "name"),
    "a dtype nobody has": (body(tensor(datatype="FP8", **DATA)), r"'source': datatype 'FP8' is not one of FP32, INT64"),
    "neither data nor bytes": (body(tensor()), "'source': give either data or"),
    "both data and bytes": (body(tensor(**DATA, **sized(8)), raw=bytes(8)), "'source': give either data or"),
    "too few numbers": (body(tensor(data=[1.0])), r"'source': 1 elements in data, but shape \[1, 2\] has 2"),
    "other rows": (body(tensor(shape=(2, 3), data=[[1, 2], [3, 4], [5, 6]])), r"'source': data is nested as \[3, 2\]"),
    "uneven rows": (body(tensor(shape=(2, 2), data=[[1, 2, 3], [4]])), "'source': data must be FP32 numbers"),
    "text for numbers": (body(tensor(data=["1", "2"])), "'source': data must be FP32 numbers"),
    "too deep": (body(tensor(data=[[[1.0, 2.0]]])), "'source': data must be FP32 numbers"),
    "broken whole numbers": (body(tensor("seed", "INT64", data=[1.5, 2])), "'seed': data must be INT64 numbers"),
    "too large for FP32": (body(tensor(data=[1e39, 0])), "'source': data must be FP32 numbers"),
    "too large for INT64": (body(tensor("seed", "INT64", data=[2**63, 0])), "'seed': data must be INT64 numbers"),
    "NaN": (body(tensor(data=[float("nan"), 0.0])), "malformed"),
    "infinity": (body(tensor(data=[float("inf"), 0.0])), "malformed"),
    "a size that is not the shape's": (body(tensor(**sized(4)), raw=bytes(4)), "'source': binary_data_size 4, but"),
    "too few bytes": (body(tensor(**sized(8)), raw=bytes(5)), "'source': the body ends 3 bytes before"),
    "bytes nobody announced": (body(tensor(**DATA), raw=bytes(5)), "5 bytes follow the JSON header"),
    "a negative size": (body(tensor(**sized(-8))), "binary_data_size"),
    "an empty shape": (body(tensor(shape=(), data=[1.0])), "shape"),
    "no rows": (body(tensor(shape=(0, 2), data=[])), "shape"),
    "a shape beyond all memory": (body(tensor(shape=(2**31 - 1,) * 8, **DATA)), "2 elements in data, but shape"),
    "a length beyond all memory": (body(tensor(shape=(2**31, 2), **DATA)), "Expected `int` <= 2147483647"),
    "an input twice": (body(tensor(**DATA), tensor(**DATA)), "input 'source': named 2 times"),
    "an output twice": (body(tensor(**DATA), outputs=[{"name": "a"}, {"name": "a"}]), "output 'a': named 2 times"),
    "shared memory in": (body(tensor(**laid())), "input 'source': this server was started without .* shared memory"),
    "shared memory out": (
        body(tensor(**DATA), outputs=[{"name": "a", **laid()}]),
        "output 'a': this server was started",
    ),
    "shared memory without a size": (
        body(tensor(parameters={"shared_memory_region": "r"})),
        "'source': shared memory needs the parameter shared_memory_byte_size too",
    ),
    "shared memory before its start": (body(tensor(**laid(shared_memory_offset=-8))), "shared_memory_offset"),
    "shared memory of another size": (body(tensor(**laid(4))), "'source': shared_memory_byte_size 4, but"),
    "both shared memory and data": (body(tensor(**DATA, **laid())), "'source': give either data or"),
    "classes": (
        body(tensor(**DATA), outputs=[{"name": "a", "parameters": {"classification": 3}}]),
        "output 'a': classification is not offered",
    ),
    "a time before now": (body(tensor(**DATA), parameters={"timeout": -1}), "timeout"),
    "a field that is not the protocol's": (body(tensor(**DATA), output=[]), "output"),
    "not UTF-8": ((b'{"inputs": "\xff"}', None), "cannot be read"),
    "nested without end": ((b'{"inputs": ' + b"[" * 100_000, None), "cannot be read"),
    "JSON shorter than announced": ((b"{}", 3), "3 bytes of JSON announced, but the body has 2"),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_body_is_one_clear_error(content, message):
    with pytest.raises(TensorError, match=message):
        oip.decode_request(*content)


@pytest.mark.parametrize("value", ["", "-1", "1.0", "0x10", "²", "1" * 20, " 1"])
def test_a_header_length_is_a_plain_number(value):
    with pytest.raises(TensorError, match=oip.HEADER_LENGTH):
        oip.parse_header_length(value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_json_never_carries_what_is_not_finite(value):
    outputs = {"spectrum": np.array([[0, value]], np.float32)}
    request = oip.decode_request(body(tensor(**DATA))[0])
    with pytest.raises(LineshapeError, match=r"output 'spectrum': .* not finite"):
        oip.encode_response("raman-to-ir", "1.0.0", outputs, request)


@pytest.mark.parametrize("size", [1, 2**14 - 1, 2**14, 2**14 + 1, 100_000])
def test_a_large_answer_is_written_as_a_small_one(size):
    array = np.random.default_rng(7).standard_normal((1, size)).astype(np.float32)
    request = oip.decode_request(body(tensor(**DATA))[0])
    answer, _ = oip.encode_response("m", "1.0.0", {"a": array, "n": array.astype(np.int64)}, request)
    for output, values in zip(json.loads(answer)["outputs"], (array, array.astype(np.int64)), strict=True):
        assert output["data"] == values.ravel().tolist()


def longest_wait(work):
    """The longest that another thread waits for its turn, as a share of the time that the work takes."""
    thread, turns = threading.Thread(target=work), [time.perf_counter()]
    thread.start()
    while thread.is_alive():
        time.sleep(0)
        turns.append(time.perf_counter())
    return np.diff(turns).max() / (turns[-1] - turns[0])


def test_a_thread_that_writes_a_large_answer_leaves_others_their_turns():
    request = oip.decode_request(body(tensor(**DATA))[0])
    outputs = {"a": np.random.default_rng(7).random((1024, 1024), np.float32)}
    writing = partial(oip.encode_response, "m", "1.0.0", outputs, request)
    assert min(longest_wait(writing) for _ in range(5)) < 0.5  # other processes may delay us too


def test_optional_fields_may_be_null():
    content, _ = body(tensor(**DATA, parameters=None), outputs=None, id=None, parameters=None)
    request = oip.decode_request(content)
    assert (request.outputs, request.id, request.binary_rest) == ((), None, False)
    answer, header_length = oip.encode_response("m", "1.0.0", {"a": np.ones((1, 1), np.float32)}, request)
    assert header_length is None
    assert "id" not in msgspec.json.decode(answer)


def test_a_timeout_is_told_in_microseconds():
    for told, seconds in (({"timeout": 1500}, 0.0015), ({"timeout": 0}, None), ({}, None)):
        assert oip.decode_request(body(tensor(**DATA), parameters=told)[0]).timeout == seconds


def test_a_request_knows_how_many_spectra_it_brings():
    assert oip.decode_request(body(tensor(shape=(2, 1), **DATA))[0]).spectra == 2
