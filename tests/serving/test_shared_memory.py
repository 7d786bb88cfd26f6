"""Regions of shared memory, held against Triton's own client library on the other side of the memory."""

from __future__ import annotations

import os
import threading
import time
import uuid
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.utils.shared_memory as shm
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.utils import InferenceServerException

from lineshape.errors import TensorError, UsageError
from lineshape_edge import Model
from lineshape_serving import DataPlane, application, oip, placement, shared_memory
from lineshape_serving.placement import Laid
from lineshape_serving.settings import Limits
from lineshape_serving.shared_memory import Place, Regions

SIZE = 4096


@contextmanager
def shared(size=SIZE):
    """The key of a new shared memory object, and the client's handle of it."""
    key = f"/lineshape-test-{uuid.uuid4().hex}"
    handle = shm.create_shared_memory_region("test", key, size)
    try:
        yield key, handle
    finally:
        shm.destroy_shared_memory_region(handle)


@contextmanager
def planted(make):
    """Something else in the folder of shared memory objects, and the key that would name it."""
    path = f"{shared_memory.FOLDER}/lineshape-test-{uuid.uuid4().hex}"
    make(path)
    try:
        yield "/" + os.path.basename(path)
    finally:
        os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


@pytest.fixture
def regions():
    return Regions(Limits())


@pytest.fixture
def region():
    with shared() as made:
        yield made


def files_open(key):
    """How often this process holds the object open."""
    links = (os.path.join("/proc/self/fd", number) for number in os.listdir("/proc/self/fd"))
    return sum(os.readlink(link) == shared_memory.FOLDER + key for link in links if os.path.lexists(link))


def test_a_region_is_read_and_written_where_the_client_sees_it(regions, region):
    key, handle = region
    regions.register("r", key, 8, 64)
    sent = np.arange(4, dtype=np.float32)
    shm.set_shared_memory_region(handle, [sent], offset=16)
    assert regions.read("r", 8, 16) == sent.tobytes()
    regions.write("r", 32, sent * 2)
    np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.float32, [4], offset=40), sent * 2)


def test_what_is_read_does_not_change_afterwards(regions, region):
    key, handle = region
    regions.register("r", key, 0, SIZE)
    shm.set_shared_memory_region(handle, [np.ones(2, np.float32)])
    laid = Laid(Place("r", 0, 8), "FP32", [1, 2])
    array = placement.fetch(regions, {"source": laid})["source"]
    shm.set_shared_memory_region(handle, [np.full(2, np.nan, np.float32)])
    np.testing.assert_array_equal(array, [[1, 1]])


@given(start=st.integers(0, 80), length=st.integers(1, 80), offset=st.integers(0, 90), size=st.integers(0, 90))
def test_a_region_is_a_slice_of_its_object_and_ends_where_it_ends(start, length, offset, size):
    regions, content = Regions(Limits()), np.arange(100, dtype=np.uint8)
    with shared(100) as (key, handle):
        shm.set_shared_memory_region(handle, [content])
        if start + length > 100:
            with pytest.raises(UsageError, match="has 100 bytes, too few"):
                regions.register("r", key, start, length)
            return
        regions.register("r", key, start, length)
        if offset + size > length:
            with pytest.raises(UsageError, match=f"'r' has {length} bytes; asked for are {size} at offset {offset}"):
                regions.read("r", offset, size)
        else:
            assert regions.read("r", offset, size) == content.tobytes()[start : start + length][offset : offset + size]


def test_a_client_that_shortens_its_object_is_refused_and_kills_nobody(regions, region):
    key, _ = region
    regions.register("r", key, 0, SIZE)
    os.truncate(shared_memory.FOLDER + key, 16)
    with pytest.raises(UsageError, match=f"{key} has 16 bytes, too few for 32 at its offset 0"):
        regions.read("r", 0, 32)
    with pytest.raises(UsageError, match="too few"):
        regions.write("r", 8, np.ones(8, np.float32))
    assert regions.read("r", 0, 16) == bytes(16)


def test_status_lists_regions_in_the_words_of_the_extension(regions, region):
    key, _ = region
    for name in ("a", "b"):
        regions.register(name, key, 0, 64)
    told = {"name": "b", "key": key, "offset": 0, "byte_size": 64}
    assert msgspec.to_builtins(regions.status("b")) == (told,)
    assert [each.name for each in regions.status()] == ["a", "b"]
    with pytest.raises(UsageError, match="no shared memory region 'c'; registered are 'a', 'b'"):
        regions.status("c")


def test_a_region_that_is_forgotten_is_closed(regions, region):
    key, _ = region
    before = files_open(key)
    for name in ("a", "b", "c"):
        regions.register(name, key, 0, 64)
    assert files_open(key) == before + 3
    regions.unregister("a")
    regions.unregister("nobody")  # no error, as with Triton
    assert files_open(key) == before + 2
    regions.unregister()
    assert (files_open(key), regions.status()) == (before, ())


def test_a_region_that_is_refused_is_closed(regions, region):
    key, _ = region
    before = files_open(key)
    with pytest.raises(UsageError, match="too few"):
        regions.register("r", key, 0, SIZE * 100)
    assert files_open(key) == before


def test_a_name_is_taken_once_and_there_is_an_end_of_them(region):
    key, _ = region
    regions = Regions(Limits(regions=2))
    regions.register("a", key, 0, 64)
    with pytest.raises(UsageError, match="'a' is registered already"):
        regions.register("a", key, 0, 64)
    regions.register("b", key, 0, 64)
    with pytest.raises(UsageError, match="2 shared memory regions are registered, and no more may be"):
        regions.register("c", key, 0, 64)


@pytest.mark.parametrize(("name", "offset", "size"), [("", 0, 8), ("r", -1, 8), ("r", 0, 0), ("r", 2**62, 8)])
def test_a_region_has_a_name_and_a_size(regions, region, name, offset, size):
    with pytest.raises(UsageError, match="shared memory region"):
        regions.register(name, region[0], offset, size)


@pytest.mark.parametrize(
    "key",
    ["", "/", "/../etc/passwd", "//etc/passwd", "/a/b", "/etc/passwd", "/a\0b", "/a\n", "/ü", "/sem.loky", "sem.x",
     "/.", "/..", "/" + "a" * 300],
)  # fmt: skip
def test_a_key_names_no_path(regions, key):
    with pytest.raises(UsageError, match="shared memory key"):
        regions.register("r", key, 0, 8)


def test_a_key_of_nothing_is_refused(regions):
    with pytest.raises(UsageError, match="'/nobody-has-this': No such file"):
        regions.register("r", "/nobody-has-this", 0, 8)


@pytest.mark.parametrize(
    ("make", "why"),
    [(lambda path: os.symlink(__file__, path), "it is a link"), (os.mkfifo, "not a shared memory object"),
     (os.mkdir, "directory")],
    ids=["a link", "a pipe", "a folder"],
)  # fmt: skip
def test_only_shared_memory_is_opened(regions, make, why):
    with planted(make) as key, pytest.raises(UsageError, match=why):
        regions.register("r", key, 0, 8)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_the_memory_of_other_users_is_theirs_unless_they_share_it(regions, region):
    key, _ = region
    os.chown(shared_memory.FOLDER + key, 12345, 12345)
    with pytest.raises(UsageError, match="belongs to another user"):
        regions.register("r", key, 0, 8)
    os.chmod(shared_memory.FOLDER + key, 0o666)
    regions.register("r", key, 0, 8)


def test_one_request_may_read_no_more_than_a_body_may_hold():
    regions = Regions(Limits(body=1))
    with shared(1 << 20) as (key, _):
        regions.register("r", key, 0, 1 << 20)
        whole = Laid(Place("r", 0, 1 << 20), "FP32", [1, 1 << 18])
        assert placement.fetch(regions, {"a": whole})["a"].nbytes == 1 << 20
        with pytest.raises(TensorError, match="have 2097152 bytes, more than the 1048576"):
            placement.fetch(regions, {"a": whole, "b": whole})


@pytest.mark.parametrize(
    ("body", "why"),
    [(b'{"key": "KEY", "byte_size": 64, "offset": 8}', None), (b'{"key": "KEY", "byte_size": 64}', None),
     (b'{"byte_size": 64}', "key"), (b'{"key": "KEY", "byte_size": "64"}', "byte_size"), (b"[", "cannot be read"),
     (b'{"key": "KEY", "byte_size": 0}', "byte_size"), (b'{"key": "KEY", "byte_size": 64, "path": "/"}', "path"),
     (b'{"key": "\xff"}', "cannot be read")],
)  # fmt: skip
def test_a_registration_in_json(regions, region, body, why):
    body = body.replace(b"KEY", region[0].encode())
    if why is None:
        shared_memory.register_from_json(regions, "r", body)
        assert regions.status()[0].byte_size == 64
    else:
        with pytest.raises(UsageError, match=why):
            shared_memory.register_from_json(regions, "r", body)


def test_a_server_without_regions_says_so():
    with pytest.raises(UsageError, match="started without system shared memory"):
        shared_memory.offered(None)


# ---- bodies over HTTP, as Triton's client writes and reads them


def http_body(shape, place, outputs=()):
    tensor = triton.InferInput("source", shape, "FP32")
    tensor.set_shared_memory(*place)
    asked = []
    for name, where in outputs:
        asked.append(triton.InferRequestedOutput(name, binary_data=True))
        if where:
            asked[-1].set_shared_memory(*where)
    return triton.InferenceServerClient.generate_request_body([tensor], outputs=asked or None)


def test_tensors_travel_in_shared_memory_both_ways(regions, region):
    key, handle = region
    regions.register("r", key, 0, SIZE)
    sent = np.arange(6, dtype=np.float32).reshape(2, 3)
    shm.set_shared_memory_region(handle, [sent], offset=32)
    outputs = [("spectrum", ("r", 100, 1000)), ("lower", None)]
    request = oip.decode_request(*http_body([2, 3], ("r", 24, 32), outputs), regions)
    np.testing.assert_array_equal(request.inputs["source"], sent)

    answers = {"spectrum": sent + 1, "lower": sent - 1}
    body, length = oip.encode_response("raman-to-ir", "1.0.0", answers, request, regions)
    result = triton.InferResult.from_response_body(body, header_length=length)
    assert result.get_output("spectrum") == {
        "name": "spectrum", "datatype": "FP32", "shape": [2, 3],
        "parameters": {"shared_memory_region": "r", "shared_memory_offset": 1000, "shared_memory_byte_size": 24},
    }  # fmt: skip
    np.testing.assert_array_equal(result.as_numpy("lower"), sent - 1)
    np.testing.assert_array_equal(shm.get_contents_as_numpy(handle, np.float32, [2, 3], 1000), sent + 1)


REFUSED = {
    "no such region": ([1, 2], ("x", 8, 0), (), "input 'source': no shared memory region 'x'; registered are 'r'"),
    "another size": ([1, 2], ("r", 12, 0), (), r"'source': shared_memory_byte_size 12, but FP32 \[1, 2\] has 8 bytes"),
    "beyond its end": ([1, 2], ("r", 8, SIZE), (), "input 'source': shared memory region 'r' has 4096 bytes"),
    "no place for an output": ([1, 2], ("r", 8, 0), [("spectrum", ("x", 8, 0))], "output 'spectrum': no shared"),
    "an output beyond the end": ([1, 2], ("r", 8, 0), [("spectrum", ("r", 8, SIZE))], "output 'spectrum': shared"),
}


@pytest.mark.parametrize(("shape", "place", "outputs", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_a_place_that_is_not_there_is_refused_by_name(regions, region, shape, place, outputs, why):
    regions.register("r", region[0], 0, SIZE)
    with pytest.raises(TensorError, match=why):
        oip.decode_request(*http_body(shape, place, outputs), regions)


def test_an_output_larger_than_its_place_is_refused_and_nothing_is_written(regions, region):
    key, handle = region
    regions.register("r", key, 0, SIZE)
    request = oip.decode_request(*http_body([1, 2], ("r", 8, 0), [("spectrum", ("r", 8, 0))]), regions)
    with pytest.raises(TensorError, match="output 'spectrum': its 16 bytes do not fit into the 8"):
        oip.encode_response("m", "1.0.0", {"spectrum": np.ones((1, 4), np.float32)}, request, regions)
    assert not shm.get_contents_as_numpy(handle, np.uint8, [64]).any()


# ---- the same through the server, as Triton's examples do it


@contextmanager
def served_by_http(plane, regions):
    """The HTTP face in a thread, at the port that is given."""
    server = uvicorn.Server(uvicorn.Config(application(plane, regions=regions), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def test_tritons_example_over_http(transfer_bundle, regions):
    model = Model.open(transfer_bundle)
    values = np.random.default_rng(7).random((2, model.manifest.axes["source"].n), np.float32)
    expected = model.run({"source": values, "mask": np.ones_like(values)})["spectrum"]
    with (
        shared(2 * values.nbytes) as (given_key, given),
        shared(expected.nbytes) as (taken_key, taken),
        served_by_http(DataPlane([model]), regions) as url,
        triton.InferenceServerClient(url) as client,
    ):
        client.unregister_system_shared_memory()
        shm.set_shared_memory_region(given, [values, np.ones_like(values)])
        client.register_system_shared_memory("in", given_key, 2 * values.nbytes)
        client.register_system_shared_memory("out", taken_key, expected.nbytes)
        [told] = client.get_system_shared_memory_status("in")
        assert told == {"name": "in", "key": given_key, "offset": 0, "byte_size": 2 * values.nbytes}
        assert [each["name"] for each in client.get_system_shared_memory_status()] == ["in", "out"]
        inputs = [triton.InferInput(tensor, list(values.shape), "FP32") for tensor in ("source", "mask")]
        for number, tensor in enumerate(inputs):
            tensor.set_shared_memory("in", values.nbytes, number * values.nbytes)
        asked = [triton.InferRequestedOutput("spectrum", binary_data=True)]
        asked[0].set_shared_memory("out", expected.nbytes)
        result = client.infer(model.manifest.name, inputs, outputs=asked)
        shape = result.get_output("spectrum")["shape"]
        np.testing.assert_array_equal(shm.get_contents_as_numpy(taken, np.float32, shape), expected)
        client.unregister_system_shared_memory("in")
        with pytest.raises(InferenceServerException, match="input 'source': no shared memory region 'in'"):
            client.infer(model.manifest.name, inputs)
