"""Bundles kept on this machine, as a user keeps them: with words, and found by name by every verb."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from terminal import lineshape

from lineshape.bundle import open_bundle, seal, unpack
from lineshape.bundle.signature import new_key
from lineshape.readers import read_spectra


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store, and a working folder without bundles."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("LINESHAPE_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def identity(sample_bundle: Path) -> str:
    done = lineshape("bundle", "install", sample_bundle)
    assert done.returncode == 0, done.stderr
    bundle = open_bundle(sample_bundle)
    identity = f"{bundle.manifest.name}@{bundle.manifest.version}"
    assert done.stdout == f"{identity}: installed, sha256 {bundle.digest}\n"
    return identity


def test_every_verb_takes_an_installed_bundle_by_its_name(identity: str, sample_bundle: Path, tmp_path: Path) -> None:
    for word in (identity, identity.split("@")[0]):
        shown = lineshape("bundle", "show", word, "--json")
        assert json.loads(shown.stdout)["digest"] == open_bundle(sample_bundle).digest
        verified = lineshape("bundle", "verify", word)
        assert verified.stdout.startswith(f"{word}: "), verified.stderr
        done = lineshape("sample", word, "-n", "2", "--seed", "7", "-o", tmp_path / "named.csv")
        assert done.returncode == 0, done.stderr
    lineshape("sample", sample_bundle, "-n", "2", "--seed", "7", "-o", tmp_path / "sent.csv")
    assert (tmp_path / "named.csv").read_bytes() == (tmp_path / "sent.csv").read_bytes()
    assert len(read_spectra(tmp_path / "named.csv")) == 2


def test_what_is_installed_is_listed(identity: str, sample_bundle: Path, transfer_bundle: Path) -> None:
    assert "was installed already" in lineshape("bundle", "install", sample_bundle, transfer_bundle).stdout
    listed = lineshape("bundle", "list").stdout.splitlines()
    assert [line.split("@")[0] for line in listed] == ["raman-to-ir", identity.split("@")[0]]
    found = {one["name"]: one for one in json.loads(lineshape("bundle", "list", "--json").stdout)}
    digests = [open_bundle(path).digest for path in (transfer_bundle, sample_bundle)]
    assert [found[name]["digest"] for name in sorted(found)] == digests
    for line, digest in zip(listed, digests, strict=True):
        assert line.endswith(f"MB, not signed, sha256 {digest}")


def test_what_is_removed_is_gone_and_gc_frees_its_space(identity: str, store: Path) -> None:
    (line,) = json.loads(lineshape("bundle", "list", "--json").stdout)
    assert lineshape("bundle", "remove", identity).stdout == f"{identity}: removed\n"
    refused = lineshape("bundle", "show", identity)
    assert (refused.returncode, "none of that name is installed; `lineshape bundle list`" in refused.stderr) == (
        3,
        True,
    )
    assert lineshape("bundle", "remove", identity).returncode == 2
    assert f"{line['bytes']:,} bytes freed" in lineshape("bundle", "gc").stdout
    assert lineshape("bundle", "gc").stdout == "0 files deleted, 0 bytes freed\n"
    assert not list((store / "blobs").iterdir())
    assert lineshape("bundle", "list").stdout == f"none installed in {store}\n"


def test_another_bundle_under_an_installed_version_is_refused(
    identity: str, sample_bundle: Path, tmp_path: Path
) -> None:
    bundle = open_bundle(sample_bundle)
    other = msgspec.structs.replace(
        bundle.manifest, limits=msgspec.structs.replace(bundle.manifest.limits, max_batch=7)
    )
    seal(other, {name: bundle.read(name) for name in bundle.manifest.files}, tmp_path / "other.lineshape")
    done = lineshape("bundle", "install", tmp_path / "other.lineshape")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert f"{identity} is installed with another digest" in done.stderr


def test_a_changed_blob_is_refused_by_the_name_of_the_file(identity: str, store: Path, sample_bundle: Path) -> None:
    files = json.loads((store / "bundles" / f"{identity}.json").read_bytes())
    blob = store / "blobs" / files["model.onnx"]
    blob.write_bytes(blob.read_bytes()[:-1] + b"\0\0")
    for words in (["bundle", "verify", identity], ["sample", identity, "-o", "out.csv"]):
        done = lineshape(*words)
        assert (done.returncode, f"{identity}: model.onnx: changed in the store" in done.stderr) == (3, True)
    assert lineshape("bundle", "install", sample_bundle).returncode == 0
    assert lineshape("bundle", "verify", identity).returncode == 0


def test_trust_holds_for_what_is_installed(
    identity: str, sample_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, public = new_key()
    (tmp_path / "lab.key.pem").write_bytes(secret)
    (tmp_path / "lab.pem").write_bytes(public)
    done = lineshape("bundle", "sign", identity, "--key", tmp_path / "lab.key.pem")
    assert (done.returncode, "sign the file that it came from" in done.stderr) == (2, True)
    monkeypatch.setenv("LINESHAPE_TRUST", str(tmp_path / "lab.pem"))
    for words in (["install", sample_bundle], ["show", identity]):
        refused = lineshape("bundle", *words)
        assert (refused.returncode, "signature.json: missing" in refused.stderr) == (3, True)
    monkeypatch.delenv("LINESHAPE_TRUST")
    unpack(sample_bundle, tmp_path / "signed")
    assert lineshape("bundle", "sign", tmp_path / "signed", "--key", tmp_path / "lab.key.pem").returncode == 0
    monkeypatch.setenv("LINESHAPE_TRUST", str(tmp_path / "lab.pem"))
    assert lineshape("bundle", "install", tmp_path / "signed").returncode == 0
    assert "signed by lab.pem" in lineshape("bundle", "verify", identity).stdout


def test_a_word_that_is_no_name_is_said_so() -> None:
    for word in ("Raman", "raman-vae@1", "./raman-vae", "raman-vae.lineshape"):
        done = lineshape("bundle", "remove", word)
        assert (done.returncode, "none installed of that name, which is NAME or NAME@VERSION" in done.stderr) == (
            2,
            True,
        )
    done = lineshape("bundle", "show", "./raman-vae")  # a path, and nothing else
    assert (done.returncode, done.stderr) == (
        3, "lineshape: ./raman-vae: no bundle there (neither a folder nor a file)\n"
    )  # fmt: skip
