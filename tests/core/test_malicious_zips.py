"""A zip is a bundle only byte for byte as it was sealed: any other is refused before a byte of it is parsed."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from malicious import attacks, good
from tiny import FILES, MANIFEST

from lineshape.bundle import open_bundle, sealed
from lineshape.bundle.archive import pack
from lineshape.errors import TamperedBundle


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a sealed bundle."""
    path = tmp_path_factory.mktemp("good") / "tiny.lineshape"
    sealed.seal(MANIFEST, FILES, path)
    return open_bundle(path).everything()


@pytest.fixture(scope="module")
def evil(files: dict[str, bytes]) -> dict[str, tuple[bytes, str]]:
    """Every attack: the zip, and words of its refusal."""
    return attacks(files)


def test_the_zip_that_the_attacks_start_from_is_a_good_one(files: dict[str, bytes]) -> None:
    assert good(files).bytes() == pack(files)


NAMES = list(attacks({**FILES, "bundle.json": b"{}", "bundle.sha256": b""}))


@pytest.mark.parametrize("name", NAMES)
def test_a_malicious_zip_is_refused_in_words_before_anything_is_parsed(
    name: str, evil: dict[str, tuple[bytes, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, why = evil[name]
    path = tmp_path / "evil.lineshape"
    path.write_bytes(content)
    monkeypatch.setattr(sealed, "decode", lambda _: pytest.fail("parsed"))
    with pytest.raises(TamperedBundle) as refused:
        open_bundle(path)
    assert why in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")
    assert str(refused.value).isprintable()
    assert [p.name for p in tmp_path.iterdir()] == ["evil.lineshape"]


def test_the_attacks_are_no_two_the_same(files: dict[str, bytes], evil: dict[str, tuple[bytes, str]]) -> None:
    contents = {content for content, _ in evil.values()}
    assert len(contents) == len(NAMES) > 20
    assert pack(files) not in contents


@pytest.mark.parametrize("name", NAMES)
def test_no_zip_takes_more_memory_than_a_few_times_its_size(
    name: str, evil: dict[str, tuple[bytes, str]], tmp_path: Path
) -> None:
    content, _ = evil[name]
    (tmp_path / "evil.lineshape").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(TamperedBundle):
            open_bundle(tmp_path / "evil.lineshape")
        # Reading buffers of zipfile (a few times 4 KiB for each member), and a copy or two of the content.
        assert tracemalloc.get_traced_memory()[1] < 4 * len(content) + 500_000
    finally:
        tracemalloc.stop()
