# SPDX-License-Identifier: Apache-2.0
"""Read a bundle from disk: the bytes that were hashed are the bytes that are loaded."""

import os
from dataclasses import dataclass
from pathlib import Path

from lsood_runtime._bundle.files import (
    DETECTOR_FILE,
    GOLDEN_FILE,
    MANIFEST_FILE,
    SEGMENTATION_FILE,
    WEIGHTS_FILE,
    read_file,
    read_verified,
)
from lsood_runtime._bundle.golden import GoldenFrames, parse_golden
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._exceptions import BundleError


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle in memory.

    Attributes:
        manifest: its metadata.
        files: verified bytes of every file that the manifest records, by name.
        golden: frames with their scores at export.
    """

    manifest: Manifest
    files: dict[str, bytes]
    golden: GoldenFrames

    @property
    def segmentation(self) -> bytes:
        """The graph from frame to segmentation and features."""
        return self.files[SEGMENTATION_FILE]

    @property
    def detector(self) -> bytes:
        """The graph from features to the score, to entropies and to parts where it has any."""
        return self.files[DETECTOR_FILE]

    @property
    def weights(self) -> dict[str, bytes]:
        """Constants of both graphs that lie in a file of their own, by the file's name; often empty."""
        return {name: contents for name, contents in self.files.items() if name == WEIGHTS_FILE}


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Parse the manifest of the bundle in ``folder``, without looking at the other files.

    Raises:
        BundleError: no bundle there, or a manifest that this version cannot read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BundleError(f"expected a bundle folder, found none at {folder}: check the path")
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise BundleError(f"expected a bundle, found no {MANIFEST_FILE} in {folder}: give the folder that export wrote")
    return Manifest.from_json(read_file(path))


def open_bundle(folder: str | os.PathLike[str]) -> Bundle:
    """Read and verify every file of the bundle in ``folder``.

    Raises:
        BundleError: a file is missing, damaged, or outside the bundle, or the manifest cannot be read.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    files = {name: read_verified(folder, name, record) for name, record in manifest.files.items()}
    for name in (SEGMENTATION_FILE, DETECTOR_FILE, GOLDEN_FILE):
        if name not in files:
            raise BundleError(f"expected the manifest to record {name}, it does not: export the bundle again")
    return Bundle(manifest=manifest, files=files, golden=parse_golden(files[GOLDEN_FILE], manifest))
