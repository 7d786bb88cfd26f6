"""Measured spectra from the body of a request: JSON, an instrument's file as it is, or several in a form.

A file's bytes never touch a path of the request: readers work in memory, and its name is a label.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import TypeVar

import msgspec
import numpy as np
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from lineshape.axis import SpectralAxis
from lineshape.errors import DataError, ReadError, UsageError
from lineshape.readers import parse_spectra
from lineshape.spectrum import Spectrum
from lineshape_serving.v1 import parquet
from lineshape_serving.v1.messages import MOST, Measured, Options

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
    if media_type in offered:
        return media_type
    if media_type == parquet.MEDIA_TYPE and files:
        raise HTTPException(415, "Content-Type: Parquet needs the extra 'parquet' on the server")
    raise HTTPException(415, f"Content-Type {media_type[:64]!r}: send one of {', '.join(offered)}")


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
    except _UNREADABLE as error:
        raise UsageError(f"the request's JSON cannot be read: {error}") from None


def spectra_of_json(measured: list[Measured], options: Options, source: str) -> list[Spectrum]:
    """Spectra given as numbers; `source` is the modality that the model expects."""
    return [_spectrum(one, options, source, number) for number, one in enumerate(measured, start=1)]


async def files_of_form(content_type: str, body: memoryview) -> list[File]:
    """The files of a multipart form, in its order.

    Raises
    ------
    UsageError
        If it is damaged, holds no file, or holds anything else.
    """
    try:
        form = await MultiPartParser(Headers({"content-type": content_type}), _once(body), max_files=MOST).parse()
    except MultiPartException as error:
        raise UsageError(f"the form cannot be read: {error.message}") from None
    try:
        return [await _file(field, value) for field, value in form.multi_items()] or _none()
    finally:
        await form.close()


def spectra_of_files(files: list[File], options: Options, source: str) -> list[Spectrum]:
    """Every spectrum of every file, each with its name in the metadata as 'source'.

    Raises
    ------
    ReadError
        If a file cannot be read; it is named.
    DataError
        If they hold more than `MOST` spectra.
    """
    spectra = [spectrum for file in files for spectrum in _read(file, options.modality, source)]
    if len(spectra) > MOST:
        raise DataError(f"{len(spectra)} spectra, more than the {MOST} of one request; send fewer at a time")
    return spectra


def label_of(filename: str | None) -> str:
    """The last part of a name that somebody sent; it is shown, and nothing is ever opened by it."""
    return PureWindowsPath(filename or "").name[-128:] or "upload"  # Windows' rules know both kinds of slashes


async def _once(body: memoryview) -> AsyncGenerator[bytes, None]:
    yield bytes(body)


async def _file(field: str, value: UploadFile | str) -> File:
    if isinstance(value, str):
        raise UsageError(f"form field {field!r} is no file; options stand in the query of the address")
    media_type = (value.content_type or BYTES).partition(";")[0].strip().lower()
    if media_type == parquet.MEDIA_TYPE:
        accepted(media_type, files=True)
    return File(await value.read(), media_type, label_of(value.filename))


def _none() -> list[File]:
    raise UsageError("the form holds no file")


def _ending(label: str) -> str:
    found = _ENDING.search(label, max(label.rfind("."), 0))
    return found[0].lower() if found and label.endswith(found[0]) else ""


def _read(file: File, modality: str | None, source: str) -> Iterator[Spectrum]:
    """As the file describes itself; where it does not say what it holds, what the model expects."""
    content = parquet.to_csv(file.content, file.name) if file.media_type == parquet.MEDIA_TYPE else file.content
    try:
        spectra = parse_spectra(content, file.name, modality)
    except ReadError:
        if modality:
            raise
        assumed = f"The file does not say what it holds; taken for {source}, as the model expects."
        spectra = [spectrum.noted(assumed) for spectrum in parse_spectra(content, file.name, source)]
    for spectrum in spectra:
        column = spectrum.metadata.get("column")
        yield _named(spectrum, f"{file.label}, {column}" if column and len(spectra) > 1 else file.label)


def _spectrum(one: Measured, options: Options, source: str, number: int) -> Spectrum:
    modality = options.modality or one.modality or source
    axis = SpectralAxis.of(one.axis, modality, one.unit, laser_nm=one.laser_nm, xray_angstrom=one.xray_angstrom)
    name = one.name or options.filename
    spectrum = Spectrum(np.array(one.intensities), axis, {}, tuple(_assumed(one, options, axis)))
    return _named(spectrum, label_of(name) if name else f"spectrum {number}")


def _assumed(one: Measured, options: Options, axis: SpectralAxis) -> Iterator[str]:
    if not (one.modality or options.modality):
        yield f"The request does not say what it holds; taken for {axis.modality}, as the model expects."
    if one.unit is None:
        yield f"The request states no unit; took {axis.unit}, the usual one of {axis.modality}."


def _named(spectrum: Spectrum, name: str) -> Spectrum:
    return Spectrum(spectrum.intensities, spectrum.axis, {**spectrum.metadata, "source": name}, spectrum.notes)
