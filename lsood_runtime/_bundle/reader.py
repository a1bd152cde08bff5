# SPDX-License-Identifier: Apache-2.0
"""Read a bundle from disk: what was hashed is what is loaded."""

import hashlib
import io
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._exceptions import BundleError

MANIFEST, SEGMENTATION, DETECTOR, GOLDEN = "manifest.json", "segmentation.onnx", "detector.onnx", "golden.npz"
WEIGHTS = "weights.bin"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle.

    Attributes:
        manifest: its account of itself.
        segmentation: bytes of the graph from frame to segmentation and latent samples.
        detector: bytes of the graph from latent samples to score.
        weights: constants of both graphs that lie in a file of their own, by the file's name; often empty.
        golden_frames: ``(G, H, W, 3)`` uint8.
        golden_scores: ``(G,)`` float64.
        golden_noise: for masks of mode ``input``, ``(G, S, ...)`` float32 for each noise input.
        kept: bytes of the further files that were asked for, by their names.
    """

    manifest: Manifest
    segmentation: bytes
    detector: bytes
    weights: dict[str, bytes]
    golden_frames: NDArray[np.uint8]
    golden_scores: NDArray[np.float64]
    golden_noise: tuple[NDArray[np.float32], ...]
    kept: Mapping[str, bytes]


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Parse the manifest of the bundle in ``folder``, without looking at the other files.

    Raises:
        BundleError: no bundle there, or a manifest that this version cannot read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BundleError(f"expected a bundle folder, found none at {folder}")
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"expected a bundle, found no {MANIFEST} in {folder}: export writes one")
    return Manifest.from_json(_read(path))


def open_bundle(folder: str | os.PathLike[str], keep: Collection[str] = ()) -> Bundle:
    """Read and verify every file of the bundle in ``folder``.

    Args:
        folder: of the bundle.
        keep: names of further files whose verified bytes are wanted; one that the manifest does not record is left out.

    Raises:
        BundleError: a file is missing, damaged, or outside the bundle, or the manifest cannot be read.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    contents = {name: _verified(folder, name, manifest) for name in manifest.files}
    for name in (SEGMENTATION, DETECTOR, GOLDEN):
        if name not in contents:
            raise BundleError(f"expected the manifest to record {name}, it does not")
    frames, scores, noise = _golden(contents[GOLDEN], manifest)
    weights = {name: contents[name] for name in contents if name == WEIGHTS}
    kept = {name: contents[name] for name in contents if name in keep}
    return Bundle(manifest, contents[SEGMENTATION], contents[DETECTOR], weights, frames, scores, noise, kept)


def _verified(folder: Path, name: str, manifest: Manifest) -> bytes:
    record = manifest.files[name]
    if Path(name).name != name or "\\" in name or "\0" in name or name in ("", ".", ".."):
        raise BundleError(f"expected plain file names in the manifest, got {name!r}, which leads out of the bundle")
    path = folder / name
    try:
        is_link, is_file = path.is_symlink(), path.is_file()
    except OSError as error:
        raise BundleError(f"expected to find {path}: {error.strerror}") from error
    if is_link:
        raise BundleError(f"expected {name} to be a file of the bundle, it is a link: copy the bundle with its files")
    if not is_file:
        raise BundleError(f"expected the file {name} in {folder}, it is missing: copy the whole bundle")
    contents = _read(path)
    if len(contents) != record.bytes:
        raise BundleError(
            f"expected {name} to have {record.bytes} bytes, got {len(contents)}: it was cut off or replaced"
        )
    digest = hashlib.sha256(contents).hexdigest()
    if digest != record.sha256:
        raise BundleError(
            f"expected {name} with sha256 {record.sha256[:12]}..., got {digest[:12]}...: it was changed after export"
        )
    return contents


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"expected to read {path}: {error.strerror}") from error


def _golden(
    contents: bytes, manifest: Manifest
) -> tuple[NDArray[np.uint8], NDArray[np.float64], tuple[NDArray[np.float32], ...]]:
    try:
        with np.load(io.BytesIO(contents), allow_pickle=False) as arrays:
            frames, scores = arrays["frames"], arrays["scores"]
            noise = tuple(arrays[f"noise_{i}"] for i in range(len(manifest.masks.noise)))
    except Exception as error:  # zipfile, zlib and numpy raise a dozen types for content that is no archive of arrays
        raise BundleError(
            f"expected {GOLDEN} to hold frames and scores, got {type(error).__name__}: {error}"
        ) from error
    shape = (manifest.input.frame_height, manifest.input.frame_width, 3)
    if frames.dtype != np.uint8 or frames.shape[1:] != shape or len(frames) == 0:
        raise BundleError(
            f"expected golden frames (G, {str(shape)[1:]} uint8 in {GOLDEN}, got {frames.shape} {frames.dtype}"
        )
    if scores.dtype != np.float64 or scores.shape != frames.shape[:1]:
        raise BundleError(f"expected {len(frames)} float64 scores in {GOLDEN}, got {scores.shape} {scores.dtype}")
    for i, (values, noise_shape) in enumerate(zip(noise, manifest.masks.noise, strict=True)):
        wanted = (len(frames), manifest.masks.count, *noise_shape)
        if values.dtype != np.float32 or values.shape != wanted:
            raise BundleError(f"expected noise_{i} {wanted} float32 in {GOLDEN}, got {values.shape} {values.dtype}")
    return frames, scores, noise
