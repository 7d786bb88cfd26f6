"""A signature says who answers for a bundle, and holds for that bundle alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from tiny import FILES, MANIFEST

from lineshape.bundle import open_bundle, seal, sign, unpack
from lineshape.bundle.signature import PASSWORD, SIGNATURE, TRUST, new_key
from lineshape.errors import ReadError, TamperedBundle, UntrustedBundle, UsageError


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The private key of a laboratory whose public key is trusted."""
    secret, public = new_key()
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "lab.pem").write_bytes(public)
    monkeypatch.setenv(TRUST, str(tmp_path / "keys"))
    return secret


@pytest.fixture(params=["tiny", "tiny.lineshape"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A sealed bundle, as a folder and as one file."""
    seal(MANIFEST, FILES, tmp_path / request.param)
    return Path(tmp_path / request.param)


def test_what_a_trusted_key_has_signed_is_opened_and_its_identity_stays(path: Path, lab: bytes) -> None:
    with pytest.raises(UntrustedBundle, match=r"signature\.json: missing; only bundles signed by lab\.pem"):
        open_bundle(path)
    sign(path, lab)
    bundle = open_bundle(path)
    assert bundle.signed_by == "signed by lab.pem"
    assert {name: bundle.read(name) for name in FILES} == FILES
    unpack(path, path.parent / "unpacked")
    assert open_bundle(path.parent / "unpacked").digest == bundle.digest


def test_a_signature_asks_for_nothing_where_no_key_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_bundle(path).signed_by == "not signed"
    sign(path, new_key()[0])
    assert open_bundle(path).signed_by == f"signed, and {TRUST} names no key to check that with"


def test_another_key_is_not_trusted(path: Path, lab: bytes) -> None:
    sign(path, new_key()[0])
    with pytest.raises(UntrustedBundle, match=r"signed by [0-9a-f]{12}, and not by lab\.pem"):
        open_bundle(path)


def test_one_changed_character_is_refused_also_when_all_hashes_were_made_anew(tmp_path: Path, lab: bytes) -> None:
    folder = tmp_path / "tiny"
    seal(MANIFEST, FILES, folder)
    sign(folder, lab)
    (folder / "README.md").write_bytes(b"# tinY\n")
    with pytest.raises(TamperedBundle, match=r"README\.md: changed since the bundle was sealed"):
        open_bundle(folder)
    seal(MANIFEST, FILES | {"README.md": b"# tinY\n"}, tmp_path / "forged")
    (tmp_path / "forged" / SIGNATURE).write_bytes((folder / SIGNATURE).read_bytes())
    with pytest.raises(UntrustedBundle, match="not of this bundle"):
        open_bundle(tmp_path / "forged")


def test_every_changed_byte_of_a_signature_is_refused(tmp_path: Path, lab: bytes) -> None:
    folder = tmp_path / "tiny"
    seal(MANIFEST, FILES, folder)
    sign(folder, lab)
    good = (folder / SIGNATURE).read_bytes()
    accepted = []
    for at, change in ((at, change) for at in range(len(good)) for change in (1, 0xAA)):  # 0xAA: it is not UTF-8
        (folder / SIGNATURE).write_bytes(good[:at] + bytes([good[at] ^ change]) + good[at + 1 :])
        try:
            accepted.append((at, open_bundle(folder).signed_by))
        except UntrustedBundle:
            continue
    assert not accepted


def test_the_envelope_is_dsse_over_an_in_toto_statement(path: Path, lab: bytes, tmp_path: Path) -> None:
    """Read without Lineshape, by the two specifications."""
    sign(path, lab)
    envelope = json.loads(open_bundle(path).signature or b"")
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
    told = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    public = pem.load_pem_public_key((tmp_path / "keys" / "lab.pem").read_bytes())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), told, ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(envelope["signatures"][0]["sig"]), told + b" ", ec.ECDSA(SHA256()))
    statement = json.loads(payload)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    digests = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    assert digests.keys() == {"bundle.json", *FILES}
    assert digests["bundle.json"] == open_bundle(path).digest


def test_keys_of_another_kind_and_places_without_keys_are_named(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    secret = other.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    with pytest.raises(UsageError, match="no key on the curve P-256"):
        sign(path, secret)
    with pytest.raises(UsageError, match="cannot be read as a private key"):
        sign(path, b"no key")
    (tmp_path / "empty").mkdir()
    for where, why in (("empty", "holds no public key"), ("nowhere", "cannot be read")):
        monkeypatch.setenv(TRUST, str(tmp_path / where))
        with pytest.raises(ReadError, match=why):
            open_bundle(path)


def test_an_encrypted_key_takes_its_password_from_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = pem.load_pem_private_key(new_key()[0], None)
    secret = private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"word"))
    with pytest.raises(UsageError, match=PASSWORD):
        sign(path, secret)
    monkeypatch.setenv(PASSWORD, "word")
    sign(path, secret)
    assert open_bundle(path).signature
