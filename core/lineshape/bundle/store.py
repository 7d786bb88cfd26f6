"""The bundles installed on this machine: each file once, under its sha256.

    LINESHAPE_STORE
    ├── blobs/SHA256                  a file of one bundle or more
    ├── bundles/NAME@VERSION.json     a reference: the names of a bundle's files, each with its sha256
    └── lock                          held by whoever writes

A bundle is there when its reference is, and that is written last and in one step: a crash leaves the old state or the
new one, and at worst blobs that nobody names, which `Store.gc` removes. Nothing in the store is believed: an installed
bundle is hashed and checked whenever it is opened, as one that was sent.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from lineshape.bundle.archive import Stored
from lineshape.bundle.contract import MANIFEST, UNREADABLE, FileName, Sha256
from lineshape.bundle.identity import Identity
from lineshape.bundle.signature import SIGNATURE
from lineshape.errors import TamperedBundle, UnsupportedBundle, UsageError
from lineshape.files import write_atomically
from lineshape.lock import locked

if TYPE_CHECKING:
    from lineshape.bundle.sealed import Bundle

STORE = "LINESHAPE_STORE"
LIST = "`lineshape bundle list` names those that are"
Reference: TypeAlias = dict[FileName, Sha256]
_BLOB, _UNFINISHED = re.compile(r"[0-9a-f]{64}"), re.compile(r"\..+\.part")


class Installed(msgspec.Struct, frozen=True):
    """A line of the store's list."""

    name: str
    version: str
    digest: str
    bytes: int
    signed: bool


def store_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where the store lies: `LINESHAPE_STORE`, or else `lineshape` in the folder for a user's data.

    Raises
    ------
    UsageError
        If the user has no home.
    """
    if given := environment.get(STORE):
        return Path(given)
    data, usual = ("LOCALAPPDATA", "AppData/Local") if platform == "win32" else ("XDG_DATA_HOME", ".local/share")
    if Path(environment.get(data, "")).is_absolute():  # as the XDG specification asks
        return Path(environment[data]) / "lineshape"
    try:
        return Path.home() / usual / "lineshape"
    except RuntimeError:
        raise UsageError(f"no home folder to look for installed bundles in; set {STORE} to a folder") from None


class Store:
    """The bundles installed in a folder, by default in the user's own.

    Parameters
    ----------
    folder : Path, optional
        See `store_folder`; made by the first bundle that is installed.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or store_folder()
        self._blobs, self._references = self.folder / "blobs", self.folder / "bundles"

    def bundles(self) -> list[Installed]:
        """Every installed bundle, by name and version.

        Raises
        ------
        TamperedBundle
            If a reference cannot be read.
        """
        return [self._described(identity) for identity in self._identities()]

    def archive(self, asked: Identity) -> Stored:
        """The files of an installed bundle; of the highest version, where none is asked for.

        Raises
        ------
        UnsupportedBundle
            If it is not installed.
        """
        identity = self._matching(asked)[-1]
        return Stored(identity, self._read(identity), self._blobs)

    def install(self, bundle: Bundle) -> bool:
        """Take in a bundle, all of it or nothing.

        Its signature, or another one, replaces that of an installed bundle of the same digest; a copy without a
        signature takes none away. A blob that was changed is written again.

        Returns
        -------
        bool
            False if all of it was there.

        Raises
        ------
        UsageError
            If another bundle of this name and version is installed, or the file system refuses.
        """
        manifest, files = bundle.manifest, bundle.everything()
        identity = Identity.read(f"{manifest.name}@{manifest.version}")
        if identity is None:
            raise UnsupportedBundle(
                f"{MANIFEST}: {manifest.name!r}, {manifest.version!r}: no name and version to install"
            )
        with self._alone():
            there = self._read(identity) if identity in self._identities() else {}
            if there and there[MANIFEST] != bundle.digest:
                raise UsageError(
                    f"{identity} is installed with another digest ({there[MANIFEST][:12]}..., this one has "
                    f"{bundle.digest[:12]}...); remove it first, or export under a new version"
                )
            return self._write(identity, there, files)

    def remove(self, asked: Identity) -> str:
        """Forget a bundle; its blobs stay until `gc`.

        Returns
        -------
        str
            NAME@VERSION of it.

        Raises
        ------
        UsageError
            If it is not installed, or several versions are and none is named.
        """
        with self._alone():
            try:
                found = self._matching(asked)
            except UnsupportedBundle as error:
                raise UsageError(f"{asked}: {error}") from None
            if len(found) > 1:
                raise UsageError(f"{asked}: several versions are installed ({', '.join(map(str, found))}); name one")
            self._path(found[0]).unlink()
            return str(found[0])

    def gc(self) -> tuple[int, int]:
        """Delete blobs that no reference names, and what crashes have left.

        Returns
        -------
        files, bytes : int
            That were deleted.

        Raises
        ------
        TamperedBundle
            If a reference cannot be read: what it names is not known.
        """
        if not self.folder.is_dir():
            return 0, 0
        with self._alone():
            kept = {digest for identity in self._identities() for digest in self._read(identity).values()}
            rubbish = [path for path in _entries(self._blobs) if _BLOB.fullmatch(path.name) and path.name not in kept]
            rubbish += [path for folder in (self._blobs, self._references) for path in _entries(folder)
                        if _UNFINISHED.fullmatch(path.name)]  # fmt: skip
            sizes = [path.stat().st_size for path in rubbish]
            for path in rubbish:
                path.unlink()
            return len(rubbish), sum(sizes)

    def _write(self, identity: Identity, there: Reference, files: Mapping[str, bytes]) -> bool:
        wanted = {name: _sha256(content) for name, content in files.items()}
        if SIGNATURE in there and self._intact(there[SIGNATURE]):
            wanted.setdefault(SIGNATURE, there[SIGNATURE])
        missing = {wanted[name]: content for name, content in files.items() if not self._intact(wanted[name])}
        for digest, content in missing.items():
            write_atomically(self._blobs / digest, content)
        if wanted == there:
            return bool(missing)
        _settle(self._blobs)
        write_atomically(self._path(identity), msgspec.json.encode(wanted, order="sorted"))
        _settle(self._references)
        return True

    def _intact(self, digest: str) -> bool:
        try:
            return _sha256((self._blobs / digest).read_bytes()) == digest
        except OSError:
            return False

    def _identities(self) -> list[Identity]:
        """All that have a reference, in their order."""
        found = (Identity.read(path.stem) for path in _entries(self._references) if path.suffix == ".json")
        return sorted((one for one in found if one and one.version), key=lambda one: one.order)

    def _matching(self, asked: Identity) -> list[Identity]:
        every = [identity for identity in self._identities() if identity.name == asked.name]
        found = [identity for identity in every if asked.version in (None, identity.version)]
        if not every:
            raise UnsupportedBundle(f"no bundle there, and none of that name is installed; {LIST}")
        if not found:
            raise UnsupportedBundle(
                f"no bundle there, and that version is not installed; {', '.join(map(str, every))} is"
            )
        return found

    def _described(self, identity: Identity) -> Installed:
        files = self._read(identity)
        sizes = 0
        for digest in files.values():
            with suppress(OSError):  # a missing blob is for `open_bundle` to name
                sizes += (self._blobs / digest).stat().st_size
        return Installed(identity.name, identity.version or "", files[MANIFEST], sizes, SIGNATURE in files)

    def _path(self, identity: Identity) -> Path:
        return self._references / f"{identity}.json"

    def _read(self, identity: Identity) -> Reference:
        path = self._path(identity)
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Reference)
        except OSError as error:
            raise TamperedBundle(f"{path}: cannot be read: {error.strerror}") from None
        except UNREADABLE:
            found = {}
        if MANIFEST not in found:
            raise TamperedBundle(f"{path}: damaged; `lineshape bundle remove {identity}`, then install it again")
        return found

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with locked(self.folder / "lock"):
            try:
                yield
            except OSError as error:
                raise UsageError(
                    f"{error.filename or self.folder}: {error.strerror or error}; check the store"
                ) from None


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _settle(folder: Path) -> None:
    """Force renames to disk, so that no reference gets there before its blobs; Windows has no such call."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
