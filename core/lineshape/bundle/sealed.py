"""Open a bundle, and write one.

Nothing is parsed before it is hashed. `bundle.sha256` holds the digest of `bundle.json` (the root), `bundle.json` the
digest of every other file; a file changed, missing, planted or outside the folder is refused by name. What is read
later is hashed again, so that the bytes that run are the bytes that were verified. Where `LINESHAPE_TRUST` names public
keys, a bundle that none of them has signed is refused as well.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from numpy.typing import NDArray

from lineshape.bundle.archive import Archive, Copy, Stored, Zip, open_archive, pack
from lineshape.bundle.contract import FULL, GOLDEN, MANIFEST, ROOT, FileSpec, Form, Manifest, decode, encode
from lineshape.bundle.identity import named
from lineshape.bundle.signature import (
    SIGNATURE,
    TRUST,
    check_envelope,
    check_installed,
    check_signature,
    signed,
    trusted_keys,
)
from lineshape.bundle.store import Store
from lineshape.errors import BundleError, ReadError, TamperedBundle, UnsupportedBundle, UsageError
from lineshape.files import write_atomically
from lineshape.npz import read_npz

Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file has been hashed."""

    manifest: Manifest
    digest: str  # sha256 of bundle.json: the bundle's identity
    archive: Archive

    def read(self, name: str) -> bytes:
        """The bytes of a listed file, hashed as they are returned.

        Raises
        ------
        TamperedBundle
            If the file no longer is what `bundle.json` lists.
        """
        content = self.archive.read(name)
        _check(name, content, self.manifest.files[name])
        return content

    def everything(self) -> dict[str, bytes]:
        """Every file, the root and a signature among them: a copy that is verified as a whole.

        Raises
        ------
        BundleError
            If the bundle no longer is what was opened.
        """
        copy = Copy({name: self.archive.read(name) for name in self.archive.names()})
        if _verified(copy, trusted_keys()).digest != self.digest:
            raise TamperedBundle(f"{MANIFEST}: changed while the bundle was read")
        return copy.files

    @property
    def signature(self) -> bytes | None:
        """`signature.json`, if the bundle was signed."""
        return self.archive.read(SIGNATURE) if SIGNATURE in self.archive.names() else None

    @property
    def signed_by(self) -> str:
        """Who has signed it, in words."""
        trusted = trusted_keys()
        if self.signature is None:
            return "not signed"
        if trusted is None:
            return f"signed, and {TRUST} names no key to check that with"
        return f"signed by {check_signature(self.manifest, self.digest, self.signature, trusted)}"

    def golden(self, form: Form) -> list[tuple[Arrays, Arrays]]:
        """The recorded (inputs, outputs) of a form of the model.

        Raises
        ------
        UnsupportedBundle
            If there are none, or one lacks a tensor: a self-test that tests nothing is none.
        """
        graph, recorded = self.manifest.graphs[form], self._recorded()
        form = FULL.get(form, form)
        cases = sorted({key.split(".")[1] for key in recorded if key.startswith(f"{form}.")})
        names = [f"{form}.{case}.{spec.name}" for case in cases for spec in (*graph.inputs, *graph.outputs)]
        if not cases or not recorded.keys() >= set(names):
            raise UnsupportedBundle(f"{GOLDEN}: holds no complete case for form {form!r} of {self.manifest.name}")
        return [
            (
                {spec.name: recorded[f"{form}.{case}.{spec.name}"] for spec in graph.inputs},
                {spec.name: recorded[f"{form}.{case}.{spec.name}"] for spec in graph.outputs},
            )
            for case in cases
        ]

    def _recorded(self) -> Arrays:
        try:
            return read_npz(self.read(GOLDEN), GOLDEN)
        except ReadError as error:
            raise UnsupportedBundle(str(error)) from None


def open_bundle(path: Path | str) -> Bundle:
    """Verify a bundle and open it.

    Parameters
    ----------
    path : Path
        A folder, or a `.lineshape` file; or NAME or NAME@VERSION of a bundle in the local `Store`.

    Raises
    ------
    TamperedBundle
        If anything is not as it was sealed; the message names the file.
    UnsupportedBundle
        If there is no bundle, or one of another schema.
    UntrustedBundle
        If only some keys are trusted (`LINESHAPE_TRUST`), and none of them has signed it.
    """
    try:
        installed = named(path)
        archive = Store().archive(installed) if installed else open_archive(Path(path))
        return _verified(archive, trusted_keys())
    except BundleError as error:
        raise type(error)(f"{path}: {str(error).removeprefix(f'{Path(path)}: ')}") from None


def _verified(archive: Archive, trusted: Mapping[str, bytes] | None = None) -> Bundle:
    names = set(archive.names())
    for needed in (ROOT, MANIFEST):
        if needed not in names:
            raise TamperedBundle(f"{needed}: missing; this is no bundle")
    manifest_bytes = archive.read(MANIFEST)
    digest = _check_root(archive.read(ROOT), manifest_bytes)
    if isinstance(archive, Zip):
        archive.check_canonical()
    bundle = Bundle(decode(manifest_bytes), digest, archive)
    _check_listing(names - {ROOT, MANIFEST, SIGNATURE}, bundle.manifest)
    for name in bundle.manifest.files:
        bundle.read(name)
    if isinstance(archive, Stored):
        archive.check_identity(bundle.manifest)
    _check_signed(bundle, trusted)
    return bundle


def _check_signed(bundle: Bundle, trusted: Mapping[str, bytes] | None) -> None:
    """By a trusted key, where some are; else only that a signature is one of this bundle."""
    envelope = bundle.signature
    if trusted is not None:
        check_installed()
        check_signature(bundle.manifest, bundle.digest, envelope, trusted)
    elif envelope is not None:
        check_envelope(bundle.manifest, bundle.digest, envelope)


def seal(manifest: Manifest, files: Mapping[str, bytes], out: Path | str, key: bytes | None = None) -> str:
    """Write a bundle in one step: all of it, or nothing.

    Parameters
    ----------
    manifest : Manifest
        Its `files` are filled in here.
    files : mapping of file name to bytes
        Everything but `bundle.json` and `bundle.sha256`.
    out : Path
        A new or existing ``*.lineshape`` file, or a new folder.
    key : bytes, optional
        A private key to sign it with, see `sign`.

    Returns
    -------
    str
        The bundle's digest.
    """
    listed = {name: FileSpec(len(content), _sha256(content)) for name, content in sorted(files.items())}
    manifest_bytes = encode(msgspec.structs.replace(manifest, files=listed))
    digest = _sha256(manifest_bytes)
    decode(manifest_bytes)  # never write what no face would read
    everything = {**files, MANIFEST: manifest_bytes, ROOT: f"{digest}  {MANIFEST}\n".encode()}
    if key is not None:
        everything[SIGNATURE] = signed(decode(manifest_bytes), digest, key)
    out = Path(out)
    if out.suffix == ".lineshape":
        write_atomically(out, pack(everything))
    else:
        _write_folder(out, everything)
    return digest


def sign(path: Path, key: bytes) -> None:
    """Put a signature into a bundle, in the place of one that is there.

    Parameters
    ----------
    path : Path
        Of the bundle, which is verified first.
    key : bytes
        A private key on the curve P-256, PEM.

    Raises
    ------
    UsageError
        If this is no such key, or the path is the name of an installed bundle.
    """
    check_installed()
    if named(path):
        raise UsageError(f"{path}: no file or folder there; to sign what is installed, sign the file that it came from "
                         "and install that again")  # fmt: skip
    bundle = _verified(open_archive(path))
    envelope = signed(bundle.manifest, bundle.digest, key)
    if isinstance(bundle.archive, Zip):
        files = {name: bundle.archive.read(name) for name in bundle.archive.names()}
        write_atomically(path, pack({**files, SIGNATURE: envelope}))
    else:
        write_atomically(path / SIGNATURE, envelope)


def unpack(path: Path | str, folder: Path) -> None:
    """Lay a bundle out as a folder; it is verified first."""
    _write_folder(folder, open_bundle(path).everything())


def copy_bundle(bundle: Bundle, out: Path) -> None:
    """Write a bundle elsewhere, signature and all; it is verified once more on the way.

    Parameters
    ----------
    bundle : Bundle
    out : Path
        A new ``*.lineshape`` file, or a new folder.

    Raises
    ------
    UsageError
        If something is there.
    """
    if out.suffix != ".lineshape":
        _write_folder(out, bundle.everything())
    elif out.exists():
        raise UsageError(f"{out}: already there; a bundle is never replaced")
    else:
        write_atomically(out, pack(bundle.everything()))


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    if folder.exists():
        raise UsageError(f"{folder}: already there; a bundle is never written into an existing folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    growing = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        for name, content in files.items():
            write_atomically(growing / name, content)
        growing.chmod(0o755)
        growing.rename(folder)
    except BaseException:
        shutil.rmtree(growing, ignore_errors=True)
        raise


def _check_root(root: bytes, manifest_bytes: bytes) -> str:
    digest = _sha256(manifest_bytes)
    if not re.fullmatch(rb"[0-9a-f]{64}  bundle\.json\n", root):
        raise TamperedBundle(f"{ROOT}: changed since the bundle was sealed: not one digest of {MANIFEST}")
    if root[:64].decode() != digest:
        raise TamperedBundle(f"{MANIFEST}: changed since the bundle was sealed (or {ROOT} was): the digests differ")
    return digest


def _check_listing(found: set[str], manifest: Manifest) -> None:
    if missing := manifest.files.keys() - found:
        raise TamperedBundle(f"{min(missing)}: listed in {MANIFEST}, but missing")
    if planted := found - manifest.files.keys():
        raise TamperedBundle(f"{min(planted)}: not listed in {MANIFEST}; a bundle holds only what was sealed")


def _check(name: str, content: bytes, spec: FileSpec) -> None:
    if len(content) != spec.bytes or _sha256(content) != spec.sha256:
        raise TamperedBundle(f"{name}: changed since the bundle was sealed: not the {spec.bytes} bytes with sha256 "
                             f"{spec.sha256[:12]}...")  # fmt: skip


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
