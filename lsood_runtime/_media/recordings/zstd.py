# SPDX-License-Identifier: Apache-2.0
"""Decompress what a ROS 2 bag compressed by Zstandard: whole files, or its messages one by one."""

from pathlib import Path

import zstandard

ZSTD = b"\x28\xb5\x2f\xfd"
"""The first bytes of compressed data."""

_PIECE = 2**20


def decompress(data: bytes) -> bytes:
    """Decompress a message.

    Raises:
        ValueError: damaged.
    """
    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


def unpack_file(packed: Path, unpacked: Path) -> None:
    """Decompress a file; of a damaged one what comes before the damage, whose end the reader of the contents notices."""
    with packed.open("rb") as source, unpacked.open("wb") as target:
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        try:
            while piece := reader.read(_PIECE):
                target.write(piece)
        except zstandard.ZstdError:
            return
