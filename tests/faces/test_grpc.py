"""The bundle over gRPC gives the numbers of the edge, to every kind of client that Triton has."""

from __future__ import annotations

import asyncio
import queue
from contextlib import contextmanager

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
import tritonclient.utils.shared_memory as shm
from grpc_thread import SECONDS, served_by_grpc
from tritonclient.utils import np_to_triton_dtype

from lineshape.bundle import check_close
from lineshape_edge import Model
from lineshape_serving import DataPlane
from lineshape_serving.settings import Limits
from lineshape_serving.shared_memory import Regions


@pytest.fixture(scope="module")
def transfer(transfer_bundle):
    return Model.open(transfer_bundle)


@pytest.fixture(scope="module")
def sampler(sample_bundle):
    return Model.open(sample_bundle)


@pytest.fixture(scope="module")
def server(transfer, sampler):
    with served_by_grpc(DataPlane([transfer, sampler]), regions=Regions(Limits())) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.url) as client:
        yield client


@pytest.fixture(scope="module")
def cases(transfer, sampler):
    """For each name on the wire: its model, its form, and a batch."""
    random, scale = np.random.default_rng(7), np.ones((5, 1), np.float32)
    values = random.random((5, transfer.manifest.axes["source"].n), np.float32)
    mask = np.ones_like(values)
    mask[3:, values.shape[1] // 2 :] = 0
    seed = np.array([[7, 0], [7, 1], [2**53, 2], [0, 3], [1, 2**40]], np.int64)
    normals = random.standard_normal((5, sampler.manifest.graphs["noise"].inputs[0].shape[1]), np.float32)
    batches = {
        "model": {"seed": seed, "noise_scale": scale},
        "noise": {"noise": normals, "noise_scale": scale},
    }
    samples = {name: (sampler, form, batches[form]) for name, form in sampler.manifest.wire_names.items()}
    return {transfer.manifest.name: (transfer, "model", {"source": values * mask, "mask": mask})} | samples


def check_same(case, result):
    """The same numbers as in this process, within the bundle's tolerance."""
    model, form, arrays = case
    expected = model.run(arrays, form)
    found = {name: result.as_numpy(name) for name in expected}
    check_close(form, model.manifest.allowed(form), expected, found, "over gRPC", arrays)


def inputs_of(arrays):
    inputs = [triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
              for name, array in arrays.items()]  # fmt: skip
    return [tensor.set_data_from_numpy(array) for tensor, array in zip(inputs, arrays.values(), strict=True)]


def test_one_request_at_a_time(client, cases):
    for name, case in cases.items():
        check_same(case, client.infer(name, inputs_of(case[2])))


def test_requests_at_once_do_not_mix(client, cases):
    answers = queue.Queue()
    batches = [(name, {key: array[start : start + 1 + start % 3] for key, array in arrays.items()})
               for start in range(4) for name, (_, _, arrays) in cases.items()]  # fmt: skip
    for number, (name, arrays) in enumerate(batches * 3):
        client.async_infer(name, inputs_of(arrays), lambda result, error: answers.put((result, error)),
                           request_id=str(number))  # fmt: skip
    for _ in range(len(batches) * 3):
        result, error = answers.get(timeout=SECONDS)
        assert error is None
        name, arrays = batches[int(result.get_response().id) % len(batches)]
        check_same((*cases[name][:2], arrays), result)


def test_a_stream(client, cases):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for name, (_, _, arrays) in cases.items():
        client.async_stream_infer(name, inputs_of(arrays))
    for case in cases.values():
        result, error = answers.get(timeout=SECONDS)
        assert error is None
        check_same(case, result)
    client.stop_stream()


def test_asyncio(server, cases):
    async def ask():
        async with triton_aio.InferenceServerClient(server.url) as client:
            asked = [client.infer(name, inputs_of(arrays)) for name, (_, _, arrays) in cases.items()]
            return await asyncio.gather(*asked)

    for case, result in zip(cases.values(), asyncio.run(ask()), strict=True):
        check_same(case, result)


@contextmanager
def laid_down(client, word, arrays):
    """The arrays in shared memory that the server knows under `word`, and where each begins."""
    key, size = f"/lineshape-{word}-{id(arrays)}", sum(array.nbytes for array in arrays)
    handle = shm.create_shared_memory_region(word, key, size)
    try:
        shm.set_shared_memory_region(handle, arrays)
        client.register_system_shared_memory(word, key, size)
        ends = np.cumsum([array.nbytes for array in arrays]).tolist()
        yield handle, [end - array.nbytes for end, array in zip(ends, arrays, strict=True)]
    finally:
        client.unregister_system_shared_memory(word)
        shm.destroy_shared_memory_region(handle)


class Taken:
    """A result whose outputs lie in shared memory."""

    def __init__(self, arrays):
        self.as_numpy = arrays.__getitem__


def test_tensors_in_shared_memory(client, cases):
    for name, (model, form, arrays) in cases.items():
        inputs = inputs_of(arrays)
        room = {output: np.zeros_like(array) for output, array in model.run(arrays, form).items()}
        asked = [triton.InferRequestedOutput(output) for output in room]
        with (
            laid_down(client, "in", list(arrays.values())) as (_, starts),
            laid_down(client, "out", list(room.values())) as (handle, places),
        ):
            for tensor, array, start in zip(inputs, arrays.values(), starts, strict=True):
                tensor.set_shared_memory("in", array.nbytes, start)
            for output, array, place in zip(asked, room.values(), places, strict=True):
                output.set_shared_memory("out", array.nbytes, place)
            client.infer(name, inputs, outputs=asked)
            found = {output: shm.get_contents_as_numpy(handle, np.float32, array.shape, place).copy()
                     for (output, array), place in zip(room.items(), places, strict=True)}  # fmt: skip
        check_same((model, form, arrays), Taken(found))
