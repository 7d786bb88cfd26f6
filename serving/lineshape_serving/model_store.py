"""Bundles in BentoML's model store: sealed on the way in, while they are there, and on the way out.

An entry NAME:VERSION holds the bundle as its one file, byte for byte as Lineshape writes it, beside BentoML's own
`model.yaml`. That file, and the labels in it, are for people and their tools: nothing is read from them here. What was
changed in the store is refused by name, as in any bundle.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bentoml.models
from bentoml.exceptions import NotFound

from lineshape.bundle import Bundle, Identity, check_verdict, copy_bundle, open_bundle
from lineshape.errors import LineshapeError, TamperedBundle, UnknownModel, UnsupportedBundle, UsageError

FILE = "bundle.lineshape"


def import_bundle(bundle: Bundle) -> bool:
    """Put a bundle into BentoML's model store, as NAME:VERSION.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    bool
        False if it was there.

    Raises
    ------
    FailedValidation
        If its model failed validation, and nobody answers for that.
    UsageError
        If another bundle or another signature has the tag, or BentoML refuses.
    """
    check_verdict(bundle)
    manifest = bundle.manifest
    tag = f"{manifest.name}:{manifest.version}"
    if (entry := _entry(tag)) is not None:
        _check_same(tag, _opened(entry), bundle)
        return False
    labels = {"task": manifest.task, "family": manifest.family}
    with _told(), bentoml.models.create(tag, labels=labels, metadata={"digest": bundle.digest}) as new:
        copy_bundle(bundle, Path(new.path) / FILE)
    return True


def export_bundle(tag: str) -> Bundle:
    """The bundle of an entry.

    Parameters
    ----------
    tag : str
        NAME:VERSION; NAME alone is what BentoML calls the latest, the one that came last.

    Raises
    ------
    UnknownModel
        If there is no such entry.
    BundleError
        If the entry is no bundle, was changed, or is one that an import would refuse.
    """
    if Identity.read(tag.replace(":", "@")) is None or "@" in tag:
        raise UsageError(f"{tag}: write NAME or NAME:VERSION, as `bentoml models list` does")
    entry = _entry(tag)
    if entry is None:
        raise UnknownModel(f"{tag}: not in BentoML's model store; `bentoml models list` names what is")
    bundle = _opened(entry)
    check_verdict(bundle)
    return bundle


def _entry(tag: str) -> Path | None:
    """The folder of an entry; None if there is none."""
    with _told():
        try:
            found = Path(bentoml.models.get(tag).path)
        except NotFound:
            return None
    # BentoML also answers 1.2 with 1.2.3, where that is the only one
    return found if tag in (found.parent.name, _tag(found)) else None


def _tag(entry: Path) -> str:
    return f"{entry.parent.name}:{entry.name}"


def _opened(entry: Path) -> Bundle:
    if not (entry / FILE).is_file():
        raise UnsupportedBundle(f"{_tag(entry)}: holds no {FILE}; it is no bundle")
    bundle = open_bundle(entry / FILE)
    found = f"{bundle.manifest.name}:{bundle.manifest.version}"
    if found != _tag(entry):
        raise TamperedBundle(f"{entry / FILE}: of {found}; the store was changed")
    return bundle


def _check_same(tag: str, there: Bundle, bundle: Bundle) -> None:
    other = "digest" if there.digest != bundle.digest else "signature"
    if there.everything() != bundle.everything():
        raise UsageError(f"{tag} is in BentoML's model store with another {other}, and entries do not change; "
                         f"`bentoml models delete {tag}` first, or export under a new version")  # fmt: skip


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong in BentoML, in our words: a damaged `model.yaml` makes it raise errors of any kind."""
    try:
        yield
    except (LineshapeError, NotFound):
        raise
    except Exception as error:
        told = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"BentoML's model store: {told}") from error
