# SPDX-License-Identifier: Apache-2.0
"""Paths of files as a function takes them."""

import os
from collections.abc import Sequence
from pathlib import Path

from lsood_runtime._media.sources import find_sources

PathLike = str | os.PathLike[str]
Paths = Sequence[str | os.PathLike[str]] | str | os.PathLike[str]


def sources_of(files: Paths) -> list[str]:
    """What lies behind one path or several; none for none.

    Raises:
        MediaError: nothing is found at one.
    """
    return find_sources([os.fspath(path) for path in ([files] if isinstance(files, str | os.PathLike) else files)])


def paths_of(files: Paths) -> list[Path]:
    """One path or several."""
    return [Path(path) for path in ([files] if isinstance(files, str | os.PathLike) else files)]
