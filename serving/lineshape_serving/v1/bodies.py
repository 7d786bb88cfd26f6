"""Measured spectra from the body of a request: JSON, an instrument's file as it is, or several in a form.

A file's bytes never touch a path of the request: readers work in memory, and its name is a label.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PureWindowsPath
from typing import TypeVar

import msgspec
import numpy as np
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from lineshape.axis import USUAL_UNIT, SpectralAxis
from lineshape.errors import DataError, ReadError, UsageError
from lineshape.readers import parse_spectra
from lineshape.spectrum import Spectrum
from lineshape_edge.plans import about
from lineshape_serving.v1 import parquet
from lineshape_serving.v1.messages import MOST, MOST_POINTS, Measured, Options

JSON, FORM, BYTES = "application/json", "multipart/form-data", "application/octet-stream"
# The ending that stands for a media type, for readers that look at the ending where the content leaves them in doubt.
FILES = {
    "text/csv": ".csv", "text/plain": ".txt", "chemical/x-jcamp-dx": ".jdx", "application/x-npy": ".npy",
    "application/x-npz": ".npz", parquet.MEDIA_TYPE: ".parquet", BYTES: "",
}  # fmt: skip
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}", re.ASCII)
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)  # ValueError: bytes that are not UTF-8


T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class File:
    """A file as it came: its bytes, its media type, and the name that it was given."""

    content: bytes
    media_type: str
    label: str

    @property
    def name(self) -> str:
        """For readers and their messages: the label, with an ending for its media type where it has none."""
        return self.label if _ending(self.label) else f"{self.label}{FILES.get(self.media_type, '')}"


def accepted(content_type: str | None, files: bool) -> str:
    """The media type of a body.

    Parameters
    ----------
    content_type : str, optional
        The header.
    files : bool
        Whether instrument files are taken, or JSON alone.

    Raises
    ------
    HTTPException
        415 if it is none that is taken, or needs an extra that is missing.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    offered = media_types(files)
    given = repr(media_type[:64]) if media_type else "none was given"
    if media_type in offered:
        return media_type
    if media_type == parquet.MEDIA_TYPE and files:
        raise HTTPException(415, "Content-Type: Parquet needs the extra 'parquet' on the server")
    raise HTTPException(415, f"Content-Type: {given}; send one of {', '.join(offered)}")


def media_types(files: bool) -> tuple[str, ...]:
    """Those of the bodies that are taken."""
    if not files:
        return (JSON,)
    known = (name for name in FILES if name != parquet.MEDIA_TYPE or parquet.is_installed())
    return (JSON, FORM, *known)


def decode(body: memoryview, kind: type[T]) -> T:
    """A body of JSON.

    Raises
    ------
    UsageError
        If it is not JSON, or not of this kind; the message names the field.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"the request: {error}") from None
    except _UNREADABLE as error:
        raise UsageError(f"the request's JSON cannot be read: {error}") from None


def spectra_of_json(measured: list[Measured], options: Options, source: str) -> list[Spectrum]:
    """Spectra given as numbers; `source` is the modality that the model expects."""
    spectra = []
    for number, one in enumerate(measured, start=1):
        given = one.name or options.filename
        name = label_of(given) if given else f"spectrum {number}"
        with about(name if len(measured) > 1 else None):
            spectra.append(_named(_spectrum(one, options, source), name))
    return spectra


def files_of_form(content_type: str, body: memoryview) -> list[File]:
    """The files of a multipart form, in its order; for a thread that has no event loop.

    Raises
    ------
    UsageError
        If it is damaged, holds no file, or holds anything else.
    """
    try:
        return asyncio.run(_files(content_type, body)) or _none()
    except MultiPartException as error:
        raise UsageError(f"the form cannot be read: {error.message}") from None
    except (UnicodeError, LookupError):
        raise UsageError("the form cannot be read: its charset is none; leave it out") from None


def spectra_of_files(files: list[File], options: Options, source: str) -> list[Spectrum]:
    """Every spectrum of every file, each with its name in the metadata as 'source'.

    Raises
    ------
    ReadError
        If a file cannot be read; it is named.
    DataError
        If they hold more than `MOST` spectra or `MOST_POINTS` points.
    """
    spectra: list[Spectrum] = []
    points = 0
    for file in files:
        spectra.extend(found := _read(file, options, source))
        points += sum(map(len, found))
        if len(spectra) > MOST or points > MOST_POINTS:
            raise DataError(f"more than {MOST} spectra or {MOST_POINTS} points; send fewer at a time")
    return spectra


def label_of(filename: str | None) -> str:
    """The last part of a name that somebody sent; it is shown, and nothing is ever opened by it."""
    return PureWindowsPath(filename or "").name[-128:] or "upload"  # Windows' rules know both kinds of slashes


class _Parser(MultiPartParser):
    spool_max_size = sys.maxsize  # the body has its limit, and nothing of it is to lie on a disk


async def _files(content_type: str, body: memoryview) -> list[File]:
    form = await _Parser(Headers({"content-type": content_type}), _once(body), max_files=MOST).parse()
    try:
        return [await _file(field, value) for field, value in form.multi_items()]
    finally:
        await form.close()


async def _once(body: memoryview) -> AsyncGenerator[bytes, None]:
    yield bytes(body)


async def _file(field: str, value: UploadFile | str) -> File:
    if isinstance(value, str):
        raise UsageError(f"form field {field!r} is no file; options stand in the query of the address")
    media_type = (value.content_type or BYTES).partition(";")[0].strip().lower()
    return File(await value.read(), media_type, label_of(value.filename))


def _none() -> list[File]:
    raise UsageError("the form holds no file")


def _ending(label: str) -> str:
    found = _ENDING.search(label, max(label.rfind("."), 0))
    return found[0].lower() if found and label.endswith(found[0]) else ""


def _read(file: File, options: Options, source: str) -> list[Spectrum]:
    """As the file describes itself; where it does not say what it holds, what the model expects."""
    modality = _known(options.modality, source)
    parse = partial(parse_spectra, _content(file), file.name, unit=options.unit, most=MOST)
    try:
        spectra = parse(modality=modality)
    except ReadError:
        if modality:
            raise
        assumed = f"The file does not say what it holds; taken for {source}, as the model expects."
        spectra = [spectrum.noted(assumed) for spectrum in parse(modality=source)]
    columns = [spectrum.metadata.get("column") if len(spectra) > 1 else None for spectrum in spectra]
    return [_named(_lit(spectrum, options), f"{file.label}, {column}" if column else file.label)
            for spectrum, column in zip(spectra, columns, strict=True)]  # fmt: skip


def _content(file: File) -> bytes:
    """What a reader understands; clients seldom name Parquet, so that its own first bytes count too."""
    unnamed = file.media_type == BYTES and file.content.startswith(parquet.MAGIC)
    if file.media_type != parquet.MEDIA_TYPE and not unnamed:
        return file.content
    accepted(parquet.MEDIA_TYPE, files=True)
    return parquet.to_csv(file.content, file.name)


def _lit(spectrum: Spectrum, options: Options) -> Spectrum:
    """The spectrum with the wavelengths that were asked for."""
    axis = spectrum.axis
    laser, xray = options.laser_nm or axis.laser_nm, options.xray_angstrom or axis.xray_angstrom
    return replace(spectrum, axis=replace(axis, laser_nm=laser, xray_angstrom=xray))


def _known(modality: str | None, source: str) -> str | None:
    if modality is not None and modality not in (source, *USUAL_UNIT):
        raise UsageError(f"no modality {modality[:64]!r}; there is {', '.join(USUAL_UNIT)}, and the model "
                         f"takes {source}")  # fmt: skip
    return modality


def _spectrum(one: Measured, options: Options, source: str) -> Spectrum:
    modality = _known(options.modality or one.modality, source) or source
    laser, xray = options.laser_nm or one.laser_nm, options.xray_angstrom or one.xray_angstrom
    axis = SpectralAxis.of(one.axis, modality, options.unit or one.unit, laser_nm=laser, xray_angstrom=xray)
    return Spectrum(np.array(one.intensities), axis, {}, tuple(_assumed(one, options, axis)))


def _assumed(one: Measured, options: Options, axis: SpectralAxis) -> Iterator[str]:
    if not (one.modality or options.modality):
        yield f"The request does not say what it holds; taken for {axis.modality}, as the model expects."
    if not (one.unit or options.unit):
        yield f"The request states no unit; took {axis.unit}, the usual one of {axis.modality}."


def _named(spectrum: Spectrum, name: str) -> Spectrum:
    return replace(spectrum, metadata={**spectrum.metadata, "source": name})
