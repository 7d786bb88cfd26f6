"""Zips that were made by hand to harm whoever opens them, each of them a good bundle but for one thing."""

from __future__ import annotations

import stat
import struct
import zlib
from dataclasses import dataclass, field, replace

LOCAL, CENTRAL, END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
EPOCH = 1 << 5 | 1  # 1 January 1980
LINK, PIPE = (stat.S_IFLNK | 0o777) << 16, (stat.S_IFIFO | 0o644) << 16


@dataclass(frozen=True)
class Header:
    """What a zip says of a member, in the two places where it says it."""

    name: bytes
    crc: int
    packed: int
    size: int
    flags: int = 0
    method: int = 0
    date: int = EPOCH
    extra: bytes = b""


@dataclass(frozen=True)
class Member:
    """A member with its content; `local` and `central` differ only in attacks."""

    content: bytes
    local: Header
    central: Header
    attributes: int = 0o644 << 16
    comment: bytes = b""
    gap: bytes = b""  # bytes of nobody after the content
    offset: int | None = None  # of other bytes, that are taken for this member
    disk: int = 0

    def both(self, **changes: object) -> Member:
        """Another header, in both places."""
        return replace(self, local=replace(self.local, **changes), central=replace(self.central, **changes))

    def only_central(self, **changes: object) -> Member:
        return replace(self, central=replace(self.central, **changes))

    def only_local(self, **changes: object) -> Member:
        return replace(self, local=replace(self.local, **changes))


@dataclass(frozen=True)
class Archive:
    """A whole zip."""

    members: tuple[Member, ...]
    prefix: bytes = b""
    suffix: bytes = b""
    comment: bytes = b""
    before_end: bytes = b""
    end: dict[int, int] = field(default_factory=dict)  # fields of the last record that lie

    def bytes(self) -> bytes:
        out, directory = self.prefix, b""
        for member in self.members:
            directory += _central(member, len(out) if member.offset is None else member.offset)
            if member.offset is None:
                out += _local(member.local) + member.content + member.gap
        count = len(self.members)
        last = [b"PK\5\6", 0, 0, count, count, len(directory), len(out), len(self.comment)]
        for at, value in self.end.items():
            last[at] = value
        return out + directory + self.before_end + END.pack(*last) + self.comment + self.suffix


def member(name: str, content: bytes) -> Member:
    header = Header(name.encode(), zlib.crc32(content), len(content), len(content))
    return Member(content, header, header)


def _local(header: Header) -> bytes:
    fixed = (b"PK\3\4", 20, header.flags, header.method, 0, header.date, header.crc, header.packed, header.size)
    return LOCAL.pack(*fixed, len(header.name), len(header.extra)) + header.name + header.extra


def _central(of: Member, offset: int) -> bytes:
    header = of.central
    fixed = (b"PK\1\2", 20 | 3 << 8, 20, header.flags, header.method, 0, header.date, header.crc, header.packed)
    lengths = (header.size, len(header.name), len(header.extra), len(of.comment))
    record = CENTRAL.pack(*fixed, *lengths, of.disk, 0, of.attributes, offset)
    return record + header.name + header.extra + of.comment


def good(files: dict[str, bytes]) -> Archive:
    """The zip that `lineshape.bundle.archive.pack` writes."""
    return Archive(tuple(member(name, files[name]) for name in sorted(files)))


def attacks(files: dict[str, bytes]) -> dict[str, tuple[bytes, str]]:
    """What was done to the zip of a bundle with a README.md, the result, and words that its refusal has."""
    whole = good(files)
    first, others = whole.members[0], whole.members[1:]
    assert first.local.name == b"README.md"

    def with_first(changed: Member) -> bytes:
        return replace(whole, members=(changed, *others)).bytes()

    def named(name: bytes, flags: int = 0) -> bytes:
        return with_first(first.both(name=name, flags=flags))

    def added(*extra: Member) -> bytes:
        return replace(whole, members=(*whole.members, *extra)).bytes()

    bomb = zlib.compressobj(9, wbits=-15)
    packed = bomb.compress(bytes(10**6)) + bomb.flush()
    deflated = replace(first, content=packed).both(
        method=8, packed=len(packed), size=10**6, crc=zlib.crc32(bytes(10**6))
    )
    size, huge = len(first.content), 2**31 - 1
    zip64 = struct.pack("<2H2Q", 1, 16, 2**40, 2**40)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    hidden = _local(others[0].local) + others[0].content  # within the first, and the directory names it as well
    outer = member("README.md", hidden)
    inner = replace(others[0], offset=len(_local(outer.local)))
    odd, outside = "zip was changed outside its files", "not a plain file name"
    end = "does not end as a bundle's zip does"
    return {
        "path that leaves the folder": (named(b"../README.md"), outside),
        "absolute path": (named(b"/etc/passwd"), outside),
        "backslash": (named(b"..\\README.md"), outside),
        "drive letter": (named(b"C:README.md"), outside),
        "hidden file": (named(b".README.md"), outside),
        "empty name": (named(b""), outside),
        "folder": (added(member("sub/", b"")), outside),
        "file in a folder": (named(b"sub/README.md"), outside),
        "look-alike letter": (named("RЕADME.md".encode(), 0x800), outside),  # the second letter is Cyrillic
        "letters written right to left": (named("\u202eREADME.md".encode(), 0x800), outside),
        "Windows device": (named(b"NUL"), outside),
        "Windows device with an ending": (named(b"com1.md"), outside),
        "name that Windows shortens": (added(member("README.md.", first.content)), outside),
        "stream of a Windows file": (named(b"README.md:x"), outside),
        "NUL in a name": (named(b"README.md\0.exe"), odd),
        "name twice": (added(first), "holds a name twice"),
        "name twice but for its case": (added(member("readme.md", first.content)), "holds a name twice"),
        "symbolic link": (with_first(replace(first, attributes=LINK)), odd),
        "pipe": (with_first(replace(first, attributes=PIPE)), odd),
        "bomb": (with_first(deflated), "README.md: members of a bundle are stored"),
        "unknown compression": (with_first(first.both(method=99)), "README.md: members of a bundle are stored"),
        "encrypted": (with_first(first.both(flags=1)), "README.md"),
        "strongly encrypted": (with_first(first.both(flags=0x41)), "damaged"),
        "patch data": (with_first(first.both(flags=0x20)), "damaged"),
        "sizes after the content": (
            with_first(replace(first, gap=struct.pack("<3L", first.local.crc, size, size)).both(flags=8)
                       .only_local(crc=0, packed=0, size=0)), odd),
        "huge size": (with_first(first.both(size=huge)), "README.md: members of a bundle are stored"),
        "huge size, also packed": (with_first(first.both(size=huge, packed=huge)), "smaller than its files"),
        "size less than the content": (with_first(first.both(size=size - 1, packed=size - 1)), "README.md"),
        "negative size": (with_first(first.both(size=2**32 - 2, packed=2**32 - 2)), "smaller than its files"),
        "64-bit size": (with_first(first.only_central(size=2**32 - 1, packed=2**32 - 1, extra=zip64)), "smaller than"),
        "64-bit end": (replace(whole, before_end=locator).bytes(), end),
        "wrong checksum": (with_first(first.both(crc=first.local.crc ^ 1)), "README.md: damaged: Bad CRC-32"),
        "other name in front of the content": (with_first(first.only_local(name=b"README.mx")), "README.md"),
        "other size in front of the content": (with_first(first.only_local(size=1, packed=1)), odd),
        "other compression in front of the content": (with_first(first.only_local(method=8)), odd),
        "overlapping members": (replace(whole, members=(outer, inner, *others[1:])).bytes(), "they overlap"),
        "many members of the same bytes": (
            Archive((member("a", b"x" * 1000), *(replace(member(f"b{k}", b""), offset=0).only_central(
                size=1000, packed=1000, name=b"a%d" % k) for k in range(200)))).bytes(), "smaller than its files"),
        "members out of order": (replace(whole, members=whole.members[::-1]).bytes(), odd),
        "date": (with_first(first.both(date=EPOCH + 1)), odd),
        "extra field": (with_first(first.both(extra=b"\x99\x99\2\0hi")), odd),
        "comment of a member": (with_first(replace(first, comment=b"hi")), odd),
        "bytes between members": (with_first(replace(first, gap=b"#!/bin/sh")), odd),
        "bytes in front": (replace(whole, prefix=b"MZ a program").bytes(), odd),
        "bytes behind": (replace(whole, suffix=b"\0").bytes(), end),
        "comment": (replace(whole, comment=b"hi").bytes(), end),
        "comment that holds a zip": (replace(whole, comment=whole.bytes()).bytes(), "zip"),
        "second disk": (replace(whole, end={1: 1}).bytes(), odd),
        "member on another disk": (with_first(replace(first, disk=1)), odd),
        "fewer members counted": (replace(whole, end={3: 1, 4: 1}).bytes(), odd),
        "directory elsewhere": (replace(whole, end={6: 2**31}).bytes(), "damaged"),
        "endless directory": (Archive(tuple(member(f"{k:0127d}", b"") for k in range(7000))).bytes(), end),
        "cut short": (whole.bytes()[:-1], end),
        "nothing in it": (Archive(()).bytes(), "bundle.sha256: missing"),
        "zip in a zip": (Archive((member("tiny.lineshape", whole.bytes()),)).bytes(), "bundle.sha256: missing"),
    }  # fmt: skip
