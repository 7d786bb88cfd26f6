"""`lineshape bench serve`: every part measures real servers, here shortly; nothing is said of speed."""

from __future__ import annotations

import gc
import warnings

import numpy as np
import pytest
from terminal import lineshape
from triton_server import WHEEL, backends

from lineshape.errors import LineshapeError
from lineshape_serving.bench import figures, load
from lineshape_serving.bench.commands import PARTS, as_text, measured
from lineshape_serving.bench.figures import Effort
from lineshape_serving.bench.processes import Process, free_port

SHORT = Effort(rounds=2, calls=2, seconds=2.0, times=1, samples=7)


@pytest.fixture(autouse=True)
def swept():
    """BentoML's own client leaves its temporary folder to Python, which warns of it in whichever test is next."""
    yield
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.fixture(scope="module")
def bundles(told_bundles):
    return told_bundles["reconstruct"], told_bundles["sample"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    backends(tmp_path_factory.mktemp("backends"))  # skips where there is none
    return WHEEL


@pytest.fixture
def short(bundles):
    return lambda part: measured(part, *bundles, WHEEL, SHORT)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of BentoML, as it is imported
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its client forgets a folder
def test_latency_has_every_peer_at_every_batch_and_all_gave_the_same_answer(wheel, short):
    found = short("latency")
    assert set(found.batch) == {"1", "16", "64"}
    for peers in found.batch.values():
        assert len(peers) == 8
        base = peers.pop("in-process")
        assert (base.above.value, base.over.value) == (0, 1)
        for taken in peers.values():
            assert 0 < taken.p50.low <= taken.p50.value <= taken.p99.value
            assert taken.above.value == pytest.approx(taken.p50.value - base.p50.value, abs=1e-3)
            assert taken.over.value == pytest.approx(taken.p50.value / base.p50.value, rel=0.05)
    peers = found.batch["64"]
    ratio = peers["stock BentoML JSON"].p50.value / peers["BentoML"].p50.value
    assert found.json_over_ours.value == pytest.approx(ratio, rel=0.01)
    assert "latency batch 64 Triton gRPC p50: " in as_text("latency", found)


def test_batching_joins_requests_only_where_it_is_on(short):
    found = short("batching")
    assert found.served.keys() == {"on", "off"}
    assert max(map(int, found.sizes)) > 1  # that is, with it on
    assert sum(found.sizes.values()) < sum(int(size) * runs for size, runs in found.sizes.items())
    assert found.in_process.keys() == found.sizes.keys() | {"1"}
    ratio = found.served["on"].throughput.value / found.served["off"].throughput.value
    assert found.gain.value == pytest.approx(ratio, rel=1e-3)
    assert found.of_in_process.value == pytest.approx(ratio / found.gain_in_process, rel=1e-2)
    assert all(0 < served.client_cpu < 1 for served in found.served.values())


def test_an_overload_is_partly_answered_and_the_rest_refused(short):
    found = short("overload")
    assert found.in_process >= 20
    assert found.rate == pytest.approx(3 * found.capacity.value, rel=1e-2)
    assert sum(found.counts.values()) == round(found.rate * found.seconds)
    assert set(found.counts) <= {"200", "429", "503"}
    assert 0 < found.goodput.value < found.rate
    assert found.of_capacity == pytest.approx(found.goodput.value / found.capacity.value, abs=1e-3)
    assert 0 < found.recovery < 30
    assert found.memory.before > 10


def test_a_swap_under_load_fails_no_request_and_both_versions_answer(short):
    found = short("swap")
    assert (found.times, found.failed) == (1, 0)
    assert found.requests > 10
    assert "1.0.0" in found.versions


def test_what_is_in_flight_when_the_worker_is_killed_is_lost_and_nothing_else(short):
    found = short("kill")
    assert 0 < found.back.value <= found.slowest < 30
    assert found.lost <= found.in_flight <= found.clients
    assert (found.wrong, found.refused) == (0, {})


def test_the_load_generator_of_mlperf_gives_its_verdict(short):
    pytest.importorskip("mlperf_loadgen")
    found = short("loadgen")
    assert found.result == "VALID"
    assert found.queries >= found.min_queries
    assert found.p90 > 0


def test_samples_of_a_seed_are_the_same_on_every_face(wheel, short):
    found = short("same")
    assert found.samples == 7
    assert found.within == dict.fromkeys(["BentoML REST", "BentoML gRPC", "Triton HTTP", "Triton gRPC"], True)
    assert max(found.deviation.values()) <= found.allowed


def test_medians_are_of_all_rounds_and_ratios_of_the_same_ones():
    ours, base = np.array([[1.0, 1, 9], [3, 3, 3]]), np.array([[1.0, 1, 1], [2, 2, 2]])
    assert figures.quantile(ours, 0.5).value == 3
    assert figures.above(ours, base).value == 3 - 1.5
    assert figures.over(ours, base) == figures.over(10 * ours, 10 * base)
    assert figures.over(base, base) == figures.Interval(1, 1, 1)


def test_what_was_heard_is_counted_by_status_and_from_when_it_was_meant():
    heard = load.Heard(asked=[(0.0, 0.5, 200), (1.0, 1.25, 503), (2.0, 2.1, load.LOST)])
    assert heard.counts() == {"0": 1, "200": 1, "503": 1}
    assert heard.milliseconds(200, 503).tolist() == [500, 250]
    assert heard.ended().tolist() == [0.5]


def test_a_server_that_does_not_start_is_told_with_its_log(tmp_path):
    words = ["/bin/sh", "-c", "echo no such bundle; exit 3"]
    told = "Wrong does not start; its log ends:\nno such bundle"
    with Process("Wrong", words, tmp_path, free_port()) as process, pytest.raises(LineshapeError, match=told):
        process.ready()


def test_a_part_that_there_is_not_is_refused(bundles):
    spectra, heavy = bundles
    done = lineshape("bench", "serve", "speed", "--spectra", spectra, "--heavy", heavy)
    assert done.returncode == 2
    assert f"speed: no part of the bench; there are {', '.join(PARTS)}" in done.stderr


def test_a_bundle_of_another_task_is_refused_and_nothing_recorded(bundles, tmp_path):
    _, heavy = bundles
    done = lineshape("bench", "serve", "latency", "--spectra", heavy, "--heavy", heavy, "-o", tmp_path / "serve.json")
    assert done.returncode == 3  # the bundle of another task
    assert "reconstruct" in done.stderr
    assert not (tmp_path / "serve.json").exists()
