"""The life of a running service: keys and TLS, its end, its death, and bundles that come and go under load."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time

import grpc
import httpx
import psutil
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from certificates import self_signed
from grpc_health.v1 import health_pb2, health_pb2_grpc
from resealed import resealed
from services import free_port, lineshape, served, surroundings
from tritonclient.utils import np_to_triton_dtype

from lineshape.bundle import check_close
from lineshape_edge import Model


def inputs_of(arrays, module=triton):
    inputs = []
    for name, array in arrays.items():
        tensor = module.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        inputs.append(tensor.set_data_from_numpy(array))
    return inputs


def log_of(service):
    return [json.loads(line) for line in service.said().splitlines() if line.startswith("{")]


class Load:
    """Clients that keep asking until they are told to stop, and hold every answer against the golden one."""

    def __init__(self, url, model, callers=4, forgive=()):
        self.url, self.name, self.forgive = url, model.manifest.name, forgive
        self.inputs, self.expected = model.bundle.golden("model")[0]
        self.allowed = model.manifest.allowed("model")
        self.answered, self.failed, self.wrong, self.going = [], [], [], True
        self.threads = [threading.Thread(target=self._ask) for _ in range(callers)]

    def _ask(self):
        with triton.InferenceServerClient(self.url) as client:
            while self.going:
                try:
                    result = client.infer(self.name, inputs_of(self.inputs))
                except Exception as error:  # whatever a client may hear
                    self.failed.append((time.monotonic(), error))
                    time.sleep(0.02)
                    continue
                self.answered.append((time.monotonic(), result.get_response()["model_version"]))
                try:
                    found = {name: result.as_numpy(name) for name in self.expected}
                    check_close("model", self.allowed, self.expected, found, "under load")
                except Exception as error:
                    self.wrong.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join(30)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


def test_with_tls_and_keys_both_protocols_ask_for_them(tmp_path, transfer_bundle, certificate):
    key = lineshape(tmp_path, "keys", "add", "keys.toml", "lab").stdout.strip()
    port = free_port()
    options = ("--keys", tmp_path / "keys.toml", "--certificate", certificate / "cert.pem", "--private-key",
               certificate / "key.pem", "--grpc-port", port)  # fmt: skip
    trusted = ssl.create_default_context(cafile=certificate / "cert.pem")
    with served(tmp_path, transfer_bundle, options=options, verify=trusted) as service:
        where, bearer = f"https://{service.url}/v2", {"Authorization": f"Bearer {key}"}
        assert httpx.get(where, verify=trusted).status_code == 401
        assert httpx.get(where, verify=trusted, headers=bearer).status_code == 200
        with pytest.raises(httpx.TransportError):
            httpx.get(where.replace("https", "http"))
        credentials = grpc.ssl_channel_credentials((certificate / "cert.pem").read_bytes())
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10).status == 1
        assert key not in service.said()


def test_on_sigterm_it_is_first_not_ready_then_ends_and_what_it_had_begun_it_finishes(tmp_path, transfer_bundle):
    model = Model.open(transfer_bundle)
    with served(tmp_path, transfer_bundle, options=("--drain", "1.5")) as service, Load(service.url, model) as load:
        until(lambda: len(load.answered) > 20)
        begin = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"http://{service.url}/v2/health/ready").status_code == 503)
        assert httpx.get(f"http://{service.url}/readyz").status_code != 200
        assert httpx.get(f"http://{service.url}/v2/health/live").status_code == 200
        load.stop()  # as a load balancer would have it
        assert (service.process.wait(20), load.failed, load.wrong) == (0, [], [])
        assert 1.4 < time.monotonic() - begin < 10
        assert [line["event"] for line in log_of(service)][-2:] == ["draining", "ended"]


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def test_a_killed_server_is_back_within_seconds_and_never_answers_wrongly(tmp_path, transfer_bundle):
    model = Model.open(transfer_bundle)
    with served(tmp_path, transfer_bundle) as service, Load(service.url, model) as load:
        until(lambda: len(load.answered) > 20)
        worker = max(psutil.Process(service.process.pid).children(recursive=True), key=lambda p: p.memory_info().rss)
        killed = time.monotonic()
        os.kill(worker.pid, signal.SIGKILL)
        until(lambda: any(when > killed + 0.2 for when, _ in load.answered))
        back = min(when for when, _ in load.answered if when > killed + 0.2) - killed
        time.sleep(0.3)
        load.stop()
        supervisor = psutil.Process(service.process.pid)
        orphans = supervisor.children(recursive=True)
        supervisor.kill()  # and with it what it looked after
        assert psutil.wait_procs(orphans, timeout=20)[1] == []
        service.process.wait(10)
    assert load.wrong == []
    assert back < 10  # 1.5 to 3 s on an idle machine; `lineshape bench serve` measures it
    assert len(load.failed) <= len(load.threads)  # only what was in flight
    assert all(abs(when - killed) < back for when, _ in load.failed)


def test_ten_swaps_under_load_fail_no_request(tmp_path, transfer_bundle):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for version in ("1.0.0", "1.1.0"):
        resealed(transfer_bundle, shelf / f"{version}.lineshape", version=version)
    model = Model.open(shelf / "1.0.0.lineshape")
    name = model.manifest.name
    with served(tmp_path, shelf) as service, Load(service.url, model) as load:
        until(lambda: len(load.answered) > 20)
        for k in range(10):
            before = len(load.answered)
            body = {"parameters": {"version": ("1.0.0", "1.1.0")[k % 2]}}
            assert httpx.post(
                f"http://{service.url}/v2/repository/models/{name}/load", json=body, timeout=60
            ).is_success
            until(lambda before=before: len(load.answered) > before + 10)
        loads = [line for line in log_of(service) if line["event"] == "loaded"]
        assert [line["version"] for line in loads] == ["1.0.0", "1.1.0"] * 5
        assert loads[0]["left"] == ["1.1.0"]
    assert (load.failed, load.wrong) == ([], [])
    assert {version for _, version in load.answered} == {"1.0.0", "1.1.0"}


def test_a_bento_serves_what_the_bundles_hold(tmp_path, transfer_bundle):
    model, name = Model.open(transfer_bundle), "spectra"
    environment = surroundings(tmp_path) | {"BENTOML_HOME": str(tmp_path / "bentos"), "BENTOML_DO_NOT_TRACK": "true"}
    command = shutil.which("lineshape", path=os.path.dirname(sys.executable))
    built = subprocess.run([command, "bentoml", "build", str(transfer_bundle), "--name", name], cwd=tmp_path,
                           env=environment, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert built.returncode == 0, built.stderr
    tag, port = built.stdout.strip(), free_port()
    process = subprocess.Popen([sys.executable, "-m", "bentoml", "serve", tag, "--port", str(port), "--host",
                                "127.0.0.1"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
            inputs, expected = model.bundle.golden("model")[0]
            result = client.infer(model.manifest.name, inputs_of(inputs))
            found = {output: result.as_numpy(output) for output in expected}
            check_close("model", model.manifest.allowed("model"), expected, found, "from a bento")
            assert client.get_model_metadata(model.manifest.name)["parameters"]["digest"] == model.digest
    finally:
        process.terminate()
        process.wait(30)


def answers(url):
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_without_keys_nobody_from_the_network_is_answered(tmp_path, transfer_bundle):
    """Also where BentoML itself was told to listen everywhere."""
    own = [address.address for addresses in psutil.net_if_addrs().values() for address in addresses
           if address.family.name == "AF_INET" and not address.address.startswith("127.")]  # fmt: skip
    if not own:
        pytest.skip("needs a machine with an address besides 127.0.0.1")
    port = free_port()
    environment = surroundings(tmp_path) | {
        "LINESHAPE_SERVE": json.dumps({"bundles": [str(transfer_bundle)]}), "BENTOML_HOME": str(tmp_path / "bentoml"),
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "bentoml", "serve", "lineshape_serving.service:LineshapeService",
                                "--host", "0.0.0.0", "--port", str(port)], cwd=tmp_path, env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/v2/health/ready"))
        refused = httpx.get(f"http://{own[0]}:{port}/v2")
        assert (refused.status_code, "no keys" in refused.json()["error"]) == (403, True)
    finally:
        process.terminate()
        process.wait(30)


def test_spans_reach_a_collector(tmp_path, transfer_bundle):
    """A real OTLP/HTTP collector of a few lines: it takes protobuf and keeps it."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                body = gzip.decompress(body)
            asked = ExportTraceServiceRequest.FromString(body)
            spans.extend(span for each in asked.resource_spans for scope in each.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    collector = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    model = Model.open(transfer_bundle)
    told = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    trace = "0af7651916cd43dd8448eb211c80319c"
    inputs, port = model.bundle.golden("model")[0][0], free_port()
    with served(tmp_path, transfer_bundle, environment=told, options=("--grpc-port", port)) as service:
        for module, url, of in ((triton, service.url, trace), (triton_grpc, f"127.0.0.1:{port}", trace[::-1])):
            with module.InferenceServerClient(url) as client:
                client.infer(model.manifest.name, inputs_of(inputs, module),
                             headers={"traceparent": f"00-{of}-b7ad6b7169203331-01"})  # fmt: skip
        until(lambda: sum(span.name == "lineshape.infer" for span in spans) == 2)
        until(lambda: any(span.name.startswith("POST") for span in spans))
    collector.shutdown()
    collector.server_close()
    found = {span.name: span for span in spans if span.trace_id.hex() == trace}
    whole = found["lineshape.infer"]
    assert {attribute.key: attribute.value.string_value for attribute in whole.attributes}[
        "lineshape.digest"
    ] == model.digest
    for stage in ("queue", "compute"):
        part = found[f"lineshape.{stage}"]
        assert part.parent_span_id == whole.span_id
        assert whole.start_time_unix_nano <= part.start_time_unix_nano <= part.end_time_unix_nano
    (above,) = [span for span in spans if span.span_id == whole.parent_span_id]
    assert above.name.startswith("POST ")  # BentoML's, of the request
    (over_grpc,) = [span for span in spans if span.trace_id.hex() == trace[::-1] and span.name == "lineshape.infer"]
    assert over_grpc.parent_span_id.hex() == "b7ad6b7169203331"
