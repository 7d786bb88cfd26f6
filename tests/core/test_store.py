"""Installed bundles: all of one or none of it, each file once, and nothing believed because it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import FILES, MANIFEST

from lineshape.bundle import Identity, Store, open_bundle, seal, sign, unpack
from lineshape.bundle.signature import TRUST, new_key
from lineshape.bundle.store import STORE, store_folder
from lineshape.errors import TamperedBundle, UnsupportedBundle, UntrustedBundle, UsageError


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store, which is this machine's."""
    monkeypatch.setenv(STORE, str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return Store()


def sealed(path: Path, name: str = "tiny", version: str = "1.2.3", **files: bytes) -> Path:
    """A bundle; `files` by the first word of their names."""
    changed = {f"{stem}.md": content for stem, content in files.items()}
    seal(msgspec.structs.replace(MANIFEST, name=name, version=version), FILES | changed, path)
    return path


def installed(store: Store) -> list[str]:
    return [f"{one.name}@{one.version}" for one in store.bundles()]


def blobs(store: Store) -> set[str]:
    return {path.name for path in (store.folder / "blobs").iterdir()}


def contents(store: Store) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(store.folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("form", ["sent", "sent.lineshape"])
def test_an_installed_bundle_is_opened_by_its_name(store: Store, tmp_path: Path, form: str) -> None:
    sent = open_bundle(sealed(tmp_path / form))
    assert store.install(sent)
    for word in ("tiny", "tiny@1.2.3", Path("tiny")):
        bundle = open_bundle(word)
        assert (bundle.digest, bundle.manifest) == (sent.digest, sent.manifest)
        assert bundle.everything() == sent.everything()
    (line,) = store.bundles()
    assert (line.name, line.version, line.digest, line.signed) == ("tiny", "1.2.3", sent.digest, False)
    assert line.bytes == sum(len(content) for content in sent.everything().values())
    unpack("tiny", tmp_path / "unpacked")
    assert open_bundle(tmp_path / "unpacked").digest == sent.digest


def test_the_same_bundle_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    store.install(open_bundle(sealed(tmp_path / "sent")))
    before = contents(store)
    assert not store.install(open_bundle(sealed(tmp_path / "again.lineshape")))
    assert contents(store) == before


def test_files_that_bundles_share_are_kept_once(store: Store, tmp_path: Path) -> None:
    for name in ("tiny", "tiny-encode"):
        store.install(open_bundle(sealed(tmp_path / name, name)))
    # both bundles: FILES; each of them: bundle.json and bundle.sha256
    assert len(blobs(store)) == len(FILES) + 2 * 2


def test_a_version_is_never_replaced_by_another_bundle(store: Store, tmp_path: Path) -> None:
    store.install(open_bundle(sealed(tmp_path / "first")))
    before = contents(store)
    other = open_bundle(sealed(tmp_path / "other", README=b"# another\n"))
    with pytest.raises(
        UsageError, match=rf"tiny@1\.2\.3 is installed with another digest .*{other.digest[:12]}.*remove"
    ):
        store.install(other)
    assert contents(store) == before


numbers = st.tuples(*[st.integers(0, 10**6)] * 3)


@given(st.lists(numbers, min_size=1, max_size=12, unique=True))
def test_versions_are_ordered_as_numbers(triples: list[tuple[int, int, int]]) -> None:
    identities = [Identity("tiny", ".".join(map(str, triple))) for triple in triples]
    in_order = [identity.version for identity in sorted(identities, key=lambda one: one.order)]
    assert in_order == [".".join(map(str, triple)) for triple in sorted(triples)]


def test_a_name_alone_is_its_highest_version(store: Store, tmp_path: Path) -> None:
    for version in ("0.9.0", "0.10.0", "0.2.11"):
        store.install(open_bundle(sealed(tmp_path / version, version=version)))
    assert installed(store) == ["tiny@0.2.11", "tiny@0.9.0", "tiny@0.10.0"]
    assert open_bundle("tiny").manifest.version == "0.10.0"
    assert open_bundle("tiny@0.9.0").manifest.version == "0.9.0"


def test_what_is_a_path_is_never_looked_for_in_the_store(store: Store, tmp_path: Path) -> None:
    store.install(open_bundle(sealed(tmp_path / "sent")))
    for word in ("./tiny", "tiny.lineshape", "tiny/", str(tmp_path / "tiny"), "tiny@1.2", "tiny@latest", "Tiny"):
        with pytest.raises(UnsupportedBundle, match="no bundle there"):
            open_bundle(word)
    mine = sealed(tmp_path / "tiny", README=b"# mine\n")
    assert open_bundle("tiny").digest == open_bundle(mine).digest  # a folder of that name goes first
    (tmp_path / "tiny@1.2.3").write_bytes(b"no bundle")
    with pytest.raises(TamperedBundle, match="damaged"):
        open_bundle("tiny@1.2.3")


def test_what_is_not_there_is_said_with_both_places_in_mind(store: Store, tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedBundle, match=r"^tiny: no bundle there, and none of that name is installed; `lineshape bundle list`"
    ):
        open_bundle("tiny")
    store.install(open_bundle(sealed(tmp_path / "sent")))
    with pytest.raises(UnsupportedBundle, match=r"^tiny@2\.0\.0: .* that version is not installed; tiny@1\.2\.3 is"):
        open_bundle("tiny@2.0.0")
    with pytest.raises(UsageError, match=r"tiny@2\.0\.0: .*not installed"):
        store.remove(Identity("tiny", "2.0.0"))
    assert not (tmp_path / "store" / "bundles" / "tiny@2.0.0.json").exists()


def test_every_blob_counts_and_installing_again_repairs_it(store: Store, tmp_path: Path) -> None:
    sign(sealed(tmp_path / "sent"), new_key()[0])
    store.install(open_bundle(tmp_path / "sent"))
    for name, digest in reference(store).items():
        blob = store.folder / "blobs" / digest
        content = blob.read_bytes()
        for harm in (lambda b, c: b.write_bytes(c[:-1] + bytes([c[-1] ^ 1])), lambda b, _: b.unlink()):
            harm(blob, content)
            with pytest.raises(TamperedBundle, match=rf"^tiny: {name}: .*store.*install the bundle again"):
                open_bundle("tiny")
            assert store.install(open_bundle(tmp_path / "sent"))
            assert blob.read_bytes() == content


def reference(store: Store) -> dict[str, str]:
    return msgspec.json.decode((store.folder / "bundles" / "tiny@1.2.3.json").read_bytes())


def test_a_changed_reference_is_refused(store: Store, tmp_path: Path) -> None:
    store.install(open_bundle(sealed(tmp_path / "sent")))
    path, files = store.folder / "bundles" / "tiny@1.2.3.json", reference(store)
    (path.parent / "tiny@9.0.0.json").write_bytes(path.read_bytes())
    with pytest.raises(TamperedBundle, match=r"of tiny@1\.2\.3; the store's reference was changed"):
        open_bundle("tiny")
    store.remove(Identity("tiny", "9.0.0"))
    swapped = files | {"README.md": files["model.onnx"]}
    for content, why in (
        (msgspec.json.encode(swapped), r"README\.md: changed since the bundle was sealed"),
        (msgspec.json.encode({k: v for k, v in files.items() if k != "README.md"}), r"README\.md: listed .* missing"),
        (msgspec.json.encode(files | {"README.md": "../../secret"}), r"tiny@1\.2\.3\.json: damaged"),
        (msgspec.json.encode(files | {"../x": files["README.md"]}), r"tiny@1\.2\.3\.json: damaged"),
        (b"\0 no JSON", r"tiny@1\.2\.3\.json: damaged; `lineshape bundle remove tiny@1\.2\.3`"),
        (b'{"\xff": 1}', r"tiny@1\.2\.3\.json: damaged"),
        (b"{}", r"tiny@1\.2\.3\.json: damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(TamperedBundle, match=why):
            open_bundle("tiny")
    with pytest.raises(TamperedBundle, match="damaged"):  # what it names is not known, so nothing is deleted
        store.gc()
    assert store.remove(Identity("tiny")) == "tiny@1.2.3"
    assert store.install(open_bundle(tmp_path / "sent"))
    assert open_bundle("tiny")


def test_gc_deletes_what_nobody_names_and_says_how_much(store: Store, tmp_path: Path) -> None:
    assert store.gc() == (0, 0)
    assert not store.folder.exists()
    for name in ("tiny", "tiny-encode"):
        store.install(open_bundle(sealed(tmp_path / name, name)))
    (store.folder / "blobs" / ".0123.part").write_bytes(b"12345")
    (store.folder / "bundles" / ".x.json.ab.part").write_bytes(b"123")
    (store.folder / "blobs" / "notes.txt").write_bytes(b"a person's")
    assert store.gc() == (2, 8)
    sizes = {line.name: line.bytes for line in store.bundles()}
    shared = sum(len(content) for content in FILES.values())
    store.remove(Identity("tiny"))
    assert store.gc() == (2, sizes["tiny"] - shared)
    assert open_bundle("tiny-encode")
    store.remove(Identity("tiny-encode"))
    assert store.gc() == (len(FILES) + 2, sizes["tiny-encode"])
    assert blobs(store) == {"notes.txt"}


def test_of_several_versions_one_has_to_be_named(store: Store, tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        store.install(open_bundle(sealed(tmp_path / version, version=version)))
    with pytest.raises(UsageError, match=r"tiny: several versions are installed \(tiny@1\.0\.0, tiny@2\.0\.0\)"):
        store.remove(Identity("tiny"))
    store.remove(Identity("tiny", "2.0.0"))
    assert installed(store) == ["tiny@1.0.0"]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The private key of a laboratory whose public key is trusted."""
    secret, public = new_key()
    (tmp_path / "lab.pem").write_bytes(public)
    monkeypatch.setenv(TRUST, str(tmp_path / "lab.pem"))
    return secret


def test_trust_holds_for_installing_and_for_opening(
    store: Store, tmp_path: Path, lab: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TRUST)
    unsigned = open_bundle(sealed(tmp_path / "sent"))
    store.install(unsigned)
    monkeypatch.setenv(TRUST, str(tmp_path / "lab.pem"))
    for refused in (lambda: open_bundle("tiny"), lambda: store.install(unsigned)):
        with pytest.raises(UntrustedBundle, match=r"signature\.json: missing"):
            refused()
    sign(tmp_path / "sent", lab)
    assert store.install(open_bundle(tmp_path / "sent"))
    assert open_bundle("tiny").signed_by == "signed by lab.pem"
    assert store.bundles()[0].signed


def test_a_new_signature_replaces_the_old_one_and_a_copy_without_takes_none_away(
    store: Store, tmp_path: Path, lab: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TRUST)
    sign(sealed(tmp_path / "sent"), new_key()[0])
    store.install(open_bundle(tmp_path / "sent"))
    sign(tmp_path / "sent", lab)
    assert store.install(open_bundle(tmp_path / "sent"))
    assert not store.install(open_bundle(sealed(tmp_path / "bare")))
    monkeypatch.setenv(TRUST, str(tmp_path / "lab.pem"))
    assert open_bundle("tiny").signed_by == "signed by lab.pem"
    assert store.gc()[0] == 1  # the first signature


def test_what_is_installed_is_signed_where_it_came_from(store: Store, tmp_path: Path, lab: bytes) -> None:
    with pytest.raises(UsageError, match="sign the file that it came from and install that again"):
        sign(Path("tiny"), lab)


class PowerCut(BaseException):
    """Nothing of the process runs on."""


class Failing:
    """The file system, of which one call fails; `calls` counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, error: BaseException) -> None:
        self.calls, self.at, self.error = 0, at, error
        for owner, name in ((Path, "open"), (Path, "replace"), (Path, "mkdir"), (os, "fsync")):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, call: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object, **words: object) -> object:
            self.calls += 1
            if self.calls == self.at:
                raise self.error
            return call(*arguments, **words)

        return counted


def crash_points(monkeypatch: pytest.MonkeyPatch, error: BaseException, act: Callable[[], object]) -> Iterator[int]:
    """Do `act` again and again, with the first call to the file system failing, the second, ... until none does."""
    for at in range(1, 200):
        with monkeypatch.context() as patch:
            failing = Failing(patch, at, error)
            with suppress(PowerCut, UsageError, TamperedBundle):
                act()
            if failing.calls < at:
                return
        yield at
    raise AssertionError("never done")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PowerCut()], ids=["disk full", "power cut"])
def test_a_crash_anywhere_leaves_the_old_store_or_the_new_one(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    store.install(open_bundle(sealed(tmp_path / "old", version="1.0.0")))
    new = open_bundle(sealed(tmp_path / "new", version="2.0.0", README=b"# new\n"))
    crashes = 0
    for crashes in crash_points(monkeypatch, error, lambda: store.install(new)):
        assert installed(store) in (["tiny@1.0.0"], ["tiny@1.0.0", "tiny@2.0.0"])
        for word in installed(store):
            open_bundle(word)
        if crashes % 2:  # with and without what earlier crashes have left
            store.gc()
            for word in installed(store):
                open_bundle(word)
        if "tiny@2.0.0" in installed(store):
            store.remove(Identity("tiny", "2.0.0"))
    # bundle.json, bundle.sha256 and README.md are new: for each of them a folder, a file, fsync and rename; the
    # reference likewise
    assert crashes >= 4 * 4
    assert installed(store) == ["tiny@1.0.0", "tiny@2.0.0"]
    assert open_bundle("tiny").digest == new.digest
    store.gc()
    assert not [path for path in store.folder.rglob("*") if path.suffix == ".part"]
    assert open_bundle("tiny").digest == new.digest


INSTALLER = """
from pathlib import Path
from lineshape.bundle import Identity, Store, open_bundle
store, sent, rounds = Store(), open_bundle(Path("sent").absolute()), 0
while rounds < 60 or not Path("met").exists():
    store.install(sent)
    assert open_bundle("tiny").everything() == sent.everything()
    store.remove(Identity("tiny"))
    rounds += 1
Path("done").touch()
"""
COLLECTOR = """
from pathlib import Path
from lineshape.bundle import Store
store, met = Store(), 0
while not Path("done").exists():
    met += store.gc()[0] > 0
    if met == 10:
        Path("met").touch()
"""


def test_no_blob_is_lost_to_a_gc_at_the_same_time(store: Store, tmp_path: Path) -> None:
    """One process installs, opens and removes while another collects, until they met ten times."""
    sealed(tmp_path / "sent")
    with subprocess.Popen([sys.executable, "-c", COLLECTOR], cwd=tmp_path) as collector:
        try:
            done = subprocess.run(
                [sys.executable, "-c", INSTALLER], cwd=tmp_path, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stderr
            assert collector.wait(10) == 0
        finally:
            collector.kill()


def test_a_store_that_cannot_be_written_is_named(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = open_bundle(sealed(tmp_path / "sent"))
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv(STORE, str(tmp_path / "file"))
    with pytest.raises(UsageError, match=rf"{tmp_path / 'file'}: cannot be written to as a folder"):
        Store().install(sent)
    assert Store().bundles() == []


def test_the_store_lies_where_the_system_keeps_a_users_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / ".local" / "share" / "lineshape"
    assert store_folder({}, "linux") == home
    assert store_folder({STORE: "here", "XDG_DATA_HOME": "/data"}, "linux") == Path("here")
    assert store_folder({"XDG_DATA_HOME": "/data"}, "linux") == Path("/data/lineshape")
    assert store_folder({"XDG_DATA_HOME": "data"}, "linux") == home
    assert store_folder({"LOCALAPPDATA": "/local"}, "win32") == Path("/local/lineshape")
    assert store_folder({}, "win32") == tmp_path / "AppData" / "Local" / "lineshape"
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(UsageError, match="set LINESHAPE_STORE to a folder"):
        store_folder({}, "linux")
