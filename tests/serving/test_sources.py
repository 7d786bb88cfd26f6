"""Where a server takes bundles from."""

from __future__ import annotations

import shutil

import pytest
from resealed import resealed

from lineshape.bundle import open_bundle
from lineshape.bundle.store import Store
from lineshape.errors import BundleError, TamperedBundle, UsageError
from lineshape_serving.sources import Sources


@pytest.fixture(scope="module")
def shelf(tmp_path_factory, sample_bundle):
    """Two names, one of them in two versions whose order as words is not that of their numbers."""
    folder = tmp_path_factory.mktemp("shelf")
    for name, version in (("a", "0.9.0"), ("a", "0.10.0"), ("b", "1.0.0")):
        resealed(sample_bundle, folder / f"{name}-{version}.lineshape", name=name, version=version)
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LINESHAPE_STORE", str(tmp_path / "store"))
    return Store()


def told(offers):
    return [(offer.name, offer.version) for offer in offers]


def test_a_folder_begins_with_the_newest_of_each_name_and_offers_all(shelf):
    sources = Sources([str(shelf)])
    assert told(sources.first()) == [("a", "0.10.0"), ("b", "1.0.0")]
    assert sorted(told(sources.offers)) == [("a", "0.10.0"), ("a", "0.9.0"), ("b", "1.0.0")]


def test_a_file_is_that_bundle(shelf):
    assert told(Sources([str(shelf / "a-0.9.0.lineshape")]).first()) == [("a", "0.9.0")]


def test_a_name_begins_with_the_newest_installed_and_a_version_is_that_one(shelf, store):
    for path in sorted(shelf.glob("a-*")):
        store.install(open_bundle(path))
    assert told(Sources(["a"]).first()) == [("a", "0.10.0")]
    assert told(Sources(["a"]).offers) == []  # nobody has looked yet
    assert told(Sources(["a@0.9.0"]).first()) == [("a", "0.9.0")]
    sources = Sources(["a"])
    sources.look()
    assert sources.choose("a-noise", version="0.9.0").word == "a@0.9.0"


def test_a_folder_that_is_a_bundle_stays_one_whatever_is_planted_in_it(tmp_path, sample_bundle):
    resealed(sample_bundle, tmp_path / "folder", name="a", version="1.0.0")
    (tmp_path / "folder" / "planted.lineshape").write_bytes(sample_bundle.read_bytes())
    with pytest.raises(TamperedBundle, match="planted"):
        Sources([str(tmp_path / "folder")]).first()


@pytest.mark.parametrize("word", ["empty", "nothing.lineshape", "not-installed"])
def test_a_word_behind_which_there_is_no_bundle_is_refused(tmp_path, store, word):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError):
        Sources([word if word == "not-installed" else str(tmp_path / word)]).first()


def test_the_same_word_twice_is_one_bundle(shelf):
    path = str(shelf / "b-1.0.0.lineshape")
    assert told(Sources([path, path]).first()) == [("b", "1.0.0")]


def test_while_a_bundle_is_refused_nobody_knows_which_is_the_newest(tmp_path, shelf):
    for path in shelf.iterdir():
        shutil.copy(path, tmp_path)
    broken = bytearray((shelf / "a-0.10.0.lineshape").read_bytes())
    broken[len(broken) // 2] ^= 1
    (tmp_path / "a-0.10.0.lineshape").write_bytes(broken)
    sources = Sources([str(tmp_path)])
    sources.look()
    with pytest.raises(TamperedBundle, match=r"a-0\.10\.0\.lineshape"):
        sources.choose("a")
    assert sources.choose("a", version="0.9.0").version == "0.9.0"
    with pytest.raises(TamperedBundle):
        sources.first()


def test_twins_of_one_name_and_version_are_refused_unless_a_digest_tells_them_apart(tmp_path, shelf, told_bundles):
    for name in ("x", "y"):
        resealed(told_bundles["sample"] if name == "x" else shelf / "a-0.9.0.lineshape", tmp_path / f"{name}.lineshape",
                 name="a", version="1.0.0")  # fmt: skip
    sources = Sources([str(tmp_path)])
    with pytest.raises(UsageError, match=r"are both a 1\.0\.0"):
        sources.first()
    with pytest.raises(UsageError, match=r"are both a 1\.0\.0"):
        sources.choose("a")
    digest = open_bundle(tmp_path / "y.lineshape").digest
    assert sources.choose("a", digest=digest).digest == digest
