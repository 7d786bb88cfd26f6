"""Dynamic batching: who travels together, who does not, and that nobody can tell from his answer."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineshape.errors import OverloadError
from lineshape_serving.lane import Lane


class Held:
    """A model that begins a run only when it is let: doubles its input, and remembers what came together."""

    def __init__(self):
        self.batches, self.gate, self.begun = [], threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, inputs):
        self.batches.append(len(inputs["x"]))
        self.begun.release()
        assert self.gate.acquire(timeout=10)
        return {"y": inputs["x"] * 2}


@pytest.fixture
def held():
    return Held()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(4) as executor:
        yield executor


def rows(n, first=0):
    return {"x": np.arange(first, first + n, dtype=np.float32)[:, None]}


async def until(true):
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


def test_a_request_that_finds_a_free_runner_starts_at_once(held, threads):
    async def scenario():
        lane = Lane(held, threads, 1, most=8, depth=8, patience=10)
        asking = asyncio.create_task(lane.ask(rows(1)))
        await until(lambda: held.begun.acquire(blocking=False))
        assert lane.waiting == 0
        assert not lane.idle
        held.gate.release()
        ran = await asking
        assert (ran.batch, ran.leads, lane.idle) == (1, True, True)
        assert ran.arrived <= ran.started <= ran.joined <= ran.ended

    asyncio.run(scenario())


def test_what_waits_travels_together_as_far_as_it_fits_and_in_its_order(held, threads):
    async def scenario():
        lane = Lane(held, threads, 1, most=4, depth=99, patience=10)
        sizes = [1, 2, 2, 1, 1, 9, 1]  # the first finds a free runner; the others wait meanwhile
        asking = [asyncio.create_task(lane.ask(rows(n, 10 * k))) for k, n in enumerate(sizes)]
        await until(lambda: lane.waiting == sum(sizes[1:]))
        held.gate.release(99)
        answers = await asyncio.gather(*asking)
        assert held.batches == [1, 4, 2, 9, 1]
        assert [ran.batch for ran in answers] == [1, 4, 4, 2, 2, 9, 1]
        assert sum(ran.leads for ran in answers) == len(held.batches)
        for k, (n, ran) in enumerate(zip(sizes, answers, strict=True)):
            np.testing.assert_array_equal(ran.outputs["y"], rows(n, 10 * k)["x"] * 2)

    asyncio.run(scenario())


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=40), most=st.integers(1, 12), runners=st.integers(1, 3))
def test_everyone_gets_the_answer_to_his_own_rows(sizes, most, runners):
    """Whatever the sizes, the limit and the number of runners are."""
    batches = []

    def run(inputs):
        batches.append(len(inputs["x"]))
        return {"y": inputs["x"] * 2}

    async def scenario():
        with ThreadPoolExecutor(runners) as executor:
            lane = Lane(run, executor, runners, most, depth=10_000, patience=10)
            answers = await asyncio.gather(*(lane.ask(rows(n, 100 * k)) for k, n in enumerate(sizes)))
        for k, (n, ran) in enumerate(zip(sizes, answers, strict=True)):
            np.testing.assert_array_equal(ran.outputs["y"], rows(n, 100 * k)["x"] * 2)
        assert sum(batches) == sum(sizes)
        assert all(batch <= max(most, *sizes) for batch in batches)
        assert lane.waiting == 0

    asyncio.run(scenario())


def test_who_leaves_while_waiting_is_never_run(held, threads):
    async def scenario():
        lane = Lane(held, threads, 1, most=8, depth=99, patience=10)
        first, second, third = (asyncio.create_task(lane.ask(rows(n))) for n in (1, 2, 3))
        await until(lambda: lane.waiting == 5)
        second.cancel()
        await until(second.done)
        assert lane.waiting == 3
        held.gate.release(9)
        await asyncio.gather(first, third)
        assert held.batches == [1, 3]

    asyncio.run(scenario())


def test_who_leaves_while_running_disturbs_nobody(held, threads):
    async def scenario():
        lane = Lane(held, threads, 1, most=8, depth=99, patience=10)
        first = asyncio.create_task(lane.ask(rows(1)))
        await until(lambda: held.begun.acquire(blocking=False))
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        held.gate.release(9)
        assert len((await lane.ask(rows(2))).outputs["y"]) == 2

    asyncio.run(scenario())


def test_a_full_queue_refuses_and_says_when_to_come_back(held, threads):
    async def scenario():
        lane = Lane(held, threads, 1, most=8, depth=3, patience=10)
        asking = [asyncio.create_task(lane.ask(rows(n))) for n in (1, 2, 1)]
        await until(lambda: lane.waiting == 3)
        with pytest.raises(OverloadError, match="3 spectra wait already") as refused:
            await lane.ask(rows(1))
        assert refused.value.retry_after >= 1
        held.gate.release(9)
        await asyncio.gather(*asking)
        await lane.ask(rows(1))  # there is room again

    asyncio.run(scenario())


def test_who_would_wait_longer_than_patience_is_refused_at_once(threads):
    def slow(inputs):
        threading.Event().wait(0.03)
        return {"y": inputs["x"]}

    async def scenario():
        lane = Lane(slow, threads, 1, most=1, depth=10_000, patience=0.05)
        for _ in range(30):  # until it knows its pace of 30 ms a spectrum
            await lane.ask(rows(1))
        asking = [asyncio.create_task(lane.ask(rows(1))) for _ in range(30)]
        done = await asyncio.gather(*asking, return_exceptions=True)
        assert 2 <= sum(not isinstance(ran, OverloadError) for ran in done) <= 6  # 1 runs, 2 or 3 wait

    asyncio.run(scenario())


def test_a_failed_run_fails_its_own_batch_only(threads):
    def run(inputs):
        if (inputs["x"] < 0).any():
            raise ValueError("no")
        return {"y": inputs["x"]}

    async def scenario():
        lane = Lane(run, threads, 1, most=8, depth=99, patience=10)
        with pytest.raises(ValueError, match="no"):
            await lane.ask(rows(1, -1))
        assert len((await lane.ask(rows(1))).outputs["y"]) == 1
        assert lane.idle

    asyncio.run(scenario())
