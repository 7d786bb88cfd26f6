"""Who may ask: keys with rights and quotas, kept as hashes.

A key is 32 random bytes, so one round of SHA-256 is all that its hash needs: there is nothing to guess. The file of
keys is TOML, one table a key, written by `lineshape keys`; what is in it opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from lineshape.errors import AccessError, ForbiddenError, QuotaError, UsageError
from lineshape.files import write_atomically
from lineshape.lock import locked
from lineshape_serving.logs import caller_name

Scope: TypeAlias = Literal["infer", "admin"]
SCOPES: tuple[Scope, ...] = ("infer", "admin")
_BEARER = re.compile(r"Bearer +([A-Za-z0-9_-]+)", re.IGNORECASE | re.ASCII)
MINUTE = 60.0


class Key(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A key as it is kept.

    Parameters
    ----------
    sha256 : str
        Of the key itself, in hexadecimal digits.
    scopes : tuple of "infer" or "admin"
        What it may do; admin loads and unloads models.
    quota : int, optional
        Spectra a minute.
    """

    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)] = ("infer",)
    quota: Annotated[int, Meta(ge=1)] | None = None


Keys: TypeAlias = dict[str, Key]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


class Caller:
    """Whoever holds a key; without keys, everyone.

    Parameters
    ----------
    name : str
    key : Key, optional
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, name: str, key: Key | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.key, self._clock = name, key, clock
        self._left, self._at = float(key.quota if key and key.quota else 0), clock()

    def charge(self, spectra: int) -> None:
        """Count spectra against the quota: a bucket that fills evenly, and holds a minute's worth.

        Raises
        ------
        QuotaError
            If that would be more than is left, which then stays as it was.
        UsageError
            If it is more than a minute's quota: that would never pass.
        """
        if self.key is None or self.key.quota is None:
            return
        quota, now = self.key.quota, self._clock()
        self._left, self._at = min(quota, self._left + (now - self._at) * quota / MINUTE), now
        if spectra > quota:
            raise UsageError(f"key {self.name!r}: {spectra} spectra at once, but its quota is {quota} a minute; "
                             "send smaller batches")  # fmt: skip
        if spectra > self._left:
            wait = (spectra - self._left) * MINUTE / quota
            raise QuotaError(f"key {self.name!r}: its quota of {quota} spectra a minute is used up; "
                             f"there is room for {spectra} in {wait:.0f} s", wait)  # fmt: skip
        self._left -= spectra


class Gate:
    """Lets callers in.

    Parameters
    ----------
    keys : mapping of name to Key, optional
        Without, everyone may do everything: for a server that only its own machine reaches.
    """

    def __init__(self, keys: Keys | None = None) -> None:
        self.open = keys is None
        self._callers = [(Caller(name, key), bytes.fromhex(key.sha256)) for name, key in (keys or {}).items()]
        self._everyone = Caller("anyone")

    def admit(self, authorization: str | None, scope: Scope) -> Caller:
        """The caller behind an Authorization header.

        Raises
        ------
        AccessError
            If there is no key, or nobody knows it.
        ForbiddenError
            If it lacks the right.
        """
        if self.open:
            return self._everyone
        found = self._known(authorization)
        caller_name.set(found.name)
        if found.key is not None and scope not in found.key.scopes:
            raise ForbiddenError(f"key {found.name!r} may not do this: it lacks the right {scope!r}")
        return found

    def _known(self, authorization: str | None) -> Caller:
        if authorization is None:
            raise AccessError("this server asks for a key: send the header Authorization: Bearer KEY")
        given = _BEARER.fullmatch(authorization.strip())
        hashed = _hash(given[1]) if given else b""
        # every key is compared, in constant time: how long it takes tells nothing
        known = [caller for caller, wanted in self._callers if hmac.compare_digest(hashed, wanted)]
        if not known:
            raise AccessError("nobody knows this key; send Authorization: Bearer KEY, with a key of this server")
        return known[0]


def read_keys(path: Path) -> Keys:
    """The file of keys.

    Raises
    ------
    UsageError
        If it cannot be read, is damaged, or names no key.
    """
    try:
        keys = msgspec.toml.decode(path.read_bytes(), type=Keys)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; make it with `lineshape keys add`") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise UsageError(f"{path}: not a file of keys: {error}") from None
    if not keys:
        raise UsageError(f"{path}: holds no key; make one with `lineshape keys add`")
    for name in keys:
        _check_name(path, name)
    return keys


def add_key(path: Path, name: str, scopes: Sequence[Scope], quota: int | None) -> str:
    """Make a key, keep its hash, and give the key itself: nobody can read it anywhere later.

    Raises
    ------
    UsageError
        If the name is taken or cannot be one, or the file cannot be read or written.
    """
    _check_name(path, name)
    secret = secrets.token_urlsafe(32)
    with _alone(path) as file:
        keys = read_keys(file) if file.exists() else {}
        if name in keys:
            raise UsageError(f"{path}: key {name!r} is there; choose another name, or remove it first")
        _write(file, {**keys, name: Key(_hash(secret).hex(), tuple(scopes), quota)})
    return secret


def remove_key(path: Path, name: str) -> None:
    """Forget a key.

    Raises
    ------
    UsageError
        If it is not there.
    """
    read_keys(path)  # where there is no such file, no lock is left beside it
    with _alone(path) as file:
        keys = read_keys(file)
        if name not in keys:
            raise UsageError(f"{path}: no key {name!r}; there are {', '.join(keys)}")
        _write(file, {other: key for other, key in keys.items() if other != name})


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


@contextmanager
def _alone(path: Path) -> Iterator[Path]:
    """The file that a path, or a link, leads to, while no other process changes it."""
    try:
        file = path.resolve()
    except RuntimeError:
        raise UsageError(f"{path}: a link that leads to itself") from None
    with locked(file.with_name(f".{file.name}.lock")):
        yield file


def _check_name(path: Path, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{path}: {name!r} cannot be the name of a key: that has 1 to 63 letters, digits, '.', '_' or "
                         "'-', and begins with a letter or a digit")  # fmt: skip


def _write(path: Path, keys: Keys) -> None:
    try:
        msgspec.convert(msgspec.to_builtins(keys), Keys)
    except msgspec.ValidationError as error:
        raise UsageError(f"this key cannot be kept: {error}") from None
    write_atomically(path, msgspec.toml.encode(keys))
    path.chmod(0o600)
