# SPDX-License-Identifier: Apache-2.0
"""Read arrays out of an ``.npz`` archive of which neither size nor contents are trusted."""

import io
import math
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

LARGEST_UNPACKED = 512 * 2**20
"""Bytes of all arrays of an archive together, at most."""

_MOST_ENTRIES = 64
_BLOCK = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_arrays(contents: bytes, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """Read arrays by name; they are read-only, and hold numbers.

    Args:
        contents: of the archive.
        required: names of the arrays that it must have.
        optional: names of those that it may have; any other is refused.

    Raises:
        Exception: zipfile, zlib and NumPy raise a dozen types for what is no archive of arrays; ValueError where it is one
            that does not fit.
    """
    with zipfile.ZipFile(io.BytesIO(contents)) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()[: _MOST_ENTRIES + 1]}
        missing = [name for name in required if name not in entries]
        if missing:
            raise KeyError(missing[0])
        other = [name for name in entries if name not in (*required, *optional)]
        if other or len(entries) != len(archive.infolist()):
            raise ValueError(f"there are other entries, such as {other[:1]}")
        unpacked = sum(entry.file_size for entry in entries.values())
        if unpacked > LARGEST_UNPACKED:
            raise ValueError(f"its arrays have {unpacked} bytes, allowed are {LARGEST_UNPACKED}")
        return {name: _array(_unpack(archive, entry)) for name, entry in entries.items()}


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytearray:
    """The bytes of an entry, as many as it states and no more."""
    if entry.compress_type not in _METHODS:
        raise ValueError(f"{entry.filename} is packed by method {entry.compress_type}")
    values, place = bytearray(entry.file_size), 0
    with archive.open(entry) as file:
        while block := file.read(_BLOCK):
            values[place : place + len(block)] = block
            place += len(block)
    if place != entry.file_size or len(values) != entry.file_size:
        raise ValueError(f"{entry.filename} has another length than it states")
    return values


def _array(contents: bytearray) -> NDArray[Any]:
    """The array of a ``.npy`` file, over its bytes."""
    file = io.BytesIO(contents[:_BLOCK])
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"an array has the format {version}")
    shape, fortran_order, dtype = _HEADERS[version](file)
    if dtype.hasobject or dtype.kind not in "biuf" or fortran_order:
        raise ValueError(f"an array has the type {dtype}")
    place = file.tell()
    if min(shape, default=0) < 0 or place + math.prod(shape) * dtype.itemsize != len(contents):
        raise ValueError(f"an array has another length than its shape {shape} says")
    values = np.frombuffer(contents, dtype, math.prod(shape), place).reshape(shape)
    values.setflags(write=False)
    return values
