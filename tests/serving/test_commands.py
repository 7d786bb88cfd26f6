"""What `lineshape serve` makes of its arguments before it serves."""

from __future__ import annotations

import os

import pytest
from certificates import self_signed
from services import lineshape

from lineshape.errors import UsageError
from lineshape_serving import commands
from lineshape_serving.access import add_key
from lineshape_serving.settings import Limits, Running, Settings


def test_the_settings_survive_the_environment():
    settings = Settings(
        ("a:b.lineshape", "c"), host="::1", grpc_port=1, keys="k", certificate="c", private_key="p", shared_memory=True,
        drain=1.5, access_log=True, running=Running(threads=2, cache=3, patience=0.5), limits=Limits(body=7),
    )  # fmt: skip
    assert Settings.from_environment(settings.to_environment()) == settings


@pytest.mark.parametrize("said", ["{}", "", "[]", '{"bundles": []}', '{"bundles": ["a"], "port": 1}', "\ud800"])
def test_an_environment_that_says_nothing_usable_is_refused_by_name(said):
    with pytest.raises(UsageError, match="LINESHAPE_SERVE"):
        Settings.from_environment({"LINESHAPE_SERVE": said})


def test_every_option_reaches_the_server(tmp_path, monkeypatch, transfer_bundle):
    """Up to the moment in which the process would become BentoML."""
    add_key(tmp_path / "keys.toml", "a", ["infer"], None)
    self_signed(tmp_path)
    became = {}
    monkeypatch.setattr(commands, "_become_bentoml", lambda port, settings: became.update(port=port, settings=settings))
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    commands.serve(
        [str(transfer_bundle)], "0.0.0.0", 3210, 3211, tmp_path / "keys.toml", tmp_path / "cert.pem",
        tmp_path / "key.pem", 2, "cpu", 3, 4, 5, 0.6, 7, 8, 9, True, 10.0, 11.0, True,
    )  # fmt: skip
    assert became == {"port": 3210, "settings": Settings.from_environment(os.environ)}
    assert became["settings"] == Settings(
        (str(transfer_bundle),), "0.0.0.0", 3211, str(tmp_path / "keys.toml"), str(tmp_path / "cert.pem"),
        str(tmp_path / "key.pem"), True, 10.0, 11.0, True, running=Running(2, "cpu", 3, 4, 5, 0.6, 7),
        limits=Limits(body=8, concurrency=9), choices=str(tmp_path / ".bentoml" / "3210" / "choices.json"),
    )  # fmt: skip


REFUSED = {
    "network without keys": (["--host", "0.0.0.0"], "give --keys FILE"),
    "host that is a name": (["--host", "localhost"], "give the IP address"),
    "half of TLS": (["--certificate", "x.pem"], "no such file"),
    "no such keys": (["--keys", "none.toml"], "--keys none.toml: no such file"),
    "one port for two": (["--port", "3999", "--grpc-port", "3999"], "--grpc-port 3999 is the port of HTTP"),
    "no such device": (["--device", "tpu"], "$.running.device"),
}


@pytest.mark.parametrize(("options", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_served_so_is_wrong_use(tmp_path, transfer_bundle, options, reason):
    done = lineshape(tmp_path, "serve", transfer_bundle, *options)
    assert (done.returncode, reason in done.stderr) == (2, True), done.stderr
    assert done.stderr.count("\n") == 1


def test_the_settings_are_documented_whole():
    """Every field of the structs stands in its docstring."""
    for struct in (Settings, Running, Limits):
        for name in struct.__struct_fields__:
            assert name in (struct.__doc__ or "") or name in ("running", "limits")


def test_a_certificate_without_its_key_is_refused_before_anything_listens(tmp_path, transfer_bundle):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        self_signed(tmp_path / name)
    options = ["--certificate", tmp_path / "one" / "cert.pem", "--private-key", tmp_path / "other" / "key.pem"]
    done = lineshape(tmp_path, "serve", transfer_bundle, *options)
    assert (done.returncode, "are no pair of PEM files of a certificate" in done.stderr, done.stderr.count("\n")) == (
        2,
        True,
        1,
    )
