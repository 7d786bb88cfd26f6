"""A bundle is what was sealed, to the last byte, or it is refused by name before anything in it is parsed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import FILES, GRAPH, MANIFEST, npz

from lineshape.bundle import (
    check_close,
    check_inputs,
    open_bundle,
    seal,
    unpack,
    verdict_of,
)  # fmt: skip
from lineshape.bundle.archive import pack
from lineshape.bundle.contract import decode, encode
from lineshape.bundle.signature import check_envelope
from lineshape.errors import (
    BundleError,
    ParityError,
    TamperedBundle,
    TensorError,
    UnsupportedBundle,
    UntrustedBundle,
    UsageError,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    seal(MANIFEST, FILES, tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    seal(MANIFEST, FILES, tmp_path / "tiny.lineshape")
    return tmp_path / "tiny.lineshape"


def test_what_was_sealed_is_read_back(folder: Path, archive: Path) -> None:
    for bundle in (open_bundle(folder), open_bundle(archive)):
        assert {name: bundle.read(name) for name in FILES} == FILES
        assert bundle.manifest.graphs == MANIFEST.graphs
        (inputs, outputs), *_ = bundle.golden("model")
        assert (inputs["source"].shape, outputs["spectrum"].shape) == ((1, 4), (1, 3))
    assert open_bundle(folder).digest == open_bundle(archive).digest


def test_a_library_that_is_named_must_be_listed(tmp_path: Path) -> None:
    named = msgspec.structs.replace(MANIFEST, library="library.npz")
    with pytest.raises(UnsupportedBundle, match=r"names library\.npz but does not list it"):
        seal(named, FILES, tmp_path / "tiny")
    seal(named, FILES | {"library.npz": b"not parsed here"}, tmp_path / "tiny")
    assert open_bundle(tmp_path / "tiny").read("library.npz") == b"not parsed here"


def test_the_root_can_be_checked_with_sha256sum(folder: Path) -> None:
    digest, name = (folder / "bundle.sha256").read_text().split()
    assert (digest, name) == (open_bundle(folder).digest, "bundle.json")


def test_a_zip_unpacks_to_the_same_bundle(archive: Path, tmp_path: Path) -> None:
    unpack(archive, tmp_path / "out")
    assert open_bundle(tmp_path / "out").digest == open_bundle(archive).digest


def test_every_byte_of_every_file_counts(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for at in range(0, len(content), max(1, len(content) // 64)):
            path.write_bytes(content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1 :])
            with pytest.raises(TamperedBundle, match=r"bundle\.json" if path.name == "bundle.sha256" else path.name):
                open_bundle(folder)
        path.write_bytes(content)
    open_bundle(folder)


def test_every_byte_of_the_zip_counts(archive: Path) -> None:
    content = archive.read_bytes()
    for at in range(0, len(content), 7):
        archive.write_bytes(content[:at] + bytes([content[at] ^ 0x01]) + content[at + 1 :])
        with pytest.raises(BundleError):
            open_bundle(archive)
    archive.write_bytes(content + b"\0")
    with pytest.raises(BundleError):
        open_bundle(archive)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.binary(max_size=300))
def test_random_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "random.lineshape").write_bytes(content)
    with pytest.raises(BundleError):
        open_bundle(tmp_path / "random.lineshape")


def plant(folder: Path) -> None:
    (folder / "extra.txt").write_text("planted")


def remove(folder: Path) -> None:
    (folder / "README.md").unlink()


def link(folder: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/hostname")


def nest(folder: Path) -> None:
    (folder / "sub").mkdir()


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize(
    ("harm", "named"), [(plant, "extra.txt"), (remove, "README.md"), (link, "README.md"), (nest, "sub"), (pipe, "pipe")]
)
def test_a_changed_folder_is_refused_by_name(folder: Path, harm: Callable[[Path], None], named: str) -> None:
    harm(folder)
    with pytest.raises(TamperedBundle, match=named):
        open_bundle(folder)


def test_a_path_planted_in_the_manifest_is_refused_even_with_a_matching_root(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    listing = json.loads((folder / "bundle.json").read_bytes())
    listing["files"]["../outside"] = listing["files"].pop("README.md")
    content = json.dumps(listing).encode()
    (folder / "bundle.json").write_bytes(content)
    (folder / "bundle.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  bundle.json\n")
    with pytest.raises(UnsupportedBundle, match="files"):
        open_bundle(folder)


def test_a_file_exchanged_after_opening_is_not_returned(folder: Path) -> None:
    bundle = open_bundle(folder)
    (folder / "model.onnx").write_bytes(b"NOT parsed here")
    with pytest.raises(TamperedBundle, match=r"model\.onnx"):
        bundle.read("model.onnx")


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "tiny\n"), ("name", "Tiny"), ("name", "../tiny"), ("name", "a" * 65), ("name", ""),
     ("version", "1.2.3\n"), ("version", "1.2"), ("version", "01.2.3"),
     ("version", "1.2.3-beta"), ("version", "١.2.3")],
)  # fmt: skip
def test_a_name_or_version_that_is_none_is_never_sealed(tmp_path: Path, field: str, value: str) -> None:
    """They become file names, tags and parts of addresses."""
    with pytest.raises(UnsupportedBundle, match=rf"\$\.{field}"):
        seal(msgspec.structs.replace(MANIFEST, **{field: value}), FILES, tmp_path / "tiny")
    assert not (tmp_path / "tiny").exists()


NO_JSON = [b'{"%s": "\xff"}', b'{"%s": ' + b"[" * 10**5, b'{"%s"', b"\0", b"null"]


@pytest.mark.parametrize("content", NO_JSON, ids=["no UTF-8", "endless", "cut short", "NUL", "null"])
def test_what_is_no_json_is_refused_wherever_it_stands(tmp_path: Path, content: bytes) -> None:
    manifest, provenance, signature = (content.replace(b"%s", key) for key in (b"name", b"despite", b"payloadType"))
    with pytest.raises(UnsupportedBundle, match=r"bundle\.json"):
        decode(manifest)
    seal(MANIFEST, FILES | {"provenance.json": provenance}, tmp_path / "tiny")
    bundle = open_bundle(tmp_path / "tiny")
    with pytest.raises(UnsupportedBundle, match=r"provenance\.json"):
        verdict_of(bundle)
    with pytest.raises(UntrustedBundle, match=r"signature\.json"):
        check_envelope(bundle.manifest, bundle.digest, signature)


def test_a_manifest_of_another_schema_is_refused_by_field() -> None:
    content = encode(MANIFEST).replace(b'"schema": 1', b'"schema": 2')
    with pytest.raises(UnsupportedBundle, match="schema"):
        decode(content)
    with pytest.raises(UnsupportedBundle, match="does not list"):
        decode(encode(MANIFEST))


@pytest.mark.parametrize(
    "content",
    [b"", b"not an npz", npz(), npz(**{"model.0.source": np.ones((1, 4))}), npz(**{"model.x": np.ones(2)})],
    ids=["empty", "no npz", "no case", "half a case", "odd names"],
)
def test_a_self_test_that_tests_nothing_is_refused(tmp_path: Path, content: bytes) -> None:
    seal(MANIFEST, {**FILES, "golden.npz": content}, tmp_path / "tiny")
    with pytest.raises(UnsupportedBundle, match=r"golden\.npz"):
        open_bundle(tmp_path / "tiny").golden("model")


def test_an_output_without_a_tolerance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedBundle, match="no tolerance for output 'spectrum'"):
        seal(msgspec.structs.replace(MANIFEST, tolerances={}), FILES, tmp_path / "tiny")


def test_sealing_is_all_or_nothing_and_never_overwrites_a_folder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="already there"):
        seal(MANIFEST, FILES, folder)
    with pytest.raises(UnsupportedBundle):
        seal(MANIFEST, {"README.md": b""}, tmp_path / "incomplete")
    assert {p.name for p in tmp_path.iterdir()} == {"tiny"}


def test_the_same_files_are_the_same_zip() -> None:
    assert pack(FILES) == pack(dict(reversed(FILES.items())))


def feed(**changes: np.ndarray) -> dict[str, np.ndarray]:
    return {"source": np.ones((2, 4), np.float32), "mask": np.ones((2, 4), np.float32)} | changes


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (feed(extra=np.ones((2, 1), np.float32)), "'extra'.*no such input"),
        ({"source": np.ones((2, 4), np.float32)}, "'mask': missing"),
        (feed(source=np.ones((2, 4))), r"'source': dtype float64, expected float32 \(FP32\)"),
        (feed(source=np.ones((2, 5), np.float32)), r"'source': shape \[2, 5\], expected \[n, 4\]"),
        (feed(source=np.ones(4, np.float32)), r"'source': shape \[4\]"),
        (feed(mask=np.ones((3, 4), np.float32)), "disagree on the batch size: source 2, mask 3"),
        ({k: np.ones((9, 4), np.float32) for k in feed()}, "1 to 8 rows; got 9"),
        ({k: np.ones((0, 4), np.float32) for k in feed()}, "1 to 8 rows; got 0"),
        (feed(source=np.array([[1, 1, 1, 1], [1, 1, np.nan, 1]], np.float32)), r"'source': element \[1, 2\] is nan"),
        (feed(source=np.full((2, 4), 1e10, np.float32)), r"'source': element \[0, 0\].*between -1e\+09 and 1e\+09"),
        (feed(mask=np.full((2, 4), 0.5, np.float32)), r"'mask': element \[0, 0\] is 0.5"),
        (feed(mask=np.array([[0, 1, 1, 0], [0, 0, 0, 0]], np.float32)), "'mask': row 1 says that nothing was measured"),
    ],
)
def test_a_wrong_tensor_is_refused_by_element(inputs: dict[str, np.ndarray], why: str) -> None:
    with pytest.raises(TensorError, match=why):
        check_inputs(GRAPH, MANIFEST.limits, 0, inputs)
    assert check_inputs(GRAPH, MANIFEST.limits, 0, feed()) == 2


def test_a_deviation_is_named_with_its_size_and_place() -> None:
    expected = {"spectrum": np.zeros((2, 3), np.float32)}
    close = {"spectrum": np.full((2, 3), 5e-4, np.float32)}
    check_close("model", MANIFEST.tolerances, expected, close, "here")
    for wrong in (0.25, np.nan):
        far = {"spectrum": close["spectrum"].copy()}
        far["spectrum"][1, 2] = wrong
        with pytest.raises(ParityError, match=rf"'spectrum' of form 'model' here: deviates by {wrong:.3g} at \[1, 2\]"):
            check_close("model", MANIFEST.tolerances, expected, far, "here")
