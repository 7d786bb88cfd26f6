"""What a request takes at a few batch sizes: on each server, and without any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from lineshape.bundle import check_close
from lineshape.results import Interval
from lineshape_serving.bench import peers, servers
from lineshape_serving.bench.figures import Effort, Rounds, above, in_turns, over, quantile
from lineshape_serving.bench.peers import Peer
from lineshape_serving.bench.subject import Subject

BATCHES = {1: 1.0, 16: 0.6, 64: 0.3}  # spectra, and the share of the calls of a round
IN_PROCESS, ALONE, OURS, TRITON = "in-process", "ASGI alone", "BentoML", "Triton HTTP"
JSON, FAST_JSON = "stock BentoML JSON", "stock BentoML JSON, msgspec"


class Taken(msgspec.Struct):
    """Milliseconds of a request; how far the median lies above in-process, and how many times that it is."""

    p50: Interval
    p99: Interval
    above: Interval
    over: Interval


class Latency(msgspec.Struct):
    """Each peer at each batch size.

    Parameters
    ----------
    points : int
        Of a spectrum.
    calls : mapping of batch to int
        Of each peer.
    batch : mapping of batch to mapping of peer to Taken
    alone_over_triton : mapping of batch to Interval
        Our application alone over Triton, both over HTTP.
    json_over_ours, fast_json_over_ours : Interval
        At the largest batch: BentoML's own client with JSON arrays over tritonclient with ours, and the fastest JSON.
    """

    points: int
    calls: dict[str, int]
    batch: dict[str, dict[str, Taken]]
    alone_over_triton: dict[str, Interval]
    json_over_ours: Interval
    fast_json_over_ours: Interval


def measure(spectra: Subject, wheel: Path, folder: Path, effort: Effort) -> Latency:
    """Every peer by turns."""
    with _all_peers(spectra, wheel, folder) as there:
        taken = {batch: _taken(there, spectra, batch, effort) for batch in BATCHES}
    most = taken[max(BATCHES)]
    return Latency(
        points=spectra.model.manifest.axes["spectrum"].n,
        calls={str(batch): found[OURS].size for batch, found in taken.items()},
        batch={str(batch): _told(found) for batch, found in taken.items()},
        alone_over_triton={str(batch): over(found[ALONE], found[TRITON]) for batch, found in taken.items()},
        json_over_ours=over(most[JSON], most[OURS]),
        fast_json_over_ours=over(most[FAST_JSON], most[OURS]),
    )


@contextmanager
def _all_peers(spectra: Subject, wheel: Path, folder: Path) -> Iterator[Mapping[str, Peer]]:
    with ExitStack() as opened:
        alone = opened.enter_context(servers.alone(spectra, folder))
        ours = opened.enter_context(servers.bentoml(spectra.path, folder))
        triton = opened.enter_context(servers.triton(wheel, [spectra], folder))
        stock = opened.enter_context(servers.stock_bentoml(spectra, folder))
        for server in (alone, ours, triton, stock):
            server.ready()
        yield {
            IN_PROCESS: peers.in_process(spectra),
            ALONE: peers.over_http(alone.http, spectra, opened),
            OURS: peers.over_http(ours.http, spectra, opened),
            "our gRPC": peers.over_grpc(ours.grpc, spectra, opened),
            TRITON: peers.over_http(triton.http, spectra, opened),
            "Triton gRPC": peers.over_grpc(triton.grpc, spectra, opened),
            JSON: peers.json_by_bentoml(stock.http, opened),
            FAST_JSON: peers.json_by_msgspec(stock.http, opened),
        }


def _taken(there: Mapping[str, Peer], spectra: Subject, batch: int, effort: Effort) -> dict[str, Rounds]:
    """Milliseconds of each peer; all of them must give the answer of the model in this process."""
    inputs, allowed = spectra.inputs(batch), spectra.model.manifest.allowed("model")
    expected = spectra.model.run(inputs)
    for name, peer in there.items():
        found = peer(inputs)
        check_close("model", allowed, {output: expected[output] for output in found}, found, f"over {name}")
    calls = {name: peers.asked(peer, inputs) for name, peer in there.items()}
    return in_turns(calls, effort.rounds, max(1, round(effort.calls * BATCHES[batch])))


def _told(taken: Mapping[str, Rounds]) -> dict[str, Taken]:
    base = taken[IN_PROCESS]
    return {
        name: Taken(quantile(each, 0.5), quantile(each, 0.99), above(each, base), over(each, base))
        for name, each in taken.items()
    }
