"""Where a server may take bundles from: what it was started with, and nothing that a request names.

A word is a `.lineshape` file or a bundle's folder, a folder of bundles, or the NAME or NAME@VERSION of installed ones.
A folder and a NAME offer every version that they hold, also those that came after the start: the newest is loaded, and
the others are there to go back to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineshape.bundle import Bundle, Identity, open_bundle
from lineshape.bundle.identity import named
from lineshape.bundle.store import Store
from lineshape.errors import LineshapeError, UnknownModel, UnsupportedBundle, UsageError
from lineshape_serving.registry import order


@dataclass(frozen=True)
class Offer:
    """A bundle that may be loaded.

    Parameters
    ----------
    word : str
        What `open_bundle` takes.
    name, version, digest : str
    forms : tuple of str
        Its names on the wire.
    """

    word: str
    name: str
    version: str
    digest: str
    forms: tuple[str, ...]

    @classmethod
    def of(cls, word: str, bundle: Bundle) -> Offer:
        """What a verified bundle offers."""
        manifest = bundle.manifest
        return cls(word, manifest.name, manifest.version, bundle.digest, tuple(manifest.wire_names))


class Sources:
    """The words that a server was started with.

    Parameters
    ----------
    words : sequence of str
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._offers: dict[str, list[Offer]] = {}  # by word
        self.refused: list[LineshapeError] = []

    @property
    def offers(self) -> list[Offer]:
        """All that there was at the last look."""
        return list({offer.word: offer for found in self._offers.values() for offer in found}.values())

    def look(self) -> None:
        """Look again; every bundle is verified, and one that is refused does not hide the others."""
        self._offers, self.refused = {}, []
        for given in dict.fromkeys(self._words):
            self._offers[given] = []
            for word in _entries(given):
                try:
                    _refuse_empty(word)
                    self._offers[given].append(Offer.of(word, open_bundle(word)))
                except LineshapeError as error:
                    self.refused.append(error)

    def first(self) -> list[Offer]:
        """What to load at the start: each bundle that was named, and of a folder or a NAME the newest of each name.

        Raises
        ------
        LineshapeError
            If a bundle was refused.
        """
        self.look()
        for error in self.refused:
            raise error
        first = [offer for found in self._offers.values() for offer in _newest(found)]
        for offer in first:
            _refuse_twins([one for one in self.offers if (one.name, one.version) == (offer.name, offer.version)])
        return first

    def choose(self, name: str, version: str | None = None, digest: str | None = None) -> Offer:
        """The bundle of a name on the wire: the newest unless a version or a digest says otherwise.

        Raises
        ------
        UnknownModel
            If there is none; the message names what there is.
        BundleError
            If a bundle was refused, so that nobody can tell which is the newest.
        UsageError
            If two bundles are the same version of it.
        """
        every = [offer for offer in self.offers if name in offer.forms]
        fitting = [offer for offer in every if version in (None, offer.version) and digest in (None, offer.digest)]
        if self.refused and not (version or digest):
            raise self.refused[0]
        if not fitting:
            raise UnknownModel(f"no such bundle for {name!r} where this server looks; {self._there(every)}")
        best = max(fitting, key=lambda offer: order(offer.version))
        _refuse_twins([offer for offer in fitting if offer.version == best.version])
        return best

    def _there(self, every: Sequence[Offer]) -> str:
        offered = ", ".join(f"{offer.version} ({offer.digest})" for offer in every)
        refused = "".join(f"; refused: {reason}" for reason in self.refused)
        return f"there is {offered or 'none'}{refused}"


def _refuse_empty(word: str) -> None:
    path = Path(word)
    if path.is_dir() and not any(path.iterdir()):
        raise UnsupportedBundle(f"{word}: an empty folder; put bundles (NAME-VERSION.lineshape) into it")


def _refuse_twins(offers: Sequence[Offer]) -> None:
    """Two bundles of one name and version: which one would be a matter of their files' names."""
    if len({offer.digest for offer in offers}) > 1:
        one, other = offers[:2]
        raise UsageError(f"{one.word} and {other.word} are both {one.name} {one.version}, with other digests; take one "
                         "away, or export it under a new version")  # fmt: skip


def _entries(word: str) -> Iterator[str]:
    """The bundles behind a word."""
    if (identity := named(word)) is not None:
        yield from _installed(identity) or [word]
        return
    path = Path(word)
    if path.is_dir() and not (path / "bundle.json").exists():
        yield from map(str, sorted(path.glob("*.lineshape"))) if any(path.glob("*.lineshape")) else [word]
    else:
        yield word


def _installed(asked: Identity) -> list[str]:
    return [f"{bundle.name}@{bundle.version}" for bundle in Store().bundles()
            if bundle.name == asked.name and asked.version in (None, bundle.version)]  # fmt: skip


def _newest(offers: Iterable[Offer]) -> list[Offer]:
    """The highest version of each name, in the order in which the names came."""
    best: dict[str, Offer] = {}
    for offer in offers:
        if offer.name not in best or order(offer.version) > order(best[offer.name].version):
            best[offer.name] = offer
    return list(best.values())
