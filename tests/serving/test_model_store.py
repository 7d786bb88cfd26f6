"""A bundle in BentoML's model store is the bundle that was sealed, or it is refused."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from terminal import lineshape
from tiny import FILES, MANIFEST

from lineshape.bundle import open_bundle, seal, sign
from lineshape.bundle.signature import TRUST, new_key
from lineshape.errors import FailedValidation, TamperedBundle, UnknownModel, UnsupportedBundle, UsageError

os.environ["BENTOML_DO_NOT_TRACK"] = "true"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of BentoML's own packages, at its import
    import bentoml
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml._internal.models import ModelStore

    from lineshape_serving.model_store import FILE, export_bundle, import_bundle


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty home of BentoML, which a process asks for BENTOML_HOME only once."""
    (tmp_path / "home" / "models").mkdir(parents=True)
    BentoMLContainer.model_store.set(ModelStore(tmp_path / "home" / "models"))
    yield tmp_path / "home"
    BentoMLContainer.model_store.reset()


@pytest.fixture(params=["tiny", "tiny.lineshape"])
def sent(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sealed bundle, as a folder and as one file."""
    return sealed(tmp_path / request.param)


def sealed(path: Path, version: str = "1.2.3", **files: bytes) -> Path:
    changed = {name.replace("_", "."): content for name, content in files.items()}
    seal(msgspec.structs.replace(MANIFEST, version=version), FILES | changed, path)
    return path


def entry(home: Path) -> Path:
    return home / "models" / "tiny" / "1.2.3"


def test_what_went_in_comes_out(sent: Path, home: Path, tmp_path: Path) -> None:
    assert import_bundle(open_bundle(sent))
    for tag in ("tiny", "tiny:1.2.3"):
        assert export_bundle(tag).everything() == open_bundle(sent).everything()
    done = lineshape("bentoml", "export", "tiny", "-o", tmp_path / "out.lineshape")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.lineshape").read_bytes() == (entry(home) / FILE).read_bytes()
    assert (tmp_path / "out.lineshape").read_bytes() == sealed(tmp_path / "again.lineshape").read_bytes()
    assert lineshape("bentoml", "export", "tiny", "-o", tmp_path / "folder").returncode == 0
    assert open_bundle(tmp_path / "folder").digest == open_bundle(sent).digest
    for out in ("out.lineshape", "folder"):
        refused = lineshape("bentoml", "export", "tiny", "-o", tmp_path / out)
        assert (refused.returncode, "already there" in refused.stderr) == (2, True)


def test_the_store_is_that_of_bentoml_home(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "lineshape", "bentoml", "import", str(sealed(tmp_path / "tiny"))]
    elsewhere = os.environ | {"BENTOML_HOME": str(tmp_path / "elsewhere")}
    done = subprocess.run(words, env=elsewhere, capture_output=True, text=True)
    assert done.stdout == f"tiny:1.2.3: imported, sha256 {open_bundle(tmp_path / 'tiny').digest}\n", done.stderr
    assert (entry(tmp_path / "elsewhere") / FILE).is_file()
    done = subprocess.run(words, env=elsewhere | {"BENTOML_HOME": f"{words[-1]}/README.md"}, capture_output=True)
    assert (done.returncode, done.stderr.startswith(b"lineshape: BentoML's model store: ")) == (2, True), done.stderr


def test_an_entry_is_one_that_bentomls_own_tools_read(sent: Path, home: Path) -> None:
    bundle = open_bundle(sent)
    import_bundle(bundle)
    (found,) = bentoml.models.list("tiny")
    assert str(found.tag) == "tiny:1.2.3"
    assert found.info.labels == {"task": "transfer", "family": "spectrogen"}
    assert found.info.metadata == {"digest": bundle.digest}
    assert {path.name for path in entry(home).iterdir()} == {"model.yaml", FILE}  # no pickle
    assert open_bundle(found.path_of(FILE)).digest == bundle.digest


def test_the_same_one_twice_changes_nothing_and_another_is_refused(sent: Path, home: Path, tmp_path: Path) -> None:
    import_bundle(open_bundle(sent))
    before = {path.name: path.read_bytes() for path in entry(home).iterdir()}
    assert not import_bundle(open_bundle(sent))
    other = open_bundle(sealed(tmp_path / "other", README_md=b"# other\n"))
    with pytest.raises(UsageError, match=r"tiny:1\.2\.3 is in BentoML's model store with another digest"):
        import_bundle(other)
    sign(sent, new_key()[0])
    with pytest.raises(UsageError, match="with another signature"):
        import_bundle(open_bundle(sent))
    assert {path.name: path.read_bytes() for path in entry(home).iterdir()} == before
    assert import_bundle(open_bundle(sealed(tmp_path / "next", "1.2.30")))


def test_only_the_version_that_is_asked_for_comes_out(tmp_path: Path) -> None:
    import_bundle(open_bundle(sealed(tmp_path / "sent", "1.2.30")))
    for tag in ("tiny:1.2.3", "other", "other:1.0.0"):  # BentoML itself would answer 1.2.3 with 1.2.30
        with pytest.raises(UnknownModel, match=f"^{tag}: not in BentoML's model store"):
            export_bundle(tag)
    for tag in ("tiny:latest", "tiny@1.2.30", "../tiny", "tiny:1.2", ""):
        with pytest.raises(UsageError, match="write NAME or NAME:VERSION"):
            export_bundle(tag)
    assert export_bundle("tiny").manifest.version == "1.2.30"


def test_every_changed_byte_in_the_store_is_refused(sent: Path, home: Path) -> None:
    import_bundle(open_bundle(sent))
    file = entry(home) / FILE
    content = file.read_bytes()
    for at in range(0, len(content), 97):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        for use in (lambda: export_bundle("tiny"), lambda: import_bundle(open_bundle(sent))):
            with pytest.raises((TamperedBundle, UnsupportedBundle), match=FILE):
                use()
    file.write_bytes(sealed(sent.with_name("other.lineshape"), "2.0.0").read_bytes())
    with pytest.raises(TamperedBundle, match=r"of tiny:2\.0\.0; the store was changed"):
        export_bundle("tiny:1.2.3")
    file.unlink()
    with pytest.raises(UnsupportedBundle, match=rf"tiny:1\.2\.3: holds no {FILE}"):
        export_bundle("tiny")


@pytest.mark.parametrize("content", [b"not: [yaml", b"text", b"name: tiny", b"", None])
def test_an_entry_that_bentoml_cannot_read_is_one_line(sent: Path, home: Path, content: bytes | None) -> None:
    import_bundle(open_bundle(sent))
    about = entry(home) / "model.yaml"
    about.write_bytes(content) if content is not None else about.unlink()
    for words in (["export", "tiny:1.2.3"], ["import", sent]):
        done = lineshape("bentoml", *words)
        assert (done.returncode, "BentoML's model store: " in done.stderr) == (2, True), done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_verdict_holds_on_the_way_in_and_out(tmp_path: Path, home: Path) -> None:
    failed = msgspec.json.encode({"validation": {"verdict": "fail", "reasons": ["memorised"]}})
    refused = open_bundle(sealed(tmp_path / "failed", provenance_json=failed))
    with pytest.raises(FailedValidation, match="memorised"):
        import_bundle(refused)
    assert not entry(home).exists()
    with bentoml.models.create("tiny:1.2.3") as new:
        sealed(Path(new.path) / FILE, provenance_json=failed)
    with pytest.raises(FailedValidation, match="memorised"):
        export_bundle("tiny")


def test_trust_holds_on_the_way_in_and_out(sent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, public = new_key()
    (tmp_path / "lab.pem").write_bytes(public)
    import_bundle(open_bundle(sent))
    monkeypatch.setenv(TRUST, str(tmp_path / "lab.pem"))
    for words in (["import", sent], ["export", "tiny"]):
        done = lineshape("bentoml", *words)
        assert (done.returncode, "signature.json: missing" in done.stderr) == (3, True)
    bentoml.models.delete("tiny:1.2.3")
    sign(sent, secret)
    assert lineshape("bentoml", "import", sent).returncode == 0
    assert export_bundle("tiny").signed_by == "signed by lab.pem"


def test_what_bentoml_refuses_is_said(tmp_path: Path) -> None:
    long = "a" * 64  # one more than BentoML allows
    seal(msgspec.structs.replace(MANIFEST, name=long), FILES, tmp_path / "long")
    with pytest.raises(UsageError, match=f"BentoML's model store: Invalid Tag {long}"):
        import_bundle(open_bundle(tmp_path / "long"))
