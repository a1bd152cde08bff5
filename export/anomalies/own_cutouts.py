# SPDX-License-Identifier: Apache-2.0
"""Cut-outs of a user's own: pictures with alpha in a folder, to paste on frames beside the objects that are drawn."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from export.anomalies.patterns import Bytes, Floats
from export.errors import UsageError
from export.frames.evenly_spaced import evenly_spaced
from lsood_runtime import MediaError
from lsood_runtime.offline import IMAGE_SUFFIXES, find_files, in_flags, is_file_or_lost, open_plain, reason_of

MOST_OWN = 500
"""Cut-outs that are taken, evenly spaced, of more."""

LARGEST_SIDE = 512
"""Side of the square that is as large as a cut-out may be where it is kept, pixels; a larger one is made smaller."""

HALF_OPAQUE = 128
"""Alpha from which on a pixel shows its object rather than what lies behind."""

_SPREAD = 2.0
"""Deviation, in pixels, over which the colours of an object are carried beyond its edge."""
_LEAST_ALPHA = 1 / 255
_PNG_DEEP = (b"\x89PNG\r\n\x1a\n", 24, 16)
"""How a PNG file begins, and where it says how many bits a value has."""


def read_cutouts(sources: Sequence[Path]) -> tuple[Bytes, ...]:
    """Read the cut-outs of folders and files, in natural order.

    Args:
        sources: folders, files or patterns; what a folder holds is read where it has the suffix of an image.

    Returns:
        Each ``(h, w, 4)`` uint8 RGBA with straight alpha, cut down to what is not clear, and not larger than a square of
        :data:`LARGEST_SIDE`; :data:`MOST_OWN` at most. None of no sources.

    Raises:
        UsageError: nothing there, or a picture that cannot be read, has no alpha or shows nothing; the message names it.
    """
    try:
        paths = find_files(sources, _is_image, "cut-outs, images with alpha")
    except MediaError as error:
        raise UsageError(in_flags(str(error))) from error
    return tuple(_read(paths[place]) for place in evenly_spaced(np.arange(len(paths)), MOST_OWN))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and is_file_or_lost(path)


def _read(path: Path) -> Bytes:
    try:
        with open_plain(path) as file:
            head = file.read(26)
            file.seek(0)
            with Image.open(file) as image:
                _check_form(path, image, head)
                cutout: Bytes = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))
    except UsageError:
        raise
    except Exception as error:  # Pillow raises errors of many types on a damaged file
        raise UsageError(f"expected a cut-out, could not read {path}: {reason_of(error)}: save it again") from error
    if not (cutout[..., 3] >= HALF_OPAQUE).any():
        raise UsageError(
            f"expected a cut-out that shows an object, got an alpha of {cutout[..., 3].max()} of 255 at most in {path}: make "
            "the object opaque, or take the file out"
        )
    return _kept(cutout)


def _check_form(path: Path, image: Image.Image, head: bytes) -> None:
    """Refuse a picture without alpha, several in one file, and a transparent colour that Pillow would compare wrongly."""
    if (count := getattr(image, "n_frames", 1)) > 1:
        raise UsageError(f"expected one picture in a cut-out, got {count} in {path}: save each as a file")
    if not image.has_transparency_data:
        raise UsageError(
            f"expected a cut-out with an alpha channel, got mode {image.mode} without one in {path}: cut the object out and "
            "save it as a PNG file with alpha"
        )
    begin, place, bits = _PNG_DEEP
    if head.startswith(begin) and head[place] == bits and image.mode != "RGBA":
        raise UsageError(
            f"expected a cut-out with an alpha channel, got a transparent colour of 16 bits in {path}: save it with alpha"
        )


def _kept(cutout: Bytes) -> Bytes:
    """The part of a cut-out that is not clear, made smaller where it is large."""
    shown = cutout[..., 3] > 0
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    cutout = cutout[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = LARGEST_SIDE / math.sqrt(cutout.shape[0] * cutout.shape[1])
    if scale >= 1:
        return np.ascontiguousarray(cutout)
    alpha, colours = scaled(cutout, scale)
    kept: Bytes = np.rint(np.clip(np.dstack([colours, 255 * alpha]), 0, 255)).astype(np.uint8)
    return kept


def scaled(cutout: Bytes, scale: float) -> tuple[Floats, Floats]:
    """Rescale a cut-out by premultiplied alpha, so that no colour of a clear pixel gets into its edges.

    Args:
        cutout: ``(h, w, 4)`` uint8 RGBA, straight alpha.
        scale: of its sides, above 0.

    Returns:
        Alpha ``(H, W)`` float32 in [0, 1], and colours ``(H, W, 3)`` float32 in [0, 255]: where nothing is seen those of what
        is near, or the mean colour of the object.
    """
    straight = cutout.astype(np.float32)
    alpha = straight[..., 3:] / 255
    height, width = (max(round(side * scale), 1) for side in cutout.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    layer = cv2.resize(np.dstack([straight[..., :3] * alpha, alpha]), (width, height), interpolation=how)
    layer = layer.reshape(height, width, 4)
    colours = np.full((height, width, 3), layer[..., :3].sum(axis=(0, 1)) / layer[..., 3].sum(), np.float32)
    around = cv2.GaussianBlur(layer, (0, 0), _SPREAD).reshape(layer.shape)
    for found in (around, layer):  # what is near first, and then what the pixels themselves show
        seen = found[..., 3] >= _LEAST_ALPHA
        colours[seen] = found[seen, :3] / found[seen, 3:]
    return np.clip(layer[..., 3], 0, 1), np.clip(colours, 0, 255)
