"""MLPerf's load generator as a client: its SingleStream scenario, and its own verdict."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from lineshape.errors import MissingExtra
from lineshape_serving.bench import peers, servers
from lineshape_serving.bench.figures import Effort
from lineshape_serving.bench.subject import Subject

SAMPLES = 64
QUERIES = 1024  # at least
PERCENTILE = 0.9
SUMMARY = "mlperf_log_summary.txt"
_FOUND = {
    "result": r"Result is : (\w+)",
    "p90": r"90(?:\.0+)? percentile latency \(ns\)\s*: (\d+)",
    "queries": r"min_query_count : (\d+)",
}


class LoadGen(msgspec.Struct):
    """What the generator's summary says.

    Parameters
    ----------
    result : str
        Its verdict.
    p90 : float
        Milliseconds, its 90th percentile.
    min_duration : float
        Seconds that it had to take.
    min_queries : int
        Queries that it had to send.
    queries : int
        That it sent.
    """

    result: str
    p90: float
    min_duration: float
    min_queries: int
    queries: int


def measure(spectra: Subject, folder: Path, effort: Effort) -> LoadGen:
    """One stream of single spectra over binary HTTP.

    Raises
    ------
    MissingExtra
        If the load generator is not installed.
    """
    try:
        import mlperf_loadgen  # type: ignore[import-not-found]
    except ImportError:
        raise MissingExtra("the load generator of MLPerf", "dev") from None
    seconds = effort.seconds / 6
    inputs, sent = [spectra.inputs(1) for _ in range(SAMPLES)], []
    with servers.bentoml(spectra.path, folder) as server, ExitStack() as opened:
        ask = peers.over_http(server.ready().http, spectra, opened)
        _generate(mlperf_loadgen, lambda sample: sent.append(ask(inputs[sample]) and sample), seconds, folder)
    found = _summary((folder / SUMMARY).read_text())
    return LoadGen(found["result"], round(int(found["p90"]) / 1e6, 3), seconds, QUERIES, len(sent))


def _generate(loadgen: Any, answer: Callable[[int], object], seconds: float, folder: Path) -> None:  # noqa: ANN401
    """Run the scenario; its logs go into the folder."""

    def issue(queries: list[Any]) -> None:
        for query in queries:
            answer(query.index)
            loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, 0, 0)])

    system = loadgen.ConstructSUT(issue, _nothing)
    library = loadgen.ConstructQSL(SAMPLES, SAMPLES, _nothing, _nothing)
    loadgen.StartTestWithLogSettings(system, library, _settings(loadgen, seconds), _logs(loadgen, folder))
    loadgen.DestroyQSL(library)
    loadgen.DestroySUT(system)


def _settings(loadgen: Any, seconds: float) -> Any:  # noqa: ANN401
    settings = loadgen.TestSettings()
    settings.scenario, settings.mode = loadgen.TestScenario.SingleStream, loadgen.TestMode.PerformanceOnly
    settings.single_stream_target_latency_percentile = PERCENTILE
    settings.min_duration_ms, settings.min_query_count = round(1000 * seconds), QUERIES
    return settings


def _logs(loadgen: Any, folder: Path) -> Any:  # noqa: ANN401
    logs = loadgen.LogSettings()
    output = loadgen.LogOutputSettings()
    output.outdir, output.copy_summary_to_stdout = str(folder), False
    logs.log_output, logs.enable_trace = output, False
    return logs


def _nothing(*_: object) -> None:
    """The samples are in memory, and nothing waits to be sent."""


def _summary(text: str) -> dict[str, str]:
    return {name: match[1] for name, pattern in _FOUND.items() if (match := re.search(pattern, text))}
