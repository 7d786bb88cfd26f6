"""Who answers for a bundle: `signature.json`, made with an EC P-256 key and verified offline.

Hashes prove that a bundle is what was sealed, a signature who says so. The file is a DSSE envelope over an in-toto
statement (v1) that names the root and every file with its digest. It is the one file that `bundle.json` does not list,
for it is made afterwards. Nothing in the statement is believed: a reader writes the statement of the bundle at hand
and asks whether a key it trusts has signed these very bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lineshape.bundle.contract import MANIFEST, UNREADABLE, Manifest
from lineshape.errors import MissingExtra, ReadError, UntrustedBundle, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

SIGNATURE = "signature.json"
TRUST = "LINESHAPE_TRUST"  # a public key, or a folder of them: then every face refuses what none of them has signed
PASSWORD = "LINESHAPE_KEY_PASSWORD"  # noqa: S105 - the variable's name; of an encrypted private key
PAYLOAD = "application/vnd.in-toto+json"
STATEMENT, PREDICATE = "https://in-toto.io/Statement/v1", "urn:lineshape:bundle"


class Signed(msgspec.Struct, frozen=True):
    """By whom, and the signature."""

    keyid: str
    sig: bytes


class Envelope(msgspec.Struct, frozen=True, rename="camel"):
    """DSSE: what was signed, and the signatures."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signed, ...]


def signed(manifest: Manifest, digest: str, key: bytes) -> bytes:
    """The content of `signature.json`.

    Parameters
    ----------
    manifest : Manifest
    digest : str
        Of the bundle.
    key : bytes
        A private key on the curve P-256, PEM; the password of an encrypted one stands in the environment.

    Raises
    ------
    UsageError
        If this is no such key.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    private, payload = _private(key), statement(manifest, digest)
    signature = Signed(keyid(private.public_key()), private.sign(_told(payload), ec.ECDSA(SHA256())))
    return msgspec.json.encode(Envelope(payload, PAYLOAD, (signature,)))


def check_signature(manifest: Manifest, digest: str, envelope: bytes | None, trusted: Mapping[str, bytes]) -> str:
    """The name of the trusted key that has signed this bundle.

    Parameters
    ----------
    manifest : Manifest
    digest : str
        Of the bundle.
    envelope : bytes, optional
        Its `signature.json`.
    trusted : mapping of name to bytes
        Public keys, PEM.

    Raises
    ------
    UntrustedBundle
        If there is no signature, none by a trusted key, or it is one of something else.
    """
    if envelope is None:
        raise UntrustedBundle(f"{SIGNATURE}: missing; only bundles signed by {_named(trusted)} are trusted here")
    found = check_envelope(manifest, digest, envelope)
    keys = {keyid(public): (name, public) for name, public in ((n, _public(k, n)) for n, k in trusted.items())}
    known = [(*keys[one.keyid], one.sig) for one in found.signatures if one.keyid in keys]
    if not known:
        signers = ", ".join(one.keyid[:12] for one in found.signatures) or "nobody"
        raise UntrustedBundle(f"{SIGNATURE}: signed by {signers}, and not by {_named(trusted)}, which is trusted here")
    for name, public, signature in known:
        if _holds(public, signature, found.payload):
            return name
    raise UntrustedBundle(f"{SIGNATURE}: changed since the bundle was signed")


def check_envelope(manifest: Manifest, digest: str, envelope: bytes) -> Envelope:
    """The envelope, byte for byte as `signed` writes it, around the statement of this bundle.

    Raises
    ------
    UntrustedBundle
        If it is one of something else.
    """
    try:
        found = msgspec.json.decode(envelope, type=Envelope)
    except UNREADABLE as error:
        raise UntrustedBundle(f"{SIGNATURE}: {error}") from None
    if found.payload_type != PAYLOAD or msgspec.json.encode(found) != envelope:
        raise UntrustedBundle(f"{SIGNATURE}: not as it was written when the bundle was signed")
    if found.payload != statement(manifest, digest):
        raise UntrustedBundle(f"{SIGNATURE}: not of this bundle, which was sealed anew after it was signed")
    return found


def statement(manifest: Manifest, digest: str) -> bytes:
    """The in-toto statement of a bundle: its root and its files, each with its sha256."""
    digests = {MANIFEST: digest, **{name: spec.sha256 for name, spec in sorted(manifest.files.items())}}
    subjects = [{"name": name, "digest": {"sha256": value}} for name, value in digests.items()]
    return msgspec.json.encode({"_type": STATEMENT, "subject": subjects, "predicateType": PREDICATE,
                                "predicate": {"name": manifest.name, "version": manifest.version}})  # fmt: skip


def trusted_keys(environment: Mapping[str, str] = os.environ) -> dict[str, bytes] | None:
    """The public keys that `LINESHAPE_TRUST` names, by file name; None where it is not set.

    Raises
    ------
    ReadError
        If there is no key: then nothing could be trusted, and that is hardly meant.
    """
    if not environment.get(TRUST):
        return None
    path = Path(environment[TRUST])
    files = sorted(path.glob("*.pem")) if path.is_dir() else [path]
    try:
        keys = {file.name: file.read_bytes() for file in files}
    except OSError as error:
        raise ReadError(f"{TRUST}: {path}: cannot be read: {error.strerror}") from None
    if not keys:
        raise ReadError(f"{TRUST}: {path}: holds no public key (*.pem)")
    return keys


def new_key() -> tuple[bytes, bytes]:
    """A private key on the curve P-256 and its public key, PEM."""
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    secret = private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    return secret, private.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo)


def keyid(public: EllipticCurvePublicKey) -> str:
    """sha256 of a public key as DER."""
    from cryptography.hazmat.primitives import serialization as pem

    return hashlib.sha256(public.public_bytes(pem.Encoding.DER, pem.PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def check_key(key: bytes) -> None:
    """Refuse what cannot sign, before anything is made that is to be signed.

    Raises
    ------
    UsageError
        If this is no private key on the curve P-256.
    """
    check_installed()
    _private(key)


def check_installed() -> None:
    """Say what signatures need, where it is missing."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise MissingExtra("signatures of bundles", "signing") from None


def _told(payload: bytes) -> bytes:
    """What is signed: DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def _holds(public: EllipticCurvePublicKey, signature: bytes, payload: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        public.verify(signature, _told(payload), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _private(key: bytes) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    password = os.environ.get(PASSWORD)
    try:
        found = load_pem_private_key(key, password.encode() if password else None)
    except (ValueError, TypeError):
        raise UsageError("the key cannot be read as a private key in PEM, which `lineshape bundle key NAME` writes to "
                         f"NAME.key.pem; the password of an encrypted one stands in {PASSWORD}") from None  # fmt: skip
    _check_curve(found, "the key")
    return found  # type: ignore[return-value]


def _public(key: bytes, name: str) -> EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        found = load_pem_public_key(key)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{name} cannot be read as a public key in PEM ({error})") from None
    _check_curve(found, name)
    return found  # type: ignore[return-value]


def _check_curve(key: Any, name: str) -> None:  # noqa: ANN401 - any kind that the library knows
    if getattr(getattr(key, "curve", None), "name", "") != "secp256r1":
        raise UsageError(f"{name} is no key on the curve P-256; `lineshape bundle key NAME` makes one")


def _named(trusted: Mapping[str, bytes]) -> str:
    return ", ".join(trusted)
