"""NumPy's npy and npz from untrusted bytes: plain arrays or an error, never a pickle, never more than was promised."""

from __future__ import annotations

import io
import zipfile
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineshape.errors import ReadError

MOST_BYTES = 1 << 28  # of all arrays of an archive, unpacked


def read_npz(content: bytes, name: str, most: int = MOST_BYTES) -> dict[str, NDArray[Any]]:
    """Every array of an archive.

    Parameters
    ----------
    content : bytes
    name : str
        Of the file, for errors.
    most : int
        Largest number of bytes that it may unpack to.

    Raises
    ------
    ReadError
        If it is damaged, too large, or holds anything but plain arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [member for member in archive.infolist() if member.filename.endswith(".npy")]
            if sum(member.file_size for member in members) > most:
                raise ReadError(f"{name}: the archive unpacks to more than {most >> 20} MiB; save fewer spectra a file")
            return {
                m.filename.removesuffix(".npy"): read_npy(archive.read(m), f"{name}: {m.filename}") for m in members
            }
    except ReadError:
        raise
    except Exception as error:  # zipfile passes on whatever its decompressors raise
        raise ReadError(f"{name}: a damaged archive ({error}); save it again with numpy.savez") from error


def read_npy(content: bytes, name: str) -> NDArray[Any]:
    """One array; its header is held against the bytes that are there before any memory is taken.

    Raises
    ------
    ReadError
        If it is no array, holds objects, or is shorter or longer than its header says.
    """
    file = io.BytesIO(content)
    advice = "save it again with numpy.save, without objects"
    try:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, _, dtype = header(file)
        needed = prod(shape) * dtype.itemsize
    except Exception as error:  # the header is a Python literal: what a damaged one raises is open
        raise ReadError(f"{name} is no array ({type(error).__name__}); {advice}") from error
    if dtype.hasobject or dtype.kind not in "fiubUS":
        raise ReadError(f"{name} holds {dtype}; {advice}")
    if min(shape, default=0) < 0 or needed != len(content) - file.tell():
        raise ReadError(f"{name} should hold {needed} bytes and holds {len(content) - file.tell()}; {advice}")
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
