# SPDX-License-Identifier: Apache-2.0
"""One entry of an archive, and the error of an archive that cannot be listed."""

from dataclasses import dataclass


class DamagedArchiveError(Exception):
    """An archive is cut off, damaged, or has an entry that is no plain file; its message ends "got ..."."""


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """What an archive states of one entry; nothing of it is trusted.

    Attributes:
        name: as it stands in the archive.
        start: of its bytes in the archive.
        packed: number of its bytes in the archive.
        size: number of bytes that they unpack to.
        deflated: whether they are compressed.
        folder: whether it is a folder, which has no bytes.
    """

    name: str
    start: int
    packed: int
    size: int
    deflated: bool = False
    folder: bool = False
