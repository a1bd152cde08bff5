# SPDX-License-Identifier: Apache-2.0
"""Pack folders as other programs do, by the standard library and not by ``lsood pack``."""

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path


def zip_stored(folder: Path, archive: Path) -> None:
    """Files at the top, as they are."""
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.iterdir()):
            file.write(path, path.name)


def zip_deflated(folder: Path, archive: Path) -> None:
    """As ``zip -r monitor.zip monitor``: compressed, in a folder, which has an entry of its own."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in (folder, *sorted(folder.iterdir())):
            file.write(path, path.relative_to(folder.parent))


def tar_pax(folder: Path, archive: Path) -> None:
    """As ``tar --format=pax -cf monitor.tar monitor``: with a pax header for the time of each file."""
    os.utime(next(folder.iterdir()), ns=(1_500_000_000_123_456_789,) * 2)
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as file:
        file.add(folder, folder.name)


def tar_gnu(folder: Path, archive: Path) -> None:
    """As ``tar -C monitor -cf monitor.tar .``: names begin with a dot."""
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as file:
        file.add(folder, ".")


PACKERS: dict[str, Callable[[Path, Path], None]] = {
    "stored.zip": zip_stored,
    "deflated.zip": zip_deflated,
    "pax.tar": tar_pax,
    "gnu.tar": tar_gnu,
}
"""By the name of a file; each takes a folder and the archive to write."""
