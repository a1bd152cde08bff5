# SPDX-License-Identifier: Apache-2.0
"""Refuse features of one frame under two names."""

import hashlib

import numpy as np

from export.errors import UsageError
from export.features.folder import FrameTable
from export.features.rows import BLOCK

_SHOWN = 3


def check_rows_differ(table: FrameTable) -> None:
    """Refuse frames all of whose features are equal to the last bit: they are of one picture.

    Raises:
        UsageError: it names the first of them, and their number.
    """
    first: dict[bytes, str] = {}
    again: list[str] = []
    for start in range(0, len(table.names), BLOCK):
        names = table.names[start : start + BLOCK]
        digests = [hashlib.blake2b(digest_size=16) for _ in names]
        for rows in table.values.values():
            block = np.ascontiguousarray(rows[np.arange(start, start + len(names))])
            for digest, row in zip(digests, block, strict=True):
                digest.update(row.tobytes())
        for name, digest in zip(names, digests, strict=True):
            other = first.setdefault(digest.digest(), name)
            if other != name:
                again.append(f"{name} has those of {other}")
    if again:
        raise UsageError(
            f"expected features of different frames, got {len(again)} of {len(table.names)} again: "
            f"{', '.join(again[:_SHOWN])}; drop all but one of each"
        )
