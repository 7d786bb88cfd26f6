"""Where a server takes bundles from."""

from __future__ import annotations

import pytest
from resealed import resealed

from lineshape.bundle import open_bundle
from lineshape.bundle.store import Store
from lineshape.errors import BundleError, TamperedBundle
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
