"""Write bundles into a Triton model repository, so that a server which looks at it meanwhile sees no half of one.

REPOSITORY/NAME/config.pbtxt        for the latest version
                versions.json       which number is which release
                warmup/...          the golden inputs
                1/model.onnx        or, for the python backend, model.py and the whole sealed bundle
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineshape.bundle import Bundle, Form, check_verdict, open_bundle
from lineshape.bundle.archive import pack
from lineshape.errors import UsageError
from lineshape.files import write_atomically
from lineshape.lock import locked
from lineshape_serving.triton.config import MODEL, Backend, Machine, check_machine, model_config, text
from lineshape_serving.triton.versions import TABLE, Table, encode_table, number_of, read_table, release_of
from lineshape_serving.triton.warmup import FOLDER, samples

CONFIG = "config.pbtxt"
SEALED = "bundle.lineshape"
LOCK = ".lock"  # held by whoever writes
PYTHON_MODEL = '''"""Runs the sealed bundle beside this file; written by `lineshape triton`."""

from lineshape_serving.triton.backend import TritonPythonModel

__all__ = ["TritonPythonModel"]
'''


@dataclass(frozen=True)
class Installed:
    """One form of a bundle in a repository.

    Parameters
    ----------
    name : str
        On the wire.
    number : int
        Triton's version.
    version, digest : str
        The bundle's.
    served : int
        The number that Triton serves: its latest.
    """

    name: str
    number: int
    version: str
    digest: str
    served: int


@dataclass(frozen=True)
class _Planned:
    name: str
    number: int
    table: Table  # once it is installed
    bundle: Bundle
    config: dict[str, bytes]  # by path within the model's folder, as the two that follow
    warmup: dict[str, bytes]
    version: dict[str, bytes]

    @property
    def files(self) -> dict[str, bytes]:
        return self.config | self.warmup | self.version

    @property
    def superseded(self) -> bool:
        return self.number < max(self.table)


def write_repository(bundles: Sequence[Path | str], repository: Path, machine: Machine = "cpu",
                     backend: Backend = "onnxruntime", instances: int = 1) -> list[Installed]:  # fmt: skip
    """Put every form of some bundles into a repository, or nothing where one of them is refused.

    Parameters
    ----------
    bundles : sequence of Path or str
        See `open_bundle`; verified before anything is written.
    repository : Path
        Made if it is not there. A bundle that is in it already changes nothing.
    machine, backend, instances
        See `model_config`.

    Returns
    -------
    list of Installed
        In the order of the bundles and their forms.

    Raises
    ------
    BundleError
        If a bundle is refused, or failed validation.
    UsageError
        If a version is, or the repository cannot be written.
    """
    opened = [open_bundle(path) for path in bundles]
    for bundle in opened:
        check_verdict(bundle)
    check_machine(machine, backend)
    with locked(repository / LOCK):
        plans = list(_planned(opened, repository, machine, backend, instances))
        for plan in plans:
            _install(plan, repository)
    served = {plan.name: max(plan.table) for plan in plans}
    return [Installed(plan.name, plan.number, plan.bundle.manifest.version, plan.bundle.digest, served[plan.name])
            for plan in plans]  # fmt: skip


def _planned(bundles: Sequence[Bundle], repository: Path, machine: Machine, backend: Backend,
             instances: int) -> Iterator[_Planned]:  # fmt: skip
    tables: dict[str, Table] = {}
    for bundle in bundles:
        for name, form in bundle.manifest.wire_names.items():
            table = tables.get(name) or read_table(repository / name)
            number = number_of(table, name, bundle)
            tables[name] = table | {number: release_of(bundle)}
            config = {CONFIG: text(model_config(bundle, form, machine, backend, instances))}
            version = _version(bundle, form, number, backend)
            yield _Planned(name, number, tables[name], bundle, config, _warmup(bundle, form), version)


def _warmup(bundle: Bundle, form: Form) -> dict[str, bytes]:
    found = samples(bundle, form)
    return {f"{FOLDER}/{name}": content for sample in found for name, content in sample.files.items()}


def _version(bundle: Bundle, form: Form, number: int, backend: Backend) -> dict[str, bytes]:
    if backend == "onnxruntime":
        return {f"{number}/{MODEL}": bundle.read(bundle.manifest.graphs[form].file)}
    return {f"{number}/model.py": PYTHON_MODEL.encode(), f"{number}/{SEALED}": pack(bundle.everything())}


def _install(plan: _Planned, repository: Path) -> None:
    """A new model appears whole. A new version's folder appears whole, and only then the config that describes it.

    A server that polls in between finds a version that its config does not describe: where that does not load, it keeps
    the one that it serves, and it looks again when the config has changed.
    """
    folder = repository / plan.name
    if plan.superseded:
        return
    table = {TABLE: encode_table(plan.table)}
    if not folder.exists():
        with _growing(repository, plan.files | table) as grown:
            grown.rename(folder)
        return
    _place(folder / str(plan.number), plan.version)
    _replace(folder, plan.warmup)
    _replace(folder, plan.config | table)


def _replace(folder: Path, files: Mapping[str, bytes]) -> None:
    """One after the other, and only what is not there as it should be."""
    for name, content in files.items():
        if _read(folder / name) != content:
            write_atomically(folder / name, content)


def _place(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a version's folder hold just these files."""
    inside = {name.partition("/")[2]: content for name, content in files.items()}
    if folder.exists() and {path.name: _read(path) for path in folder.iterdir()} == inside:
        return
    with _growing(folder.parent.parent, inside) as grown:
        if folder.exists():  # of another backend, or left by a command that was stopped
            folder.rename(grown.with_name("replaced"))
        grown.rename(folder)


@contextmanager
def _growing(repository: Path, files: Mapping[str, bytes]) -> Iterator[Path]:
    """A folder with these files, beside the repository: Triton takes every folder in it for a model, hidden or not."""
    beside = repository.absolute().parent
    try:
        with tempfile.TemporaryDirectory(dir=beside, prefix=f".{repository.name}.") as work:
            grown = Path(work) / "new"
            for path, content in files.items():
                write_atomically(grown / path, content)
            yield grown
    except OSError as error:
        hint = f"needs to write in {beside} and to rename from there; a repository cannot be where a disk is mounted"
        raise UsageError(f"cannot write {repository}: {error.strerror or error}; {hint}") from None


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
