# SPDX-License-Identifier: Apache-2.0
"""Degradation by pictures of dirt: lay a PNG file with alpha, from a folder, over the frame."""

from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from export.anomalies.patterns import Bytes, Degradation, Floats, LocalChange, level
from export.errors import UsageError
from lsood_runtime.offline import natural_order, open_plain, reason_of, visible


def overlays(folder: str | Path) -> Degradation:
    """Make a degradation that lays one picture of a folder over the frame, an argument ``kind`` of ``degrade``.

    The seed chooses the picture and whether it is mirrored; the picture is stretched over the whole frame. Severities
    1 to 5 take 30, 50, 70, 85 and 100 % of its opacity.

    Args:
        folder: PNG files with an alpha channel or a transparent colour, of any size; read now, in order of their names.

    Returns:
        Degradation that can be pickled, and so passed to the workers of a data loader.

    Raises:
        UsageError: no such folder, no PNG in it, or a file that is no image, has no alpha or shows nothing.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UsageError(f"expected a folder of PNG overlays, found none at {folder}: pass the folder itself")
    paths = natural_order(path for path in folder.iterdir() if path.suffix.lower() == ".png" and visible(path))
    if not paths:
        raise UsageError(f"expected PNG overlays in {folder}, found none: put pictures of dirt with alpha there")
    return partial(_lay_over, tuple(_read(path) for path in paths))


def _read(path: Path) -> Bytes:
    """Read an overlay as ``(H, W, 4)`` uint8 RGBA."""
    try:
        with open_plain(path) as file, Image.open(file) as image:
            if not image.has_transparency_data:
                raise UsageError(f"expected an overlay with alpha, got mode {image.mode} in {path}: save it as RGBA")
            overlay: Bytes = np.asarray(image.convert("RGBA"))
    except (UnidentifiedImageError, OSError) as error:
        raise UsageError(f"expected a PNG overlay, could not read {path}: {reason_of(error)}: save it again") from error
    if not overlay[..., 3].any():
        raise UsageError(f"expected an overlay that shows something, got alpha 0 throughout {path}: remove the file")
    return overlay


def _lay_over(pictures: tuple[Bytes, ...], frame: Floats, severity: float, rng: np.random.Generator) -> LocalChange:
    """Lay one of the pictures over a frame; premultiplied alpha keeps the colour of clear pixels out of the edges."""
    import torch  # here, since the other degradations, and commands that only name them, do without it

    from export.layers.preprocessing import resize

    picture = pictures[rng.integers(len(pictures))].astype(np.float32)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    alpha = picture[..., 3:] / 255
    premultiplied = np.concatenate([picture[..., :3] * alpha, alpha], axis=2).transpose(2, 0, 1)
    layer = resize(torch.from_numpy(premultiplied.copy())[None], *frame.shape[:2])[0].permute(1, 2, 0).numpy()
    opacity = np.float32(level(severity, 0, 0.3, 0.5, 0.7, 0.85, 1.0))
    dirty: Floats = frame * (1 - opacity * layer[..., 3:]) + opacity * layer[..., :3]
    return LocalChange(dirty, opacity * layer[..., 3])
