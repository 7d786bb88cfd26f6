"""Change one random byte of a bundle, many times, and count how often that is refused by the name of the file.

    python scripts/corrupt.py BUNDLE [-n 1000] [--seed 0]

A copy of the bundle is signed with a new key, which alone is trusted, and laid out as a folder and as one file. In both
forms each of `n` corruptions falls on one of the files, `bundle.json`, `bundle.sha256` and `signature.json` among them,
all alike, and in the one file also on what stands between them. The line of JSON on standard output has the counts; the
exit code is 1 if a corruption was accepted or ended in anything but a refusal, or the folder's file was not named.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from lineshape.bundle import copy_bundle, open_bundle, sign, unpack
from lineshape.bundle.signature import TRUST, new_key
from lineshape.errors import BundleError

Place = tuple[str, Path, int]  # the name of the file, where its bytes lie, and which of them
BETWEEN = "(zip)"


@dataclass
class Counts:
    """What became of the corruptions of one form."""

    refused: int = 0
    named: int = 0
    accepted: list[str] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    unnamed: list[str] = field(default_factory=list)
    files: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """Run all corruptions of both forms."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle", type=Path)
    parser.add_argument("-n", type=int, default=1000, help="corruptions of each form")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with TemporaryDirectory() as work:
        folder, file = signed_copies(given.bundle, Path(work))
        digest = open_bundle(file).digest
        found = {
            "folder": corrupted(folder, given.n, random.Random(given.seed), in_folder),
            "zip": corrupted(file, given.n, random.Random(given.seed), in_zip),
        }
    print(json.dumps({"digest": digest, "seed": given.seed, "corruptions": given.n,
                      **{form: vars(counts) for form, counts in found.items()}}))  # fmt: skip
    wrong = [one for counts in found.values() for one in (*counts.accepted, *counts.crashed)] + found["folder"].unnamed
    return 1 if wrong else 0


def signed_copies(bundle: Path, work: Path) -> tuple[Path, Path]:
    """The bundle as a folder and as one file, signed by the one key that is trusted from here on."""
    secret, public = new_key()
    unpack(bundle, work / "folder")
    (work / "folder" / "signature.json").unlink(missing_ok=True)
    (work / "trusted.pem").write_bytes(public)
    sign(work / "folder", secret)
    os.environ[TRUST] = str(work / "trusted.pem")
    copy_bundle(open_bundle(work / "folder"), work / "one.lineshape")
    return work / "folder", work / "one.lineshape"


def in_folder(folder: Path) -> dict[str, list[tuple[Path, int, int]]]:
    """For each file the stretches of bytes that are its own."""
    return {path.name: [(path, 0, path.stat().st_size)] for path in sorted(folder.iterdir())}


def in_zip(file: Path) -> dict[str, list[tuple[Path, int, int]]]:
    """For each member the stretch of its content, and all stretches between."""
    stretches, between, at = {}, [], 0
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            start = member.header_offset + 30 + len(member.filename)  # a local header without an extra field
            stretches[member.filename] = [(file, start, start + member.file_size)]
            between.append((file, at, start))
            at = start + member.file_size
    return {**stretches, BETWEEN: [*between, (file, at, file.stat().st_size)]}


def corrupted(
    bundle: Path, n: int, chance: random.Random, stretches_of: Callable[[Path], dict[str, list[tuple[Path, int, int]]]]
) -> Counts:
    """Corrupt one byte, open, and put it back; n times."""
    counts = Counts()
    files = {name: [stretch for stretch in found if stretch[1] < stretch[2]]
             for name, found in stretches_of(bundle).items()}  # fmt: skip
    names = [name for name, found in files.items() if found]
    for _ in range(n):
        name = chance.choice(names)
        path, first, end = chance.choice(files[name])
        corrupt_once(bundle, (name, path, chance.randrange(first, end)), chance.randrange(1, 256), counts)
    open_bundle(bundle)  # every byte was put back
    return counts


def corrupt_once(bundle: Path, place: Place, change: int, counts: Counts) -> None:
    """Count what one corruption led to."""
    name, path, at = place
    where = f"{name} byte {at} ^ {change}"
    counts.files[name] += 1
    flip(path, at, change)
    try:
        open_bundle(bundle)
        counts.accepted.append(where)
    except BundleError as error:
        counts.refused += 1
        told = str(error).removeprefix(f"{bundle}: ")
        if name in told:
            counts.named += 1
        elif name != BETWEEN:
            counts.unnamed.append(f"{where}: {told}")
    except Exception as error:
        counts.crashed.append(f"{where}: {error!r}")
    finally:
        flip(path, at, change)


def flip(path: Path, at: int, change: int) -> None:
    """Change a byte of a file; the same change once more puts it back."""
    with path.open("r+b") as file:
        file.seek(at)
        (before,) = file.read(1)
        file.seek(at)
        file.write(bytes([before ^ change]))


if __name__ == "__main__":
    sys.exit(main())
