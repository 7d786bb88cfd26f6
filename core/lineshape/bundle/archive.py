"""Where a bundle's bytes lie: a folder, the same folder as one zip, or the store of this machine.

A zip is accepted only byte for byte as `pack` writes it (stored, sorted, without dates). That leaves no room for
traversal, links, bombs, duplicate names or hidden bytes, and makes one bundle one file with one digest.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from lineshape.bundle.contract import MANIFEST, Manifest
from lineshape.bundle.identity import Identity
from lineshape.errors import TamperedBundle, UnsupportedBundle

_END = struct.Struct("<4s4H2LH")  # the record that ends a zip
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # which no Windows has as a file
LARGEST = 2**31  # bytes of a whole bundle: models of spectra are megabytes
DIRECTORY = 2**20  # bytes of a zip's list of members: a bundle has a dozen


class Archive(Protocol):
    """Named bytes, none of them trusted."""

    def names(self) -> list[str]:
        """Every file there is."""

    def read(self, name: str) -> bytes:
        """The bytes of one of them."""


class Folder:
    """A bundle as a folder of plain files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[str]:
        """Every entry; anything but a plain file with a plain name is refused.

        Raises
        ------
        TamperedBundle
            For a link, a folder or an odd name inside the bundle.
        """
        for entry in self.path.iterdir():
            if not stat.S_ISREG(entry.lstat().st_mode):
                raise TamperedBundle(f"{entry.name}: a bundle holds plain files only, no links and no folders")
            _check_name(entry.name)
        return sorted(entry.name for entry in self.path.iterdir())

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise TamperedBundle(f"{name}: cannot be read from the bundle: {error.strerror}") from None


class Zip:
    """A bundle as one zip."""

    def __init__(self, content: bytes) -> None:
        _check_end(content)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as file:
                self._files = dict(_stored(file, len(content)))
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            EOFError,
            ValueError,
            OverflowError,
            RuntimeError,
            OSError,
        ) as error:
            raise TamperedBundle(f"the bundle's zip is damaged: {error}") from None
        self._whole = content

    def names(self) -> list[str]:
        """Every member."""
        return sorted(self._files)

    def read(self, name: str) -> bytes:
        """The bytes of one member."""
        return self._files[name]

    def check_canonical(self) -> None:
        """Refuse a zip that holds a byte more or less than its files.

        Raises
        ------
        TamperedBundle
            If packing the members again does not give the same bytes.
        """
        if pack(self._files) != self._whole:
            raise TamperedBundle("the bundle's zip was changed outside its files, or written by another program; "
                                 "unpack it and open the folder instead")  # fmt: skip


class Copy:
    """A bundle's files in memory."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    def names(self) -> list[str]:
        """Every file there is."""
        return sorted(self.files)

    def read(self, name: str) -> bytes:
        """The bytes of one of them."""
        return self.files[name]


class Stored:
    """An installed bundle as an archive.

    Parameters
    ----------
    identity : Identity
    files : mapping of file name to sha256
    blobs : Path
    """

    def __init__(self, identity: Identity, files: Mapping[str, str], blobs: Path) -> None:
        self._identity, self._files, self._blobs = identity, files, blobs

    def names(self) -> list[str]:
        """Every file there is."""
        return sorted(self._files)

    def read(self, name: str) -> bytes:
        """The bytes of one of them, held against the reference.

        Raises
        ------
        TamperedBundle
            If the blob is missing or another.
        """
        digest = self._files[name]
        try:
            content = (self._blobs / digest).read_bytes()
        except OSError as error:
            raise TamperedBundle(f"{name}: cannot be read from the store (blob {digest[:12]}...: {error.strerror}); "
                                 "install the bundle again") from None  # fmt: skip
        if hashlib.sha256(content).hexdigest() != digest:
            raise TamperedBundle(f"{name}: changed in the store (blob {digest[:12]}...); install the bundle again")
        return content

    def check_identity(self, manifest: Manifest) -> None:
        """Refuse a bundle under another's name.

        Raises
        ------
        TamperedBundle
            If the reference has one name and the manifest another.
        """
        if (manifest.name, manifest.version) != self._identity:
            raise TamperedBundle(
                f"{MANIFEST}: of {manifest.name}@{manifest.version}; the store's reference was changed"
            )


def open_archive(path: Path) -> Folder | Zip:
    """The folder or zip at `path`.

    Raises
    ------
    UnsupportedBundle
        If nothing is there, or it is too large to be a bundle.
    """
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise UnsupportedBundle(f"{path}: no bundle there (neither a folder nor a file)")
    if path.stat().st_size > LARGEST:
        raise UnsupportedBundle(f"{path}: larger than {LARGEST >> 30} GiB is no bundle")
    try:
        return Zip(path.read_bytes())
    except OSError as error:
        raise UnsupportedBundle(f"{path}: cannot be read: {error.strerror}") from None


def pack(files: Mapping[str, bytes]) -> bytes:
    """The one zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o644 << 16
            file.writestr(info, files[name])
    return out.getvalue()


def _check_end(content: bytes) -> None:
    """Refuse what would make a reader search for the list of members, or hold a long one, before that is read."""
    end, before = content[-_END.size :], content[-_END.size - 20 : -_END.size]
    told = _END.unpack(end) if len(end) == _END.size else (b"",)
    if told[0] != b"PK\5\6" or told[-1] or told[5] > DIRECTORY or before.startswith(b"PK\6\7"):
        raise TamperedBundle("damaged, or no bundle: it does not end as a bundle's zip does")


def _stored(file: zipfile.ZipFile, limit: int) -> list[tuple[str, bytes]]:
    members = file.infolist()
    for member in members:
        _check_name(member.filename)
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise TamperedBundle(f"{member.filename}: members of a bundle are stored, not compressed")
    if len({member.filename.lower() for member in members}) < len(members):
        raise TamperedBundle("the bundle's zip holds a name twice")
    if sum(member.file_size for member in members) > limit:
        raise TamperedBundle("the bundle's zip is smaller than its files: they overlap, or lie about their sizes")
    return [(member.filename, _content(file, member)) for member in members]


def _content(file: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        return file.read(member)
    except (zipfile.BadZipFile, EOFError) as error:
        raise TamperedBundle(f"{member.filename}: damaged: {error}") from None


def _check_name(name: str) -> None:
    if not PLAIN_NAME.fullmatch(name) or DEVICE.fullmatch(name) or name.endswith("."):
        raise TamperedBundle(f"{name!r}: not a plain file name; a bundle has no folders and nothing outside itself")
